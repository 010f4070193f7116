package savings

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

func examplePlan(t testing.TB, name string) *Plan {
	t.Helper()
	p, err := ParsePlan(examplePlans(t)[name])
	require.NoError(t, err)
	return p
}

func date(s string) time.Time { return indicators.MustDate(s).Time() }

// hours makes data from one function per series.
func hours(from, to time.Time, series map[metering.SeriesID]func(h int, at time.Time) float64) *Data {
	d := &Data{From: from, Hours: int(to.Sub(from) / time.Hour), Series: map[metering.SeriesID]*Series{}}
	for id, f := range series {
		s := &Series{Last: to}
		for h := range d.Hours {
			s.Amount = append(s.Amount, f(h, from.Add(time.Duration(h)*time.Hour)))
			s.Covered = append(s.Covered, 1)
		}
		d.Series[id] = s
	}
	return d
}

func constant(x float64) func(int, time.Time) float64 {
	return func(int, time.Time) float64 { return x }
}

func amount(t testing.TB, r metering.Result, i metering.Indicator) float64 {
	t.Helper()
	f, ok := r.Figure(i)
	require.True(t, ok, "%s: no %s", r.Synergy, i)
	return f.Amount
}

// One quarter of a heat line by hand.
func TestOptionB(t *testing.T) {
	from, to := date("2025-01-01"), date("2025-04-01")
	p := examplePlan(t, "option-b-heat-line")
	d := hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{
		"laiterie-chaleur/heat_energy":        constant(200),
		"malterie-pompe/active_energy_import": constant(3),
	})
	e, err := Evaluate(p, testFactors(t), d, to)
	require.NoError(t, err)
	q := e.Result(metering.PeriodQuarter, from, to)
	n := float64(d.Hours)
	require.Equal(t, 2159.0, n) // the night when clocks go forward
	heat := 200 * n / 1000
	gas := heat / 0.9 * 1.11
	el := 3 * n / 1000
	require.InDelta(t, heat, amount(t, q, metering.HeatDeliveredMWh), 1e-4)
	require.InDelta(t, gas, amount(t, q, metering.EnergyAvoidedMWh), 1e-4)
	require.InDelta(t, el, amount(t, q, metering.ElectricityUsedMWh), 1e-4)
	require.InDelta(t, gas*0.215-el*0.0461, amount(t, q, metering.CO2eAvoidedTonnes), 1e-4)
	elEUR := 0.0
	tariff, err := testFactors(t).Tariff("electricity-tou")
	require.NoError(t, err)
	for h := range d.Hours {
		eur, ok := tariff.At(from.Add(time.Duration(h) * time.Hour))
		require.True(t, ok)
		elEUR += 3 * eur
	}
	require.InDelta(t, gas*45-elEUR-3500*90/365., amount(t, q, metering.MoneySavedEUR), 1e-3)

	// The interval: meter class and efficiency, neither of which shrinks with time.
	meter, ok := p.Meters[0].Accuracy.Relative90()
	require.True(t, ok)
	f, _ := q.Figure(metering.EnergyAvoidedMWh)
	require.InEpsilon(t, gas*math.Hypot(meter, 0.02), f.Half90, 1e-6)
	require.Equal(t, 1.0, f.Coverage)
	require.Equal(t, metering.ClassMeasured, f.Class)
	day := e.Result(metering.PeriodDay, from, calendar.NextDay(from))
	fd, _ := day.Figure(metering.EnergyAvoidedMWh)
	require.InEpsilon(t, f.Half90/f.Amount, fd.Half90/fd.Amount, 1e-4)

	// Heat bought moves money between partners and saves none.
	gain, paid := e.PartnerEUR(from, to)
	require.InDelta(t, amount(t, q, metering.MoneySavedEUR), gain["malterie"]+gain["laiterie"], 1e-6)
	require.InDelta(t, 19*heat, paid["malterie"], 1e-3)
	require.InDelta(t, 0, paid["malterie"]+paid["laiterie"], 1e-9)
}

func TestOptionsAWaterCalculatedDeclared(t *testing.T) {
	from, to := date("2025-01-01"), date("2026-01-01")
	set := testFactors(t)
	eval := func(name string, series map[metering.SeriesID]func(int, time.Time) float64) metering.Result {
		e, err := Evaluate(examplePlan(t, name), set, hours(from, to, series), to)
		require.NoError(t, err)
		return e.Result(metering.PeriodYear, from, to)
	}
	a := eval("option-a-truck-wash", map[metering.SeriesID]func(int, time.Time) float64{
		"lavage-chaleur/heat_energy": constant(40), "lavage-pompe/active_energy_import": constant(1)})
	require.InDelta(t, 40*8.760/0.85*1.11, amount(t, a, metering.EnergyAvoidedMWh), 1e-3)

	w := eval("option-b-water", map[metering.SeriesID]func(int, time.Time) float64{"beton-eau-recyclee/water_volume": constant(0.0137)})
	water := 0.0137 * 8760
	require.InDelta(t, water, amount(t, w, metering.WaterSavedM3), 1e-3)
	require.InDelta(t, water*0.132/1000, amount(t, w, metering.CO2eAvoidedTonnes), 1e-3)
	require.InDelta(t, water*4.1, amount(t, w, metering.MoneySavedEUR), 1e-3)

	b := eval("calculated-biogas", map[metering.SeriesID]func(int, time.Time) float64{"methaniseur-gaz/gas_volume": constant(50)})
	kwh := 50 * 10.8 * (0.62*float64(date("2025-10-01").Sub(from)/time.Hour) + 0.58*float64(to.Sub(date("2025-10-01"))/time.Hour))
	require.InDelta(t, kwh/1000, amount(t, b, metering.BiomethaneMWh), 1e-3)
	require.InDelta(t, kwh*(0.215-0.0376)/1000, amount(t, b, metering.CO2eAvoidedTonnes), 1e-3)
	f, _ := b.Figure(metering.BiomethaneMWh)
	require.Equal(t, metering.ClassCalculated, f.Class)
	require.Greater(t, f.Half90/f.Amount, 0.06) // the tickets' share weighs more than the meter
	_, ok := b.Figure(metering.EnergyAvoidedMWh)
	require.False(t, ok, "biomethane replaces gas, it does not avoid its use")

	d := eval("declared-wood", nil)
	require.InDelta(t, 2400, amount(t, d, metering.MaterialTonnes), 1e-3)
	require.InDelta(t, 300, amount(t, d, metering.CO2eAvoidedTonnes), 1e-3)
	require.InDelta(t, 15000, amount(t, d, metering.MoneySavedEUR), 1e-2)
	f, _ = d.Figure(metering.MaterialTonnes)
	require.Equal(t, metering.ClassDeclared, f.Class)
	require.InDelta(t, 120, f.Half90, 1e-3)
}

