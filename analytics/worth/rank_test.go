package worth

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
)

// A year with one source, a need on its own site and one 500 m away.
func year(t *testing.T) Input {
	t.Helper()
	const steps = 8760
	series := func(f func(i int) float64) []float64 {
		x := make([]float64, steps)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	g := &heat.Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: steps, Channels: map[string][]float64{
		"a.loop.V_m3h":    series(func(int) float64 { return 1000 / 1.16111 / 20 }),
		"a.loop.T_hot_C":  series(func(int) float64 { return 80 }),
		"a.loop.T_cold_C": series(func(int) float64 { return 60 }),
		"a.wash.Q_kW":     series(func(i int) float64 { return 200 * float64(i/12%2) }),
		"b.heat.Q_kW":     series(func(i int) float64 { return 600 + 300*math.Cos(float64(i)/1394) }),
	}}
	kinds, err := asset.Builtin()
	require.NoError(t, err)
	card, err := kinds.Complete(g, heat.Card{ID: "dry cooler", Site: "a", Kind: "dry_cooler", Signals: []string{"a.loop.V_m3h", "a.loop.T_hot_C", "a.loop.T_cold_C"}})
	require.NoError(t, err)
	sources, err := heat.Sources(g, []heat.Card{card}, nil)
	require.NoError(t, err)
	in := Input{Grid: g, Sources: sources, Places: map[string]heat.Place{"a": {}, "b": {X: 500}}, Network: heat.DefaultNetwork, Kinds: kinds, Day: day("2026-01-01")}
	for _, d := range []heat.Demand{{ID: "wash", Site: "a", Signal: "a.wash.Q_kW", TTarget: "60", TSupply: "15"}, {ID: "heating", Site: "b", Signal: "b.heat.Q_kW", TTarget: "55", TSupply: "40"}} {
		n, err := d.On(g, "")
		require.NoError(t, err)
		in.Needs = append(in.Needs, n)
	}
	return in
}

func TestRank(t *testing.T) {
	r, err := Builtin()
	require.NoError(t, err)
	in := year(t)
	all, notes, err := r.Rank(in)
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Len(t, all, 2)
	far, inside := all[0], all[1]
	require.Equal(t, "heating", far.Need.Demand.ID)
	require.True(t, inside.Internal)
	require.False(t, far.Lead)
	require.InEpsilon(t, 200*8.76/2, inside.Worth.MWhP50, 1e-6)
	// Internal first: while the site washes, 800 kW are left, of which 98 % arrive.
	expected := 0.0
	for i, q := range in.Needs[1].KW {
		expected += min(q, (1000-in.Needs[0].KW[i])*(1-0.03*0.65)) / 1000
	}
	require.InEpsilon(t, expected, far.Worth.MWhP50, 0.001)
	require.LessOrEqual(t, far.Worth.MWhP50+inside.Worth.MWhP50, in.Sources[0].MWh)
	require.Equal(t, 1000*8.76, math.Round(in.Sources[0].MWh*10)/10, "the sources given are not changed")

	in.Needs[1].Demand.Fuel = "peat"
	all, notes, err = r.Rank(in)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Contains(t, notes[0], `fuel "peat" has no price`)
	in.Needs[1].Demand.Fuel = ""

	in.Places = map[string]heat.Place{"a": {}}
	all, notes, err = r.Rank(in)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Contains(t, notes[0], "no position")
}

func TestExplain(t *testing.T) {
	r, err := Builtin()
	require.NoError(t, err)
	all, _, err := r.Rank(year(t))
	require.NoError(t, err)
	for _, language := range []string{"fr", "en"} {
		got := all[0].Explain(language)
		path := "testdata/explain." + language + ".txt"
		if os.Getenv("UPDATE_GOLDEN") != "" {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), got)
		require.Less(t, strings.Count(got, "\n"), 60, "one page")
		require.NotContains(t, got, "%!")
	}
}
