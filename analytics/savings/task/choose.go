package task

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/thermie/thermie/analytics/baseline"
)

// chooseDaily fits the daily model that the task names, or lets baseline.Choose take
// one of all families; the record holds all of them in either case.
func (a *answer) chooseDaily(f *baseline.Frame) (*baseline.Fit, map[string]any, error) {
	model := strings.ToLower(a.c.Task.Model)
	choice := a.dailyChoice(f)
	fit, err := baseline.Choose(f, choice)
	if err != nil {
		return nil, nil, fmt.Errorf("no model can be fitted: %w", err)
	}
	models := record(fit.Candidates)
	if f.Temperature != nil && a.plain(f) {
		grid, err := baseline.CalTRACKDaily(f, baseline.CalTRACK{HeatingOnly: a.heats()})
		if err == nil {
			models["CalTRACK"] = map[string]any{"sse": grid.SSE, "p": grid.P, "n": grid.N, "r2_adj": grid.R2Adj, "cvrmse_adj": grid.CVRMSEAdj, "chosen": false, "why": "a grid of the same families: taken when it is asked for"}
			if strings.Contains(model, "caltrack") && !strings.Contains(model, "hourly") {
				return grid, rechosen(models, "CalTRACK"), nil
			}
		}
	}
	name := shapeWord(model)
	if name == "TOWT" {
		for _, o := range choice.Others {
			if named, err := o.Fit(f); err == nil {
				return named, rechosen(models, o.Name), nil
			}
		}
	} else if name != "" {
		if named, err := baseline.Linear(f, baseline.Spec{Shape: baseline.Shape(name), Calendar: choice.Keep.Calendar}); err == nil {
			return named, rechosen(models, name), nil
		}
		a.warn("the model %s that the task names cannot be fitted: another is taken", name)
	}
	return fit, models, nil
}

// heats says whether the energy is for heating alone.
func (a *answer) heats() bool {
	return !a.electric() && a.c.Task.Energy != "" && !strings.Contains(strings.ToLower(a.c.Task.Energy), "cool")
}

// dailyChoice are the shapes with the days of the week and holidays, with the
// candidate variables that the frame has, and the model of time of week and
// temperature by days. Closures are in every model.
func (a *answer) dailyChoice(f *baseline.Frame) baseline.Choice {
	c := baseline.Choice{AtMost: 4, Keep: baseline.Spec{Calendar: a.calendarOf()}}
	switch {
	case f.Temperature == nil:
		c.Shapes = []baseline.Shape{baseline.Mean}
	case a.heats():
		c.Shapes = []baseline.Shape{baseline.Mean, baseline.TwoP, baseline.ThreePHeat}
	}
	for _, d := range a.c.Task.Candidates {
		if f.Drivers[d] != nil {
			c.Drivers = append(c.Drivers, d)
		}
	}
	week := weekdays()
	c.Calendars = []baseline.Calendar{{}, {Name: "off", Effects: []baseline.Effect{{Kind: baseline.Off}}}, {Name: "week", Effects: week},
		{Name: "week+holiday", Effects: append(slices.Clone(week), baseline.Effect{Kind: baseline.Holiday})}}
	if len(a.towt) > 0 {
		c.Others = []baseline.Option{baseline.Regression("TOWT", baseline.Spec{Shape: baseline.Mean, Calendar: append(weekdays(), c.Keep.Calendar...), Drivers: a.towt})}
	}
	return c
}

func (a *answer) plain(f *baseline.Frame) bool {
	return len(a.c.Task.Candidates) == 0 || len(f.Drivers) == 0
}

// shapeWord finds the name of a shape in the words of a task.
func shapeWord(model string) string {
	for _, w := range []struct{ word, shape string }{{"3ph", "3PH"}, {"3pc", "3PC"}, {"5p", "5P"}, {"4p", "4P"}, {"2p", "2P"}, {"3-parameter heat", "3PH"},
		{"3-parameter cool", "3PC"}, {"five-parameter", "5P"}, {"5-parameter", "5P"}, {"4-parameter", "4P"}, {"towt", "TOWT"}, {"time of week", "TOWT"}, {"time-of-week", "TOWT"}, {"mean", "mean"}} {
		if strings.Contains(model, w.word) {
			return w.shape
		}
	}
	return ""
}

// weekdays are the effects of the days of the week, against Monday.
func weekdays() []baseline.Effect {
	week := []baseline.Effect{}
	for _, d := range []string{"tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} {
		week = append(week, baseline.Effect{Kind: d})
	}
	return week
}

