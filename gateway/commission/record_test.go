package commission

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/metering"
)

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func testRecord(language string) commissioning.Record {
	at := time.Date(2026, 11, 28, 10, 15, 0, 0, time.UTC)
	return commissioning.Record{Gateway: "gw-1", Territory: "port", Origin: "synthetic", Config: strings.Repeat("ab", 32), Version: "1.0", Language: language,
		Started: at, Signed: at.Add(time.Hour), Installer: "Zoé Lefèvre", Company: "Mesures & Cie", Remarks: "signature: none\nToiture à refaire.",
		Buses: []commissioning.Bus{{ID: "rtu-1", Endpoint: "/dev/ttyUSB0", Load: 0.123}},
		Meters: []commissioning.Meter{
			{ID: "heat", Bus: "rtu-1", Unit: 3, Profile: "p", Maker: "M", Trust: "document", Latency: 42 * time.Millisecond, Accepted: true,
				Readings:   []commissioning.Reading{{Quantity: metering.HeatEnergy, Number: "1234.5", Unit: metering.KWh, At: at, OK: true}},
				Comparison: &commissioning.Comparison{Quantity: metering.HeatEnergy, Display: "1,234 MWh", Read: "1234.5", Unit: metering.KWh, At: at, Agrees: true}},
			{ID: "dead", Bus: "rtu-1", Unit: 4, Profile: "p", Maker: "M", Trust: "document", Error: "no answer in time (1s)", Remark: "débranché"},
		}}
}

// The PDF is the same bytes each time, in each language.
func TestPDF(t *testing.T) {
	for _, language := range Languages {
		sealed, err := commissioning.Seal(testRecord(language), testKey)
		require.NoError(t, err)
		first, err := PDF(sealed)
		require.NoError(t, err)
		second, err := PDF(sealed)
		require.NoError(t, err)
		require.Equal(t, first, second)
		require.True(t, bytes.HasPrefix(first, []byte("%PDF-1.")))
	}
	sealed, err := commissioning.Seal(testRecord("de"), testKey)
	require.NoError(t, err)
	_, err = PDF(sealed)
	require.ErrorContains(t, err, `language "de"`)
}

// Each language has the same words.
func TestWords(t *testing.T) {
	for key, fr := range words["fr"] {
		en, there := words["en"][key]
		if key == "nothing counted yet" {
			continue // the judgement is English
		}
		require.True(t, there, key)
		require.Equal(t, strings.Count(fr, "%"), strings.Count(en, "%"), key)
	}
	for key := range words["en"] {
		require.Contains(t, words["fr"], key)
	}
}

func TestDisplay(t *testing.T) {
	for _, c := range []struct {
		text           string
		unit           metering.Unit
		number, digits float64
		err            string
	}{
		{"12345", metering.KWh, 12345, 1, ""},
		{"12 345,6", metering.KWh, 12345.6, 0.1, ""},
		{"12'345.67 kWh", metering.KWh, 12345.67, 0.01, ""},
		{"1,234 MWh", metering.KWh, 1234, 1, ""},
		{"3.6GJ", metering.KWh, 1000, 100 / 3.6, ""},
		{"1 GJ", metering.Joule, 1e9, 1e9, ""},
		{"152.061 m3", metering.CubicM, 152.061, 0.001, ""},
		{"152061 l", metering.CubicM, 152.061, 0.001, ""},
		{"17 count", metering.Count, 17, 1, ""},
		{"12 m3", metering.KWh, 0, 0, `unit "m3" is not one of a series in kWh`},
		{"twelve", metering.KWh, 0, 0, `"twelve"`},
		{"", metering.KWh, 0, 0, `""`},
	} {
		d, err := parseDisplay(c.text, c.unit)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err, c.text)
		require.InDelta(t, c.number, d.number, 1e-9*c.number, c.text)
		require.InDelta(t, c.digits, d.resolution, 1e-9*c.digits, c.text)
	}
	d := display{1234, 1}
	require.True(t, d.agrees(1233.2, 1233.4), "the last digit of a display is cut or rounded")
	require.True(t, d.agrees(1200, 1250), "it was read in between")
	require.False(t, d.agrees(1236, 1240))
	require.Equal(t, 10.0, d.ratio(12340.5))
	require.Equal(t, 0.001, d.ratio(1.2341))
	require.Zero(t, d.ratio(1500))
}

// FuzzDisplay: whatever somebody types.
func FuzzDisplay(f *testing.F) {
	f.Add("12 345,6 MWh")
	f.Add("m3")
	f.Add("1e999 GJ")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseDisplay(text, metering.KWh)
		_, _ = parseDisplay(text, metering.CubicM)
	})
}
