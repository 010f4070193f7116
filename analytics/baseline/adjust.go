package baseline

import (
	"math"
	"slices"
	"time"
)

// Backcast and forecast of the Superior Energy Performance protocol (2019, 3.5):
// the energy performance indicator SEnPI is energy used over energy expected,
// below one when energy was saved.

// Adjusted is the outcome of an adjustment.
type Adjusted struct {
	Baseline float64 `json:"adjusted_baseline"` // energy that would have been used
	Savings  float64 `json:"savings"`
	SEnPI    float64 `json:"senpi"`
}

// Forecast adjusts the baseline energy to the conditions of the reporting
// period with a model of the baseline: E_adj = (E_b + NRA) Σŷ(x_r)/Σŷ(x_b);
// savings E_adj - E_r; SEnPI E_r/E_adj. nonRoutine is the non-routine adjustment
// of the baseline. Over a baseline that its model fits by least squares with an
// intercept, Σŷ(x_b) is E_b, and E_adj is simply Σŷ(x_r).
func Forecast(baseline, nonRoutine, modelBaseline, modelReporting, reporting float64) Adjusted {
	a := Adjusted{Baseline: (baseline + nonRoutine) * (modelReporting / modelBaseline)}
	a.Savings = a.Baseline - reporting
	a.SEnPI = reporting / a.Baseline
	return a
}

// Backcast adjusts the energy of the reporting period to the conditions of the
// baseline with a model of the reporting period: Baseline is E_b + NRA, savings
// what it exceeds E_r Σŷ(x_b)/Σŷ(x_r), SEnPI that over the baseline.
func Backcast(baseline, nonRoutine, modelBaseline, modelReporting, reporting float64) Adjusted {
	adjusted := reporting * (modelBaseline / modelReporting)
	a := Adjusted{Baseline: baseline + nonRoutine}
	a.Savings = a.Baseline - adjusted
	a.SEnPI = adjusted / a.Baseline
	return a
}

// RangeCheck says whether a variable of the reporting period lies where the
// model was made.
type RangeCheck struct {
	Variable      string      `json:"variable"`
	Baseline      Range       `json:"baseline"`
	ReportingMean float64     `json:"reporting_mean"`
	InMinMax      bool        `json:"mean_in_min_max"`
	In3SD         bool        `json:"mean_in_3sd"`
	Outside       []time.Time `json:"outside,omitempty"` // intervals outside least and greatest
}

// Valid says whether the model may be used at the mean of the variable: inside
// the least and greatest of the baseline, or three standard deviations around
// its mean.
func (r RangeCheck) Valid() bool { return r.InMinMax || r.In3SD }

// CheckRanges compares the variables of a frame with those of the fit.
func (f *Fit) CheckRanges(frame *Frame) []RangeCheck {
	var out []RangeCheck
	names := sortedNames(f.Ranges)
	slices.SortStableFunc(names, func(a, b string) int { // as in the model
		return slices.Index(f.Spec.Drivers, a) - slices.Index(f.Spec.Drivers, b)
	})
	for _, name := range names {
		x := frame.Drivers[name]
		if name == Slope {
			x = temperatures(frame)
		}
		if len(x) != frame.Len() {
			continue
		}
		c := RangeCheck{Variable: name, Baseline: f.Ranges[name], ReportingMean: rangeOf(x).Mean}
		c.InMinMax = c.Baseline.Min <= c.ReportingMean && c.ReportingMean <= c.Baseline.Max
		c.In3SD = math.Abs(c.ReportingMean-c.Baseline.Mean) <= 3*c.Baseline.SD
		for i, v := range x {
			if v < c.Baseline.Min || v > c.Baseline.Max {
				c.Outside = append(c.Outside, frame.Start[i])
			}
		}
		out = append(out, c)
	}
	return out
}

// temperatures is the mean temperature of every row; nil when there is none.
func temperatures(f *Frame) []float64 {
	if len(f.Daily) == 0 {
		return f.Temperature
	}
	d := design{frame: f}
	out := make([]float64, f.Len())
	for i := range out {
		out[i] = d.mean(i)
	}
	return out
}
