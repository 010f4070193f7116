package matching

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"encoding/json"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"
)

// part of a stream between two temperatures, in a step.
type interval struct {
	stream    int // sinks and then tanks as they come
	high, low float64
	kw        float64
}

// intervals cuts the running streams of a step at all temperatures, and joins
// neighbours that reach, or are reached by, the very same intervals: the nodes of
// the linear programme as docs/heat-matching.md states them.
func intervals(sources, sinks []Stream, i int) (from, to []interval) {
	var cuts []float64
	for _, list := range [][]Stream{sources, sinks} {
		for _, s := range list {
			if s.running(i) {
				cuts = append(cuts, s.HighC[i], s.LowC[i])
			}
		}
	}
	split := func(list []Stream) (out []interval) {
		for k, s := range list {
			if !s.running(i) {
				continue
			}
			hi, lo := s.HighC[i], s.LowC[i]
			if hi == lo {
				out = append(out, interval{k, hi, lo, s.KW[i]})
				continue
			}
			for at := lo; at < hi; {
				next := hi
				for _, c := range cuts {
					if c > at && c < next {
						next = c
					}
				}
				out = append(out, interval{k, next, at, s.KW[i] * (next - at) / (hi - lo)})
				at = next
			}
		}
		return out
	}
	from, to = split(sources), split(sinks)
	join := func(list, other []interval, may func(x, y interval) bool) (out []interval) {
		last := ""
		for _, x := range list {
			reach := fmt.Sprint(x.stream)
			for k, y := range other {
				if may(x, y) {
					reach += fmt.Sprint(",", k)
				}
			}
			if reach == last {
				out[len(out)-1].high = x.high
				out[len(out)-1].kw += x.kw
			} else {
				out = append(out, x)
			}
			last = reach
		}
		return out
	}
	return join(from, to, colder), join(to, from, func(x, y interval) bool { return colder(y, x) })
}

// colder says whether heat of x may flow to y as it is.
func colder(x, y interval) bool { return x.low >= y.low && x.high >= y.high }

