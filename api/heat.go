package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

type heatPage struct {
	Lead                        string
	Figures                     []compared
	NoPlan, Withdrawn, Deciding bool
	ShowLinks                   bool
	ToConfirm                   []proposalView
	Decided                     []decidedView
	Balance, Flow               *plot
	Targets                     *table
	Curves                      *curves
	Running                     []runningUse
}

// curves are the composite curves of one site or of all.
type curves struct {
	Sites, Seasons   []choice
	Composite, Grand *plot
}

// seenPlan is the part of the joint plan that a person may see. All says that its
// sums are among it: then every company of the plan is visible.
type seenPlan struct {
	metering.HeatPlan
	All bool
}

// visiblePlan cuts the plan down to the companies whose heat the person may see: a
// link needs both. ok is false before the first night.
func (v *visit) visiblePlan() (p seenPlan, ok bool, err error) {
	plan, err := v.s.o.Registry.HeatPlan(v.Request().Context())
	if errors.Is(err, registry.ErrNotFound) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	sees := func(company string) bool { return v.may(access.SeeOpportunities, company) }
	p = seenPlan{plan, !slices.ContainsFunc(plan.Companies, func(c string) bool { return !sees(c) })}
	if p.All {
		return p, true, nil
	}
	p.Links = slices.DeleteFunc(slices.Clone(plan.Links), func(l metering.HeatLink) bool { return !sees(l.From) || !sees(l.To) })
	p.Targets = slices.DeleteFunc(slices.Clone(plan.Targets), func(t metering.HeatTargets) bool { return t.Company == "" || !sees(t.Company) })
	return p, true, nil
}

// showHeat is the joint picture of waste heat: all of it for those who may see
// every company of the plan, one's own part for a company.
func showHeat(v *visit) error { return v.heat(http.StatusOK, "", "", "") }

// heat shows the page; problem is what a form of the given proposal lacked, with
// the reason that was written in it.
func (v *visit) heat(status int, proposal, reason, wrong string) error {
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	plan, ok, err := v.visiblePlan()
	if err != nil {
		return err
	}
	own := v.person.Company
	p := heatPage{NoPlan: !ok, Lead: v.t("plan.lead_own"), Withdrawn: ok && !plan.All && own == "", ShowLinks: ok && (plan.All || own != "")}
	if own == "" {
		p.Lead = v.t("opportunities.lead")
		if ok {
			p.Lead = v.t("plan.lead", v.lang.Date(plan.From), v.lang.Date(plan.To.AddDate(0, 0, -1)))
		}
	}
	if p.Deciding, err = v.deciding(&p, names, proposal, reason, wrong); err != nil {
		return err
	}
	if ok && plan.All {
		p.Figures = v.planFigures(plan.HeatPlan)
		if p.Balance, err = v.balance(plan.HeatPlan); err != nil {
			return err
		}
	}
	if p.ShowLinks {
		if p.Flow, err = v.links(plan.Links, names); err != nil {
			return err
		}
	}
	if p.ShowLinks && len(plan.Targets) > 0 {
		p.Targets = v.targets(plan.Targets, names)
		if p.Curves, err = v.curves(plan.Targets, names); err != nil {
			return err
		}
	}
	if p.Running, err = v.running("", names); err != nil {
		return err
	}
	return v.page(status, "heat", v.t("nav.heat"), p)
}

// mwh prints a yearly amount of heat without its interval.
func (v *visit) mwh(x float64) words.Figure {
	return plain(v.lang.Amount(rough(x)), v.t("axis.a_year", "MWh"))
}

func (v *visit) planFigures(p metering.HeatPlan) []compared {
	share := 0.0
	if p.BoundMWh > 0 {
		share = p.PlanMWh / p.BoundMWh
	}
	return []compared{
		{v.t("plan.bound"), v.t("plan.bound_note"), v.mwh(p.BoundMWh)},
		{v.t("plan.plan"), v.t("plan.plan_note", v.lang.Percent(share, 0), v.lang.Number(p.ProvedMWh, 0), v.gap(p.Gap)), v.mwh(p.PlanMWh)},
		{v.t("plan.internal"), v.t("plan.internal_note"), v.mwh(p.InternalMWh)},
		{v.t("plan.joint"), v.t("plan.joint_note", v.lang.Number(p.PumpMWh, 0), v.lang.Number(p.PumpElectricityMWh, 0), v.gap(p.JointGap)), v.mwh(p.JointMWh)},
		{v.t("plan.served"), v.t("plan.served_note"), v.mwh(p.ServedMWh)},
	}
}

// gap prints how far a plan may be from the optimum.
func (v *visit) gap(x float64) string {
	if x < 1e-6 {
		return v.lang.Percent(0, 0)
	}
	return v.lang.Percent(x, 4)
}

