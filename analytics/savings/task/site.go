package task

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/analytics/quality"
)

// site answers for one meter: quality, model, savings, events.
func (a *answer) site(g *group) error {
	if g.baseline == nil {
		return fmt.Errorf("no data of the baseline")
	}
	kind := a.kind(g.baseline)
	switch kind {
	case kindMonthly:
		return a.monthly(g)
	case kindBilling:
		return a.billing(g)
	}
	refused := a.flags(a.overlap(g))
	base, err := a.load(g.baseline, g, a.c.Task.Baseline, kind)
	if err != nil {
		return err
	}
	a.fileFlags(g.baseline.name, base)
	refused = a.flags(base.flags) || refused
	a.quality("dq", base)
	var rep *data
	if g.reporting != nil {
		if rep, err = a.load(g.reporting, g, a.c.Task.Reporting, kind); err != nil {
			return err
		}
		a.fileFlags(g.reporting.name, rep)
		a.reportingQuality(base, rep)
	}
	a.set("sufficient", !refused)
	if refused {
		return nil
	}
	fit, frames, err := a.model(kind, base, rep)
	if err != nil {
		return fmt.Errorf("%s: %w", g.baseline.name, err)
	}
	months := 0
	if rep != nil {
		months = monthsOf(rep.days.Start)
	}
	a.gates(fit, baseline.Situation{ReportingMonths: months, Share: float64(base.suff.Used) / float64(max(base.suff.Days, 1))})
	if rep == nil {
		a.flags([]quality.Flag{{Reason: quality.NoReportingData, Text: "no data of the reporting period: no savings"}})
		return nil
	}
	return a.savings(fit, frames, base, rep)
}

// gates holds the model against its limits; what it fails is said.
func (a *answer) gates(fit *baseline.Fit, s baseline.Situation) {
	var list []map[string]any
	for _, g := range baseline.Gates(fit, s) {
		list = append(list, map[string]any{"name": g.Name, "value": g.Value, "limit": g.Limit, "holds": g.Holds, "source": g.Source})
		switch {
		case g.Holds || g.Name == "coverage": // the sufficiency of the data says it
		case g.Name == "cvrmse":
			a.flags([]quality.Flag{{Reason: quality.PoorFit, Text: fmt.Sprintf("CV(RMSE) is %.0f %%: above the %.0f %% of ASHRAE Guideline 14", 100*g.Value, 100*g.Limit)}})
		case g.Name == "nmbe":
			a.flags([]quality.Flag{{Reason: quality.BiasedFit, Text: fmt.Sprintf("the model is biased by %.3f %% on its own baseline: ASHRAE Guideline 14 allows 0.005 %%", 100*g.Value)}})
		case g.Name == "autocorrelation":
			a.flags([]quality.Flag{{Reason: quality.Autocorrelated, Text: fmt.Sprintf("neighbouring residuals are alike (lag-1 correlation %.2f, above %.1f): the intervals allow for it", g.Value, g.Limit)}})
		default:
			a.flags([]quality.Flag{{Reason: quality.FewRows, Text: fmt.Sprintf("%.1f independent rows for each parameter: at least %.0f are wanted", g.Value, g.Limit)}})
		}
	}
	a.set("gates", list)
}

// monthsOf counts the calendar months that intervals begin in.
func monthsOf(starts []time.Time) int {
	seen := map[string]bool{}
	for _, t := range starts {
		seen[t.Format("2006-01")] = true
	}
	return len(seen)
}

// half is the half width over rows at the task's confidence.
func (a *answer) half(f *interval.Forecast) func(rows []int) (float64, error) {
	return func(rows []int) (float64, error) { return f.Half(rows, a.c.Task.Confidence) }
}

func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// frames are those that a model is made of and applied to.
type frames struct{ base, rep *baseline.Frame }

// overlap refuses a baseline that reaches into the reporting period.
func (a *answer) overlap(g *group) []quality.Flag {
	t := &a.c.Task
	refuse := func(from, to time.Time) []quality.Flag {
		return []quality.Flag{{Reason: quality.Overlap, Refused: true,
			Text: fmt.Sprintf("the reporting period begins on %s, before the baseline ends on %s", from.Format(time.DateOnly), to.Format(time.DateOnly))}}
	}
	switch {
	case t.Baseline.given() && t.Reporting.given():
		if t.Reporting.from.Before(t.Baseline.to) && t.Baseline.from.Before(t.Reporting.to) {
			return refuse(t.Reporting.from, t.Baseline.to)
		}
	case g.reporting != nil:
		last := g.baseline.time[len(g.baseline.time)-1]
		if first := g.reporting.time[0]; !first.After(last) && !g.baseline.time[0].After(g.reporting.time[len(g.reporting.time)-1]) {
			return refuse(first, last)
		}
	}
	return nil
}

