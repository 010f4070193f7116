// Package trial is a small synthetic programme that can be sealed in a moment,
// for tests: eleven companies, seven synergies (heat, water, material, a
// whole-site saving), gateways that sign readings, a real ledger, a real
// registry and the embedded store. It is deterministic.
//
// It has the troubles that matter here: a gateway that lost batches and said so,
// a meter that was exchanged, a batch that arrives after the first sealing, and
// a factor set that is published after the quarter.
package trial
