package matching

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// latent is a stream at one temperature.
func latent(id string, kw []float64, c float64) Stream {
	s := Stream{ID: id, KW: kw, HighC: constant(len(kw), c)}
	s.LowC = s.HighC
	return s
}

// Heat by night, need by day: what the tank holds goes over each day.
func TestTankOfNightAndDay(t *testing.T) {
	const days = 8
	p := &Problem{Steps: days * 144, Hours: 1.0 / 6, Gain: [][]float64{{0.9}}}
	heat, need := make([]float64, p.Steps), make([]float64, p.Steps)
	for i := range p.Steps {
		if hour := i % 144 / 6; hour < 8 {
			heat[i] = 100
		} else if hour >= 10 && hour < 20 {
			need[i] = 80
		}
	}
	p.Sources, p.Sinks = []Stream{latent("night", heat, 80)}, []Stream{latent("day", need, 50)}
	for _, x := range []struct{ kwh, kw, perDay float64 }{
		{400, 1000, 400 * 0.9},   // as much as the tank holds
		{2000, 1000, 800 * 0.9},  // as much as there is at night; the day would take 800
		{2000, 50, 50 * 8 * 0.9}, // as much as its pump passes
	} {
		plan, err := SolveStored(t.Context(), p, []Tank{p.TankAtSource(0, x.kwh, x.kw, 0, 60)}, StoredOptions{})
		require.NoError(t, err)
		require.InEpsilon(t, days*x.perDay/1000, plan.DeliveredMWh, 1e-4)
		require.InEpsilon(t, days*x.perDay/1000, plan.Bound, 1e-4)
	}
	// A level above the source, or below the need, is of no use.
	for _, level := range []float64{81, 49} {
		plan, err := SolveStored(t.Context(), p, []Tank{p.TankAtSource(0, 400, 1000, 0, level)}, StoredOptions{})
		require.NoError(t, err)
		require.InDelta(t, 0, plan.DeliveredMWh, 1e-6)
	}
}

// One pair with one tank: the rule "now first", which is optimal there, gives what
// the decomposition does.
func TestTankEqualsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 200).Draw(t, "hours")
		heat, need := make([]float64, n), make([]float64, n)
		for i := range n {
			heat[i], need[i] = float64(rapid.IntRange(0, 3).Draw(t, "heat"))*70, float64(rapid.IntRange(0, 3).Draw(t, "need"))*50
		}
		p := &Problem{Steps: n, Hours: 1, Gain: [][]float64{{1}}, Sources: []Stream{latent("s", heat, 80)}, Sinks: []Stream{latent("d", need, 50)}}
		kwh, loss := float64(rapid.IntRange(20, 2000).Draw(t, "kWh")), float64(rapid.IntRange(0, 10).Draw(t, "loss"))/100
		plan, err := SolveStored(t.Context(), p, []Tank{p.TankAtSource(0, kwh, 1e4, loss, 60)}, StoredOptions{})
		require.NoError(t, err)
		want := charge(heat, need, kwh, 1-loss) / 1000
		require.InDelta(t, want, plan.Worth, 1e-4*want+1e-6)
		require.GreaterOrEqual(t, plan.Bound, want-1e-9)
	})
}

// One latent pair lifted: the closed form of the heat pump.
func TestLiftClosedForm(t *testing.T) {
	const th, tl, gain, eta = 80.0, 30.0, 0.95, 0.5
	cop := eta * (th + 273.15) / (th - tl)
	for _, x := range []struct{ heat, need, electricity, cost float64 }{{100, 1000, 1, 0.1}, {1000, 100, 1, 0.1}, {100, 1000, 4, 0.1}} {
		p := &Problem{Steps: 1, Hours: 1, Gain: [][]float64{{gain}}, Sources: []Stream{latent("s", []float64{x.heat}, tl)}, Sinks: []Stream{latent("d", []float64{x.need}, th)},
			Machine: Machine{Efficiency: eta, MaxCOP: 20, Electricity: x.electricity}, Lifts: []Lift{{Gain: gain, Cost: x.cost, MaxC: 110}}}
		plan := solved(t, p)
		margin := 1 - x.electricity/cop - x.cost
		want := min(x.need, x.heat*gain*cop/(cop-1)) / 1000
		if margin <= 0 {
			want = 0 // electricity costs more than the heat is worth
		}
		require.InDelta(t, want, plan.DeliveredMWh, 1e-12)
		require.InDelta(t, want/cop, plan.ElectricityMWh, 1e-12)
		require.InDelta(t, want*math.Max(margin, 0), plan.Worth, 1e-12)
		// What more of what is scarce would bring.
		if want > 0 {
			require.InDelta(t, plan.Worth, plan.SourceWorth[0]+plan.SinkWorth[0], 1e-12)
		}
	}
}
