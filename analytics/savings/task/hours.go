package task

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
)

// chooseHourly fits the hourly model that the task names, or tries CalTRACK's and
// LBNL's, with public holidays as Sundays too, and takes the one that predicts
// weeks best that it was not fitted on: every fourth week is left out in turn.
func (a *answer) chooseHourly(base *data, rep *baseline.Frame) (*baseline.Fit, error) {
	f := base.hours
	if f.Temperature == nil {
		return nil, errors.New("hourly models need a temperature of each hour")
	}
	var drivers []string
	for _, d := range a.c.Task.Candidates {
		if f.Drivers[d] != nil && (rep == nil || rep.Drivers[d] != nil) {
			drivers = append(drivers, d)
		}
	}
	if a.c.Task.Model == "" {
		drivers = append(drivers, a.closedHours(f, rep)...)
	}
	type option struct {
		name string
		make func(*baseline.Frame) (*baseline.Fit, error)
	}
	caltrack := func(o baseline.HourlyOptions) func(*baseline.Frame) (*baseline.Fit, error) {
		return func(f *baseline.Frame) (*baseline.Fit, error) { return baseline.CalTRACKHourly(f, o) }
	}
	towt := func(o baseline.HourlyOptions) func(*baseline.Frame) (*baseline.Fit, error) {
		return func(f *baseline.Frame) (*baseline.Fit, error) { return baseline.TimeOfWeek(f, o) }
	}
	options := []option{
		{"CalTRACK hourly", caltrack(baseline.HourlyOptions{Drivers: drivers})},
		{"TOWT", towt(baseline.HourlyOptions{Drivers: drivers})},
		{"TOWT+holidays", towt(baseline.HourlyOptions{Drivers: drivers, HolidaysAsSunday: true})},
		{"CalTRACK hourly+holidays", caltrack(baseline.HourlyOptions{Drivers: drivers, HolidaysAsSunday: true})},
	}
	model := strings.ToLower(a.c.Task.Model)
	named := ""
	switch {
	case strings.Contains(model, "caltrack"):
		named = "CalTRACK hourly"
	case strings.Contains(model, "towt") || strings.Contains(model, "time of week") || strings.Contains(model, "time-of-week"):
		named = "TOWT"
	}
	models := map[string]any{}
	var best *baseline.Fit
	bestName, least := "", math.Inf(1)
	for _, o := range options {
		if named != "" && o.name != named {
			continue
		}
		fit, err := o.make(f)
		if err != nil {
			if named != "" {
				return nil, err
			}
			models[o.name] = map[string]any{"why": err.Error()}
			continue
		}
		m := map[string]any{"sse": fit.SSE, "p": fit.P, "n": fit.N, "cvrmse": fit.CVRMSE, "cvrmse_adj": fit.CVRMSEAdj}
		models[o.name] = m
		score := 0.0
		if named == "" {
			if score, err = weeksOut(f, o.make); err != nil {
				m["why"] = err.Error()
				continue
			}
			m["cvrmse_left_out"] = math.Sqrt(score) / fit.Mean
		}
		if score < least {
			best, bestName, least = fit, o.name, score
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no hourly model can be fitted: %v", models)
	}
	if m, ok := models[bestName].(map[string]any); ok {
		m["chosen"] = true
	}
	a.set("models", models)
	a.set("model", map[string]any{"type": bestName, "family": best.Model, "r2": best.R2, "r2_adj": best.R2Adj, "parameters": best.P, "notes": best.Notes})
	a.set("metrics", metricsOf(best))
	occupied, bins := map[string]any{}, map[string]any{}
	for i := range best.Hourly.Segments {
		s := &best.Hourly.Segments[i]
		name := s.Name
		if best.Hourly.ByMonth {
			name = segmentName(i)
		}
		occupied[name] = s.Occupied
		bins[name] = map[string]any{"occupied": fahrenheit(s.Warm.EndsC), "unoccupied": fahrenheit(s.Idle.EndsC)}
	}
	a.set("occupied_hours_of_week", occupied)
	a.set("bins_degF", bins)
	return best, nil
}

// segmentName is that of CalTRACK for month i: it and its neighbours.
func segmentName(i int) string {
	m := func(k int) string { return strings.ToLower(time.Month((i+k+12)%12 + 1).String()[:3]) }
	return m(-1) + "-" + m(0) + "-" + m(1) + "-weighted"
}

func fahrenheit(c []float64) []float64 {
	out := []float64{}
	for _, x := range c {
		out = append(out, math.Round((x*9/5+32)*1e6)/1e6)
	}
	return out
}

// weeksOut is the mean square error of predictions of weeks that were left out.
func weeksOut(f *baseline.Frame, fit func(*baseline.Frame) (*baseline.Fit, error)) (float64, error) {
	sq, n := 0.0, 0
	for fold := range 4 {
		g := *f
		g.Energy = make([]float64, f.Len())
		copy(g.Energy, f.Energy)
		var out []int
		for i, t := range f.Start {
			if dayNumber(t)/7%4 == fold {
				g.Energy[i] = math.NaN()
				out = append(out, i)
			}
		}
		m, err := fit(&g)
		if err != nil {
			return 0, err
		}
		y, err := m.Predict(interval.Pick(f, out))
		if err != nil {
			return 0, err
		}
		for k, i := range out {
			if e := f.Energy[i] - y[k]; !math.IsNaN(e) {
				sq += float64(e * e)
				n++
			}
		}
	}
	if n == 0 {
		return 0, errors.New("no week could be left out")
	}
	return sq / float64(n), nil
}

// hourlyExtras are what is asked of hourly models beside.
func (a *answer) hourlyExtras(l *ledger) {
	by := map[string]any{}
	for _, i := range l.known() {
		m := strconv.Itoa(int(l.start[i].Month()))
		sum, _ := by[m].(float64)
		by[m] = sum + l.predicted[i]
	}
	if r, ok := a.out["report"].(map[string]any); ok {
		r["counterfactual_by_month"] = by
	}
	first := []any{}
	for _, y := range l.predicted[:min(48, len(l.predicted))] {
		if math.IsNaN(y) {
			first = append(first, nil)
		} else {
			first = append(first, y)
		}
	}
	a.set("predicted_first_48h_reporting", first)
}
