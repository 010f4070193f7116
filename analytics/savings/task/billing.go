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

// bill is an invoice or several merged.
type bill struct {
	from, to  time.Time
	energy    float64
	estimated bool
	merged    int // estimated ones that were merged into it
	row       int // of the table
}

func (b *bill) days() int { return int(math.Round(b.to.Sub(b.from).Hours() / 24)) }

// The lengths that CalTRACK 2.0 (2.2.3) accepts.
const (
	shortestBill   = 25 // days
	longestMonthly = 35
	longestBimonth = 70

	wantedBills    = 9 // of a month
	leastBills     = 5
	wantedBillDays = 328 // of a baseline: nine tenths of a year
	leastBillDays  = 255 // seven tenths, below which a season is not seen
)

// billing answers for invoices of unequal length: estimated ones are merged into
// the next actual one, those too short or too long are left out, and energy per
// day is regressed on degree-days with the days as weights.
func (a *answer) billing(g *group) error {
	if a.flags(a.overlap(g)) {
		a.set("sufficient", false)
		return nil
	}
	base, report, err := a.bills(g.baseline, g, a.c.Task.Baseline, true)
	if err != nil {
		return err
	}
	days := 0.0
	for _, d := range base.Days {
		days += d
	}
	var flags []quality.Flag
	// Fewer days than CalTRACK asks for are a warning; too few to see a year are not.
	need, short := wantedBills, false
	if report["longest_days"] == longestBimonth {
		need = leastBills
	}
	if base.Len() < need || days < wantedBillDays {
		short = true
		flags = append(flags, quality.Flag{Reason: quality.TooFewDays, Refused: base.Len() < leastBills || days < leastBillDays,
			Text: fmt.Sprintf("%d invoices of %.0f days can be used: %d and %d days are needed", base.Len(), days, need, wantedBillDays)})
	}
	if base.Len() > 0 && constant(base.Energy) {
		flags = append(flags, quality.Flag{Reason: quality.Constant, Refused: true, Text: "all invoices are equal"})
	}
	if g.weather == nil && g.baseline.temperature() != nil {
		a.warn("temperatures are means of invoices: degree-days of days would fit better")
	}
	if len(base.Daily) == 0 {
		flags = append(flags, quality.Flag{Reason: quality.NoTemperature, Refused: true, Text: "no daily temperatures"})
	}
	refused := a.flags(flags)
	a.set("dq", map[string]any{"baseline": report})
	a.set(g.baseline.name, map[string]any{"sufficient": !refused && !short, "n_valid_periods": base.Len(), "n_valid_days": int(days), "n_negative": report["negative"]})
	a.set("sufficient", !refused && !short)
	if refused {
		return nil
	}
	heating := !a.electric()
	fit, err := baseline.CalTRACKBilling(base, baseline.CalTRACK{HeatingOnly: heating})
	if err != nil {
		return err
	}
	a.set("model", modelOf(fit.Model, fit))
	a.set("metrics", metricsOf(fit))
	models := map[string]any{fit.Model: map[string]any{"sse": fit.SSE, "chosen": true}}
	for _, shape := range []baseline.Shape{baseline.Mean, baseline.ThreePHeat, baseline.ThreePCool} {
		if m, err := baseline.Linear(base, baseline.Spec{Shape: shape, PerDay: true}); err == nil {
			models[string(shape)] = map[string]any{"sse": m.SSE, "p": m.P, "r2_adj": m.R2Adj, "cvrmse_adj": m.CVRMSEAdj}
		}
	}
	a.set("models", models)
	months := 0
	if g.reporting != nil {
		months = monthsOf(g.reporting.time)
	}
	a.gates(fit, baseline.Situation{ReportingMonths: months, Share: days / max(days, 365)})
	if g.reporting == nil {
		a.flags([]quality.Flag{{Reason: quality.NoReportingData, Text: "no data of the reporting period: no savings"}})
		return nil
	}
	rep, repReport, err := a.bills(g.reporting, g, period{}, false)
	if err != nil {
		return err
	}
	a.out["dq"].(map[string]any)["reporting"] = repReport
	if n := repReport["missing"].(int) + len(repReport["without_temperature"].([]string)); n > 0 {
		a.warn("%d invoices of the reporting period are missing, estimated, negative or without temperatures, and are not in the savings", n)
	}
	if rep.Len() == 0 {
		a.flags([]quality.Flag{{Reason: quality.NoReportingData, Refused: true, Text: "no invoice of the reporting period can be used"}})
		return nil
	}
	return a.billSavings(fit, base, rep)
}

