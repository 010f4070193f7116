// Package assessment turns stored readings into what people look at: every
// synergy's results, drift and meter faults as alarms, ranked opportunities of
// waste heat, completeness by meter and day.
//
// [Run] reads every series that somebody needs once, aligns it ([align]), and
// hands it to the pure packages of analytics. What it finds goes to the registry;
// only what differs from what is stored there is written. One synergy or card
// that cannot be computed stops no other: it becomes an alarm.
package assessment
