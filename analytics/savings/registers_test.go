package savings

import (
	"encoding/csv"
	"encoding/json"
	"iter"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

const registersPlan = `
schema: thermie.plan/1
synergy: registers
version: 1
option: B
title: {fr: Registres, en: Registers}
boundary: {fr: Chaleur livrée, en: Heat delivered}
reporting: {from: 2025-01-01}
meters:
  - {series: heat/heat_energy, role: heat, rollover: "500000", accuracy: {class: EN 1434 class 2, qp_over_q: 1.6666666666666667, dtmin_over_dt: 0.08571428571428572}}
  - {series: pump/active_energy_import, role: electricity, accuracy: {class: MID B}}
displaced:
  - {energy: gas, efficiency_pci: 0.88, efficiency_half90: 0.02, pcs_per_pci: 1.111, source: {fr: essai, en: test}}
values:
  gas: {factor: gas, tariff: gas}
  electricity: {factor: electricity, tariff: electricity}
costs:
  - {id: heat, name: {fr: Chaleur achetée, en: Heat bought}, eur_per_mwh: 19, paid_by: b}
`

const registersSet = `
id: registers
version: 1
factors:
  - {id: gas, name: {fr: gaz}, amount: 0.215, unit: kgCO2e/kWh GCV, source: {publisher: ADEME, year: 2022}}
  - {id: electricity, name: {fr: électricité}, amount: 0.0461, unit: kgCO2e/kWh, source: {publisher: ADEME, year: 2025}}
tariffs:
  - {id: gas, name: {fr: gaz}, unit: EUR/MWh GCV, source: {publisher: contrat, year: 2025}, prices: [{eur: 45}]}
  - {id: electricity, name: {fr: électricité}, unit: EUR/MWh, source: {publisher: contrat, year: 2025}, prices: [{eur: 119}]}
`

// registerPoints reads the columns of a CSV of registers, in the order of the file.
func registerPoints(t *testing.T) map[metering.SeriesID][]metering.Point {
	t.Helper()
	f, err := os.Open("testdata/registers/registers.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	out := map[metering.SeriesID][]metering.Point{}
	for _, r := range rows[1:] {
		at, err := time.Parse(time.RFC3339, r[0])
		require.NoError(t, err)
		for k, id := range []metering.SeriesID{"heat/heat_energy", "pump/active_energy_import"} {
			if r[k+1] == "" {
				continue
			}
			out[id] = append(out[id], metering.Point{At: at.UnixMilli(), Number: metering.MustDecimal(r[k+1])})
		}
	}
	return out
}

// The whole way from cumulative registers that roll over, are exchanged, repeat
// and come out of order to the figures of quarters, against closed-form figures.
func TestRegistersToQuarters(t *testing.T) {
	points := registerPoints(t)
	plan, err := ParsePlan([]byte(registersPlan))
	require.NoError(t, err)
	set, err := indicators.ParseSet([]byte(registersSet))
	require.NoError(t, err)
	in := Inputs{Plan: plan, Set: set,
		Meters: map[string]metering.Meter{"heat": {Exchanges: []metering.Exchange{{At: time.Date(2025, 2, 20, 14, 0, 0, 0, time.UTC),
			Quantity: metering.HeatEnergy, OldFinal: metering.Int(348028), NewStart: metering.Int(0)}}}},
		Points: func(id metering.SeriesID, from, to time.Time) (metering.Unit, iter.Seq2[metering.Point, error]) {
			return metering.KWh, func(yield func(metering.Point, error) bool) {
				for _, p := range points[id] {
					if p.At >= from.UnixMilli() && p.At < to.UnixMilli() && !yield(p, nil) {
						return
					}
				}
			}
		},
		Until: date("2025-07-01")}
	e, err := Compute(in)
	require.NoError(t, err)

	heat, err := align.Read(plan.Source("heat/heat_energy", metering.KWh, in.Meters), func(yield func(metering.Point, error) bool) {
		for _, p := range points["heat/heat_energy"] {
			if !yield(p, nil) {
				return
			}
		}
	})
	require.NoError(t, err)
	count := map[string]int{}
	for _, ev := range heat.Events {
		count[ev.Kind]++
	}

	b, err := os.ReadFile("testdata/registers/expected.json")
	require.NoError(t, err)
	var expected struct {
		Checks []struct {
			Field string
			Value float64
			Tol   *float64
		}
	}
	require.NoError(t, json.Unmarshal(b, &expected))
	got := map[string]float64{"events.rollovers": float64(count[align.Rollover]), "events.resets": float64(count[align.Exchanged]),
		"events.duplicates": float64(heat.Duplicates)}
	put := func(prefix string, r metering.Result) {
		for name, i := range map[string]metering.Indicator{"heat_mwh": metering.HeatDeliveredMWh, "pump_mwh": metering.ElectricityUsedMWh,
			"avoided_gas_mwh_pcs": metering.EnergyAvoidedMWh, "net_tco2e": metering.CO2eAvoidedTonnes, "net_eur": metering.MoneySavedEUR} {
			got[prefix+name] = amount(t, r, i)
		}
		f, _ := r.Figure(metering.HeatDeliveredMWh)
		got[prefix+"heat_unc95_mwh"] = f.Half90 * 1.959964 / z90
	}
	put("total.", e.Result(metering.PeriodToDate, date("2025-01-01"), date("2025-07-01")))
	for _, q := range []calendar.Quarter{{Year: 2025, Q: 1}, {Year: 2025, Q: 2}} {
		put("quarters."+q.String()+".", e.Result(metering.PeriodQuarter, q.Start(), q.End()))
	}
	n := 0
	for _, c := range expected.Checks {
		x, ok := got[c.Field]
		if !ok {
			require.Contains(t, c.Field, "completeness") // counts readings, see the day counts of align
			continue
		}
		tol := 0.0
		if c.Tol != nil {
			tol = *c.Tol
		}
		require.LessOrEqual(t, math.Abs(x-c.Value), tol*math.Abs(c.Value), "%s: %v, want %v", c.Field, x, c.Value)
		n++
	}
	require.Equal(t, 17, n)

	// A quarter computed alone is that of the whole.
	for _, q := range []calendar.Quarter{{Year: 2025, Q: 1}, {Year: 2025, Q: 2}} {
		in.From, in.Until = q.Start(), q.End()
		alone, err := Compute(in)
		require.NoError(t, err)
		want, have := e.Result(metering.PeriodQuarter, q.Start(), q.End()), alone.Result(metering.PeriodQuarter, q.Start(), q.End())
		require.Equal(t, want, have)
	}
	in.Until = in.Plan.Reporting.From.Time()
	_, err = Compute(in)
	require.ErrorIs(t, err, ErrTooEarly)
}
