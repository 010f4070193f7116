package worth

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
	"github.com/thermie/thermie/metering"
)

func TestOpportunities(t *testing.T) {
	const days = 365
	g := &heat.Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: days * 24, Channels: map[string][]float64{
		"dc/heat_power":   hourly(days, func(int) float64 { return 400 }),
		"far/heat_power":  hourly(days, func(int) float64 { return 100 }),
		"tiny/heat_power": hourly(days, func(int) float64 { return 5 }),
		"off/heat_power":  hourly(days, func(i int) float64 { return 300 + 100*math.Cos(float64(i)/1390) }),
	}}
	cards := []heat.Card{
		{ID: "loop", Site: "dc", Type: "data centre loop", Signals: []string{"dc/heat_power"}, Rule: "Q=Q", THot: "34", TCold: "28", DTContribution: 2.5},
		{ID: "far", Site: "far", Type: "dry cooler", Signals: []string{"far/heat_power"}, Rule: "Q=Q", THot: "80", TCold: "60", DTContribution: 2.5},
		{ID: "tiny", Site: "dc", Type: "dry cooler", Signals: []string{"tiny/heat_power"}, Rule: "Q=Q", THot: "80", TCold: "60", DTContribution: 2.5},
	}
	sources, err := heat.Sources(g, cards, heat.FindFaults(g))
	require.NoError(t, err)
	kinds, err := asset.Builtin()
	require.NoError(t, err)
	d := heat.Demand{ID: "heating", Site: "office", Signal: "off/heat_power", TTarget: "55", TSupply: "40", DTContribution: 2.5}
	n, err := d.On(g, "")
	require.NoError(t, err)
	in := Input{Grid: g, Sources: sources, Needs: []*heat.Need{n}, Places: map[string]heat.Place{"dc": {X: 0, Y: 0}, "office": {X: 300, Y: 0}, "far": {X: 20000, Y: 0}},
		Network: heat.DefaultNetwork, Kinds: kinds, Day: day("2026-01-01")}
	known := Programme{Names: map[string]metering.Text{"loop": {FR: "Boucle du centre de données", EN: "Data-centre loop"}}}
	r, err := Builtin()
	require.NoError(t, err)
	out, notes, err := r.Opportunities(in, known)
	require.NoError(t, err)
	require.Empty(t, notes)
	require.Len(t, out, 2, "the tiny source is below the thresholds")
	o := out[0]
	require.Equal(t, "loop", o.ID)
	require.Equal(t, "A", o.Grade)
	require.InEpsilon(t, 400*8.76, o.MWhPerYear, 1e-9)
	require.Len(t, o.Uses, 1)
	require.Greater(t, o.Uses[0].COP, 3.0, "34 degC to 55 degC wants a heat pump")
	require.Greater(t, o.Uses[0].CO2eTonnes, 100.0)
	require.Less(t, o.Uses[0].PaybackYears, o.Uses[0].PaybackYearsH)
	require.Less(t, o.Uses[0].LCOHLowEUR, o.Uses[0].LCOHHighEUR)
	require.Contains(t, o.Uses[0].Support[0].EN, "RES-CH-108")
	total := 0.0
	for _, m := range o.MonthlyMWh {
		total += m
	}
	require.InDelta(t, o.MWhPerYear, total, 0.01*o.MWhPerYear)
	require.Contains(t, o.Against.EN, "heat pump", "the caveats of a data centre")
	require.Empty(t, out[1].Uses, "20 km are too far")
	require.Contains(t, out[1].Against.FR, "Aucun besoin")

	known.Connected = map[string]bool{"dc>office": true}
	out, _, err = r.Opportunities(in, known)
	require.NoError(t, err)
	for _, o := range out {
		require.Empty(t, o.Uses, "what runs already is not proposed")
	}
	delete(in.Places, "office")
	_, notes, err = r.Opportunities(in, known)
	require.NoError(t, err)
	require.Contains(t, notes[0], "no position")
}

func hourly(days int, f func(i int) float64) []float64 {
	x := make([]float64, days*24)
	for i := range x {
		x[i] = f(i)
	}
	return x
}
