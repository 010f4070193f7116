package api

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// planView is a measurement and verification plan as people read it.
type planView struct {
	Title, Version, Approved, Hash string
	Facts                          []pair
	Meters, Prices                 *table
	Costs, Adjustments             *table
	Unreadable                     bool
}

// planView words the plan in force. r is a result made under it, whose factors
// are shown.
func (v *visit) planView(stored *registry.Plan, plan *savings.Plan, names map[string]string, r *metering.Result) (*planView, error) {
	if stored == nil {
		return nil, nil
	}
	p := &planView{Version: v.t("plan.version", stored.Version), Hash: stored.Hash, Unreadable: plan == nil,
		Approved: v.t("plan.approved", v.lang.Date(stored.ApprovedAt), v.named(stored.ApprovedBy))}
	if plan == nil {
		return p, nil
	}
	p.Title = v.lang.Of(plan.Title)
	p.Facts = []pair{{v.t("plan.option"), v.t("option." + string(plan.Option))}}
	if b := v.lang.Of(plan.Boundary); b != "" {
		p.Facts = append(p.Facts, pair{v.t("plan.boundary"), b})
	}
	if from := plan.Baseline.From.Time(); !from.IsZero() {
		p.Facts = append(p.Facts, pair{v.t("plan.baseline"), v.between(from, plan.Baseline.To.Time())})
	}
	reporting := v.t("plan.from", v.lang.Date(plan.Reporting.From.Time()))
	if to := plan.Reporting.To.Time(); !to.IsZero() {
		reporting = v.between(plan.Reporting.From.Time(), to)
	}
	p.Facts = append(p.Facts, pair{v.t("plan.reporting"), reporting})
	for _, f := range plan.StaticFactors {
		p.Facts = append(p.Facts, pair{v.t("plan.static"), v.lang.Of(f)})
	}
	var err error
	if p.Meters, err = v.planMeters(plan); err != nil {
		return nil, err
	}
	if r != nil {
		if p.Prices, err = v.planPrices(plan, r.FactorSet); err != nil {
			return nil, err
		}
	}
	p.Costs, p.Adjustments = v.planCosts(plan, names), v.planAdjustments(plan)
	return p, nil
}

func (v *visit) planMeters(plan *savings.Plan) (*table, error) {
	if len(plan.Meters) == 0 {
		return nil, nil
	}
	known, err := v.members()
	if err != nil {
		return nil, err
	}
	t := newTable("", v.head("meter.one"), v.head("plan.role"), v.head("plan.accuracy")).cards()
	for _, m := range plan.Meters {
		name := m.Series.Meter()
		if i := slices.IndexFunc(known.meters, func(x registry.Installation) bool { return x.ID == name }); i >= 0 {
			name = v.lang.Of(known.meters[i].Name)
		}
		accuracy := v.className(m.Accuracy.Class)
		if m.Accuracy.Half90 > 0 {
			accuracy = "± " + v.lang.Percent(m.Accuracy.Half90, 1)
		}
		t.add(noted(name, string(m.Series)), txt(v.lang.Or("meter_role."+string(m.Role), string(m.Role))), txt(accuracy))
	}
	return t, nil
}

// planPrices says what each flow of the plan is worth, in the set of factors that
// its figures were made with.
func (v *visit) planPrices(plan *savings.Plan, ref string) (*table, error) {
	set, err := v.factorSetOf(ref)
	if err != nil || set == nil || len(plan.Values) == 0 {
		return nil, err
	}
	t := newTable(v.t("methods.set", ref), v.head("plan.flow"), v.head("plan.factor"), v.head("plan.price")).cards()
	for _, f := range indicators.Flows {
		value, ok := plan.Values[f]
		if !ok {
			continue
		}
		factor, price := txt(""), txt("")
		if x, err := set.Factor(value.Factor); err == nil {
			factor = noted(v.lang.Number(x.Amount, decimals(x.Amount))+" "+v.factorUnit(x.Unit), v.lang.Of(x.Name)+v.t("sep")+v.lang.Set(x.Source.Publisher))
		}
		if x, err := set.Tariff(value.Tariff); err == nil {
			price = noted(v.priceNow(x)+" "+v.factorUnit(x.Unit), v.lang.Of(x.Name))
		}
		t.add(txt(v.t("flow."+string(f))), factor, price)
	}
	return t, nil
}

