package profile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// meter is a profile of one quantity, written as in a file.
func meter(t *testing.T, quantity string) *Field {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimPrefix(quantity, "quantity: "), ",")
	text := fmt.Sprintf(`id: m
maker: M
models: [M]
kind: heat
trust: document
sources: [{title: a, kind: document, version: "1", at: b, read: c}]
quantities:
  - {%s}
vectors:
  - from: computed
    gives: [{quantity: %s, quality: "missing:no_answer"}]
`, quantity, name)
	p, err := Parse("m.yaml", []byte(text))
	require.NoError(t, err, quantity)
	return &p.Fields[0]
}

// Every way in which meters write a number.
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name     string
		quantity string
		words    []uint16 // from holding register 0 on
		want     string   // "number unit", or a quality
	}{
		// Types.
		{"u16", "quantity: mass, register: 0, type: u16, unit: kg", []uint16{0xffff}, "65535 kg"},
		{"i16", "quantity: active_power, register: 0, type: i16, unit: kW", []uint16{0x8000}, "-32768 kW"},
		{"s16, sign and magnitude", "quantity: active_power, register: 0, type: s16, unit: kW", []uint16{0x8001}, "-1 kW"},
		{"u32", "quantity: mass, register: 0, type: u32, unit: kg", []uint16{0xffff, 0xffff}, "4294967295 kg"},
		{"i32", "quantity: active_power, register: 0, type: i32, unit: kW", []uint16{0x8000, 0}, "-2147483648 kW"},
		{"s32", "quantity: active_power, register: 0, type: s32, unit: kW", []uint16{0x8000, 7}, "-7 kW"},
		{"u48", "quantity: mass, register: 0, type: u48, unit: kg", []uint16{0xffff, 0xffff, 0xffff}, "281474976710655 kg"},
		{"i48", "quantity: active_power, register: 0, type: i48, unit: kW", []uint16{0xffff, 0xffff, 0xfffe}, "-2 kW"},
		{"u64 beyond what a float64 holds", "quantity: active_energy_import, register: 0, type: u64, unit: Wh", []uint16{0x0020, 0, 0, 1}, "9007199254740.993 kWh"},
		{"u64, the greatest that fits", "quantity: mass, register: 0, type: u64, unit: kg", []uint16{0x7fff, 0xffff, 0xffff, 0xffff}, "9223372036854775807 kg"},
		{"u64, one too many", "quantity: mass, register: 0, type: u64, unit: kg", []uint16{0x8000, 0, 0, 0}, "missing:out_of_bounds"},
		{"i64", "quantity: active_power, register: 0, type: i64, unit: W", []uint16{0xffff, 0xffff, 0xffff, 0xfffe}, "-0.002 kW"},
		{"f32 by its shortest decimal", "quantity: active_power, register: 0, type: f32, unit: kW", []uint16{0x4229, 0x8000}, "42.375 kW"},
		{"f32, a third", "quantity: active_power, register: 0, type: f32, unit: kW", []uint16{0x3eaa, 0xaaab}, "0.33333334 kW"},
		{"f32 NaN", "quantity: active_power, register: 0, type: f32, unit: kW", []uint16{0x7fc0, 0}, "missing:not_available"},
		{"f32 infinity", "quantity: active_power, register: 0, type: f32, unit: kW", []uint16{0xff80, 0}, "missing:not_available"},
		{"f64", "quantity: active_energy_import, register: 0, type: f64, unit: Wh", []uint16{0x4330, 0, 0, 1}, "4503599627370.497 kWh"},
		{"bcd32", "quantity: mass, register: 0, type: bcd32, unit: kg", []uint16{0x1234, 0x5678}, "12345678 kg"},
		{"bcd with a digit that is none", "quantity: mass, register: 0, type: bcd16, unit: kg", []uint16{0x12a4}, "missing:not_available"},
		{"mod10k", "quantity: mass, register: 0, type: mod10k48, unit: kg", []uint16{1, 2345, 6789}, "123456789 kg"},
		{"mod10k with too large a digit", "quantity: mass, register: 0, type: mod10k32, unit: kg", []uint16{1, 10000}, "missing:not_available"},
		{"dec32u: mantissa and exponent", "quantity: mass, register: 0, type: dec32u, unit: kg", []uint16{0xfe00, 0x04d2}, "12.34 kg"},
		{"dec32i", "quantity: active_power, register: 0, type: dec32i, unit: kW", []uint16{0x01ff, 0xffff}, "-10 kW"},
		// Orders.
		{"CDAB", "quantity: mass, register: 0, type: u32, order: CDAB, unit: kg", []uint16{2, 1}, "65538 kg"},
		{"BADC", "quantity: mass, register: 0, type: u32, order: BADC, unit: kg", []uint16{0x0100, 0x0200}, "65538 kg"},
		{"DCBA", "quantity: mass, register: 0, type: u32, order: DCBA, unit: kg", []uint16{0x0200, 0x0100}, "65538 kg"},
		{"64 bits, low word first", "quantity: mass, register: 0, type: u64, order: CDAB, unit: kg", []uint16{4, 3, 2, 1}, "281483566841860 kg"},
		{"64 bits, bytes reversed", "quantity: volume, register: 0, type: f64, order: DCBA, unit: m3", []uint16{0xcdcc, 0xcccc, 0xccd7, 0xb140}, "4567.8 m3"},
		{"an order of its own", "quantity: mass, register: 0, type: u32, order: BCDA, unit: kg", []uint16{0x0203, 0x0401}, "16909060 kg"},
		// Bit fields.
		{"bits", "quantity: mass, register: 0, type: u16, bits: [4, 11], unit: kg", []uint16{0xfabf}, "171 kg"},
		// Scale, unit, offset, range.
		{"scale and unit", "quantity: heat_energy, register: 0, type: u32, scale: 0.1, unit: 10 kWh", []uint16{0, 1234}, "1234 kWh"},
		{"joules stay joules", "quantity: heat_energy, register: 0, type: u32, unit: GJ", []uint16{0, 3}, "3000000000 J"},
		{"a unit without a finite factor", "quantity: heat_power, register: 0, type: u16, unit: MJ/h", []uint16{100}, "27.777777778 kW"},
		{"kelvins as a temperature", "quantity: temperature, register: 0, type: u16, scale: 0.01, unit: K", []uint16{29315}, "20 Cel"},
		{"offset", "quantity: temperature, register: 0, type: u16, offset: -50, unit: Cel", []uint16{71}, "21 Cel"},
		{"range of 4 to 20 mA", "quantity: pressure, register: 0, type: u16, unit: bar, range: {low: 4000, high: 20000, from: 0, to: 16}", []uint16{12000}, "800000 Pa"},
		// Companions.
		{"SunSpec scale factor", "quantity: active_power, register: 0, type: i16, unit: W, exponent: {register: 1, type: i16}", []uint16{0xfff6, 0xfffe}, "-0.0001 kW"},
		{"SunSpec scale that does not exist", "quantity: active_power, register: 0, type: i16, unit: W, exponent: {register: 1, type: i16}", []uint16{1, 0x8000}, "missing:not_available"},
		{"unit code", "quantity: heat_energy, register: 0, type: u32, unit_code: {register: 2, type: u16, units: {0: kWh, 5: GJ}}", []uint16{0, 7, 5}, "7000000000 J"},
		{"unit code of no meaning", "quantity: heat_energy, register: 0, type: u32, unit_code: {register: 2, type: u16, units: {0: kWh}}", []uint16{0, 7, 9}, "missing:out_of_bounds"},
		{"factor by a table", "quantity: mass, register: 0, type: u16, unit: kg, factors: [{register: 1, type: u16, factors: {2: 0.01}, default: 2}]", []uint16{1234, 2}, "12.34 kg"},
		{"factor as it is", "quantity: mass, register: 0, type: u16, unit: kg, factors: [{register: 1, type: f32}]", []uint16{10, 0x3f00, 0}, "5 kg"},
		{"overflow counter", "quantity: mass, register: 0, type: u16, unit: kg, terms: [{register: 1, type: u16, scale: 65536}]", []uint16{5, 2}, "131077 kg"},
		{"fraction", "quantity: volume, register: 0, type: u32, unit: m3, terms: [{register: 2, type: u16, scale: 0.001}]", []uint16{0, 12, 345}, "12.345 m3"},
		{"the other direction", "quantity: active_power, register: 0, type: u16, unit: kW, terms: [{register: 1, type: u16, scale: -1}]", []uint16{0, 7}, "-7 kW"},
		// Sentinels and bounds.
		{"sentinel", "quantity: temperature, register: 0, type: i16, scale: 0.1, unit: Cel, sentinels: [{raw: 0x7FFF, means: sensor_break}]", []uint16{0x7fff}, "missing:sensor_break"},
		{"sentinel as a number", "quantity: heat_energy, register: 0, type: f32, unit: kWh, sentinels: [{value: 999999, means: alarm}]", []uint16{0x4974, 0x23f0}, "missing:not_available"},
		{"outside its bounds", "quantity: voltage_l1, register: 0, type: u16, unit: V, min: 0, max: 1000", []uint16{1001}, "1001 V suspect:out_of_bounds"},
		{"a word that was not read", "quantity: mass, register: 0, type: u32, unit: kg", []uint16{1}, "missing:no_answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := meter(t, c.quantity)
			image := Image{}
			image.Put(Holding, 0, c.words...)
			n, u, q := f.Decode(image)
			got := fmt.Sprint(n, " ", u)
			if q.Level == metering.Missing {
				got = q.String()
			} else if q != (metering.Quality{}) {
				got += " " + q.String()
			}
			require.Equal(t, c.want, got)
			if q.Level == metering.Missing {
				return
			}
			// And back: what was encoded decodes to the same number.
			w := Image{}
			for s := range f.companions {
				if !f.isTerm(s) {
					for i := range s.Words() {
						at := Cell{s.Table, s.Address + uint16(i)}
						w[at] = image[at]
					}
				}
			}
			require.NoError(t, f.Encode(n, w))
			again, u2, _ := f.Decode(w)
			require.Equal(t, n.String()+string(u), again.String()+string(u2))
		})
	}
}

