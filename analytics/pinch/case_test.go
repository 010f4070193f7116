package pinch

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// compare holds every number and word of want against got, within 0.1 %.
func compare(t *testing.T, path string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		require.True(t, ok, "%s: %v", path, got)
		for k, x := range w {
			require.Contains(t, g, k, path)
			compare(t, path+"."+k, x, g[k])
		}
	case []any:
		g, ok := got.([]any)
		require.True(t, ok && len(g) == len(w), "%s: %v", path, got)
		for i, x := range w {
			compare(t, fmt.Sprintf("%s[%d]", path, i), x, g[i])
		}
	case float64:
		require.InDelta(t, w, got, 0.001*math.Abs(w)+1e-6, path)
	default:
		require.Equal(t, want, got, path)
	}
}

// answer computes a case as the command does, through JSON.
func solve(t *testing.T, file []byte) map[string]any {
	t.Helper()
	c, err := ParseCase(file)
	require.NoError(t, err)
	a, err := c.Answer()
	require.NoError(t, err)
	b, err := json.Marshal(a)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

func TestOpenCases(t *testing.T) {
	files, err := filepath.Glob("testdata/open*.json")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		var c struct{ Expected map[string]any }
		require.NoError(t, json.Unmarshal(b, &c))
		require.NotEmpty(t, c.Expected)
		compare(t, filepath.Base(f), c.Expected, solve(t, b))
	}
}

// Problems of the literature, one to five zones, up to 36 streams; their targets
// as two independent programs give them.
func TestPublishedSites(t *testing.T) {
	b, err := os.ReadFile("testdata/published.json")
	require.NoError(t, err)
	var cases []json.RawMessage
	require.NoError(t, json.Unmarshal(b, &cases))
	require.Len(t, cases, 18)
	for _, raw := range cases {
		var c struct {
			ID       string
			Expected map[string]any
		}
		require.NoError(t, json.Unmarshal(raw, &c))
		compare(t, c.ID, c.Expected, solve(t, raw))
	}
}

// Two batch streams that never run together can meet only through storage; the
// textbook four streams in two periods weigh as their lengths say.
func TestSlicesAndPeriods(t *testing.T) {
	a := solve(t, []byte(`{"kind": "time-slice", "inputs": {"cycle_h": 10, "dt_min_K": 10, "streams": [
		{"name": "H", "ts": 90, "tt": 50, "cp": 2, "t0": 8, "t1": 2},
		{"name": "C", "ts": 20, "tt": 60, "cp": 2, "t0": 2, "t1": 6}]}}`))
	require.Equal(t, 0.0, a["recovery_direct_kWh"])
	require.Equal(t, 320.0, a["recovery_upper_bound_with_storage_kWh"])
	require.Len(t, a["slices"], 4, "8 to 10 h, 0 to 2 h, 2 to 6 h and the idle time between")

	a = solve(t, []byte(`{"inputs": {"dt_min_K": 10, "periods": ["winter", "summer"], "weights": [1, 3], "streams": [
		{"name": "1", "ts": [20, 20], "tt": [135, 135], "q": [230, 115]}, {"name": "2", "ts": 170, "tt": 60, "cp": 3},
		{"name": "3", "ts": [80, null], "tt": [140, null], "q": [240, 0]}, {"name": "4", "ts": 150, "tt": 30, "cp": 1.5}]}}`))
	periods := a["periods"].(map[string]any)
	require.Equal(t, 20.0, periods["winter"].(map[string]any)["QH_min_kW"])
	require.Equal(t, 60.0, periods["winter"].(map[string]any)["QC_min_kW"])
	require.Equal(t, "threshold-no-hot", periods["summer"].(map[string]any)["threshold"])
	require.Equal(t, 395.0, periods["summer"].(map[string]any)["QC_min_kW"])
	require.Equal(t, 5.0, a["weighted_QH_kW"])
	require.Equal(t, 311.25, a["weighted_QC_kW"])
}

