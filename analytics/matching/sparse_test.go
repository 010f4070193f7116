package matching

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The search finds what trying every set of pairs finds, and its bound holds
// when it is stopped early.
func TestSparseEqualsEverySet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, 2, 2, 2, true)
		p.Weight = nil
		fixed := table(2, 2)
		for s := range fixed {
			for d := range fixed[s] {
				fixed[s][d] = float64(rapid.IntRange(0, 500).Draw(t, "cost")) / 1000
			}
		}
		best := 0.0
		for set := range 1 << 4 {
			q := *p
			q.Gain = table(2, 2)
			cost := 0.0
			for k := range 4 {
				if set>>k&1 == 1 {
					q.Gain[k/2][k%2] = p.Gain[k/2][k%2]
					cost += fixed[k/2][k%2]
				}
			}
			best = max(best, solved(t, &q).DeliveredMWh-cost)
		}
		got, err := Sparse(context.Background(), p, fixed, 10_000)
		require.NoError(t, err)
		require.InDelta(t, best, got.Net, 1e-7)
		require.InDelta(t, 0, got.Gap, 1e-6)
		early, err := Sparse(context.Background(), p, fixed, 1)
		require.NoError(t, err)
		require.LessOrEqual(t, early.Net, best+1e-7)
		require.GreaterOrEqual(t, early.Bound, best-1e-7)
	})
}

func TestSparseRefusals(t *testing.T) {
	p := &Problem{Steps: 1, Hours: 1, Sources: []Stream{{ID: "s", KW: []float64{1}, HighC: []float64{60}, LowC: []float64{40}}},
		Sinks: []Stream{{ID: "d", KW: []float64{1}, HighC: []float64{30}, LowC: []float64{20}}}, Gain: [][]float64{{1}}}
	for _, fixed := range [][][]float64{nil, {{}}, {{-1}}} {
		_, err := Sparse(context.Background(), p, fixed, 5)
		require.Error(t, err)
	}
	got, err := Sparse(context.Background(), p, [][]float64{{1}}, 5)
	require.NoError(t, err)
	require.Zero(t, got.Net, "a pair that costs more than it brings is not built")
}
