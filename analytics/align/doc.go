// Package align turns raw readings into regular series. It is the one place
// where that is done: savings, waste heat, pages and the offline verifier all
// start from here, so one reading has one meaning.
//
// [Read] takes the points of one series in order of time and finds what
// happened to it; [Track.On] lays the result on a grid of equal steps.
//
// Registers ([metering.Counter]) are unwrapped in whole numbers: rollover,
// reset, exchanged meters with a record and without one, a scale that jumps by a
// power of ten, single wrong readings, readings given twice. What a register
// grew between two readings is split over the steps between them in proportion
// to time, and no step loses or doubles any of it: the increases over any
// partition add up to last minus first of the unwrapped register exactly. Where
// the readings lie too far apart, or something was lost, the steps between them
// count as not covered: their amount is an estimate.
//
// Gauges ([metering.Gauge]) hold their number until the next reading, at most
// for the gap that is allowed, and are averaged over time.
//
// Only good readings, and those that a person has estimated, are used; suspect
// ones are counted and passed over. The package is pure.
package align
