package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

type meterPage struct {
	Name, Gateway, GatewayHref string
	State                      state
	Seen                       time.Time
	Detail                     string
	Facts                      []pair
	Exchanges                  *table
	Live                       []liveReading
	Refused                    bool
	Recent                     string // why no more history is shown
	Periods                    []choice
	Plots                      []*plot
	Strip                      []stripRow
	From, To                   string
	SeenBy                     string
	Download                   *download
}

// periods that a meter's charts can show: days back and the step of a point.
var periods = []struct {
	days int
	step time.Duration
}{{1, 10 * time.Minute}, {7, time.Hour}, {31, 4 * time.Hour}, {366, 24 * time.Hour}}

func showMeter(v *visit) error {
	m, _, err := v.meter(v.Param("meter"))
	if err != nil {
		return err
	}
	g, _, err := v.gateway(m.Gateway)
	if err != nil {
		return err
	}
	statuses, err := v.statuses()
	if err != nil {
		return err
	}
	live, err := v.liveMeter(m, statuses[m.Gateway], nil)
	if err != nil {
		return err
	}
	p := meterPage{Name: v.lang.Of(m.Name), Gateway: v.gatewayName(g), GatewayHref: "/gateways/" + g.ID, State: live.State, Seen: live.Seen, Detail: live.Detail,
		Refused: !v.scope.Allows(m.ID), SeenBy: v.seenReadings(m.ID)}
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return err
	}
	p.Exchanges = v.exchanges(m, infos)
	if p.Facts, err = v.meterFacts(m, infos); err != nil {
		return err
	}
	if p.Strip, err = v.strips([]registry.Installation{m}, nil); err != nil {
		return err
	}
	from, to := v.stripSpan()
	p.From, p.To = v.lang.ShortDate(from), v.lang.ShortDate(to.Add(-time.Second))
	if !p.Refused {
		p.Download = v.download(m.ID, "")
		if err := v.meterSeries(&p, m, infos); err != nil {
			return err
		}
	}
	return v.page(http.StatusOK, "meter", p.Name, p)
}

// meterFacts is what was recorded when the meter was put into service.
func (v *visit) meterFacts(m registry.Installation, infos []series.Info) ([]pair, error) {
	facts := []pair{{v.t("meter.fact.id"), m.ID}}
	if device := device(m.Profile); device != "" {
		facts = append(facts, pair{v.t("meter.fact.device"), device})
	}
	facts = append(facts, pair{v.t("meter.fact.profile"), m.Profile}, pair{v.t("meter.fact.medium"), v.lang.Or("medium."+m.Medium, m.Medium)},
		pair{v.t("meter.fact.serial"), joinOr(nonEmpty(m.Serial), v.t("meter.fact.no_serial"))})
	if m.AccuracyClass != "" {
		facts = append(facts, pair{v.t("meter.fact.accuracy"), m.AccuracyClass})
	}
	interval := m.Interval
	if interval == 0 {
		interval = time.Minute
	}
	facts = append(facts, pair{v.t("meter.fact.interval"), v.lang.Span(interval)})
	var quantities []string
	var first time.Time
	for _, i := range infos {
		if i.ID.Meter() != m.ID {
			continue
		}
		name := v.t("quantity." + string(i.ID.Quantity()))
		if unit := v.lang.SeriesUnit(i.Unit); unit != "" {
			name += " (" + unit + ")"
		}
		quantities = append(quantities, name)
		if first.IsZero() || i.First.Before(first) {
			first = i.First
		}
	}
	if len(quantities) > 0 {
		facts = append(facts, pair{v.t("meter.fact.units"), strings.Join(quantities, ", ")})
	}
	if !first.IsZero() && v.may(access.SeeHistory, m.ID) {
		facts = append(facts, pair{v.t("meter.fact.since"), v.lang.Moment(first)})
	}
	commissioned, err := v.meterCommissioned(m)
	if err != nil {
		return nil, err
	}
	facts = append(facts, commissioned...)
	if v.scope.Allows(m.ID) && v.may(access.SeeHistory, m.ID) {
		imported, err := v.importedWords(m.ID)
		if err != nil {
			return nil, err
		}
		if imported != "" {
			facts = append(facts, pair{v.t("meter.fact.imported"), imported})
		}
	}
	known, err := v.members()
	if err != nil || !v.may(access.SeeProgramme, "") {
		return facts, err
	}
	var shared []string
	for _, s := range known.synergies {
		if slices.Contains(v.facts.MeterSynergies(m.ID), s.ID) {
			shared = append(shared, v.synergyName(s))
		}
	}
	if len(shared) > 0 {
		facts = append(facts, pair{v.t("meter.fact.synergies"), strings.Join(shared, v.t("sep"))})
	}
	return facts, nil
}

