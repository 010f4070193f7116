package batch

import (
	"bytes"
	"testing"

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
		b, err := encodePack(packReadings.Draw(t, "readings"))
		require.NoError(t, err)
		got, ok := scanPack(b)
		require.True(t, ok)
		want, err := decodeAnyPack(b)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// Whatever is read directly is what the general decoder reads.
func FuzzScanPack(f *testing.F) {
	for _, r := range [][]metering.Reading{
		nil,
		{{Series: "m/heat_energy", Unit: metering.KWh, At: 1767225600123, Number: metering.MustDecimal("-12.5")},
			{Series: "m/heat_power", Unit: metering.KW, At: 1767225600123, Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}},
			{Series: "n/heat_power", Unit: metering.KW, At: 1767225601000, Number: metering.Int(1 << 60), Quality: metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}}},
	} {
		b, err := encodePack(r)
		require.NoError(f, err)
		f.Add(b)
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
	pack, err := encodePack(readings)
	require.NoError(b, err)
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
