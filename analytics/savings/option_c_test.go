package savings

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// mill is a synthetic site: gas by production, weather and working days, with
// autocorrelated scatter. It is labelled nowhere as real.
type mill struct {
	from, to time.Time
	change   time.Time // from here on the saving holds
	saving   float64   // share of the weather-dependent part
	rho      float64
	sigma    float64 // kWh a day
	seed     uint64
}

// data returns the mill's hours and the true saving in kWh in [from, to).
func (m mill) data() (*Data, func(from, to time.Time) float64) {
	r := rand.New(rand.NewPCG(m.seed, 7))
	n := int(m.to.Sub(m.from) / time.Hour)
	gas := &Series{Amount: make([]float64, n), Covered: make([]float64, n), Last: m.to}
	production := &Series{Amount: make([]float64, n), Covered: make([]float64, n), Last: m.to}
	weather := &Series{Amount: make([]float64, n), Covered: make([]float64, n), Last: m.to}
	saved := map[time.Time]float64{}
	e, tNoise := 0.0, 0.0
	for day := m.from; day.Before(m.to); day = calendar.NextDay(day) {
		h0 := int(day.Sub(m.from) / time.Hour)
		h1 := min(int(calendar.NextDay(day).Sub(m.from)/time.Hour), n)
		doy := float64(day.YearDay())
		tNoise = 0.7*tNoise + 2.2*r.NormFloat64()
		temperature := 10.5 - 9.5*math.Cos((doy-20)/365.25*2*math.Pi) + tNoise
		tonnes := 0.0
		if calendar.Workday(day) {
			tonnes = 80 + 12*r.NormFloat64()
		}
		e = m.rho*e + m.sigma*math.Sqrt(1-m.rho*m.rho)*r.NormFloat64()
		heat := 900 * math.Max(15.5-temperature, 0)
		kwh := 4000 + 210*tonnes + heat + e
		if !day.Before(m.change) {
			saved[day] = m.saving * heat
			kwh -= saved[day]
		}
		for h := h0; h < h1; h++ {
			gas.Amount[h], gas.Covered[h] = kwh/11.2/float64(h1-h0), 1
			production.Amount[h], production.Covered[h] = 1000*tonnes/float64(h1-h0), 1
			weather.Amount[h], weather.Covered[h] = temperature, 1
		}
	}
	d := &Data{From: m.from, Hours: n, Series: map[metering.SeriesID]*Series{
		"papeterie-gaz/gas_volume": gas, "papeterie-production/production": production, "meteo/outdoor_temperature": weather}}
	return d, func(from, to time.Time) float64 {
		s := 0.0
		for day := from; day.Before(to); day = calendar.NextDay(day) {
			s += saved[day]
		}
		return s
	}
}

func millPlan(t testing.TB, step string) *Plan {
	p := examplePlan(t, "option-c-paper-mill")
	p.Baseline.From, p.Baseline.To = p.Reporting.From, p.Reporting.From
	require.NoError(t, p.Baseline.From.UnmarshalText([]byte("2024-01-01")))
	require.NoError(t, p.Baseline.To.UnmarshalText([]byte("2025-01-01")))
	require.NoError(t, p.Reporting.From.UnmarshalText([]byte("2025-01-01")))
	p.Adjustments = nil
	p.Models[0].Step = step
	return p
}

func newMill(seed uint64, saving float64) mill {
	return mill{from: date("2024-01-01"), to: date("2026-01-01"), change: date("2025-01-01"), saving: saving, rho: 0.45, sigma: 1500, seed: seed}
}

// The truth is found, with its balance temperature, at each step.
func TestOptionCFindsTheTruth(t *testing.T) {
	for _, step := range []string{"day", "week", "month"} {
		d, truth := newMill(3, 0.15).data()
		p := millPlan(t, step)
		if step == "month" {
			// Working days and production move together over months: one is enough.
			p.Models[0].Drivers = p.Models[0].Drivers[:2]
		}
		e, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
		require.NoError(t, err, step)
		f := e.Fits[0]
		balance, ok := f.Balance(baseline.HeatBalance)
		require.True(t, ok)
		require.InDelta(t, 15.5, balance, 2, step)
		require.Greater(t, f.R2, 0.9, step)
		year, _ := e.Result(metering.PeriodYear, date("2025-01-01"), date("2026-01-01")).Figure(metering.EnergyAvoidedMWh)
		want := truth(date("2025-01-01"), date("2026-01-01")) / 1000
		require.InDelta(t, want, year.Amount, 2*year.Half90, step)
		require.Less(t, year.Half90, 0.5*want, step)
		sum := 0.0
		for q := range 4 {
			from := date("2025-01-01").AddDate(0, 3*q, 0)
			x, _ := e.Result(metering.PeriodQuarter, from, calendar.QuarterOf(from).End()).Figure(metering.EnergyAvoidedMWh)
			sum += x.Amount
		}
		require.InDelta(t, year.Amount, sum, 1e-6)
	}
}

