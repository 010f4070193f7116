package port

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// TestConservation: what leaves a donor arrives at the receiver or is lost on
// the way, and every need is met by the heat received and the boiler.
func TestConservation(t *testing.T) {
	p := demo(t)
	boiler := func(gas channel, efficiency float64) float64 {
		return p.year(gas) * GasPCS / 1000 / PCSOverPCI * efficiency
	}
	for _, x := range []struct {
		name     string
		got      float64
		want     float64
		relative float64
	}{
		{"network: load = received + boiler", p.year(networkIn) + boiler(networkGas, networkBoiler), p.year(networkLoad), 1e-4},
		{"offices: load = heat pump + boiler", p.year(officeIn) + boiler(officeGas, officeBoiler), p.year(officeLoad), 1e-4},
		{"dairy: hot water = received + boiler, less what the tank loses", p.year(dairyIn) + boiler(dairyGas, dairyBoiler), p.year(dairyHotWater), 0.03},
		{"truck wash: hot water = received + boiler, less what the tank loses", p.year(washIn) + boiler(washGas, washBoiler), p.year(washDemand), 0.10},
		{"paper mill: steam = gas", boiler(millGas, millBoiler), p.year(millSteam), 1e-4},
		{"flow of the heat meter at the substation", p.year(networkInFlow) * waterHeat * 30 / 1000, p.year(networkIn), 0.25},
	} {
		require.InEpsilon(t, x.want, x.got, x.relative, x.name)
	}
	// Heat is lost on the line, never won; the pump's electricity is part of the site's.
	for k := range p.record.rates[networkIn][:p.stepAt(testEpoch)] {
		at := func(c channel) int32 { return p.record.rates[c][k] }
		for _, x := range [][2]int32{{at(networkIn), at(foundryRecovery)}, {at(dairyIn), at(maltRecovery)}, {at(networkIn), at(networkLoad)},
			{at(officeIn), at(officeLoad) + 1}, {at(foundryPump), at(foundryElec)}, {at(maltPump), at(maltElec)}, {at(officeHeatPump), at(officeElec) + 300}} {
			if x[0] > x[1] {
				t.Fatalf("step %d: %d is more than %d", k, x[0], x[1])
			}
		}
	}
	for c := channel(1); c < channels; c++ {
		if quanta[c] == centiC {
			continue
		}
		sum := 0.0
		for _, rate := range p.record.rates[c] {
			if rate < 0 {
				t.Fatalf("channel %d runs backwards", c)
			}
			sum += float64(rate)
		}
		require.Positive(t, sum, "channel %d never runs", c)
	}
}

// TestBaselines: before a synergy starts its line delivers nothing and the
// boiler burns for all of it; the exchanger fouls by the story's amount; the
// study period of the paper mill is a full year.
func TestBaselines(t *testing.T) {
	p := demo(t)
	start := int64(p.events.officeStart) * stepMillis
	require.Zero(t, p.record.integral(officeIn, start))
	require.Zero(t, p.record.integral(officeHeatPump, start))
	require.Positive(t, p.record.integral(officeGas, start))
	require.Zero(t, p.record.integral(millHoodFan, int64(p.events.hoodStart)*stepMillis))

	hood := p.start.Add(time.Duration(p.events.hoodStart) * stepSeconds * time.Second)
	require.GreaterOrEqual(t, hood.Sub(p.start).Hours(), 365*24.0-1)
	require.GreaterOrEqual(t, testEpoch.Sub(hood).Hours(), 180*24.0)

	fouled := int64(p.events.foulingStart+30*stepsADay) * stepMillis
	to := p.millis(testEpoch)
	lost := 1 - float64(p.record.integral(dairyIn, to)-p.record.integral(dairyIn, fouled))/
		float64(p.record.integral(dairyInClean, to)-p.record.integral(dairyInClean, fouled))
	require.InDelta(t, 0.13, lost, 0.025)
}

