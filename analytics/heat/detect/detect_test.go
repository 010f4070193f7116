package detect

import (
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/synth"
)

// years is how many seeds are tried: 2, or THERMIE_SEEDS of them.
func years(t testing.TB) uint64 {
	t.Helper()
	if s := os.Getenv("THERMIE_SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return uint64(n)
	}
	return 2
}

// In synthetic years nothing is declared. What rejects more than 50 kW on average
// must be found, with its energy to 10 %, and nothing else proposed above 50 kW.
func TestHiddenSources(t *testing.T) {
	hidden, found, right, proposed, genuine := 0, 0, 0, 0, 0
	byKind := map[string][3]int{}
	worst := 0.0
	for seed := range years(t) {
		y := synth.Make(1000+seed, synth.Options{Faults: int(seed % 4)})
		faults := heat.FindFaults(y.Grid)
		got, err := Find(y.Grid, faults, Options{Weather: y.Weather})
		require.NoError(t, err)
		for _, a := range y.Assets {
			if a.MeanKW <= 50 {
				continue
			}
			hidden++
			k := byKind[a.Kind]
			k[0]++
			for _, f := range got {
				if !same(a, f) {
					continue
				}
				found++
				k[1]++
				off := math.Abs(f.Source.MWh/a.MWh - 1)
				worst = max(worst, off)
				if off <= 0.1 {
					right++
					k[2]++
				} else {
					t.Logf("seed %d: %s %s: %.0f MWh, true %.0f", seed, a.Kind, a.Object, f.Source.MWh, a.MWh)
				}
				break
			}
			if byKind[a.Kind][1] == k[1] {
				t.Logf("seed %d: missed %s %s, %.0f kW", seed, a.Kind, a.Object, a.MeanKW)
			}
			byKind[a.Kind] = k
		}
		for i := range got {
			if got[i].MeanKW(y.Grid) <= 50 {
				continue
			}
			proposed++
			ok := false
			for _, a := range y.Assets {
				ok = ok || same(a, got[i])
			}
			if ok {
				genuine++
			} else {
				t.Logf("seed %d: false: %s, %s, %.0f kW", seed, got[i].Object, got[i].Pattern, got[i].MeanKW(y.Grid))
			}
		}
	}
	for k, n := range byKind {
		t.Logf("%-32s hidden %3d, found %3d, energy within 10 %% %3d", k, n[0], n[1], n[2])
	}
	recall, precision := float64(found)/float64(hidden), float64(genuine)/float64(proposed)
	t.Logf("synthetic years: %d hidden sources above 50 kW, recall %.3f, precision %.3f, energy within 10 %% for %.3f of those found, worst %.1f %%",
		hidden, recall, precision, float64(right)/float64(found), 100*worst)
	require.GreaterOrEqual(t, recall, 0.95)
	require.GreaterOrEqual(t, precision, 0.95)
	require.GreaterOrEqual(t, float64(right), 0.95*float64(found))
}

// same says whether a finding is of an asset: they read a channel in common.
func same(a synth.Asset, f Finding) bool {
	for _, s := range f.Card.Signals {
		for _, o := range a.Card.Signals {
			if s == o {
				return true
			}
		}
	}
	return false
}
