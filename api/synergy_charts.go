package api

import (
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// synergyPlots draws a synergy's daily course in the chosen quarter, its sum
// against the plan over the year that ends with that quarter, and what the
// assessment kept of baseline and drift.
func (v *visit) synergyPlots(p *synergyPage, s metering.Synergy, stored *registry.Plan, plan *savings.Plan, days []metering.Result, alarms []metering.Alarm, q calendar.Quarter) error {
	if plan == nil || plan.Option == savings.OptionDeclared {
		return nil // what is stated for a quarter has no days
	}
	d := daily{v: v, synergy: s, plan: plan, colour: resourceColour(s.Resource), days: days, alarms: alarms}
	for _, r := range days {
		if f, ok := mainIndicator(s.Resource, r); ok {
			d.indicator = f.Indicator
			break
		}
	}
	if d.indicator == "" {
		p.Daily = &plot{ID: "daily", Title: v.t("daily.title_empty"), Empty: v.t("daily.empty")}
		return nil
	}
	var err error
	if p.Daily, err = d.course(span{q.Start(), q.End()}, v.lang.Quarter(q)); err != nil {
		return err
	}
	year := span{q.Add(-3).Start(), earlier(q.End(), v.s.o.Clock())}
	gap, err := d.cumulative(p, year)
	if err != nil {
		return err
	}
	course, kept := v.s.o.Courses.of(s.ID, stored.Hash)
	if kept && course.Drift != nil && len(course.Drift.Weeks) > 0 {
		p.Drift = v.driftView(course.Drift)
		gap, err = v.cusum(course.Drift, plan, d.colour)
	}
	if p.Cusum = gap; err != nil {
		return err
	}
	if err := v.baselines(p, plan, course); err != nil {
		return err
	}
	p.Hours, err = v.hours(s, plan, q)
	return err
}

// daily draws one indicator by day.
type daily struct {
	v         *visit
	synergy   metering.Synergy
	plan      *savings.Plan
	indicator metering.Indicator
	colour    string
	days      []metering.Result
	alarms    []metering.Alarm
}

// expect is what the plan expects of a day; NaN where it expects nothing.
func (d daily) expect(day time.Time) float64 {
	if day.Before(d.plan.Reporting.From.Time()) {
		return math.NaN()
	}
	if x, ok := expected(d.plan, d.indicator, day, calendar.NextDay(day)); ok {
		return x
	}
	return math.NaN()
}

func (d daily) events(p span) []chart.Mark {
	var out []chart.Mark
	for _, a := range d.alarms {
		if !a.Since.Before(p.from) && a.Since.Before(p.to) {
			out = append(out, chart.Mark{At: chart.At(a.Since), Label: d.v.lang.Or("alarm."+a.Kind, d.v.t("alarm.fault"))})
		}
	}
	return out
}

// result finds the result of a civil day.
func (d daily) result(day time.Time) (metering.Result, bool) {
	i, ok := slices.BinarySearchFunc(d.days, day, func(r metering.Result, t time.Time) int { return r.From.Compare(t) })
	if !ok {
		return metering.Result{}, false
	}
	return d.days[i], true
}

// at is the figure of a civil day; ok is false where nothing was read.
func (d daily) at(day time.Time) (metering.Figure, bool) {
	r, ok := d.result(day)
	if !ok {
		return metering.Figure{}, false
	}
	return figureOf(r, d.indicator)
}

// course is a quarter day by day with its interval; the table has every figure
// of each day, the newest first.
func (d daily) course(p span, name string) (*plot, error) {
	v := d.v
	unit := v.lang.Unit(d.indicator)
	indicators := usedIndicators(d.days)
	head := []cell{v.head("frame.day")}
	for _, i := range indicators {
		head = append(head, right(v.t("short."+string(i))))
	}
	out := &plot{ID: "daily", Title: v.t("daily.title", v.t("indicator."+string(d.indicator)), name), Caption: v.t("daily.caption"),
		Table: newTable(v.t("daily.table_caption"), append(head, v.headN("daily.expected"), v.headN("figure.coverage_head"))...)}
	out.Table.Class = "compact"
	line := chart.Line{Name: v.t("daily.actual"), Colour: d.colour}
	plan := chart.Line{Name: v.t("daily.expected"), Colour: "soft", Dashed: true}
	any := false
	for day := p.from; day.Before(earlier(p.to, calendar.Day(v.s.o.Clock()))); day = calendar.NextDay(day) {
		x, want := chart.At(day), d.expect(day)
		plan.Points = append(plan.Points, chart.Point{X: x, Y: want})
		f, ok := d.at(day)
		row := []cell{txt(v.lang.ShortDate(day))}
		if !ok {
			line.Points = append(line.Points, chart.Point{X: x, Y: chart.Missing})
			line.Band = append(line.Band, chart.Range{X: x, Low: chart.Missing, High: chart.Missing})
			row = append(row, right(v.t("figure.missing")))
			for range len(indicators) - 1 {
				row = append(row, right(""))
			}
			out.Table.add(append(row, right(v.lang.Number(want, 2)), right(""))...)
			continue
		}
		any = true
		line.Points = append(line.Points, chart.Point{X: x, Y: f.Amount})
		line.Band = append(line.Band, chart.Range{X: x, Low: f.Amount - f.Half90, High: f.Amount + f.Half90})
		r, _ := d.result(day)
		for _, i := range indicators {
			row = append(row, v.amountCell(r, i))
		}
		out.Table.add(append(row, right(v.lang.Number(want, 2)), right(v.lang.Percent(f.Coverage, 0)))...)
	}
	if !any {
		out.Table, out.Empty, out.Caption = nil, v.t("daily.empty"), ""
		return out, nil
	}
	slices.Reverse(out.Table.Rows)
	m := chart.Time{Unit: v.t("axis.a_day", unit), Short: unit, Zero: true, Series: []chart.Line{line}, Events: d.events(p)}
	if lineKnown(plan) {
		m.Series = append(m.Series, plan)
	}
	return out.draw(m)
}

// cumulative draws the sum since the beginning of the year shown against the
// plan's, and returns the difference of the two as a plot of its own.
func (d daily) cumulative(page *synergyPage, p span) (gapPlot *plot, err error) {
	v := d.v
	unit := v.lang.Unit(d.indicator)
	got := chart.Line{Name: v.t("cumulative.actual"), Colour: d.colour}
	want := chart.Line{Name: v.t("cumulative.expected"), Colour: "soft", Dashed: true}
	gap := chart.Line{Name: v.t("cusum.name"), Colour: d.colour}
	t := newTable("", v.head("frame.month"), right(v.t("cumulative.actual")+", "+unit), right(v.t("cumulative.expected")+", "+unit), right(v.t("cusum.name")+", "+unit))
	t.Class = "compact"
	var sumGot, sumWant, sumGap float64
	var first time.Time
	for day := p.from; day.Before(calendar.Day(p.to)); day = calendar.NextDay(day) {
		next := calendar.NextDay(day)
		f, ok := d.at(day)
		if !ok && first.IsZero() {
			continue
		}
		if first.IsZero() {
			first = day
		}
		x := d.expect(day)
		if ok {
			sumGot += f.Amount
		}
		if !math.IsNaN(x) {
			sumWant += x
			if ok { // a day without readings says nothing about drift
				sumGap += f.Amount - x
			}
		}
		at := chart.At(next)
		got.Points = append(got.Points, chart.Point{X: at, Y: sumGot})
		want.Points = append(want.Points, chart.Point{X: at, Y: sumWant})
		gap.Points = append(gap.Points, chart.Point{X: at, Y: sumGap})
		if calendar.Month(next).Equal(next) || !next.Before(calendar.Day(p.to)) {
			t.add(txt(v.lang.Month(day)), right(v.lang.Amount(rough(sumGot))), right(v.lang.Amount(rough(sumWant))), right(v.lang.Amount(rough(sumGap))))
		}
	}
	if first.IsZero() {
		return nil, nil
	}
	sums := &plot{ID: "cumulative", Title: v.t("cumulative.title"), Caption: v.t("cumulative.caption", upper(v.between(first, calendar.Day(p.to)))), Table: t}
	m := chart.Time{Unit: v.t("axis.since_start", unit), Short: unit, Zero: true, Series: []chart.Line{got}, Events: d.events(p)}
	if sumWant > 0 {
		m.Series = append(m.Series, want)
	}
	if page.Cumulative, err = sums.draw(m); err != nil || sumWant == 0 {
		return nil, err
	}
	gapPlot = &plot{ID: "cusum", Title: v.t("cusum.plan_title"), Caption: v.t("cusum.plan_caption"), Table: t}
	return gapPlot.draw(chart.Time{Unit: unit, Short: unit, Zero: true, Series: []chart.Line{gap}, Events: d.events(p),
		Levels: []chart.Mark{{At: 0, Label: v.t("cusum.zero")}}})
}

// lineKnown says whether a line has any number.
func lineKnown(l chart.Line) bool {
	return slices.ContainsFunc(l.Points, func(p chart.Point) bool { return !math.IsNaN(p.Y) })
}
