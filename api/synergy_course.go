package api

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// driftView says in words what the watch on a synergy found.
type driftView struct {
	Alarm bool
	Text  string
	Why   *table
}

func (v *visit) driftView(r *savings.DriftReport) *driftView {
	if !r.Alarm {
		last := r.Weeks[len(r.Weeks)-1].From
		return &driftView{Text: v.t("drift.none", v.lang.Date(last))}
	}
	d := &driftView{Alarm: true, Text: v.t("drift.alarm", v.lang.Date(r.Since), v.lang.Percent(r.Shortfall, 0))}
	if len(r.Why) == 0 {
		return d
	}
	d.Why = newTable("", v.head("drift.factor"), v.headN("drift.before"), v.headN("drift.after"), v.headN("drift.change")).cards()
	for _, c := range r.Why {
		number := func(x float64) string { return v.lang.Number(x, 1) }
		if c.Factor == "hours" {
			number = func(x float64) string { return v.lang.Percent(x, 0) }
		}
		change := ""
		if c.Before > 0 {
			change = v.lang.Change(c.After/c.Before - 1)
		}
		d.Why.add(txt(v.t("drift."+c.Factor)), right(number(c.Before)), right(number(c.After)), right(change))
	}
	return d
}

// cusum draws the watch: the sum of weekly shortfalls with its limit.
func (v *visit) cusum(r *savings.DriftReport, plan *savings.Plan, colour string) (*plot, error) {
	line := chart.Line{Name: v.t("cusum.name"), Colour: colour, Shape: "step"}
	unit := v.lang.Unit(r.Indicator)
	t := newTable("", v.head("frame.week"), right(v.t("cusum.actual", unit)), right(v.t("cusum.normal", unit)), v.headN("cusum.name"))
	t.Class = "compact"
	next := time.Time{}
	for _, w := range r.Weeks {
		if !next.IsZero() && w.From.Sub(next) > time.Hour {
			line.Points = append(line.Points, chart.Point{X: chart.At(next), Y: chart.Missing}) // weeks that do not count
		}
		next = w.From.AddDate(0, 0, 7)
		line.Points = append(line.Points, chart.Point{X: chart.At(w.From), Y: w.CUSUM})
		t.add(txt(v.lang.ShortDate(w.From)), right(v.lang.Number(w.Actual, 1)), right(v.lang.Number(w.Expected, 1)), right(v.lang.Number(w.CUSUM, 1)))
	}
	slices.Reverse(t.Rows)
	m := chart.Time{Unit: v.t("cusum.axis"), Zero: true, Series: []chart.Line{line}, Levels: []chart.Mark{{At: savings.DriftLimit, Label: v.t("cusum.limit")}}}
	if r.Alarm {
		m.Events = []chart.Mark{{At: chart.At(r.Since), Label: v.t("alarm.drift")}}
	}
	p := &plot{ID: "cusum", Title: v.t("cusum.title"), Caption: v.t("cusum.caption", v.lang.Percent(plan.DriftAllowance(), 0), v.lang.Percent(r.Sigma, 0)), Table: t}
	return p.draw(m)
}

// baselines draws the adjusted baselines of option C beside what the site used.
// That is the site's consumption: it is shown to whoever may see the readings of
// the site's meters, and to nobody else.
func (v *visit) baselines(p *synergyPage, plan *savings.Plan, c Course) error {
	if len(plan.Models) == 0 {
		return nil
	}
	for _, m := range plan.Meters {
		if m.Role == savings.RoleSite && !v.scope.Allows(m.Series.Meter()) {
			p.BaselineNote = v.t("baseline.refused", v.seenReadings(m.Series.Meter()))
			return nil
		}
	}
	if len(c.Baselines) == 0 {
		p.BaselineNote = v.t("baseline.pending")
		return nil
	}
	for _, b := range c.Baselines {
		x, err := v.baseline(b)
		if err != nil {
			return err
		}
		p.Baselines = append(p.Baselines, x)
	}
	return nil
}