// billSavings reports invoices; one across a quarter's end is parted there, the
// adjusted baseline by its days' temperatures, the invoice in the same proportion.
func (a *answer) billSavings(fit *baseline.Fit, base, rep *baseline.Frame) error {
	parts := &baseline.Frame{Step: baseline.Period}
	split := 0
	for i, start := range rep.Start {
		n := len(rep.Daily[i])
		var cuts []int
		for k := 1; k < n; k++ {
			if d := start.AddDate(0, 0, k); d.Day() == 1 && (d.Month()-1)%3 == 0 {
				cuts = append(cuts, k)
			}
		}
		if len(cuts) > 0 {
			split++
		}
		whole, err := fit.Predict(rep.Rows(i, i+1))
		if err != nil {
			return err
		}
		from := 0
		for _, to := range append(cuts, n) {
			piece := &baseline.Frame{Step: baseline.Period, Start: []time.Time{start.AddDate(0, 0, from)}, Daily: [][]float64{rep.Daily[i][from:to]}, Days: []float64{float64(to - from)}}
			y, err := fit.Predict(piece)
			if err != nil {
				return err
			}
			share := float64(to-from) / float64(n)
			if whole[0] > 0 {
				share = y[0] / whole[0]
			}
			parts.Start = append(parts.Start, piece.Start[0])
			parts.Daily = append(parts.Daily, piece.Daily[0])
			parts.Days = append(parts.Days, piece.Days[0])
			parts.Energy = append(parts.Energy, rep.Energy[i]*share)
			from = to
		}
	}
	if split > 0 {
		a.warn("%d invoices reach across the end of a quarter: they are parted in proportion to the adjusted baseline", split)
	}
	predicted, err := fit.Predict(parts)
	if err != nil {
		return err
	}
	s, err := interval.Ahead(fit, base, parts)
	if err != nil {
		return err
	}
	l := &ledger{start: parts.Start, observed: parts.Energy, predicted: predicted, half: a.half(s), loc: a.c.Task.Location}
	if err := a.adjust(l, nil); err != nil {
		return err
	}
	if err := a.reports(fit, base, l); err != nil {
		return err
	}
	return a.normalised(fit, frames{base, rep})
}

// bills makes the invoices of a table; those that reach beyond the period are left
// out, and of a baseline those too short or too long: a fit needs invoices of a kind,
// the adjusted baseline has a value for any.
func (a *answer) bills(t *table, g *group, p period, fit bool) (*baseline.Frame, map[string]any, error) {
	value := t.value(a.c.Task.Candidates)
	if value == "" {
		return nil, nil, fmt.Errorf("%s: which column is the energy? Call it value", t.name)
	}
	loc := a.c.Task.Location
	var all []bill
	negative, missing := 0, 0
	for i, at := range t.time {
		b := bill{from: civil(at, loc), energy: t.columns[value][i], row: i}
		switch {
		case t.end != nil && !t.end[i].IsZero():
			b.to = civil(t.end[i], loc)
		case i+1 < len(t.time) && t.end == nil:
			b.to = civil(t.time[i+1], loc)
		default:
			continue // the last line only says where the one before it ends
		}
		b.estimated = t.estimated != nil && t.estimated[i]
		for _, s := range a.c.Task.Sentinels {
			if b.energy == s {
				b.energy = math.NaN()
			}
		}
		if b.energy < 0 {
			negative++
		}
		all = append(all, b)
	}
	if t.end != nil && !t.next && inclusive(all) { // invoices whose end is their last day
		for i := range all {
			all[i].to = all[i].to.AddDate(0, 0, 1)
		}
	}
	merged := mergeEstimated(all)
	longest := longestMonthly
	if f := strings.ToLower(a.c.Task.Frequency + " " + a.c.Task.Rule); strings.Contains(f, "bimonth") || irregular(merged) && !strings.Contains(f, "35") {
		longest = longestBimonth
	}
	f := &baseline.Frame{Step: baseline.Period, Energy: []float64{}}
	short, long, cold, beyond := []string{}, []string{}, []string{}, []string{}
	estimates := 0
	for _, b := range merged {
		name := b.from.Format(time.DateOnly)
		estimates += b.merged
		switch n := b.days(); {
		case math.IsNaN(b.energy) || b.energy < 0 || b.estimated:
			missing++
		case p.given() && b.to.After(p.to):
			beyond = append(beyond, name)
		case fit && n < shortestBill:
			short = append(short, name)
		case fit && (n > longest && b.merged == 0 || n > 2*longest):
			long = append(long, name)
		default:
			temps, ok := dailyTemperatures(t, g, &b)
			if !ok {
				cold = append(cold, name)
				continue
			}
			f.Start, f.Energy, f.Days = append(f.Start, b.from), append(f.Energy, b.energy), append(f.Days, float64(n))
			f.Daily = append(f.Daily, temps)
		}
	}
	return f, map[string]any{"periods": len(all), "used": f.Len(), "estimated_merged": estimates, "too_short": short, "too_long": long, "without_temperature": cold, "beyond_the_period": beyond,
		"negative": negative, "missing": missing, "longest_days": longest}, nil
}

