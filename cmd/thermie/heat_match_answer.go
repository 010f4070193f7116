package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"text/tabwriter"
	"time"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/matching"
	"github.com/thermie/thermie/analytics/plot"
)

// matchAnswer is what heat match found.
type matchAnswer struct {
	options  *matchOptions
	site     *matching.Site
	routes   [][]matching.Route
	problem  *matching.Problem
	plan     *matching.Plan // all pairs, full resolution
	took     time.Duration
	bound    float64
	means    map[string]*matching.Plan
	pairs    []heat.Pair
	work     *matching.Problem // of the sparse network and the sensitivities
	averaged bool
	base     *matching.Plan
	network  *matching.SparsePlan
	fixed    [][]float64    // MWh of heat that each pair costs
	chosen   *matching.Plan // the sparse network at full resolution
	changes  []change
	joint    *jointAnswer   // with heat pumps and tanks; nil: left out
	measured *sourcesAnswer // of each source and need on its own
	faults   []faultAnswer
	warnings []string
}

// least is the heat below which a pair is not named, MWh.
const least = 0.05

func (a *matchAnswer) name(s, d int) string {
	return a.problem.Sources[s].ID + "->" + a.problem.Sinks[d].ID
}

// milli rounds to three decimals, for answers.
func milli(x float64) float64 { return round(x, 1000) }

func (a *matchAnswer) matrix(plan *matching.Plan) map[string]float64 {
	out := map[string]float64{}
	for s, row := range plan.MatrixMWh {
		for d, mwh := range row {
			if mwh >= least {
				out[a.name(s, d)] = milli(mwh)
			}
		}
	}
	return out
}

// optimum names the programme by its step.
func (a *matchAnswer) optimum() string {
	return fmt.Sprintf("lp_optimum_%dmin", int(math.Round(a.problem.Hours*60)))
}

// grades of both sides of a pair, and what it may be called.
func (a *matchAnswer) evidence(s, d int) (source, demand heat.Grade, status string) {
	source, demand = a.site.Sources[s].Grade, heat.GradeA
	if n := a.site.Needs[d]; n.Coverage < 0.8 {
		demand = heat.GradeD // mostly filled from like times
	}
	if source <= heat.GradeB && demand <= heat.GradeB {
		return source, demand, "synergy"
	}
	return source, demand, "lead"
}

