package heat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two streams that never run at the same hour: the season's means promise a
// recovery, the steps none.
func TestTargetsLookAtTheHour(t *testing.T) {
	g := &Grid{Start: time.Date(2025, 1, 10, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: 240}
	flat := func(x float64) []float64 {
		out := make([]float64, g.Steps)
		for i := range out {
			out[i] = x
		}
		return out
	}
	day, night := flat(0), flat(0)
	for i := range day {
		if i%24 < 12 {
			day[i] = 100
		} else {
			night[i] = 100
		}
	}
	source := Source{Card: &Card{ID: "s", DTContribution: 5}, KW: day, HotC: flat(90), ColdC: flat(60)}
	need := &Need{Demand: &Demand{ID: "n", DTContribution: 5}, KW: night, TargetC: flat(50), SupplyC: flat(20)}
	got, err := TargetsOf(g, []Source{source}, []*Need{need})
	require.NoError(t, err)
	require.InDelta(t, 0, got.RecoveryMWh, 1e-9)
	require.InDelta(t, 12, got.HotMWh, 1e-9)
	require.InDelta(t, 12, got.ColdMWh, 1e-9)
	winter := got.Seasons[0]
	require.InDelta(t, 50, winter.RecoveryKW, 1e-9)
	require.Len(t, winter.Streams, 2)
	require.Empty(t, got.Seasons[2].Streams)

	// At the same hour all of it is recovered, down to what temperature allows.
	need.KW = day
	got, err = TargetsOf(g, []Source{source}, []*Need{need})
	require.NoError(t, err)
	require.InDelta(t, 12, got.RecoveryMWh, 1e-9)
	need.TargetC, need.SupplyC = flat(100), flat(70) // 90 - 5 reaches 85, 80 with the need's own 5
	got, err = TargetsOf(g, []Source{source}, []*Need{need})
	require.NoError(t, err)
	require.InDelta(t, 12*10/30.0, got.RecoveryMWh, 1e-9)
	require.Equal(t, []float64{85, 75}, got.Seasons[0].Pinches)
}