func (v *visit) planCosts(plan *savings.Plan, names map[string]string) *table {
	if len(plan.Costs) == 0 {
		return nil
	}
	t := newTable("", v.head("plan.cost"), v.headN("plan.cost_amount"), v.head("plan.paid")).cards()
	for _, c := range plan.Costs {
		var amounts []string
		if c.EURPerYear != 0 {
			amounts = append(amounts, v.t("plan.eur_year", v.lang.Money(c.EURPerYear)))
		}
		if c.EURPerMWh != 0 {
			amounts = append(amounts, v.t("plan.eur_mwh", v.lang.Money(c.EURPerMWh)))
		}
		to := v.t("plan.third_party")
		if c.PaidTo != "" {
			to = v.t("plan.paid_to", names[c.PaidTo])
		}
		t.add(txt(v.lang.Of(c.Name)), right(strings.Join(amounts, v.t("plan.plus"))), noted(names[c.PaidBy], to))
	}
	return t
}

func (v *visit) planAdjustments(plan *savings.Plan) *table {
	if len(plan.Adjustments) == 0 {
		return nil
	}
	t := newTable("", v.head("plan.adjust_from"), v.headN("plan.adjust_amount"), v.head("plan.adjust_why"), v.head("plan.adjust_state")).cards()
	for _, a := range plan.Adjustments {
		state := v.t("plan.proposed")
		if a.AcceptedBy != "" {
			state = v.t("plan.accepted", v.named(a.AcceptedBy), v.lang.Date(a.AcceptedAt))
		}
		if a.RefusedBy != "" {
			state = v.t("plan.refused", v.named(a.RefusedBy), v.lang.Date(a.RefusedAt))
		}
		amount, half := v.lang.PlusMinus(a.KWhPerDay, a.Half90)
		if half != "" {
			amount += "\u00a0±\u00a0" + half
		}
		t.add(txt(v.lang.ShortDate(a.From.Time())), right(amount), txt(v.lang.Of(a.Reason)), txt(state))
	}
	return t
}

// className writes "EN 1434 class 2" in the page's language.
func (v *visit) className(class string) string {
	if v.lang == words.FR {
		return strings.ReplaceAll(class, " class ", " classe ")
	}
	return class
}

// chain tells how a saving comes about, one step for each figure, with the
// formula and the numbers that stand in the plan and its set of factors.
func (v *visit) chain(plan *savings.Plan, r *metering.Result) ([]step, error) {
	if r == nil {
		return nil, nil
	}
	set, err := v.factorSetOf(r.FactorSet)
	if err != nil {
		return nil, err
	}
	var out []step
	for _, i := range []metering.Indicator{metering.HeatDeliveredMWh, metering.BiomethaneMWh, metering.MaterialTonnes, metering.WaterSavedM3,
		metering.ElectricityUsedMWh, metering.EnergyAvoidedMWh, metering.PrimaryEnergyMWh, metering.DistanceAvoidedKM, metering.CO2eAvoidedTonnes,
		metering.CO2eScope1Tonnes, metering.CO2eScope2Tonnes, metering.CO2eScope3Tonnes, metering.MoneySavedEUR, metering.JobsKept} {
		f, ok := figureOf(*r, i)
		if !ok {
			continue
		}
		name := v.t("chain." + string(i))
		if i == metering.EnergyAvoidedMWh {
			name = v.t("chain.avoided." + avoidedEnergy(plan))
		}
		formula := v.formula(i, f, plan, set)
		if i == metering.CO2eScope3Tonnes {
			formula += v.unsplit(*r)
		}
		out = append(out, step{Name: name, Figure: v.lang.Figure(f), Class: v.t("class." + string(f.Class)), Formula: formula})
	}
	return out, nil
}

// avoidedEnergy is the one energy that a plan displaces, or "energy" for several.
func avoidedEnergy(plan *savings.Plan) string {
	if plan == nil || len(plan.Displaced) != 1 {
		return "energy"
	}
	switch e := string(plan.Displaced[0].Energy); e {
	case "gas", "oil", "electricity", "heat_network", "wood":
		return e
	}
	return "energy"
}

