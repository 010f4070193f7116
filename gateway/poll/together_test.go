package poll

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// scattered is a profile whose quantities are read by three requests of 2, 4 and 6
// registers, or by four, two of them alike.
func scattered(more ...int) *profile.Profile {
	p := simpleAt(append([]int{100, 300, 302, 500, 502, 504}, more...)...)
	p.Limits.InFlight = 4
	return p
}

// TestTogether: a device that takes several questions at once is asked so, except
// those whose answers look alike; one whose bus says otherwise is not.
func TestTogether(t *testing.T) {
	for _, w := range []struct {
		name     string
		bus      int
		profile  *profile.Profile
		groups   int // of 10 polls
		requests int
	}{
		{"as its profile says", 0, scattered(), 10, 30},
		{"not on this bus", 1, scattered(), 0, 30},
		{"two at a time", 2, scattered(), 10, 30},
		{"on this bus, whatever the profile says", 3, simpleAt(100, 300, 302, 500, 502, 504), 10, 30},
		{"the third and the fourth are alike", 0, scattered(700), 10, 40},
		{"one request", 0, scattered(), 0, 10},
	} {
		t.Run(w.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := Meter{ID: "m", Unit: 1, Profile: w.profile, Interval: time.Second}
				if w.requests == 10 {
					m.Quantities = map[metering.Quantity]Sampling{}
					for _, f := range w.profile.Fields[1:] {
						m.Quantities[f.Quantity] = Sampling{Skip: true}
					}
				}
				b := newBench(t, overTCP, after(time.Millisecond, ramp), m)
				b.devices[0].inFlight = (&Bus{Endpoint: overTCP, InFlight: w.bus}).inFlight(w.profile)
				b.run(t, 9500*time.Millisecond)
				require.Equal(t, w.groups, b.line.groups)
				require.Len(t, b.line.log, w.requests)
				require.Len(t, b.of("m/active_energy_import"), 10)
				for _, r := range b.readings {
					require.Equal(t, metering.Quality{}, r.Quality)
				}
				if w.requests > 10 {
					require.Equal(t, metering.Int(503), b.of("m/voltage_l2")[9].Number)
				}
			})
		})
	}
}

// TestTogetherOdd: what a device does not answer at once it is asked one by one in
// the same cycle, so that no reading is missing; one that answers wrongly is never
// asked so again, one that stays silent or refuses not after three times.
func TestTogetherOdd(t *testing.T) {
	for _, w := range []struct {
		name   string
		err    error
		groups int
	}{
		{"damaged", modbus.ErrBadFrame, 1},
		{"of another unit", modbus.ErrWrongUnit, 1},
		{"silent", modbus.ErrTimeout, 3},
		{"hangs up", modbus.ErrUnreachable, 3},
		{"refuses", &modbus.Exception{Unit: 1, Function: 3, Code: modbus.Busy}, 3},
	} {
		t.Run(w.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, overTCP, after(time.Millisecond, ramp), Meter{ID: "m", Unit: 1, Profile: scattered(), Interval: time.Second})
				b.line.group = func(runs []profile.Span) error {
					require.Len(t, runs, 3)
					return w.err
				}
				b.run(t, 9500*time.Millisecond)
				require.Equal(t, w.groups, b.line.groups)
				require.Len(t, b.line.log, 30)
				require.Len(t, b.of("m/active_energy_import"), 10)
				for _, r := range b.readings {
					require.Equal(t, metering.Quality{}, r.Quality)
				}
				require.Equal(t, 1, strings.Count(b.logs.String(), "one question at a time"))
				fault, _ := b.status(t, "m")
				require.Empty(t, fault)
			})
		})
	}
}

// TestTogetherNowAndThen: a fault now and then, or a device that is away, proves
// nothing about several questions at once.
func TestTogetherNowAndThen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, away := 0, false
		b := newBench(t, overTCP, func(a asked) ([]uint16, error) {
			if away {
				return silence(a)
			}
			return after(time.Millisecond, ramp)(a)
		}, Meter{ID: "m", Unit: 1, Profile: scattered(), Interval: 5 * time.Second})
		b.line.group = func([]profile.Span) error {
			if n++; n%3 > 0 {
				time.Sleep(100 * time.Millisecond)
				return modbus.ErrTimeout
			}
			return nil
		}
		b.run(t, 5*time.Minute)
		away = true
		b.run(t, 5*time.Minute)
		away = false
		b.line.group = nil
		b.run(t, 5*time.Minute)
		before := b.line.groups
		b.run(t, time.Minute)
		require.GreaterOrEqual(t, b.line.groups, before+12)
		require.NotContains(t, b.logs.String(), "one question at a time")
	})
}

// TestTogetherOnlyOverTCP: serial lines carry one question at a time.
func TestTogetherOnlyOverTCP(t *testing.T) {
	serial := modbus.Endpoint{Type: modbus.RTUOverTCP, Address: "meter:4001"}
	m := []Meter{{ID: "m", Unit: 1, Profile: scattered(), Interval: time.Minute}}
	w, err := New(Bus{ID: "b", Endpoint: serial, Meters: m}, Options{})
	require.NoError(t, err)
	require.Equal(t, 1, w.devices[0].inFlight)
	_, err = New(Bus{ID: "b", Endpoint: serial, InFlight: 2, Meters: m}, Options{})
	require.ErrorContains(t, err, "in_flight: type rtu-over-tcp is asked one question at a time")
	for _, n := range []int{-1, modbus.MostTogether + 1} {
		_, err = New(Bus{ID: "b", Endpoint: overTCP, InFlight: n, Meters: m}, Options{})
		require.ErrorContains(t, err, "is not between 1 and 8")
		require.False(t, errors.Is(err, errRunning))
	}
}
