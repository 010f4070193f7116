package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/thermie/thermie/analytics/matching"
	"github.com/thermie/thermie/analytics/plot"
)

// jointNetwork is what is worth building of pipes, heat pumps and tanks.
type jointNetwork struct {
	chosen *matching.SparseStoredPlan
	on     string // steps on which it was chosen
	plan   *matching.StoredPlan
	of     []int // of each tank of the plan, its place among all
}

// chooseAlways is up to how many steps the choice is made without being asked for.
const chooseAlways = 10_000

// jointBuild chooses, on hourly means, and evaluates the choice on the steps of the
// joint plan.
func (a *matchAnswer) jointBuild(ctx context.Context) error {
	j, o := a.joint, &a.options.joint
	effort := o.effort
	if effort == 0 {
		if a.problem.Steps > chooseAlways {
			return nil
		}
		effort = 120
	}
	p := j.problem
	n := &jointNetwork{on: j.on}
	if hour := perHour(p); hour > 1 {
		p, n.on = p.Averaged(hour), resolution(true)
	}
	c := matching.Costs{Pipe: a.fixed}
	for range p.Sources {
		c.Pump = append(c.Pump, slices.Repeat([]float64{a.heatOf(o.pumpFixed)}, len(p.Sinks)))
	}
	for k := range j.tanks {
		c.Tank = append(c.Tank, a.heatOf(o.tankEUR*j.tanks[k].CapacityKWh))
	}
	var err error
	if n.chosen, err = matching.SparseStored(ctx, p, j.tanks, c, effort); err != nil {
		return err
	}
	built := *j.problem
	built.Gain = make([][]float64, len(p.Gain))
	for s := range p.Gain {
		built.Gain[s] = slices.Clone(p.Gain[s])
		for d := range built.Gain[s] {
			if !n.chosen.Pipes[s][d] {
				built.Gain[s][d] = 0
			}
		}
	}
	may := func(s, d int) bool { return n.chosen.Pipes[s][d] && n.chosen.Pumps[s][d] }
	built.Lifts = slices.DeleteFunc(slices.Clone(p.Lifts), func(l matching.Lift) bool { return !may(l.Source, l.Sink) })
	var tanks []matching.Tank
	for k := range j.tanks {
		if !n.chosen.Tanks[k] {
			continue
		}
		t := j.tanks[k]
		if t.Home > 0 {
			s := t.Home - 1
			t.Out = slices.Clone(t.Out)
			for d := range t.Out {
				if !n.chosen.Pipes[s][d] {
					t.Out[d] = 0
				}
			}
			t.OutLifts = slices.DeleteFunc(slices.Clone(t.OutLifts), func(l matching.Lift) bool { return !may(s, l.Sink) })
		} else {
			d := -1 - t.Home
			t.In = slices.Clone(t.In)
			for s := range t.In {
				if !n.chosen.Pipes[s][d] {
					t.In[s] = 0
				}
			}
			t.InLifts = slices.DeleteFunc(slices.Clone(t.InLifts), func(l matching.Lift) bool { return !may(l.Source, d) })
		}
		tanks, n.of = append(tanks, t), append(n.of, k)
	}
	if n.plan, err = matching.SolveStored(ctx, &built, tanks, matching.StoredOptions{Gap: o.gap}); err != nil {
		return err
	}
	j.network = n
	return nil
}

// heatOf is an investment in MWh of heat over the time of the data.
func (a *matchAnswer) heatOf(eur float64) float64 {
	return a.options.capital() * eur * a.part() / a.options.heatValue
}

// networkCost is the yearly cost of what is built, EUR.
func (a *matchAnswer) networkCost() (eur float64) {
	j := a.joint
	for s, row := range j.network.chosen.Pipes {
		for d, is := range row {
			if is {
				eur += a.options.annuity(a.routes[s][d].KM)
			}
			if j.network.chosen.Pumps[s][d] {
				eur += a.options.capital() * a.options.joint.pumpFixed
			}
		}
	}
	for _, k := range j.network.of {
		eur += a.options.capital() * a.options.joint.tankEUR * j.tanks[k].CapacityKWh
	}
	return eur
}

