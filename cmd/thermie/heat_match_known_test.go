package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// knownOptimum writes cards and readings of twelve sites, seven sources and six
// needs, whose optimum is known without solving anything: by turns of a week
//
//   - heat is scarce and every source hotter than every need: each source goes to
//     its nearest need, which could take all of them;
//   - heat is plenty: every need is served in full;
//   - every need is hotter than every source: nothing flows.
//
// All readings are noisy, so that no fault is seen in them.
func knownOptimum(t testing.TB, dir string, days int) (cards, data string, mwh float64) {
	r := rand.New(rand.NewPCG(7, 12))
	sites := map[string][2]float64{}
	at := func(name string) [2]float64 {
		if _, ok := sites[name]; !ok {
			sites[name] = [2]float64{math.Round(r.Float64() * 1500), math.Round(r.Float64() * 1500)}
		}
		return sites[name]
	}
	var assets, demands []map[string]any
	gain := make([]float64, 7) // to the nearest need
	places := make([][2]float64, 6)
	header := []string{"utc"}
	for d := range 6 {
		id := fmt.Sprint("need", d)
		site := fmt.Sprint("N", d)
		if d == 0 {
			site = "S0" // needs heat and gives some
		}
		places[d] = at(site)
		demands = append(demands, map[string]any{"id": id, "site": site, "signal": id + ".Q_kW", "T_target": id + ".T_target_C", "T_supply": id + ".T_supply_C", "dt_contribution_K": 2.5})
		header = append(header, id+".Q_kW")
	}
	for s := range 7 {
		id := fmt.Sprint("loop", s)
		here := at(fmt.Sprint("S", s))
		assets = append(assets, map[string]any{"id": id, "site": fmt.Sprint("S", s), "signal": id + ".V_m3h," + id + ".T_hot_C," + id + ".T_cold_C", "rule": "Q=V*1.16111*(T_hot-T_cold)",
			"T_hot": id + ".T_hot_C", "T_cold": id + ".T_cold_C", "dt_contribution_K": 2.5})
		for _, p := range places {
			gain[s] = max(gain[s], 1-0.03*1.3*math.Hypot(here[0]-p[0], here[1]-p[1])/1000)
		}
		header = append(header, id+".V_m3h", id+".T_hot_C", id+".T_cold_C")
	}
	// The temperatures of a need are constants of its card: seasons come from the sources.
	for d := range demands {
		delete(demands[d], "T_target")
		delete(demands[d], "T_supply")
		demands[d]["T_target_C"], demands[d]["T_supply_C"] = 50+float64(d), 40+float64(d)
	}
	var rows strings.Builder
	fmt.Fprintln(&rows, strings.Join(header, ","))
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range days * 144 {
		kind := i / 144 / 7 % 3
		fmt.Fprint(&rows, begin.Add(time.Duration(i)*10*time.Minute).Format("2006-01-02T15:04Z"))
		wanted := 0.0
		for d := range 6 {
			q := max(math.Round(5200+100*r.NormFloat64()), 4600)
			if kind == 1 {
				if q = max(math.Round(2600+50*r.NormFloat64()), 2000); d != i/6%6 {
					q = 0 // one at a time
				}
			}
			wanted += q
			fmt.Fprintf(&rows, ",%.0f", q)
		}
		for s := range 7 {
			v := math.Round(1000*(20+3*r.Float64())) / 1000
			hot, cold := math.Round(10*(92+3*r.Float64()))/10, math.Round(10*(70+3*r.Float64()))/10
			if kind == 2 {
				hot, cold = math.Round(10*(38+3*r.Float64()))/10, math.Round(10*(20+3*r.Float64()))/10
			}
			fmt.Fprintf(&rows, ",%.3f,%.1f,%.1f", v, hot, cold)
			if kind == 0 {
				mwh += v * 1.16111 * (hot - cold) * gain[s] / 6000
			}
		}
		if kind == 1 {
			mwh += wanted / 6000
		}
		fmt.Fprintln(&rows)
	}
	b, err := json.Marshal(map[string]any{"sites_xy_m": sites, "assets": assets, "demands": demands, "network": map[string]float64{"route_factor": 1.3, "loss_fraction_per_km": 0.03, "max_length_km": 3}})
	require.NoError(t, err)
	cards, data = filepath.Join(dir, "cards.json"), filepath.Join(dir, "data.csv")
	require.NoError(t, os.WriteFile(cards, b, 0o644))
	require.NoError(t, os.WriteFile(data, []byte(rows.String()), 0o644))
	return cards, data, mwh
}

// The command finds the known optimum of twelve sites to 0.01 %, at the step of the
// readings. THERMIE_YEAR=1 takes a whole year.
func TestMatchKnownOptimum(t *testing.T) {
	days := 21
	if os.Getenv("THERMIE_YEAR") != "" {
		days = 365
	}
	cards, data, want := knownOptimum(t, t.TempDir(), days)
	in, err := readHeat(cards, data)
	require.NoError(t, err)
	var joint jointOptions
	joint.flags(pflag.NewFlagSet("", pflag.PanicOnError))
	joint.when = "no"
	o := matchOptions{joint: joint, heatValue: 55, pipe: 500, station: 60000, rate: 0.05, years: 20, effort: 2}
	a, err := match(t.Context(), in, &o, io.Discard)
	require.NoError(t, err)
	require.Empty(t, a.faults)
	t.Logf("%d steps: %.4f MWh, known %.4f, bound %.4f, in %v", a.problem.Steps, a.plan.DeliveredMWh, want, a.plan.Bound, a.took)
	require.InEpsilon(t, want, a.plan.DeliveredMWh, 1e-4)
	require.InEpsilon(t, want, a.deliveredBound(), 1e-4)
	require.GreaterOrEqual(t, a.deliveredBound(), a.plan.DeliveredMWh*(1-1e-12))
	require.LessOrEqual(t, a.plan.Gap, 1e-9)
	// Neither a proposal nor the upper bound contradicts it.
	require.LessOrEqual(t, a.chosen.DeliveredMWh, want*(1+1e-4))
	require.GreaterOrEqual(t, a.bound, want*(1-1e-4))
}