// document is the answer for programs.
func (a *matchAnswer) document() map[string]any {
	p := a.problem
	out := map[string]any{
		"period": map[string]any{"from": a.site.Grid.Start.Format("2006-01-02T15:04Z"), "to": a.site.Grid.At(p.Steps).Format("2006-01-02T15:04Z"),
			"step_min": p.Hours * 60, "steps": p.Steps},
		"faults": append([]faultAnswer{}, a.faults...), "warnings": append([]string{}, a.warnings...),
	}
	out["sources"], out["demands"] = a.measured.sources, a.measured.demands
	for site, mwh := range a.measured.simultaneous {
		out[site+"_simultaneous_heat_and_cool_MWh"] = round(mwh, 10)
	}
	alone, pumps := map[string]any{}, map[string]any{}
	for _, x := range a.pairs {
		name := a.name(x.Source, x.Demand)
		source, demand, status := a.evidence(x.Source, x.Demand)
		if x.MWh >= least {
			alone[name] = map[string]any{"L_km": milli(x.KM), "delivered_MWh": milli(x.MWh), "hours": milli(x.Hours), "share_of_demand": round(x.Share, 1e4),
				"annual_balance_bound_MWh": milli(x.BalanceMWh), "coincidence": round(x.MWh/x.BalanceMWh, 1e4), "peak_kW": milli(x.PeakKW),
				"source_grade": source, "demand_grade": demand, "status": status}
			if share, at := p.Limit(x.Source, x.Demand); share > 0 {
				alone[name].(map[string]any)["limited_by_temperature"] = map[string]any{"share_of_hours": round(share, 1e4), "pinch_shifted_degC": round(at, 10)}
			}
			stores := make([]matching.Store, 0, len(a.options.stores))
			for _, kwh := range a.options.stores {
				stores = append(stores, matching.Store{CapacityKWh: kwh, LossPerHour: storeLossPerHour})
			}
			stored := p.Storage(x.Source, x.Demand, stores)
			by := map[string]float64{}
			for k, kwh := range a.options.stores {
				by[heat.Celsius(kwh)] = milli(stored.DeliveredMWh[k])
			}
			out["storage_"+p.Sources[x.Source].ID+"_to_"+p.Sinks[x.Demand].ID+"_hourly"] = map[string]any{
				"rule":       "hourly means; 0.3 % of the content lost each hour; the source serves now first, then fills the store; charged at the source's median temperature; optimal for this pair alone",
				"Tg_shifted": round(stored.LevelC, 100), "delivered_MWh_by_capacity_kWh": by}
		}
		if x.PumpMWh >= least {
			pumps[name] = map[string]any{"delivered_MWh": milli(x.PumpMWh), "electricity_MWh": milli(x.PumpKWhE), "SCOP": milli(x.SCOP()), "peak_kW": milli(x.PumpPeakKW),
				"T_target_max_C": milli(x.PumpTargetMax)}
		}
	}
	out["pairs_alone"] = alone
	out["heat_pump_pairs"] = map[string]any{"pairs": pumps,
		"rule": "COP = 0.5 Th/(Th-Tl), logarithmic mean temperatures in K, the need's raised and the source's lowered by its contribution; delivered = min(need, source heat x gain x COP/(COP-1)); targets up to 110 degC; a large lift needs a machine of several stages"}
	optimum := a.planOf(a.plan)
	// A bound is never rounded down: what is delivered, rounded, must not pass it.
	optimum["bound_MWh"], optimum["gap"], optimum["unproved_steps"] = math.Ceil(1000*a.deliveredBound()-1e-6)/1000, a.plan.Gap, a.plan.Unproved
	if len(a.options.weights) > 0 {
		optimum["weights"], optimum["worth"] = a.options.weights, milli(a.plan.Worth)
	}
	optimum["wall_s"] = milli(a.took.Seconds())
	optimum["proof"] = "dual prices of every step, feasible by construction: no plan delivers more than bound_MWh"
	out[a.optimum()] = optimum
	for name, plan := range a.means {
		out["lp_optimum_"+name] = a.planOf(plan)
	}
	out["upper_bound"] = map[string]any{"MWh": milli(a.bound), "sources_MWh": milli(sum(a.site.Sources, func(s heat.Source) float64 { return s.MWh })),
		"demands_MWh": milli(sum(a.site.Needs, func(n *heat.Need) float64 { return n.MWh })),
		"meaning":     "heat cascade of every step without distances: no plan of direct exchange and no sum of its proposals passes it; heat pumps and tanks may"}
	out["sparse_network"] = a.sparseOf()
	out["sensitivities"] = a.changesOf()
	if a.joint != nil {
		out["joint_plan"] = a.jointOf()
		if a.joint.network != nil {
			out["joint_network"] = a.networkOf()
		}
	}
	return out
}

// deliveredBound is what no plan can pass: of worth if needs are weighed, else of
// heat, for which the preference of short ways in the weights is taken out.
func (a *matchAnswer) deliveredBound() float64 {
	least := 1.0
	if len(a.options.weights) == 0 {
		for s, row := range a.problem.Gain {
			for d, g := range row {
				if g > 0 {
					least = min(least, a.problem.Weight[s][d])
				}
			}
		}
	}
	return a.plan.Bound / least
}

func sum[T any](list []T, of func(T) float64) (total float64) {
	for _, x := range list {
		total += of(x)
	}
	return total
}

