// Package savings measures what a synergy really saves, by the rules of IPMVP
// (Core Concepts 2016) and ISO 50015, and says how sure that is.
//
// A [Plan] is agreed before anything is counted: which meters bound the
// exchange, what they displace, which factors and prices apply, what is stated
// by agreement instead of measured, what is expected. Evaluation takes the
// plan, the readings of its meters and a set of factors and gives
// [metering.Result] values for days, months, quarters, the last twelve months
// and to date. It is pure: no I/O, no clock, so a verifier who holds the same
// readings, plan and factors gets the same figures to the last digit.
//
// The IPMVP options, as a plan's option names them:
//
//   - A: the key parameter is measured, the rest stipulated with a source (the
//     efficiency of the displaced boiler, for instance);
//   - B: everything that matters is measured at the exchange: heat delivered at
//     the receiver's boundary, electricity of pumps and heat pump deducted, water;
//   - C: the whole site against its baseline adjusted to weather and production;
//   - calculated: a measured total times a share from other evidence (weigh
//     tickets);
//   - declared: a statement with its evidence.
//
// The central formula of options A and B, per hour:
//
//	fuel avoided (kWh PCS) = heat delivered / efficiency (PCI) * PCS/PCI
//	t CO2e = fuel avoided * factor - electricity used * factor
//	EUR    = fuel avoided * price  - electricity used * price - costs
//
// Every amount is rounded for each civil day to a millionth of its unit, half
// away from zero, and kept as an integer from then on. Longer periods are
// integer sums of their days: quarters add up to the year exactly.
package savings
