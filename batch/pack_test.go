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
	rapid.Check(t, func(t *rapid.T) {
		b := appendPack(nil, packReadings.Draw(t, "readings"))
		got, ok := scanPack(b)
		require.True(t, ok)
		want, err := decodeAnyPack(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// A pack is written as the general encoder writes it.
func TestPacksAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := packReadings.Draw(t, "readings")
		want, err := encMode.Marshal(records(readings))
		require.NoError(t, err)
		require.Equal(t, want, appendPack(nil, readings))
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

// Whatever is read directly is what the general decoder reads.
func FuzzScanPack(f *testing.F) {
	for _, r := range [][]metering.Reading{
		nil,
		{{Series: "m/heat_energy", Unit: metering.KWh, At: 1767225600123, Number: metering.MustDecimal("-12.5")},
			{Series: "m/heat_power", Unit: metering.KW, At: 1767225600123, Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}},
			{Series: "n/heat_power", Unit: metering.KW, At: 1767225601000, Number: metering.Int(1 << 60), Quality: metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}}},
	} {
		f.Add(appendPack(nil, r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := scanPack(bytes.Clone(b))
		if !ok {
			return
		}
		want, err := decodeAnyPack(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func BenchmarkDecodePack(b *testing.B) {
	var readings []metering.Reading
	for i := range 720 {
		q := []metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.Volume, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature}[i%6]
		info, _ := q.Info()
		readings = append(readings, metering.Reading{Series: metering.Series("four-heat", q), Unit: info.Units[0], At: 1767225600000 + int64(i)*17, Number: metering.Decimal{Coef: 250_000 + int64(i*i%977), Exp: -3}})
	}
	pack := appendPack(nil, readings)
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			if _, ok := scanPack(pack); !ok {
				b.Fatal("not scanned")
			}
		}
	})
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeAnyPack(pack); err != nil {
				b.Fatal(err)
			}
		}
	})
}
