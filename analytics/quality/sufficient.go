package quality

import (
	"fmt"
	"math"
	"slices"
)

// Reasons of refusal and of doubt, for programs.
const (
	TooFewDays      = "too_few_days"                // fewer than nine tenths of a year count
	TooLong         = "baseline_too_long"           // more than 366 days: said, not refused
	Constant        = "constant_data"               // fewer than a twentieth of the values differ, or none
	NoData          = "no_data"                     //
	NoTemperature   = "too_few_temperatures"        // fewer than nine tenths of the days have one
	Overlap         = "baseline_overlaps_reporting" //
	NegativeValues  = "negative_values"             // said
	ExtremeValues   = "extreme_values"              // above median + 3 IQR: said
	ZeroValues      = "zero_values"                 // many zeros: said
	UnitChange      = "unit_change"                 // a part is a power of ten away: refused
	MissingDays     = "missing_days"                // said
	DuplicateTimes  = "duplicate_times"             // said
	NoReportingData = "no_reporting_data"           //
	PoorFit         = "poor_fit"                    // CV(RMSE) beyond ASHRAE Guideline 14: said
	BiasedFit       = "biased_fit"                  // net bias beyond ASHRAE Guideline 14: said
	Autocorrelated  = "autocorrelated_residuals"    // neighbouring residuals are alike: said
	FewRows         = "few_independent_rows"        // for the parameters of the model: said
	BelowZero       = "mean_not_positive"           // the baseline does not consume
)

// Flag is one finding.
type Flag struct {
	Reason  string `json:"reason"`
	Refused bool   `json:"refused"` // no figure may be made of this
	Text    string `json:"text"`
}

// Sufficiency says whether daily values can carry a baseline.
type Sufficiency struct {
	Days      int    // civil days of the period
	Valid     int    // with a value and, where there is any, a temperature; negative ones count
	Used      int    // that a model may use
	Negative  int    //
	Zero      int    //
	Extreme   int    //
	Flags     []Flag //
	NoWeather int    // days without temperature
}

// Sufficient says that nothing was refused.
func (s *Sufficiency) Sufficient() bool {
	return !slices.ContainsFunc(s.Flags, func(f Flag) bool { return f.Refused })
}

func (s *Sufficiency) add(reason string, refused bool, format string, a ...any) {
	s.Flags = append(s.Flags, Flag{reason, refused, fmt.Sprintf(format, a...)})
}

const (
	yearDays  = 365
	mostGone  = 37 // days of a baseline year that may be missing (CalTRACK 2.0, 2.2.1)
	longest   = 366
	leastKind = 0.05 // share of values that must differ from each other
	manyZeros = 0.10
)

// CheckDays judges the daily values of a baseline: value[i] and temperature[i] of
// each civil day, NaN where missing; temperature nil when there is none. Negative
// values are set to NaN afterwards, unless they are a generator's.
func CheckDays(value, temperature []float64, r Rules) *Sufficiency {
	s := &Sufficiency{Days: len(value)}
	kinds := map[float64]bool{}
	sum := 0.0
	for i, v := range value {
		if math.IsNaN(v) {
			continue
		}
		kinds[v] = true
		sum += v
		if v < 0 {
			s.Negative++
		}
		if v == 0 {
			s.Zero++
			if r.ZeroMissing {
				value[i] = math.NaN()
				continue
			}
		}
		if temperature != nil && math.IsNaN(temperature[i]) {
			continue
		}
		s.Valid++
	}
	generator := float64(s.Negative) >= r.KeepNegative*float64(s.Valid) && s.Negative > 0
	limit := Limit(value, r.OutlierIQR)
	for i, v := range value {
		if v < 0 && !generator {
			value[i] = math.NaN()
		}
		if v > limit {
			s.Extreme++
		}
	}
	for i, v := range value {
		cold := temperature != nil && math.IsNaN(temperature[i])
		if cold {
			s.NoWeather++
		}
		if !math.IsNaN(v) && !cold {
			s.Used++
		}
	}
	s.judge(len(kinds), sum, generator)
	return s
}

func (s *Sufficiency) judge(kinds int, sum float64, generator bool) {
	if s.Valid == 0 {
		s.add(NoData, true, "no day has a value")
		return
	}
	if gone := max(s.Days, yearDays) - s.Used; gone > mostGone {
		s.add(TooFewDays, true, "%d days can be used of %d: at least %d of %d are needed", s.Used, s.Days, yearDays-mostGone, yearDays)
	} else if s.Used < s.Days {
		s.add(MissingDays, false, "%d of %d days are missing", s.Days-s.Used, s.Days)
	}
	if s.Days > longest {
		s.add(TooLong, false, "the baseline has %d days; a year is usual", s.Days)
	}
	if kinds < 2 || float64(kinds) < leastKind*float64(s.Valid) {
		s.add(Constant, true, "%d different values on %d days", kinds, s.Valid)
	}
	if 10*s.NoWeather > s.Days {
		s.add(NoTemperature, true, "%d of %d days have no temperature", s.NoWeather, s.Days)
	}
	if sum <= 0 {
		s.add(BelowZero, true, "the values do not add up to a consumption")
	}
	switch {
	case generator:
		s.add(NegativeValues, false, "%d negative values are kept: a generator behind the meter", s.Negative)
	case s.Negative > 0:
		s.add(NegativeValues, false, "%d negative values are left out", s.Negative)
	}
	if s.Extreme > 0 {
		s.add(ExtremeValues, false, "%d values above median + 3 interquartile ranges", s.Extreme)
	}
	if float64(s.Zero) > manyZeros*float64(s.Valid) {
		s.add(ZeroValues, false, "%d values are zero", s.Zero)
	}
}

// UnitRun looks for a part of a series, a thirtieth of it or more on either side,
// whose level is about 10ᵏ (k from 2) or 3.6 × 10ᵏ times that of the other part:
// a change of unit; the jump must show within ten values too. at is the first index after the change.
func UnitRun(x []float64) (at int, factor float64, ok bool) {
	var index []int
	var logs []float64
	for i, v := range x {
		if v > 0 {
			index = append(index, i)
			logs = append(logs, math.Log10(v))
		}
	}
	n := len(logs)
	least := max(7, n/30)
	if n < 3*least {
		return 0, 1, false
	}
	best, score := 0, 0.0
	total, left := 0.0, 0.0
	for _, v := range logs {
		total += v
	}
	for i := 1; i < n; i++ {
		left += logs[i-1]
		if i < least || n-i < least {
			continue
		}
		d := left/float64(i) - (total-left)/float64(n-i)
		if s := d * d * float64(i) * float64(n-i); s > score {
			best, score = i, s
		}
	}
	before, after := Median(logs[:best]), Median(logs[best:])
	jump := after - before
	// A season moves slowly: the jump must be there between neighbours too.
	near := Median(logs[best:min(best+10, n)]) - Median(logs[max(best-10, 0):best])
	if math.Abs(near-jump) > 0.5 {
		return 0, 1, false
	}
	for k := 2; k <= 9; k++ {
		for _, extra := range []float64{0, math.Log10(3.6), -math.Log10(3.6)} {
			if math.Abs(math.Abs(jump)-float64(k)-extra) < 0.3 {
				return index[best], math.Pow(10, math.Copysign(float64(k)+extra, jump)), true
			}
		}
	}
	return 0, 1, false
}

// Median is that of the known values; NaN for none.
func Median(x []float64) float64 { return quantile(known(x), 0.5) }
