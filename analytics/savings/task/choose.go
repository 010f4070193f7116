package task

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/thermie/thermie/analytics/baseline"
)

// tried is a daily model that was tried.
type tried struct {
	name string
	fit  *baseline.Fit
}

// chooseDaily fits the model that the task names, or tries all families and takes
// the least Bayesian information criterion
//
//	n ln(SSE/n) + p ln n (1+ρ)/(1-ρ)
//
// whose penalty counts what the days tell: ρ is the lag-1 correlation of the
// residuals of the richest model. The time of week and temperature model is taken
// in its place where it predicts better weeks that were left out.
func (a *answer) chooseDaily(f *baseline.Frame) (*baseline.Fit, []tried, error) {
	model := strings.ToLower(a.c.Task.Model)
	heating := !a.electric() && a.c.Task.Energy != "" && !strings.Contains(strings.ToLower(a.c.Task.Energy), "cool")
	all, err := a.families(f, heating)
	if err != nil {
		return nil, nil, err
	}
	if len(a.towt) > 0 {
		if fit, err := baseline.Linear(f, baseline.Spec{Shape: baseline.Mean, Calendar: weekdays(), Drivers: a.towt}); err == nil {
			all = append(all, tried{"TOWT", fit})
		}
	}
	var caltrack *baseline.Fit
	if f.Temperature != nil && a.plain(f) {
		if caltrack, err = baseline.CalTRACKDaily(f, baseline.CalTRACK{HeatingOnly: heating}); err == nil {
			all = append(all, tried{"CalTRACK", caltrack})
		}
	}
	if strings.Contains(model, "caltrack") && !strings.Contains(model, "hourly") && caltrack != nil {
		return caltrack, all, nil
	}
	for _, t := range all {
		if model != "" && strings.EqualFold(t.name, shapeWord(model)) {
			return t.fit, all, nil
		}
	}
	best, err := leastBIC(all)
	if err != nil {
		return nil, nil, err
	}
	return ahead(f, best, all), all, nil
}

// ahead prefers the time of week and temperature model, which BIC finds too rich
// where residuals are correlated, if it predicts weeks that were left out better.
func ahead(f *baseline.Frame, best *baseline.Fit, all []tried) *baseline.Fit {
	for _, t := range all {
		if t.name != "TOWT" || t.fit == best {
			continue
		}
		left := func(fit *baseline.Fit) float64 {
			e, err := weeksOut(f, func(g *baseline.Frame) (*baseline.Fit, error) { return baseline.Linear(g, fit.Spec) })
			if err != nil {
				return math.Inf(1)
			}
			return e
		}
		if left(t.fit) < left(best) {
			return t.fit
		}
	}
	return best
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

// families fits every shape, alone and with the calendar, and with the candidate
// variables that the frame has.
func (a *answer) families(f *baseline.Frame, heating bool) ([]tried, error) {
	shapes := baseline.Shapes
	switch {
	case f.Temperature == nil:
		shapes = []baseline.Shape{baseline.Mean}
	case heating:
		shapes = []baseline.Shape{baseline.Mean, baseline.TwoP, baseline.ThreePHeat}
	}
	var drivers []string
	for _, d := range a.c.Task.Candidates {
		if f.Drivers[d] != nil {
			drivers = append(drivers, d)
		}
	}
	listed := a.calendarOf()
	week := weekdays()
	calendars := []struct {
		name    string
		effects []baseline.Effect
	}{{"", nil}, {"+off", []baseline.Effect{{Kind: baseline.Off}}}, {"+week", week}, {"+week+holiday", append(slices.Clone(week), baseline.Effect{Kind: baseline.Holiday})}}
	if listed != nil {
		for _, c := range slices.Clone(calendars) {
			calendars = append(calendars, struct {
				name    string
				effects []baseline.Effect
			}{c.name + "+closed", append(slices.Clone(c.effects), listed...)})
		}
	}
	var out []tried
	var last error
	for _, shape := range shapes {
		for _, c := range calendars {
			sets := [][]string{nil}
			if len(drivers) > 0 {
				sets = subsets(drivers)
			}
			for _, set := range sets {
				fit, err := baseline.Linear(f, baseline.Spec{Shape: shape, Calendar: c.effects, Drivers: set})
				if err != nil {
					last = err
					continue
				}
				name := string(shape) + c.name
				for _, d := range set {
					name += "+" + d
				}
				out = append(out, tried{name, fit})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no model can be fitted: %w", last)
	}
	return out, nil
}

// weekdays are the effects of the days of the week, against Monday.
func weekdays() []baseline.Effect {
	week := []baseline.Effect{}
	for _, d := range []string{"tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} {
		week = append(week, baseline.Effect{Kind: d})
	}
	return week
}

// subsets are those of up to four names, the empty one first.
func subsets(names []string) [][]string {
	var out [][]string
	for mask := range 1 << min(len(names), 8) {
		var s []string
		for i, n := range names {
			if i < 8 && mask>>i&1 == 1 {
				s = append(s, n)
			}
		}
		if len(s) <= 4 {
			out = append(out, s)
		}
	}
	return out
}

func leastBIC(all []tried) (*baseline.Fit, error) {
	var best, rich *baseline.Fit
	for _, t := range all {
		if rich == nil || t.fit.SSE < rich.SSE {
			rich = t.fit
		}
	}
	if rich == nil {
		return nil, errors.New("no model can be fitted")
	}
	rho := min(max(rich.Rho1, 0), 0.9)
	least := math.Inf(1)
	for _, t := range all {
		if t.name == "CalTRACK" { // a grid of the same family
			continue
		}
		if b := bic(t.fit, rho); b < least {
			best, least = t.fit, b
		}
	}
	if best == nil {
		return nil, errors.New("no model can be fitted: the values are not finite, or too great")
	}
	return best, nil
}

func bic(f *baseline.Fit, rho float64) float64 {
	n := float64(f.N)
	return float64(n*math.Log(f.SSE/n)) + float64(float64(f.P)*math.Log(n))*(1+rho)/(1-rho)
}

// record are the models tried, by name, those with a calendar too.
func record(all []tried, chosen *baseline.Fit) (models map[string]any, name string) {
	models = map[string]any{}
	for _, t := range all {
		models[t.name] = map[string]any{"sse": t.fit.SSE, "p": t.fit.P, "n": t.fit.N, "r2_adj": t.fit.R2Adj, "cvrmse_adj": t.fit.CVRMSEAdj, "chosen": t.fit == chosen}
		if t.fit == chosen {
			name = t.name
		}
	}
	return models, name
}

// recordAnySigns adds shapes whose slopes may have any sign to the record of models.
// Where the least squares have a slope of the wrong sign, "sse" is theirs, and
// "sse_qualified" that of the model which took part, if there is one.
func recordAnySigns(models map[string]any, free []tried) {
	for _, t := range free {
		m, ok := models[t.name].(map[string]any)
		switch {
		case !ok:
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
