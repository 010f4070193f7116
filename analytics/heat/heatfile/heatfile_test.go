package heatfile

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
)

func TestOpenCase(t *testing.T) {
	f, err := os.Open("../testdata/port12_4weeks.assets.json")
	require.NoError(t, err)
	defer f.Close()
	c, err := ReadCards(f)
	require.NoError(t, err)
	require.Len(t, c.Assets, 7)
	require.Len(t, c.Demands, 6)
	require.Empty(t, c.Warnings)
	require.Equal(t, "ext.T_C", c.Weather)
	require.Equal(t, heat.Place{X: 300, Y: 200}, c.Places["A"])
	require.Equal(t, heat.Card{ID: "D", Site: "D", Type: "process effluent to river, part already recovered internally (D.recovered.Q_kW)",
		Signals: []string{"D.effluent.V_m3h", "D.effluent.T_C", "D.recovered.Q_kW"}, Rule: "T_after=T-Q_rec/(V*1.16111); Q=V*1.16111*(T_after-22)",
		THot: "T_after", TCold: "22", DTContribution: 2.5}, c.Assets[3])
	require.Equal(t, "clip(40+(20-T_ext),40,65)", c.Demands[2].TTarget)

	d, err := os.Open("../testdata/port12_4weeks.csv.gz")
	require.NoError(t, err)
	defer d.Close()
	g, notes, err := ReadData(d)
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Equal(t, 28*144, g.Steps)
	require.Equal(t, 10*time.Minute, g.Step)
	require.Equal(t, time.Date(2025, 2, 3, 0, 0, 0, 0, time.UTC), g.Start)
	require.Len(t, g.Channels, 26)
	require.InDelta(t, 77.0, g.Channels["A.compressors.P_kW"][0], 0)
}

func TestReadData(t *testing.T) {
	g, notes, err := ReadData(strings.NewReader("utc,a,b\n2025-01-01T00:00Z,1,\n2025-01-01T01:00Z,2,x\n2025-01-01T02:00Z,2,NaN\n2025-01-01T04:00Z,4,5\n2025-01-01T04:00Z,6,7\n"))
	require.NoError(t, err)
	require.Len(t, notes, 3)
	require.Contains(t, notes[2], `line 3, b: "x"`)
	require.Equal(t, []float64{1, 2, 2}, g.Channels["a"][:3])
	require.True(t, math.IsNaN(g.Channels["a"][3]) && math.IsNaN(g.Channels["b"][1]))
	require.Equal(t, 7.0, g.Channels["b"][4])

	g, notes, err = ReadData(strings.NewReader("utc,a\n2025-01-01T00:00Z,1e300\n2025-01-01T01:00Z,2\n"))
	require.NoError(t, err)
	require.Contains(t, notes[0], `"1e300"`)
	require.True(t, math.IsNaN(g.Channels["a"][0]))

	g, _, err = ReadData(strings.NewReader("\ufefftime;a\n2025-01-01 00:00;1,5\n2025-01-01 00:10;-2,5\n"))
	require.NoError(t, err)
	require.Equal(t, []float64{1.5, -2.5}, g.Channels["a"])

	for name, c := range map[string]struct{ text, want string }{
		"empty":        {"", "empty"},
		"header only":  {"utc,a\n", "0 rows"},
		"no channels":  {"utc\n2025-01-01T00:00Z\n", "no channels"},
		"bad time":     {"utc,a\nyesterday,1\n", `line 2: time "yesterday"`},
		"off the grid": {"utc,a\n2025-01-01T00:00Z,1\n2025-01-01T00:10Z,1\n2025-01-01T00:20Z,1\n2025-01-01T00:27Z,1\n", "not on the grid"},
		"twice":        {"utc,a,a\n", "stands twice"},
		"short row":    {"utc,a,b\n2025-01-01T00:00Z,1\n", "wrong number of fields"},
		"no name":      {"utc,\n", "has no name"},
		"far apart":    {"utc,a\n2025-01-01T00:00Z,1\n2025-01-01T00:10Z,1\n2225-01-01T00:20Z,1\n", "far more steps"},
		"backwards":    {"utc,a\n2025-01-01T00:10Z,1\n2025-01-01T00:00Z,1\n", "order of time"},
	} {
		_, _, err := ReadData(strings.NewReader(c.text))
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestBadCards(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":          {`{}`, "neither"},
		"no JSON":          {"{\n\n:", "line 3"},
		"no id":            {`{"assets": [{"site": "A"}]}`, "number 1: no id"},
		"twice":            {`{"assets": [{"id": "A"}, {"id": "A"}]}`, "twice"},
		"impossible":       {`{"assets": [{"id": "A", "T_hot_C": -300}]}`, "T_hot_C of -300 degC is impossible"},
		"approach":         {`{"assets": [{"id": "A", "dt_contribution_K": -1}]}`, "dt_contribution_K"},
		"position":         {`{"sites_xy_m": {"A": [1]}, "assets": [{"id": "A"}]}`, "position"},
		"no signal":        {`{"demands": [{"id": "A"}]}`, "no signal"},
		"signal of number": {`{"assets": [{"id": "A", "signal": 3}]}`, "channel names"},
		"temperature":      {`{"assets": [{"id": "A", "T_hot": [3]}]}`, "temperature"},
		"network":          {`{"network": {"route_factor": 0.2}, "assets": [{"id": "A"}]}`, "route_factor"},
	} {
		_, err := ReadCards(strings.NewReader(c.text))
		require.ErrorContains(t, err, c.want, name)
	}
	c, err := ReadCards(strings.NewReader(`{"assets": [{"id": "A", "site": "nowhere", "signals": ["a", "b"], "T_hot": null}]}`))
	require.NoError(t, err)
	require.Contains(t, c.Warnings[0], `"nowhere" has no position`)
	spelled, err := ReadCards(strings.NewReader(`{"foo": 1, "network": {"route": 2}, "assets": [{"id": "A", "site": "a", "T_hotC": 4}], "sites_xy_m": {"a": [0, 0]}, "rules": []}`))
	require.NoError(t, err)
	require.Len(t, spelled.Warnings, 3)
	for i, want := range []string{`cards: key "foo"`, `network: key "route"`, `asset "A": key "T_hotC"`} {
		require.Contains(t, spelled.Warnings[i], want)
	}
	require.Equal(t, []string{"a", "b"}, c.Assets[0].Signals)
}

func FuzzReadCards(f *testing.F) {
	f.Add(`{"sites_xy_m": {"A": [1, 2]}, "assets": [{"id": "A", "site": "A", "signal": "a,b", "rule": "Q=P", "T_hot_C": 60, "T_cold": "x"}], "demands": [{"id": "d", "signal": "q", "T_target_C": 60}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ReadCards(strings.NewReader(s)); err == nil {
			require.NotEmpty(t, append(make([]string, len(c.Assets)), make([]string, len(c.Demands))...))
		}
	})
}

func FuzzReadData(f *testing.F) {
	f.Add("utc,a,b\n2025-01-01T00:00Z,1,\n2025-01-01T01:00Z,2,x\n")
	f.Add("utc;a\n2025-01-01 00:00;1,5\n2025-01-01 00:10;-2,5\n")
	f.Fuzz(func(t *testing.T, s string) {
		g, _, err := ReadData(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, x := range g.Channels {
			require.Len(t, x, g.Steps)
		}
	})
}
