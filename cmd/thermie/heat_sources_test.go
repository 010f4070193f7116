package main

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The answer to the open case holds every key of its expected answer, within the
// case's tolerance: 3 % of the MWh, 6 % for E, whose meter's spread is low.
func TestHeatSourcesOpenCase(t *testing.T) {
	const dir = "../../analytics/heat/testdata/port12_4weeks."
	in, err := readHeatFiles(dir+"assets.json", dir+"csv.gz")
	require.NoError(t, err)
	require.NoError(t, in.rules(sourcesOptions{}))
	a, err := in.sources()
	require.NoError(t, err)
	require.NoError(t, in.rank(a, sourcesOptions{}))
	b, err := json.Marshal(a)
	require.NoError(t, err)
	type figures struct {
		MWh     *float64           `json:"MWh"`
		Bands   map[string]float64 `json:"by_band_MWh"`
		Hours   *float64           `json:"hours_above_20pct_of_P95"`
		P50     *float64           `json:"P50_kW"`
		P90     *float64           `json:"P90_firm_kW"`
		Max     *float64           `json:"max_kW"`
		Monthly []float64          `json:"monthly_MWh"`
		Between [2]float64         `json:"MWh_interval_90"`
	}
	type answer struct {
		Sources map[string]figures `json:"sources"`
		Demands map[string]figures `json:"demands"`
		Faults  []any              `json:"faults"`
		B       *float64           `json:"B_simultaneous_heat_and_cool_MWh"`
		Bound   float64            `json:"upper_bound_direct_MWh"`
		Best    []struct {
			Status string  `json:"status"`
			P50    float64 `json:"MWh_P50"`
			P90    float64 `json:"MWh_P90"`
		} `json:"proposals"`
	}
	var got, want answer
	require.NoError(t, json.Unmarshal(b, &got))
	b, err = os.ReadFile(dir + "expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	require.Len(t, got.Sources, len(want.Sources))
	inside := 0
	for id, w := range want.Sources {
		g, share := got.Sources[id], 0.03
		if id == "E" {
			share = 0.06
		}
		near := func(what string, want, got, least float64) {
			require.InDelta(t, want, got, math.Max(share*want, least), "%s %s", id, what)
		}
		near("MWh", *w.MWh, *g.MWh, 0)
		near("hours", *w.Hours, *g.Hours, 3)
		near("P50", *w.P50, *g.P50, 0.5)
		near("P90", *w.P90, *g.P90, 0.5)
		near("max", *w.Max, *g.Max, 0.5)
		require.Len(t, g.Bands, len(w.Bands))
		for band, mwh := range w.Bands {
			near(band, mwh, g.Bands[band], share**w.MWh)
		}
		require.Len(t, g.Monthly, 12)
		for m, mwh := range w.Monthly {
			near("month", mwh, g.Monthly[m], 0.01**w.MWh)
		}
		if g.Between[0] <= *w.MWh && *w.MWh <= g.Between[1] {
			inside++
		}
	}
	require.Equal(t, len(want.Sources), inside, "the truth lies in every interval")
	for id, w := range want.Demands {
		require.InEpsilon(t, *w.MWh, *got.Demands[id].MWh, 0.03, id)
		require.InEpsilon(t, *w.Max, *got.Demands[id].Max, 0.03, id)
	}
	require.Empty(t, got.Faults)
	require.NotNil(t, got.Faults, "an empty list, not null")
	require.InEpsilon(t, *want.B, *got.B, 0.03)
	require.Greater(t, got.Bound, 1129.5, "above the optimum with losses")
	require.Less(t, got.Bound, 1.05*1129.5)
	require.NotEmpty(t, got.Best)
	for _, p := range got.Best {
		require.Equal(t, "lead", p.Status, "four weeks are no year")
		require.Less(t, p.P90, p.P50)
	}
}
