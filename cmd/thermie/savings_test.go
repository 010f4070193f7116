package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
)

const millPlan = `schema: thermie.plan/1
synergy: mill
version: 1
option: C
title: {fr: Papeterie, en: Paper mill}
boundary: {fr: Gaz de tout le site., en: Gas of the whole site.}
baseline: {from: 2024-01-01, to: 2025-01-01}
reporting: {from: 2025-01-01}
meters:
  - {series: mill-gas/gas_volume, role: site, energy: gas, kwh_per_unit: 11.2, accuracy: {class: EN 12480 class 1}}
models:
  - energy: gas
    step: day
    drivers:
      - {name: heating, kind: heating_degrees, series: weather/outdoor_temperature}
      - {name: workday, kind: workday}
    select: all
values:
  gas: {factor: natural-gas}
`

const heatPlan = `schema: thermie.plan/1
synergy: line
version: 1
option: B
title: {fr: Chaleur, en: Heat}
boundary: {fr: Chaleur livrée, en: Heat delivered}
reporting: {from: 2025-01-01}
meters:
  - {series: line/heat_energy, role: heat, accuracy: {class: EN 1434 class 2}}
displaced:
  - {energy: gas, efficiency_pci: 0.9, efficiency_half90: 0.03, pcs_per_pci: 1.11, source: {fr: essai, en: test}}
values:
  gas: {factor: natural-gas}
`

// heatReadings are a year of a heat meter that delivers 150 kW all year.
func heatReadings() []byte {
	var b bytes.Buffer
	b.WriteString("time,line/heat_energy\n")
	from, to := time.Date(2025, 1, 1, 0, 0, 0, 0, calendar.Paris), time.Date(2026, 1, 1, 0, 0, 0, 0, calendar.Paris)
	for i, at := 0, from.UTC(); !at.After(to); i, at = i+1, at.Add(time.Hour) {
		fmt.Fprintf(&b, "%s,%d\n", at.Format(time.RFC3339), 150*i)
	}
	return b.Bytes()
}

const millFactors = `id: test
version: 1
factors:
  - {id: natural-gas, name: {fr: Gaz}, amount: 0.215, unit: kgCO2e/kWh GCV, source: {publisher: ADEME, year: 2022}}
`

// millReadings are two years of hourly registers: a fifth of heating saved in the second.
func millReadings() []byte {
	r := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	b.WriteString("time,mill-gas/gas_volume [m3],weather/outdoor_temperature\n")
	from, to := time.Date(2024, 1, 1, 0, 0, 0, 0, calendar.Paris), time.Date(2026, 1, 1, 0, 0, 0, 0, calendar.Paris)
	register, temp, kwh := 0.0, 0.0, 0.0
	for at := from.UTC(); !at.After(to); at = at.Add(time.Hour) {
		if local := at.In(calendar.Paris); local.Hour() == 0 {
			temp = 10.5 - 9.5*math.Cos(2*math.Pi*float64(local.YearDay()-20)/365.25) + 2.5*r.NormFloat64()
			heat := 900 * math.Max(15.5-temp, 0)
			if local.Year() > 2024 {
				heat *= 0.8
			}
			kwh = 8000 + heat + 600*r.NormFloat64()
			if calendar.Workday(local) {
				kwh += 9000
			}
		}
		fmt.Fprintf(&b, "%s,%.3f,%.2f\n", at.Format(time.RFC3339), register, temp)
		register += kwh / 24 / 11.2
	}
	return b.Bytes()
}