func TestBadCases(t *testing.T) {
	stream := func(s string) string { return `{"inputs": {"dt_min_K": 10, "streams": [{"name": "S", ` + s + `}]}}` }
	for name, c := range map[string]struct{ file, want string }{
		"not JSON":          {`{"inputs": `, "not a case"},
		"no streams":        {`{"inputs": {}}`, "no streams"},
		"missing ts":        {stream(`"tt": 50, "cp": 2`), `stream "S": a temperature is missing`},
		"null tt":           {stream(`"ts": 50, "tt": null, "cp": 2`), `stream "S": a temperature is missing`},
		"absolute zero":     {stream(`"ts": -300, "tt": 50, "cp": 2`), "below absolute zero"},
		"too hot":           {stream(`"ts": 9000, "tt": 50, "cp": 2`), "impossible"},
		"negative cp":       {stream(`"ts": 90, "tt": 50, "cp": -2`), `stream "S": a negative heat flow`},
		"negative q":        {stream(`"ts": 90, "tt": 50, "q": -2`), "negative"},
		"no load":           {stream(`"ts": 90, "tt": 50`), "neither cp"},
		"latent by cp":      {stream(`"ts": 90, "tt": 90, "cp": 3, "kind": "hot"`), "latent"},
		"latent, no kind":   {stream(`"ts": 90, "tt": 90, "q": 3`), "hot or cold"},
		"words":             {stream(`"ts": "hot", "tt": 90, "q": 3`), "want a number"},
		"no approach":       {`{"inputs": {"streams": [{"name": "S", "ts": 90, "tt": 50, "cp": 2}]}}`, "dt_min_K"},
		"negative approach": {`{"inputs": {"dt_min_K": -1, "streams": [{"name": "S", "ts": 90, "tt": 50, "cp": 2}]}}`, "dt_min_K"},
		"vast approach":     {`{"inputs": {"dt_min_K": 1e300, "streams": [{"name": "S", "ts": 90, "tt": 50, "cp": 2}]}}`, "1000 at most"},
		"vast heat":         {stream(`"ts": 90, "tt": 50, "q": 1e300`), "impossible"},
		"cp against q":      {stream(`"ts": 90, "tt": 50, "q": 1, "cp": 7`), "give one of them"},
		"list, no periods":  {stream(`"ts": [90, 80], "tt": 50, "cp": 7`), "2 numbers in ts"},
		"a list":            {"[1, 2]", "want an object"},
		"units":             {`{"inputs": {"dt_min_K": 1, "units": "BTU", "streams": [{"ts": 90, "tt": 50, "cp": 2}]}}`, "BTU"},
		"utility type":      {`{"inputs": {"dt_min_K": 1, "utilities": [{"name": "U", "type": "Warm", "t_supply": 3}], "streams": [{"ts": 90, "tt": 50, "cp": 2}]}}`, "Warm"},
		"utility, no level": {`{"inputs": {"dt_min_K": 1, "utilities": [{"name": "U", "type": "Hot"}], "streams": [{"ts": 90, "tt": 50, "cp": 2}]}}`, "t_supply"},
		"no hours":          {`{"kind": "time-slice", "inputs": {"dt_min_K": 1, "cycle_h": 3, "streams": [{"ts": 90, "tt": 50, "cp": 2}]}}`, "t0 or t1"},
		"no cycle":          {`{"kind": "time-slice", "inputs": {"dt_min_K": 1, "streams": [{"ts": 90, "tt": 50, "cp": 2, "t0": 0, "t1": 1}]}}`, "cycle_h"},
		"outside the cycle": {`{"inputs": {"dt_min_K": 1, "cycle_h": 3, "streams": [{"ts": 90, "tt": 50, "cp": 2, "t0": 0, "t1": 4}]}}`, "cycle"},
		"periods":           {`{"inputs": {"dt_min_K": 1, "periods": ["a", "b"], "streams": [{"ts": [90, 80, 70], "tt": 50, "cp": 2}]}}`, "3 numbers in ts and 2 periods"},
		"weights":           {`{"inputs": {"dt_min_K": 1, "periods": ["a", "b"], "weights": [1], "streams": [{"ts": 90, "tt": 50, "cp": 2}]}}`, "2 periods and 1 weights"},
		"kind":              {`{"kind": "water-reuse", "inputs": {"operations": []}}`, `kind "water-reuse"`},
	} {
		p, err := ParseCase([]byte(c.file))
		if err == nil {
			_, err = p.Answer()
		}
		require.ErrorContains(t, err, c.want, name)
	}
}

