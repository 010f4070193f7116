// Package quality looks at interval data before any model does, by stated rules,
// and lists what it found: it decides more than the model.
//
// The rules, in the order in which they are applied to hourly values:
//
//	duplicate     an instant given twice: the later line counts
//	sentinel      a number that a logger writes for "none" (-999, 9999 ..., as stated)
//	negative      consumption below zero: missing; kept where a twentieth or more of
//	              electricity is negative, which is a generator and no error
//	zero          missing for electricity (CalTRACK 2.0, 2.3.2); valid for gas and heat
//	stuck         the same number, not zero, for so long that chance does not explain it
//	outlier       above median + 3 interquartile ranges (CalTRACK 2.0, 2.3.6): flagged
//	spike         an outlier for up to three hours that is also three times all
//	              other values nearby and overall: missing
//	unit          a run of a week or more a power of ten or 3.6 away from the rest: flagged
//
// Hours become civil days of 23, 24 or 25 hours. A day with more than half of its
// hours counts, its missing hours at the mean of the others (CalTRACK 2.0, 2.3.1);
// one with fewer does not. Temperature is interpolated over gaps of up to six
// hours; a day needs more than half of its hours of temperature.
//
// Sufficiency: a baseline of 365 days, of which nine tenths count (CalTRACK 2.0,
// 2.2.1), that changes at all. Refusals have names that programs can read.
//
// The package is pure.
package quality
