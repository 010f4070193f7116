package synth

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
)

// years is how many seeds a test tries, and the step: 2 at half-hours, or THERMIE_SEEDS at ten
// minutes.
func years(t *testing.T) (uint64, time.Duration) {
	t.Helper()
	if s := os.Getenv("THERMIE_SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return uint64(n), 10 * time.Minute
	}
	return 2, 30 * time.Minute
}

// The same seed makes the same year, and rules run on it give the truth.
func TestTruth(t *testing.T) {
	a, b := Make(5, Options{Days: 60}), Make(5, Options{Days: 60})
	require.Equal(t, fmt.Sprint(a.Grid.Channels["ext.T_C"][:500]), fmt.Sprint(b.Grid.Channels["ext.T_C"][:500]))
	require.NotEmpty(t, a.Assets)
	require.NotEmpty(t, a.Decoys)
	for _, x := range a.Assets {
		s, err := heat.Sources(a.Grid, []heat.Card{x.Card}, nil)
		require.NoError(t, err)
		require.InDelta(t, x.MWh, s[0].MWh, 0.1*x.MWh, "%s", x.Kind)
	}
}

// Faults are found with their kind and window, and after mending each source is
// right, where it is not without.
func TestFaultsFound(t *testing.T) {
	put, found, alarms, wrong := 0, 0, 0, 0
	worst := 0.0
	seeds, step := years(t)
	for seed := range seeds {
		y := Make(seed, Options{Faults: 6, Step: step})
		var cards []heat.Card
		for _, a := range y.Assets {
			cards = append(cards, a.Card)
		}
		got := heat.FindFaults(y.Grid, cards...)
		matched := make([]bool, len(got))
		for _, want := range y.Faults {
			put++
			ok := false
			for i, f := range got {
				overlap := earlier(f.To, want.To).Sub(later(f.From, want.From)).Hours()
				long := later(f.To, want.To).Sub(earlier(f.From, want.From)).Hours()
				if f.Kind == want.Kind && overlap > 0 {
					matched[i] = true
				}
				if f.Kind == want.Kind && overlap > 0.7*long {
					ok = true
				}
			}
			if ok {
				found++
			} else {
				near := slices.DeleteFunc(slices.Clone(got), func(f heat.Fault) bool { return f.Channels[0] != want.Channels[0] })
				t.Logf("seed %d: not found: %v; in that channel: %v", seed, want, near)
			}
		}
		for i, f := range got {
			if !matched[i] {
				alarms++
				t.Logf("seed %d: false: %v", seed, f)
			}
		}
		clean, err := heat.Sources(y.Grid, cards, got)
		require.NoError(t, err)
		for i, s := range clean {
			off := math.Abs(s.MWh/y.Assets[i].MWh - 1)
			worst = max(worst, off)
			if off > 0.1 {
				wrong++
				t.Logf("seed %d: %s %.1f MWh, true %.1f", seed, s.Card.Type, s.MWh, y.Assets[i].MWh)
			}
		}
	}
	t.Logf("synthetic years: %d faults put in, %d found, %d false alarms; %d sources wrong by more than 10 %%, worst %.1f %%", put, found, alarms, wrong, 100*worst)
	require.GreaterOrEqual(t, float64(found), 0.9*float64(put))
	require.LessOrEqual(t, float64(alarms), 0.1*float64(put))
	require.Zero(t, wrong)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
