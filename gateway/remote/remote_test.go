package remote

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
)

var (
	serverKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	otherKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
)

func yamlOf(interval string) string {
	key := base64.StdEncoding.EncodeToString(serverKey.Public().(ed25519.PublicKey))
	return fmt.Sprintf(`gateway: gw-1
territory: port
data: data
broker: {url: "tcp://127.0.0.1:1883"}
ingest_key: %s
remote: {key: %s}
buses: [{id: b, type: tcp, address: "127.0.0.1:502", meters: [{id: m, unit: 1, profile: schneider-iem3000, interval: %s}]}]
`, key, key, interval)
}

// device is a gateway's file and folder.
type device struct {
	t    *testing.T
	path string
}

func newDevice(t *testing.T) *device {
	d := &device{t, filepath.Join(t.TempDir(), "gateway.yaml")}
	d.write(yamlOf("10s"))
	return d
}

func (d *device) write(text string) { require.NoError(d.t, os.WriteFile(d.path, []byte(text), 0o600)) }

// start is what a gateway that starts finds.
func (d *device) start() *Source {
	s, err := Open(d.path, slog.New(slog.DiscardHandler), func() time.Time { return time.Unix(1e9, 0) })
	require.NoError(d.t, err)
	return s
}

func message(t *testing.T, number uint64, text string) []byte {
	sealed, err := batch.SealDesired(batch.Desired{Gateway: "gw-1", Number: number, WithinSeconds: 60, Text: []byte(text)}, serverKey)
	require.NoError(t, err)
	return sealed
}

func (d *device) requireState(s *Source, state string, number uint64, interval time.Duration, detail string) {
	d.t.Helper()
	r, err := batch.ParseConfigReport(s.Report())
	require.NoError(d.t, err)
	require.Equal(d.t, state, r.State, r.Detail)
	require.Equal(d.t, number, r.Number)
	require.Contains(d.t, r.Detail, detail)
	conf := s.Config()
	require.Equal(d.t, interval, conf.PollBuses()[0].Meters[0].Interval)
	require.Equal(d.t, conf.Hash().String(), r.Config)
}

func TestAppliedAndProved(t *testing.T) {
	d := newDevice(t)
	s := d.start()
	d.requireState(s, batch.ConfigLocal, 0, 10*time.Second, "")
	require.True(t, s.Desired(message(t, 5, yamlOf("20s"))))
	s = d.start()
	conf, err := Peek(d.path)
	require.NoError(t, err)
	require.Equal(t, 20*time.Second, conf.PollBuses()[0].Meters[0].Interval)
	within, trying := s.Trial()
	require.True(t, trying)
	require.Equal(t, time.Minute, within)
	d.requireState(s, batch.ConfigTrying, 5, 20*time.Second, "")
	s.Reached()
	_, trying = s.Trial()
	require.False(t, trying)
	d.requireState(s, batch.ConfigRunning, 5, 20*time.Second, "")
	s = d.start()
	d.requireState(s, batch.ConfigRunning, 5, 20*time.Second, "")
	require.False(t, s.Desired(message(t, 5, yamlOf("20s"))), "retained: it comes with each connection")
	require.False(t, s.Desired(message(t, 4, yamlOf("30s"))), "an old one, played again")
	d.requireState(s, batch.ConfigRunning, 5, 20*time.Second, "")
}

// A trial that fails goes back to what was proved before, or to the file.
func TestRolledBack(t *testing.T) {
	d := newDevice(t)
	require.True(t, d.start().Desired(message(t, 1, yamlOf("20s"))))
	s := d.start()
	s.RollBack("the broker was not reached")
	d.requireState(s, batch.ConfigRolledBack, 1, 10*time.Second, "not reached")
	d.requireState(d.start(), batch.ConfigRolledBack, 1, 10*time.Second, "not reached")

	require.True(t, d.start().Desired(message(t, 2, yamlOf("30s"))))
	d.start().Reached()
	require.True(t, d.start().Desired(message(t, 3, yamlOf("40s"))))
	s = d.start()
	d.requireState(s, batch.ConfigTrying, 3, 40*time.Second, "")
	s.RollBack("no")
	d.requireState(s, batch.ConfigRolledBack, 3, 30*time.Second, "no")
	d.requireState(d.start(), batch.ConfigRolledBack, 3, 30*time.Second, "no")

	require.True(t, d.start().Desired(message(t, 4, yamlOf("50s"))))
	for range mostTries {
		d.requireState(d.start(), batch.ConfigTrying, 4, 50*time.Second, "")
	}
	d.requireState(d.start(), batch.ConfigRolledBack, 4, 30*time.Second, "ended 3 times")
}

