package interval

import (
	"fmt"
	"math"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
)

// aheadOfHours works on the sums of civil days: what hours of a day share counts
// for sums, and days can be learned from like those of a daily model.
func aheadOfHours(f *baseline.Fit, base, rep *baseline.Frame, fitted []float64) (*Forecast, error) {
	s := &Forecast{}
	days := daysOf(base, fitted)
	for _, d := range days {
		s.base = append(s.base, Term{Step: dayNumber(base.Start[d[0]]), Phase: Phase(base.Start[d[0]])})
		s.Steps = append(s.Steps, dayNumber(base.Start[d[0]]))
	}
	s.Residuals = ofDays(base, fitted, days)
	whole := f
	if f.Hourly.ByMonth {
		// The levels of months take up nearly all slow noise, and what is left tells
		// nothing of it: one model of the whole year leaves it to be seen.
		var err error
		if whole, err = baseline.CalTRACKHourly(base, baseline.HourlyOptions{Single: true, HolidaysAsSunday: f.Hourly.HolidaysAsSunday, Drivers: f.Hourly.Drivers}); err != nil {
			return nil, fmt.Errorf("noise of the model by month: %w", err)
		}
		if fitted, err = whole.Predict(base); err != nil {
			return nil, fmt.Errorf("noise of the model by month: %w", err)
		}
	}
	res := Residuals{Step: s.Steps, E: ofDays(base, fitted, days), Columns: columnsOfDays(base, fitted, days),
		Parameters: min(dailyParameters(whole), len(days)/3), Phase: []float64{}}
	for _, t := range s.base {
		res.Phase = append(res.Phase, t.Phase)
	}
	var err error
	if s.Noise, err = Learn(res); err != nil {
		return nil, err
	}
	for _, t := range rep.Start {
		s.rep = append(s.rep, Term{Step: dayNumber(t), Phase: Phase(t), Scale: 1.0 / 24})
	}
	of, err := f.Influencer(base)
	if err != nil {
		return nil, err
	}
	s.influence = func(which []int) ([]float64, error) {
		a, err := of(Pick(rep, which))
		if err != nil {
			return nil, err
		}
		out := make([]float64, len(days))
		for k, d := range days {
			for _, i := range d {
				out[k] += a[i]
			}
			out[k] /= 24 // residuals are of whole days
		}
		return out, nil
	}
	return s, nil
}

// daysOf are the rows of each civil day that has half of its hours or more.
func daysOf(base *baseline.Frame, fitted []float64) [][]int {
	var days [][]int
	last := -1
	for i, y := range base.Energy {
		if math.IsNaN(y) || math.IsNaN(fitted[i]) {
			continue
		}
		if n := dayNumber(base.Start[i]); n != last {
			if len(days) > 0 && len(days[len(days)-1]) < 12 {
				days = days[:len(days)-1]
			}
			days, last = append(days, nil), n
		}
		days[len(days)-1] = append(days[len(days)-1], i)
	}
	if len(days) > 0 && len(days[len(days)-1]) < 12 {
		days = days[:len(days)-1]
	}
	return days
}

// ofDays are the residuals of days, scaled to 24 hours.
func ofDays(base *baseline.Frame, fitted []float64, days [][]int) []float64 {
	out := make([]float64, len(days))
	for k, d := range days {
		for _, i := range d {
			out[k] += base.Energy[i] - fitted[i]
		}
		out[k] *= 24 / float64(len(d))
	}
	return out
}

// columnsOfDays are the columns of an hourly model as far as they are slow: level,
// temperature and what is predicted of each day.
func columnsOfDays(base *baseline.Frame, fitted []float64, days [][]int) [][]float64 {
	level, warmth, predicted := make([]float64, len(days)), make([]float64, len(days)), make([]float64, len(days))
	for k, d := range days {
		level[k] = 1
		for _, i := range d {
			warmth[k] += base.Temperature[i] / float64(len(d))
			predicted[k] += fitted[i] / float64(len(d))
		}
	}
	return [][]float64{level, warmth, predicted}
}

// dailyParameters is how many parameters an hourly model of the whole year spends on
// the sums of days: seven levels and its slopes.
func dailyParameters(f *baseline.Fit) int {
	n := 0
	for i := range f.Hourly.Segments {
		s := &f.Hourly.Segments[i]
		n += 7 + len(s.Warm.PerC) + len(s.Idle.PerC) + len(s.Warm.Drivers) + len(s.Idle.Drivers)
	}
	return n
}

func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}