// device is the maker and models of a profile of the library; "" for a
// profile of the site's own.
func device(id string) string {
	library, err := profile.Builtin()
	if err != nil {
		return ""
	}
	p, err := library.Get(id)
	if err != nil {
		return ""
	}
	return p.Maker + " " + strings.Join(p.Models, ", ")
}

func (v *visit) exchanges(m registry.Installation, infos []series.Info) *table {
	if len(m.Exchanges) == 0 {
		return nil
	}
	t := newTable("", v.head("exchange.at"), v.head("exchange.quantity"), v.headN("exchange.old"), v.headN("exchange.new")).cards()
	for _, e := range m.Exchanges {
		var unit metering.Unit
		for _, i := range infos {
			if i.ID.Meter() == m.ID && i.ID.Quantity() == e.Quantity {
				unit = i.Unit
			}
		}
		shown := func(d metering.Decimal) cell {
			return right(strings.TrimSpace(v.reading(displayed(d, unit)) + " " + v.lang.SeriesUnit(unit)))
		}
		t.add(txt(v.lang.Moment(e.At)), txt(v.t("quantity."+string(e.Quantity))), shown(e.OldFinal), shown(e.NewStart))
	}
	return t
}

// seenReadings says who may see the readings of a meter.
func (v *visit) seenReadings(meter string) string {
	var names []string
	for _, r := range access.Roles {
		if r != access.Company && access.ForSeries(access.Person{Role: r}, v.facts).Allows(meter) {
			names = append(names, v.t("role.many."+string(r)))
		}
	}
	if m, err := v.members(); err == nil {
		for _, c := range m.companies {
			if access.ForSeries(access.Person{Role: access.Company, Company: c.ID}, v.facts).Allows(meter) {
				names = append(names, c.Name)
			}
		}
	}
	return joinOr(names, v.t("seenby.nobody"))
}

// meterSeries adds the newest readings and the charts of a meter.
func (v *visit) meterSeries(p *meterPage, m registry.Installation, infos []series.Info) error {
	var err error
	if p.Live, err = v.latest(m.ID, infos); err != nil {
		return err
	}
	longest := 366
	if !v.may(access.SeeHistory, m.ID) {
		longest = access.RecentDays
		p.Recent = v.lang.N("meter.recent", access.RecentDays)
	}
	days, _ := strconv.Atoi(v.QueryParam("days"))
	chosen := periods[1]
	for _, x := range periods {
		if x.days > longest {
			continue
		}
		if x.days == days {
			chosen = x
		}
		p.Periods = append(p.Periods, choice{Key: strconv.Itoa(x.days), Name: v.t("period.days." + strconv.Itoa(x.days))})
	}
	for i := range p.Periods {
		p.Periods[i].Current = p.Periods[i].Key == strconv.Itoa(chosen.days)
	}
	bounds := v.bounds(chosen.days, chosen.step)
	for _, group := range groups(m.ID, infos) {
		x, err := v.meterPlot(m, group, bounds, chosen.step)
		if err != nil {
			return err
		}
		if x != nil {
			p.Plots = append(p.Plots, x)
		}
	}
	return nil
}

// bounds cuts the last days into steps: civil days when a step is a day.
func (v *visit) bounds(days int, step time.Duration) []time.Time {
	now := v.s.o.Clock()
	var out []time.Time
	if step == 24*time.Hour {
		for t := calendar.Day(now.AddDate(0, 0, -days)); !t.After(calendar.NextDay(now)); t = calendar.NextDay(t) {
			out = append(out, t)
		}
		return out
	}
	end := now.Truncate(step).Add(step)
	for t := end.Add(-time.Duration(days) * 24 * time.Hour); !t.After(end); t = t.Add(step) {
		out = append(out, t)
	}
	return out
}

// maxPlots bounds the charts of a meter's page, maxLines the lines of a chart.
const (
	maxPlots = 5
	maxLines = 5
)

