package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/matching"
	"github.com/thermie/thermie/cmd/frame"
)

// matchOptions are what the caller of heat match may choose.
type matchOptions struct {
	cards, data, picture string
	json                 bool
	effort               int       // yearly programmes that the choice of a network may solve
	heatValue            float64   // EUR a MWh of delivered heat
	pipe, station        float64   // EUR a metre of route, EUR a pair
	rate                 float64   // a year
	years                float64   // life of the investment
	stores               []float64 // kWh
	weights              map[string]string
	joint                jointOptions
}

func heatMatchCommand() *cobra.Command {
	var o matchOptions
	c := &cobra.Command{
		Use:   "match --cards CARDS.json --data DATA.csv.gz",
		Short: "Which source serves which need when: the proved optimum at the measured resolution",
		Long: `Balances every interval of the data between sources and needs: heat flows only to where
it is colder, less what the way loses. Says what each pair could deliver alone, the most
that all could deliver together with a proof, which few pipes are worth building, what
heat pumps and tanks add to it, and what other circumstances would change.

The linear programme, the rules and the formats: docs/heat-matching.md.`,
		Example: `  thermie heat match --cards cards.json --data year.csv.gz
  thermie heat match --cards cards.json --data year.csv.gz --json --plot match.svg
  thermie heat match --cards cards.json --data year.csv.gz --pipe-eur-per-m 700 --effort 60`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return frame.Usage(err)
			}
			in, err := readHeat(o.cards, o.data)
			if err != nil {
				return err
			}
			a, err := match(c.Context(), in, &o, c.ErrOrStderr())
			if err != nil {
				return err
			}
			if o.picture != "" {
				if err := drawTo(o.picture, a.charts()...); err != nil {
					return err
				}
			}
			if o.json {
				return printIndented(c.OutOrStdout(), a.document())
			}
			return a.print(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.cards, "cards", "", "assets, needs, sites and network (JSON)")
	f.StringVar(&o.data, "data", "", "meter channels on a regular grid (CSV, may be packed with gzip)")
	f.BoolVar(&o.json, "json", false, "answer for programs")
	f.StringVar(&o.picture, "plot", "", "draw pairs and days to this SVG file")
	f.IntVar(&o.effort, "effort", 0, "how many programmes the choice of a sparse network may solve; 0: 8 to 100, fewer for longer data")
	f.Float64Var(&o.heatValue, "heat-value", 55, "worth of a delivered MWh, EUR (natural gas of 45 EUR/MWh at 0.81)")
	f.Float64Var(&o.pipe, "pipe-eur-per-m", 500, "cost of a metre of pipe, EUR (published: 290 to 1074 at DN100)")
	f.Float64Var(&o.station, "station-eur", 60000, "cost of connecting a pair, EUR")
	f.Float64Var(&o.rate, "rate", 0.05, "interest rate a year")
	f.Float64Var(&o.years, "years", 20, "life of pipes and stations, years")
	f.Float64SliceVar(&o.stores, "store-kwh", []float64{0, 5000, 20000, 60000}, "sizes of store to try, kWh")
	o.joint.flags(f)
	f.StringToStringVar(&o.weights, "weight", nil, "what a MWh delivered to a need counts for, NEED=1.2; others count 1")
	return c
}

// weigh gives needs their weights.
func (o *matchOptions) weigh(p *matching.Problem) error {
	for _, id := range slices.Sorted(maps.Keys(o.weights)) {
		x, err := strconv.ParseFloat(o.weights[id], 64)
		if err != nil || !(x > 0 && x <= 1000) {
			return fmt.Errorf("--weight %s=%s: want a number above 0, up to 1000", id, o.weights[id])
		}
		d := slices.IndexFunc(p.Sinks, func(s matching.Stream) bool { return s.ID == id })
		if d < 0 {
			return fmt.Errorf("--weight %s: the cards name no such need that can be used", id)
		}
		for s := range p.Weight {
			p.Weight[s][d] *= x
		}
	}
	return nil
}

func (o *matchOptions) check() error {
	for name, x := range map[string]float64{"--heat-value": o.heatValue, "--years": o.years} {
		if !(x > 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%s %v: want more than 0", name, x)
		}
	}
	for name, x := range map[string]float64{"--pipe-eur-per-m": o.pipe, "--station-eur": o.station, "--rate": o.rate} {
		if !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%s %v: want 0 or more", name, x)
		}
	}
	for _, x := range o.stores {
		if !(x >= 0) || math.IsInf(x, 0) {
			return fmt.Errorf("--store-kwh %v: want 0 or more", x)
		}
	}
	if o.effort < 0 {
		return fmt.Errorf("--effort %d: want 1 or more", o.effort)
	}
	return o.joint.check()
}