// Quarters add up to the year and to date exactly, months to quarters, days to
// months, whatever the amounts; and what the heat meter counted is what the
// result says was delivered.
func TestPeriodsAddUp(t *testing.T) {
	set, plan := testFactors(t), examplePlan(t, "option-b-heat-line")
	from, to := date("2024-10-01"), date("2025-11-15")
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		scale := math.Pow(10, rapid.Float64Range(-3, 6).Draw(t, "scale"))
		total := 0.0
		d := hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{
			"laiterie-chaleur/heat_energy":        func(int, time.Time) float64 { x := scale * r.Float64(); total += x; return x },
			"malterie-pompe/active_energy_import": func(int, time.Time) float64 { return scale * r.Float64() / 50 },
		})
		e, err := Evaluate(plan, set, d, to)
		require.NoError(t, err)
		sums := map[metering.PeriodKind]map[metering.Indicator]int64{}
		for _, res := range e.Results(from, to) {
			if sums[res.Kind] == nil {
				sums[res.Kind] = map[metering.Indicator]int64{}
			}
			for _, f := range res.Figures {
				sums[res.Kind][f.Indicator] += int64(math.Round(f.Amount * micro))
			}
		}
		require.Equal(t, sums[metering.PeriodToDate], sums[metering.PeriodQuarter])
		require.Equal(t, sums[metering.PeriodToDate], sums[metering.PeriodMonth])
		require.Equal(t, sums[metering.PeriodToDate], sums[metering.PeriodDay])
		require.InDelta(t, total/1000, float64(sums[metering.PeriodToDate][metering.HeatDeliveredMWh])/micro, 1e-3+total*1e-12)
	})
}

// The same inputs give the same bytes, and a later factor set does not change
// what an earlier one made.
func TestSetsAreChosenByTheCall(t *testing.T) {
	from, to := date("2025-01-01"), date("2025-04-01")
	p := examplePlan(t, "option-b-heat-line")
	d := hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{
		"laiterie-chaleur/heat_energy": constant(200), "malterie-pompe/active_energy_import": constant(3)})
	one := testFactors(t)
	two := testFactors(t)
	two.Version = 2
	two.Factors[0].Amount = 0.3
	run := func(s *indicators.Set) []metering.Result {
		e, err := Evaluate(p, s, d, to)
		require.NoError(t, err)
		return e.Results(from, to)
	}
	first := run(one)
	require.NotEqual(t, first, run(two))
	require.Equal(t, first, run(one))
	require.Equal(t, "fr-2026 v1", first[0].FactorSet)
}

// What is missing is said: an absent meter, an unknown class, a price that ends.
func TestWhatIsMissingIsSaid(t *testing.T) {
	from, to := date("2025-01-01"), date("2025-02-01")
	p := examplePlan(t, "option-b-heat-line")
	p.Meters[0].Accuracy = Accuracy{}
	set := testFactors(t)
	set.Tariffs[0].Prices = set.Tariffs[0].Prices[1:] // from 2026 only
	d := hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{"laiterie-chaleur/heat_energy": constant(200)})
	e, err := Evaluate(p, set, d, to)
	require.NoError(t, err)
	r := e.Result(metering.PeriodMonth, from, to)
	require.Len(t, r.Notes, 3)
	for _, n := range r.Notes {
		require.NotEmpty(t, n.FR)
		require.NotEmpty(t, n.EN)
	}
	f, _ := r.Figure(metering.CO2eAvoidedTonnes)
	require.Zero(t, f.Coverage) // the pump's electricity is unknown
	f, _ = r.Figure(metering.HeatDeliveredMWh)
	require.Equal(t, 1.0, f.Coverage)
	require.InEpsilon(t, unknownClass, f.Half90/f.Amount, 1e-6)

	p.Values[indicators.Gas] = Value{Factor: "tap-water"}
	_, err = Evaluate(p, set, d, to)
	require.ErrorContains(t, err, "kgCO2e/m3")
	p.Values[indicators.Gas] = Value{Factor: "nothing"}
	_, err = Evaluate(p, set, d, to)
	require.ErrorContains(t, err, "nothing")
}