func TestWhoeverStandsAtTheDeviceWins(t *testing.T) {
	d := newDevice(t)
	require.True(t, d.start().Desired(message(t, 1, yamlOf("20s"))))
	d.start().Reached()
	d.write(yamlOf("15s"))
	conf, err := Peek(d.path)
	require.NoError(t, err)
	require.Equal(t, 15*time.Second, conf.PollBuses()[0].Meters[0].Interval)
	d.requireState(d.start(), batch.ConfigSuperseded, 1, 15*time.Second, "changed since")
	d.requireState(d.start(), batch.ConfigSuperseded, 1, 15*time.Second, "changed since")
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"gateway: [", "gateway.yaml:1"},
		{strings.Replace(yamlOf("20s"), "schneider-iem3000", "nothing", 1), `profile "nothing" is not known`},
		{strings.Replace(yamlOf("20s"), "gateway: gw-1", "gateway: gw-2", 1), `gateway "gw-1" cannot become "gw-2" from afar`},
		{strings.Replace(yamlOf("20s"), "data: data", "data: /", 1), "only on the device"},
		{strings.Replace(yamlOf("20s"), "remote:", "# remote:", 1), "remote.key"},
		{strings.Replace(yamlOf("20s"), "data: data", "data: data\nlisten: 127.0.0.1:1", 1), "listen"},
	} {
		d := newDevice(t)
		s := d.start()
		require.False(t, s.Desired(message(t, 1, c.text)))
		d.requireState(s, batch.ConfigRefused, 1, 10*time.Second, c.want)
		d.requireState(d.start(), batch.ConfigRefused, 1, 10*time.Second, c.want)
		require.True(t, s.Desired(message(t, 2, yamlOf("20s"))), "a good one is taken afterwards")
	}
	// What was proved goes on after a refusal.
	d := newDevice(t)
	require.True(t, d.start().Desired(message(t, 1, yamlOf("20s"))))
	d.start().Reached()
	require.False(t, d.start().Desired(message(t, 2, "x")))
	d.requireState(d.start(), batch.ConfigRefused, 2, 20*time.Second, "")
}

func TestNotAnswered(t *testing.T) {
	d := newDevice(t)
	s := d.start()
	for _, desired := range []batch.Desired{{Gateway: "gw-2", Number: 9, WithinSeconds: 60, Text: []byte(yamlOf("20s"))}, {Gateway: "gw-1", Number: 9, WithinSeconds: 60, Text: []byte(yamlOf("20s"))}} {
		key := serverKey
		if desired.Gateway == "gw-1" {
			key = otherKey
		}
		sealed, err := batch.SealDesired(desired, key)
		require.NoError(t, err)
		require.False(t, s.Desired(sealed))
	}
	require.False(t, s.Desired([]byte("garbage")))
	d.requireState(s, batch.ConfigLocal, 0, 10*time.Second, "")
	sealed, err := batch.SealDesired(batch.Desired{Gateway: "gw-1", Number: 9, WithinSeconds: 1, Text: []byte(yamlOf("20s"))}, serverKey)
	require.NoError(t, err)
	require.False(t, s.Desired(sealed))
	d.requireState(s, batch.ConfigRefused, 9, 10*time.Second, "within 1s")
}

// Whatever the disk lost of a configuration, the file on the device is left.
func TestDamagedFolder(t *testing.T) {
	for _, harm := range []func(dir string) error{
		func(dir string) error { return os.Remove(filepath.Join(dir, "remote.yaml")) },
		func(dir string) error { return os.WriteFile(filepath.Join(dir, "remote.yaml"), []byte("x"), 0o600) },
	} {
		d := newDevice(t)
		require.True(t, d.start().Desired(message(t, 1, yamlOf("20s"))))
		d.start().Reached()
		require.NoError(t, harm(filepath.Join(filepath.Dir(d.path), "data")))
		d.requireState(d.start(), batch.ConfigRolledBack, 1, 10*time.Second, "remote.yaml")
	}
	d := newDevice(t)
	d.write(strings.Replace(yamlOf("10s"), "remote:", "# remote:", 1))
	require.False(t, d.start().Enabled())
}