func (a *matchAnswer) planOf(plan *matching.Plan) map[string]any {
	return map[string]any{"delivered_MWh": milli(plan.DeliveredMWh), "matrix_MWh": a.matrix(plan)}
}

// resolution says on which steps the network and the sensitivities were computed.
func (a *matchAnswer) resolution() string { return resolution(a.averaged) }

func resolution(averaged bool) string {
	if averaged {
		return "hourly means"
	}
	return "the data's own steps"
}

func (a *matchAnswer) sparseOf() map[string]any {
	proposals := map[string]any{}
	total, cost := 0.0, 0.0
	part := a.part()
	for s, row := range a.chosen.MatrixMWh {
		for d, mwh := range row {
			if !a.network.Open[s][d] {
				continue
			}
			source, demand, status := a.evidence(s, d)
			eur := a.options.annuity(a.routes[s][d].KM)
			proposals[a.name(s, d)] = map[string]any{"delivered_MWh": milli(mwh), "L_km": milli(a.routes[s][d].KM), "peak_kW": milli(a.chosen.PeakKW[s][d]),
				"cost_EUR_per_year": round(eur, 1), "source_grade": source, "demand_grade": demand, "status": status}
			total += mwh
			cost += eur * part
		}
	}
	return map[string]any{"proposals": proposals, "delivered_MWh": milli(total), "share_of_optimum": round(ratio(total, a.plan.DeliveredMWh), 1e4),
		"net_EUR": round(total*a.options.heatValue-cost, 1), "chosen_on": a.resolution(), "gap": round(a.network.Gap, 1e6), "solves": a.network.Solves,
		"heat_value_EUR_per_MWh": a.options.heatValue, "pipe_EUR_per_m": a.options.pipe, "station_EUR": a.options.station}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (a *matchAnswer) changesOf() map[string]any {
	out := map[string]any{"computed_on": a.resolution(), "base_MWh": milli(a.base.DeliveredMWh)}
	for _, c := range a.changes {
		out[c.name] = map[string]any{"delivered_MWh": milli(c.mwh), "change": round(ratio(c.mwh, a.base.DeliveredMWh)-1, 1e4)}
	}
	return out
}

// print writes the answer for people.
func (a *matchAnswer) print(out io.Writer) error {
	fmt.Fprintf(out, "%s to %s, %d steps of %g min\n", a.site.Grid.Start.Format("2006-01-02"), a.site.Grid.At(a.problem.Steps).Format("2006-01-02"), a.problem.Steps, a.problem.Hours*60)
	fmt.Fprintf(out, "Optimum of all pairs together: %.1f MWh, proved to %.2g; upper bound of the site without distances: %.1f MWh\n", a.plan.DeliveredMWh, a.plan.Gap, a.bound)
	for _, name := range []string{"hour", "day"} {
		if m := a.means[name]; m != nil {
			fmt.Fprintf(out, "  means of a %s would promise %.1f MWh (%+.1f %%)\n", name, m.DeliveredMWh, 100*(ratio(m.DeliveredMWh, a.plan.DeliveredMWh)-1))
		}
	}
	fmt.Fprintf(out, "Network worth building (%g EUR/MWh, %g EUR/m, gap %.1f %%): %.1f MWh\n\n", a.options.heatValue, a.options.pipe, 100*a.network.Gap, a.chosen.DeliveredMWh)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "PAIR\tkm\tALONE MWh\tTOGETHER\tBUILT\tPEAK kW\tHOURS\tOF NEED\tGRADES\t\t")
	list := slices.Clone(a.pairs)
	sort.SliceStable(list, func(i, j int) bool {
		return a.chosen.MatrixMWh[list[i].Source][list[i].Demand]+1e-6*list[i].MWh > a.chosen.MatrixMWh[list[j].Source][list[j].Demand]+1e-6*list[j].MWh
	})
	for _, x := range list {
		if x.MWh < least {
			continue
		}
		source, demand, status := a.evidence(x.Source, x.Demand)
		mark := "-"
		if a.network.Open[x.Source][x.Demand] {
			mark = fmt.Sprintf("%.1f", a.chosen.MatrixMWh[x.Source][x.Demand])
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%.1f\t%s\t%.0f\t%.0f\t%.1f %%\t%s/%s\t%s\t\n", a.name(x.Source, x.Demand), x.KM, x.MWh, a.plan.MatrixMWh[x.Source][x.Demand], mark,
			x.PeakKW, x.Hours, 100*x.Share, source, demand, status)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a.printJoint(out)
	fmt.Fprintf(out, "\nPairs alone may not be added up. If (on %s):\n", a.resolution())
	for _, c := range a.changes {
		fmt.Fprintf(out, "  %-24s %10.1f MWh  %+.1f %%\n", c.name, c.mwh, 100*(ratio(c.mwh, a.base.DeliveredMWh)-1))
	}
	for _, f := range a.faults {
		fmt.Fprintf(out, "%s: %v, %s to %s UTC; %s\n", f.Kind, f.Channels, f.From, f.To, f.Treatment)
	}
	for _, m := range a.warnings {
		fmt.Fprintf(out, "note: %s\n", m)
	}
	return nil
}

// charts draw each pair's heat, and the days.
func (a *matchAnswer) charts() []plot.Chart {
	bars := plot.Chart{Title: "Heat delivered, all pairs together (dark: in the network worth building)", XLabel: "", YLabel: "MWh"}
	for s, row := range a.plan.MatrixMWh {
		for d, mwh := range row {
			if mwh >= least || a.network.Open[s][d] {
				bars.Bars = append(bars.Bars, plot.Bar{Name: a.name(s, d), Height: max(mwh, a.chosen.MatrixMWh[s][d]), Inner: a.chosen.MatrixMWh[s][d]})
			}
		}
	}
	perDay := max(1, int(24/a.problem.Hours))
	daily := func(kw func(i int) float64) (out [][2]float64) {
		for from := 0; from < a.problem.Steps; from += perDay {
			mwh := 0.0
			for i := from; i < min(from+perDay, a.problem.Steps); i++ {
				if q := kw(i); q > 0 {
					mwh += q * a.problem.Hours / 1000
				}
			}
			out = append(out, [2]float64{float64(from / perDay), mwh})
		}
		return out
	}
	total := func(list []matching.Stream) func(int) float64 {
		return func(i int) (q float64) {
			for k := range list {
				if list[k].KW[i] > 0 {
					q += list[k].KW[i]
				}
			}
			return q
		}
	}
	days := plot.Chart{Title: "By day", XLabel: "Days since " + a.site.Grid.Start.Format("2006-01-02"), YLabel: "MWh a day", Lines: []plot.Line{
		{Name: "needed", Points: daily(total(a.problem.Sinks))},
		{Name: "delivered, optimum", Points: daily(func(i int) float64 { return a.plan.ByStepKW[i] })},
		{Name: "delivered, built", Points: daily(func(i int) float64 { return a.chosen.ByStepKW[i] })},
	}}
	return append(append([]plot.Chart{bars, days}, a.jointCharts()...), a.diagrams()...)
}

// diagrams draw temperature against heat for each pair of the network.
func (a *matchAnswer) diagrams() []plot.Chart {
	var out []plot.Chart
	for s, row := range a.network.Open {
		for d, open := range row {
			if !open {
				continue
			}
			hot, cold, at := a.problem.Curves(s, d)
			c := plot.Chart{Title: a.name(s, d) + ", its median moment", XLabel: "Heat, kW (after losses of the way)", YLabel: "Shifted temperature, °C",
				Lines: []plot.Line{{Name: "source", Points: hot}, {Name: "need", Points: cold}}}
			if !math.IsNaN(at) {
				c.Marks = []plot.Mark{{Y: at, Text: fmt.Sprintf("pinch %.1f °C", at)}}
			}
			out = append(out, c)
		}
	}
	return out
}
