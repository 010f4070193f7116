package task

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
)

// chooseHourly fits the hourly model that the task names, or lets baseline.Choose
// take CalTRACK's or LBNL's, with public holidays as Sundays or without.
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
	options := baseline.HoursOfWeek(drivers)
	model := strings.ToLower(a.c.Task.Model)
	name := ""
	switch {
	case strings.Contains(model, "caltrack"):
		name = "CalTRACK hourly"
	case strings.Contains(model, "towt") || strings.Contains(model, "time of week") || strings.Contains(model, "time-of-week"):
		name = "TOWT"
	}
	var best *baseline.Fit
	models := map[string]any{}
	var err error
	if name != "" {
		k := slices.IndexFunc(options, func(o baseline.Option) bool { return o.Name == name })
		if best, err = options[k].Fit(f); err != nil {
			return nil, err
		}
		models[name] = map[string]any{"sse": best.SSE, "p": best.P, "n": best.N, "cvrmse": best.CVRMSE, "cvrmse_adj": best.CVRMSEAdj, "chosen": true}
	} else {
		if best, err = baseline.Choose(f, baseline.Choice{Shapes: []baseline.Shape{}, Others: options}); err != nil {
			return nil, fmt.Errorf("no hourly model can be fitted: %w", err)
		}
		models = record(best.Candidates)
	}
	bestName := chosenName(models)
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
