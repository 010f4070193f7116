package poll

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// TestAligned: a meter is read at once, then at multiples of its interval.
func TestAligned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(3200 * time.Millisecond)
		b := newBench(t, overTCP, after(5*time.Millisecond, ramp), Meter{ID: "m", Unit: 1, Profile: simple(2, 2), Interval: 10 * time.Second})
		b.run(t, time.Minute)
		got := b.of("m/active_energy_import")
		require.Len(t, got, 7)
		for i, r := range got {
			require.NoError(t, r.Check())
			require.Equal(t, metering.Quality{}, r.Quality)
			require.Equal(t, metering.Int(101).Normal(), r.Number)
			if i > 0 {
				require.EqualValues(t, 5, r.At%10000, "read 5 ms after a multiple of 10 s")
			}
		}
		require.Equal(t, 1, b.line.closed)
		require.Len(t, b.line.log, 7)
		fault, _ := b.status(t, "m")
		require.Empty(t, fault)
	})
}

// TestDeadMeter: one that does not answer gives missing readings at every
// instant, leaves the bus to the others, and is found again.
func TestDeadMeter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		say := func(a asked) ([]uint16, error) {
			if a.unit == 1 && time.Since(start) < 20*time.Minute {
				return silence(a)
			}
			return after(10*time.Millisecond, ramp)(a)
		}
		p := simple(3, 40)
		b := newBench(t, overTCP, say,
			Meter{ID: "dead", Unit: 1, Profile: p, Interval: 5 * time.Second},
			Meter{ID: "well", Unit: 2, Profile: p, Interval: 5 * time.Second},
			Meter{ID: "fast", Unit: 3, Profile: p, Interval: time.Second})
		b.run(t, 20*time.Minute)
		for _, id := range []metering.SeriesID{"dead/active_power", "dead/active_energy_export"} {
			got := b.of(id)
			require.InDelta(t, 20*12, len(got), 2)
			for _, r := range got {
				require.NoError(t, r.Check())
				require.Equal(t, metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}, r.Quality)
			}
		}
		for _, r := range append(b.of("well/active_power"), b.of("fast/active_power")...) {
			require.Equal(t, metering.Good, r.Quality.Level)
		}
		require.Len(t, b.of("well/active_power"), 20*12)
		require.InDelta(t, 20*60, len(b.of("fast/active_power")), 20)
		require.Less(t, len(b.line.questions(1)), 35, "asked once a minute in the end")
		fault, detail := b.status(t, "dead")
		require.Equal(t, "no_answer", fault)
		require.Contains(t, detail, "no answer in time")
		require.Equal(t, 1, strings.Count(b.logs.String(), "the meter does not answer"))

		b.readings = nil
		b.run(t, 3*time.Minute)
		got := b.of("dead/active_power")
		require.Equal(t, metering.Good, got[len(got)-1].Quality.Level)
		require.Less(t, time.UnixMilli(got[0].At).Sub(start), 21*time.Minute+10*time.Second)
		require.Contains(t, b.logs.String(), "the meter answers again")
		fault, _ = b.status(t, "dead")
		require.Empty(t, fault)
	})
}

// TestOneMiss: a meter that misses one answer is asked again when its late answer
// cannot be taken for another, and the others are read meanwhile.
func TestOneMiss(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		say := func(a asked) ([]uint16, error) {
			if a.unit == 1 {
				if n++; n == 1 {
					return silence(a)
				}
			}
			return after(10*time.Millisecond, ramp)(a)
		}
		p := simple(1, 2)
		b := newBench(t, overTCP, say, Meter{ID: "one", Unit: 1, Profile: p, Interval: 10 * time.Second}, Meter{ID: "two", Unit: 2, Profile: p, Interval: 10 * time.Second})
		start := time.Now()
		b.run(t, 9*time.Second)
		require.Len(t, b.readings, 2)
		for _, r := range b.readings {
			require.Equal(t, metering.Good, r.Quality.Level)
		}
		require.Equal(t, []byte{1, 2, 1}, []byte{b.line.log[0].unit, b.line.log[1].unit, b.line.log[2].unit})
		require.Equal(t, 2*time.Second, b.line.log[2].at.Sub(start))
	})
}

