package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/port"
	"github.com/thermie/thermie/simulator/slave"
)

func TestMain(m *testing.M) {
	os.Exit(testscript.RunMain(m, map[string]func() int{"thermie-gateway": run}))
}

const site = "gw-fonderie"

// siteYAML serves the meters of one site of the port and describes them.
func siteYAML(t *testing.T, brokerURL string) (text []byte, meters port.Bus) {
	t.Helper()
	p, err := port.New(port.Options{Seed: 1, Epoch: time.Now()})
	require.NoError(t, err)
	s, err := p.Serve(port.ServeOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	text, err = p.GatewayYAML(s, site, port.GatewayOptions{Territory: "port-demo", Data: "data", BatchInterval: time.Second,
		Broker:    port.Broker{URL: brokerURL, Username: site, PasswordFile: "password"},
		IngestKey: base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize))})
	require.NoError(t, err)
	for _, b := range s.Buses {
		if port.Gateway(b.Company) == site {
			return text, b
		}
	}
	t.Fatal("no bus of " + site)
	return nil, meters
}

// The scripts say what each command answers, and its exit code.
func TestScripts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	b, err := broker.Start(context.Background(), broker.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0",
		Users: []broker.User{{Name: site, Password: "right", Publish: []string{"thermie/#"}, Subscribe: []string{"thermie/#"}}}})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	text, bus := siteYAML(t, b.URL())
	meter := bus.Meters[slices.IndexFunc(bus.Meters, func(m port.Meter) bool { return m.ID == "fonderie-compresseurs" })]
	library, err := profile.Builtin()
	require.NoError(t, err)
	known, err := library.Get(meter.Profile)
	require.NoError(t, err)
	power, ok := known.Field(metering.ActivePower, 0)
	require.True(t, ok)
	lone := loneMeter(t, known)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TAKEN", taken.Addr().String())
			e.Setenv("ADDRESS", bus.Address)
			_, listens, err := net.SplitHostPort(bus.Address)
			if err != nil {
				return err
			}
			e.Setenv("NETWORK", "127.0.0.1/32:"+listens)
			e.Setenv("UNIT", strconv.Itoa(int(meter.Unit)))
			e.Setenv("TABLE", power.Table.String())
			e.Setenv("REGISTER", strconv.Itoa(int(power.Address)))
			e.Setenv("TYPE", string(power.Type))
			page := []byte(string(text) + "listen: " + taken.Addr().String() + "\n")
			return errors.Join(
				os.WriteFile(filepath.Join(e.WorkDir, "site.yaml"), text, 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "draft.yaml"), fmt.Appendf(nil, draftYAML, lone), 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "answers.txt"), []byte(strings.Repeat("\n", 200)+"Ada Deschamps\nMesures du Nord\n\no\n"), 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "found.txt"), []byte("\ncompressors\n30s\n\n\nAda Deschamps\n\n\ny\n"), 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "page.yaml"), page, 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "password"), []byte("wrong"), 0o600))
		},
	})
}

// draftYAML knows a bus, and none of its meters.
const draftYAML = `gateway: gw-fonderie
territory: port-demo
data: draft-data
broker: {url: "tcp://127.0.0.1:1883"}
ingest_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
buses:
  # the converter by the door
  - id: tcp-1
    type: tcp
    address: %s
`