// one reads one series of the history at the given instants.
func one(t *testing.T, p *Port, id metering.SeriesID, at ...time.Time) (out []metering.Reading) {
	t.Helper()
	m := p.installed[id.Meter()]
	for _, tr := range p.tracks(Gateway(m.Company)) {
		if tr.series != id {
			continue
		}
		for _, a := range at {
			out = append(out, tr.read(p, p.millis(a)))
		}
		return out
	}
	t.Fatalf("no series %s", id)
	return nil
}

// trouble finds one of the demo's troubles.
func trouble(t *testing.T, p *Port, k TroubleKind) Trouble {
	t.Helper()
	for _, x := range p.Troubles() {
		if x.Kind == k {
			return x
		}
	}
	t.Fatalf("no trouble %s", k)
	return Trouble{}
}

// TestTroubles: each trouble shows in the readings as its text says, and only
// while it lasts.
func TestTroubles(t *testing.T) {
	p := demo(t)
	number := func(r metering.Reading) float64 { return r.Number.Float64() }
	hour := time.Hour

	x := trouble(t, p, SwappedSensors)
	during := one(t, p, "transports-chaleur/heat_energy", x.From.Add(-24*hour), x.From, x.Until.Add(-hour), x.Until.Add(24*hour))
	require.Greater(t, number(during[1]), number(during[0]))
	require.InDelta(t, number(during[1]), number(during[2]), 0.3)
	require.Greater(t, number(during[3]), number(during[2]))
	volume := one(t, p, "transports-chaleur/volume", x.From, x.Until)
	require.Greater(t, number(volume[1]), number(volume[0])+50)
	swapped := false
	for at := x.From; at.Before(x.Until); at = at.Add(hour) {
		if one(t, p, "transports-chaleur/volume_flow", at)[0].Number.Coef > 0 {
			swapped = number(one(t, p, "transports-chaleur/flow_temperature", at)[0]) < number(one(t, p, "transports-chaleur/return_temperature", at)[0])
			require.True(t, swapped)
		}
	}
	require.True(t, swapped)

	x = trouble(t, p, WrongScale)
	scaled := one(t, p, "datacentre-boucle/heat_energy", x.From.Add(-hour), x.From.Add(hour), x.Until.Add(hour))
	require.InEpsilon(t, 10*number(scaled[0]), number(scaled[1]), 0.01)
	require.InEpsilon(t, number(scaled[0]), number(scaled[2]), 0.01)

	x = trouble(t, p, Rollover)
	around := one(t, p, "transports-eau-partagee/water_volume", x.From.Add(-hour), x.From.Add(24*hour))
	require.InDelta(t, 4294967296*0.01, number(around[0]), 10)
	require.Less(t, number(around[1]), 60.0)

	x = trouble(t, p, ExchangeRecorded)
	program, err := p.Programme(testEpoch)
	require.NoError(t, err)
	recorded := false
	for _, m := range program.Meters {
		for _, e := range m.Exchanges {
			recorded = true
			require.Equal(t, "galvano-eau", m.ID)
			require.Equal(t, metering.WaterVolume, e.Quantity)
			require.True(t, x.From.Equal(e.At))
			pair := one(t, p, "galvano-eau/water_volume", e.At.Add(-time.Millisecond), e.At)
			require.Equal(t, pair[0].Number, e.OldFinal)
			require.InDelta(t, number(pair[1]), e.NewStart.Float64(), 1e-6)
			require.InDelta(t, 0.2, e.NewStart.Float64(), 1e-6)
		}
	}
	require.True(t, recorded)

	x = trouble(t, p, ExchangeUnrecorded)
	pair := one(t, p, "silos-elec/active_energy_import", x.From.Add(-hour), x.From.Add(hour))
	require.Greater(t, number(pair[0]), 1000*number(pair[1])+1000)

	x = trouble(t, p, PulseReset)
	for _, s := range []metering.SeriesID{"laiterie-gaz/gas_volume", "laiterie-eau/water_volume"} {
		pair := one(t, p, s, x.From.Add(-hour), x.From.Add(2*hour))
		require.Greater(t, number(pair[0]), 100*number(pair[1]), s)
	}

	x = trouble(t, p, FrozenReading)
	var frozen []float64
	for at := x.From; at.Before(x.Until); at = at.Add(3 * hour) {
		frozen = append(frozen, number(one(t, p, "malterie-buees/temperature", at)[0]))
	}
	for _, f := range frozen {
		require.Equal(t, frozen[0], f)
	}
	require.NotEqual(t, frozen[0], number(one(t, p, "malterie-buees/temperature", x.Until.Add(2*hour))[0]))

	require.Equal(t, "suspect:out_of_bounds", one(t, p, "papeterie-effluent-temp/temperature", testEpoch)[0].Quality.String())
	require.Equal(t, "missing:no_answer", one(t, p, "beton-elec/active_power", testEpoch)[0].Quality.String())
	require.Equal(t, "good", one(t, p, "beton-elec/active_power", testEpoch.Add(-48*hour))[0].Quality.String())
}