// balance shows how much of the heat remains on the way to the plan.
func (v *visit) balance(p metering.HeatPlan) (*plot, error) {
	rows := []struct {
		key string
		mwh float64
	}{{"plan.rejected", p.SourcesMWh}, {"plan.needed", p.NeedsMWh}, {"plan.bound", p.BoundMWh}, {"plan.plan", p.PlanMWh}, {"plan.joint", p.JointMWh}, {"plan.served", p.ServedMWh}}
	bar := chart.Bar{Name: v.t("plan.amount"), Colour: "heat"}
	m := chart.Bars{Unit: v.t("axis.a_year", "MWh"), Short: "MWh"}
	t := newTable("", v.head("plan.amount"), right(v.t("axis.a_year", "MWh")))
	for _, r := range rows {
		m.Categories = append(m.Categories, v.t(r.key))
		bar.Values = append(bar.Values, r.mwh)
		t.add(txt(v.t(r.key)), right(v.lang.Number(r.mwh, 0)))
	}
	m.Series = []chart.Bar{bar}
	title := v.t("plan.step", v.lang.Number(p.Minutes, 0))
	return (&plot{ID: "balance", Title: title, Caption: v.t("plan.balance_note"), Class: "low", Table: t}).draw(m)
}

// smallLink is the yearly heat, MWh, below which links stand together in one line.
const smallLink = 20

// links lists who would serve whom.
func (v *visit) links(all []metering.HeatLink, names map[string]string) (*plot, error) {
	if len(all) == 0 {
		return nil, nil
	}
	t := newTable("", v.head("links.source"), v.head("links.need"), v.headN("links.plan"), v.headN("links.pump"), v.headN("links.alone"), v.headN("links.peak"), v.headN("links.km"),
		v.head("links.evidence"), v.head("links.limit")).cards()
	m := chart.Sankey{}
	seen := map[string]bool{}
	node := func(id, name string, depth int) string {
		if !seen[id] {
			seen[id] = true
			m.Nodes = append(m.Nodes, chart.Node{ID: id, Name: name, Depth: depth})
		}
		return id
	}
	solid := func(grade string) bool { return grade == "A" || grade == "B" }
	rest, restMWh, restPump := 0, 0.0, 0.0
	for i, l := range all {
		if l.MWh+l.PumpMWh < smallLink && i >= 3 {
			rest++
			restMWh += l.MWh
			restPump += l.PumpMWh
			continue
		}
		kind := "links.lead"
		if solid(l.SourceGrade) && solid(l.NeedGrade) {
			kind = "links.synergy"
		}
		where := right(v.lang.Number(l.KM, 1))
		if l.From == l.To {
			where = right(v.t("links.inside"))
		}
		limit := v.t("links.never")
		if l.PinchShare > 0 {
			limit = v.t("links.of_hours", v.lang.Percent(l.PinchShare, 0))
		}
		evidence := noted(l.SourceGrade+" / "+l.NeedGrade, v.t(kind))
		if l.Running {
			evidence.Note = v.t("links.running")
		}
		source := noted(v.lang.Of(l.SourceName), names[l.From])
		if _, ok, err := v.opportunity(l.Source); err != nil {
			return nil, err
		} else if ok {
			source.Href = "/opportunities/" + l.Source
		}
		t.add(source, noted(v.lang.Of(l.NeedName), names[l.To]), right(v.lang.Number(l.MWh, 0)), right(v.lang.Number(l.PumpMWh, 0)), right(v.lang.Number(l.AloneMWh, 0)),
			right(v.lang.Amount(rough(l.PeakKW))), where, evidence, txt(limit))
		m.Links = append(m.Links, chart.Link{Source: node("s."+l.Source, v.lang.Of(l.SourceName), 0), Target: node("n."+l.Need, v.lang.Of(l.NeedName), 1), Weight: l.MWh + l.PumpMWh,
			Label: v.mwh(l.MWh + l.PumpMWh).String(), Colour: "heat"})
	}
	if rest > 0 {
		t.add(txt(v.lang.N("links.rest", rest)), txt(""), right(v.lang.Number(restMWh, 0)), right(v.lang.Number(restPump, 0)))
	}
	if len(m.Links) < 3 {
		m = chart.Sankey{} // the table says it all
	}
	p, err := (&plot{ID: "heatflow", Title: v.t("links.flow_title"), Caption: v.t("links.flow_caption"), Class: "tall", Table: t, Open: true}).draw(m)
	if len(m.Links) == 0 && p != nil {
		p.Model, p.Caption = nil, ""
	}
	return p, err
}