// loneMeter serves a meter at unit 5 of a converter, as a site would see it.
func loneMeter(t *testing.T, p *profile.Profile) string {
	image := profile.Image{}
	for i := range p.Fields {
		n := map[metering.Quantity]string{metering.VoltageL1: "231", metering.VoltageL2: "230", metering.VoltageL3: "229", metering.Frequency: "50"}[p.Fields[i].Quantity]
		require.NoError(t, p.Fields[i].Encode(metering.MustDecimal(cmp.Or(n, "0")), image))
	}
	for _, probe := range p.Fingerprint {
		require.NoError(t, probe.Put(image))
	}
	s, err := slave.ListenTCP("127.0.0.1:0", func(r slave.Request) ([]uint16, slave.Exception) {
		table := profile.Holding
		if r.Function == 4 {
			table = profile.Input
		}
		words := make([]uint16, r.Count)
		for i := range words {
			w, ok := image.Word(table, r.Address+uint16(i))
			if r.Unit != 5 {
				return nil, slave.TargetSilent
			}
			if !ok && r.Count == 1 {
				return nil, slave.IllegalAddress
			}
			words[i] = w
		}
		return words, 0
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s.Addr()
}

// code runs a program that must end with a certain exit code: "code 2 thermie-gateway surplus".
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [argument...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// execute runs a command in this process.
func execute(ctx context.Context, out io.Writer, args ...string) error {
	c := rootCommand(func(time.Duration) error { return nil }) // the test's process stays
	c.SetArgs(args)
	c.SetOut(out)
	c.SetErr(io.Discard)
	return c.ExecuteContext(ctx)
}

// TestRun: run tells systemd that it is ready and alive, serves its page, and
// stops cleanly; no broker is needed.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	text, _ := siteYAML(t, "tcp://127.0.0.1:1")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("x"), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(path, append(text, "listen: "+address+"\n"...), 0o600))

	socket := filepath.Join(dir, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "100000")
	hear := func(what string) {
		t.Helper()
		require.NoError(t, systemd.SetReadDeadline(time.Now().Add(20*time.Second)))
		buf := make([]byte, 4096)
		for {
			n, err := systemd.Read(buf)
			require.NoError(t, err, "waiting for %s", what)
			if strings.Contains(string(buf[:n]), what) {
				return
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- execute(ctx, io.Discard, "run", "--config", path) }()
	hear("READY=1")
	hear("WATCHDOG=1")
	get := func(what string) (status int, body string) {
		r, err := http.Get("http://" + address + what)
		require.NoError(t, err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(b)
	}
	status, body := get("/healthz")
	require.Equal(t, []any{200, "ok\n"}, []any{status, body})
	status, body = get("/")
	require.Equal(t, 200, status)
	require.Contains(t, body, site)
	cancel()
	hear("STOPPING=1")
	require.NoError(t, <-result)
	http.DefaultClient.CloseIdleConnections()
}

// TestNotifierWithoutSystemd says nothing and fails nowhere; a socket that is
// not there is told.
func TestNotifierWithoutSystemd(t *testing.T) {
	n, err := newNotifier(func(string) string { return "" })
	require.NoError(t, err)
	n.pulse(t.Context(), nil, nil)
	n.say("READY=1")
	n.close()
	_, err = newNotifier(func(string) string { return filepath.Join(t.TempDir(), "none") })
	require.ErrorContains(t, err, "NOTIFY_SOCKET")
}

// TestStuckIsLetGo: the watchdog hears nothing from a gateway that is stuck, but
// goes on hearing from one whose disk is full.
func TestStuckIsLetGo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer systemd.Close()
	n, err := newNotifier(func(key string) string {
		return map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "20000"}[key]
	})
	require.NoError(t, err)
	defer n.close()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	alive := func() error {
		if calls++; calls > 3 {
			return errors.New("stuck")
		}
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.pulse(ctx, alive, func() error { return errors.New("disk full") })
	}()
	var heard []string
	buf := make([]byte, 4096)
	for len(heard) < 5 {
		require.NoError(t, systemd.SetReadDeadline(time.Now().Add(20*time.Second)))
		k, err := systemd.Read(buf)
		require.NoError(t, err)
		heard = append(heard, string(buf[:k]))
	}
	cancel()
	<-done
	require.Equal(t, []string{"READY=1\nWATCHDOG=1\nSTATUS=disk full", "WATCHDOG=1\nSTATUS=disk full", "WATCHDOG=1\nSTATUS=disk full", "STATUS=stuck", "STATUS=stuck"}, heard)
}

// TestCheckTable reads a site's meters and says of each reading what it is worth.
func TestCheckTable(t *testing.T) {
	dir := t.TempDir()
	text, bus := siteYAML(t, "tcp://127.0.0.1:1")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("x"), 0o600))
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	var out bytes.Buffer
	err := execute(t.Context(), &out, "check", "--config", path)
	t.Log("\n" + out.String())
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`(?m)^METER +QUANTITY +READING +UNIT +JUDGEMENT$`), out.String())
	require.Regexp(t, regexp.MustCompile(`(?m)^fonderie-\S+ +active_power +\d\S* +kW +plausible$`), out.String())

	// A meter that is not there is one line, and the exit code says so.
	broken := fmt.Appendf(nil, "%sbuses:\n  - id: tcp-1\n    type: tcp\n    address: %s\n    meters:\n      - {id: ghost, unit: 250, profile: schneider-iem3000}\n",
		text[:bytes.Index(text, []byte("buses:"))], bus.Address)
	require.NoError(t, os.WriteFile(path, broken, 0o600))
	out.Reset()
	require.ErrorContains(t, execute(t.Context(), &out, "check", "--config", path), "1 of 1 readings")
	require.Regexp(t, regexp.MustCompile(`(?m)^ghost +- +- +- +!! .*unit 250`), out.String())
}

func TestProcessors(t *testing.T) {
	tcp, line := gateway.Bus{Type: "tcp"}, gateway.Bus{Type: "rtu"}
	require.Equal(t, 1, processors([]gateway.Bus{tcp, tcp}, 4))
	require.Equal(t, 4, processors([]gateway.Bus{tcp, {Type: "rtu-over-tcp"}}, 4))
	require.Equal(t, 4, processors([]gateway.Bus{tcp, line}, 4))
	require.Equal(t, 1, processors(nil, 4))
}

func TestSlackOf(t *testing.T) {
	site := func(kind string, interval time.Duration, quantities map[metering.Quantity]gateway.Quantity) []gateway.Bus {
		return []gateway.Bus{{Type: "tcp", Meters: []gateway.Meter{{}}}, {Type: kind, Meters: []gateway.Meter{{Interval: interval, Quantities: quantities}}}}
	}
	require.Equal(t, 4*time.Millisecond, slackOf(site("tcp", 0, nil)))
	require.Equal(t, 4*time.Millisecond, slackOf(site("tcp", time.Second, nil)))
	require.Equal(t, 400*time.Microsecond, slackOf(site("tcp", 100*time.Millisecond, nil)))
	require.Equal(t, 400*time.Microsecond, slackOf(site("tcp", time.Minute, map[metering.Quantity]gateway.Quantity{metering.HeatPower: {Interval: 100 * time.Millisecond}, metering.HeatEnergy: {Skip: true}})))
	for _, kind := range []string{"rtu", "rtu-over-tcp"} {
		require.Zero(t, slackOf(site(kind, time.Second, nil)))
	}
}
