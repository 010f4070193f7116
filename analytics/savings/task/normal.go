package task

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/analytics/quality"
)

var normalWord = regexp.MustCompile(`(?i)(normal|typical|tmy)`)

// NotNormalised is the reason of a saving that cannot be given under normal conditions.
const NotNormalised = "normalised_not_possible"

// What the model of the reporting period needs, in intervals of its step.
var leastNormal = map[baseline.Step]int{baseline.Hour: 300 * 24, baseline.Day: 300, baseline.Month: 10, baseline.Period: wantedBills}

// normalised sets the saving under normal conditions: the baseline's model minus the
// same form fitted on the reporting period, both on a year of normal weather and of
// normal values of the drivers. Weather is that of a file (normal…, typical…, tmy…);
// drivers are those of its columns, else those that the task states
// (normal_conditions), else the means of the reporting period, by hour or day of the
// week. The calendar is that of the reporting period, closures included. The interval is
// that of both models' parameters; the scatter of a year that never comes has no part
// in it.
func (a *answer) normalised(fit *baseline.Fit, f frames) error {
	if a.normal == nil && len(a.c.Task.Normal) == 0 {
		return nil
	}
	not := func(format string, v ...any) error {
		a.flags([]quality.Flag{{Reason: NotNormalised, Text: fmt.Sprintf("normalised savings: "+format, v...)}})
		return nil
	}
	year, conditions, err := a.normalYear(fit, f.rep)
	if err != nil {
		return not("%v", err)
	}
	known := 0
	for _, e := range f.rep.Energy {
		if !math.IsNaN(e) {
			known++
		}
	}
	if least := leastNormal[f.rep.Step]; known < least {
		return not("%d intervals of the reporting period are too few for its model: %d are needed", known, least)
	}
	if isTOWT(fit) {
		towtDays(f.base, year)
		towtDays(f.base, f.rep)
	}
	after, err := sameForm(fit, f.rep)
	if err != nil {
		return not("the reporting period has no model: %v", err)
	}
	both, err := interval.Under(year, interval.Model{Fit: fit, Base: f.base}, interval.Model{Fit: after, Base: f.rep})
	if err != nil {
		return not("%v", err)
	}
	var sum [2]float64
	for _, i := range both.Rows {
		sum[0] += both.Predicted[0][i]
		sum[1] += both.Predicted[1][i]
	}
	if 10*len(both.Rows) < 9*year.Len() {
		return not("normal conditions are known for %d of %d intervals", len(both.Rows), year.Len())
	}
	half, err := both.Half(a.c.Task.Confidence)
	if err != nil {
		return fmt.Errorf("normalised savings: %w", err)
	}
	saved := sum[0] - sum[1]
	out := map[string]any{"intervals": len(both.Rows), "baseline": sum[0], "reporting": sum[1], "savings": saved, "unc90": interval.Round(half),
		"fraction": saved / sum[0], "significant": math.Abs(saved) > half, "conditions": conditions,
		"reporting_model": map[string]any{"family": after.Model, "n": after.N, "r2": after.R2, "cvrmse_adj": after.CVRMSEAdj}}
	if f.rep.Step == baseline.Day {
		out["days"] = len(both.Rows)
	}
	a.out["report"].(map[string]any)["normalised"] = out
	if f.rep.Step == baseline.Month {
		return a.backcast(after, f)
	}
	return nil
}

// backcast sets the indicator of SEP under the conditions of the baseline.
func (a *answer) backcast(after *baseline.Fit, f frames) error {
	total := a.out["report"].(map[string]any)["total"].(map[string]any)
	observed := 0.0
	for _, e := range f.base.Energy {
		if !math.IsNaN(e) {
			observed += e
		}
	}
	b := baseline.Backcast(observed, total["nra"].(float64), fittedSum(after, f.base), fittedSum(after, f.rep), total["observed"].(float64))
	a.out["report"].(map[string]any)["backcast"] = map[string]any{"SEnPI": b.SEnPI, "savings": b.Savings, "baseline": b.Baseline}
	return nil
}

// isTOWT says whether a daily fit has the columns of time of week and temperature.
func isTOWT(fit *baseline.Fit) bool {
	return slices.ContainsFunc(fit.Spec.Drivers, func(d string) bool { return strings.HasPrefix(d, towtPrefix) })
}

// sameForm fits the form of a model on another frame.
func sameForm(fit *baseline.Fit, f *baseline.Frame) (*baseline.Fit, error) {
	switch {
	case fit.Hourly != nil:
		o := baseline.HourlyOptions{Drivers: fit.Hourly.Drivers, HolidaysAsSunday: fit.Hourly.HolidaysAsSunday}
		if fit.Hourly.ByMonth {
			return baseline.CalTRACKHourly(f, o)
		}
		return baseline.TimeOfWeek(f, o)
	case strings.HasPrefix(fit.Model, "CalTRACK"):
		o := baseline.CalTRACK{HeatingOnly: fit.Spec.Shape == baseline.ThreePHeat || fit.Spec.Shape == baseline.Mean}
		if f.Step == baseline.Period {
			return baseline.CalTRACKBilling(f, o)
		}
		return baseline.CalTRACKDaily(f, o)
	}
	return baseline.Linear(f, fit.Spec)
}

