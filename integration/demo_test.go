//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
)

// demoProcess is a running `thermie demo`.
type demoProcess struct {
	t        testing.TB
	cmd      *exec.Cmd
	base     string
	password string
	done     chan error

	mu    sync.Mutex
	said  strings.Builder
	lines chan string
}

// startDemo starts a demo and waits until its dashboard answers.
func startDemo(t testing.TB, data string, args ...string) *demoProcess {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	d := &demoProcess{t: t, base: "http://" + address, done: make(chan error, 1), lines: make(chan string, 10000)}
	d.cmd = exec.Command(product(t, "thermie"), append([]string{"demo", "--lang", "en", "--data", data, "--listen", address}, args...)...)
	out, err := d.cmd.StdoutPipe()
	require.NoError(t, err)
	d.cmd.Stderr = d.cmd.Stdout
	began := time.Now()
	require.NoError(t, d.cmd.Start())
	go d.read(out)
	t.Cleanup(func() {
		d.cmd.Process.Kill()
		if t.Failed() {
			d.mu.Lock()
			t.Logf("the demo said:\n%s", tail([]byte(d.said.String()), 3000))
			d.mu.Unlock()
			log, _ := os.ReadFile(filepath.Join(data, "demo.log"))
			t.Logf("its log ends:\n%s", tail(log, 4000))
		}
	})
	d.password = strings.TrimPrefix(d.waitFor(`Everyone's password: (\S+)`, time.Minute), "Everyone's password: ")
	for {
		r, err := http.Get(d.base + "/healthz")
		if err == nil {
			r.Body.Close()
			break
		}
		require.Less(t, time.Since(began), time.Minute, "the dashboard answers within a minute of the command")
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("the dashboard answers after %s", time.Since(began).Round(time.Millisecond))
	return d
}

func (d *demoProcess) read(out io.Reader) {
	s := bufio.NewScanner(out)
	for s.Scan() {
		d.mu.Lock()
		d.said.WriteString(s.Text() + "\n")
		d.mu.Unlock()
		d.lines <- s.Text()
	}
	d.done <- d.cmd.Wait()
}

// waitFor waits for a line and returns what matched.
func (d *demoProcess) waitFor(pattern string, patience time.Duration) string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		select {
		case line := <-d.lines:
			if m := re.FindString(line); m != "" {
				return m
			}
		case err := <-d.done:
			require.Failf(d.t, "the demo ended", "while waiting for %q: %v", pattern, err)
		case <-timeout:
			require.Failf(d.t, "too long", "no line like %q", pattern)
		}
	}
}

func (d *demoProcess) stop() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-d.done:
		require.NoError(d.t, err, "Ctrl-C ends the demo with exit code 0")
	case <-time.After(30 * time.Second):
		require.Fail(d.t, "Ctrl-C does not end the demo")
	}
}

func (d *demoProcess) as(who string) *visitor {
	return signIn(d.t, d.base, who+"@port-fictif.example", d.password)
}

// The demo as its user meets it: history through the whole chain, what each of
// the four came for, Ctrl-C, a second start, a kill.
func TestDemo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "port")
	d := startDemo(t, data)
	_, body := d.as("animatrice").get("/overview?lang=en")
	require.Contains(t, strings.ToLower(body), "synthetic", "while history is loading, too")
	d.waitFor(`History loaded in`, 10*time.Minute)

	t.Run("animator", func(t *testing.T) { demoAnimator(t, d.as("animatrice")) })
	t.Run("installer", func(t *testing.T) { demoInstaller(t, d.as("installatrice")) })
	t.Run("company", func(t *testing.T) { demoCompany(t, d.as("laiterie")) })
	t.Run("funder", func(t *testing.T) { demoFunder(t, data, d.as("financeur"), d.as("verificateur")) })
	t.Run("browser", func(t *testing.T) { demoPages(t, d) })

	before := demoResults(t, d.as("animatrice"), "s01-fonderie-reseau")
	d.stop()
	t.Run("ledger", func(t *testing.T) {
		out, errs, code := runProduct(t, "", "thermie", "ledger", "check", "--data", filepath.Join(data, "server"))
		require.Zero(t, code, errs)
		require.Contains(t, out, "leaves proved")
	})
	t.Run("another seed on the same folder", func(t *testing.T) {
		_, errs, code := runProduct(t, "", "thermie", "demo", "--data", data, "--seed", "99", "--listen", "127.0.0.1:0")
		require.Equal(t, 1, code)
		require.Contains(t, errs, "choose another folder")
	})

	again := startDemo(t, data)
	again.waitFor(`History loaded in`, 5*time.Minute)
	require.Equal(t, d.password, again.password)
	after := demoResults(t, again.as("animatrice"), "s01-fonderie-reseau")
	for period, tonnes := range before {
		require.InDelta(t, tonnes, after[period], 1e-9, "the second start goes on where the first one stopped: %s", period)
	}
	// Killed as by a power cut, it starts again all the same.
	require.NoError(t, again.cmd.Process.Signal(syscall.SIGKILL))
	<-again.done
	third := startDemo(t, data)
	third.waitFor(`History loaded in`, 5*time.Minute)
	require.Equal(t, len(before), len(demoResults(t, third.as("animatrice"), "s01-fonderie-reseau")))
	third.stop()
}

// A second demo on the same folder or port is refused, and nothing is half-started.
func TestDemoRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, errs, code := runProduct(t, "", "thermie", "demo", "--data", filepath.Join(t.TempDir(), "x"), "--listen", l.Addr().String())
	require.Equal(t, 1, code)
	require.Contains(t, errs, "address already in use")
	require.Equal(t, 1, strings.Count(errs, "\n"), "one line: %s", errs)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, errs, code = runProduct(t, "", "thermie", "demo", "--data", filepath.Join(file, "below"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "not a directory")
}

// Measured readings come out of the simulated meters and go through the chain.
func TestDemoReplay(t *testing.T) {
	sample := filepath.Join(repository(t), "simulator", "testdata", "replay-sample.csv")
	d := startDemo(t, filepath.Join(t.TempDir(), "port"), "--replay", sample)
	d.waitFor(`History loaded in`, 10*time.Minute)
	v := d.as("verificateur")
	var points struct {
		Items []struct{ Reading string }
	}
	v.json("/api/v1/series/laiterie-chaleur/heat_energy/points?from="+time.Now().UTC().Add(-10*24*time.Hour).Format(time.RFC3339), &points)
	require.NotEmpty(t, points.Items)
	b, err := os.ReadFile(sample)
	require.NoError(t, err)
	found := 0
	for _, p := range points.Items {
		if p.Reading != "" && bytes.Contains(b, []byte(","+p.Reading+",")) {
			found++
		}
	}
	require.NotZero(t, found, "registers of the file arrived")
	d.stop()
}

// demoResults are the t CO2e of a synergy in the quarters that are over.
func demoResults(t testing.TB, v *visitor, synergy string) map[string]float64 {
	t.Helper()
	var answer struct {
		Items []struct {
			From    time.Time
			Figures []struct {
				Indicator string
				Amount    float64
			}
		}
	}
	v.json("/api/v1/synergies/"+synergy+"/results?kind=quarter", &answer)
	out := map[string]float64{}
	for _, r := range answer.Items {
		if !r.From.Before(calendar.QuarterOf(time.Now()).Start()) {
			continue // it runs
		}
		for _, f := range r.Figures {
			if f.Indicator == "co2e_avoided_t" {
				out[r.From.Format(time.DateOnly)] = f.Amount
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}
