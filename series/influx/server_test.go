//go:build integration

package influx

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/conformance"
)

const (
	testToken = "store-test-token"
	testOrg   = "thermie"
)

// influxd is a real InfluxDB that a test may kill, stall and start again.
type influxd struct {
	t    testing.TB
	url  string
	args []string
	cmd  *exec.Cmd
	done chan struct{}
	log  *os.File
}

// startInfluxd starts a server that is set up.
func startInfluxd(t testing.TB) *influxd {
	t.Helper()
	d := launchInfluxd(t)
	body, err := json.Marshal(map[string]any{"username": "admin", "password": "store-test-password", "org": testOrg, "bucket": "first", "token": testToken})
	require.NoError(t, err)
	d.call(http.MethodPost, "/api/v2/setup", body, http.StatusCreated)
	return d
}

// launchInfluxd starts the program that THERMIE_INFLUXD names, see integration/setup.
func launchInfluxd(t testing.TB, more ...string) *influxd {
	t.Helper()
	program := os.Getenv("THERMIE_INFLUXD")
	require.NotEmpty(t, program, "THERMIE_INFLUXD is not set: run `make test-integration`, or eval \"$(integration/setup)\" first")
	t.Logf("the server is %s, %s", program, version(t, program))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	d := &influxd{t: t, url: "http://" + address, log: log, args: []string{program,
		"--bolt-path", filepath.Join(dir, "bolt"), "--sqlite-path", filepath.Join(dir, "sqlite"), "--engine-path", filepath.Join(dir, "engine"),
		"--http-bind-address", address, "--reporting-disabled", "--log-level", "error"}}
	d.args = append(d.args, more...)
	t.Cleanup(func() {
		d.signal(syscall.SIGCONT)
		d.kill()
		if b, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("influxd said:\n%s", b[max(0, len(b)-4000):])
		}
		log.Close()
	})
	d.start()
	return d
}

// version is what the program says of itself and, where it was built from its
// Go module, the version of that.
func version(t testing.TB, program string) string {
	t.Helper()
	said, err := exec.Command(program, "version").Output()
	require.NoError(t, err)
	out := strings.TrimSpace(string(said))
	if info, err := buildinfo.ReadFile(program); err == nil {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/influxdata/influxdb/v2" {
				out += ", module " + m.Version
			}
		}
	}
	return out
}

func (d *influxd) start() {
	d.t.Helper()
	require.NoError(d.t, d.tryStart())
}

// tryStart starts the server and waits until it answers.
func (d *influxd) tryStart() error {
	d.cmd = exec.Command(d.args[0], d.args[1:]...)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		return err
	}
	d.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { cmd.Wait(); close(done) }(d.cmd, d.done)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.Get(d.url + "/health")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(r.Status)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("influxd does not answer: %w", err)
		}
	}
}

func (d *influxd) signal(s syscall.Signal) { d.cmd.Process.Signal(s) }

func (d *influxd) kill() {
	d.signal(syscall.SIGKILL)
	<-d.done
}

func (d *influxd) call(method, path string, body []byte, want int) []byte {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Token "+testToken)
	r, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	require.NoError(d.t, err)
	require.Equalf(d.t, want, r.StatusCode, "%s %s: %s", method, path, answer)
	return answer
}

var buckets atomic.Int64

// bucket makes an empty bucket.
func (d *influxd) bucket(t testing.TB) string {
	t.Helper()
	var orgs struct{ Orgs []struct{ ID string } }
	require.NoError(t, json.Unmarshal(d.call(http.MethodGet, "/api/v2/orgs?org="+testOrg, nil, http.StatusOK), &orgs))
	name := fmt.Sprint("bucket-", buckets.Add(1))
	body, err := json.Marshal(map[string]any{"orgID": orgs.Orgs[0].ID, "name": name, "retentionRules": []any{}})
	require.NoError(t, err)
	d.call(http.MethodPost, "/api/v2/buckets", body, http.StatusCreated)
	return name
}

func (d *influxd) options(bucket string) Options {
	return Options{URL: d.url, Token: testToken, Org: testOrg, Bucket: bucket}
}

// TestConformance runs the suite of all stores against a real server: with the
// server making the windows, and with the store making them from points.
func TestConformance(t *testing.T) {
	d := startInfluxd(t)
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	require.NoError(t, checks.Set("10")) // a step is a dozen requests
	defer checks.Set(before)
	for name, sparse := range map[string]int{"as it is": 0, "windows made by the server": 1} {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t testing.TB) func(testing.TB) series.Store {
				bucket := d.bucket(t)
				return func(t testing.TB) series.Store {
					s, err := Open(context.Background(), d.options(bucket))
					require.NoError(t, err)
					s.sparse = sparse
					return s
				}
			})
		})
	}
}