// model chooses and fits.
func (a *answer) model(kind string, base, rep *data) (*baseline.Fit, frames, error) {
	repDays, repHours := (*baseline.Frame)(nil), (*baseline.Frame)(nil)
	if rep != nil {
		repDays, repHours = rep.days, rep.hours
	}
	if kind == kindHourly {
		if a.c.Task.Model == "" && len(a.calendar.dates) == 0 { // closures show in the days
			if _, _, err := a.chooseWithClosures(base.days, repDays); err != nil {
				a.warn("closures could not be looked for: %v", err)
			}
		}
		fit, err := a.chooseHourly(base, repHours)
		return fit, frames{base.hours, repHours}, err
	}
	fit, models, err := a.chooseWithClosures(base.days, repDays)
	if err != nil {
		return nil, frames{}, err
	}
	name := chosenName(models)
	if strings.HasPrefix(fit.Model, "CalTRACK") {
		name = fit.Model
	}
	recordAnySigns(models, anySigns(base.days))
	a.set("models", models)
	a.set("model", modelOf(name, fit))
	a.set("metrics", metricsOf(fit))
	return fit, frames{base.days, repDays}, nil
}

// savings makes the report of days or hours.
func (a *answer) savings(fit *baseline.Fit, f frames, base, rep *data) error {
	predicted, err := fit.Predict(f.rep)
	if err != nil {
		return err
	}
	s, err := interval.Ahead(fit, f.base, f.rep)
	if err != nil {
		return err
	}
	for i, t := range s.Steps {
		a.residuals = append(a.residuals, residual{t, s.Residuals[i]})
	}
	s.Extra = filledVariance(f.rep, rep)
	l := &ledger{start: f.rep.Start, observed: f.rep.Energy, predicted: predicted, half: a.half(s), loc: a.c.Task.Location}
	if len(l.known()) == 0 {
		a.flags([]quality.Flag{{Reason: quality.NoReportingData, Refused: true, Text: "no interval of the reporting period has energy and all variables"}})
		return nil
	}
	a.ranges(fit, f.rep)
	days := savedDays(l, &a.calendar)
	fitted, err := fit.Predict(f.base)
	if err != nil {
		return err
	}
	before := savedDays(&ledger{start: f.base.Start, observed: f.base.Energy, predicted: fitted, loc: a.c.Task.Location}, &a.calendar)
	a.events(days, before, base)
	if err := a.adjust(l, days); err != nil {
		return err
	}
	if err := a.reports(fit, f.base, l); err != nil {
		return err
	}
	if err := a.normalised(fit, f); err != nil {
		return err
	}
	a.set("uncertainty", map[string]any{"rho_used": s.Noise.RhoUsed, "memory": s.Noise.Memory, "memory_doubt": math.Round(s.Noise.Doubt*1000) / 1000, "dof": s.Noise.DOF,
		"confidence": a.c.Task.Confidence, "seasonal_scatter": s.Noise.Season[:]})
	if s.Noise.Doubt >= interval.MuchDoubt {
		a.warn("the baseline does not show whether deviations last days or months: by what is assumed, the half width of a year differs by a factor of %.1f; "+
			"the intervals allow for it, a second year of baseline would settle it", s.Noise.Doubt)
	}
	if f.rep.Step == baseline.Hour {
		a.hourlyExtras(l)
	}
	return nil
}

// reports sets report: adjusted as far as adjustments were accepted; and draws it
// when that is asked for.
func (a *answer) reports(fit *baseline.Fit, base *baseline.Frame, l *ledger) error {
	adjusted, err := l.report(true)
	if err != nil {
		return err
	}
	plain := adjusted
	if l.nra != nil {
		if plain, err = l.report(false); err != nil {
			return err
		}
	}
	report := map[string]any{}
	for k, v := range adjusted {
		report[k] = v
	}
	report["adjusted"], report["unadjusted"] = flat(adjusted), flat(plain)
	log, _ := a.out["adjustment_log"].([]any)
	delete(a.out, "adjustment_log")
	if log == nil {
		log = []any{}
	}
	report["adjustment_log"] = log
	a.set("report", report)
	if a.plot {
		return a.draw(fit, base, l)
	}
	return nil
}

// filledVariance is that of the parts of days that were missing and counted at the
// mean of the others, a quarter of them being in doubt.
func filledVariance(f *baseline.Frame, d *data) []float64 {
	if f.Step != baseline.Day || d == nil {
		return nil
	}
	out := make([]float64, f.Len())
	for i := range out {
		if x := d.filled[i]; x > 0 && !math.IsNaN(f.Energy[i]) {
			u := 0.25 * x * f.Energy[i]
			out[i] = u * u
		}
	}
	return out
}

// ranges warns of reporting days outside what the model has seen.
func (a *answer) ranges(fit *baseline.Fit, rep *baseline.Frame) {
	if rep.Step == baseline.Hour {
		return
	}
	out := map[string]any{}
	for _, r := range fit.CheckRanges(rep) {
		var outside []string
		for _, t := range r.Outside {
			outside = append(outside, t.Format(time.DateOnly))
		}
		out[r.Variable] = map[string]any{"baseline_min": r.Baseline.Min, "baseline_max": r.Baseline.Max, "baseline_mean": r.Baseline.Mean, "baseline_sd": r.Baseline.SD,
			"report_mean": r.ReportingMean, "mean_in_min_max": r.InMinMax, "mean_in_3sd": r.In3SD, "days_outside": outside}
		if 20*len(outside) > rep.Len() {
			a.warn("%s: %d of %d reporting days lie outside the range of the baseline", r.Variable, len(outside), rep.Len())
		}
	}
	a.set("range_check", out)
}
