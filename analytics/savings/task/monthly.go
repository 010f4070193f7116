package task

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/analytics/quality"
)

// monthly answers a regression of months on variables such as production and
// degree days (ISO 50006, SEP): every set of the candidates is tried, those that
// are valid by the rules of SEP compete.
func (a *answer) monthly(g *group) error {
	t := &a.c.Task
	if a.flags(a.overlap(g)) {
		a.set("sufficient", false)
		return nil
	}
	base, flags, err := a.frameOfMonths(g.baseline, g)
	if err != nil {
		return err
	}
	known := 0
	for _, y := range base.Energy {
		if !math.IsNaN(y) {
			known++
		}
	}
	if known < 12 {
		flags = append(flags, quality.Flag{Reason: quality.TooFewDays, Refused: true, Text: fmt.Sprintf("%d months of baseline are known: 12 are needed", known)})
	}
	if constant(base.Energy) {
		flags = append(flags, quality.Flag{Reason: quality.Constant, Refused: true, Text: "the baseline has the same value every month"})
	}
	refused := a.flags(flags)
	a.set(g.baseline.name, map[string]any{"sufficient": !refused, "n_months": base.Len(), "n_valid_months": known})
	a.set("sufficient", !refused)
	if refused {
		return nil
	}
	fit, err := a.chooseMonthly(base)
	if err != nil {
		return err
	}
	if fit == nil {
		return nil
	}
	a.set("model", modelOf("linear", fit))
	a.set("metrics", metricsOf(fit))
	months := 0
	if g.reporting != nil {
		months = monthsOf(g.reporting.time)
	}
	a.gates(fit, baseline.Situation{ReportingMonths: months, Share: float64(known) / float64(base.Len())})
	if g.reporting == nil {
		a.flags([]quality.Flag{{Reason: quality.NoReportingData, Text: "no data of the reporting period: no savings"}})
		return nil
	}
	rep, _, err := a.frameOfMonths(g.reporting, g)
	if err != nil {
		return err
	}
	predicted, err := fit.Predict(rep)
	if err != nil {
		return err
	}
	s, err := interval.Ahead(fit, base, rep)
	if err != nil {
		return err
	}
	l := &ledger{start: rep.Start, observed: rep.Energy, predicted: predicted, half: a.half(s), loc: t.Location}
	if len(l.known()) == 0 {
		a.flags([]quality.Flag{{Reason: quality.NoReportingData, Refused: true, Text: "no month of the reporting period has energy and all variables"}})
		return nil
	}
	a.monthRanges(fit, rep)
	if err := a.adjust(l, nil); err != nil {
		return err
	}
	if err := a.reports(fit, base, l); err != nil {
		return err
	}
	report := a.out["report"].(map[string]any)
	total := report["total"].(map[string]any)
	adjusted := baseline.Forecast(fittedSum(fit, base), total["nra"].(float64), fittedSum(fit, base), total["counterfactual"].(float64), total["observed"].(float64))
	if nra := total["nra"].(float64); nra != 0 {
		adjusted.SEnPI = total["observed"].(float64) / (total["counterfactual"].(float64) + nra)
	}
	report["SEnPI"] = adjusted.SEnPI
	return a.normalised(fit, frames{base, rep})
}

func fittedSum(fit *baseline.Fit, f *baseline.Frame) float64 {
	y, err := fit.Predict(f)
	s := 0.0
	for _, v := range y {
		if err == nil && !math.IsNaN(v) {
			s += v
		}
	}
	return s
}

func constant(x []float64) bool {
	first, seen := 0.0, false
	for _, v := range x {
		if math.IsNaN(v) {
			continue
		}
		if seen && v != first {
			return false
		}
		first, seen = v, true
	}
	return true
}

