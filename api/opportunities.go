package api

import (
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

type opportunitiesPage struct {
	Table  *table
	Months *plot
}

// visibleOpportunities are those of companies that the person may see, best
// first, each with only those uses whose company is visible too.
func (v *visit) visibleOpportunities() ([]metering.Opportunity, error) {
	all, err := v.s.o.Registry.Opportunities(v.Request().Context())
	if err != nil {
		return nil, err
	}
	var out []metering.Opportunity
	for _, o := range all {
		if o.Company == "" || !v.may(access.SeeOpportunities, o.Company) {
			continue
		}
		o.Uses = slices.DeleteFunc(slices.Clone(o.Uses), func(u metering.Use) bool { return u.Company == "" || !v.may(access.SeeOpportunities, u.Company) })
		out = append(out, o)
	}
	return out, nil
}

func showOpportunities(v *visit) error {
	list, err := v.visibleOpportunities()
	if err != nil {
		return err
	}
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	p := opportunitiesPage{}
	if len(list) > 0 {
		p.Table = newTable("", v.head("opportunity.one"), v.head("opportunity.grade"), v.headN("opportunity.mwh"), v.headN("opportunity.firm"),
			v.headN("opportunity.temperature"), v.head("opportunity.best_use")).cards()
		p.Months = v.opportunityMonths(list)
	}
	for i, o := range list {
		best := cell{Text: v.t("opportunity.no_use")}
		if len(o.Uses) > 0 {
			u := o.Uses[0]
			best = noted(names[u.Company], v.lang.Of(u.How))
		}
		amount, half := v.lang.PlusMinus(o.MWhPerYear, o.Half90)
		if half != "" {
			amount += "\u00a0± " + half
		}
		name := cell{Text: v.lang.Number(float64(i+1), 0) + ". " + v.lang.Of(o.Name), Href: "/opportunities/" + o.ID, Note: names[o.Company]}
		p.Table.add(name,
			noted(v.t("grade.short", o.Grade), v.t("grade."+o.Grade)), right(amount), right(v.lang.Amount(rough(o.FirmKW))),
			right(v.temperatures(o)), best)
	}
	return v.page(http.StatusOK, "opportunities", v.t("nav.opportunities"), p)
}

func (v *visit) temperatures(o metering.Opportunity) string {
	return v.t("opportunity.between", v.lang.Number(o.LowC, 0), v.lang.Number(o.HighC, 0))
}

// opportunityMonths shows when the heat comes, for the five largest.
func (v *visit) opportunityMonths(list []metering.Opportunity) *plot {
	m := chart.Bars{Unit: "MWh", Short: "MWh", Categories: v.months(), Stacked: true}
	t := newTable("", append([]cell{v.head("opportunity.one")}, monthHeads(m.Categories)...)...)
	t.Class = "compact"
	for i, o := range list {
		if i == 5 || len(o.MonthlyMWh) != 12 {
			break
		}
		m.Series = append(m.Series, chart.Bar{Name: v.lang.Of(o.Name), Colour: "heat", Strength: 1 - 0.18*float64(i), Values: o.MonthlyMWh})
		row := []cell{txt(v.lang.Of(o.Name))}
		for _, x := range o.MonthlyMWh {
			row = append(row, right(v.lang.Number(x, 0)))
		}
		t.add(row...)
	}
	if len(m.Series) == 0 {
		return nil
	}
	p, err := (&plot{ID: "months", Title: v.t("opportunity.months_all"), Caption: v.t("opportunity.months_all_caption"), Table: t}).draw(m)
	if err != nil {
		v.s.o.Log.Error("dashboard: chart", "error", err)
	}
	return p
}

func (v *visit) months() []string {
	var out []string
	for m := range 12 {
		out = append(out, v.lang.ShortMonth(monthOf(m)))
	}
	return out
}

func monthHeads(names []string) []cell {
	var out []cell
	for _, n := range names {
		out = append(out, right(n))
	}
	return out
}

type opportunityPage struct {
	Name, Company, Grade, GradeWhy string
	Figures                        []compared
	Why, Against, Next             string
	Uses                           *table
	Profile                        *sourceProfile // nil until the next night
	Running                        []runningUse
	SeenBy                         string
	Leads                          []leadRow
}

// runningUse is a synergy that takes heat of the same company already, with what
// was announced, expected and measured of it.
type runningUse struct {
	Name, Href, Lead string
	Compared         []compared
}

// bands are the temperature bands of an opportunity, in order, with the
// strength of their colour.
var bands = []struct {
	key      string
	strength float64
}{{"<40", 0.25}, {"40-60", 0.45}, {"60-90", 0.65}, {"90-150", 0.85}, {">150", 1}}

func showOpportunity(v *visit) error {
	list, err := v.visibleOpportunities()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(o metering.Opportunity) bool { return o.ID == v.Param("opportunity") })
	if i < 0 {
		return errNotFound
	}
	o := list[i]
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	l := v.lang
	p := opportunityPage{Name: l.Of(o.Name), Company: names[o.Company], Grade: v.t("grade.short", o.Grade), GradeWhy: v.t("grade." + o.Grade),
		Why: l.Of(o.Why), Against: l.Of(o.Against), Next: l.Of(o.MeasureNext), SeenBy: v.seenBy(access.SeeOpportunities, o.Company)}
	energy := l.Figure(metering.Figure{Indicator: metering.HeatDeliveredMWh, Amount: o.MWhPerYear, Half90: o.Half90})
	p.Figures = []compared{
		{v.t("opportunity.mwh_name"), v.t("figure.coverage", l.Percent(o.Coverage, 0)), energy},
		{v.t("opportunity.typical"), v.t("opportunity.typical_note"), plain(l.Amount(rough(o.TypicalKW)), "kW")},
		{v.t("opportunity.firm_name"), v.t("opportunity.firm_note"), plain(l.Amount(rough(o.FirmKW)), "kW")},
		{v.t("opportunity.temperature_name"), l.N("opportunity.hours", int(math.Round(o.HoursAYear))), plain(l.Number(o.LowC, 0)+" – "+l.Number(o.HighC, 0), "°C")},
	}
	if len(o.Uses) > 0 {
		p.Uses = newTable("", v.head("company.one"), v.head("use.how"), v.headN("use.mwh"), v.headN("use.co2e"), v.headN("use.distance"), v.headN("use.payback"), v.headN("use.lcoh")).cards()
	}
	for _, u := range o.Uses {
		payback := v.t("use.no_payback")
		if u.PaybackYearsH > 0 {
			payback = v.t("use.years", l.Number(u.PaybackYears, 1), l.Number(u.PaybackYearsH, 1))
		}
		how := l.Of(u.How)
		if u.COP > 0 {
			how += v.t("use.cop", l.Number(u.COP, 1))
		}
		cost := ""
		if u.LCOHHighEUR > 0 {
			cost = v.t("use.years", l.Number(u.LCOHLowEUR, 0), l.Number(u.LCOHHighEUR, 0))
		}
		var support []string
		for _, s := range u.Support {
			support = append(support, l.Of(s))
		}
		use := txt(how)
		if len(support) > 0 {
			use = noted(how, v.t("use.support", strings.Join(support, v.t("sep"))))
		}
		heat := right(l.Amount(rough(u.MWhPerYear)))
		if u.PlannedMWh > 0 {
			heat.Note = v.t("profile.planned", l.Amount(rough(u.PlannedMWh)))
		}
		p.Uses.add(txt(names[u.Company]), use, heat, right(l.Amount(rough(u.CO2eTonnes))), right(l.Amount(rough(u.DistanceM))), right(payback), right(cost))
	}
	if p.Profile, err = v.sourceProfile(o); err != nil {
		return err
	}
	if p.Running, err = v.running(o.Company, names); err != nil {
		return err
	}
	if p.Leads, err = v.leadRows(func(l lead) bool { return l.Giver.Subject == o.ID }); err != nil {
		return err
	}
	return v.page(http.StatusOK, "opportunity", p.Name, p)
}

// running are the heat synergies that a company gives to, or all with "", as far
// as the person may see them, as they turned out: a new proposal is read beside them.
func (v *visit) running(company string, names map[string]string) ([]runningUse, error) {
	all, err := v.s.o.Registry.Synergies(v.Request().Context())
	if err != nil {
		return nil, err
	}
	var out []runningUse
	for _, s := range all {
		donors, _, _ := parties(s)
		if s.Resource != "heat" || !s.Status.Running() || company != "" && !slices.Contains(donors, company) || !v.may(access.SeeSynergy, s.ID) {
			continue
		}
		_, plan, err := v.planInForce(s.ID)
		if err != nil {
			return nil, err
		}
		var shown []metering.Result
		for _, k := range []metering.PeriodKind{metering.PeriodYear, metering.PeriodToDate} {
			some, err := v.results(registry.Query{Synergy: s.ID, Kind: k})
			if err != nil {
				return nil, err
			}
			shown = append(shown, some...)
		}
		year, period := lastYear(byKind(shown), v)
		if c := v.compare(s, plan, year, period); len(c) > 0 {
			out = append(out, runningUse{v.synergyName(s), "/synergies/" + s.ID, v.lead(s, names), c})
		}
	}
	return out, nil
}
