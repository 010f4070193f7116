package matching

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/analytics/pinch"
)

// general writes one step as the stated linear programme, on every temperature
// interval and without any of the solver's reductions, and gives it to a general
// simplex.
func general(t require.TestingT, p *Problem, i int) float64 {
	type segment struct {
		stream    int
		high, low float64
		kw        float64
	}
	var cuts []float64
	for _, list := range [][]Stream{p.Sources, p.Sinks} {
		for _, s := range list {
			if s.running(i) {
				cuts = append(cuts, s.HighC[i], s.LowC[i])
			}
		}
	}
	split := func(list []Stream) (out []segment) {
		for k, s := range list {
			if !s.running(i) {
				continue
			}
			hi, lo := s.HighC[i], s.LowC[i]
			if hi == lo {
				out = append(out, segment{k, hi, lo, s.KW[i]})
				continue
			}
			at := lo
			for at < hi {
				next := hi
				for _, c := range cuts {
					if c > at && c < next {
						next = c
					}
				}
				out = append(out, segment{k, next, at, s.KW[i] * (next - at) / (hi - lo)})
				at = next
			}
		}
		return out
	}
	from, to := split(p.Sources), split(p.Sinks)
	type arc struct{ i, j int }
	var arcs []arc
	for a, x := range from {
		for b, y := range to {
			// At equal cuts the hotter interval or the same one.
			if p.Gain[x.stream][y.stream] > 0 && p.weight(x.stream, y.stream) > 0 && x.low >= y.low && x.high >= y.high {
				arcs = append(arcs, arc{a, b})
			}
		}
	}
	if len(arcs) == 0 {
		return 0
	}
	rows := len(from) + len(to)
	a := mat.NewDense(rows, len(arcs)+rows, nil)
	c := make([]float64, len(arcs)+rows)
	limit := make([]float64, rows)
	for k, x := range arcs {
		s, d := from[x.i].stream, to[x.j].stream
		a.Set(x.i, k, 1/p.Gain[s][d])
		a.Set(len(from)+x.j, k, 1)
		c[k] = -p.weight(s, d)
	}
	basic := make([]int, rows)
	for r := range rows {
		a.Set(r, len(arcs)+r, 1)
		basic[r] = len(arcs) + r
		if r < len(from) {
			limit[r] = from[r].kw
		} else {
			limit[r] = to[r-len(from)].kw
		}
	}
	best, _, err := lp.Simplex(c, a, limit, 1e-12, basic)
	require.NoError(t, err)
	return -best
}

func drawProblem(t *rapid.T, steps, sources, sinks int, tidy bool) *Problem {
	p := &Problem{Steps: steps, Hours: 1}
	kelvin := func(top int) float64 {
		if tidy {
			return float64(rapid.IntRange(0, top).Draw(t, "K"))
		}
		// Meters do not tell thousandths of a kelvin; below them a glide is a latent load
		// to the one and none to the other.
		return math.Round(1024*rapid.Float64Range(0, float64(top)).Draw(t, "K")) / 1024
	}
	stream := func(id string) Stream {
		s := Stream{ID: id}
		for range steps {
			s.KW = append(s.KW, float64(rapid.IntRange(0, 1000).Draw(t, "kW")))
			low := kelvin(100)
			s.LowC = append(s.LowC, low)
			s.HighC = append(s.HighC, low+kelvin(60))
		}
		return s
	}
	for k := range sources {
		p.Sources = append(p.Sources, stream(fmt.Sprint("source", k)))
	}
	for k := range sinks {
		p.Sinks = append(p.Sinks, stream(fmt.Sprint("sink", k)))
	}
	p.Gain, p.Weight = table(sources, sinks), table(sources, sinks)
	for s := range sources {
		for d := range sinks {
			p.Gain[s][d] = rapid.SampledFrom([]float64{0, 0.91, 0.95, 0.97, 0.99, 1}).Draw(t, "gain")
			p.Weight[s][d] = 1
			if !tidy {
				p.Gain[s][d] = rapid.Float64Range(0.6, 1).Draw(t, "gain")
				p.Weight[s][d] = rapid.Float64Range(0.1, 2).Draw(t, "weight")
			}
		}
	}
	return p
}

func solved(t require.TestingT, p *Problem) *Plan {
	plan, err := Solve(context.Background(), p, nil)
	require.NoError(t, err)
	return plan
}

// The optimum is that of a general simplex on the unreduced programme, and the
// proof holds.
func TestEqualsGeneralSolver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, 3, rapid.IntRange(1, 5).Draw(t, "sources"), rapid.IntRange(1, 5).Draw(t, "sinks"), rapid.Bool().Draw(t, "tidy"))
		plan := solved(t, p)
		want := 0.0
		for i := range p.Steps {
			want += general(t, p, i) / 1000
		}
		require.InDelta(t, want, plan.Worth, 1e-7*(1+want))
		require.Zero(t, plan.Unproved)
		require.LessOrEqual(t, plan.Worth, plan.Bound*(1+1e-9)+1e-12)
		require.LessOrEqual(t, plan.Gap, 1e-9)
	})
}

