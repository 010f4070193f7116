package pinch

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Problems of the literature with their published targets, beside those in
// testdata.
func TestTextbookProblems(t *testing.T) {
	type stream struct{ ts, tt, cp float64 }
	shenoy := []stream{{175, 45, 10}, {125, 65, 40}, {20, 155, 20}, {40, 112, 15}}
	for name, c := range map[string]struct {
		dtMin, hot, cold, pinchHot float64
		streams                    []stream
	}{
		// Shenoy, Heat Exchanger Network Synthesis, Gulf 1995: targets at two approaches.
		"Shenoy, 20 K": {20, 605, 525, 125, shenoy},
		"Shenoy, 13 K": {13, 360, 280, 125, shenoy},
		// Lee, Masso and Rudd, Ind. Eng. Chem. Fundam. 9, 1970 (4SP1).
		"4SP1": {10, 127.68, 250.14, 249, []stream{{160, 93, 8.79}, {249, 138, 10.55}, {60, 160, 7.62}, {116, 260, 6.08}}},
		// Linnhoff and others, User Guide on Process Integration, IChemE 1982.
		"user guide": {20, 107.5, 40, 90, []stream{{150, 60, 2}, {90, 60, 8}, {20, 125, 2.5}, {25, 100, 3}}},
		// The same at 10 K is a threshold problem.
		"user guide, threshold": {10, 67.5, 0, math.NaN(), []stream{{150, 60, 2}, {90, 60, 8}, {20, 125, 2.5}, {25, 100, 3}}},
	} {
		var streams []Stream
		for _, s := range c.streams {
			x, err := NewStream(name, s.ts, s.tt, s.cp, math.NaN(), c.dtMin/2, "")
			require.NoError(t, err)
			streams = append(streams, x)
		}
		got, err := Cascade(streams)
		require.NoError(t, err)
		require.InDelta(t, c.hot, got.HotUtilityKW, 1e-6, name)
		require.InDelta(t, c.cold, got.ColdUtilityKW, 1e-6, name)
		if math.IsNaN(c.pinchHot) {
			require.Empty(t, got.Pinches, name)
			require.Equal(t, "threshold-no-cold", got.Threshold, name)
			continue
		}
		require.InDelta(t, c.pinchHot, got.PinchHotC(c.dtMin), 1e-9, name)
	}
}
