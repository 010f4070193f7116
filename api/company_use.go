package api

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// What a company's page shows of its consumption.
const (
	useMonths = 13
	useDays   = 35
)

// enough is the share of a day between good readings from which its amount is
// not marked as an estimate.
const enough = 0.98

// meterUse is one meter's consumption by period; NaN where nothing was counted.
type meterUse struct {
	name    string
	amounts []float64
	partial []bool // days are missing from it, or estimated
}

// companyUse adds the consumption of a company's meters, a chart for each
// medium: by month over a year, or by day over five weeks with ?by=day.
func (v *visit) companyUse(p *companyPage, company string) error {
	byDay := v.QueryParam("by") == "day"
	p.UseBy = []choice{{"month", v.t("company.by_month"), !byDay}, {"day", v.t("company.by_day"), byDay}}
	m, err := v.members()
	if err != nil {
		return err
	}
	days := v.useDays(byDay)
	type group struct {
		medium string
		unit   metering.Unit
	}
	var groups []group
	found := make(map[group][]meterUse)
	for _, x := range m.meters {
		if x.Company != company {
			continue
		}
		if !v.scope.Allows(x.ID) || !v.may(access.SeeHistory, x.ID) {
			p.UseRefused = true
			continue
		}
		counted, err := v.s.o.Registry.Completeness(v.Request().Context(), registry.CompletenessQuery{Meter: x.ID, From: days[0], To: days[len(days)-1]})
		if err != nil {
			return err
		}
		u, unit := v.use(x, counted, periodStarts(days, byDay), byDay)
		if unit == "" {
			continue
		}
		g := group{x.Medium, unit}
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
		found[g] = append(found[g], u)
	}
	for _, g := range groups {
		x, err := v.usePlot(g.medium, g.unit, found[g], periodStarts(days, byDay), byDay)
		if err != nil {
			return err
		}
		if x != nil {
			p.Use = append(p.Use, x)
		}
	}
	return nil
}

// useDays are the bounds of civil days that the page counts.
func (v *visit) useDays(byDay bool) []time.Time {
	now := v.s.o.Clock()
	end := calendar.NextDay(now)
	from := calendar.Day(now.AddDate(0, 0, -useDays+1))
	if !byDay {
		from = calendar.Month(now)
		for range useMonths - 1 {
			from = calendar.Month(from.Add(-24 * time.Hour))
		}
	}
	var out []time.Time
	for t := from; !t.After(end); t = calendar.NextDay(t) {
		out = append(out, t)
	}
	return out
}

// periodStarts are the days, or the first days of months, within bounds.
func periodStarts(days []time.Time, byDay bool) []time.Time {
	if byDay {
		return days[:len(days)-1]
	}
	var out []time.Time
	for _, d := range days[:len(days)-1] {
		if m := calendar.Month(d); len(out) == 0 || !out[len(out)-1].Equal(m) {
			out = append(out, m)
		}
	}
	return out
}

// use adds up what a meter's register grew by in each period, and says in which
// unit; "" when it has no register.
func (v *visit) use(m registry.Installation, days []registry.MeterDay, starts []time.Time, byDay bool) (meterUse, metering.Unit) {
	u := meterUse{name: v.lang.Of(m.Name), amounts: make([]float64, len(starts)), partial: make([]bool, len(starts))}
	period := calendar.Month
	if byDay {
		period = calendar.Day
	}
	var unit metering.Unit
	counted := make([]int, len(starts))
	for _, d := range days {
		k, ok := slices.BinarySearchFunc(starts, period(d.Day), time.Time.Compare)
		if !ok || d.Increase == nil {
			continue
		}
		unit = d.Increase.Unit
		u.amounts[k] += d.Increase.Amount.Float64()
		u.partial[k] = u.partial[k] || d.Increase.Covered < enough
		counted[k]++
	}
	for k, n := range counted {
		if n == 0 {
			u.amounts[k] = math.NaN()
		}
		u.partial[k] = u.partial[k] || n < v.daysUntilNow(starts[k], byDay)
	}
	if unit == metering.Joule {
		unit = metering.KWh
		u.scale(1 / 3.6e6)
	}
	return u, unit
}

// daysUntilNow is how many days of a period have begun.
func (v *visit) daysUntilNow(start time.Time, byDay bool) int {
	if byDay {
		return 1
	}
	n := 0
	for t := start; calendar.Month(t).Equal(start) && !t.After(v.s.o.Clock()); t = calendar.NextDay(t) {
		n++
	}
	return n
}

func (u meterUse) scale(factor float64) {
	for i := range u.amounts {
		u.amounts[i] *= factor
	}
}

// usePlot draws the meters of one medium beside each other; those beyond five
// are in the table only.
func (v *visit) usePlot(medium string, unit metering.Unit, list []meterUse, starts []time.Time, byDay bool) (*plot, error) {
	largest := 0.0
	for _, u := range list {
		for _, y := range u.amounts {
			if !math.IsNaN(y) {
				largest = math.Max(largest, y)
			}
		}
	}
	if largest == 0 {
		return nil, nil
	}
	factor, name := v.shownUnit(unit, largest)
	head := v.head("frame.month")
	if byDay {
		head = v.head("frame.day")
	}
	t := newTable("", head)
	t.Class = "compact"
	m := chart.Bars{Unit: name, Short: name}
	for i, u := range list {
		t.Head = append(t.Head, right(u.name+", "+name))
		u.scale(factor)
		if i >= maxLines {
			continue
		}
		colour := lineColours[i]
		if len(list) == 1 {
			colour = resourceColour(medium)
		}
		m.Series = append(m.Series, chart.Bar{Name: u.name, Colour: colour, Values: u.amounts})
	}
	for k := range starts {
		label := v.lang.ShortMonth(starts[k].In(calendar.Paris).Month())
		if byDay {
			label = starts[k].In(calendar.Paris).Format("2/1")
		}
		m.Categories = append(m.Categories, label)
	}
	for k := len(starts) - 1; k >= 0; k-- {
		row := []cell{txt(v.lang.Month(starts[k]))}
		if byDay {
			row[0] = txt(v.lang.ShortDate(starts[k]))
		}
		for _, u := range list {
			text := v.lang.Amount(u.amounts[k])
			if u.partial[k] && !math.IsNaN(u.amounts[k]) {
				text += "\u00a0*"
			}
			row = append(row, right(text))
		}
		t.add(row...)
	}
	caption := v.t("company.use_month")
	if byDay {
		caption = v.t("company.use_day")
	}
	p := &plot{ID: "use-" + medium + "-" + strings.Map(letters, string(unit)), Title: v.t("company.use_title", capital(v.lang.Or("medium."+medium, medium)), name), Caption: caption, Class: "low", Table: t}
	return p.draw(m)
}

// shownUnit is the unit that people expect for an amount of this size.
func (v *visit) shownUnit(u metering.Unit, largest float64) (factor float64, name string) {
	switch {
	case u == metering.Kilogram && largest >= 10_000:
		return 1e-3, "t"
	case u == metering.KWh && largest >= 10_000:
		return 1e-3, "MWh"
	}
	return 1, v.lang.SeriesUnit(u)
}

// letters keeps what may stand in the id of an element.
func letters(r rune) rune {
	if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return r
	}
	return '-'
}

func capital(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}
