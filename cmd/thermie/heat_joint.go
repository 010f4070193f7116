package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/thermie/thermie/analytics/matching"
	"github.com/thermie/thermie/cmd/frame"
)

// jointOptions are what the caller may choose of the plan with heat pumps and tanks.
type jointOptions struct {
	when                   string // whether there is one: auto, yes, no
	full                   bool
	electricity            float64 // EUR a MWh
	efficiency, maxCOP     float64
	pumpEUR, pumpHours     float64 // EUR a kW of heat, hours a year over which it is spread
	maxTarget              float64 // degC
	tanks                  []string
	propose                int
	tankKWh, tankEUR, loss float64 // kWh, EUR a kWh, share lost in an hour
	gap                    float64
	pumpFixed              float64 // EUR a machine beside its size
	effort                 int     // rounds that the choice of what to build may take; 0: see jointBuild
}

func (o *jointOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.when, "joint", "auto", "whether to make the joint plan with heat pumps and tanks: yes, no, or auto: where the data have up to 10,000 steps or --tank, --joint-full or --joint-effort ask for it")
	f.BoolVar(&o.full, "joint-full", false, "the joint plan at the data's own steps also where they are more than 10,000; else hourly means")
	f.Float64Var(&o.electricity, "electricity-eur-per-mwh", 119, "price of electricity for heat pumps, EUR a MWh")
	f.Float64Var(&o.efficiency, "lorenz-efficiency", matching.LorenzShare, "share of the Lorenz coefficient that heat pumps reach (industry: 0.45 to 0.55)")
	f.Float64Var(&o.maxCOP, "max-cop", matching.MostCOP, "no heat pump does better, however small the lift")
	f.Float64Var(&o.pumpEUR, "pump-eur-per-kw", 600, "cost of a heat pump, EUR a kW of heat")
	f.Float64Var(&o.pumpHours, "pump-hours", matching.PumpHours, "hours a year over which that cost is spread")
	f.Float64Var(&o.maxTarget, "pump-max-c", matching.PumpMaxC, "highest flow temperature of heat pumps, degC")
	f.StringArrayVar(&o.tanks, "tank", nil, "a tank at a source or need, ID=KWH or ID=KWH@DEGC (repeat for more)")
	f.IntVar(&o.propose, "tanks", 2, "without --tank: how many tanks to propose, where they help single pairs most; 0: none")
	f.Float64Var(&o.tankKWh, "tank-kwh", 5000, "size of proposed tanks, kWh")
	f.Float64Var(&o.tankEUR, "tank-eur-per-kwh", 6, "cost of a tank, EUR a kWh (assumption)")
	f.Float64Var(&o.loss, "tank-loss", storeLossPerHour, "share of its content that a tank loses in an hour")
	f.Float64Var(&o.pumpFixed, "pump-fixed-eur", 40000, "cost of a heat pump whatever its size, EUR (assumption)")
	f.IntVar(&o.effort, "joint-effort", 0, "how many rounds the choice of pipes, heat pumps and tanks may take; 0: 120, none for data of more than 10,000 steps")
	f.Float64Var(&o.gap, "joint-gap", 1e-5, "when plan and bound are as near as this, relative, the joint plan is done")
}

func (o *jointOptions) check() error {
	for _, x := range []struct {
		name      string
		v         float64
		low, high float64
	}{
		{"--electricity-eur-per-mwh", o.electricity, 0, 1e5}, {"--lorenz-efficiency", o.efficiency, 0.05, 1}, {"--max-cop", o.maxCOP, 1.01, 1000}, {"--pump-eur-per-kw", o.pumpEUR, 0, 1e6},
		{"--pump-hours", o.pumpHours, 1, 8784}, {"--pump-max-c", o.maxTarget, -50, 400}, {"--tank-kwh", o.tankKWh, 1, 1e9}, {"--tank-eur-per-kwh", o.tankEUR, 0, 1e6},
		{"--tank-loss", o.loss, 0, 0.99}, {"--joint-gap", o.gap, 1e-9, 1}, {"--tanks", float64(o.propose), 0, 8}, {"--pump-fixed-eur", o.pumpFixed, 0, 1e9}, {"--joint-effort", float64(o.effort), 0, 1e6},
	} {
		if !(x.v >= x.low && x.v <= x.high) {
			return fmt.Errorf("%s %v: want %g to %g", x.name, x.v, x.low, x.high)
		}
	}
	if !slices.Contains([]string{"auto", "yes", "no"}, o.when) {
		return fmt.Errorf("--joint %q: want auto, yes or no", o.when)
	}
	if len(o.tanks) > 8 {
		return fmt.Errorf("--tank: %d tanks, want 8 at most", len(o.tanks))
	}
	return nil
}