// capital is the yearly cost of an invested euro.
func (o *matchOptions) capital() float64 {
	if o.rate > 0 {
		return o.rate / (1 - math.Pow(1+o.rate, -o.years))
	}
	return 1 / o.years
}

// annuity is the yearly cost of a pair, EUR.
func (o *matchOptions) annuity(km float64) float64 {
	return o.capital() * (o.pipe*1000*km + o.station)
}

// storeLossPerHour is the share of its content that a store loses in an hour.
const storeLossPerHour = 0.003

// coarse is how many steps the search for a sparse network and the sensitivities
// take as they are; longer data are averaged to hours for these two.
const coarse = 10_000

// match computes the answer.
func match(ctx context.Context, in *heatInput, o *matchOptions, progress io.Writer) (*matchAnswer, error) {
	site, measured, err := in.site()
	if err != nil {
		return nil, err
	}
	a := &matchAnswer{options: o, site: site, measured: measured, faults: measured.faults, warnings: measured.warnings}
	if len(site.Sources) == 0 || len(site.Needs) == 0 {
		return nil, frame.Usage(fmt.Errorf("nothing to match: %d sources and %d needs can be used; %s", len(site.Sources), len(site.Needs), lastOf(a.warnings)))
	}
	if a.routes, err = site.Routes(); err != nil {
		return nil, frame.Usage(err)
	}
	if a.problem, err = site.Problem(); err != nil {
		return nil, frame.Usage(err)
	}
	if err := o.weigh(a.problem); err != nil {
		return nil, frame.Usage(err)
	}
	if why := a.noPair(); why != "" {
		a.warnings = append(a.warnings, why)
	}
	began := time.Now()
	b := newBar(progress)
	a.plan, err = matching.Solve(ctx, a.problem, func(done, total int) { b.show(uint64(done), uint64(total)) })
	b.end()
	if err != nil {
		return nil, err
	}
	a.took = time.Since(began)
	if why := a.nothing(); why != "" {
		a.warnings = append(a.warnings, why)
	}
	if a.bound, err = a.problem.UpperBound(); err != nil {
		return nil, err
	}
	if a.means, err = a.averages(ctx); err != nil {
		return nil, err
	}
	if a.pairs, err = heat.Pairs(in.clean, site.Sources, demandsOf(site.Needs), site.Places, site.Network, in.cards.Weather); err != nil {
		return nil, frame.Usage(err)
	}
	a.work = a.problem
	if hour := perHour(a.problem); a.problem.Steps > coarse && hour > 1 {
		a.work, a.averaged = a.problem.Averaged(hour), true
	}
	if a.base, err = matching.Solve(ctx, a.work, nil); err != nil {
		return nil, err
	}
	if err := a.sparse(ctx); err != nil {
		return nil, err
	}
	if err := a.sensitivities(ctx); err != nil {
		return nil, err
	}
	if !o.joint.wanted(a.problem.Steps) {
		if o.joint.when == "auto" {
			a.warnings = append(a.warnings, fmt.Sprintf("%d steps: the joint plan with heat pumps and tanks was left out, --joint yes makes it", a.problem.Steps))
		}
		return a, nil
	}
	b = newBar(progress)
	defer b.end()
	return a, a.jointPlan(ctx, func(_ int, gap float64) {
		// The gap shrinks by powers of ten until it is small enough.
		done := math.Log(max(gap, o.joint.gap)) / math.Log(o.joint.gap)
		b.show(uint64(100*max(done, 0)), 100)
	})
}

// site runs cards and needs over the data. What cannot be used is said and left
// out.
func (in *heatInput) site() (*matching.Site, *sourcesAnswer, error) {
	measured, err := in.sources()
	if err != nil {
		return nil, nil, err
	}
	s := &matching.Site{Grid: in.grid, Places: in.cards.Places, Network: in.cards.Network}
	for _, x := range in.found {
		if _, ok := in.cards.Places[x.Card.Site]; ok { // else said by the reader of the cards
			s.Sources = append(s.Sources, x)
		}
	}
	for _, n := range in.needs {
		if _, ok := in.cards.Places[n.Demand.Site]; !ok {
			continue
		}
		if k := backwards(n); k > 0 {
			measured.warnings = append(measured.warnings, fmt.Sprintf("heat demand %s: impossible temperatures, to be heated to less than it comes with in %d of %d steps: left out", n.Demand.ID, k, in.grid.Steps))
			continue
		}
		s.Needs = append(s.Needs, n)
	}
	return s, measured, nil
}

