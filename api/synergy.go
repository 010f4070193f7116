package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

type synergyPage struct {
	Name, Lead, About, SeenBy, Period, Resource string
	Quarters                                    []choice
	Compared                                    []compared
	Drift                                       *driftView
	Chain                                       []step
	ChainPeriod                                 string
	Notes                                       []string
	ByQuarter, Daily, Cumulative, Cusum, Hours  *plot
	Baselines                                   []*plot
	BaselineNote                                string
	Shares                                      *table
	Sharing                                     *sharing
	Plan                                        *planView
	Evidence                                    *table
	Journal                                     *table
	Events                                      []proposedEvent
	Said                                        string
}

// compared is one of announced, expected, measured.
type compared struct {
	Name, Note string
	Figure     words.Figure
}

// step is one link of the chain from heat to euros.
type step struct {
	Name, Formula, Class string
	Figure               words.Figure
}

type synergiesPage struct {
	Heading  string
	Quarters []choice
	Table    *table
	SeenBy   string
}

func showSynergies(v *visit) error {
	q, err := v.chosenQuarter()
	if err != nil {
		return err
	}
	m, err := v.members()
	if err != nil {
		return err
	}
	results, err := v.quarterResults(q)
	if err != nil {
		return err
	}
	plans, err := v.plans(m.synergies)
	if err != nil {
		return err
	}
	first, err := v.firstQuarter("")
	if err != nil {
		return err
	}
	p := synergiesPage{Heading: v.t("synergies.heading", v.lang.Quarter(q)), Quarters: v.quarterChoices(first, q),
		Table: v.synergyTable(m.synergies, results, plans)}
	return v.page(http.StatusOK, "synergies", v.t("nav.synergies"), p)
}

func showSynergy(v *visit) error {
	s, _, err := v.synergy(v.Param("synergy"))
	if err != nil {
		return err
	}
	q, err := v.chosenQuarter()
	if err != nil {
		return err
	}
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	stored, plan, err := v.planInForce(s.ID)
	if err != nil {
		return err
	}
	b, err := v.shownResults(s.ID, q)
	if err != nil {
		return err
	}
	first, err := v.firstQuarter(s.ID)
	if err != nil {
		return err
	}
	p := synergyPage{Name: v.synergyName(s), About: v.lang.Of(s.About), Resource: resourceColour(s.Resource), SeenBy: v.seenBy(access.SeeSynergy, s.ID),
		Lead: v.lead(s, names), Quarters: v.quarterChoices(first, q), Period: v.lang.Quarter(q)}
	year, yearName := lastYear(b, v)
	p.Compared = v.compare(s, plan, year, yearName)
	if err := v.chainOf(&p, s, plan, b[metering.PeriodQuarter], year, q); err != nil {
		return err
	}
	if p.ChainPeriod == "" {
		p.ChainPeriod = yearName
	}
	if p.ByQuarter, err = v.quarterPlot(s, plan, b[metering.PeriodQuarter]); err != nil {
		return err
	}
	alarms, err := v.synergyAlarms(s)
	if err != nil {
		return err
	}
	if err := v.synergyPlots(&p, s, stored, plan, b[metering.PeriodDay], alarms, q); err != nil {
		return err
	}
	p.Journal = v.journal(alarms)
	if p.Plan, err = v.planView(stored, plan, names, year); err != nil {
		return err
	}
	if p.Events, err = v.proposedEvents(s.ID); err != nil {
		return err
	}
	p.Said = v.saidOf("event.said.", "accepted", "refused")
	p.Shares = v.shares(plan, year, names)
	if p.Sharing, err = v.sharing(s, names); err != nil {
		return err
	}
	if v.may(access.SeeEvidence, s.ID) {
		if p.Evidence, err = v.evidence(s, plan, names, q); err != nil {
			return err
		}
	}
	return v.page(http.StatusOK, "synergy", p.Name, p)
}

// chainOf fills in how the saving of the chosen quarter comes about; of the last
// twelve months when the quarter has no figure yet.
func (v *visit) chainOf(p *synergyPage, s metering.Synergy, plan *savings.Plan, quarters []metering.Result, year *metering.Result, q calendar.Quarter) (err error) {
	shown := year
	if i := slices.IndexFunc(quarters, starts(q)); i >= 0 {
		if _, ok := mainIndicator(s.Resource, quarters[i]); ok {
			shown = &quarters[i]
			p.ChainPeriod = v.t("period.quarter", v.lang.Quarter(q), v.between(shown.From, shown.To))
		}
	}
	if shown != nil {
		for _, n := range shown.Notes {
			p.Notes = append(p.Notes, v.lang.Of(n))
		}
	}
	p.Chain, err = v.chain(plan, shown)
	return err
}

// starts says whether a result's period lies in a quarter: the first one of a
// synergy begins within its quarter.
func starts(q calendar.Quarter) func(metering.Result) bool {
	return func(r metering.Result) bool { return calendar.QuarterOf(r.From) == q }
}