// A key that nothing reads is named: an approach that is spelled wrongly would
// change the targets unseen.
func TestUnknownKeys(t *testing.T) {
	c, err := ParseCase([]byte(`{"inputs": {"dt_min_K": 10, "streams": [{"name": "S", "ts": 90, "tt": 50, "cp": 2, "dtcc": 3, "htc": 1}], "utilities": [{"name": "U", "type": "Hot", "t_supply": 200, "price": 3}]}}`))
	require.NoError(t, err)
	a, err := c.Answer()
	require.NoError(t, err)
	require.Equal(t, []string{`stream "S": key "dtcc" is not known and was not read`, `utility "U": key "price" is not known and was not read`}, a["warnings"])
}

func FuzzParseCase(f *testing.F) {
	files, _ := filepath.Glob("testdata/open*.json")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"inputs": {"dt_min_K": 10, "periods": ["a"], "streams": [{"name": 1, "ts": [20], "tt": 135, "q": 0}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCase(b)
		if err != nil {
			return
		}
		if a, err := c.Answer(); err == nil {
			if _, err := json.Marshal(a); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A site's targets: levels never beat the direct bound nor lose against each
// zone on its own, heat balances, and the order of streams changes nothing.
func TestSiteProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kelvin := func(name string) float64 { return float64(rapid.IntRange(0, 300).Draw(t, name)) }
		var streams []Stream
		var hot, cold float64
		for range rapid.IntRange(1, 10).Draw(t, "n") {
			ts, tt := kelvin("ts"), kelvin("tt")
			kind := ""
			if ts == tt {
				kind = rapid.SampledFrom([]string{"hot", "cold"}).Draw(t, "kind")
			}
			s, err := NewStream("s", ts, tt, math.NaN(), float64(rapid.IntRange(1, 1000).Draw(t, "q")), float64(rapid.IntRange(0, 10).Draw(t, "dtc")), kind)
			require.NoError(t, err)
			s.Zone = rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "zone")
			streams = append(streams, s)
			if s.Hot {
				hot += s.Q
			} else {
				cold += s.Q
			}
		}
		utilities := []Utility{{Name: "oil", Give: true, Low: 400, High: 420, DTC: 5}, {Name: "river", Take: true, Low: -40, High: -30, DTC: 2}}
		for i := range rapid.IntRange(0, 3).Draw(t, "levels") {
			low := kelvin("level")
			utilities = append(utilities, Utility{Name: fmt.Sprint("level", i), Give: true, Take: true, Low: low, High: low + float64(rapid.IntRange(0, 40).Draw(t, "glide")), DTC: float64(rapid.IntRange(0, 5).Draw(t, "udtc"))})
		}
		got, err := Site(streams, utilities)
		require.NoError(t, err)
		eps := 1e-6 * (hot + cold)
		require.LessOrEqual(t, got.DirectHotKW, got.ViaLevelsHotKW+eps)
		require.LessOrEqual(t, got.ViaLevelsHotKW, got.SeparateHotKW+eps)
		require.InDelta(t, hot-cold, got.ViaLevelsColdKW-got.ViaLevelsHotKW, eps)
		require.InDelta(t, got.SeparateHotKW-got.RecoveredByLevelsKW, got.ViaLevelsHotKW, eps)
		for _, z := range got.Zones {
			require.Zero(t, z.Unserved+z.Unremoved)
			sum := 0.0
			for _, q := range z.Use {
				sum += q
			}
			require.InDelta(t, z.HotUtilityKW, sum, eps)
		}
		again, err := Site(rapid.Permutation(streams).Draw(t, "order"), utilities)
		require.NoError(t, err)
		require.InDelta(t, got.ViaLevelsHotKW, again.ViaLevelsHotKW, eps)
		require.InDelta(t, got.DirectHotKW, again.DirectHotKW, eps)
	})
}