// TestNeverIdle: on a bus that is too slow, it is never idle, the meters get
// their turns, and the log says so.
func TestNeverIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := simple(1, 2)
		var meters []Meter
		for i := range 10 {
			meters = append(meters, Meter{ID: fmt.Sprint("m", i), Unit: byte(1 + i), Profile: p, Interval: time.Second})
		}
		e := modbus.Endpoint{Type: modbus.RTU, Device: "line", Baud: 1200, Timeout: time.Second}
		b := newBench(t, e, after(200*time.Millisecond, ramp), meters...)
		require.Greater(t, b.Forecast(), 1.0)
		b.run(t, time.Minute)
		require.GreaterOrEqual(t, b.line.stats.Busy, 59*time.Second)
		for i := range 10 {
			require.InDelta(t, 30, len(b.line.questions(byte(1+i))), 1)
		}
		require.Contains(t, b.logs.String(), "meters were not read when they were due")
		bus, _ := b.Status()
		require.Equal(t, "bus", bus.Bus)
		require.EqualValues(t, len(b.line.log), bus.Requests)
	})
}

// TestStatusWhileReading: the status may be asked for at any time.
func TestStatusWhileReading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, overTCP, after(5*time.Millisecond, refuseGaps), Meter{ID: "m", Unit: 1, Profile: simple(3, 10), Interval: time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 40 {
				time.Sleep(333 * time.Millisecond)
				bus, meters := b.Status()
				require.Equal(t, "bus", bus.Bus)
				require.Len(t, meters, 1)
			}
		}()
		b.run(t, 20*time.Second)
		<-done
		_, meters := b.Status()
		require.WithinDuration(t, time.Now(), meters[0].LastSeen, 2*time.Second)
	})
}

// TestEarliestFirst: what is due first is read first.
func TestEarliestFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(100 * time.Millisecond)
		p := simple(1, 2)
		b := newBench(t, overTCP, after(300*time.Millisecond, ramp),
			Meter{ID: "slow", Unit: 1, Profile: p, Interval: 7 * time.Second},
			Meter{ID: "quick", Unit: 2, Profile: p, Interval: time.Second})
		b.run(t, 30*time.Second)
		for i, a := range b.line.log {
			if a.unit == 2 && i > 1 {
				late := time.Duration(a.at.UnixNano()) % time.Second
				require.LessOrEqual(t, late, 301*time.Millisecond)
			}
		}
		require.Len(t, b.of("quick/active_energy_import"), 30)
	})
}

// refuseGaps answers like a device that has only the registers of simple(3, 10).
func refuseGaps(a asked) ([]uint16, error) {
	for i := range a.count {
		if k := (a.from + i - 100) % 10; k > 1 {
			return nil, &modbus.Exception{Unit: a.unit, Function: 3, Code: modbus.IllegalAddress}
		}
	}
	return ramp(a)
}

// TestLearnsGaps: a refusal costs no reading, is drawn a conclusion from, and said once.
func TestLearnsGaps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, overTCP, after(5*time.Millisecond, refuseGaps), Meter{ID: "m", Unit: 1, Profile: simple(3, 10), Interval: 10 * time.Second})
		b.run(t, 55*time.Second)
		require.Len(t, b.readings, 3*6)
		for _, r := range b.readings {
			require.Equal(t, metering.Good, r.Quality.Level)
		}
		refused := 0
		for _, a := range b.line.log {
			if a.err != nil {
				refused++
			}
		}
		require.Equal(t, 1, refused)
		require.Len(t, b.line.log, 1+3*6)
		require.Equal(t, 1, strings.Count(b.logs.String(), "refuses a request for several quantities"))
	})
}

// TestLearnsSize: a device that gives less at once than its profile says.
func TestLearnsSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		say := func(a asked) ([]uint16, error) {
			if a.count > 4 {
				return nil, &modbus.Exception{Unit: a.unit, Function: 3, Code: modbus.IllegalValue}
			}
			return ramp(a)
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(8, 2), Interval: 10 * time.Second})
		b.run(t, 15*time.Second)
		require.Len(t, b.readings, 2*8)
		for _, r := range b.readings {
			require.Equal(t, metering.Good, r.Quality.Level)
		}
		require.Len(t, b.line.log, 3+2*4)
	})
}

