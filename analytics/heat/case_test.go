package heat

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The four-week case of testdata (twelve synthetic sites, meters on a 10-minute
// grid with gaps and class errors; expected figures from the noise-free truth).
func loadCase(t testing.TB) (*Grid, []Card, []Demand, map[string]Place) {
	t.Helper()
	f, err := os.Open("testdata/port12_4weeks.csv.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	r := csv.NewReader(z)
	header, err := r.Read()
	require.NoError(t, err)
	g := &Grid{Step: 10 * time.Minute, Channels: map[string][]float64{}}
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if g.Steps == 0 {
			g.Start, err = time.Parse("2006-01-02T15:04Z", row[0])
			require.NoError(t, err)
		}
		g.Steps++
		for i, name := range header[1:] {
			v := math.NaN()
			if row[i+1] != "" {
				v, err = strconv.ParseFloat(row[i+1], 64)
				require.NoError(t, err)
			}
			g.Channels[name] = append(g.Channels[name], v)
		}
	}
	var assets struct {
		Assets, Demands []map[string]any
		Sites           map[string][2]float64 `json:"sites_xy_m"`
	}
	b, err := os.ReadFile("testdata/port12_4weeks.assets.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &assets))
	text := func(m map[string]any, key string) string {
		if s, ok := m[key].(string); ok {
			return s
		}
		return Celsius(m[key+"_C"].(float64))
	}
	var cards []Card
	for _, m := range assets.Assets {
		cards = append(cards, Card{ID: m["id"].(string), Site: m["site"].(string), Type: m["type"].(string), Rule: m["rule"].(string),
			Signals: strings.Split(m["signal"].(string), ","), THot: text(m, "T_hot"), TCold: text(m, "T_cold"), DTContribution: m["dt_contribution_K"].(float64)})
	}
	var demands []Demand
	for _, m := range assets.Demands {
		demands = append(demands, Demand{ID: m["id"].(string), Site: m["site"].(string), Signal: m["signal"].(string),
			TTarget: text(m, "T_target"), TSupply: text(m, "T_supply"), DTContribution: m["dt_contribution_K"].(float64)})
	}
	places := map[string]Place{}
	for k, p := range assets.Sites {
		places[k] = Place{p[0], p[1]}
	}
	return g, cards, demands, places
}

type expectation struct {
	Sources map[string]struct {
		MWh    float64            `json:"MWh"`
		Bands  map[string]float64 `json:"by_band_MWh"`
		P50    float64            `json:"P50_kW"`
		P90    float64            `json:"P90_firm_kW"`
		Hours  float64            `json:"hours_above_20pct_of_P95"`
		Months []float64          `json:"monthly_MWh"`
	}
	Pairs map[string]struct {
		MWh float64 `json:"delivered_MWh"`
	} `json:"pairs_alone"`
	Pumps struct {
		Pairs map[string]struct {
			MWh float64 `json:"delivered_MWh"`
			El  float64 `json:"electricity_MWh"`
		}
	} `json:"heat_pump_pairs"`
}

func TestFourWeekCase(t *testing.T) {
	g, cards, demands, places := loadCase(t)
	var want expectation
	b, err := os.ReadFile("testdata/port12_4weeks.expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))

	faults := FindFaults(g)
	require.Empty(t, faults, "the case has short gaps and nothing else")
	sources, err := Sources(g, cards, faults)
	require.NoError(t, err)
	for _, s := range sources {
		w, tolerance := want.Sources[s.Card.ID], 0.03
		if s.Card.ID == "E" {
			tolerance = 0.06 // low temperature spread: the meter's own error
		}
		require.InEpsilon(t, w.MWh, s.MWh, tolerance, s.Card.ID)
		for k, band := range Bands {
			require.InDelta(t, w.Bands[band.Name], s.ByBand[k], tolerance*w.MWh, "%s %s", s.Card.ID, band.Name)
		}
		for m, mwh := range w.Months {
			require.InDelta(t, mwh, s.Monthly[m], tolerance*w.MWh, "%s month %d", s.Card.ID, m+1)
		}
		require.InDelta(t, w.P50, s.P50KW, tolerance*w.P50+1, s.Card.ID)
		require.InDelta(t, w.P90, s.P90KW, tolerance*w.P90+1, s.Card.ID)
		require.InDelta(t, w.Hours, s.Hours, 12, s.Card.ID)
	}
	pairs, err := Pairs(g, sources, demands, places, DefaultNetwork, "ext.T_C")
	require.NoError(t, err)
	seen := 0
	for _, p := range pairs {
		name := sources[p.Source].Card.ID + "->" + demands[p.Demand].ID
		w, ok := want.Pairs[name]
		if !ok {
			require.Less(t, p.MWh, 5.0, name)
			continue
		}
		seen++
		require.InDelta(t, w.MWh, p.MWh, max(5, 0.04*w.MWh), name)
		if hp, ok := want.Pumps.Pairs[name]; ok {
			require.InEpsilon(t, hp.MWh, p.PumpMWh, 0.06, name)
			require.InEpsilon(t, hp.El, p.PumpKWhE, 0.07, name)
		}
	}
	require.Equal(t, len(want.Pairs), seen)
}
