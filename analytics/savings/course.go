package savings

import (
	"math"
	"time"

	"github.com/thermie/thermie/metering"
)

// BaselineWeek is a run of seven civil days of a site's energy beside its
// adjusted baseline. It begins with the baseline period, so that a reader sees
// how well the model follows the site before the measure.
type BaselineWeek struct {
	From time.Time // first instant of the first day
	// Days that count, at most seven: those with readings and drivers. The sums
	// are over these days only; 0 days: a gap.
	Days     int
	Actual   float64 // MWh used
	Adjusted float64 // MWh that the site would have used, accepted adjustments included
	Half90   float64 // half width of the 90 % interval of Adjusted, MWh
}

// BaselineWeeks returns the weeks of the k-th model of the plan (option C),
// from the beginning of the baseline period to the last evaluated day; the last
// run may be shorter than seven days. The interval is that of the model: its
// coefficients and the scatter of the days (see [Fit]).
func (e *Evaluation) BaselineWeeks(k int) []BaselineWeek {
	f := e.Fits[k]
	counts := func(d int) bool { return f.site[d].known && !math.IsNaN(f.y[d]) }
	var out []BaselineWeek
	for d := e.grid.index(e.Plan.Baseline.From.Time()); d < e.last; d += 7 {
		end := min(d+7, e.last)
		w := BaselineWeek{From: e.grid.days[d]}
		for i := d; i < end; i++ {
			if counts(i) {
				w.Days++
				w.Actual += f.site[i].y / 1000
				w.Adjusted += (f.y[i] + e.accepted(f.model, e.grid.days[i])) / 1000
			}
		}
		model, scatter := f.bands(d, end, func(day int) float64 {
			if counts(day) {
				return 1.0 / 1000
			}
			return 0
		})
		w.Half90 = math.Hypot(model, scatter)
		out = append(out, w)
	}
	return out
}

// accepted is the sum of the accepted adjustments of a day, in kWh.
func (e *Evaluation) accepted(m *Model, day time.Time) (kwh float64) {
	for i := range e.Plan.Adjustments {
		if a := &e.Plan.Adjustments[i]; a.Energy == m.Energy && a.AcceptedBy != "" && a.Holds(day) {
			kwh += a.KWhPerDay
		}
	}
	return kwh
}

// Watched is the indicator that the plan's drift watch follows; ok is false when
// it watches nothing.
func (p *Plan) Watched() (i metering.Indicator, ok bool) {
	if p.Drift == nil {
		return "", false
	}
	if p.Drift.Indicator != "" {
		return p.Drift.Indicator, true
	}
	return metering.HeatDeliveredMWh, true
}

// DriftAllowance is the shortfall that the watch tolerates, as a share.
func (p *Plan) DriftAllowance() float64 {
	if p.Drift == nil || p.Drift.Allowance == 0 {
		return defaultAllow
	}
	return p.Drift.Allowance
}

// DriftLimit is the height of the CUSUM, in standard deviations of a week, above
// which a drift is established.
const DriftLimit = cusumH