func (a *matchAnswer) networkOf() map[string]any {
	n, o := a.joint.network, &a.options.joint
	pipes, tanks := map[string]any{}, map[string]any{}
	for s, row := range n.chosen.Pipes {
		for d, is := range row {
			if !is {
				continue
			}
			source, demand, status := a.evidence(s, d)
			x := map[string]any{"L_km": milli(a.routes[s][d].KM), "delivered_MWh": milli(n.plan.MatrixMWh[s][d]), "peak_kW": milli(n.plan.PeakKW[s][d]),
				"cost_EUR_per_year": round(a.options.annuity(a.routes[s][d].KM), 1), "heat_pump": n.chosen.Pumps[s][d], "source_grade": source, "demand_grade": demand, "status": status}
			if n.plan.LiftMWh != nil {
				x["heat_pump_MWh"] = milli(n.plan.LiftMWh[s][d])
			}
			pipes[a.name(s, d)] = x
		}
	}
	for i, k := range n.of {
		t := &a.joint.tanks[k]
		tanks[fmt.Sprintf("%d:%s", k+1, t.ID)] = map[string]any{"capacity_kWh": t.CapacityKWh, "T_shifted": round(t.LevelC, 10), "cost_EUR_per_year": round(a.options.capital()*o.tankEUR*t.CapacityKWh, 1),
			"delivered_MWh": milli(sum(n.plan.Tanks[i].OutMWh, func(v float64) float64 { return v }))}
	}
	return map[string]any{"proposals": pipes, "tanks": tanks, "delivered_MWh": milli(n.plan.DeliveredMWh), "electricity_MWh": milli(n.plan.ElectricityMWh),
		"net_EUR": round(n.plan.Worth*a.joint.value-a.networkCost()*a.part(), 1), "plan_gap": n.plan.Gap,
		"chosen_on": n.on, "chosen_net_EUR": round(n.chosen.Net*a.joint.value, 1), "chosen_bound_EUR": round(n.chosen.Bound*a.joint.value, 1), "gap": round(n.chosen.Gap, 1e6), "solves": n.chosen.Solves,
		"pump_fixed_EUR": o.pumpFixed, "tank_EUR_per_kWh": o.tankEUR}
}

func (a *matchAnswer) printNetwork(out io.Writer) {
	n := a.joint.network
	if n == nil {
		return
	}
	fmt.Fprintf(out, "Worth building with heat pumps and tanks (gap %.1f %%): %.1f MWh, %.1f MWh of electricity, %.0f EUR a year after costs\n", 100*n.chosen.Gap, n.plan.DeliveredMWh, n.plan.ElectricityMWh,
		n.plan.Worth*a.joint.value/a.part()-a.networkCost())
	for s, row := range n.chosen.Pipes {
		for d, is := range row {
			if !is {
				continue
			}
			fmt.Fprintf(out, "  %s, %.2f km: %.1f MWh", a.name(s, d), a.routes[s][d].KM, n.plan.MatrixMWh[s][d])
			if n.chosen.Pumps[s][d] && n.plan.LiftMWh != nil {
				fmt.Fprintf(out, ", %.1f by heat pump", n.plan.LiftMWh[s][d])
			}
			fmt.Fprintln(out)
		}
	}
	for i, k := range n.of {
		fmt.Fprintf(out, "  tank at %s, %g kWh: %.1f MWh through it\n", a.joint.tanks[k].ID, a.joint.tanks[k].CapacityKWh, sum(n.plan.Tanks[i].OutMWh, func(v float64) float64 { return v }))
	}
}

// jointCharts draw what heat pumps deliver in the joint plan, and what tanks hold.
func (a *matchAnswer) jointCharts() []plot.Chart {
	j := a.joint
	if j == nil {
		return nil
	}
	bars := plot.Chart{Title: "With heat pumps and tanks, all pairs together (dark: lifted)", YLabel: "MWh"}
	for s, row := range j.plan.MatrixMWh {
		for d, mwh := range row {
			if mwh < least {
				continue
			}
			lifted := 0.0
			if j.plan.LiftMWh != nil {
				lifted = j.plan.LiftMWh[s][d]
			}
			bars.Bars = append(bars.Bars, plot.Bar{Name: a.name(s, d), Height: mwh, Inner: lifted})
		}
	}
	held := plot.Chart{Title: "Tanks, mean content by day", XLabel: "Days since " + a.site.Grid.Start.Format("2006-01-02"), YLabel: "kWh"}
	perDay := max(1, int(24/j.problem.Hours))
	for k, x := range j.plan.Tanks {
		line := plot.Line{Name: "tank at " + j.tanks[k].ID}
		for from := 0; from < len(x.ContentKWh); from += perDay {
			day := x.ContentKWh[from:min(from+perDay, len(x.ContentKWh))]
			line.Points = append(line.Points, [2]float64{float64(from / perDay), sum(day, func(v float64) float64 { return v }) / float64(len(day))})
		}
		held.Lines = append(held.Lines, line)
	}
	if len(bars.Bars) == 0 {
		return nil
	}
	if len(held.Lines) == 0 {
		return []plot.Chart{bars}
	}
	return []plot.Chart{bars, held}
}