func (v *visit) siteName(company string, names map[string]string) string {
	if company == "" {
		return v.t("targets.all")
	}
	return names[company]
}

// targets lists the least utilities of each site.
func (v *visit) targets(all []metering.HeatTargets, names map[string]string) *table {
	t := newTable("", v.head("curves.site"), v.headN("targets.hot"), v.headN("targets.cold"), v.headN("targets.recovery"), v.headN("targets.pinch")).cards()
	for _, x := range all {
		pinches := v.t("targets.no_pinch")
		for _, s := range x.Seasons {
			if s.Season == 0 && len(s.PinchC) > 0 {
				pinches = v.lang.Number(s.PinchC[0], 1)
			}
		}
		n := func(mwh float64) cell { return right(v.lang.Number(mwh, 0)) }
		t.add(txt(v.siteName(x.Company, names)), n(x.HotMWh), n(x.ColdMWh), n(x.RecoveryMWh), right(pinches))
	}
	return t
}

// curves draws the composite curves of the site and season that were chosen: all
// together and winter unless others were.
func (v *visit) curves(all []metering.HeatTargets, names map[string]string) (*curves, error) {
	site, season := v.QueryParam("site"), v.QueryParam("season")
	known := func(company string) bool {
		return slices.ContainsFunc(all, func(t metering.HeatTargets) bool { return t.Company == company && len(t.Seasons) > 0 })
	}
	if !known(site) {
		site = ""
	}
	if !known(site) {
		if !known(v.person.Company) {
			return nil, nil
		}
		site = v.person.Company
	}
	out := &curves{}
	var chosen *metering.HeatSeason
	for i := len(all) - 1; i >= 0; i-- { // all together first
		x := &all[i]
		if len(x.Seasons) == 0 {
			continue
		}
		out.Sites = append(out.Sites, choice{x.Company, v.siteName(x.Company, names), x.Company == site})
		if x.Company != site {
			continue
		}
		chosen = &x.Seasons[0]
		for k := range x.Seasons {
			if strconv.Itoa(x.Seasons[k].Season) == season {
				chosen = &x.Seasons[k]
			}
		}
		for _, s := range x.Seasons {
			key := strconv.Itoa(s.Season)
			out.Seasons = append(out.Seasons, choice{key, v.t("season." + key), s.Season == chosen.Season})
		}
	}
	if len(out.Sites) == 1 {
		out.Sites = nil
	}
	kw := func(x float64) string { return v.lang.Amount(rough(x)) }
	line := func(name, colour string, points [][2]float64) chart.Line {
		l := chart.Line{Name: name, Colour: colour}
		for _, p := range points {
			l.Points = append(l.Points, chart.Point{X: p[0], Y: p[1]})
		}
		return l
	}
	rows := func(t *table, name string, points [][2]float64) {
		for _, p := range points {
			t.add(txt(name), right(v.lang.Number(p[0], 0)), right(v.lang.Number(p[1], 1)))
		}
	}
	head := func(celsius string) *table { return newTable("", txt(""), v.headN("curves.kw"), v.headN(celsius)) }

	t := head("curves.celsius")
	m := chart.Time{Axis: "number", XUnit: v.t("curves.kw"), Unit: v.t("curves.celsius"), Short: "°C"}
	for _, c := range []struct {
		key, colour string
		points      [][2]float64
	}{{"curves.hot", "heat", chosen.Hot}, {"curves.cold", "water", chosen.Cold}} {
		if len(c.points) > 0 {
			m.Series = append(m.Series, line(v.t(c.key), c.colour, c.points))
			rows(t, v.t(c.key), c.points)
		}
	}
	var err error
	caption := v.t("curves.caption", kw(chosen.RecoveryKW), kw(chosen.HotKW), kw(chosen.ColdKW))
	if out.Composite, err = (&plot{ID: "composite", Title: v.t("curves.composite"), Caption: caption, Table: t}).draw(m); err != nil {
		return nil, err
	}
	pinches := v.t("curves.no_pinch")
	g := chart.Time{Axis: "number", XUnit: v.t("curves.kw"), Unit: v.t("curves.shifted"), Short: "°C", Zero: false, Series: []chart.Line{line(v.t("curves.net"), "accent", chosen.Grand)}}
	if len(chosen.PinchC) > 0 {
		pinches = v.lang.Number(chosen.PinchC[0], 1) + "\u00a0°C"
		g.Levels = []chart.Mark{{At: chosen.PinchC[0], Label: pinches}}
	}
	t = head("curves.shifted")
	rows(t, v.t("curves.net"), chosen.Grand)
	out.Grand, err = (&plot{ID: "grand", Title: v.t("curves.grand"), Caption: v.t("curves.grand_note", pinches), Table: t}).draw(g)
	return out, err
}
