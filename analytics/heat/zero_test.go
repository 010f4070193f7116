package heat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zeroGrid is a cooling loop that runs from 6 to 20 h with its pump and its
// temperatures apart, and a recovery that is off on every third day.
func zeroGrid() *Grid {
	g := &Grid{Start: time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: 60 * 24, Channels: map[string][]float64{}}
	names := []string{"S.loop.Q_kW", "S.loop.V_m3h", "S.loop.T_hot_C", "S.loop.T_cold_C", "S.pump.P_kW", "S.recovery.Q_kW"}
	for _, n := range names {
		g.Channels[n] = make([]float64, g.Steps)
	}
	for i := range g.Steps {
		on := i%24 >= 6 && i%24 < 20
		wobble := float64(i*7%13) / 10
		set := func(n string, v float64) { g.Channels[n][i] = v }
		set("S.loop.T_hot_C", 22+wobble/10)
		set("S.loop.T_cold_C", 21.5)
		if !on {
			continue
		}
		set("S.loop.Q_kW", 100+wobble)
		set("S.loop.V_m3h", 8+wobble/10)
		set("S.loop.T_hot_C", 55+wobble)
		set("S.loop.T_cold_C", 44)
		set("S.pump.P_kW", 3+wobble/10)
		if i/24%3 != 0 {
			set("S.recovery.Q_kW", 40+wobble)
		}
	}
	return g
}

func zeros(g *Grid, from, to int, names ...string) {
	for _, n := range names {
		for i := from; i < to; i++ {
			g.Channels[n][i] = 0
		}
	}
}

func TestFrozenZero(t *testing.T) {
	from, to := 30*24+6, 30*24+20 // a working day
	cards := []Card{{ID: "loop", Signals: []string{"S.loop.Q_kW", "S.pump.P_kW"}}, {ID: "recovery", Signals: []string{"S.recovery.Q_kW", "S.pump.P_kW"}}}
	only := func(g *Grid) []Fault {
		var out []Fault
		for _, f := range FindFaults(g, cards...) {
			if f.Kind == FrozenZero {
				out = append(out, f)
			}
		}
		return out
	}
	require.Empty(t, only(zeroGrid()), "nights, and recovery that is often off, are standstills")

	g := zeroGrid() // the meter's power freezes; its flow and temperatures go on
	zeros(g, from, to, "S.loop.Q_kW")
	got := only(g)
	require.Len(t, got, 1)
	require.Equal(t, []string{"S.loop.Q_kW"}, got[0].Channels)
	require.False(t, got[0].Mend)
	require.True(t, !got[0].From.After(g.At(from)) && !got[0].To.Before(g.At(to)))

	g = zeroGrid() // power and flow freeze; the temperatures stay apart and the pump runs
	zeros(g, from, to, "S.loop.Q_kW", "S.loop.V_m3h")
	require.Len(t, only(g), 2)

	g = zeroGrid() // only the pump of the card tells
	zeros(g, from, to, "S.loop.Q_kW", "S.loop.V_m3h")
	for i := from; i < to; i++ {
		g.Channels["S.loop.T_hot_C"][i], g.Channels["S.loop.T_cold_C"][i] = 22, 21.5
	}
	got = only(g)
	require.Len(t, got, 1)
	require.Equal(t, []string{"S.loop.Q_kW"}, got[0].Channels)

	g = zeroGrid() // everything stands
	zeros(g, from, to, "S.loop.Q_kW", "S.loop.V_m3h", "S.pump.P_kW", "S.recovery.Q_kW")
	for i := from; i < to; i++ {
		g.Channels["S.loop.T_hot_C"][i], g.Channels["S.loop.T_cold_C"][i] = 22, 21.5
	}
	require.Empty(t, only(g))

	// What is frozen is left out and filled from like times: no heat is lost.
	g = zeroGrid()
	whole, err := Sources(g, []Card{{ID: "loop", Signals: []string{"S.loop.Q_kW"}, Rule: "Q=Q_loop", THot: "55", TCold: "44"}}, nil)
	require.NoError(t, err)
	zeros(g, from, to, "S.loop.Q_kW")
	mended, err := Sources(g, []Card{{ID: "loop", Signals: []string{"S.loop.Q_kW"}, Rule: "Q=Q_loop", THot: "55", TCold: "44"}}, FindFaults(g, cards...))
	require.NoError(t, err)
	require.InEpsilon(t, whole[0].MWh, mended[0].MWh, 0.002)
	require.Positive(t, mended[0].EstimatedMWh)
}

// A tenth of the usual flow over a holiday is a wrong scale, unless the site's
// electricity fell with it.
func TestScaleOrStandstill(t *testing.T) {
	make1 := func(rest bool) *Grid {
		g := &Grid{Start: time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: 120 * 24, Channels: map[string][]float64{}}
		v, p := make([]float64, g.Steps), make([]float64, g.Steps)
		for i := range v {
			v[i], p[i] = 20+float64(i*7%11)/10, 300+float64(i*5%17)
			if i >= 50*24 && i < 57*24 {
				v[i] /= 10
				if rest {
					p[i] /= 6
				}
			}
		}
		g.Channels["mill-effluent/volume_flow"], g.Channels["mill-power/active_power"] = v, p
		return g
	}
	sites := map[string]string{"mill-effluent": "mill", "mill-power": "mill"}
	scaled := func(g *Grid) (n int) {
		for _, f := range FindFaultsAt(g, sites) {
			if f.Factor > 0 && f.Channels[0] == "mill-effluent/volume_flow" {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, scaled(make1(false)))
	require.Zero(t, scaled(make1(true)))
}