// TestLateParts: a gateway without network delivers everything, later and in
// order; a clock that jumps says so.
func TestLateParts(t *testing.T) {
	p := demo(t)
	for _, kind := range []TroubleKind{NoNetwork, LateData} {
		x := trouble(t, p, kind)
		late, before := 0, int64(0)
		for part := range p.History(x.Subject, x.From.AddDate(0, 0, -3), x.Until.AddDate(0, 0, 3), time.Hour) {
			require.GreaterOrEqual(t, part.DeliveredAt, before)
			before = part.DeliveredAt
			if part.DeliveredAt != part.ClosedAt {
				late++
				require.Equal(t, x.Until.UnixMilli(), part.DeliveredAt)
			}
		}
		require.GreaterOrEqual(t, late, 9, kind)
	}
	x := trouble(t, p, ClockJump)
	jumped, parts := 0, 0
	for part := range p.History(x.Subject, x.From.AddDate(0, 0, -1), x.Until.AddDate(0, 0, 1), 10*time.Minute) {
		parts++
		for _, r := range part.Readings {
			if r.Quality.Reason == metering.ClockOff {
				jumped++
				require.False(t, part.Clock.Synchronised)
			}
		}
	}
	require.Positive(t, jumped)
	require.GreaterOrEqual(t, parts, 4)
}

// TestTroublesAreTold: every trouble has both texts, a subject that exists, and
// its time within the history.
func TestTroublesAreTold(t *testing.T) {
	for months := range 14 {
		epoch := testEpoch.AddDate(0, months, 0)
		before := time.Time{}
		for _, x := range Troubles(epoch) {
			require.NotEmpty(t, x.Text.FR)
			require.NotEmpty(t, x.Text.EN)
			require.False(t, x.From.Before(Start(epoch)), "%s at %s", x.Kind, x.From)
			require.True(t, x.From.Before(epoch), "%s at %s, epoch %s", x.Kind, x.From, epoch)
			require.True(t, x.Until.IsZero() || !x.Until.Before(x.From))
			require.True(t, x.Until.Before(epoch), "%s until %s, epoch %s", x.Kind, x.Until, epoch)
			require.False(t, x.From.Before(before), "%s at %s is out of order", x.Kind, x.From)
			before = x.From
		}
	}
}

// TestAugustAndHolidays: who stops, stops.
func TestAugustAndHolidays(t *testing.T) {
	p := demo(t)
	mean := func(c channel, day time.Time) float64 {
		from := p.millis(day)
		return float64(p.record.integral(c, from+86400_000)-p.record.integral(c, from)) / 86400
	}
	august := time.Date(2026, 8, 6, 4, 0, 0, 0, time.UTC)
	september := time.Date(2026, 9, 10, 4, 0, 0, 0, time.UTC)
	allSaints := time.Date(2025, 11, 11, 4, 0, 0, 0, time.UTC) // 11 November, a Tuesday
	for _, c := range []channel{foundryGas, chemElec, galvaElec, concreteElec} {
		require.Less(t, mean(c, august), 0.6*mean(c, september), "channel %d in August", c)
	}
	require.Less(t, mean(galvaElec, allSaints), 0.5*mean(galvaElec, september))
	require.InEpsilon(t, mean(dataLoop, august), mean(dataLoop, september), 0.1)
	require.False(t, math.IsNaN(mean(siloGas, september)))
}