// formula says in words how one figure is made.
func (v *visit) formula(i metering.Indicator, f metering.Figure, plan *savings.Plan, set *indicators.Set) string {
	if f.Class == metering.ClassDeclared && i != metering.CO2eAvoidedTonnes && i != metering.MoneySavedEUR {
		return v.t("formula.declared")
	}
	switch i {
	case metering.HeatDeliveredMWh, metering.WaterSavedM3, metering.ElectricityUsedMWh:
		return v.t("formula.registers", v.meterNames(plan, i))
	case metering.EnergyAvoidedMWh:
		if plan == nil || len(plan.Displaced) == 0 {
			if plan != nil && plan.Option == savings.OptionC {
				return v.t("formula.baseline")
			}
			return v.t("formula.plan")
		}
		d := plan.Displaced[0]
		ratio := d.PCSPerPCI
		if ratio == 0 {
			return v.t("formula.avoided_simple", v.lang.Number(d.EfficiencyPCI, 2), v.lang.Of(d.Source))
		}
		return v.t("formula.avoided", v.lang.Number(d.EfficiencyPCI, 2), v.lang.Number(ratio, 2), v.lang.Of(d.Source))
	case metering.CO2eAvoidedTonnes:
		return v.formulaCO2e(plan, set)
	case metering.PrimaryEnergyMWh:
		return v.formulaPrimary(set)
	case metering.CO2eScope1Tonnes, metering.CO2eScope2Tonnes, metering.CO2eScope3Tonnes:
		return v.t("formula.scope")
	case metering.MoneySavedEUR:
		return v.formulaMoney(plan, set)
	case metering.BiomethaneMWh:
		return v.t("formula.biomethane")
	}
	return v.t("formula.plan")
}

// meterNames names the registers behind an indicator.
func (v *visit) meterNames(plan *savings.Plan, i metering.Indicator) string {
	role := map[metering.Indicator]savings.Role{metering.HeatDeliveredMWh: savings.RoleHeat, metering.WaterSavedM3: savings.RoleWater, metering.ElectricityUsedMWh: savings.RoleElectricity}[i]
	if plan == nil {
		return v.t("formula.of_plan")
	}
	known, err := v.members()
	if err != nil {
		return v.t("formula.of_plan")
	}
	meters := known.meters
	var names []string
	for _, m := range plan.Meters {
		if m.Role != role {
			continue
		}
		j := slices.IndexFunc(meters, func(x registry.Installation) bool { return x.ID == m.Series.Meter() })
		if j >= 0 {
			names = append(names, v.lang.Of(meters[j].Name))
		}
	}
	if len(names) == 0 {
		return v.t("formula.of_plan")
	}
	return strings.Join(names, ", ")
}

func (v *visit) formulaCO2e(plan *savings.Plan, set *indicators.Set) string {
	if set == nil || plan == nil {
		return v.t("formula.plan")
	}
	var said []string
	for _, f := range indicators.Flows {
		if x, err := set.Factor(plan.Values[f].Factor); err == nil {
			said = append(said, v.t("formula.factor", v.t("flow."+string(f)), v.lang.Number(x.Amount, decimals(x.Amount)), v.factorUnit(x.Unit)))
		}
	}
	if len(said) == 0 {
		return v.t("formula.plan")
	}
	head := v.t("formula.co2e")
	if _, uses := plan.Values[indicators.Electricity]; uses {
		head += v.t("formula.co2e_less")
	}
	return head + ". " + upper(strings.Join(said, v.t("sep"))) + v.t("formula.set", set.Ref())
}

func (v *visit) formulaPrimary(set *indicators.Set) string {
	if set == nil {
		return v.t("formula.plan")
	}
	var said []string
	for _, p := range set.Primary {
		said = append(said, v.t("formula.factor", v.t("flow."+string(p.Flow)), v.lang.Number(p.KWhPerKWh, decimals(p.KWhPerKWh)), p.Source.Publisher))
	}
	return v.t("formula.primary", upper(strings.Join(said, v.t("sep"))), set.Ref())
}

// unsplit says what of the emissions no scope has, because their factor is
// published as a whole; "" when all of them are split.
func (v *visit) unsplit(r metering.Result) string {
	all, _ := figureOf(r, metering.CO2eAvoidedTonnes)
	rest := all.Amount
	for _, i := range metering.Scopes {
		part, _ := figureOf(r, i)
		rest -= part.Amount
	}
	if math.Abs(rest) < 1e-3*math.Abs(all.Amount) {
		return ""
	}
	return v.t("formula.scope_rest", v.lang.Amount(rest))
}

