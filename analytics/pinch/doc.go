// Package pinch computes energy targets of processes and sites by pinch
// analysis: how little heating and cooling a set of streams needs when heat is
// recovered as well as temperatures allow.
//
// It is pure: streams in, targets and curves out. [Cascade] is the problem table
// (Linnhoff and Flower, AIChE Journal 24, 1978) on shifted temperatures: a hot
// stream counts its own contribution to the approach (K) colder, a cold one
// hotter, so heat may flow wherever the shifted scale allows it. A latent load
// is a jump of enthalpy at one temperature, never a heat capacity flow times
// zero. A problem that needs only one utility has no pinch between two: it is
// called a threshold problem, and no pinch is invented for it.
//
// On it stand zones and total sites ([Site]: heat passed between zones through
// utility levels; Dhole and Linnhoff, Computers & Chemical Engineering 17, 1993),
// batch processes ([Batch]: time slices and the bound that storage could reach;
// Kemp and Deakin, 1989), and processes that differ by period ([Periods]).
// [ParseCase] reads such problems from files.
package pinch
