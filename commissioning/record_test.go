package commissioning

import (
	"bytes"
	"crypto/ed25519"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

var update = flag.Bool("update", false, "write the golden files")

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func testRecord(language string) Record {
	at := time.Date(2026, 11, 28, 10, 15, 0, 0, time.UTC)
	return Record{Gateway: "gw-1", Territory: "port", Origin: "synthetic", Config: strings.Repeat("ab", 32), Version: "1.0", Language: language,
		Started: at, Signed: at.Add(time.Hour), Installer: "Zoé Lefèvre", Company: "Mesures & Cie", Remarks: "signature: none\nToiture à refaire.",
		Buses: []Bus{{ID: "rtu-1", Endpoint: "/dev/ttyUSB0", Load: 0.123}},
		Meters: []Meter{
			{ID: "heat", Bus: "rtu-1", Unit: 3, Profile: "p", Maker: "M", Trust: "document", Latency: 42 * time.Millisecond, Accepted: true,
				Readings:   []Reading{{Quantity: metering.HeatEnergy, Number: "1234.5", Unit: metering.KWh, At: at, OK: true}},
				Comparison: &Comparison{Quantity: metering.HeatEnergy, Display: "1,234 MWh", Read: "1234.5", Unit: metering.KWh, At: at, Agrees: true}},
			{ID: "dead", Bus: "rtu-1", Unit: 4, Profile: "p", Maker: "M", Trust: "document", Error: "no answer in time (1s)", Remark: "débranché"},
		}}
}

func TestRecord(t *testing.T) {
	sealed, err := Seal(testRecord("fr"), testKey)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("testdata/record.yaml", sealed, 0o644))
	}
	golden, err := os.ReadFile("testdata/record.yaml")
	require.NoError(t, err)
	require.Equal(t, string(golden), string(sealed))
	r, err := Open(sealed)
	require.NoError(t, err)
	want := testRecord("fr")
	want.Format, want.Key = Format, r.Key
	require.Equal(t, want, r)

	for at := range sealed {
		changed := bytes.Clone(sealed)
		changed[at] ^= 1
		if _, err := Open(changed); err == nil {
			// What ends the file is not part of what is said.
			require.Equal(t, len(sealed)-1, at, "a changed byte %d passes", at)
		}
	}
	for text, want := range map[string]string{
		"":                                     "no signature",
		"format: x\nsignature: AA\n":           `format "x"`,
		"formatt: x\nsignature: AA\n":          "not found in type",
		strings.Repeat("x", MaxBytes+1):        "at most",
		"format: " + Format + "\nsignature: A": "no Ed25519 public key",
	} {
		_, err := Open([]byte(text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
}

// FuzzOpen: whatever the bytes, there is a record or one line.
func FuzzOpen(f *testing.F) {
	sealed, err := Seal(testRecord("fr"), testKey)
	require.NoError(f, err)
	f.Add(sealed)
	f.Add([]byte("a: &a [*a]\nsignature: AA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Open(b); err != nil {
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