// shownResults are those that a synergy's page shows: its quarters, the last year,
// the whole time, and the days of the year that ends with a quarter.
func (v *visit) shownResults(synergy string, q calendar.Quarter) (map[metering.PeriodKind][]metering.Result, error) {
	var all []metering.Result
	for _, x := range []registry.Query{{Kind: metering.PeriodQuarter}, {Kind: metering.PeriodYear}, {Kind: metering.PeriodToDate},
		{Kind: metering.PeriodDay, From: q.Add(-3).Start(), To: q.End()}} {
		x.Synergy = synergy
		some, err := v.results(x)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return byKind(all), nil
}

// byKind sorts results by the length of their period, oldest first.
func byKind(all []metering.Result) map[metering.PeriodKind][]metering.Result {
	out := make(map[metering.PeriodKind][]metering.Result)
	for _, r := range all {
		out[r.Kind] = append(out[r.Kind], r)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b metering.Result) int { return a.From.Compare(b.From) })
	}
	return out
}

// lastYear is the result of the last twelve months, or since the start when
// the synergy is younger, with the period's name.
func lastYear(b map[metering.PeriodKind][]metering.Result, v *visit) (*metering.Result, string) {
	for _, k := range []metering.PeriodKind{metering.PeriodYear, metering.PeriodToDate} {
		if list := b[k]; len(list) > 0 {
			r := list[len(list)-1]
			name := metering.PeriodYear
			if k == metering.PeriodToDate || r.To.Sub(r.From) < 360*24*time.Hour {
				name = metering.PeriodToDate
			}
			return &r, v.t("period."+string(name), v.lang.ShortDate(r.From), v.lang.ShortDate(r.To.Add(-time.Second)))
		}
	}
	return nil, ""
}

// lead says who gives what to whom, and since when.
func (v *visit) lead(s metering.Synergy, names map[string]string) string {
	donors, receivers, partners := parties(s)
	who := v.t("synergy.partners", joinNames(names, partners))
	if len(donors) > 0 && len(receivers) > 0 {
		who = v.t("synergy.from_to", joinNames(names, donors), joinNames(names, receivers))
	}
	if s.Since.IsZero() {
		return who + ". " + upper(v.t("status."+string(s.Status))) + "."
	}
	return who + ". " + upper(v.t("synergy.since", v.t("status."+string(s.Status)), v.lang.Date(s.Since))) + "."
}

// compare puts announced, expected and measured side by side.
func (v *visit) compare(s metering.Synergy, plan *savings.Plan, year *metering.Result, period string) []compared {
	var out []compared
	main, ok := metering.Figure{}, false
	if year != nil {
		main, ok = mainIndicator(s.Resource, *year)
	}
	var announced, studied map[metering.Indicator]float64
	if plan != nil {
		announced, studied = plan.Announced, plan.Expected
	}
	if !ok {
		for _, i := range metering.Indicators {
			if studied[i] > 0 {
				main.Indicator = i
				break
			}
		}
	}
	unit := v.t("indicator." + string(main.Indicator))
	if x := announced[main.Indicator]; x > 0 {
		note := v.t("synergy.a_year", unit) + v.t("sep") + v.t("synergy.said")
		out = append(out, compared{v.t("synergy.announced"), note, v.lang.Figure(metering.Figure{Indicator: main.Indicator, Amount: x})})
	}
	if x := studied[main.Indicator]; x > 0 {
		note := v.t("synergy.a_year", unit) + v.t("sep") + v.t("synergy.studied")
		out = append(out, compared{v.t("synergy.expected"), note, v.lang.Figure(metering.Figure{Indicator: main.Indicator, Amount: x})})
	}
	if ok {
		f := v.lang.Figure(main)
		note := period + v.t("sep") + v.t("figure.coverage", f.Coverage)
		if x, states := expected(plan, main.Indicator, year.From, year.To); states {
			note += v.t("sep") + v.t("synergy.same_time", v.lang.Figure(metering.Figure{Indicator: main.Indicator, Amount: rough(x)}))
		}
		out = append(out, compared{v.t("class.title." + string(main.Class)), note, f})
	}
	return out
}

// quarterIndicators are the columns of a synergy's tables, in this order.
var quarterIndicators = []metering.Indicator{metering.HeatDeliveredMWh, metering.BiomethaneMWh, metering.MaterialTonnes, metering.EnergyAvoidedMWh,
	metering.ElectricityUsedMWh, metering.CO2eAvoidedTonnes, metering.MoneySavedEUR, metering.WaterSavedM3, metering.DistanceAvoidedKM, metering.JobsKept}

// usedIndicators are the indicators that any of the results has.
func usedIndicators(results []metering.Result) []metering.Indicator {
	return slices.DeleteFunc(slices.Clone(quarterIndicators), func(i metering.Indicator) bool {
		return !slices.ContainsFunc(results, func(r metering.Result) bool { _, ok := figureOf(r, i); return ok })
	})
}

