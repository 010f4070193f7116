package matching

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The search over pipes, heat pumps and a tank finds what trying every set of them
// finds, and its bound holds when it is stopped early.
func TestSparseStoredEqualsEverySet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, 3, 2, 1, true)
		p.Weight = nil
		p.Machine = Machine{Efficiency: 0.5, MaxCOP: 20, Electricity: float64(rapid.IntRange(100, 300).Draw(t, "electricity")) / 100}
		for s := range p.Sources {
			if p.Gain[s][0] == 0 {
				p.Gain[s][0] = 0.9
			}
		}
		p.Lifts = []Lift{{Source: 0, Sink: 0, Gain: p.Gain[0][0], Cost: 0.05, MaxC: 200}, {Source: 1, Sink: 0, Gain: p.Gain[1][0], Cost: 0.05, MaxC: 200}}
		kwh := float64(rapid.IntRange(50, 800).Draw(t, "kWh"))
		level := float64(rapid.IntRange(10, 90).Draw(t, "level"))
		tank := p.TankAtSource(0, kwh, kwh, 0.01, level)
		if rapid.Bool().Draw(t, "at the need") {
			tank = p.TankAtSink(0, kwh, kwh, 0.01, level)
		}
		cost := func(name string) float64 { return float64(rapid.IntRange(0, 400).Draw(t, name)) / 1000 }
		c := Costs{Pipe: [][]float64{{cost("pipe")}, {cost("pipe")}}, Pump: [][]float64{{cost("pump")}, {cost("pump")}}, Tank: []float64{cost("tank")}}
		best := 0.0
		for set := range 1 << 5 {
			has := func(k int) bool { return set>>k&1 == 1 }
			q, spent := *p, 0.0
			x := tank
			x.In, x.Out = slices.Clone(tank.In), slices.Clone(tank.Out)
			q.Gain = [][]float64{{p.Gain[0][0]}, {p.Gain[1][0]}}
			for s := range 2 {
				if has(s) {
					spent += c.Pipe[s][0]
				} else {
					q.Gain[s][0] = 0
				}
				if has(2 + s) {
					spent += c.Pump[s][0]
				}
			}
			without := func(list []Lift) []Lift {
				return slices.DeleteFunc(slices.Clone(list), func(l Lift) bool { return !has(l.Source) || !has(2+l.Source) })
			}
			q.Lifts, x.InLifts, x.OutLifts = without(p.Lifts), without(x.InLifts), without(x.OutLifts)
			if x.Home > 0 && !has(0) {
				x.Out[0] = 0
			}
			if x.Home < 0 {
				for s := range 2 {
					if !has(s) {
						x.In[s] = 0
					}
				}
			}
			if has(4) {
				spent += c.Tank[0]
			} else {
				// It stays as a temperature: levels cut the intervals between which heat pumps
				// are given their coefficients.
				x.In, x.Out, x.InLifts, x.OutLifts = make([]float64, 2), make([]float64, 1), nil, nil
			}
			plan, err := SolveStored(context.Background(), &q, []Tank{x}, StoredOptions{})
			require.NoError(t, err)
			best = max(best, plan.Worth-spent)
		}
		got, err := SparseStored(context.Background(), p, []Tank{tank}, c, 10_000)
		require.NoError(t, err)
		require.GreaterOrEqual(t, got.Bound, best-1e-5)
		require.InDelta(t, best, got.Net, 1e-3*best+1e-5)
		early, err := SparseStored(context.Background(), p, []Tank{tank}, c, 1)
		require.NoError(t, err)
		require.LessOrEqual(t, early.Net, best+1e-5)
		require.GreaterOrEqual(t, early.Bound, best-1e-5)
	})
}

func TestStoredRefusals(t *testing.T) {
	one := Stream{ID: "s", KW: []float64{1}, HighC: []float64{60}, LowC: []float64{40}}
	good := func() (*Problem, Tank) {
		p := &Problem{Steps: 1, Hours: 1, Sources: []Stream{one}, Sinks: []Stream{one}, Gain: [][]float64{{1}}, Machine: Machine{Efficiency: 0.5, MaxCOP: 20}}
		p.Lifts = []Lift{{Gain: 1, MaxC: 100}}
		return p, p.TankAtSource(0, 10, 5, 0.01, 50)
	}
	p, tank := good()
	_, err := SolveStored(t.Context(), p, []Tank{tank}, StoredOptions{})
	require.NoError(t, err)
	for name, spoil := range map[string]func(*Problem, *Tank){
		"no capacity":        func(_ *Problem, x *Tank) { x.CapacityKWh = 0 },
		"no power":           func(_ *Problem, x *Tank) { x.PowerKW = -1 },
		"all lost":           func(_ *Problem, x *Tank) { x.LossPerHour = 1 },
		"odd connections":    func(_ *Problem, x *Tank) { x.In = nil },
		"more than all":      func(_ *Problem, x *Tank) { x.Out[0] = 1.5 },
		"pump from nowhere":  func(p *Problem, _ *Tank) { p.Lifts[0].Source = 3 },
		"pump that makes":    func(p *Problem, _ *Tank) { p.Lifts[0].Gain = 2 },
		"efficiency above 1": func(p *Problem, _ *Tank) { p.Machine.Efficiency = 1.2 },
		"coefficient of 1":   func(p *Problem, _ *Tank) { p.Machine.MaxCOP = 1 },
	} {
		p, tank := good()
		spoil(p, &tank)
		_, err := SolveStored(t.Context(), p, []Tank{tank}, StoredOptions{})
		require.Error(t, err, name)
	}
	for _, c := range []Costs{{}, {Pipe: [][]float64{{-1}}, Pump: [][]float64{{0}}, Tank: []float64{0}}, {Pipe: [][]float64{{0}}, Pump: [][]float64{{0}}, Tank: []float64{-1}}} {
		_, err := SparseStored(t.Context(), p, []Tank{tank}, c, 5)
		require.Error(t, err)
	}
}
