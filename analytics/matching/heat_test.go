package matching

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/heatfile"
)

// port reads the four-week case of twelve synthetic sites.
func port(t testing.TB) *Site {
	t.Helper()
	f, err := os.Open("../heat/testdata/port12_4weeks.assets.json")
	require.NoError(t, err)
	defer f.Close()
	cards, err := heatfile.ReadCards(f)
	require.NoError(t, err)
	d, err := os.Open("../heat/testdata/port12_4weeks.csv.gz")
	require.NoError(t, err)
	defer d.Close()
	g, _, err := heatfile.ReadData(d)
	require.NoError(t, err)
	faults := heat.FindFaults(g, cards.Assets...)
	sources, err := heat.Sources(g, cards.Assets, faults)
	require.NoError(t, err)
	s := &Site{Grid: g, Sources: sources, Places: cards.Places, Network: cards.Network}
	clean := heat.Mend(g, faults)
	for i := range cards.Demands {
		n, err := cards.Demands[i].On(clean, cards.Weather)
		require.NoError(t, err)
		s.Needs = append(s.Needs, n)
	}
	return s
}

func TestFourWeeks(t *testing.T) {
	var want struct {
		Optimum, Hour, Day struct {
			MWh    float64            `json:"delivered_MWh"`
			Matrix map[string]float64 `json:"matrix_MWh"`
		}
		Storage struct {
			Level float64            `json:"Tg_shifted"`
			MWh   map[string]float64 `json:"delivered_MWh_by_capacity_kWh"`
		}
	}
	b, err := os.ReadFile("../heat/testdata/port12_4weeks.expected.json")
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &all))
	for key, into := range map[string]any{"lp_optimum_10min": &want.Optimum, "lp_optimum_hour": &want.Hour, "lp_optimum_day": &want.Day, "storage_G_to_K_hourly": &want.Storage} {
		require.NoError(t, json.Unmarshal(all[key], into), key)
	}
	s := port(t)
	p, err := s.Problem()
	require.NoError(t, err)
	plan := solved(t, p)
	t.Logf("delivered %.2f MWh, want %.1f; pivots %d, structures %d, solved %d, gap %.2g", plan.DeliveredMWh, want.Optimum.MWh, plan.Pivots, plan.Structures, plan.Solved, plan.Gap)
	require.InEpsilon(t, want.Optimum.MWh, plan.DeliveredMWh, 0.02)
	require.LessOrEqual(t, plan.Gap, 1e-9)
	require.Zero(t, plan.Unproved)
	// Where several sources could serve the same, only sums are determined: those of
	// the sinks that are served as far as heat goes.
	for j := range p.Sinks {
		sum, expected := 0.0, 0.0
		for i := range p.Sources {
			sum += plan.MatrixMWh[i][j]
			expected += want.Optimum.Matrix[p.Sources[i].ID+"->"+p.Sinks[j].ID]
		}
		require.InDelta(t, expected, sum, max(5, 0.04*expected), p.Sinks[j].ID)
	}
	require.InEpsilon(t, want.Hour.MWh, solved(t, p.Averaged(6)).DeliveredMWh, 0.02)
	require.InEpsilon(t, want.Day.MWh, solved(t, p.Averaged(144)).DeliveredMWh, 0.02)
	bound, err := p.UpperBound()
	require.NoError(t, err)
	require.GreaterOrEqual(t, bound, plan.DeliveredMWh)

	// The furnace's flue limits the heat network by amount alone, the compressors' oil
	// by temperature.
	share, _ := p.Limit(2, 4)
	require.Less(t, share, 0.05)
	share, at := p.Limit(0, 4)
	require.Greater(t, share, 0.9)
	require.InDelta(t, 62.5, at, 1, "what is colder than the return of the network is of no use")
	hot, cold, _ := p.Curves(0, 4)
	require.Len(t, hot, 2)
	require.Less(t, cold[0][0], hot[1][0], "the curves overlap")

	stores := []Store{{0, 0.003}, {5000, 0.003}, {20000, 0.003}, {60000, 0.003}}
	got := p.Storage(6, 4, stores)
	require.InDelta(t, want.Storage.Level, got.LevelC, 0.5)
	for k, name := range []string{"0", "5000", "20000", "60000"} {
		require.InEpsilon(t, want.Storage.MWh[name], got.DeliveredMWh[k], 0.02, name)
	}
}

// The greedy rule of the store is the optimum of the linear programme over all
// periods.
func TestStorageIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "periods")
		draw := func(name string) (x []float64) {
			for range n {
				x = append(x, float64(rapid.IntRange(0, 100).Draw(t, name)))
			}
			return x
		}
		offer, want := draw("offer"), draw("want")
		capacity, kept := float64(rapid.IntRange(1, 150).Draw(t, "capacity")), rapid.Float64Range(0.5, 1).Draw(t, "kept")
		// Variables of period i: now, in, out, content at the end, slacks of offer, want,
		// capacity. content_i = kept content_(i-1) + in - out.
		const v = 7
		a := mat.NewDense(4*n, v*n, nil)
		b, c, basic := make([]float64, 4*n), make([]float64, v*n), make([]int, 0, 4*n)
		for i := range n {
			x := v * i
			a.Set(4*i, x, 1)
			a.Set(4*i, x+1, 1)
			a.Set(4*i, x+4, 1)
			b[4*i] = offer[i]
			a.Set(4*i+1, x, 1)
			a.Set(4*i+1, x+2, 1)
			a.Set(4*i+1, x+5, 1)
			b[4*i+1] = want[i]
			a.Set(4*i+2, x+3, 1)
			a.Set(4*i+2, x+6, 1)
			b[4*i+2] = capacity
			a.Set(4*i+3, x+3, 1)
			a.Set(4*i+3, x+1, -1)
			a.Set(4*i+3, x+2, 1)
			if i > 0 {
				a.Set(4*i+3, x+3-v, -kept)
			}
			c[x], c[x+2] = -1, -1
			basic = append(basic, x+4, x+5, x+6, x+3)
		}
		best, _, err := lp.Simplex(c, a, b, 1e-12, basic)
		require.NoError(t, err)
		require.InDelta(t, -best, charge(offer, want, capacity, kept), 1e-6)
	})
}