func thermie(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := rootCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

func TestSavingsOfAPlan(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, b := range map[string][]byte{"plan.yaml": []byte(millPlan), "factors.yaml": []byte(millFactors), "readings.csv": millReadings()} {
		require.NoError(t, os.WriteFile(at(name), b, 0o600))
	}
	out, err := thermie(t, "savings", "report", "--plan", at("plan.yaml"), "--factors", at("factors.yaml"), "--data", at("readings.csv"), "--plot", at("saving.svg"), "--json")
	require.NoError(t, err)
	var r struct {
		Results []struct {
			Kind    string
			Figures []struct {
				Indicator      string
				Amount, Half90 float64
			}
		}
		Events []any `json:"proposed_events"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Empty(t, r.Events)
	sum, total := 0.0, 0.0
	for _, x := range r.Results {
		require.NotEmpty(t, x.Figures)
		require.Equal(t, "energy_avoided_mwh", x.Figures[0].Indicator)
		require.Positive(t, x.Figures[0].Half90)
		switch x.Kind {
		case "quarter":
			sum += x.Figures[0].Amount
		case "to_date":
			total = x.Figures[0].Amount
		}
	}
	require.InDelta(t, total, sum, 1e-6, "quarters add up")
	svg, err := os.ReadFile(at("saving.svg"))
	require.NoError(t, err)
	require.Contains(t, string(svg), "Papeterie")
	require.Contains(t, string(svg), "Économies cumulées")

	out, err = thermie(t, "savings", "report", "--plan", at("plan.yaml"), "--factors", at("factors.yaml"), "--data", at("readings.csv"), "--until", "2025-07-01", "--lang", "en")
	require.NoError(t, err)
	require.Contains(t, out, "co2e_avoided_t")
	require.NotContains(t, out, "2025-09")

	// Under normal conditions: the baseline's weather.
	normal := millPlan + "normal: {year: {from: 2024-01-01, to: 2025-01-01}}\n"
	require.NoError(t, os.WriteFile(at("normal.yaml"), []byte(normal), 0o600))
	out, err = thermie(t, "savings", "report", "--plan", at("normal.yaml"), "--factors", at("factors.yaml"), "--data", at("readings.csv"), "--json")
	require.NoError(t, err)
	var n struct {
		Normalised []struct {
			Saved  float64 `json:"saved_mwh"`
			Half90 float64 `json:"half90"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &n))
	require.Len(t, n.Normalised, 1)
	require.InDelta(t, total, n.Normalised[0].Saved, 0.2*total, "the weather of both years is alike")
	require.Positive(t, n.Normalised[0].Half90)
	out, err = thermie(t, "savings", "report", "--plan", at("normal.yaml"), "--factors", at("factors.yaml"), "--data", at("readings.csv"), "--until", "2025-07-01", "--lang", "en")
	require.NoError(t, err)
	require.Contains(t, out, "no saving under normal conditions")

	out, err = thermie(t, "savings", "fit", "--plan", at("plan.yaml"), "--factors", at("factors.yaml"), "--data", at("readings.csv"))
	require.NoError(t, err)
	require.Contains(t, out, "heat_balance_c")

	// The heat line claims twice what the whole mill saved: it is brought to that.
	require.NoError(t, os.WriteFile(at("heat.yaml"), []byte(heatPlan), 0o600))
	require.NoError(t, os.WriteFile(at("heat.csv"), heatReadings(), 0o600))
	out, err = thermie(t, "savings", "attribute", "--site", at("plan.yaml"), "--plan", at("heat.yaml"), "--factors", at("factors.yaml"),
		"--data", at("readings.csv"), "--data", at("heat.csv"), "--json")
	require.NoError(t, err)
	var a struct {
		Whole   float64
		Parts   []struct{ Claimed, Attributed float64 }
		Reduced bool
	}
	require.NoError(t, json.Unmarshal([]byte(out), &a))
	require.True(t, a.Reduced)
	require.Greater(t, a.Parts[0].Claimed, 1.5*a.Whole)
	require.InDelta(t, a.Whole, a.Parts[0].Attributed, 1e-6)

	_, err = thermie(t, "savings", "report", "--plan", at("plan.yaml"), "--data", at("readings.csv"))
	require.ErrorContains(t, err, "natural-gas")
	bad := strings.Replace(string(millReadings()[:400]), "mill-gas/gas_volume [m3]", "gas", 1)
	require.NoError(t, os.WriteFile(at("bad.csv"), []byte(bad), 0o600))
	_, err = thermie(t, "savings", "report", "--plan", at("plan.yaml"), "--data", at("bad.csv"))
	require.ErrorContains(t, err, `bad.csv: column "gas": want meter/quantity`)
	_, err = thermie(t, "savings", "report", "--plan", at("nothing.yaml"), "--data", at("bad.csv"))
	require.ErrorContains(t, err, "nothing.yaml")
}
