package savings

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// fouling makes a heat line that loses a share of its heat from a day on, by a
// smaller temperature difference at the same flow.
func fouling(seed uint64, from, to, since time.Time, loss float64) *Data {
	r := rand.New(rand.NewPCG(seed, 3))
	dayNoise := map[int]float64{}
	dt := func(h int, at time.Time) float64 {
		day := h / 24
		if _, ok := dayNoise[day]; !ok {
			dayNoise[day] = 1 + 0.1*r.NormFloat64()
		}
		x := 20 * dayNoise[day]
		if !at.Before(since) {
			x *= 1 - loss
		}
		return x
	}
	return hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{
		"laiterie-chaleur/heat_energy":        func(h int, at time.Time) float64 { return 9 * 1.16 * dt(h, at) },
		"laiterie-chaleur/volume_flow":        constant(9),
		"laiterie-chaleur/flow_temperature":   func(h int, at time.Time) float64 { return 40 + dt(h, at) },
		"laiterie-chaleur/return_temperature": constant(40),
		"malterie-pompe/active_energy_import": constant(3),
	})
}

// The exchanger that fouls in summer is seen within weeks, with its date, size
// and cause; nothing is seen before.
func TestDriftIsSeenAndExplained(t *testing.T) {
	from, since := date("2024-10-01"), date("2025-07-01")
	p, set := examplePlan(t, "option-b-heat-line"), testFactors(t)
	d := fouling(1, from, date("2025-12-01"), since, 0.12)
	for _, c := range []struct {
		until string
		alarm bool
	}{{"2025-06-30", false}, {"2025-08-20", true}, {"2025-12-01", true}} {
		e, err := Evaluate(p, set, d, date(c.until))
		require.NoError(t, err)
		a, ok, err := e.DriftAlarm()
		require.NoError(t, err)
		require.Equal(t, c.alarm, ok, c.until)
		if !ok {
			continue
		}
		r, err := e.Drift()
		require.NoError(t, err)
		require.InDelta(t, 0.12, r.Shortfall, 0.04, c.until)
		require.WithinDuration(t, since, r.Since, 21*24*time.Hour)
		require.Equal(t, "delta_t", r.Why[0].Factor)
		require.Contains(t, a.Text.FR, "échangeur encrassé")
		require.Contains(t, a.Text.EN, "fouled exchanger")
		require.Greater(t, a.CostEURPerYear, 1000.)
	}
}

// A synergy that recovers loses its alarm.
func TestDriftEnds(t *testing.T) {
	from := date("2024-10-01")
	d := fouling(2, from, date("2026-04-01"), date("2025-05-01"), 0.15)
	back := fouling(2, from, date("2026-04-01"), date("2027-01-01"), 0.15)
	for id, s := range back.Series {
		h := int(date("2025-09-01").Sub(from) / time.Hour)
		copy(d.Series[id].Amount[h:], s.Amount[h:])
	}
	p := examplePlan(t, "option-b-heat-line")
	e, err := Evaluate(p, testFactors(t), d, date("2025-08-25"))
	require.NoError(t, err)
	_, ok, err := e.DriftAlarm()
	require.NoError(t, err)
	require.True(t, ok)
	e, err = Evaluate(p, testFactors(t), d, date("2026-04-01"))
	require.NoError(t, err)
	_, ok, err = e.DriftAlarm()
	require.NoError(t, err)
	require.False(t, ok)
}

// Steady lines rarely alarm: 200 synthetic ones over 14 months.
func TestDriftFalseAlarms(t *testing.T) {
	p, set := examplePlan(t, "option-b-heat-line"), testFactors(t)
	false_, to := 0, date("2025-12-01")
	for seed := range uint64(200) {
		e, err := Evaluate(p, set, fouling(10+seed, date("2024-10-01"), to, date("2030-01-01"), 0), to)
		require.NoError(t, err)
		r, err := e.Drift()
		require.NoError(t, err)
		for _, w := range r.Weeks {
			if w.CUSUM > cusumH {
				false_++
				break
			}
		}
	}
	t.Logf("%d of 200 steady lines alarmed in 14 months", false_)
	require.LessOrEqual(t, false_, 4)
}

// The chart's constants alone, without allowance and with the scatter known,
// give the run length that the literature states.
func TestCUSUMRunLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	total := 0
	for range 400 {
		for s := 0.0; s <= cusumH; total++ {
			s = max(0, s+r.NormFloat64()-cusumK)
		}
	}
	require.InDelta(t, 930, float64(total)/400, 140)
}

// The reference can follow a driver: less production is no drift.
func TestDriftFollowsItsDrivers(t *testing.T) {
	from, to := date("2024-10-01"), date("2025-12-01")
	r := rand.New(rand.NewPCG(9, 9))
	load := func(at time.Time) float64 {
		if !at.Before(date("2025-07-01")) {
			return 0.6 // the maltings work less
		}
		return 1
	}
	noise := make([]float64, 500)
	for i := range noise {
		noise[i] = 1 + 0.15*r.NormFloat64()
	}
	d := hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{
		"malterie-production/production":      func(h int, at time.Time) float64 { return 1000 * load(at) * noise[h/24] },
		"laiterie-chaleur/heat_energy":        func(h int, at time.Time) float64 { return 20 + 200*load(at)*noise[h/24] },
		"malterie-pompe/active_energy_import": constant(3),
	})
	p, set := examplePlan(t, "option-b-heat-line"), testFactors(t)
	run := func() bool {
		e, err := Evaluate(p, set, d, to)
		require.NoError(t, err)
		r, err := e.Drift()
		require.NoError(t, err)
		return r.Alarm
	}
	require.True(t, run())
	p.Drift.Drivers = []Driver{{Name: "production", Kind: DriverAmount, Series: "malterie-production/production"}}
	require.False(t, run())
	p.Drift.Reference.From, p.Drift.Reference.To = p.Reporting.To, p.Reporting.To
	p.Expected = nil
	e, err := Evaluate(p, set, d, to)
	require.NoError(t, err)
	_, err = e.Drift()
	require.ErrorContains(t, err, "neither a reference")
}