// generalStored writes the whole programme over all steps and gives it to a
// general simplex.
func generalStored(t require.TestingT, p *Problem, tanks []Tank) float64 {
	type arc struct {
		a, b    int // rows of source and sink
		inverse float64
		cost    float64
		in, out int // tank, -1
		step    int
	}
	var arcs []arc
	var limit []float64
	for i := range p.Steps {
		sources, sinks := append([]Stream(nil), p.Sources...), append([]Stream(nil), p.Sinks...)
		for k := range tanks {
			s := Stream{KW: constant(p.Steps, min(tanks[k].PowerKW, tanks[k].CapacityKWh/p.Hours)), HighC: constant(p.Steps, tanks[k].LevelC), LowC: constant(p.Steps, tanks[k].LevelC)}
			sources, sinks = append(sources, s), append(sinks, s)
		}
		from, to := intervals(sources, sinks, i)
		base := len(limit)
		for _, x := range from {
			limit = append(limit, x.kw)
		}
		for _, y := range to {
			limit = append(limit, y.kw)
		}
		for a, x := range from {
			for b, y := range to {
				at := arc{a: base + a, b: base + len(from) + b, in: -1, out: -1, step: i}
				if y.stream >= len(p.Sinks) {
					at.in = y.stream - len(p.Sinks)
				}
				if x.stream >= len(p.Sources) {
					at.out = x.stream - len(p.Sources)
				}
				direct := func(gain, worth float64) {
					if gain > 0 && colder(x, y) {
						at.inverse, at.cost = 1/gain, worth
						arcs = append(arcs, at)
					}
				}
				lift := func(l Lift, worth float64) {
					mean := func(v interval) float64 {
						if v.high == v.low {
							return v.high + 273.15
						}
						return (v.high - v.low) / math.Log((v.high+273.15)/(v.low+273.15))
					}
					share := max((mean(y)-mean(x))/(p.Machine.Efficiency*mean(y)), 1/p.Machine.MaxCOP)
					if share < 1 && y.high <= l.MaxC {
						at.inverse, at.cost = (1-share)/l.Gain, worth-l.Cost-share*p.Machine.Electricity
						arcs = append(arcs, at)
					}
				}
				switch {
				case at.in < 0 && at.out < 0:
					if p.weight(x.stream, y.stream) <= 0 {
						continue
					}
					direct(p.Gain[x.stream][y.stream], p.weight(x.stream, y.stream))
					for _, l := range p.Lifts {
						if l.Source == x.stream && l.Sink == y.stream {
							lift(l, p.weight(x.stream, y.stream))
						}
					}
				case at.in >= 0 && at.out < 0:
					direct(tanks[at.in].In[x.stream], 0)
					for _, l := range tanks[at.in].InLifts {
						if l.Source == x.stream {
							lift(l, 0)
						}
					}
				case at.out >= 0 && at.in < 0:
					direct(tanks[at.out].Out[y.stream], tanks[at.out].worth(y.stream))
					for _, l := range tanks[at.out].OutLifts {
						if l.Sink == y.stream {
							lift(l, tanks[at.out].worth(y.stream))
						}
					}
				}
			}
		}
	}
	if len(arcs) == 0 {
		return 0
	}
	// Columns: arcs, slacks of limits, and for each tank and step content, room left,
	// heat let off. Rows: limits, balances, capacities.
	n, stored := len(limit), p.Steps*len(tanks)
	a := mat.NewDense(n+2*stored, len(arcs)+n+3*stored, nil)
	c := make([]float64, len(arcs)+n+3*stored)
	b := append(append([]float64(nil), limit...), make([]float64, 2*stored)...)
	basic := make([]int, n+2*stored)
	for k, x := range arcs {
		a.Set(x.a, k, x.inverse)
		a.Set(x.b, k, 1)
		c[k] = -x.cost
		if x.in >= 0 {
			a.Set(n+x.step*len(tanks)+x.in, k, -p.Hours)
		}
		if x.out >= 0 {
			a.Set(n+x.step*len(tanks)+x.out, k, x.inverse*p.Hours)
		}
	}
	for r := range n {
		a.Set(r, len(arcs)+r, 1)
		basic[r] = len(arcs) + r
	}
	for at := range stored {
		k := at % len(tanks)
		content := len(arcs) + n + 3*at
		a.Set(n+at, content, 1)
		a.Set(n+at, content+2, 1)
		if at >= len(tanks) {
			a.Set(n+at, content-3*len(tanks), -math.Pow(1-tanks[k].LossPerHour, p.Hours))
		}
		a.Set(n+stored+at, content, 1)
		a.Set(n+stored+at, content+1, 1)
		b[n+stored+at] = tanks[k].CapacityKWh
		basic[n+at], basic[n+stored+at] = content+2, content+1
	}
	best, _, err := lp.Simplex(c, a, b, 1e-12, basic)
	require.NoError(t, err)
	return -best * p.Hours / 1000
}

// drawLifts puts heat pumps on some pairs; costs are in hundredths, as prices
// below the solver's tolerance of them mean nothing.
func drawLifts(t *rapid.T, p *Problem) {
	p.Machine = Machine{Efficiency: rapid.Float64Range(0.3, 0.6).Draw(t, "efficiency"), MaxCOP: 20, Electricity: float64(rapid.IntRange(0, 300).Draw(t, "electricity")) / 100}
	for s := range p.Sources {
		for d := range p.Sinks {
			if rapid.Bool().Draw(t, "pump") {
				p.Lifts = append(p.Lifts, Lift{Source: s, Sink: d, Gain: rapid.Float64Range(0.7, 1).Draw(t, "gain"), Cost: float64(rapid.IntRange(0, 40).Draw(t, "cost")) / 100,
					MaxC: rapid.SampledFrom([]float64{60, 110, 500}).Draw(t, "limit")})
			}
		}
	}
}