// No plan gives what is not there: sources, sinks and the site's cascade are
// never passed; nothing depends on the order of streams.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, 2, 4, 3, rapid.Bool().Draw(t, "tidy"))
		p.Weight = nil
		plan := solved(t, p)
		for s := range p.Sources {
			taken := 0.0
			for d := range p.Sinks {
				if p.Gain[s][d] > 0 {
					taken += plan.MatrixMWh[s][d] / p.Gain[s][d]
				} else {
					require.Zero(t, plan.MatrixMWh[s][d])
				}
			}
			require.LessOrEqual(t, taken, (p.Sources[s].KW[0]+p.Sources[s].KW[1])/1000+1e-9)
		}
		for d := range p.Sinks {
			given := 0.0
			for s := range p.Sources {
				given += plan.MatrixMWh[s][d]
			}
			require.LessOrEqual(t, given, (p.Sinks[d].KW[0]+p.Sinks[d].KW[1])/1000+1e-9)
		}
		for i := range p.Steps {
			require.LessOrEqual(t, plan.ByStepKW[i], cascade(t, p, i)+1e-6)
		}
		order := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "order")
		q := *p
		q.Sources, q.Gain = nil, nil
		for _, k := range order {
			q.Sources, q.Gain = append(q.Sources, p.Sources[k]), append(q.Gain, p.Gain[k])
		}
		require.InDelta(t, plan.DeliveredMWh, solved(t, &q).DeliveredMWh, 1e-9)
	})
}

// cascade is the heat that could be recovered if distance cost nothing.
func cascade(t require.TestingT, p *Problem, i int) float64 {
	var streams []pinch.Stream
	for _, s := range p.Sources {
		streams = append(streams, pinch.Stream{Name: s.ID, TS: s.HighC[i], TT: s.LowC[i], Q: s.KW[i], Hot: true})
	}
	for _, s := range p.Sinks {
		streams = append(streams, pinch.Stream{Name: s.ID, TS: s.LowC[i], TT: s.HighC[i], Q: s.KW[i]})
	}
	got, err := pinch.Cascade(streams)
	require.NoError(t, err)
	return got.RecoveryKW
}

// Without losses the optimum is the cascade itself, and one pair its closed form.
func TestLosslessIsCascade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, 1, rapid.IntRange(1, 4).Draw(t, "sources"), rapid.IntRange(1, 4).Draw(t, "sinks"), true)
		p.Weight = nil
		for s := range p.Gain {
			for d := range p.Gain[s] {
				p.Gain[s][d] = 1
			}
		}
		got := solved(t, p).ByStepKW[0]
		require.InDelta(t, cascade(t, p, 0), got, 1e-6)
		if len(p.Sources) == 1 && len(p.Sinks) == 1 {
			h, c := p.Sources[0], p.Sinks[0]
			require.InDelta(t, pinch.Exchange(h.KW[0], h.HighC[0], h.LowC[0], c.KW[0], c.HighC[0], c.LowC[0]), got, 1e-6)
		}
	})
}

func TestRefusals(t *testing.T) {
	good := func() *Problem {
		one := Stream{ID: "s", KW: []float64{1}, HighC: []float64{60}, LowC: []float64{40}}
		return &Problem{Steps: 1, Hours: 1, Sources: []Stream{one}, Sinks: []Stream{one}, Gain: [][]float64{{1}}}
	}
	require.NoError(t, good().Check())
	for name, spoil := range map[string]func(*Problem){
		"negative heat": func(p *Problem) { p.Sources[0].KW = []float64{-1} },
		"no steps":      func(p *Problem) { p.Steps = 0 },
		"no sinks":      func(p *Problem) { p.Sinks = nil },
		"short series":  func(p *Problem) { p.Sinks[0].HighC = nil },
		"gain above 1":  func(p *Problem) { p.Gain[0][0] = 1.2 },
		"gain unknown":  func(p *Problem) { p.Gain[0][0] = math.NaN() },
		"no gains":      func(p *Problem) { p.Gain = nil },
		"odd weights":   func(p *Problem) { p.Weight = [][]float64{{}} },
	} {
		p := good()
		spoil(p)
		_, err := Solve(context.Background(), p, nil)
		require.Error(t, err, name)
	}
	p := good()
	p.Sinks[0].KW = []float64{math.NaN()}
	require.Zero(t, solved(t, p).DeliveredMWh)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Solve(ctx, good(), nil)
	require.ErrorIs(t, err, context.Canceled)
}