// wanted says whether the joint plan is made. Over a year it takes longer than all
// the rest, so it waits to be asked for.
func (o *jointOptions) wanted(steps int) bool {
	if o.when != "auto" {
		return o.when == "yes"
	}
	return steps <= chooseAlways || len(o.tanks) > 0 || o.full || o.effort > 0
}

// jointAnswer is the plan of all pairs with heat pumps and tanks.
type jointAnswer struct {
	problem *matching.Problem
	tanks   []matching.Tank
	places  []string // of each tank: source or need
	plan    *matching.StoredPlan
	took    time.Duration
	value   float64       // EUR a MWh that worth counts
	on      string        // which steps
	network *jointNetwork // what is worth building; nil: not asked for
}

// joint computes it.
func (a *matchAnswer) jointPlan(ctx context.Context, show func(round int, gap float64)) error {
	o := &a.options.joint
	p, averaged := *a.work, a.averaged
	if o.full {
		p, averaged = *a.problem, false
	}
	p.Machine = matching.Machine{Efficiency: o.efficiency, MaxCOP: o.maxCOP, Electricity: o.electricity / a.options.heatValue}
	wear := a.options.capital() * o.pumpEUR / o.pumpHours * 1000 / a.options.heatValue
	p.Lifts = a.site.LiftAll(&p, wear, o.maxTarget)
	j := &jointAnswer{problem: &p, value: a.options.heatValue, on: resolution(averaged)}
	if len(o.tanks) == 0 {
		j.tanks = p.ProposeTanks(o.propose, o.tankKWh, o.loss)
		for range j.tanks {
			j.places = append(j.places, "source")
		}
	}
	for _, text := range o.tanks {
		if err := j.add(text, o); err != nil {
			return frame.Usage(err)
		}
	}
	began := time.Now()
	var err error
	if j.plan, err = matching.SolveStored(ctx, &p, j.tanks, matching.StoredOptions{Gap: o.gap, Show: show}); err != nil {
		return err
	}
	j.took = time.Since(began)
	a.joint = j
	if j.plan.Gap > 1e-4 {
		a.warnings = append(a.warnings, fmt.Sprintf("joint plan: %.2g of its value is not proved", j.plan.Gap))
	}
	return a.jointBuild(ctx)
}

// add reads a tank of the command line.
func (j *jointAnswer) add(text string, o *jointOptions) error {
	id, rest, ok := strings.Cut(text, "=")
	size, at, fixed := strings.Cut(rest, "@")
	kwh, err := strconv.ParseFloat(size, 64)
	if !ok || err != nil || !(kwh >= 1 && kwh <= 1e9) {
		return fmt.Errorf("--tank %s: want ID=KWH or ID=KWH@DEGC, 1 to 1e9 kWh", text)
	}
	level := math.NaN()
	if fixed {
		if level, err = strconv.ParseFloat(at, 64); err != nil || !(level > -50 && level < 400) {
			return fmt.Errorf("--tank %s: a level of %s degC", text, at)
		}
	}
	is := func(s matching.Stream) bool { return s.ID == id }
	p := j.problem
	source, sink := slices.IndexFunc(p.Sources, is), slices.IndexFunc(p.Sinks, is)
	if source < 0 && sink < 0 {
		return fmt.Errorf("--tank %s: the cards name no such source or need that can be used", text)
	}
	if !fixed {
		best := 0.0
		for s := range p.Sources {
			for d := range p.Sinks {
				if s == source || source < 0 && d == sink {
					if l, gain := p.Level(s, d, kwh, o.loss); gain > best {
						level, best = l, gain
					}
				}
			}
		}
		if math.IsNaN(level) {
			return fmt.Errorf("--tank %s: no temperature at which it would help; give one with @DEGC", text)
		}
	}
	if source >= 0 {
		j.tanks, j.places = append(j.tanks, p.TankAtSource(source, kwh, kwh/4, o.loss, level)), append(j.places, "source")
		return nil
	}
	j.tanks, j.places = append(j.tanks, p.TankAtSink(sink, kwh, kwh/4, o.loss, level)), append(j.places, "need")
	return nil
}

// throughMWh is what heat pumps deliver, and what comes out of tanks.
func (j *jointAnswer) throughMWh() (lifted, stored float64) {
	for _, row := range j.plan.LiftMWh {
		for _, mwh := range row {
			lifted += mwh
		}
	}
	for _, x := range j.plan.Tanks {
		for _, mwh := range x.OutMWh {
			stored += mwh
		}
	}
	return lifted, stored
}

