package poll

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// TestQuantitiesOfTheirOwn: each quantity is read at its interval, on the clock,
// in one request where they fall together; what is skipped is not read.
func TestQuantitiesOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := simple(4, 2)
		b := newBench(t, overTCP, ramp, Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Minute, Quantities: map[metering.Quantity]Sampling{
			metering.ActivePower: {Interval: 10 * time.Second}, metering.VoltageL1: {Skip: true}}})
		b.run(t, 2*time.Minute-time.Second)
		require.Len(t, b.of("m/active_power"), 12)
		require.Len(t, b.of("m/active_energy_import"), 2)
		require.Empty(t, b.of("m/voltage_l1"))
		for _, r := range b.of("m/active_power") {
			require.Zero(t, r.At%10_000)
		}
		require.Len(t, b.line.log, 12, "what is due together is asked for together")
		_, meters := b.Status()
		require.Len(t, meters, 1)
		b.line.closed = 0
		checks := b.ReadOnce(t.Context())
		require.Len(t, checks, 1)
		require.Len(t, checks[0].Readings, 3)
	})
}

// TestFaultOfAPart: a fault of one part of a meter is the meter's, although the
// other parts are well.
func TestFaultOfAPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := simple(3, 2)
		limit := metering.Int(0)
		p.Fields[1].Max = &limit // active_energy_export shows 102
		b := newBench(t, overTCP, ramp, Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Minute, Quantities: map[metering.Quantity]Sampling{
			metering.ActivePower: {Interval: time.Second}}})
		b.run(t, 30*time.Second)
		fault, _ := b.status(t, "m")
		require.Equal(t, "out_of_bounds", fault)
	})
}

func TestQuantitiesRefused(t *testing.T) {
	slow := *simple(2, 2)
	slow.Timing.MinPoll = time.Minute
	for _, c := range []struct {
		q    map[metering.Quantity]Sampling
		want string
	}{
		{map[metering.Quantity]Sampling{metering.Humidity: {}}, "quantities: profile simple gives no humidity"},
		{map[metering.Quantity]Sampling{metering.ActiveEnergyImport: {Interval: time.Second}}, "quantities: active_energy_import: interval 1s is below 1m0s"},
		{map[metering.Quantity]Sampling{metering.ActiveEnergyImport: {Skip: true}, metering.ActiveEnergyExport: {Skip: true}}, "nothing is left to read"},
	} {
		_, err := New(Bus{ID: "b", Endpoint: overTCP, Meters: []Meter{{ID: "m", Unit: 1, Profile: &slow, Interval: time.Minute, Quantities: c.q}}}, Options{})
		require.ErrorContains(t, err, c.want)
	}
}