// frameOfMonths makes months of a table.
func (a *answer) frameOfMonths(t *table, g *group) (*baseline.Frame, []quality.Flag, error) {
	value := t.value(a.c.Task.Candidates)
	if value == "" {
		return nil, nil, fmt.Errorf("%s: which column is the energy? Call it value", t.name)
	}
	f := &baseline.Frame{Step: baseline.Month, Drivers: map[string][]float64{}}
	var flags []quality.Flag
	var rows []int
	loc := a.c.Task.Location
	for i, at := range t.time {
		at = at.In(loc)
		start := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, loc)
		if n := len(f.Start); n > 0 && f.Start[n-1].Equal(start) {
			flags = append(flags, quality.Flag{Reason: quality.DuplicateTimes, Text: t.name + ": " + start.Format("2006-01") + " is given twice; the later line counts"})
			rows[n-1] = i
			continue
		}
		f.Start, rows = append(f.Start, start), append(rows, i)
	}
	f.Energy = pickOf(t.columns[value], rows)
	negative := 0
	for i, v := range f.Energy {
		if v < 0 {
			negative++
			f.Energy[i] = math.NaN()
		}
		for _, s := range a.c.Task.Sentinels {
			if v == s {
				f.Energy[i] = math.NaN()
			}
		}
	}
	if negative > 0 {
		flags = append(flags, quality.Flag{Reason: quality.NegativeValues, Text: fmt.Sprintf("%s: %d negative months are left out", t.name, negative)})
	}
	if temp := t.temperature(); temp != nil {
		f.Temperature = pickOf(temp, rows)
	}
	for _, n := range t.names {
		if n != value {
			f.Drivers[n] = pickOf(t.columns[n], rows)
		}
	}
	for _, dt := range g.drivers {
		for _, n := range dt.names {
			f.Drivers[n] = nans(len(rows))
			for i, at := range dt.time {
				for k := range f.Start {
					if f.Start[k].Format("2006-01") == at.In(loc).Format("2006-01") {
						f.Drivers[n][k] = dt.columns[n][i]
					}
				}
			}
		}
	}
	if at, factor, ok := quality.UnitRun(f.Energy); ok {
		flags = append(flags, quality.Flag{Reason: quality.UnitChange, Refused: true, Text: fmt.Sprintf("from %s on the values are about %.4g times those before: another unit", f.Start[at].Format("2006-01"), factor)})
	}
	return f, flags, nil
}

// chooseMonthly tries every set of the candidate variables; nil when none is valid.
func (a *answer) chooseMonthly(f *baseline.Frame) (*baseline.Fit, error) {
	candidates := a.c.Task.Candidates
	if len(candidates) == 0 {
		for _, n := range sortedKeys(f.Drivers) {
			if !isTemperature.MatchString(n) {
				candidates = append(candidates, n)
			}
		}
	}
	for _, n := range candidates {
		if f.Drivers[n] == nil {
			return nil, fmt.Errorf("the table has no column of the candidate variable %s", n)
		}
	}
	choice := baseline.Choice{AtMost: 4}
	switch {
	case len(candidates) > 0:
		rules := baseline.SEP()
		choice.Shapes, choice.Drivers, choice.Rules = []baseline.Shape{baseline.Mean}, candidates, &rules
	case f.Temperature == nil:
		choice.Shapes = []baseline.Shape{baseline.Mean}
	case !a.electric():
		choice.Shapes = []baseline.Shape{baseline.Mean, baseline.TwoP, baseline.ThreePHeat}
	}
	if s := strings.ToLower(a.c.Task.Selection); strings.Contains(s, "adjusted r2") || strings.Contains(s, "adjusted r²") || strings.Contains(s, "r2_adj") {
		choice.HighestR2Adj = true
	} else if s != "" {
		a.ignore("task.selection: " + a.c.Task.Selection + " (the model that predicts best what it has not seen is taken)")
	}
	fit, err := baseline.Choose(f, choice)
	if errors.Is(err, baseline.ErrNoModel) {
		a.flags([]quality.Flag{{Reason: "no_valid_model", Refused: true, Text: err.Error()}})
		a.set("sufficient", false)
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	models := record(fit.Candidates)
	if len(candidates) > 0 {
		validity := map[string]any{}
		for _, c := range fit.Candidates {
			if c.Variables != "" {
				valid := c.Criterion > 0
				validity[c.Variables] = valid
				m := models[c.Name].(map[string]any)
				m["valid"], m["r2"], m["f_p"] = valid, c.R2, c.FP
			}
		}
		a.set("validity", validity)
	}
	a.set("models", models)
	return fit, nil
}

// monthRanges compares the variables of the reporting months with the baseline.
func (a *answer) monthRanges(fit *baseline.Fit, rep *baseline.Frame) {
	out := map[string]any{}
	for _, r := range fit.CheckRanges(rep) {
		outside := []string{}
		for _, t := range r.Outside {
			outside = append(outside, t.Format("2006-01"))
		}
		out[r.Variable] = map[string]any{"baseline_min": r.Baseline.Min, "baseline_max": r.Baseline.Max, "baseline_mean": r.Baseline.Mean, "baseline_sd": r.Baseline.SD,
			"report_mean": r.ReportingMean, "mean_in_min_max": r.InMinMax, "mean_in_3sd": r.In3SD, "months_outside": outside}
		if !r.Valid() {
			a.warn("%s: the mean of the reporting period lies outside the range of the baseline", r.Variable)
		}
	}
	a.set("range_check", out)
}
