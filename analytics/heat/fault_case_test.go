package heat

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Into the four weeks of the case, which have none, one fault at a time is put
// into each channel of an asset: it must be found with its kind, its window to a
// fifth, and nothing else; and once mended, steady sources are right again.
func TestFaultsInCase(t *testing.T) {
	g0, cards, _, _ := loadCase(t)
	base, err := Sources(g0, cards, nil)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(7, 7))
	put, found, exact, alarms := 0, 0, 0, 0
	for _, c := range cards {
		for _, channel := range c.Signals {
			for _, kind := range []FaultKind{ScaleKind(10), ScaleKind(0.1), StuckReading, Gap, SensorsSwapped} {
				s := parseSignal(channel)
				if kind == SensorsSwapped && s.name != "T_hot" || strings.HasPrefix(string(kind), "scale") && s.letter() == "T" {
					continue
				}
				from := 144 + r.IntN(144*18)
				to := from + 144 + r.IntN(144*5)
				g := &Grid{Start: g0.Start, Step: g0.Step, Steps: g0.Steps, Channels: map[string][]float64{}}
				for n, x := range g0.Channels {
					g.Channels[n] = slices.Clone(x)
				}
				x, other := g.Channels[channel], g.Channels[s.object+".T_cold_C"]
				for kind == StuckReading && !(x[from] > 0) {
					from++
				}
				for i, held := from, x[from]; i < to; i++ {
					switch kind {
					case ScaleKind(10):
						x[i] *= 10
					case ScaleKind(0.1):
						x[i] *= 0.1
					case StuckReading:
						x[i] = held
					case Gap:
						x[i] = math.NaN()
					case SensorsSwapped:
						x[i], other[i] = other[i], x[i]
					}
				}
				put++
				faults := FindFaults(g, cards...)
				hit := false
				for _, f := range faults {
					a, b := g.window(f)
					if f.Kind != kind || !slices.Contains(f.Channels, channel) || a >= to || b <= from {
						alarms++
						t.Logf("%s %s: found %v", channel, kind, f)
						continue
					}
					hit = true
					if float64(min(b, to)-max(a, from)) > 0.8*float64(max(b, to)-min(a, from)) {
						exact++
					}
				}
				if !hit {
					t.Logf("%s %s: missed", channel, kind)
					continue
				}
				found++
				mended, err := Sources(g, cards, faults)
				require.NoError(t, err)
				for i := range mended {
					if id := mended[i].Card.ID; id == "B" || id == "E" || id == "D" || id == "G" { // not in batches
						require.InEpsilon(t, base[i].MWh, mended[i].MWh, 0.03, "%s after %s in %s", id, kind, channel)
					}
				}
			}
		}
	}
	t.Logf("%d faults put into the case, %d found, %d with their window to a fifth, %d false alarms", put, found, exact, alarms)
	require.GreaterOrEqual(t, float64(found), 0.95*float64(put))
	require.GreaterOrEqual(t, float64(exact), 0.85*float64(put))
	require.LessOrEqual(t, alarms, put/25)
}
