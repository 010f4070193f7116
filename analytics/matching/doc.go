// Package matching finds which source of heat serves which need when, so that
// the most useful heat is delivered, with a proof.
//
// It is pure: series in, plans out. Each step of a [Problem] is a transport
// problem with losses on the temperature scale (see network.go for the linear
// programme); steps do not depend on each other, so the optimum of a year is the
// sum of the optima of its steps. [Solve] uses a simplex method on graphs: a
// basis is a forest with at most one slack or one cycle in each component, so
// that its equations are solved from the leaves. Steps that share a structure,
// which are most, share bases; a basis stays optimal as long as its amounts stay
// positive.
//
// Every step carries dual prices that are feasible by construction; their sum
// is an upper bound that holds however the plan was found ([Plan].Bound).
//
// Heat pumps ([Problem].Lifts) are arcs more in each step. Tanks join the steps:
// [SolveStored] takes them apart again by prices of stored heat, and encloses the
// optimum between a plan and a bound. [Sparse] chooses few pairs.
package matching