// Without a change, nothing significant is reported.
func TestPlacebo(t *testing.T) {
	significant := 0
	for seed := range uint64(20) {
		d, _ := newMill(100+seed, 0).data()
		e, err := Evaluate(millPlan(t, "day"), testFactors(t), d, date("2026-01-01"))
		require.NoError(t, err)
		f, _ := e.Result(metering.PeriodYear, date("2025-01-01"), date("2026-01-01")).Figure(metering.EnergyAvoidedMWh)
		if math.Abs(f.Amount) > f.Half90 {
			significant++
		}
	}
	require.LessOrEqual(t, significant, 5) // 2 expected of 20; more than 5 by chance once in 90
}

// The 90 % interval holds about 90 % of the time, in the year and each quarter.
func TestCoverageOfIntervals(t *testing.T) {
	const sites = 60
	inside := [5]int{}
	for seed := range uint64(sites) {
		d, truth := newMill(1000+seed, 0.12).data()
		e, err := Evaluate(millPlan(t, "day"), testFactors(t), d, date("2026-01-01"))
		require.NoError(t, err)
		for k := range 5 {
			from, to := date("2025-01-01"), date("2026-01-01")
			if k < 4 {
				from = from.AddDate(0, 3*k, 0)
				to = calendar.QuarterOf(from).End()
			}
			f, _ := e.Result(metering.PeriodQuarter, from, to).Figure(metering.EnergyAvoidedMWh)
			if math.Abs(f.Amount-truth(from, to)/1000) <= f.Half90 {
				inside[k]++
			}
		}
	}
	t.Logf("of %d sites inside the 90 %% interval: quarters %v, year %d", sites, inside[:4], inside[4])
	for _, n := range inside {
		require.GreaterOrEqual(t, n, 48)
	}
}

// A proposed adjustment is named and not counted; an accepted one is counted
// and both numbers are kept.
func TestAdjustmentsNeedAPerson(t *testing.T) {
	d, _ := newMill(5, 0.1).data()
	p := millPlan(t, "day")
	from, to := date("2025-01-01"), date("2026-01-01")
	result := func() (metering.Result, *Evaluation) {
		e, err := Evaluate(p, testFactors(t), d, to)
		require.NoError(t, err)
		return e.Result(metering.PeriodYear, from, to), e
	}
	without, _ := result()
	p.Adjustments = examplePlan(t, "option-c-paper-mill").Adjustments
	require.NoError(t, p.Adjustments[0].From.UnmarshalText([]byte("2025-10-01")))
	proposed, e := result()
	require.Equal(t, amount(t, without, metering.EnergyAvoidedMWh), amount(t, proposed, metering.EnergyAvoidedMWh))
	require.Nil(t, e.Unadjusted)
	require.Contains(t, proposed.Notes[len(proposed.Notes)-1].FR, "proposé, non compté")
	p.Adjustments[0].AcceptedBy, p.Adjustments[0].AcceptedAt = "Animatrice", date("2025-11-01")
	accepted, e := result()
	require.InDelta(t, 850*92/1000., amount(t, accepted, metering.EnergyAvoidedMWh)-amount(t, without, metering.EnergyAvoidedMWh), 1e-3)
	sum := 0.0
	for _, x := range e.Unadjusted {
		sum += x
	}
	require.InDelta(t, amount(t, without, metering.EnergyAvoidedMWh), sum, 1e-3)
}

func TestOptionCRefusals(t *testing.T) {
	d, _ := newMill(5, 0.1).data()
	p := millPlan(t, "day")
	s := d.Series["papeterie-gaz/gas_volume"]
	for h := range 8000 {
		s.Covered[h], s.Amount[h] = 0, 0
	}
	_, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.ErrorContains(t, err, "days with good data")
	d, _ = newMill(5, 0.1).data()
	p.Models[0].Drivers = append(p.Models[0].Drivers, Driver{Name: "double", Kind: DriverWorkday})
	_, err = Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.ErrorIs(t, err, errTogether)
}