// TestAbsentRegister: a register that a model lacks costs its own reading only.
func TestAbsentRegister(t *testing.T) {
	bubble(t, func(t *testing.T) {
		say := func(a asked) ([]uint16, error) {
			if a.from <= 104 && a.from+a.count > 104 {
				return nil, &modbus.Exception{Unit: a.unit, Function: 3, Code: modbus.IllegalAddress}
			}
			return ramp(a)
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(8, 2), Interval: 10 * time.Second})
		b.run(t, 15*time.Second)
		require.Len(t, b.readings, 2*8)
		for _, r := range b.readings {
			if r.Series == "m/active_power" {
				require.Equal(t, metering.Quality{Level: metering.Missing, Reason: metering.Refused}, r.Quality)
				require.NoError(t, r.Check())
				continue
			}
			require.Equal(t, metering.Good, r.Quality.Level)
		}
		fault, detail := b.status(t, "m")
		require.Equal(t, "refused", fault)
		require.Equal(t, "active_power: missing:refused: unit 1 refuses function 3: illegal data address", detail)
	})
}

// TestLearnsFromSilence: a device that makes no exceptions refuses by silence.
func TestLearnsFromSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := simple(8, 2)
		p.NoExceptions = true
		p.Limits.MaxRegisters = 8
		say := func(a asked) ([]uint16, error) {
			if a.from < 104 && a.count > 4 {
				return silence(a)
			}
			return ramp(a)
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: p, Interval: 10 * time.Second})
		b.run(t, 2*time.Minute)
		last := b.readings[len(b.readings)-8:]
		for _, r := range last {
			require.Equal(t, metering.Good, r.Quality.Level, "%v", r)
		}
		require.Contains(t, b.logs.String(), "stays silent to a request for several quantities")
	})
}

// TestBusy: a device that is busy is asked again at once, and a damaged answer too.
func TestAsksAgain(t *testing.T) {
	for _, err := range []error{&modbus.Exception{Unit: 1, Function: 3, Code: modbus.Busy}, fmt.Errorf("checksum: %w", modbus.ErrBadFrame)} {
		bubble(t, func(t *testing.T) {
			n := 0
			say := func(a asked) ([]uint16, error) {
				if n++; n%4 == 1 || n > 8 {
					return nil, err
				}
				return ramp(a)
			}
			b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(1, 2), Interval: 10 * time.Second})
			b.run(t, 75*time.Second)
			require.Len(t, b.readings, 8)
			for i, r := range b.readings {
				if i < 6 {
					require.Equal(t, metering.Good, r.Quality.Level)
				} else {
					require.Equal(t, metering.Quality{Level: metering.Missing, Reason: reasonOf(err)}, r.Quality)
				}
			}
			fault, _ := b.status(t, "m")
			require.Equal(t, string(reasonOf(err)), fault)
		})
	}
}

// TestUnreachable: without a connection every instant has its missing readings,
// and the connection is tried each time.
func TestUnreachable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		say := func(asked) ([]uint16, error) { return nil, fmt.Errorf("dial: %w", modbus.ErrUnreachable) }
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(2, 60), Interval: 10 * time.Second})
		b.run(t, 10*time.Minute-time.Second)
		require.Len(t, b.readings, 2*60)
		require.Len(t, b.line.log, 60)
		require.Equal(t, metering.NoAnswer, b.readings[0].Quality.Reason)
	})
}

// TestClockStep: a clock that is set does not stop the readings, nor hurry them.
func TestClockStep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		offset, start := time.Duration(0), time.Now()
		say := func(a asked) ([]uint16, error) {
			switch since := time.Since(start); {
			case since > 40*time.Second:
				offset = -2 * time.Hour
			case since > 20*time.Second:
				offset = 3 * time.Hour
			}
			return ramp(a)
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(1, 2), Interval: 5 * time.Second})
		b.options.Now = func() time.Time { return time.Now().Add(offset) }
		b.run(t, 99*time.Second)
		require.InDelta(t, 20, len(b.readings), 3)
	})
}

// TestNeverTwiceInAMillisecond: a bus that was held up past the next instant
// makes up for it, but no series has two readings at one instant: a store keeps
// one of them.
func TestNeverTwiceInAMillisecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		say := func(a asked) ([]uint16, error) {
			if n++; n%3 == 1 {
				time.Sleep(100*time.Millisecond + 200*time.Microsecond) // held up
			} else {
				time.Sleep(100 * time.Microsecond)
			}
			return ramp(a)
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(1, 2), Interval: 100 * time.Millisecond})
		b.run(t, time.Minute)
		require.Greater(t, len(b.readings), 400)
		for i := 1; i < len(b.readings); i++ {
			require.Greater(t, b.readings[i].At, b.readings[i-1].At)
		}
	})
}

