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

// shows answers as a device whose numbers are as given; each question first
// changes them.
func shows(t testing.TB, p *profile.Profile, change func(n int) map[metering.Quantity]string) func(asked) ([]uint16, error) {
	n := 0
	return func(a asked) ([]uint16, error) {
		image := profile.Image{}
		numbers := change(n)
		n++
		for i := range p.Fields {
			if x, ok := numbers[p.Fields[i].Quantity]; ok {
				require.NoError(t, p.Fields[i].Encode(metering.MustDecimal(x), image))
			}
		}
		words := make([]uint16, a.count)
		for i := range words {
			words[i], _ = image.Word(a.table, uint16(a.from+i))
		}
		return words, nil
	}
}

type numbers = map[metering.Quantity]string

// heatProfile measures what a heat meter does, all in f32.
func heatProfile() *profile.Profile {
	text := "id: warm\nmaker: Nobody\nmodels: [None]\nkind: heat\ntrust: repository\n" +
		"sources: [{title: none, kind: repository, version: none, at: none, read: none}]\ndefaults: {table: holding}\nquantities:\n" +
		"  - {quantity: heat_energy, register: 0, type: f32, unit: kWh}\n" +
		"  - {quantity: volume_flow, register: 2, type: f32, unit: m3/h}\n" +
		"  - {quantity: flow_temperature, register: 4, type: f32, unit: Cel}\n" +
		"  - {quantity: return_temperature, register: 6, type: f32, unit: Cel}\n" +
		"  - {quantity: meter_clock, register: 8, type: u32, unit: s}\n" +
		"  - {quantity: serial_number, register: 10, type: u32, unit: count}\n" +
		"vectors:\n  - {from: computed, registers: [{at: 8, words: [0, 7]}], gives: [{quantity: meter_clock, number: \"7\", unit: s}]}\n"
	p, err := profile.Parse("warm.yaml", []byte(text))
	if err != nil {
		panic(err)
	}
	return p
}

// clock is what a meter whose clock is right shows in a bubble.
func clock(off time.Duration) string { return fmt.Sprint(time.Now().Add(off).Unix()) }

// TestDiagnoses: each fault that is seen on sites has its name in status and log.
func TestDiagnoses(t *testing.T) {
	iem := builtin(t, "schneider-iem3000")
	electric := func(n int, power, l1 string) numbers {
		return numbers{metering.VoltageL1: fmt.Sprint(230 + n%3), metering.VoltageL2: "230", metering.VoltageL3: "231", metering.Frequency: "50",
			metering.CurrentL1: "9", metering.ActivePower: power, metering.ActivePowerL1: l1, metering.ActivePowerL2: "3", metering.ActivePowerL3: "3",
			metering.ActiveEnergyImport: fmt.Sprint(5000 + n), metering.ActiveEnergyExport: "0"}
	}
	warm := func(n int, flow, ret, at, serial string) numbers {
		return numbers{metering.HeatEnergy: fmt.Sprint(1000 + n), metering.VolumeFlow: "5", metering.FlowTemperature: flow, metering.ReturnTemperature: ret,
			metering.MeterClock: at, metering.SerialNumber: serial}
	}
	for _, c := range []struct {
		name    string
		profile *profile.Profile
		change  func(n int) numbers
		fault   metering.Reason
		words   string
	}{
		{"an electricity meter that is well", iem, func(n int) numbers { return electric(n, "9", "3") }, "", ""},
		{"one transformer turned", iem, func(n int) numbers { return electric(n, "3", "-3") }, metering.TransformersSwap, "active_power_l1 -3 kW: negative beside positive phases"},
		{"all transformers turned", iem, func(n int) numbers {
			x := electric(n, "-9", "-3")
			x[metering.ActivePowerL2], x[metering.ActivePowerL3] = "-3", "-3"
			return x
		}, metering.TransformersSwap, "although energy was only taken"},
		{"a heat meter that is well", heatProfile(), func(n int) numbers { return warm(n, "80", "60", clock(0), "17") }, "", ""},
		{"flow and return exchanged", heatProfile(), func(n int) numbers { return warm(n, "60", "80", clock(0), "17") }, metering.SensorsSwap, "return warmer than flow"},
		{"for a moment only", heatProfile(), func(n int) numbers {
			if n < 3 {
				return warm(n, "60", "80", clock(0), "17")
			}
			return warm(n, "80", "60", clock(0), "17")
		}, "", ""},
		{"clock off", heatProfile(), func(n int) numbers { return warm(n, "80", "60", clock(time.Hour), "17") }, metering.ClockOff, "the meter's clock is off by 1h0m0s"},
		{"exchanged by its number", heatProfile(), func(n int) numbers {
			return warm(n, "80", "60", clock(0), map[bool]string{true: "18", false: "17"}[n > 3])
		}, metering.Exchanged, "serial number 17 became 18"},
		{"exchanged by its counters", iem, func(n int) numbers {
			x := electric(n, "9", "3")
			x[metering.ReactiveEnergyImport] = "800"
			if n > 8 {
				x[metering.ActiveEnergyImport], x[metering.ReactiveEnergyImport] = "0.5", "0.1"
			}
			return x
		}, metering.Exchanged, "2 counters went back"},
		{"a counter went back once", iem, func(n int) numbers {
			x := electric(n, "9", "3")
			if n > 8 {
				x[metering.ActiveEnergyImport] = fmt.Sprint(100 + n)
			}
			return x
		}, metering.Reset, "active_energy_import went back to"},
		{"two serial numbers in turn", heatProfile(), func(n int) numbers {
			return warm(n, "80", "60", clock(0), fmt.Sprint(17+n%2))
		}, metering.DuplicateUnit, "in turn: two devices answer"},
		{"two devices answer in turn", iem, func(n int) numbers {
			x := electric(n, "9", "3")
			x[metering.ActiveEnergyImport] = fmt.Sprint(5000 - 3000*(n/4%2) + n)
			return x
		}, metering.DuplicateUnit, "two devices answer in turn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, overTCP, shows(t, c.profile, c.change), Meter{ID: "m", Unit: 1, Profile: c.profile, Interval: 10 * time.Second})
				b.run(t, 2*time.Minute)
				fault, detail := b.status(t, "m")
				require.Equal(t, string(c.fault), fault, detail)
				require.Contains(t, detail, c.words)
				if c.fault == "" {
					require.NotContains(t, b.logs.String(), "fault=")
				} else {
					require.Contains(t, b.logs.String(), "msg=fault bus=bus meter=m unit=1 fault="+fault)
				}
			})
		})
	}
}