// quarterPlot is a synergy quarter by quarter: its main quantity beside the plan,
// and all of its figures in the table, the newest first.
func (v *visit) quarterPlot(s metering.Synergy, plan *savings.Plan, quarters []metering.Result) (*plot, error) {
	p := &plot{ID: "quarters", Title: v.t("quarters.title"), Empty: v.t("synergy.empty_why"), Class: "low"}
	if len(quarters) == 0 {
		return p, nil
	}
	indicators := usedIndicators(quarters)
	head := []cell{v.head("frame.quarter")}
	for _, i := range indicators {
		head = append(head, right(v.t("short."+string(i))))
	}
	p.Table = newTable("", append(head, v.headN("figure.coverage_head"), v.headN("figure.class_head"))...).cards()
	for _, r := range slices.Backward(quarters) {
		p.Table.add(v.quarterRow(s, r, indicators)...)
	}
	p.Open = true
	var main metering.Figure
	ok := false
	for _, r := range slices.Backward(quarters) {
		if main, ok = mainIndicator(s.Resource, r); ok {
			break
		}
	}
	if !ok {
		return p, nil
	}
	m := chart.Bars{Unit: v.lang.Unit(main.Indicator), Short: v.lang.Unit(main.Indicator)}
	got := chart.Bar{Name: v.t("quarters.actual"), Colour: resourceColour(s.Resource)}
	want := chart.Bar{Name: v.t("quarters.planned"), Colour: "soft", Strength: 0.35}
	planned := false
	for _, r := range quarters {
		m.Categories = append(m.Categories, v.lang.Quarter(calendar.QuarterOf(r.From)))
		f, ok := figureOf(r, main.Indicator)
		if !ok {
			f.Amount = chart.Missing
		}
		got.Values = append(got.Values, f.Amount)
		x, _ := expected(plan, main.Indicator, r.From, r.To)
		planned = planned || x > 0
		want.Values = append(want.Values, x)
	}
	m.Series = []chart.Bar{got}
	if planned {
		m.Series = append(m.Series, want)
	}
	p.Title, p.Caption = v.t("quarters.chart", v.t("indicator."+string(main.Indicator))), v.t("quarters.caption")
	return p.draw(m)
}

func (v *visit) quarterRow(s metering.Synergy, r metering.Result, indicators []metering.Indicator) []cell {
	q := calendar.QuarterOf(r.From)
	row := []cell{{Text: v.lang.Quarter(q), Href: "/synergies/" + s.ID + "?quarter=" + q.String()}}
	if v.s.o.Clock().Before(q.End()) {
		row[0].Note = v.t("quarter.running")
	}
	for _, i := range indicators {
		row = append(row, v.amountCell(r, i))
	}
	coverage, class := "", v.t("figure.undeclared")
	if f, ok := mainIndicator(s.Resource, r); ok {
		coverage, class = v.lang.Percent(f.Coverage, 1), v.t("class."+string(f.Class))
	}
	return append(row, right(coverage), right(class))
}

// synergyAlarms are the alarms, past ones too, of a synergy and of the meters
// inside its boundary that the person may know of.
func (v *visit) synergyAlarms(s metering.Synergy) ([]metering.Alarm, error) {
	all, err := v.s.o.Registry.Alarms(v.Request().Context(), registry.AlarmQuery{})
	if err != nil {
		return nil, err
	}
	shared, err := v.s.o.Registry.SharedMeters(v.Request().Context(), s.ID)
	if err != nil {
		return nil, err
	}
	var out []metering.Alarm
	for _, a := range all {
		if a.Subject == s.ID || slices.Contains(shared, a.Subject) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b metering.Alarm) int { return b.Since.Compare(a.Since) })
	return out, nil
}

// journal lists faults and notes with the time in which they held.
func (v *visit) journal(alarms []metering.Alarm) *table {
	if len(alarms) == 0 {
		return nil
	}
	t := newTable("", v.head("journal.from"), v.head("journal.to"), v.head("journal.what")).cards()
	for _, a := range alarms {
		until := v.t("journal.lasts")
		if !a.Until.IsZero() {
			until = v.lang.Moment(a.Until)
		}
		t.add(txt(v.lang.Moment(a.Since)), txt(until), txt(v.lang.Of(a.Text)))
	}
	return t
}

// shares says what each partner gains, as the plan splits the saving.
func (v *visit) shares(plan *savings.Plan, year *metering.Result, names map[string]string) *table {
	if plan == nil || year == nil || len(plan.Shares) == 0 {
		return nil
	}
	shown := slices.DeleteFunc([]metering.Indicator{metering.CO2eAvoidedTonnes, metering.MoneySavedEUR}, func(i metering.Indicator) bool {
		_, ok := figureOf(*year, i)
		return !ok
	})
	head := []cell{v.head("company.one"), v.headN("shares.share")}
	for _, i := range shown {
		head = append(head, right(v.t("short."+string(i))))
	}
	t := newTable(v.t("shares.caption"), head...).cards()
	for _, s := range plan.Shares {
		part := scaled(*year, s.Share)
		row := []cell{txt(names[s.Company]), right(v.lang.Percent(s.Share, 0))}
		for _, i := range shown {
			row = append(row, v.amountCell(part, i))
		}
		t.add(row...)
	}
	return t
}

// HasCourse says whether there is anything to show of the year.
func (p synergyPage) HasCourse() bool {
	return len(p.Baselines) > 0 || p.BaselineNote != "" || p.Cumulative != nil || p.Cusum != nil
}
