package task

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
)

var normalWord = regexp.MustCompile(`(?i)(normal|typical|tmy)`)

const leastNormal = 300 // days of the reporting period that its own model needs

// normalised sets the saving of a normal year: the baseline's model minus the same
// form fitted on the reporting period, both on the days of a file of normal weather.
// Its interval is that of both models' parameters; the scatter of a year that never
// comes has no part in it.
func (a *answer) normalised(fit *baseline.Fit, f frames) error {
	if a.normal == nil {
		return nil
	}
	closes := slices.ContainsFunc(fit.Spec.Calendar, func(e baseline.Effect) bool { return e.Kind == baseline.Closed })
	if f.base.Step != baseline.Day || f.base.Temperature == nil || closes || len(fit.Spec.Drivers) > 0 {
		a.warn("normalised savings are given for daily models of weather and the days of the week only")
		return nil
	}
	after, err := baseline.Linear(f.rep, baseline.Spec{Shape: fit.Spec.Shape, Calendar: fit.Spec.Calendar})
	if err != nil {
		a.warn("normalised savings: the reporting period has no model: %v", err)
		return nil
	}
	if after.N < leastNormal {
		a.warn("normalised savings: %d days of reporting period are too few for its model: %d are needed", after.N, leastNormal)
		return nil
	}
	year := a.normalYear()
	before, err := fit.Predict(year)
	if err != nil {
		return err
	}
	later, err := after.Predict(year)
	if err != nil {
		return err
	}
	var rows []int
	sum := [2]float64{}
	for i := range before {
		if !math.IsNaN(before[i]) && !math.IsNaN(later[i]) {
			rows = append(rows, i)
			sum[0] += before[i]
			sum[1] += later[i]
		}
	}
	forecasts := [2]*interval.Forecast{}
	for k, m := range []struct {
		fit   *baseline.Fit
		frame *baseline.Frame
	}{{fit, f.base}, {after, f.rep}} {
		if forecasts[k], err = interval.Ahead(m.fit, m.frame, year); err != nil {
			return fmt.Errorf("normalised savings: %w", err)
		}
	}
	half, err := interval.Apart(forecasts[0], forecasts[1], rows, a.c.Task.Confidence)
	if err != nil {
		return fmt.Errorf("normalised savings: %w", err)
	}
	saved := sum[0] - sum[1]
	a.out["report"].(map[string]any)["normalised"] = map[string]any{"days": len(rows), "baseline": sum[0], "reporting": sum[1], "savings": saved, "unc90": interval.Round(half),
		"fraction": saved / sum[0], "significant": math.Abs(saved) > half}
	return nil
}

// normalYear is the file of normal weather by civil days.
func (a *answer) normalYear() *baseline.Frame {
	loc := a.c.Task.Location
	f := &baseline.Frame{Step: baseline.Day}
	index := map[string]int{}
	first, last := civil(a.normal.time[0], loc), civil(a.normal.time[len(a.normal.time)-1], loc)
	for at := first; !at.After(last) && len(f.Start) < 3*366; at = at.AddDate(0, 0, 1) {
		index[at.Format(time.DateOnly)] = len(f.Start)
		f.Start = append(f.Start, at)
	}
	f.Temperature = nans(len(f.Start))
	dailyWeather(f.Temperature, index, a.normal, loc)
	return f
}