// TestWordOrder: numbers that only another order makes plausible name that order.
func TestWordOrder(t *testing.T) {
	iem := builtin(t, "schneider-iem3000")
	right := shows(t, iem, func(n int) numbers {
		return numbers{metering.VoltageL1: "230.5", metering.VoltageL2: "231.5", metering.VoltageL3: "229", metering.Frequency: "50.02", metering.ActivePower: "9.5",
			metering.ActiveEnergyImport: fmt.Sprint(n)}
	})
	bubble(t, func(t *testing.T) {
		b := newBench(t, overTCP, func(a asked) ([]uint16, error) {
			words, err := right(a)
			if a.from%2 == 1 { // all of this meter's floats begin at odd registers
				for i := 0; i+1 < len(words); i += 2 {
					words[i], words[i+1] = words[i+1], words[i]
				}
			}
			return words, err
		}, Meter{ID: "m", Unit: 1, Profile: iem, Interval: 10 * time.Second})
		b.run(t, 15*time.Second)
		fault, detail := b.status(t, "m")
		require.Equal(t, "word_order", fault, detail)
		require.Contains(t, detail, "in the order CDAB")
		check := b.ReadOnce(t.Context())[0]
		require.Equal(t, metering.WordOrder, check.Fault)
		require.Equal(t, detail, check.Detail)
	})
}

