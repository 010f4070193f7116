package batch

import (
	"bytes"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

// packReadings are readings of every kind that a gateway sends.
var packReadings = rapid.Custom(func(t *rapid.T) []metering.Reading {
	out := make([]metering.Reading, rapid.IntRange(0, 40).Draw(t, "n"))
	at := int64(1767225600000)
	for i := range out {
		q := rapid.SampledFrom([]metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.FlowTemperature}).Draw(t, "quantity")
		info, _ := q.Info()
		at += rapid.SampledFrom([]int64{0, 0, 1, 999, 1000, 60_000, -5}).Draw(t, "step")
		out[i] = metering.Reading{Series: metering.Series(rapid.SampledFrom([]string{"a", "four-heat", "b.2_c"}).Draw(t, "meter"), q), Unit: info.Units[0], At: at}
		switch rapid.IntRange(0, 5).Draw(t, "level") {
		case 0:
			out[i].Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			continue
		case 1:
			out[i].Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
		}
		out[i].Number = metering.Decimal{Coef: rapid.Int64().Draw(t, "coefficient"), Exp: rapid.Int8Range(-12, 12).Draw(t, "exponent")}.Normal()
	}
	return out
})

// Every pack that a gateway writes is read directly, and as the general decoder
// reads it.
func TestPacksAreScanned(t *testing.T) {
	known := new(names) // one for all, as in a reader
	rapid.Check(t, func(t *rapid.T) {
		b := AppendPack(nil, packReadings.Draw(t, "readings"))
		requireScanned(t, known, b)
	})
}

// A pack is written as the general encoder writes it.
func TestPacksAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := packReadings.Draw(t, "readings")
		want, err := encMode.Marshal(records(readings))
		require.NoError(t, err)
		require.Equal(t, want, AppendPack(nil, readings))
	})
}

// records are readings for the general encoder.
func records(readings []metering.Reading) []record {
	pack := make([]record, len(readings))
	var meter string
	var at int64 = math.MinInt64
	for i, r := range readings {
		rec := &pack[i]
		if m := r.Series.Meter(); m != meter {
			meter, rec.BaseName = m, m+"/"
		}
		if r.At != at {
			at, rec.BaseTime = r.At, cbor.RawMessage(appendNumber(nil, metering.Decimal{Coef: r.At, Exp: -3}))
			if r.At%1000 == 0 {
				rec.BaseTime = r.At / 1000
			}
		}
		rec.Name, rec.Unit = string(r.Series.Quantity()), string(r.Unit)
		if r.Quality.Level == metering.Missing {
			rec.Text = r.Quality.String()
			continue
		}
		rec.Value = appendNumber(nil, r.Number)
		if r.Quality.Level != metering.Good {
			rec.Quality = r.Quality.String()
		}
	}
	return pack
}

// requireScanned reads a pack directly and as the general decoder does.
func requireScanned(t require.TestingT, known *names, b []byte) {
	begin := []metering.Reading{{Series: "before/heat_energy"}}
	got, all, ok := known.scanPack(bytes.Clone(b), begin, true)
	require.True(t, ok)
	want, err := ReadPack(b)
	require.NoError(t, err)
	require.Equal(t, begin[0], got[0])
	require.Equal(t, append([]metering.Reading{}, want...), append([]metering.Reading{}, got[1:]...))
	again, same, ok := known.scanPack(b, nil, false)
	require.True(t, ok)
	require.Empty(t, again)
	require.Equal(t, all, same)
	expect := scanned{readings: len(want), sound: true}
	for _, r := range want {
		expect.sound = expect.sound && r.Check() == nil
		expect.newest = max(expect.newest, r.At)
	}
	require.Equal(t, expect, all)
}

// Whatever is read directly is what the general decoder reads.
func FuzzScanPack(f *testing.F) {
	for _, r := range [][]metering.Reading{
		nil,
		{{Series: "m/heat_energy", Unit: metering.KWh, At: 1767225600123, Number: metering.MustDecimal("-12.5")},
			{Series: "m/heat_power", Unit: metering.KW, At: 1767225600123, Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}},
			{Series: "n/heat_power", Unit: metering.KW, At: 1767225601000, Number: metering.Int(1 << 60), Quality: metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}}},
	} {
		f.Add(AppendPack(nil, r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		known := new(names)
		if _, _, ok := known.scanPack(b, nil, false); ok {
			requireScanned(t, new(names), b)
			requireScanned(t, known, b)
		}
	})
}

func BenchmarkDecodePack(b *testing.B) {
	var readings []metering.Reading
	for i := range 720 {
		q := []metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.Volume, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature}[i%6]
		info, _ := q.Info()
		readings = append(readings, metering.Reading{Series: metering.Series("four-heat", q), Unit: info.Units[0], At: 1767225600000 + int64(i)*17, Number: metering.Decimal{Coef: 250_000 + int64(i*i%977), Exp: -3}})
	}
	pack := AppendPack(nil, readings)
	known := new(names)
	var out []metering.Reading
	for name, keep := range map[string]bool{"scan": true, "look": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var ok bool
				if out, _, ok = known.scanPack(pack, out[:0], keep); !ok {
					b.Fatal("not scanned")
				}
			}
		})
	}
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			if _, err := ReadPack(pack); err != nil {
				b.Fatal(err)
			}
		}
	})
}
