// Package nonroutine looks for non-routine events in the savings of a site: days
// from which its use lies higher or lower for another reason than weather,
// production or the measure itself (a machine more, a hall given up, a tenant
// gone). It proposes them with date and size; a person decides.
//
// The series is d = adjusted baseline minus observed, by day. From it are taken
// what is routine: a level (the saving), a part in proportion to the adjusted
// baseline (a saving of so many per cent), the days of the week, public holidays
// and their bridges. Short runs far from the rest are shutdowns and are set aside.
// What is left is whitened by its lag-1 correlation, w_t = d_t - ρ d_{t-1}, and cut
// into runs of constant mean at the exact optimum of
//
//	Σ (w - mean of its run)² / σ² + penalty × number of cuts
//
// by dynamic programming. A cut is proposed when the level moves by at least a
// share of the daily use and by several of its standard errors.
//
// The package is pure.
package nonroutine
