package main

import (
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// The four-week case of twelve synthetic sites, through the whole command.
func TestMatchFourWeeks(t *testing.T) {
	const dir = "../../analytics/heat/testdata/"
	var want struct {
		Pairs map[string]struct {
			KM    float64 `json:"L_km"`
			MWh   float64 `json:"delivered_MWh"`
			Bound float64 `json:"annual_balance_bound_MWh"`
		} `json:"pairs_alone"`
		Optimum struct {
			MWh float64 `json:"delivered_MWh"`
		} `json:"lp_optimum_10min"`
		Pumps struct {
			Pairs map[string]struct {
				MWh float64 `json:"delivered_MWh"`
				El  float64 `json:"electricity_MWh"`
			}
		} `json:"heat_pump_pairs"`
	}
	b, err := os.ReadFile(dir + "port12_4weeks.expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	in, err := readHeat(dir+"port12_4weeks.assets.json", dir+"port12_4weeks.csv.gz")
	require.NoError(t, err)
	var joint jointOptions
	joint.flags(pflag.NewFlagSet("", pflag.PanicOnError))
	joint.effort, joint.propose, joint.gap = 1, 1, 1e-4
	o := matchOptions{joint: joint, heatValue: 55, pipe: 500, station: 60000, rate: 0.05, years: 20, stores: []float64{0, 5000}, effort: 10}
	a, err := match(t.Context(), in, &o, io.Discard)
	require.NoError(t, err)
	b, err = json.Marshal(a.document())
	require.NoError(t, err)
	got := want
	got.Pairs = nil
	got.Pumps.Pairs = nil
	require.NoError(t, json.Unmarshal(b, &got))
	require.NotEmpty(t, want.Pairs)
	for name, w := range want.Pairs {
		g := got.Pairs[name]
		require.InDelta(t, w.KM, g.KM, 0.002, name)
		require.InDelta(t, w.MWh, g.MWh, max(5, 0.04*w.MWh), name)
		require.InDelta(t, w.Bound, g.Bound, 0.06*w.Bound, name)
	}
	for name, w := range want.Pumps.Pairs {
		require.InEpsilon(t, w.MWh, got.Pumps.Pairs[name].MWh, 0.06, name)
		require.InEpsilon(t, w.El, got.Pumps.Pairs[name].El, 0.07, name)
	}
	require.InEpsilon(t, want.Optimum.MWh, got.Optimum.MWh, 0.02)

	// Proposals never add up past the optimum, nor the optimum past the bound.
	sum := 0.0
	for s := range a.chosen.MatrixMWh {
		for d, mwh := range a.chosen.MatrixMWh[s] {
			require.True(t, mwh == 0 || a.network.Open[s][d])
			sum += mwh
		}
	}
	require.Positive(t, sum)
	require.LessOrEqual(t, sum, a.plan.DeliveredMWh+1e-6)
	require.LessOrEqual(t, a.plan.DeliveredMWh, a.bound+1e-6)
	require.Less(t, a.network.Gap, 0.1, "ten programmes leave a few per cent")
	// Heat pumps and tanks in one plan: proved, worth at least the direct optimum, and
	// never more heat than there is with the electricity.
	j := a.joint.plan
	require.LessOrEqual(t, j.Gap, 1e-4)
	require.GreaterOrEqual(t, j.Bound*(1+1e-9), a.plan.Worth)
	require.GreaterOrEqual(t, j.Worth*(1+1e-4), a.plan.Worth)
	require.Positive(t, j.ElectricityMWh)
	given := 0.0
	for d := range a.problem.Sinks {
		got := 0.0
		for s := range a.problem.Sources {
			got += j.MatrixMWh[s][d]
		}
		for _, x := range j.Tanks {
			got += x.OutMWh[d]
		}
		require.LessOrEqual(t, got, a.site.Needs[d].MWh*(1+1e-6), a.problem.Sinks[d].ID)
		given += got
	}
	require.InEpsilon(t, j.DeliveredMWh, given, 1e-9)
	for _, x := range j.Tanks {
		in, out := 0.0, 0.0
		for _, v := range x.InMWh {
			in += v
		}
		for _, v := range x.OutMWh {
			out += v
		}
		require.LessOrEqual(t, out, in, "a tank makes no heat")
	}
	// What is worth building with them is worth at least what is worth building
	// without, and not more than its bound.
	n := a.joint.network
	require.NotNil(t, n)
	require.LessOrEqual(t, n.chosen.Net, n.chosen.Bound)
	require.GreaterOrEqual(t, n.chosen.Bound*(1+1e-6), a.network.Net)
	require.LessOrEqual(t, n.plan.Worth, j.Bound*(1+1e-9))
	require.Len(t, a.changes, 5)
	require.Greater(t, a.changes[0].mwh, a.base.DeliveredMWh)
	require.Less(t, a.changes[2].mwh, a.base.DeliveredMWh)
}