// backwards counts the steps in which a need's target lies below its supply.
func backwards(n *heat.Need) (steps int) {
	for i := range n.TargetC {
		if n.TargetC[i] < n.SupplyC[i] {
			steps++
		}
	}
	return steps
}

func lastOf(list []string) string {
	if len(list) == 0 {
		return "the cards name none"
	}
	return list[len(list)-1]
}

func demandsOf(needs []*heat.Need) []heat.Demand {
	var out []heat.Demand
	for _, n := range needs {
		out = append(out, *n.Demand)
	}
	return out
}

// perHour is how many steps make an hour, 0 if they do not.
func perHour(p *matching.Problem) int { return whole(1 / p.Hours) }

func whole(x float64) int {
	if n := math.Round(x); math.Abs(x-n) < 1e-9 {
		return int(n)
	}
	return 0
}

// averages shows what tools that work with hourly or daily means would promise.
func (a *matchAnswer) averages(ctx context.Context) (map[string]*matching.Plan, error) {
	out := map[string]*matching.Plan{}
	for name, hours := range map[string]float64{"hour": 1, "day": 24} {
		if n := whole(hours / a.problem.Hours); n > 1 && n <= a.problem.Steps {
			plan, err := matching.Solve(ctx, a.problem.Averaged(n), nil)
			if err != nil {
				return nil, err
			}
			out[name] = plan
		}
	}
	return out, nil
}

// part is how much of a year the data are.
func (a *matchAnswer) part() float64 { return float64(a.problem.Steps) * a.problem.Hours / 8760 }

// sparse chooses the pairs that are worth their pipes, on the working problem,
// and evaluates the choice at the full resolution.
func (a *matchAnswer) sparse(ctx context.Context) error {
	fixed := make([][]float64, len(a.routes))
	part := a.part()
	for s, row := range a.routes {
		for _, r := range row {
			fixed[s] = append(fixed[s], a.options.annuity(r.KM)*part/a.options.heatValue)
		}
	}
	effort := a.options.effort
	if effort == 0 {
		effort = min(max(400_000/a.work.Steps, 8), 100)
	}
	var err error
	if a.network, err = matching.Sparse(ctx, a.work, fixed, effort); err != nil {
		return err
	}
	a.fixed = fixed
	built := *a.problem
	built.Gain = make([][]float64, len(a.routes))
	for s, row := range a.routes {
		for d, r := range row {
			if !a.network.Open[s][d] {
				r.Gain = 0
			}
			built.Gain[s] = append(built.Gain[s], r.Gain)
		}
	}
	a.chosen, err = matching.Solve(ctx, &built, nil)
	return err
}

// sensitivities solves the working problem under other circumstances.
func (a *matchAnswer) sensitivities(ctx context.Context) error {
	for _, v := range []struct {
		name   string
		change func(p *matching.Problem)
	}{
		{"heat_plus_10_percent", func(p *matching.Problem) { p.Sources = matching.Scaled(p.Sources, 1.1) }},
		{"heat_minus_10_percent", func(p *matching.Problem) { p.Sources = matching.Scaled(p.Sources, 0.9) }},
		{"sources_10_K_colder", func(p *matching.Problem) { p.Sources = matching.Warmed(p.Sources, -10) }},
		{"needs_10_K_colder", func(p *matching.Problem) { p.Sinks = matching.Warmed(p.Sinks, -10) }},
		{"half_the_distance", func(p *matching.Problem) {
			p.Gain = make([][]float64, len(a.routes))
			for s, row := range a.routes {
				for _, r := range row {
					gain := 0.0
					if km := r.KM / 2; km <= a.site.Network.MaxKM {
						gain = max(0, 1-a.site.Network.LossPerKM*km)
					}
					p.Gain[s] = append(p.Gain[s], gain)
				}
			}
		}},
	} {
		p := *a.work
		v.change(&p)
		plan, err := matching.Solve(ctx, &p, nil)
		if err != nil {
			return err
		}
		a.changes = append(a.changes, change{v.name, plan.DeliveredMWh})
	}
	return nil
}

type change struct {
	name string
	mwh  float64
}
