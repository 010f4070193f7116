package assessment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/matching"
	"github.com/thermie/thermie/analytics/pinch"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/metering"
)

// serve takes from each need what a running synergy brings its company already,
// and returns how much that is, MWh a year by company. What is left may be
// planned anew; a source's rule subtracts what it gives already.
func (r *run) serve(in *worth.Input) map[string]float64 {
	out := map[string]float64{}
	for _, s := range r.programme.synergies {
		if s.Resource != "heat" || !s.Status.Running() {
			continue
		}
		p := r.programme.planAt(s.ID, r.until)
		if p == nil {
			continue
		}
		for _, m := range p.Meters {
			if m.Role != savings.RoleHeat || m.Subtract {
				continue
			}
			meter := r.programme.meter[m.Series.Meter()]
			power, ok := in.Grid.Channels[string(metering.Series(meter.ID, metering.HeatPower))]
			if !ok {
				continue
			}
			for i, n := range in.Needs {
				if n.Demand.Site == meter.Company {
					var taken float64
					in.Needs[i], taken = less(in.Grid, n, power)
					out[meter.Company] += taken * 8760 / (float64(in.Grid.Steps) * in.Grid.Step.Hours())
					break
				}
			}
		}
	}
	return out
}

// less is a need without what is delivered already, and how much that is, MWh.
func less(g *heat.Grid, n *heat.Need, kw []float64) (*heat.Need, float64) {
	out := *n
	out.KW, out.MWh, out.EstimatedMWh, out.MaxKW = slices.Clone(n.KW), 0, 0, 0
	taken := 0.0
	for i, q := range out.KW {
		if q > 0 && kw[i] > 0 {
			served := min(q, kw[i])
			out.KW[i] -= served
			taken += served * g.Step.Hours() / 1000
		}
		if q := out.KW[i]; q > 0 {
			out.MWh += q * g.Step.Hours() / 1000
			if n.State[i] == heat.Estimated {
				out.EstimatedMWh += q * g.Step.Hours() / 1000
			} else {
				out.MaxKW = max(out.MaxKW, q)
			}
		}
	}
	return &out, taken
}

// ownFirst is what heat counts that a site takes itself, against 1 for others. One
// unit taken from a pair frees a unit at its source and one at its need, so it can
// let others have two more at most: above that, own use is served first in every
// optimum.
const ownFirst = 3

// plan makes the joint plan of those companies that let the animator see their
// heat, and stores it.
func (r *run) plan(ctx context.Context, rules *worth.Rules, in *worth.Input, known worth.Programme, served map[string]float64) (*metering.HeatPlan, error) {
	facts, err := r.Registry.Facts(ctx)
	if err != nil {
		return nil, err
	}
	year := 8760 / (float64(r.fine.Steps) * r.fine.Step.Hours())
	out := &metering.HeatPlan{From: r.fine.From.UTC(), To: r.until.UTC(), Minutes: r.fine.Step.Minutes()}
	site := &matching.Site{Grid: in.Grid, Places: in.Places, Network: in.Network}
	for _, c := range r.programme.companies {
		if !facts.Consented(c.ID, access.Animator, access.OpportunitiesMatter) {
			continue
		}
		out.Companies = append(out.Companies, c.ID)
		for _, s := range in.Sources {
			if s.Card.Site == c.ID {
				site.Sources = append(site.Sources, s)
				out.SourcesMWh += s.MWh * year
			}
		}
		for _, n := range in.Needs {
			if n.Demand.Site == c.ID {
				site.Needs = append(site.Needs, n)
				out.NeedsMWh += n.MWh * year
			}
		}
		out.ServedMWh += served[c.ID]
	}
	if r.fine.Steps > 0 && len(site.Sources) > 0 && len(site.Needs) > 0 {
		if err := r.joint(ctx, rules, site, out, known, year); err != nil {
			return nil, fmt.Errorf("joint plan: %w", err)
		}
	}
	if err := targets(ctx, site, out, year); err != nil {
		return nil, fmt.Errorf("pinch targets: %w", err)
	}
	return out, r.Registry.PutHeatPlan(ctx, *out)
}