func (v *visit) baseline(b Baseline) (*plot, error) {
	actual := chart.Line{Name: v.t("baseline.actual"), Colour: resourceColour(b.Energy)}
	adjusted := chart.Line{Name: v.t("baseline.adjusted"), Colour: "accent", Dashed: true}
	t := newTable("", v.head("frame.week"), right(v.t("baseline.actual")+", MWh"), right(v.t("baseline.adjusted")+", MWh"), v.headN("figure.interval"))
	t.Class = "compact"
	for _, w := range b.Weeks {
		x := chart.At(w.From)
		if w.Days < 7 { // an incomplete week would look like a fall
			actual.Points = append(actual.Points, chart.Point{X: x, Y: chart.Missing})
			adjusted.Points = append(adjusted.Points, chart.Point{X: x, Y: chart.Missing})
			adjusted.Band = append(adjusted.Band, chart.Range{X: x, Low: chart.Missing, High: chart.Missing})
			t.add(txt(v.lang.ShortDate(w.From)), right(v.t("figure.missing")), right(""), right(""))
			continue
		}
		actual.Points = append(actual.Points, chart.Point{X: x, Y: w.Actual})
		adjusted.Points = append(adjusted.Points, chart.Point{X: x, Y: w.Adjusted})
		adjusted.Band = append(adjusted.Band, chart.Range{X: x, Low: w.Adjusted - w.Half90, High: w.Adjusted + w.Half90})
		amount, half := v.lang.PlusMinus(w.Adjusted, w.Half90)
		t.add(txt(v.lang.ShortDate(w.From)), right(v.lang.Number(w.Actual, 1)), right(amount), right(half))
	}
	slices.Reverse(t.Rows)
	caption := v.t("baseline.caption") + " " + v.t("baseline.fit", v.lang.Number(b.R2, 2), v.lang.Percent(b.CVRMSE, 0), v.lang.N("baseline.points", b.Points))
	p := &plot{ID: "baseline-" + b.Energy, Title: v.t("baseline.title"), Caption: caption, Table: t}
	return p.draw(chart.Time{Unit: v.t("baseline.unit"), Short: "MWh", Zero: true, Series: []chart.Line{actual, adjusted},
		Events: []chart.Mark{{At: chart.At(b.Start), Label: v.t("baseline.start")}}})
}

// hoursShown is how many days the map of hours goes back.
const hoursShown = 42

// hours is a map of days and hours: the mean power through the shared meter.
// It needs the right to the meter's readings; without it there is no map.
func (v *visit) hours(s metering.Synergy, plan *savings.Plan, q calendar.Quarter) (*plot, error) {
	id, ok, err := v.powerSeries(plan)
	if err != nil || !ok {
		return nil, err
	}
	last := calendar.Day(earlier(q.End().Add(-time.Minute), v.s.o.Clock()))
	first := last
	for range hoursShown - 1 {
		first = calendar.Day(first.Add(-12 * time.Hour))
	}
	var bounds []time.Time
	for t := first; !t.After(calendar.NextDay(last)); t = t.Add(time.Hour) {
		bounds = append(bounds, t)
	}
	windows, err := v.s.o.Series.Windows(v.Request().Context(), v.scope, id, bounds)
	if err != nil {
		if errors.Is(err, series.ErrForbidden) {
			return nil, nil
		}
		return nil, err
	}
	m := chart.Heatmap{Unit: "kW", Short: "kW", Colour: resourceColour(s.Resource)}
	for h := range 24 {
		m.Rows = append(m.Rows, strconv.Itoa(h)+v.t("hour.mark"))
	}
	column := make(map[time.Time]int)
	t := newTable("", v.head("frame.day"), right(v.t("hours.mean")), right(v.t("hours.max")))
	t.Class = "compact"
	for day := first; !day.After(last); day = calendar.NextDay(day) {
		column[day] = len(m.Columns)
		m.Columns = append(m.Columns, v.lang.DayMonth(day))
	}
	byDay := make([][]float64, len(m.Columns))
	for _, w := range windows {
		c, ok := column[calendar.Day(w.From)]
		if !ok || w.Numbers() == 0 {
			continue
		}
		m.Cells = append(m.Cells, chart.Cell{Column: c, Row: w.From.In(calendar.Paris).Hour(), Number: math.Round(w.Mean*10) / 10})
		byDay[c] = append(byDay[c], w.Mean)
	}
	if len(m.Cells) == 0 {
		return nil, nil
	}
	for c, list := range slices.Backward(byDay) {
		if len(list) == 0 {
			t.add(txt(m.Columns[c]), right(v.t("figure.missing")), right(""))
			continue
		}
		t.add(txt(m.Columns[c]), right(v.lang.Amount(math.Round(mean(list)))), right(v.lang.Amount(math.Round(slices.Max(list)))))
	}
	p := &plot{ID: "hours", Title: v.t("hours.title", hoursShown), Caption: v.t("hours.caption"), Table: t}
	return p.draw(m)
}

func mean(list []float64) float64 {
	total := 0.0
	for _, x := range list {
		total += x
	}
	return total / float64(len(list))
}

// powerSeries is the power of the heat meter that the plan counts, if the person
// may see its readings.
func (v *visit) powerSeries(plan *savings.Plan) (metering.SeriesID, bool, error) {
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return "", false, err
	}
	for _, m := range plan.Meters {
		id := metering.Series(m.Series.Meter(), metering.HeatPower)
		if m.Role == savings.RoleHeat && v.scope.Allows(m.Series.Meter()) && slices.ContainsFunc(infos, func(i series.Info) bool { return i.ID == id }) {
			return id, true, nil
		}
	}
	return "", false, nil
}