func civil(t time.Time, loc *time.Location) time.Time {
	y, m, d := t.In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, loc)
}

// inclusive says whether invoices end on their last day: the next begins a day
// after.
func inclusive(all []bill) bool {
	gap := 0
	for i := 1; i < len(all); i++ {
		if int(math.Round(all[i].from.Sub(all[i-1].to).Hours()/24)) == 1 {
			gap++
		}
	}
	return 2*gap > len(all)-1
}

// mergeEstimated adds estimated invoices to the next actual one.
func mergeEstimated(all []bill) []bill {
	var out []bill
	var open *bill
	for _, b := range all {
		b := b
		if open != nil && open.to.Equal(b.from) {
			b = bill{from: open.from, to: b.to, energy: open.energy + b.energy, estimated: b.estimated, merged: open.merged + 1, row: b.row}
		} else if open != nil {
			out = append(out, *open)
		}
		if open = nil; b.estimated {
			open = &b
			continue
		}
		out = append(out, b)
	}
	if open != nil {
		out = append(out, *open)
	}
	return out
}

// irregular says that a tenth of the days or more would be lost with invoices of
// more than a month: the limit of invoices of two months applies.
func irregular(all []bill) bool {
	days, long := 0, 0
	for _, b := range all {
		n := b.days()
		days += n
		if n > longestMonthly && n <= longestBimonth && b.merged == 0 {
			long += n
		}
	}
	return 10*long > days
}

// dailyTemperatures are those of a bill's days; nine tenths must be known, the
// others count as the mean of these (CalTRACK 2.0, 2.2.3).
func dailyTemperatures(t *table, g *group, b *bill) ([]float64, bool) {
	n := b.days()
	temps := nans(n)
	if x := t.temperature(); g.weather == nil && x != nil && b.merged == 0 && !math.IsNaN(x[b.row]) {
		for k := range temps { // the mean of the invoice is all there is
			temps[k] = x[b.row]
		}
		return temps, true
	}
	if g.weather == nil {
		return nil, false
	}
	index := map[string]int{}
	for k := range n {
		index[b.from.AddDate(0, 0, k).Format(time.DateOnly)] = k
	}
	w := g.weather
	lo, hi := b.from.AddDate(0, 0, -2), b.to.AddDate(0, 0, 2)
	dailyWeather(temps, index, w.between(period{lo, hi}), b.from.Location())
	sum, known := 0.0, 0
	for _, v := range temps {
		if !math.IsNaN(v) {
			sum += v
			known++
		}
	}
	if 10*known < 9*n || known == 0 {
		return nil, false
	}
	for k, v := range temps {
		if math.IsNaN(v) {
			temps[k] = sum / float64(known)
		}
	}
	return temps, true
}