// TestModule: the inputs of one module are asked for together.
func TestModule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := builtin(t, "saia-pcd7-h104d")
		say := func(a asked) ([]uint16, error) {
			words := make([]uint16, a.count)
			for i := range words {
				words[i] = uint16((a.from + i) % 2 * 0) // high words 0
				if (a.from+i)%2 == 0 {
					words[i] = uint16(1000 + a.from + i)
				}
			}
			return words, nil
		}
		weight := metering.MustDecimal("0.1")
		b := newBench(t, overTCP, say,
			Meter{ID: "gas", Unit: 10, Profile: p, Interval: 10 * time.Second, Channel: 1, Pulse: &Pulse{metering.GasVolume, weight, metering.CubicM}},
			Meter{ID: "water", Unit: 10, Profile: p, Interval: 10 * time.Second, Channel: 3, Pulse: &Pulse{metering.WaterVolume, metering.Int(2), metering.CubicM}},
			Meter{ID: "raw", Unit: 10, Profile: p, Interval: 20 * time.Second, Channel: 2})
		b.run(t, 15*time.Second)
		require.Len(t, b.line.log, 2)
		require.Len(t, b.of("gas/gas_volume"), 2)
		require.Equal(t, "102.8", b.of("gas/gas_volume")[0].Number.String())
		require.Equal(t, metering.CubicM, b.of("gas/gas_volume")[0].Unit)
		require.Equal(t, "2064", b.of("water/water_volume")[0].Number.String())
		require.Len(t, b.of("raw/pulse_count"), 1)
		require.Equal(t, "1030", b.of("raw/pulse_count")[0].Number.String())
	})
}

// TestStaleFirst: a device that answers one question late is asked beforehand, so
// that its readings are no older than that.
func TestStaleFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := simple(3, 2)
		p.StaleFirst = true
		p.Timing.MinPoll = 5 * time.Second
		b := newBench(t, overTCP, ramp, Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Minute})
		b.run(t, 5*time.Minute+time.Second)
		got := b.of("m/active_power")
		require.Len(t, got, 5)
		for _, r := range got {
			for i, a := range b.line.log {
				if a.at.UnixMilli() == r.At {
					require.Equal(t, 6*time.Second, a.at.Sub(b.line.log[i-1].at))
				}
			}
		}
		require.Len(t, b.line.log, 1+2*len(got))
	})
}

func TestNewRefuses(t *testing.T) {
	p, pulses := simple(2, 2), builtin(t, "saia-pcd7-h104d")
	ok := Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Second}
	with := func(f func(m *Meter)) Meter {
		m := ok
		f(&m)
		return m
	}
	gas := Meter{ID: "gas", Unit: 9, Profile: pulses, Interval: time.Second, Channel: 1}
	slow := *p
	slow.Timing.MinPoll = time.Minute
	serial := modbus.Endpoint{Type: modbus.RTU, Device: "/dev/ttyUSB0"}
	for _, w := range []struct {
		err      string
		endpoint modbus.Endpoint
		meters   []Meter
	}{
		{"bus b: no meters", overTCP, nil},
		{`bus b: modbus: type "" is none of`, modbus.Endpoint{}, []Meter{ok}},
		{`identifier "M": only`, overTCP, []Meter{with(func(m *Meter) { m.ID = "M" })}},
		{"bus b: meter m: no profile", overTCP, []Meter{with(func(m *Meter) { m.Profile = nil })}},
		{"bus b: meter m: unit 0 is not between 1 and 247", serial, []Meter{with(func(m *Meter) { m.Unit = 0 })}},
		{"bus b: meter m: interval 0s is below", overTCP, []Meter{with(func(m *Meter) { m.Interval = 0 })}},
		{"bus b: meter m: interval 1s is below 1m0s, the shortest that profile simple allows", overTCP, []Meter{with(func(m *Meter) { m.Profile = &slow })}},
		{"bus b: meter m is there twice", overTCP, []Meter{ok, ok}},
		{"bus b: meter n: unit 1, channel 0 is meter m already", overTCP, []Meter{ok, with(func(m *Meter) { m.ID = "n" })}},
		{"bus b: meter gas: unit 1 has profile simple for meter m and profile saia-pcd7-h104d here", overTCP,
			[]Meter{ok, {ID: "gas", Unit: 1, Profile: pulses, Interval: time.Second, Channel: 1}}},
		{"bus b: meter m: channel 1: profile simple has no channels", overTCP, []Meter{with(func(m *Meter) { m.Channel = 1 })}},
		{"bus b: meter gas: channel 0: profile saia-pcd7-h104d has the channels 1 to 4", overTCP, []Meter{{ID: "gas", Unit: 1, Profile: pulses, Interval: time.Second}}},
		{"bus b: meter m: pulse: profile simple counts no pulses on channel 0", overTCP,
			[]Meter{with(func(m *Meter) { m.Pulse = &Pulse{metering.GasVolume, metering.Int(1), metering.CubicM} })}},
		{`pulse: gas_volume cannot be in "kWh"`, overTCP, []Meter{pulse(gas, metering.GasVolume, "1", metering.KWh)}},
		{`pulse: quantity "gas" is not known`, overTCP, []Meter{pulse(gas, "gas", "1", metering.CubicM)}},
		{"pulse: temperature is no quantity that pulses count", overTCP, []Meter{pulse(gas, metering.Temperature, "1", metering.Celsius)}},
		{"pulse: weight 0 is not above 0", overTCP, []Meter{pulse(gas, metering.GasVolume, "0", metering.CubicM)}},
	} {
		_, err := New(Bus{ID: "b", Endpoint: w.endpoint, Meters: w.meters}, Options{})
		require.ErrorContains(t, err, w.err)
	}
	_, err := New(Bus{ID: "b", Endpoint: overTCP, Meters: []Meter{ok, gas}}, Options{})
	require.NoError(t, err)
}