func BenchmarkFitDaily(b *testing.B) {
	d, _ := newMill(3, 0.15).data()
	p, set := millPlan(b, "day"), testFactors(b)
	for b.Loop() {
		if _, err := Evaluate(p, set, d, date("2026-01-01")); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlanLetsDriversCompete: with select best a driver that tells nothing stays
// out, the losers are kept with their reasons, and balance temperatures that the plan
// gives are not searched.
func TestPlanLetsDriversCompete(t *testing.T) {
	d, truth := newMill(7, 0.15).data()
	p := millPlan(t, "day")
	p.Models[0].Select = "best"
	base := 5.0
	p.Models[0].Drivers = append(p.Models[0].Drivers,
		Driver{Name: "closed", Kind: DriverClosed, Days: []indicators.Span{{From: p.Baseline.From}}},
		Driver{Name: "heating", Kind: DriverHeating, Series: p.Models[0].Drivers[1].Series, BalanceC: &base})
	require.NoError(t, p.Models[0].Drivers[3].Days[0].To.UnmarshalText([]byte("2024-01-02")))
	e, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	f := e.Fits[0]
	require.Equal(t, baseline.ThreePHeat, f.Spec.Shape)
	require.NotContains(t, f.Spec.Drivers, "closed")
	require.Contains(t, f.Spec.Drivers, "production")
	require.Equal(t, 32, f.Tried)
	named := map[string]baseline.Candidate{}
	for _, c := range f.Candidates {
		named[c.Name] = c
	}
	require.NotEmpty(t, named["3PH+production+driver-heating"].Why)
	require.Positive(t, named["3PH+production+driver-heating"].Criterion)
	year, _ := e.Result(metering.PeriodYear, date("2025-01-01"), date("2026-01-01")).Figure(metering.EnergyAvoidedMWh)
	require.InDelta(t, truth(date("2025-01-01"), date("2026-01-01"))/1000, year.Amount, 2*year.Half90)
	require.Len(t, f.Gates, 5)
}

// TestNormalisedOfAPlan: under the plan's normal conditions the saving is what the mill
// saves of its use there, with production as stated, at each step.
func TestNormalisedOfAPlan(t *testing.T) {
	for _, step := range []string{"day", "week", "month"} {
		d, truth := newMill(3, 0.15).data()
		p := millPlan(t, step)
		if step == "month" {
			p.Models[0].Drivers = p.Models[0].Drivers[:2]
		}
		p.Normal = &Normal{Year: p.Baseline, Drivers: map[string]float64{}}
		e, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
		require.NoError(t, err)
		n, err := e.Normalised(0)
		require.NoError(t, err, step)
		// the weather of the two years is alike
		require.InDelta(t, truth(date("2025-01-01"), date("2026-01-01"))/1000, n.SavedMWh, 2*n.Half90, step)
		require.InDelta(t, n.SavedMWh, n.BaselineMWh-n.ReportingMWh, 1e-9)
		mean := n.Drivers["production"]
		p.Normal.Drivers["production"] = 1.5 * mean
		more, err := e.Normalised(0)
		require.NoError(t, err)
		require.Greater(t, more.BaselineMWh, n.BaselineMWh)
		require.InDelta(t, 1.5*mean, more.Drivers["production"], 1e-9)
		if step == "day" { // half a year of reporting is no year
			e, err = Evaluate(p, testFactors(t), d, date("2025-07-01"))
			require.NoError(t, err)
			_, err = e.Normalised(0)
			require.ErrorIs(t, err, ErrNotNormalised)
		}
		p.Normal = nil
		n, err = e.Normalised(0)
		require.NoError(t, err)
		require.Nil(t, n)
	}
	for old, want := range map[string]string{
		"normal: {year: {from: 2024-10-01, to: 2025-07-01}}":                                        "want 300 to 400",
		"normal: {year: {from: 2024-01-01, to: 2025-01-01}}":                                        "before the baseline",
		"normal: {year: {from: 2024-10-01, to: 2025-10-01}, drivers: {ouvre: 1}}":                   "driver ouvre",
		"normal: {year: {from: 2024-10-01, to: 2025-10-01}, drivers: {production: 40}, weather: x}": "weather",
	} {
		b := string(examplePlans(t)["option-c-paper-mill"])
		_, err := ParsePlan([]byte(b + old + "\n"))
		require.ErrorContains(t, err, want)
	}
}
