package port

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/indicators"
)

// year is the integral of a channel over the twelve months before the epoch, in
// MWh, m3 or t.
func (p *Port) year(c channel) float64 {
	to, from := p.millis(p.options.Epoch), p.millis(p.options.Epoch.AddDate(-1, 0, 0))
	return float64(p.record.integral(c, to)-p.record.integral(c, from)) / 3600 / 1e6
}

// total is what a synergy saves in a year, from the physics and the values that
// the plans quote.
type total struct{ tonnes, eur, water, mwh float64 }

func totals(t *testing.T, p *Port) map[int]total {
	const gas, power, gasEUR, powerEUR, waterEUR = 0.215, 0.0461, 45.0, 118.0, 3.9
	r, err := p.Programme(p.Epoch())
	require.NoError(t, err)
	set, err := indicators.ParseSet([]byte(r.Factors[0].Body))
	require.NoError(t, err)
	tariff, err := set.Tariff("electricity-tou")
	require.NoError(t, err)
	// bill is what the electricity of a channel costs in a year, in time of use.
	bill := func(c channel) (eur float64) {
		if c == none {
			return 0
		}
		for at := p.Epoch().AddDate(-1, 0, 0); at.Before(p.Epoch()); at = at.Add(time.Hour) {
			price, ok := tariff.At(at)
			require.True(t, ok)
			m := p.millis(at)
			eur += price * float64(p.record.integral(c, m+3600_000)-p.record.integral(c, m)) / 3.6e6
		}
		return eur
	}
	heat := func(mwh, boiler float64, elec channel, cost float64) total {
		fuel := mwh / boiler * PCSOverPCI
		return total{tonnes: fuel*gas - p.year(elec)*power, eur: fuel*gasEUR - bill(elec) - cost, mwh: mwh}
	}
	net, dairy, office := p.year(networkIn), p.year(dairyIn), p.year(officeIn)
	bio := p.year(biogas) * BiomethanePCS / 1000 * 0.35
	hood := p.year(millHoodPotential)
	fan := 3.6e-3 * 8760 * 0.9
	condensate := heat(p.year(condensateHeat), millBoiler, none, 0)
	condensate.water = p.year(condensateWater)
	condensate.eur += condensate.water * waterEUR
	rinse := p.year(galvaRinse)
	return map[int]total{
		1:  heat(net, networkBoiler, foundryPump, 72000+30*net),
		2:  heat(dairy, dairyBoiler, maltPump, 14000+24*dairy),
		3:  heat(office, officeBoiler, officeHeatPump, 9300),
		4:  heat(p.year(washIn), washBoiler, none, 7000),
		5:  {tonnes: 2400 * 0.125, eur: 15000},
		6:  {tonnes: bio * (gas - 0.0375), mwh: bio},
		7:  {tonnes: 400*0.052 + 21000*0.93e-3, eur: 8000},
		8:  {eur: 16000},
		9:  {water: rinse, eur: rinse * waterEUR, tonnes: rinse * 0.132e-3},
		10: condensate,
		11: {eur: 22000},
		12: {tonnes: hood*gas - fan*power, eur: hood*gasEUR - fan*powerEUR, mwh: hood},
	}
}

// TestYearlyTotals holds the port to the order of what CLES published: about
// 3,500 t CO2e, 220,000 EUR and 195 m3 of water a year, synergy by synergy.
func TestYearlyTotals(t *testing.T) {
	want := map[int]total{
		1: {1850, 95000, 0, 7000}, 2: {480, 38000, 0, 1800}, 3: {200, 9000, 0, 900}, 4: {90, 12000, 0, 350},
		5: {300, 15000, 0, 0}, 6: {500, 0, 0, 2500}, 7: {40, 8000, 0, 0}, 8: {0, 16000, 0, 0},
		9: {0, 0, 120, 0}, 10: {0, 0, 75, 60}, 11: {0, 22000, 0, 0}, 12: {40, 5000, 0, 0},
	}
	got := totals(t, demo(t))
	var sum total
	for n := 1; n <= 12; n++ {
		g, w := got[n], want[n]
		t.Logf("synergy %2d: %7.1f t  %8.0f EUR  %6.1f m3  %7.1f MWh", n, g.tonnes, g.eur, g.water, g.mwh)
		sum.tonnes, sum.eur, sum.water = sum.tonnes+g.tonnes, sum.eur+g.eur, sum.water+g.water
		for what, x := range map[string][2]float64{"t CO2e": {g.tonnes, w.tonnes}, "EUR": {g.eur, w.eur}, "m3": {g.water, w.water}, "MWh": {g.mwh, w.mwh}} {
			if x[1] != 0 && math.Abs(x[0]/x[1]-1) > 0.10 {
				t.Errorf("synergy %d: %.1f %s, want %.0f within 10 %%", n, x[0], what, x[1])
			}
		}
	}
	t.Logf("all: %.0f t, %.0f EUR, %.0f m3", sum.tonnes, sum.eur, sum.water)
	require.InEpsilon(t, 3500, sum.tonnes, 0.10)
	require.InEpsilon(t, 220000, sum.eur, 0.10)
	require.InEpsilon(t, 195, sum.water, 0.10)
}

// TestTotalsOfOtherSeeds: another seed and another date give another year, but
// no other order of magnitude.
func TestTotalsOfOtherSeeds(t *testing.T) {
	for seed := uint64(2); seed <= 5; seed++ {
		p, err := New(Options{Seed: seed, Epoch: testEpoch.AddDate(0, 3*int(seed), 0), Library: library(t)})
		require.NoError(t, err)
		sum := total{}
		for _, x := range totals(t, p) {
			sum.tonnes, sum.eur, sum.water = sum.tonnes+x.tonnes, sum.eur+x.eur, sum.water+x.water
		}
		t.Logf("seed %d: %.0f t, %.0f EUR, %.0f m3", seed, sum.tonnes, sum.eur, sum.water)
		require.InEpsilon(t, 3500, sum.tonnes, 0.15)
		require.InEpsilon(t, 220000, sum.eur, 0.25)
		require.InEpsilon(t, 195, sum.water, 0.15)
	}
}

// TestSpeed: the history of a port is there at once.
func TestSpeed(t *testing.T) {
	begin := time.Now()
	_, err := New(Options{Seed: 9, Epoch: testEpoch, Library: library(t)})
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 15*time.Second, "with the race detector and a busy machine; 0.2 s without")
}
