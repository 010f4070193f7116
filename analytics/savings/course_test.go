package savings

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// The weeks of the reporting year add up to its saving, those of the baseline
// year to none, and the band holds the site's own weeks about nine times in ten.
func TestBaselineWeeks(t *testing.T) {
	d, _ := newMill(3, 0.15).data()
	gas := d.Series["papeterie-gaz/gas_volume"]
	for h := 5000; h < 5000+9*24; h++ { // nine days without readings: a gap
		gas.Amount[h], gas.Covered[h] = 0, 0
	}
	p := millPlan(t, "day")
	e, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	weeks := e.BaselineWeeks(0)
	require.Len(t, weeks, 105) // 731 days
	require.Equal(t, date("2024-01-01"), weeks[0].From)
	// The first year has 366 days, 52 weeks and 2 days: the week that straddles the
	// bound is left out on both sides.
	saved, before, inside, gaps := 0.0, 0.0, 0, 0
	for k, w := range weeks {
		switch {
		case w.Days < 7 && k < 104:
			gaps++
		case k < 52:
			before += w.Adjusted - w.Actual
			if diff := w.Adjusted - w.Actual; diff < w.Half90 && -diff < w.Half90 {
				inside++
			}
		case k > 52:
			saved += w.Adjusted - w.Actual
		}
	}
	year := e.Result(metering.PeriodYear, date("2025-01-06"), date("2026-01-01"))
	f, _ := year.Figure(metering.EnergyAvoidedMWh)
	require.InDelta(t, f.Amount, saved, 1e-3)
	require.InDelta(t, 0, before, 0.02*saved+30)
	require.Equal(t, 2, gaps)
	require.GreaterOrEqual(t, inside, 40)
	require.Equal(t, 3, weeks[104].Days)
}

func TestWatched(t *testing.T) {
	p := &Plan{}
	_, ok := p.Watched()
	require.False(t, ok)
	p.Drift = &Drift{}
	i, ok := p.Watched()
	require.True(t, ok)
	require.Equal(t, metering.HeatDeliveredMWh, i)
	require.InDelta(t, 0.05, p.DriftAllowance(), 1e-9)
	p.Drift = &Drift{Indicator: metering.EnergyAvoidedMWh, Allowance: 0.1}
	i, _ = p.Watched()
	require.Equal(t, metering.EnergyAvoidedMWh, i)
	require.InDelta(t, 0.1, p.DriftAllowance(), 1e-9)
}
