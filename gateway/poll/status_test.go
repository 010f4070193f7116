package poll

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// counting serves a pulse module whose first input shows what the test says, one
// number for each time that it is asked.
func counting(shows ...uint32) func(a asked) ([]uint16, error) {
	n := 0
	return func(a asked) ([]uint16, error) {
		c := shows[min(n, len(shows)-1)]
		n++
		return []uint16{uint16(c >> 16), uint16(c)}, nil
	}
}

func TestCounters(t *testing.T) {
	reset := metering.Quality{Level: metering.Suspect, Reason: metering.Reset}
	good := metering.Quality{}
	for _, w := range []struct {
		name  string
		shows []uint32
		want  []metering.Quality
		fault string
	}{
		{"grows", []uint32{5, 6, 6, 900}, []metering.Quality{good, good, good, good}, ""},
		{"starts again", []uint32{70000, 70001, 3, 4}, []metering.Quality{good, good, reset, good}, "reset"},
		{"drops to nothing and is back", []uint32{70000, 0, 70001, 70002}, []metering.Quality{good, reset, good, good}, "reset"},
		{"rolls over", []uint32{4294967290, 4294967295, 4, 5}, []metering.Quality{good, good, good, good}, ""},
		{"goes back near its end", []uint32{4294967290, 4294967280, 4294967291, 0}, []metering.Quality{good, reset, good, good}, "reset"},
	} {
		t.Run(w.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, overTCP, counting(w.shows...), Meter{ID: "gas", Unit: 1, Profile: builtin(t, "saia-pcd7-h104d"), Interval: time.Minute,
					Channel: 1, Pulse: &Pulse{metering.GasVolume, metering.MustDecimal("0.5"), metering.CubicM}})
				b.run(t, 3*time.Minute+time.Second)
				require.Len(t, b.readings, len(w.want))
				for i, r := range b.readings {
					require.Equal(t, w.want[i], r.Quality, "%v", r)
					half, err := metering.Int(int64(w.shows[i])).Mul(metering.MustDecimal("0.5"))
					require.NoError(t, err)
					require.True(t, half.Equal(r.Number))
				}
				fault, detail := b.status(t, "gas")
				require.Equal(t, w.fault, fault)
				if w.fault != "" {
					require.Contains(t, detail, "gas_volume went back to")
				}
			})
		})
	}
}

// TestWide: 64-bit counters keep every digit.
func TestWide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := builtin(t, "schneider-iem3000")
		image := profile.Image{}
		for i := range p.Fields {
			d := metering.MustDecimal("1")
			if p.Fields[i].Quantity == metering.ActiveEnergyImport {
				d = metering.MustDecimal("9007199254740993.001") // Wh beyond 2^53
			}
			require.NoError(t, p.Fields[i].Encode(d, image))
		}
		say := func(a asked) ([]uint16, error) {
			words := make([]uint16, a.count)
			for i := range words {
				words[i], _ = image.Word(a.table, uint16(a.from+i))
			}
			return words, nil
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Minute})
		b.run(t, time.Second)
		require.Equal(t, "9007199254740993.001", b.of("m/active_energy_import")[0].Number.String())
		require.Len(t, b.readings, len(p.Fields))
	})
}

// TestFrozen: nothing of a meter that measures several things in motion changes.
func TestFrozen(t *testing.T) {
	for _, w := range []struct {
		name   string
		moves  bool
		frozen bool
	}{{"all the same", false, true}, {"one voltage moves", true, false}} {
		t.Run(w.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				say := func(a asked) ([]uint16, error) {
					words, err := ramp(a)
					if n++; w.moves {
						words[3*2+1] = uint16(230 + n%2)
					}
					return words, err
				}
				b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(6, 2), Interval: 30 * time.Second})
				b.run(t, 14*time.Minute)
				fault, _ := b.status(t, "m")
				require.Empty(t, fault)
				b.run(t, 6*time.Minute)
				fault, detail := b.status(t, "m")
				if !w.frozen {
					require.Empty(t, fault)
					return
				}
				require.Equal(t, "frozen", fault)
				require.Equal(t, "nothing that it measures has changed since 2000-01-01T00:00:00Z", detail)
			})
		})
	}
}

// TestDamagedRate: answers that come damaged now and then are a fault although
// asking again mends them.
func TestDamagedRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		say := func(a asked) ([]uint16, error) {
			if n++; n%8 == 0 {
				return nil, fmt.Errorf("checksum: %w", modbus.ErrBadFrame)
			}
			return ramp(a)
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: simple(1, 2), Interval: time.Second})
		b.run(t, time.Minute)
		for _, r := range b.readings {
			require.Equal(t, metering.Good, r.Quality.Level)
		}
		fault, detail := b.status(t, "m")
		require.Equal(t, "bad_frame", fault)
		require.Contains(t, detail, "% of the last")
		require.Contains(t, detail, "came damaged")
	})
}

// TestSentinels: what the meter says of itself is in the reading and the status.
func TestSentinels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := builtin(t, "schneider-iem3000")
		say := func(a asked) ([]uint16, error) {
			words := make([]uint16, a.count)
			for i := range words {
				if at := a.from + i; at == 0x0BF1 { // L3 is not wired
					words[i] = 0x7FC0
				} else if at == 0x0C25 { // 5 Hz
					words[i] = 0x40A0
				}
			}
			return words, nil
		}
		b := newBench(t, overTCP, say, Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Minute})
		b.run(t, time.Second)
		r := b.of("m/active_power_l3")[0]
		require.Equal(t, metering.Quality{Level: metering.Missing, Reason: metering.NotAvailable}, r.Quality)
		require.Equal(t, metering.KW, r.Unit)
		fault, detail := b.status(t, "m")
		require.Equal(t, "out_of_bounds", fault)
		require.Equal(t, "frequency: suspect:out_of_bounds (5 Hz)", detail)
	})
}

func TestLoadRatio(t *testing.T) {
	var l load
	at := time.Unix(1e9, 0)
	require.Zero(t, l.ratio(at, 0))
	require.InDelta(t, 0.5, l.ratio(at.Add(10*time.Second), 5*time.Second), 1e-9)
	l.ratio(at.Add(61*time.Second), 31*time.Second)
	l.ratio(at.Add(122*time.Second), 31*time.Second) // nothing for a minute
	l.ratio(at.Add(183*time.Second), 31*time.Second)
	require.Zero(t, l.ratio(at.Add(200*time.Second), 31*time.Second))
}