// What cannot be written is refused, not bent.
func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct{ quantity, number string }{
		{"quantity: mass, register: 0, type: u16, unit: kg", "65536"},
		{"quantity: mass, register: 0, type: u16, unit: kg", "-1"},
		{"quantity: active_power, register: 0, type: i16, unit: kW", "-32769"},
		{"quantity: mass, register: 0, type: bcd16, unit: kg", "10000"},
		{"quantity: mass, register: 0, type: u16, bits: [0, 3], unit: kg", "16"},
		{"quantity: active_power, register: 0, type: f32, unit: kW", "1e60"},
		{"quantity: mass, register: 0, type: dec32u, unit: kg", "-5"},
	} {
		require.ErrorIs(t, meter(t, c.quantity).Encode(metering.MustDecimal(c.number), Image{}), metering.ErrRange, "%+v", c)
	}
}

func TestModulus(t *testing.T) {
	f := meter(t, "quantity: heat_energy, register: 0, type: u32, rollover: 100000000, unit_code: {register: 2, type: u16, units: {0: 10 kWh}}")
	image := Image{}
	image.Put(Holding, 0, 0, 0, 0)
	n, ok := f.Modulus(image)
	require.True(t, ok)
	require.Equal(t, "1000000000", n.String())
	_, ok = meter(t, "quantity: mass, register: 0, type: u32, unit: kg").Modulus(image)
	require.False(t, ok)
}