// normalYear is the first year of the reporting period with normal weather and
// drivers; invoices have the months of a year. It says where each came from.
func (a *answer) normalYear(fit *baseline.Fit, rep *baseline.Frame) (*baseline.Frame, map[string]any, error) {
	conditions := map[string]any{}
	end := rep.Start[0].AddDate(1, 0, 0)
	n, _ := slices.BinarySearchFunc(rep.Start, end, time.Time.Compare)
	year := *rep.Rows(0, n)
	year.Energy = nil
	if rep.Step == baseline.Period {
		year = baseline.Frame{Step: baseline.Period}
		for m := range 12 {
			at := time.Date(rep.Start[0].Year(), rep.Start[0].Month()+time.Month(1+m), 1, 0, 0, 0, 0, rep.Start[0].Location())
			year.Start = append(year.Start, at)
			year.Days = append(year.Days, float64(at.AddDate(0, 1, -1).Day()))
		}
	}
	weather := rep.Step == baseline.Period || fit.Hourly != nil || isTOWT(fit) || fit.Spec.Shape != baseline.Mean
	if weather {
		conditions["weather"] = "reporting period"
		if a.normal != nil && a.normal.temperature() != nil {
			conditions["weather"] = a.normal.name
			if err := a.normalWeather(&year); err != nil {
				return nil, nil, err
			}
		} else if rep.Step == baseline.Period {
			return nil, nil, fmt.Errorf("no file of normal temperatures")
		}
	}
	drivers := fit.Spec.Drivers
	if fit.Hourly != nil {
		drivers = fit.Hourly.Drivers
	}
	year.Drivers = maps.Clone(rep.Drivers)
	for name, x := range year.Drivers {
		year.Drivers[name] = x[:min(n, len(x))]
	}
	for _, name := range drivers {
		if strings.HasPrefix(name, towtPrefix) || strings.HasPrefix(name, closurePrefix) {
			continue
		}
		x, source, err := a.normalDriver(name, &year, rep)
		if err != nil {
			return nil, nil, err
		}
		year.Drivers[name], conditions[name] = x, source
	}
	return &year, conditions, nil
}

// normalDriver gives a driver's normal values and their source.
func (a *answer) normalDriver(name string, year, rep *baseline.Frame) ([]float64, string, error) {
	out := nans(year.Len())
	if a.normal != nil && a.normal.columns[name] != nil {
		by := a.byCalendar(a.normal.columns[name], year.Step)
		for i, t := range year.Start {
			if v, ok := by[calendarKey(t, year.Step)]; ok {
				out[i] = v
			}
		}
		return out, a.normal.name, nil
	}
	if v, ok := a.c.Task.Normal[name]; ok {
		for i := range out {
			out[i] = v
		}
		return out, "stated in the task", nil
	}
	key := func(t time.Time) int {
		switch rep.Step {
		case baseline.Hour:
			return int(t.Weekday())*24 + t.Hour()
		case baseline.Day:
			return int(t.Weekday())
		}
		return 0
	}
	sum, n := map[int]float64{}, map[int]float64{}
	for i, v := range rep.Drivers[name] {
		if !math.IsNaN(v) {
			sum[key(rep.Start[i])] += v
			n[key(rep.Start[i])]++
		}
	}
	for i, t := range year.Start {
		if k := key(t); n[k] > 0 {
			out[i] = sum[k] / n[k]
		}
	}
	return out, "mean of the reporting period", nil
}

// calendarKey is an interval's place in the year; the 29th of February is the 28th.
func calendarKey(t time.Time, step baseline.Step) string {
	switch {
	case step == baseline.Month:
		return t.Format("01")
	case t.Month() == time.February && t.Day() == 29:
		t = t.AddDate(0, 0, -1)
	}
	if step == baseline.Hour {
		return t.Format("01-02T15")
	}
	return t.Format("01-02")
}

// byCalendar are the means of a column of the normal year by place in the year.
func (a *answer) byCalendar(x []float64, step baseline.Step) map[string]float64 {
	sum, n := map[string]float64{}, map[string]float64{}
	for i, t := range a.normal.time {
		if !math.IsNaN(x[i]) {
			k := calendarKey(t.In(a.c.Task.Location), step)
			sum[k] += x[i]
			n[k]++
		}
	}
	for k := range sum {
		sum[k] /= n[k]
	}
	return sum
}

// normalWeather puts the temperatures of the normal year into a frame.
func (a *answer) normalWeather(year *baseline.Frame) error {
	t := a.normal.temperature()
	by := a.byCalendar(t, baseline.Day)
	switch year.Step {
	case baseline.Hour:
		by = a.byCalendar(t, baseline.Hour)
		if len(by) < 24*300 {
			return fmt.Errorf("%s has no temperatures of hours, which an hourly model needs", a.normal.name)
		}
	case baseline.Month:
		by = a.byCalendar(t, baseline.Month)
	case baseline.Period:
		for _, from := range year.Start {
			var days []float64
			for d := from; d.Before(from.AddDate(0, 1, 0)); d = d.AddDate(0, 0, 1) {
				v, ok := by[calendarKey(d, baseline.Day)]
				if !ok {
					return fmt.Errorf("%s has no temperature of %s", a.normal.name, d.Format("2 January"))
				}
				days = append(days, v)
			}
			year.Daily = append(year.Daily, days)
		}
		return nil
	}
	year.Temperature, year.Daily = nans(year.Len()), nil
	for i, at := range year.Start {
		if v, ok := by[calendarKey(at, year.Step)]; ok {
			year.Temperature[i] = v
		}
	}
	return nil
}
