package detect

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/heatfile"
	"github.com/thermie/thermie/analytics/heat/synth"
)

// years is how many seeds are tried, and the step: 2 at half-hours, or THERMIE_SEEDS at ten minutes.
func years(t testing.TB) (uint64, time.Duration) {
	t.Helper()
	if s := os.Getenv("THERMIE_SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return uint64(n), 10 * time.Minute
	}
	return 2, 30 * time.Minute
}

// In synthetic years nothing is declared. What rejects more than 50 kW on average
// must be found, with its energy to 10 %, and nothing else proposed above 50 kW.
func TestHiddenSources(t *testing.T) {
	hidden, found, right, proposed, genuine := 0, 0, 0, 0, 0
	byKind := map[string][3]int{}
	worst := 0.0
	seeds, step := years(t)
	for seed := range seeds {
		y := synth.Make(1000+seed, synth.Options{Faults: int(seed % 4), Step: step})
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

// The open case is not of our making: each of its assets, taken out of the cards,
// must be found again, alone, with the heat that the case expects.
func TestOpenCase(t *testing.T) {
	open := func(name string) *os.File {
		f, err := os.Open("../testdata/port12_4weeks." + name)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	cards, err := heatfile.ReadCards(open("assets.json"))
	require.NoError(t, err)
	g, _, err := heatfile.ReadData(open("csv.gz"))
	require.NoError(t, err)
	var want struct {
		Sources map[string]struct {
			MWh float64 `json:"MWh"`
		}
	}
	require.NoError(t, json.NewDecoder(open("expected.json")).Decode(&want))
	for i, c := range cards.Assets {
		others := slices.Delete(slices.Clone(cards.Assets), i, i+1)
		got, err := Find(g, nil, Options{Weather: cards.Weather, Declared: others, Demands: cards.Demands, Apart: []string{"I.boiler_house.Q_kW"}})
		require.NoError(t, err)
		require.Len(t, got, 1, c.ID)
		require.Equal(t, c.Site, got[0].Card.Site)
		require.InEpsilon(t, want.Sources[c.ID].MWh, got[0].Source.MWh, 0.06, c.ID)
	}
	got, err := Find(g, nil, Options{Weather: cards.Weather, Declared: cards.Assets, Demands: cards.Demands})
	require.NoError(t, err)
	require.Empty(t, got, "all is declared; the boiler house is none")
}

// Heat meters that tell no flow: a cooler by its name or its temperatures, and
// none that follows the cold.
func TestHeatMeters(t *testing.T) {
	y := synth.Make(3, synth.Options{Days: 120})
	series := func(f func(i int) float64) []float64 {
		x := make([]float64, y.Grid.Steps)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	steady := series(func(i int) float64 { return 200 + 20*math.Sin(float64(i)/50) })
	y.Grid.Channels = map[string][]float64{
		y.Weather:         y.Grid.Channels[y.Weather],
		"A.tower.Q_kW":    steady,
		"B.m1.Q_kW":       steady,
		"B.m1.T_hot_C":    series(func(int) float64 { return 50 }),
		"B.m1.T_cold_C":   series(func(int) float64 { return 40 }),
		"C.m1.Q_kW":       steady,
		"D.recovery.Q_kW": steady,
		"E.cooler.Q_kW":   series(func(i int) float64 { return 400 - 10*y.Grid.Channels[y.Weather][i] }),
	}
	got, err := Find(y.Grid, nil, Options{Weather: y.Weather})
	require.NoError(t, err)
	var names []string
	for _, f := range got {
		names = append(names, f.Object)
	}
	require.ElementsMatch(t, []string{"A.tower", "B.m1"}, names)
}