// TestLineFaults: what comes in place of answers.
func TestLineFaults(t *testing.T) {
	e := modbus.Endpoint{Type: modbus.RTU, Device: "/dev/x", Baud: 19200, Parity: "even", StopBits: 1, Timeout: time.Second}
	for _, c := range []struct {
		name string
		err  error
		both bool // the other unit suffers too
		want metering.Reason
		says string
	}{
		{"nothing", modbus.ErrTimeout, false, metering.NoAnswer, "no answer"},
		{"another unit", fmt.Errorf("an answer of unit 9: %w", modbus.ErrWrongUnit), false, metering.WrongUnit, "asked at unit 1, another unit answers"},
		{"damage at one unit", fmt.Errorf("wrong checksum: %w", modbus.ErrBadFrame), false, metering.DuplicateUnit, "two devices at unit 1?"},
		{"two answers", fmt.Errorf("unit 1: %w", modbus.ErrTwoAnswers), false, metering.DuplicateUnit, "answered twice"},
		{"two answers everywhere", fmt.Errorf("unit 1: %w", modbus.ErrTwoAnswers), true, metering.DuplicateUnit, "answered twice"},
		{"good beginnings everywhere", fmt.Errorf("wrong checksum: %w", modbus.ErrDamaged), true, metering.BadFrame, "wrong checksum"},
		{"damage everywhere", fmt.Errorf("wrong checksum: %w", modbus.ErrBadFrame), true, metering.BadFrame, "wrong checksum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := simple(2, 2)
				b := newBench(t, e, func(a asked) ([]uint16, error) {
					time.Sleep(20 * time.Millisecond)
					if a.unit == 1 || c.both {
						return nil, c.err
					}
					return ramp(a)
				}, Meter{ID: "m", Unit: 1, Profile: p, Interval: time.Second}, Meter{ID: "other", Unit: 2, Profile: p, Interval: time.Second})
				b.run(t, 20*time.Minute)
				fault, detail := b.status(t, "m")
				require.Equal(t, string(c.want), fault, detail)
				require.Contains(t, detail, c.says)
			})
		})
	}
}

// TestAloneOnItsLine: of one device only what is damaged can tell whether there are two.
func TestAloneOnItsLine(t *testing.T) {
	e := modbus.Endpoint{Type: modbus.RTU, Device: "/dev/x", Baud: 19200, Parity: "even", StopBits: 1, Timeout: time.Second}
	begun, broken := fmt.Errorf("wrong checksum: %w", modbus.ErrDamaged), fmt.Errorf("no frame: %w", modbus.ErrBadFrame)
	for _, c := range []struct {
		name       string
		quantities int
		err        func(n int) error
		want       metering.Reason
		says       string
	}{
		{"every answer damaged behind its beginning", 2, func(int) error { return begun }, metering.DuplicateUnit, "begin as they should"},
		{"nine of ten", 8, func(n int) error {
			if n%10 == 0 {
				return nil
			}
			return begun
		}, metering.DuplicateUnit, "two devices at unit 1 answer at once?"},
		{"wrong baud rate", 2, func(int) error { return broken }, metering.BadFrame, "no frame"},
		{"answers that stop too early", 2, func(int) error { return fmt.Errorf("only 9 bytes: %w", modbus.ErrBadFrame) }, metering.BadFrame, "only 9 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				b := newBench(t, e, func(a asked) ([]uint16, error) {
					time.Sleep(20 * time.Millisecond)
					n++
					if err := c.err(n); err != nil {
						return nil, err
					}
					return ramp(a)
				}, Meter{ID: "m", Unit: 1, Profile: simple(c.quantities, 2), Interval: time.Second})
				b.run(t, 40*time.Second) // a device that is heard is not left alone like a dead one
				fault, detail := b.status(t, "m")
				require.Equal(t, string(c.want), fault, detail)
				require.Contains(t, detail, c.says)
			})
		})
	}
}

// TestTuning: a meter is waited for by what it takes, and has the bus's whole time
// again as soon as that was not enough.
func TestTuning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		takes := 60 * time.Millisecond
		late := 0
		var b *bench
		b = newBench(t, overTCP, func(a asked) ([]uint16, error) {
			if most := b.line.Timeout(1); takes > most {
				late++
				time.Sleep(most)
				return nil, modbus.ErrTimeout
			}
			time.Sleep(takes)
			return ramp(a)
		}, Meter{ID: "m", Unit: 1, Profile: simple(1, 2), Interval: time.Second})
		b.run(t, 10*time.Second)
		require.Equal(t, time.Second, b.line.Timeout(1), "not known yet")
		b.run(t, 20*time.Second)
		require.Equal(t, tuneFloorN, b.line.Timeout(1))
		_, meters := b.Status()
		require.Equal(t, int64(60), meters[0].LatencyMillis)
		require.Equal(t, int64(250), meters[0].TimeoutMillis)

		takes = 180 * time.Millisecond
		b.run(t, 20*time.Second)
		require.Equal(t, 4*takes, b.line.Timeout(1))
		takes = 900 * time.Millisecond
		before := len(b.readings)
		b.run(t, 30*time.Second)
		require.Equal(t, time.Second, b.line.Timeout(1), "never more than the bus's own")
		require.Equal(t, 1, late, "one question is lost")
		for _, r := range b.readings[before:] {
			require.Equal(t, metering.Good, r.Quality.Level, "no reading is")
		}
	})
}
