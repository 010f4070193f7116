package api

import (
	"slices"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// stripRow is one meter's completeness, day by day.
type stripRow struct {
	Meter, Name, Place  string
	Days                []stripDay
	Mean, Said          string
	Width               int
	Whole, Partial, Bad int    // days
	Table               *table // of a single meter
}

type stripDay struct {
	X     int
	Class string // good, part, bad, none
	Title string
}

func (v *visit) stripSpan() (from, to time.Time) {
	to = calendar.NextDay(v.s.o.Clock())
	from = calendar.Day(to.Add(-stripDays*24*time.Hour + 2*time.Hour))
	return from, to
}

// strips are the completeness of meters in the last days.
func (v *visit) strips(meters []registry.Installation, gateways []metering.Gateway) ([]stripRow, error) {
	from, to := v.stripSpan()
	query := registry.CompletenessQuery{From: from, To: to}
	if len(meters) == 1 {
		query.Meter = meters[0].ID
	}
	all, err := v.s.o.Registry.Completeness(v.Request().Context(), query)
	if err != nil {
		return nil, err
	}
	byMeter := make(map[string][]registry.MeterDay)
	for _, d := range all {
		byMeter[d.Meter] = append(byMeter[d.Meter], d)
	}
	var out []stripRow
	for _, m := range meters {
		days := byMeter[m.ID]
		row := stripRow{Meter: m.ID, Name: v.lang.Of(m.Name)}
		if i := slices.IndexFunc(gateways, func(g metering.Gateway) bool { return g.ID == m.Gateway }); i >= 0 {
			row.Place = v.gatewayName(gateways[i])
		}
		byDay := make(map[time.Time]registry.MeterDay, len(days))
		for _, d := range days {
			byDay[calendar.Day(d.Day)] = d
		}
		good, expected := 0, 0
		for day := from; day.Before(to); day = calendar.NextDay(day) {
			d, ok := byDay[day]
			class := "none"
			title := v.lang.ShortDate(day) + v.t("colon") + " " + v.t("figure.missing")
			if ok && d.Expected > 0 {
				share := float64(d.Good) / float64(d.Expected)
				good, expected = good+d.Good, expected+d.Expected
				title = v.lang.ShortDate(day) + v.t("colon") + " " + v.lang.Percent(min(share, 1), 1)
				switch {
				case share >= 0.98:
					class = "good"
					row.Whole++
				case share >= 0.5:
					class = "part"
					row.Partial++
				default:
					class = "bad"
					row.Bad++
				}
			}
			row.Days = append(row.Days, stripDay{row.Width, class, title})
			row.Width++
		}
		if expected > 0 {
			row.Mean = v.lang.Percent(min(float64(good)/float64(expected), 1), 1)
		}
		row.Said = v.t("complete.said", row.Name, joinOr(nonEmpty(row.Mean), v.t("complete.none")))
		if len(meters) == 1 {
			row.Table = v.dayTable(days)
		}
		out = append(out, row)
	}
	return out, nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// dayTable is one meter's completeness in numbers, the last day first.
func (v *visit) dayTable(days []registry.MeterDay) *table {
	if len(days) == 0 {
		return nil
	}
	t := newTable("", v.head("complete.day"), v.headN("complete.share"), v.headN("complete.expected"), v.headN("quality.goods"), v.headN("quality.suspects"), v.headN("quality.missings"))
	t.Class = "compact"
	n := func(x int) cell { return right(v.lang.Number(float64(x), 0)) }
	sorted := slices.Clone(days)
	slices.SortFunc(sorted, func(a, b registry.MeterDay) int { return b.Day.Compare(a.Day) })
	for _, d := range sorted {
		share := ""
		if d.Expected > 0 {
			share = v.lang.Percent(min(float64(d.Good)/float64(d.Expected), 1), 1)
		}
		t.add(txt(v.lang.ShortDate(d.Day)), right(share), n(d.Expected), n(d.Good), n(d.Suspect), n(d.Missing))
	}
	return t
}