// With heat pumps too, the optimum is that of a general simplex.
func TestLiftsEqualGeneralSolver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, 4, rapid.IntRange(1, 4).Draw(t, "sources"), rapid.IntRange(1, 4).Draw(t, "sinks"), rapid.Bool().Draw(t, "tidy"))
		drawLifts(t, p)
		plan := solved(t, p)
		want := 0.0
		for i := range p.Steps {
			want += generalStored(t, one(p, i), nil)
		}
		require.InDelta(t, want, plan.Worth, 1e-7*(1+want))
		require.Zero(t, plan.Unproved)
		require.LessOrEqual(t, plan.Gap, 1e-9)
		// Heat is conserved: what is delivered is what sources gave and the electricity.
		if plan.DeliveredMWh > 0 {
			require.GreaterOrEqual(t, plan.ElectricityMWh, sum(plan.LiftMWh)/p.Machine.MaxCOP-1e-9)
			require.LessOrEqual(t, sum(plan.LiftMWh), plan.DeliveredMWh+1e-9)
		}
	})
}

func sum(rows [][]float64) (total float64) {
	for _, row := range rows {
		for _, v := range row {
			total += v
		}
	}
	return total
}

// one is a step of a problem alone.
func one(p *Problem, i int) *Problem {
	q := *p
	q.Steps = 1
	cut := func(list []Stream) (out []Stream) {
		for _, s := range list {
			out = append(out, Stream{ID: s.ID, KW: s.KW[i : i+1], HighC: s.HighC[i : i+1], LowC: s.LowC[i : i+1]})
		}
		return out
	}
	q.Sources, q.Sinks = cut(p.Sources), cut(p.Sinks)
	return &q
}

func drawTanks(t *rapid.T, p *Problem) (tanks []Tank) {
	for k := range rapid.IntRange(1, 3).Draw(t, "tanks") {
		x := Tank{ID: fmt.Sprint("tank", k), CapacityKWh: float64(rapid.IntRange(1, 1500).Draw(t, "kWh")), PowerKW: float64(rapid.IntRange(1, 600).Draw(t, "kW")),
			LossPerHour: rapid.Float64Range(0, 0.2).Draw(t, "loss"), LevelC: float64(rapid.IntRange(10, 120).Draw(t, "level")), In: make([]float64, len(p.Sources)), Out: make([]float64, len(p.Sinks))}
		for s := range x.In {
			x.In[s] = rapid.SampledFrom([]float64{0, 0.9, 1}).Draw(t, "in")
			if rapid.Bool().Draw(t, "lift in") {
				x.InLifts = append(x.InLifts, Lift{Source: s, Gain: 0.95, Cost: 0.05, MaxC: 110})
			}
		}
		for d := range x.Out {
			x.Out[d] = rapid.SampledFrom([]float64{0, 0.9, 1}).Draw(t, "out")
			if rapid.Bool().Draw(t, "lift out") {
				x.OutLifts = append(x.OutLifts, Lift{Sink: d, Gain: 0.97, Cost: 0.02, MaxC: 110})
			}
		}
		tanks = append(tanks, x)
	}
	return tanks
}

// With tanks and heat pumps, plan and bound enclose the optimum of the whole
// programme over time, and meet to 0.01 %.
func TestTanksEqualGeneralSolver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, rapid.IntRange(1, 4).Draw(t, "steps"), rapid.IntRange(1, 2).Draw(t, "sources"), rapid.IntRange(1, 2).Draw(t, "sinks"), true)
		p.Weight = nil
		drawLifts(t, p)
		tanks := drawTanks(t, p)
		plan, err := SolveStored(context.Background(), p, tanks, StoredOptions{})
		require.NoError(t, err)
		want := generalStored(t, p, tanks)
		require.LessOrEqual(t, plan.Worth, want+1e-7*(1+want))
		require.GreaterOrEqual(t, plan.Bound, want-1e-7*(1+want))
		require.InDelta(t, want, plan.Worth, 1e-4*want+1e-6)
		require.LessOrEqual(t, plan.Gap, 1e-4)
	})
}

// A problem with tanks and pumps written down for a general solver, for which see
// testdata/highs_tanks.py.
func writeStored(t testing.TB, p *Problem, tanks []Tank) {
	if path := os.Getenv("WRITE_PROBLEM"); path != "" {
		text, err := json.Marshal(map[string]any{"Problem": p, "Tanks": tanks})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o644))
	}
}