// groups puts the series of a meter that share a unit and a kind together, in
// the order of a meter's screen.
func groups(meter string, infos []series.Info) [][]series.Info {
	var own []series.Info
	for _, i := range infos {
		if i.ID.Meter() == meter {
			own = append(own, i)
		}
	}
	slices.SortStableFunc(own, func(a, b series.Info) int { return rank(a.ID) - rank(b.ID) })
	var out [][]series.Info
next:
	for _, i := range own {
		for g := range out {
			first := out[g][0]
			if first.Unit == i.Unit && first.ID.Quantity().Kind() == i.ID.Quantity().Kind() && i.ID.Quantity().Kind() == metering.Gauge {
				if len(out[g]) < maxLines {
					out[g] = append(out[g], i)
				}
				continue next
			}
		}
		if len(out) < maxPlots {
			out = append(out, []series.Info{i})
		}
	}
	return out
}

var lineColours = []string{"accent", "heat", "water", "electricity", "material"}

// meterPlot draws series of one unit: means of a gauge with the range between
// its extremes, or the increase of a register for each step.
func (v *visit) meterPlot(m registry.Installation, group []series.Info, bounds []time.Time, step time.Duration) (*plot, error) {
	counter := group[0].ID.Quantity().Kind() == metering.Counter
	unit := v.lang.SeriesUnit(group[0].Unit)
	t := newTable("", v.head("frame.moment"))
	t.Class = "compact"
	model := chart.Time{Unit: unit, Short: unit, Zero: counter, Hours: step < 24*time.Hour, From: chart.At(bounds[0]), To: chart.At(bounds[len(bounds)-1])}
	all := make([][]series.Window, len(group))
	for i, info := range group {
		windows, err := v.s.o.Series.Windows(v.Request().Context(), v.scope, info.ID, bounds)
		if err != nil {
			return nil, err
		}
		all[i] = windows
		line := chart.Line{Name: v.t("quantity." + string(info.ID.Quantity())), Colour: lineColours[i]}
		if len(group) == 1 {
			line.Colour = resourceColour(m.Medium)
		}
		if counter {
			line.Shape, line.Points = "bar", increases(windows, info.Unit)
		} else {
			line.Points, line.Band = means(windows, len(group) == 1)
		}
		model.Series = append(model.Series, line)
		t.Head = append(t.Head, right(line.Name+", "+unit))
	}
	if !slices.ContainsFunc(model.Series, lineKnown) {
		return nil, nil
	}
	for w := len(all[0]) - 1; w >= 0; w-- {
		row := []cell{txt(v.lang.Moment(all[0][w].From))}
		for _, line := range model.Series {
			row = append(row, right(v.lang.Number(line.Points[w].Y, 2)))
		}
		t.add(row...)
	}
	title, caption := v.t("quantity."+string(group[0].ID.Quantity())), v.t("meter.gauge_caption", v.lang.Span(step))
	if len(group) > 1 {
		title = v.lang.Or("meter.together."+string(group[0].Unit), unit)
		caption = v.t("meter.together_caption", v.lang.Span(step))
	}
	if counter {
		title, caption = v.t("meter.increase", title), v.t("meter.counter_caption", v.lang.Span(step))
	}
	p := &plot{ID: "m-" + string(group[0].ID.Quantity()), Title: title, Caption: caption, Table: t}
	return p.draw(model)
}

// increases are the differences of a register between the ends of windows. A
// register that goes back (reset, exchange) gives no number here; what counts
// in figures is mended by analytics, not by a picture.
func increases(windows []series.Window, unit metering.Unit) []chart.Point {
	out := make([]chart.Point, len(windows))
	var last metering.Decimal
	known := false
	for i, w := range windows {
		out[i] = chart.Point{X: chart.At(w.From), Y: chart.Missing}
		if w.Numbers() == 0 {
			known = false
			continue
		}
		from := w.First.Number
		if known {
			from = last
		}
		if d, err := w.Last.Number.Sub(from); err == nil && d.Coef >= 0 {
			out[i].Y = displayed(d, unit).Float64()
		}
		last, known = w.Last.Number, true
	}
	return out
}

func means(windows []series.Window, withRange bool) ([]chart.Point, []chart.Range) {
	points := make([]chart.Point, len(windows))
	var band []chart.Range
	for i, w := range windows {
		x := chart.At(w.From)
		points[i] = chart.Point{X: x, Y: chart.Missing}
		r := chart.Range{X: x, Low: chart.Missing, High: chart.Missing}
		if w.Numbers() > 0 {
			points[i].Y = w.Mean
			r.Low, r.High = w.Min, w.Max
		}
		if withRange {
			band = append(band, r)
		}
	}
	return points, band
}
