package flows

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"
)

// Published: Wang and Smith (1994), four operations, 112.5 to 90 t/h, pinch at
// 100 ppm.
func TestWangSmith(t *testing.T) {
	c, err := ParseWaterCase([]byte(`{"inputs": {"freshwater_ppm": 0, "operations": [
		{"name": "1", "mass_load_kg_h": 2, "c_in_max_ppm": 0, "c_out_max_ppm": 100},
		{"name": "2", "mass_load_kg_h": 5, "c_in_max_ppm": 50, "c_out_max_ppm": 100},
		{"name": "3", "mass_load_kg_h": 30, "c_in_max_ppm": 50, "c_out_max_ppm": 800},
		{"name": "4", "mass_load_kg_h": 4, "c_in_max_ppm": 400, "c_out_max_ppm": 800}]}}`))
	require.NoError(t, err)
	a, err := c.Answer()
	require.NoError(t, err)
	require.Equal(t, 112.5, a["fresh_without_reuse_t_h"])
	require.Equal(t, 90.0, a["fresh_min_with_reuse_t_h"])
	require.Equal(t, 100.0, a["pinch_ppm"])
	require.Equal(t, 0.2, a["saving_fraction"])
}

// reuse is the least fresh water by a linear programme on the network itself:
// operation j at its highest outlet concentration passes F_j; fresh water and
// outlets of others feed it.
func reuse(t require.TestingT, c *WaterCase) float64 {
	n := len(c.Operations)
	// Variables: fresh f_j, reuse x_ij, waste w_j, slack of the inlet limit s_j.
	fresh := func(j int) int { return j }
	pass := func(i, j int) int { // none to itself
		if j > i {
			j--
		}
		return n + i*(n-1) + j
	}
	waste := func(j int) int { return n*n + j }
	slack := func(j int) int { return n*n + n + j }
	columns := n*n + 2*n
	a, b, cost := mat.NewDense(3*n, columns, nil), make([]float64, 3*n), make([]float64, columns)
	for j, o := range c.Operations {
		// Mass: F_j (out - mixed inlet) = load: sum in (out_j - c_in) = load.
		a.Set(j, fresh(j), o.OutMax-c.FreshPPM)
		// Inlet: sum in (inmax - c_in) >= 0.
		a.Set(n+j, fresh(j), o.InMax-c.FreshPPM)
		a.Set(n+j, slack(j), -1)
		// Balance of outlet: what comes in goes on or is wasted.
		a.Set(2*n+j, fresh(j), 1)
		for i, p := range c.Operations {
			if i == j {
				continue
			}
			a.Set(j, pass(i, j), o.OutMax-p.OutMax)
			a.Set(n+j, pass(i, j), o.InMax-p.OutMax)
			a.Set(2*n+j, pass(i, j), a.At(2*n+j, pass(i, j))+1)
			a.Set(2*n+j, pass(j, i), a.At(2*n+j, pass(j, i))-1)
		}
		a.Set(2*n+j, waste(j), -1)
		b[j] = 1000 * o.LoadKgH
		cost[fresh(j)] = 1
	}
	best, _, err := lp.Simplex(cost, a, b, 1e-10, nil)
	require.NoError(t, err)
	return best
}

func TestWaterEqualsNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &WaterCase{FreshPPM: float64(rapid.IntRange(0, 20).Draw(t, "fresh"))}
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			in := c.FreshPPM + float64(rapid.IntRange(0, 200).Draw(t, "in"))
			c.Operations = append(c.Operations, Operation{Name: "x", LoadKgH: float64(rapid.IntRange(1, 50).Draw(t, "load")), InMax: in, OutMax: in + float64(rapid.IntRange(10, 400).Draw(t, "rise"))})
		}
		got, err := WaterTargets(c)
		require.NoError(t, err)
		require.LessOrEqual(t, got.WithReuseTH, got.WithoutReuseTH+1e-9)
		require.InDelta(t, reuse(t, c), got.WithReuseTH, 1e-6*(1+got.WithReuseTH))
		require.NotEmpty(t, got.PinchPPM)
		again := &WaterCase{FreshPPM: c.FreshPPM, Operations: rapid.Permutation(c.Operations).Draw(t, "order")}
		other, err := WaterTargets(again)
		require.NoError(t, err)
		require.InDelta(t, got.WithReuseTH, other.WithReuseTH, 1e-9*got.WithReuseTH)
	})
}

func TestBadWater(t *testing.T) {
	operation := func(s string) string {
		return `{"inputs": {"freshwater_ppm": 10, "operations": [{"name": "wash", ` + s + `}]}}`
	}
	for name, c := range map[string]struct{ file, want string }{
		"not JSON":      {`{`, "not a case"},
		"none":          {`{"inputs": {}}`, "no operations"},
		"missing":       {operation(`"mass_load_kg_h": 2, "c_in_max_ppm": 20`), `operation "wash": c_out_max_ppm is missing`},
		"negative load": {operation(`"mass_load_kg_h": -2, "c_in_max_ppm": 20, "c_out_max_ppm": 50`), "mass load"},
		"falls":         {operation(`"mass_load_kg_h": 2, "c_in_max_ppm": 60, "c_out_max_ppm": 50`), "not above"},
		"too clean":     {operation(`"mass_load_kg_h": 2, "c_in_max_ppm": 5, "c_out_max_ppm": 50`), "infeasible"},
		"too much":      {operation(`"mass_load_kg_h": 2, "c_in_max_ppm": 20, "c_out_max_ppm": 2e6`), "million"},
		"fresh":         {`{"freshwater_ppm": -1, "operations": [{"mass_load_kg_h": 1, "c_in_max_ppm": 0, "c_out_max_ppm": 50}]}`, "freshwater_ppm"},
	} {
		_, err := ParseWaterCase([]byte(c.file))
		require.ErrorContains(t, err, c.want, name)
	}
}

func FuzzParseWaterCase(f *testing.F) {
	f.Add([]byte(`{"inputs": {"freshwater_ppm": 0, "operations": [{"name": 1, "mass_load_kg_h": 2, "c_in_max_ppm": 0, "c_out_max_ppm": 100}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseWaterCase(b)
		if err != nil {
			return
		}
		a, err := c.Answer()
		if err != nil {
			t.Fatal(err)
		}
		if q, ok := a["fresh_min_with_reuse_t_h"].(float64); !ok || math.IsNaN(q) {
			t.Fatal(a)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Log(err)
		}
	})
}