func (v *visit) formulaMoney(plan *savings.Plan, set *indicators.Set) string {
	if set == nil || plan == nil {
		return v.t("formula.plan")
	}
	head, said := v.t("formula.money"), []string(nil)
	if plan.Values[indicators.Electricity].Tariff != "" {
		head += v.t("formula.money_less")
	}
	if slices.ContainsFunc(plan.Costs, func(c savings.Cost) bool { return c.PaidTo == "" }) {
		head += v.t("formula.money_costs")
	}
	for _, f := range indicators.Flows {
		if x, err := set.Tariff(plan.Values[f].Tariff); err == nil {
			said = append(said, v.t("formula.factor", v.t("flow."+string(f)), v.priceNow(x), v.factorUnit(x.Unit)))
		}
	}
	if len(said) == 0 {
		return v.t("formula.plan")
	}
	return head + ". " + upper(strings.Join(said, v.t("sep")))
}

// factorSetOf returns a set of factors by its printed name, "fr-2026 v3"; nil
// when there is none that can be read.
func (v *visit) factorSetOf(ref string) (*indicators.Set, error) {
	sets, err := v.s.o.Registry.FactorSets(v.Request().Context())
	if err != nil {
		return nil, err
	}
	for _, x := range sets {
		if x.Ref() != ref {
			continue
		}
		set, err := indicators.ParseSet([]byte(x.Body))
		if err != nil {
			v.s.o.Log.Warn("dashboard: factor set cannot be read", "set", ref, "error", err)
			return nil, nil
		}
		return set, nil
	}
	return nil, nil
}

// evidence lists what people declared for a synergy in the year that ends with a
// quarter, the newest first, with the documents that they name.
func (v *visit) evidence(s metering.Synergy, plan *savings.Plan, names map[string]string, q calendar.Quarter) (*table, error) {
	from, to := q.Add(-3).Start(), q.End()
	list, err := v.s.o.Registry.Declarations(v.Request().Context(), s.ID, from, to)
	if err != nil {
		return nil, err
	}
	t := newTable(v.t("evidence.year", v.between(from, to)), v.head("evidence.period"), v.head("evidence.what"), v.headN("evidence.amount"), v.head("evidence.document"), v.head("evidence.by")).cards()
	for _, d := range slices.Backward(list) {
		f := v.lang.Figure(metering.Figure{Indicator: d.Indicator, Amount: d.Amount.Float64(), Half90: d.Half90.Float64()})
		by := noted(names[d.Company], v.t("evidence.entered", v.named(d.DeclaredBy), v.lang.ShortDate(d.DeclaredAt)))
		t.add(txt(v.between(d.From, d.To)), txt(v.t("indicator."+string(d.Indicator))), right(f.String()),
			v.documents(d.Evidence), by)
	}
	if plan != nil {
		for _, d := range plan.Declared {
			for _, e := range d.Evidence {
				amount := v.lang.Figure(metering.Figure{Indicator: d.Indicator, Amount: d.Amount, Half90: d.Half90}).String()
				if d.PerYear {
					amount += v.t("evidence.per_year")
				}
				t.add(txt(v.t("evidence.in_plan")), txt(v.t("indicator."+string(d.Indicator))), right(amount), noted(v.lang.Or("evidence."+e.Kind, e.Kind), e.Reference), txt(names[d.By]))
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil, nil
	}
	return t, nil
}

// documents names the documents behind a declaration.
func (v *visit) documents(list []registry.Evidence) cell {
	var kinds, refs []string
	for _, e := range list {
		kinds = append(kinds, v.lang.Or("evidence."+e.Kind, e.Kind))
		refs = append(refs, strings.TrimSpace(e.Reference+" "+e.Text))
	}
	return noted(strings.Join(slices.Compact(kinds), ", "), v.lang.Set(strings.Join(refs, ", ")))
}

// named is the name of the person with an e-mail address, or the address of
// somebody who has no account.
func (v *visit) named(email string) string {
	all, err := v.s.o.Accounts.List(v.Request().Context())
	if err != nil {
		v.s.o.Log.Warn("dashboard: names of people", "error", err)
	}
	for _, a := range all {
		if strings.EqualFold(a.Email, email) {
			return a.Name
		}
	}
	return email
}

// between writes a half-open period by its first and last day.
func (v *visit) between(from, to time.Time) string {
	return v.t("period.between", v.lang.ShortDate(from), v.lang.ShortDate(to.Add(-time.Second)))
}