func pulse(m Meter, q metering.Quantity, weight string, u metering.Unit) Meter {
	m.Pulse = &Pulse{q, metering.MustDecimal(weight), u}
	return m
}

// TestReadOnce reads each meter once, in order, and not while the bus is read.
func TestReadOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		say := func(a asked) ([]uint16, error) {
			if a.unit == 2 {
				return silence(a)
			}
			return after(20*time.Millisecond, ramp)(a)
		}
		p := simple(2, 60)
		p.Limits.MaxGap = 0
		b := newBench(t, overTCP, say, Meter{ID: "b", Unit: 2, Profile: p, Interval: time.Minute}, Meter{ID: "a", Unit: 1, Profile: p, Interval: time.Minute})
		checks := b.ReadOnce(t.Context())
		require.Len(t, checks, 2)
		require.Equal(t, "b", checks[0].Meter)
		require.ErrorIs(t, checks[0].Err, modbus.ErrTimeout)
		require.Equal(t, time.Second, checks[0].Latency)
		require.Len(t, checks[0].Readings, 2)
		require.Equal(t, metering.Missing, checks[0].Readings[1].Quality.Level)
		require.NoError(t, checks[1].Err)
		require.Equal(t, 20*time.Millisecond, checks[1].Latency)
		require.Equal(t, metering.Int(101), checks[1].Readings[0].Number)

		b.running.Lock()
		require.ErrorIs(t, b.Run(t.Context()), errRunning)
		require.True(t, errors.Is(b.ReadOnce(t.Context())[1].Err, errRunning))
		b.running.Unlock()
	})
}

// TestForecast: the load that is foretold is that of a meter as it was just seen:
// 3 requests of 100 ms each second, and on a line the turnaround besides the frames.
func TestForecast(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := simple(3, 200)
		b := newBench(t, overTCP, after(100*time.Millisecond, ramp), Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Second})
		require.InDelta(t, 0.012, b.Forecast(), 0.001, "what is usual")
		b.ReadOnce(t.Context())
		require.InDelta(t, 0.3, b.Forecast(), 0.001)

		e := modbus.Endpoint{Type: modbus.RTU, Device: "/dev/x", Baud: 9600, Parity: "none", StopBits: 1, Timeout: time.Second}
		frames := time.Duration(13+2*2)*e.Character() + e.Gap()
		b = newBench(t, e, after(50*time.Millisecond+frames, ramp), Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Second})
		b.ReadOnce(t.Context())
		require.InDelta(t, (3 * (50*time.Millisecond + frames + e.Gap())).Seconds(), b.Forecast(), 0.001)
	})
}