// record are the models tried, by name, the chosen one first in the list.
func record(all []baseline.Candidate) map[string]any {
	models := map[string]any{}
	for i, c := range all {
		m := map[string]any{"chosen": i == 0, "p": c.P}
		if c.N > 0 {
			m["n"], m["sse"], m["r2_adj"], m["cvrmse"], m["cvrmse_adj"] = c.N, c.SSE, c.R2Adj, cvrmseOf(c), c.CVRMSEAdj
		}
		if c.Criterion > 0 {
			m["cvrmse_left_out"] = c.Criterion
		}
		if c.Why != "" {
			m["why"] = c.Why
		}
		models[c.Name] = m
	}
	return models
}

// cvrmseOf is √(SSE/n)/mean from the adjusted figure.
func cvrmseOf(c baseline.Candidate) float64 {
	if c.N <= c.P {
		return 0
	}
	return c.CVRMSEAdj * math.Sqrt(float64(c.N-c.P)/float64(c.N))
}

// rechosen is the record where the task has named the model.
func rechosen(models map[string]any, name string) map[string]any {
	for k, v := range models {
		m := v.(map[string]any)
		m["chosen"] = k == name
		if k == name {
			delete(m, "why")
		} else if m["why"] == nil {
			m["why"] = "the task names another model"
		}
	}
	return models
}

// chosenName is the name of the chosen model in a record.
func chosenName(models map[string]any) string {
	for _, k := range sortedKeys(models) {
		if m := models[k].(map[string]any); m["chosen"] == true {
			return k
		}
	}
	return ""
}

// named is a fit of the record by its name.
type named struct {
	name string
	fit  *baseline.Fit
}

// recordAnySigns adds shapes whose slopes may have any sign to the record of models.
// Where the least squares have a slope of the wrong sign, "sse" is theirs, and
// "sse_qualified" that of the model which took part, if there is one.
func recordAnySigns(models map[string]any, free []named) {
	for _, t := range free {
		m, ok := models[t.name].(map[string]any)
		switch {
		case !ok || m["sse"] == nil:
			models[t.name] = map[string]any{"sse": t.fit.SSE, "p": t.fit.P, "n": t.fit.N, "r2_adj": t.fit.R2Adj, "cvrmse_adj": t.fit.CVRMSEAdj,
				"chosen": false, "why": "not qualified: a slope has the wrong sign, or no reading in terms of a building"}
		case m["chosen"] != true && t.fit.SSE < m["sse"].(float64)*(1-1e-9):
			m["sse_qualified"], m["sse"] = m["sse"], t.fit.SSE
		}
	}
}

// modelOf describes a fit of days, months or invoices.
func modelOf(name string, f *baseline.Fit) map[string]any {
	var variables []string
	var coef, se, p []any
	terms := map[string]any{}
	for i, t := range f.Terms {
		if i > 0 {
			variables = append(variables, t.Name)
		}
		coef, se, p = append(coef, t.Value), append(se, t.SE), append(p, t.P)
		terms[t.Name] = t.Value
	}
	m := map[string]any{"type": name, "family": f.Model, "variables": variables, "coef": coef, "se": se, "p": p, "r2": f.R2, "r2_adj": f.R2Adj, "terms": terms, "f_p": f.FP}
	put := func(key, term string) {
		if v, ok := f.Coefficient(term); ok {
			m[key] = v
		}
	}
	put("intercept", baseline.Intercept)
	put("heat_slope_per_c", baseline.Heating)
	put("cool_slope_per_c", baseline.Cooling)
	put("slope_per_c", baseline.Slope)
	if f.Spec.PerDay {
		put("intercept_per_day", baseline.Intercept)
		put("heat_slope_per_c_day", baseline.Heating)
		put("cool_slope_per_c_day", baseline.Cooling)
	}
	for _, c := range f.ChangePoints {
		m[c.Name] = c.C
	}
	if len(f.Notes) > 0 {
		m["notes"] = f.Notes
	}
	return m
}

func metricsOf(f *baseline.Fit) map[string]any {
	return map[string]any{"n": f.N, "k": f.P, "mean": f.Mean, "sse": f.SSE, "rmse": f.RMSE, "r2": f.R2, "r2_adj": f.R2Adj, "cvrmse": f.CVRMSE,
		"cvrmse_adj": f.CVRMSEAdj, "nmbe": f.NMBE, "rho1": f.Rho1, "nprime": f.NPrime}
}