// joint solves the plan of all sources and needs together: by direct exchange,
// and with heat pumps at the prices of the day.
func (r *run) joint(ctx context.Context, rules *worth.Rules, site *matching.Site, out *metering.HeatPlan, known worth.Programme, year float64) error {
	routes, err := site.Routes()
	if err != nil {
		return err
	}
	p, err := site.Problem()
	if err != nil {
		return err
	}
	own := func(s, d int) bool { return site.Sources[s].Card.Site == site.Needs[d].Demand.Site }
	for s := range p.Weight {
		for d := range p.Weight[s] {
			if own(s, d) {
				p.Weight[s][d] *= ownFirst
			}
		}
	}
	direct, err := matching.Solve(ctx, p, nil)
	if err != nil {
		return err
	}
	bound, err := p.UpperBound()
	if err != nil {
		return err
	}
	extra := 0.0
	for s, row := range direct.MatrixMWh {
		for d, mwh := range row {
			if own(s, d) {
				out.InternalMWh += mwh * year
				extra += mwh * (ownFirst - 1)
			}
		}
	}
	out.PlanMWh, out.BoundMWh, out.Gap = direct.DeliveredMWh*year, bound*year, direct.Gap
	// The proof is of weighted heat: without the weight of own use it bounds every
	// plan that serves own use as well. A weight is below 1 by the tie-break at most.
	out.ProvedMWh = min(bound, (direct.Bound-extra)*(1+1e-6)) * year

	lifted := *p
	if err := r.lift(rules, site, &lifted, own); err != nil {
		return err
	}
	plan, err := matching.Solve(ctx, &lifted, nil)
	if err != nil {
		return err
	}
	out.JointMWh, out.PumpElectricityMWh, out.JointGap = plan.DeliveredMWh*year, plan.ElectricityMWh*year, plan.Gap
	for s, row := range plan.MatrixMWh {
		for d, mwh := range row {
			pump := 0.0
			if plan.LiftMWh != nil {
				pump = plan.LiftMWh[s][d]
			}
			out.PumpMWh += pump * year
			if mwh*year < leastLinkMWh {
				continue
			}
			a, b := &site.Sources[s], site.Needs[d]
			l := metering.HeatLink{Source: a.Card.ID, From: a.Card.Site, SourceName: known.Names[a.Card.ID], Need: b.Demand.ID, To: b.Demand.Site, NeedName: known.Names[b.Demand.ID],
				MWh: (mwh - pump) * year, PumpMWh: pump * year, AloneMWh: p.Alone(s, d) * year, PeakKW: plan.PeakKW[s][d], KM: routes[s][d].KM, SourceGrade: string(a.Grade),
				NeedGrade: string(worth.NeedGrade(b)), Running: known.Connected[a.Card.Site+">"+b.Demand.Site]}
			l.PinchShare, _ = p.Limit(s, d)
			out.Links = append(out.Links, l)
		}
	}
	sort.SliceStable(out.Links, func(a, b int) bool {
		return out.Links[a].MWh+out.Links[a].PumpMWh > out.Links[b].MWh+out.Links[b].PumpMWh
	})
	return nil
}

const boilerShare = 0.81 // useful heat a unit of gas (gross)

// lift allows heat pumps on every pair that a pipe may join.
func (r *run) lift(rules *worth.Rules, site *matching.Site, p *matching.Problem, own func(s, d int) bool) error {
	heatEUR, electricityEUR, machineEUR, err := rules.LiftTerms(r.until, boilerShare, matching.PumpHours)
	if err != nil {
		return err
	}
	p.Machine = matching.Machine{Efficiency: matching.LorenzShare, MaxCOP: matching.MostCOP, Electricity: electricityEUR / heatEUR}
	p.Lifts = site.LiftAll(p, machineEUR/heatEUR, matching.PumpMaxC)
	for k := range p.Lifts {
		// The weight of own use is for heat that needs no machine.
		if l := &p.Lifts[k]; own(l.Source, l.Sink) {
			l.Cost += ownFirst - 1
		}
	}
	return nil
}

// leastLinkMWh a year are too few to name a pair.
const leastLinkMWh = 1

// targets adds the pinch targets of each company and of all together.
func targets(ctx context.Context, site *matching.Site, out *metering.HeatPlan, year float64) error {
	for _, company := range append(slices.Clone(out.Companies), "") {
		if err := ctx.Err(); err != nil {
			return err
		}
		var sources []heat.Source
		for _, s := range site.Sources {
			if company == "" || s.Card.Site == company {
				sources = append(sources, s)
			}
		}
		var needs []*heat.Need
		for _, n := range site.Needs {
			if company == "" || n.Demand.Site == company {
				needs = append(needs, n)
			}
		}
		if len(sources)+len(needs) == 0 {
			continue
		}
		t, err := heat.TargetsOf(site.Grid, sources, needs)
		if err != nil {
			return err
		}
		out.Targets = append(out.Targets, kept(company, &t, year))
	}
	return nil
}

// kept is what is stored of targets.
func kept(company string, t *heat.Targets, year float64) metering.HeatTargets {
	out := metering.HeatTargets{Company: company, HotMWh: t.HotMWh * year, ColdMWh: t.ColdMWh * year, RecoveryMWh: t.RecoveryMWh * year}
	for k := range t.Seasons {
		s := &t.Seasons[k]
		if len(s.Streams) == 0 {
			continue
		}
		x := metering.HeatSeason{Season: k, HotKW: s.HotUtilityKW, ColdKW: s.ColdUtilityKW, RecoveryKW: s.RecoveryKW, PinchC: s.Pinches}
		hot, cold := pinch.Composites(s.Streams, s.ColdUtilityKW)
		x.Hot, x.Cold = points(hot), points(cold)
		for _, l := range s.GrandComposite {
			x.Grand = append(x.Grand, [2]float64{tenth(l.KW), tenth(l.TShifted)})
		}
		out.Seasons = append(out.Seasons, x)
	}
	return out
}

func points(all []pinch.Point) [][2]float64 {
	out := make([][2]float64, 0, len(all))
	for _, p := range all {
		out = append(out, [2]float64{tenth(p.KW), tenth(p.Celsius)})
	}
	return out
}

// tenth rounds what is only drawn.
func tenth(x float64) float64 { return math.Round(x*10) / 10 }

// planned notes in the opportunities how much of each use the joint plan holds:
// these add up, the uses taken alone do not.
func planned(found []metering.Opportunity, plan *metering.HeatPlan) {
	for i := range found {
		o := &found[i]
		for k := range o.Uses {
			u := &o.Uses[k]
			for _, l := range plan.Links {
				switch {
				case l.Source != o.ID || l.To != u.Company:
				case u.COP == 0:
					u.PlannedMWh += l.MWh
				default:
					u.PlannedMWh += l.PumpMWh
				}
			}
		}
	}
}
