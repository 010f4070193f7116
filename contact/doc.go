// Package contact finds which companies could be brought together, and what each
// could let the other see without being recognised.
//
// A [Lead] is a pair of companies of which one has what the other could use: a use
// of an opportunity of waste heat, or two declared flows (analytics/flows). Each side
// comes with a profile in figures and in bands. A band is shown only where at
// least [Crowd] companies of the programme would fit it; what is rarer is left out,
// first the temperature, then the power too. Distances, ranks and figures of the
// pair (heat taken, savings, cost) are made of both sides and are in no profile.
//
// The state of contacts is kept by registry, who may see what is decided by access.
// docs/decisions/0180-contacts-between-companies.md has the reasons.
package contact
