package api

import (
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

type overviewPage struct {
	Heading, Count, Companies, SeenBy, Partial, More, ToDatePeriod string
	Quarters                                                       []choice
	Quarter, ToDate                                                []total
	Flows                                                          *plot
	Todo                                                           []alarmLine
	Each                                                           *table
}

// maxTodo is how many alarms an overview shows before it says how many more.
const maxTodo = 8

func showOverview(v *visit) error {
	q, err := v.chosenQuarter()
	if err != nil {
		return err
	}
	ctx := v.Request().Context()
	m, err := v.members()
	if err != nil {
		return err
	}
	synergies := m.synergies
	now, err := v.quarterResults(q)
	if err != nil {
		return err
	}
	before, beforeName, err := v.yearBefore(q)
	if err != nil {
		return err
	}
	toDate, err := v.results(registry.Query{Kind: metering.PeriodToDate})
	if err != nil {
		return err
	}
	plans, err := v.plans(synergies)
	if err != nil {
		return err
	}
	first, err := v.firstQuarter("")
	if err != nil {
		return err
	}
	p := overviewPage{
		Heading: v.t("overview.quarter", v.lang.Quarter(q)), Count: v.lang.N("overview.count", len(synergies)), Companies: v.lang.N("overview.companies", len(m.companies)),
		SeenBy: v.seenBy(access.SeeSynergy, ""), Quarters: v.quarterChoices(first, q),
	}
	p.Quarter = v.totals(now, before, plans, beforeName)
	p.ToDate = v.totals(toDate, nil, nil, "")
	if from, to := hull(toDate); !from.IsZero() {
		p.ToDatePeriod = v.t("overview.from_to", v.lang.Date(from), v.lang.Date(to.Add(-time.Second)))
	}
	if _, to := hull(now); v.s.o.Clock().Before(q.End()) && !to.IsZero() {
		p.Partial = v.t("overview.running", v.lang.Date(to.Add(-time.Second)))
	}
	if p.Flows, err = v.flows(synergies, now, q); err != nil {
		return err
	}
	p.Each = v.synergyTable(synergies, now, plans)
	alarms, err := v.s.o.Registry.Alarms(ctx, registry.AlarmQuery{Open: true})
	if err != nil {
		return err
	}
	if p.Todo, err = v.alarms(alarms); err != nil {
		return err
	}
	if n := len(p.Todo) - maxTodo; n > 0 {
		p.Todo, p.More = p.Todo[:maxTodo], v.lang.N("alarms.more", n)
	}
	return v.page(http.StatusOK, "overview", v.t("overview.title"), p)
}

// results asks the registry and keeps what the person may see.
func (v *visit) results(q registry.Query) ([]metering.Result, error) {
	all, err := v.s.o.Registry.Results(v.Request().Context(), q)
	if err != nil {
		return nil, err
	}
	var out []metering.Result
	for _, r := range all {
		if v.may(access.SeeSynergy, r.Synergy) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (v *visit) quarterResults(q calendar.Quarter) ([]metering.Result, error) {
	all, err := v.results(registry.Query{Kind: metering.PeriodQuarter, From: q.Start(), To: q.End()})
	return slices.DeleteFunc(all, func(r metering.Result) bool { return !r.From.Equal(q.Start()) }), err
}

// yearBefore is what was saved in the same quarter a year before. While the
// quarter runs, only the same days of it count.
func (v *visit) yearBefore(q calendar.Quarter) ([]metering.Result, string, error) {
	past := q.Add(-4)
	if !v.s.o.Clock().Before(q.End()) {
		all, err := v.quarterResults(past)
		return all, v.lang.Quarter(past), err
	}
	days := calendar.Day(v.s.o.Clock()).Sub(q.Start())
	all, err := v.results(registry.Query{Kind: metering.PeriodDay, From: past.Start(), To: past.Start().Add(days)})
	return all, v.t("overview.same_days", v.lang.Quarter(past)), err
}

// hull is the period that results cover together; zero when there are none.
func hull(results []metering.Result) (from, to time.Time) {
	for _, r := range results {
		if from.IsZero() || r.From.Before(from) {
			from = r.From
		}
		if r.To.After(to) {
			to = r.To
		}
	}
	return from, to
}

// firstQuarter is that of the oldest result, so that no empty quarters are offered.
func (v *visit) firstQuarter(synergy string) (calendar.Quarter, error) {
	all, err := v.results(registry.Query{Synergy: synergy, Kind: metering.PeriodToDate})
	first, _ := hull(all)
	if first.IsZero() {
		first = v.s.o.Clock()
	}
	return calendar.QuarterOf(first), err
}

// totals prints the headline indicators of a set of results; none when there
// are no results. One without any amount is left out. Plan and year before stand
// beside a sum only for the same synergies: like is compared with like.
func (v *visit) totals(now, before []metering.Result, plans map[string]*savings.Plan, beforeName string) []total {
	if len(now) == 0 {
		return nil
	}
	all := sums(now)
	var out []total
	for _, i := range headline {
		s, ok := all[i]
		if !ok {
			continue
		}
		f := s.figure(i)
		t := total{Name: v.t("indicator." + string(i)), Figure: v.lang.Figure(f), Split: v.split(s), Coverage: v.lang.Percent(f.Coverage, 1)}
		if x, ok := planned(plans, now, i); ok {
			t.Planned = v.lang.Figure(metering.Figure{Indicator: i, Amount: rough(x)}).String()
		}
		if x, ok := alike(now, before, i); ok {
			t.Before = v.t("overview.was", beforeName, v.lang.Figure(metering.Figure{Indicator: i, Amount: rough(x)}).String())
		}
		out = append(out, t)
	}
	return out
}

// figureOf returns a figure of a result that says something: one without coverage
// and amount is still to be read or declared.
func figureOf(r metering.Result, i metering.Indicator) (metering.Figure, bool) {
	f, ok := r.Figure(i)
	return f, ok && (f.Coverage > 0 || f.Amount != 0)
}

// alike sums an indicator over those earlier results whose synergy has it now
// too; ok is false when there is none.
func alike(now, before []metering.Result, i metering.Indicator) (x float64, ok bool) {
	has := make(map[string]bool)
	for _, r := range now {
		_, has[r.Synergy] = figureOf(r, i)
	}
	for _, r := range before {
		if f, there := figureOf(r, i); there && has[r.Synergy] {
			x, ok = x+f.Amount, true
		}
	}
	return x, ok
}

// rough keeps three significant digits, for amounts that only compare.
func rough(x float64) float64 {
	if x == 0 {
		return 0
	}
	p := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*p) / p
}

// plans returns the approved plan in force of each synergy that the person may
// see, read as savings reads it.
func (v *visit) plans(synergies []metering.Synergy) (map[string]*savings.Plan, error) {
	out := make(map[string]*savings.Plan)
	for _, s := range synergies {
		if !v.may(access.SeeSynergy, s.ID) {
			continue
		}
		_, plan, err := v.planInForce(s.ID)
		if err != nil {
			return nil, err
		}
		if plan != nil {
			out[s.ID] = plan
		}
	}
	return out, nil
}

// planInForce is the newest approved plan, with what it says; nil when there
// is none. A plan that
// cannot be read is logged and shown as absent: figures do not depend on it here.
func (v *visit) planInForce(synergy string) (*registry.Plan, *savings.Plan, error) {
	all, err := v.s.o.Registry.Plans(v.Request().Context(), synergy)
	if err != nil {
		return nil, nil, err
	}
	var newest *registry.Plan
	for i := range all {
		if all[i].Approved() && (newest == nil || all[i].Version > newest.Version) {
			newest = &all[i]
		}
	}
	if newest == nil {
		return nil, nil, nil
	}
	if plan, ok := v.s.plans.Load(newest.Hash); ok {
		return newest, plan.(*savings.Plan), nil
	}
	plan, err := savings.ParsePlan([]byte(newest.Body))
	if err == nil {
		v.s.plans.Store(newest.Hash, plan)
	}
	if err != nil {
		v.s.o.Log.Warn("dashboard: plan cannot be read", "synergy", synergy, "version", newest.Version, "error", err)
		return newest, nil, nil
	}
	return newest, plan, nil
}

// planned adds up what plans expect of the synergies that have an indicator, each
// over the days that its result covers. ok is false when plans that say nothing
// of it leave out more than a twentieth of the sum: the plan would seem too small.
func planned(plans map[string]*savings.Plan, results []metering.Result, i metering.Indicator) (sum float64, ok bool) {
	with, all := 0.0, 0.0
	for _, r := range results {
		f, there := figureOf(r, i)
		if !there {
			continue
		}
		all += math.Abs(f.Amount)
		if x, states := expected(plans[r.Synergy], i, r.From, r.To); states {
			with += math.Abs(f.Amount)
			sum += x
		}
	}
	return sum, all > 0 && with >= 0.95*all
}

// expected is what a plan expects of an indicator in a period. A plan that states
// heat and what it displaces expects the energy avoided by that: heat over
// efficiency, in gross calorific value (the formula of analytics/savings).
func expected(plan *savings.Plan, i metering.Indicator, from, to time.Time) (float64, bool) {
	if plan == nil {
		return 0, false
	}
	x, ok := plan.ExpectedIn(i, from, to)
	if ok || i != metering.EnergyAvoidedMWh || len(plan.Displaced) == 0 {
		return x, ok
	}
	heat, ok := plan.ExpectedIn(metering.HeatDeliveredMWh, from, to)
	avoided := 0.0
	for _, d := range plan.Displaced {
		share, ratio := d.Share, d.PCSPerPCI
		if share == 0 {
			share = 1
		}
		if ratio == 0 {
			ratio = 1
		}
		avoided += heat * share / d.EfficiencyPCI * ratio
	}
	return avoided, ok
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// mainIndicator is what a synergy is about: what its flow carries.
func mainIndicator(resource string, r metering.Result) (metering.Figure, bool) {
	order := []metering.Indicator{metering.HeatDeliveredMWh, metering.BiomethaneMWh, metering.EnergyAvoidedMWh, metering.MaterialTonnes, metering.WaterSavedM3, metering.MoneySavedEUR}
	switch resource {
	case "water":
		order = []metering.Indicator{metering.WaterSavedM3, metering.EnergyAvoidedMWh, metering.MoneySavedEUR}
	case "material":
		order = []metering.Indicator{metering.BiomethaneMWh, metering.MaterialTonnes, metering.CO2eAvoidedTonnes, metering.MoneySavedEUR}
	case "service":
		order = []metering.Indicator{metering.JobsKept, metering.MoneySavedEUR}
	}
	for _, i := range order {
		if f, ok := figureOf(r, i); ok {
			return f, true
		}
	}
	return metering.Figure{}, false
}

// synergyTable is one row for each synergy with its figures of a period.
func (v *visit) synergyTable(synergies []metering.Synergy, results []metering.Result, plans map[string]*savings.Plan) *table {
	t := newTable("", v.head("synergy.one"), v.headN("short.energy"), v.headN("short.co2e"), v.headN("short.money"), v.headN("short.water"), v.headN("figure.coverage_head"), v.headN("synergy.of_plan")).cards()
	byID := make(map[string]metering.Result)
	for _, r := range results {
		byID[r.Synergy] = r
	}
	for _, s := range synergies {
		name := cell{Text: v.synergyName(s), Note: v.t("status." + string(s.Status))}
		if !v.may(access.SeeSynergy, s.ID) {
			name.Note = v.t("synergy.refused")
			t.add(name, right(""), right(""), right(""), right(""), right(""), right(""))
			continue
		}
		name.Href = "/synergies/" + s.ID
		r, ok := byID[s.ID]
		if !ok {
			t.add(name, right(""), right(""), right(""), right(""), right(""), right(v.t("figure.none")))
			continue
		}
		row := []cell{name}
		for _, i := range headline {
			row = append(row, v.amountCell(r, i))
		}
		if plan := plans[s.ID]; plan != nil {
			row[0].Note = v.t("class." + string(plan.Option.Class()))
		}
		coverage, ofPlan := "", v.t("figure.undeclared")
		if f, ok := mainIndicator(s.Resource, r); ok {
			row[0].Note = v.t("class." + string(f.Class))
			coverage, ofPlan = v.lang.Percent(f.Coverage, 1), ""
			if want, ok := expected(plans[s.ID], f.Indicator, r.From, r.To); ok && want > 0 {
				ofPlan = v.lang.Percent(f.Amount/want, 0)
			}
		}
		t.add(append(row, right(coverage), right(ofPlan))...)
	}
	return t
}

// amountCell is a figure in a table whose head names its unit.
func (v *visit) amountCell(r metering.Result, i metering.Indicator) cell {
	f, ok := figureOf(r, i)
	if !ok {
		return right("")
	}
	amount, half := v.lang.PlusMinus(f.Amount, f.Half90)
	if half != "" {
		amount += "\u00a0±\u00a0" + half
	}
	return right(amount)
}
