package worth

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
)

// Input is what proposals are made of. The grid is mended.
type Input struct {
	Grid    *heat.Grid
	Sources []heat.Source
	Needs   []*heat.Need
	Places  map[string]heat.Place
	Network heat.Network
	Kinds   asset.Kinds
	Day     time.Time
	Small   bool         // the firms are small or medium ones
	Faults  []heat.Fault // of the channels, for the pages of sources
}

// leastYears is how long readings must be for a proposal to be more than a lead.
const leastYears = 0.8

// Proposal is one use of one source's heat, with its worth. It is a lead, not a
// synergy, unless both sides are measured or balanced (grades A and B) over most
// of a year.
type Proposal struct {
	Source   *heat.Source
	Need     *heat.Need
	Kind     *asset.Kind // nil where the type is not known
	Internal bool
	KM       float64
	COP      float64 // 0: direct exchange
	Hours    float64 // a year
	Share    float64 // of the need
	// BalanceMWh is what the yearly balance, which does not look at time, would
	// promise.
	BalanceMWh float64
	PeakKW     float64
	Years      float64 // length of the data
	// InternalMWh a year are taken by the source's own site first.
	InternalMWh float64
	Lead        bool
	NeedGrade   heat.Grade
	Worth       *Worth
}

// leastMWh is the use below which nothing is proposed.
const leastMWh = 20

// siteKM is the route inside a site.
const siteKM = 0.1

// Rank makes a proposal of every source and need within reach, internal ones
// first served. Those that pay in the middle case, with what support is possible,
// come before the others, and the most tonnes of CO2e first. Proposals are each taken
// alone: several of one source or one need do not add up. The notes say which
// pairs could not be looked at.
func (r *Rules) Rank(in Input) ([]Proposal, []string, error) {
	left, open, taken := heat.InternalFirst(in.Grid, in.Sources, in.Needs)
	var out []Proposal
	add := func(p heat.Pair, i int, n *heat.Need, km float64, internal bool) error {
		x, err := r.propose(&in, p, &in.Sources[i], n, km, internal)
		if err == nil && x != nil {
			if !internal {
				x.InternalMWh = (in.Sources[i].MWh - left[i].MWh) / x.Years
			}
			out = append(out, *x)
		}
		return err
	}
	for _, p := range taken {
		if err := add(p, p.Source, in.Needs[p.Demand], siteKM, true); err != nil {
			return nil, nil, err
		}
	}
	var notes []string
	for _, n := range in.Needs {
		if !r.prices(n.Demand.Fuel, in.Day) {
			notes = append(notes, fmt.Sprintf("%s: fuel %q has no price in the rules; natural_gas is taken", n.Demand.ID, n.Demand.Fuel))
		}
	}
	for i := range left {
		for _, n := range open {
			s := &left[i]
			if s.Card.Site == n.Demand.Site { // what is left inside wants a pump
				p := heat.Balance(in.Grid, s, n, 1)
				p.MWh = 0
				if err := add(p, i, n, siteKM, true); err != nil {
					return nil, nil, err
				}
				continue
			}
			a, okA := in.Places[s.Card.Site]
			b, okB := in.Places[n.Demand.Site]
			if !okA || !okB {
				notes = append(notes, fmt.Sprintf("%s to %s: a site has no position", s.Card.ID, n.Demand.ID))
				continue
			}
			km, gain, ok := in.Network.Route(a, b)
			if !ok {
				continue
			}
			if err := add(heat.Balance(in.Grid, s, n, gain), i, n, km, false); err != nil {
				return nil, nil, err
			}
		}
	}
	sort.SliceStable(out, func(a, b int) bool {
		x, y := out[a].Worth, out[b].Worth
		if px, py := x.With.NPVEUR[middle] > 0, y.With.NPVEUR[middle] > 0; px != py {
			return px
		}
		return x.CO2eTonnes[middle] > y.CO2eTonnes[middle]
	})
	return out, notes, nil
}

// NeedGrade is the evidence of a need: its meter's, or a factor's where much of it
// is filled from like times.
func NeedGrade(n *heat.Need) heat.Grade {
	if n.EstimatedMWh > 0.2*n.MWh {
		return heat.GradeC
	}
	return heat.GradeA
}

// prices says whether a fuel has a price on a day; "" is natural gas.
func (r *Rules) prices(fuel string, day time.Time) bool {
	return fuel == "" || slices.ContainsFunc(r.Prices, func(p Price) bool { return p.Key == fuel && p.holds(day) })
}

// propose weighs direct exchange against a heat pump and keeps the better, if it
// saves CO2e and fuel costs at all.
func (r *Rules) propose(in *Input, p heat.Pair, s *heat.Source, n *heat.Need, km float64, internal bool) (*Proposal, error) {
	year := 8760 / (float64(in.Grid.Steps) * in.Grid.Step.Hours())
	x := &Proposal{Source: s, Need: n, Kind: in.Kinds.Of(s.Card), Internal: internal, KM: km, Share: p.Share, Hours: p.Hours * year, BalanceMWh: p.BalanceMWh * year, Years: 1 / year, NeedGrade: NeedGrade(n)}
	solid := func(g heat.Grade) bool { return g == heat.GradeA || g == heat.GradeB }
	x.Lead = !solid(s.Grade) || !solid(x.NeedGrade) || x.Years < leastYears
	project := Project{HalfShare: math.Hypot(s.HalfWidthMWh()/max(s.MWh, 1), x.NeedGrade.HalfWidth()), SpreadK: s.HighC - s.LowC,
		KM: km, Internal: internal, Fuel: n.Demand.Fuel, Efficiency: n.Demand.Efficiency(), Day: in.Day, Small: in.Small}
	if x.Kind != nil {
		project.SourceKind = x.Kind.Key
	}
	if !r.prices(project.Fuel, in.Day) {
		project.Fuel = ""
	}
	best := func(mwh, electricity, peak float64) (*Worth, error) {
		if mwh*year < leastMWh {
			return nil, nil
		}
		project.MWh, project.Electricity, project.PeakKW = mwh*year, electricity*year, peak
		return r.Evaluate(project)
	}
	direct, err := best(p.MWh, 0, p.PeakKW)
	if err != nil {
		return nil, err
	}
	pump, err := best(p.PumpMWh, p.PumpKWhE, p.PumpPeakKW)
	if err != nil {
		return nil, err
	}
	x.Worth, x.PeakKW = direct, p.PeakKW
	if pump != nil && p.PumpKWhE > 0 && (direct == nil || pump.Without.NPVEUR[middle] > direct.Without.NPVEUR[middle]) {
		x.Worth, x.PeakKW, x.COP, x.Hours = pump, p.PumpPeakKW, p.SCOP(), 0
		if n.MWh > 0 {
			x.Share = p.PumpMWh / n.MWh
		}
	}
	if x.Worth == nil || x.Worth.CO2eTonnes[middle] <= 0 || x.Worth.SavingEUR[middle] <= 0 {
		return nil, nil
	}
	return x, nil
}