// jointOf is the joint plan for programs.
func (a *matchAnswer) jointOf() map[string]any {
	j := a.joint
	p, plan := j.problem, j.plan
	o := &a.options.joint
	lifted, stored := j.throughMWh()
	pumps := map[string]any{}
	for s, row := range plan.LiftMWh {
		for d, mwh := range row {
			if mwh >= least {
				pumps[a.name(s, d)] = milli(mwh)
			}
		}
	}
	tanks := map[string]any{}
	for k, x := range plan.Tanks {
		in, out := map[string]float64{}, map[string]float64{}
		for s, mwh := range x.InMWh {
			if mwh >= least/10 {
				in[p.Sources[s].ID] = milli(mwh)
			}
		}
		for d, mwh := range x.OutMWh {
			if mwh >= least/10 {
				out[p.Sinks[d].ID] = milli(mwh)
			}
		}
		t := &j.tanks[k]
		tanks[fmt.Sprintf("%d:%s", k+1, t.ID)] = map[string]any{"at": j.places[k], "capacity_kWh": t.CapacityKWh, "power_kW": t.PowerKW, "T_shifted": round(t.LevelC, 10), "loss_per_hour": t.LossPerHour,
			"filled_from_MWh": in, "delivered_to_MWh": out, "full_hours": milli(x.FullHours), "peak_kW": milli(x.PowerPeakKW),
			"EUR_per_more_kWh": round(x.WorthPerKWh*j.value/1000, 1e4), "EUR_per_more_percent_of_power": round(x.PowerWorth*j.value/1e5, 100),
			"cost_EUR_per_kWh": round(a.options.capital()*o.tankEUR*a.part(), 1e4)}
	}
	margin := func(list []float64, id func(int) string) map[string]float64 {
		out := map[string]float64{}
		for k, v := range list {
			out[id(k)] = round(v*j.value/100, 100)
		}
		return out
	}
	pipes := map[string]float64{}
	for s, row := range plan.PipeWorth {
		for d, v := range row {
			if v*j.value >= 1 {
				pipes[a.name(s, d)] = round(v*j.value/100, 100)
			}
		}
	}
	return map[string]any{
		"delivered_MWh": milli(plan.DeliveredMWh), "heat_pump_MWh": milli(lifted), "from_tanks_MWh": milli(stored), "electricity_MWh": milli(plan.ElectricityMWh),
		"matrix_MWh": a.matrix(&plan.Plan), "heat_pump_matrix_MWh": pumps, "tanks": tanks,
		"net_EUR": round(plan.Worth*j.value, 100), "bound_EUR": math.Ceil(100*plan.Bound*j.value) / 100, "gap": plan.Gap, "rounds": plan.Rounds, "wall_s": milli(j.took.Seconds()),
		"electricity_EUR_per_MWh": o.electricity, "heat_value_EUR_per_MWh": j.value, "lorenz_efficiency": o.efficiency, "max_COP": o.maxCOP, "pump_max_C": o.maxTarget,
		"pump_EUR_per_MWh": round(a.options.capital()*o.pumpEUR/o.pumpHours*1000, 100),
		"margins_EUR": map[string]any{"one_percent_more_of_source": margin(plan.SourceWorth, func(k int) string { return p.Sources[k].ID }),
			"one_percent_more_of_need": margin(plan.SinkWorth, func(k int) string { return p.Sinks[k].ID }), "one_percent_less_lost_on_pair": pipes},
		"computed_on": j.on,
		"rule":        "max value of delivered heat - electricity - heat pumps by use; every step at once, all pairs, direct or lifted; 1/COP = (Th-Tl)/(efficiency Th) between intervals of both streams, logarithmic means in K; a tank takes heat not colder than its level and serves what is not hotter, loses its share each hour, begins empty",
		"proof":       "prices of stored heat take the steps apart, dual prices of every step bound each: no plan is worth more than bound_EUR",
	}
}

// printJoint writes the joint plan for people.
func (a *matchAnswer) printJoint(out io.Writer) {
	j := a.joint
	if j == nil {
		return
	}
	doc := j.plan
	lifted, stored := j.throughMWh()
	fmt.Fprintf(out, "\nWith heat pumps and tanks, all together: %.1f MWh, of which %.1f by heat pumps (%.1f MWh of electricity) and %.1f through tanks; worth %.0f EUR, proved to %.2g, on %s\n",
		doc.DeliveredMWh, lifted, doc.ElectricityMWh, stored, doc.Worth*j.value, doc.Gap, j.on)
	for k, x := range doc.Tanks {
		fmt.Fprintf(out, "  tank at %s, %g kWh at %.0f °C: %.1f MWh in, %.1f out, full for %.0f h; one kWh more brings %.2f EUR and costs %.2f\n", j.tanks[k].ID, j.tanks[k].CapacityKWh, j.tanks[k].LevelC,
			sum(x.InMWh, func(v float64) float64 { return v }), sum(x.OutMWh, func(v float64) float64 { return v }), x.FullHours, x.WorthPerKWh*j.value/1000, a.options.capital()*a.options.joint.tankEUR*a.part())
	}
	a.printNetwork(out)
}
