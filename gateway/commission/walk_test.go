package commission

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// module serves a pulse module at unit 7.
func module(t *testing.T) string {
	l, err := profile.Builtin()
	require.NoError(t, err)
	p, err := l.Get("saia-pcd7-h104d")
	require.NoError(t, err)
	image := profile.Image{}
	for _, q := range p.Fingerprint {
		require.NoError(t, q.Put(image))
	}
	for _, i := range p.Identity {
		if i.What == "model" {
			require.NoError(t, i.Put("PCD7H104SE", image))
		}
	}
	count, ok := p.Field(metering.PulseCount, 1)
	require.True(t, ok)
	require.NoError(t, count.Encode(metering.Int(12346), image))
	s, err := slave.ListenTCP("127.0.0.1:0", func(r slave.Request) ([]uint16, slave.Exception) {
		if r.Unit != 7 {
			return nil, slave.TargetSilent
		}
		words := make([]uint16, r.Count)
		for i := range words {
			words[i], _ = image.Word(profile.Holding, r.Address+uint16(i))
		}
		return words, 0
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s.Addr()
}

const site = `gateway: gw-1
territory: port
data: data
broker: {url: "tcp://127.0.0.1:1883"}
ingest_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
`

func walkThrough(t *testing.T, config, language string, answers ...string) (commissioning.Record, string, string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	var out bytes.Buffer
	now := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	paths, err := Walk(context.Background(), Options{Config: path, Out: dir, Language: language, Version: "test", In: strings.NewReader(strings.Join(answers, "\n") + "\n"),
		Terminal: &out, Now: func() time.Time { return now }, Dev: dir, Synchronised: func() bool { return true }})
	if err != nil {
		return commissioning.Record{}, out.String(), path, err
	}
	text, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	r, err := commissioning.Open(text)
	require.NoError(t, err)
	return r, out.String(), path, nil
}

// A module is found, its channel named, its counter compared with the display:
// wrong at first, then right.
func TestWalk(t *testing.T) {
	address := module(t)
	r, said, path, err := walkThrough(t, site, "fr",
		"nowhere", "tcp:"+address, // buses
		"", "gaz atelier", "gaz-atelier", "10s", "gas", "gas_volume", "0,1", "0,1 m3", "", "", "", // profile, channels
		"",                                          // no more buses
		"abc", "123 kWh", "123 m3", "", "1234,6 m3", // display
		"n", "Sceau posé", "r", "", "",
		"Zoé", "", "rien", "o")
	require.NoError(t, err, said)
	require.Contains(t, said, "NON CONFORME : la passerelle lit 1234.6 m3.")
	require.Contains(t, said, "Conforme : 1234.6 m3 lu par la passerelle.")
	require.Contains(t, said, "PCD7H104SE")
	require.Contains(t, said, "Il faut un nombre et une unité")
	require.Len(t, r.Meters, 1)
	m := r.Meters[0]
	require.Equal(t, "gaz-atelier", m.ID)
	require.Equal(t, "Sceau posé", m.Remark)
	require.Contains(t, m.Identity["model"], "PCD7H104SE", "which device stood there")
	require.Contains(t, said, "modèle PCD7H104SE")
	require.True(t, m.Accepted)
	require.Equal(t, metering.GasVolume, m.Readings[0].Quantity)
	require.Equal(t, "Zoé", r.Installer)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "pulse:\n          quantity: gas_volume\n          weight: \"0.1\"\n          unit: m3")
}

func TestCompareWithTheDisplay(t *testing.T) {
	config := site + fmt.Sprintf("buses: [{id: b, type: tcp, address: %q, meters: [{id: gas, unit: 7, profile: saia-pcd7-h104d, channel: 1, pulse: {quantity: gas_volume, weight: \"0.1\", unit: m3}}, {id: gone, unit: 9, profile: saia-pcd7-h104d, channel: 1}]}]\n", module(t))
	sign := []string{"Zoé", "", "", "y"}
	r, said, _, err := walkThrough(t, config, "en", append([]string{"1234.6", "", "x"}, sign...)...)
	require.NoError(t, err)
	require.True(t, r.Meters[0].Comparison.Agrees, said)
	require.Contains(t, said, "Agrees: the gateway reads 1234.6 m3")
	require.True(t, r.Meters[0].Accepted)
	require.False(t, r.Meters[1].Accepted)
	require.Contains(t, r.Meters[1].Error, "does not respond")
	require.Contains(t, said, "2 meters, 1 of them accepted; 0 readings to be looked at; 0 differences with a display, 1 meters not compared.")

	r, said, _, err = walkThrough(t, config, "en", append([]string{"12.347", "k", "", ""}, sign...)...)
	require.NoError(t, err)
	require.False(t, r.Meters[0].Comparison.Agrees)
	require.Equal(t, "12.347", r.Meters[0].Comparison.Display)
	require.Contains(t, said, "Factor 100: unit, scale or transformer ratio?")

	for _, answers := range [][]string{nil, {"", "", "", "Zoé", "", "", "n"}} {
		_, _, path, err := walkThrough(t, config, "en", answers...)
		require.ErrorIs(t, err, ErrStopped)
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "commissioning-*"))
		require.NoError(t, err)
		require.Empty(t, files)
	}
}

// Whoever is interrupted at the second bus need not name the meters of the first
// again, and no comment is lost.
func TestInterruptedWalk(t *testing.T) {
	config := site + fmt.Sprintf("# the lines\nbuses:\n  - {id: one, type: tcp, address: %q} # by the door\n  - id: two # not named yet\n    type: tcp\n    address: %q\n", module(t), module(t))
	channels := []string{"gaz-atelier", "10s", "gas_volume", "0,1 m3", "", "", ""}
	_, said, path, err := walkThrough(t, config, "fr", append([]string{""}, channels...)...)
	require.ErrorIs(t, err, ErrStopped, said)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, want := range []string{"id: gaz-atelier", "# the lines", "# by the door", "# not named yet"} {
		require.Contains(t, string(text), want)
	}
	// The second run goes on at the second bus.
	other := slices.Clone(channels)
	other[0] = "gaz-hall"
	answers := append(append([]string{""}, other...), "", "", "", "", "Zoé", "", "", "o")
	r, said, _, err := walkThrough(t, string(text), "fr", answers...)
	require.NoError(t, err, said)
	require.Len(t, r.Meters, 2)
	require.Equal(t, []string{"gaz-atelier", "gaz-hall"}, []string{r.Meters[0].ID, r.Meters[1].ID})
}
