//go:build integration

// Package integration runs Thermie against the real servers that it will meet:
// a Mosquitto under the broker configuration of deploy/, an InfluxDB, a
// Chromium. The environment names their programs (see integration/setup); one
// that is missing fails the tests.
package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/pki"
)

// program returns the path of a server's program named in the environment.
func program(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	require.NotEmptyf(t, path, "%s is not set: run `make test-integration`, or eval \"$(integration/setup)\" first", variable)
	return path
}

// repository is the root of the source tree.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	require.NoError(t, err)
	return dir
}

// freePort returns a loopback port that nothing listens on, from below the range
// that outgoing connections take theirs from: while a killed server is away, a
// client that dials it again and again could be given that very port, connect
// to itself, and keep the server from ever coming back.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.FailNow(t, "no free port between 20000 and 30000")
	return 0
}

// process is a server that a test starts, kills and starts again.
type process struct {
	t     testing.TB
	name  string
	args  []string
	env   []string
	ready func() error // nil error: it answers
	user  uint32       // under which it runs, when the test may choose; 0: as the test

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	log  *os.File
}

func newProcess(t testing.TB, name string, ready func() error, env []string, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	require.NoError(t, err)
	p := &process{t: t, name: name, args: args, env: env, ready: ready, log: log}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%s", name, tail(b, 4000))
		}
		log.Close()
	})
	return p
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

// start runs the program and waits until it answers.
func (p *process) start() {
	p.t.Helper()
	p.launch()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := error(nil)
		if p.ready != nil {
			err = p.ready()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(p.log.Name())
			require.NoErrorf(p.t, err, "%s does not answer:\n%s", p.name, tail(b, 4000))
		}
		select {
		case <-p.exited():
			b, _ := os.ReadFile(p.log.Name())
			require.Failf(p.t, "server ended", "%s ended by itself:\n%s", p.name, tail(b, 4000))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// launch runs the program without waiting for it to answer.
func (p *process) launch() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if p.user != 0 && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.user, Gid: p.user}}
	}
	require.NoError(p.t, cmd.Start(), p.name)
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	p.cmd, p.done = cmd, done
}

func (p *process) exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// kill ends the program as a power switch would (SIGKILL).
func (p *process) kill() { p.end(syscall.SIGKILL) }

// stop asks the program to end and waits for it.
func (p *process) stop() { p.end(syscall.SIGTERM) }

func (p *process) end(s syscall.Signal) {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	cmd.Process.Signal(s)
	<-done
}

// ended says whether the program is not running.
func (p *process) ended() bool {
	select {
	case <-p.exited():
		return true
	default:
		return false
	}
}

// exitCode is that of a program that has ended; -1 when it was killed.
func (p *process) exitCode() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.ProcessState.ExitCode()
}

// said is the end of what the program wrote.
func (p *process) said() string {
	b, _ := os.ReadFile(p.log.Name())
	return string(tail(b, 4000))
}

// answers returns a check that a TCP port accepts connections.
func answers(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
		}
		return err
	}
}

// mosquitto is a real broker under the configuration and the access rules of deploy/.
type mosquitto struct {
	*process
	url   string
	certs string // folder with ca.crt and, for each name, NAME.crt and NAME.key
}

// startMosquitto starts a broker with the certificates of an authority made
// for the test; clients are the names that get one.
func startMosquitto(t testing.TB, clients ...string) *mosquitto {
	t.Helper()
	return startMosquittoWith(t, nil, clients...)
}

// startMosquittoWith is startMosquitto with changes to its configuration: pairs of
// what stands there and what shall.
func startMosquittoWith(t testing.TB, changes []string, clients ...string) *mosquitto {
	t.Helper()
	certs := filepath.Join(t.TempDir(), "certs")
	require.NoError(t, pki.Init(certs, "Port fictif", time.Now()))
	require.NoError(t, pki.Issue(certs, "broker", []string{"localhost", "127.0.0.1"}, time.Now()))
	for _, c := range clients {
		require.NoError(t, pki.Issue(certs, c, nil, time.Now()))
	}
	m := newMosquitto(t, certs, changes...)
	m.start()
	return m
}

// newMosquitto lays a broker out with the files of deploy/ as the container has
// them, only the places changed to the test's folder, and the certificates in
// certs. Where the test may, it runs as the container's user.
func newMosquitto(t testing.TB, certs string, changes ...string) *mosquitto {
	t.Helper()
	dir := sharedDir(t)
	port := freePort(t)
	places := strings.NewReplacer(append([]string{
		"/mosquitto/certs/", dir + "/certs/",
		"/mosquitto/config/", dir + "/config/",
		"/mosquitto/data/", dir + "/data/",
		"listener 8883", fmt.Sprintf("listener %d 127.0.0.1", port),
	}, changes...)...)
	for _, f := range []string{"mosquitto.conf", "acl"} {
		b, err := os.ReadFile(filepath.Join(repository(t), "deploy", "mosquitto", f))
		require.NoError(t, err)
		mount(t, []byte(places.Replace(string(b))), filepath.Join(dir, "config", f))
	}
	for _, f := range []string{"ca.crt", "broker.crt", "broker.key"} {
		b, err := os.ReadFile(filepath.Join(certs, f))
		require.NoError(t, err)
		mount(t, b, filepath.Join(dir, "certs", f))
	}
	volume(t, filepath.Join(dir, "data"), mosquittoUser)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	m := &mosquitto{url: "tls://" + address, certs: certs}
	m.process = newProcess(t, "mosquitto", answers(address), nil,
		program(t, "THERMIE_MOSQUITTO"), "-c", filepath.Join(dir, "config", "mosquitto.conf"))
	m.user = mosquittoUser
	return m
}

// sharedDir is a temporary folder into which other users may look; the
// testing package's own are closed to them.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "thermie-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// Users of the containers of deploy/compose.yaml.
const (
	mosquittoUser = 1883
	thermieUser   = 65532
)

// mount writes a file as a container sees one that is mounted read-only: by its
// mode, not its owner.
func mount(t testing.TB, content []byte, path string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, 0o444))
}

// volume makes a folder that belongs to a container's user alone.
func volume(t testing.TB, path string, user uint32) {
	t.Helper()
	require.NoError(t, os.Mkdir(path, 0o700))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, int(user), int(user)))
	}
}

// influxServer is a real InfluxDB 2 with an organisation, a bucket and an
// all-access token, on loopback.
type influxServer struct {
	*process
	url, token, organisation, bucket string
}

func startInflux(t testing.TB, options ...string) *influxServer {
	t.Helper()
	dir := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	f := &influxServer{url: "http://" + address, token: "integration-test-token", organisation: "thermie", bucket: "readings"}
	args := append([]string{program(t, "THERMIE_INFLUXD"),
		"--bolt-path", filepath.Join(dir, "influxd.bolt"), "--sqlite-path", filepath.Join(dir, "influxd.sqlite"),
		"--engine-path", filepath.Join(dir, "engine"), "--http-bind-address", address, "--reporting-disabled", "--log-level", "error"}, options...)
	f.process = newProcess(t, "influxd", func() error {
		r, err := http.Get(f.url + "/health")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("health: %s", r.Status)
		}
		return nil
	}, nil, args...)
	f.start()
	body, err := json.Marshal(map[string]any{"username": "admin", "password": "integration-password",
		"org": f.organisation, "bucket": f.bucket, "token": f.token})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/api/v2/setup", bytes.NewReader(body))
	require.NoError(t, err)
	r, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer r.Body.Close()
	answer, _ := io.ReadAll(r.Body)
	require.Equalf(t, http.StatusCreated, r.StatusCode, "set up InfluxDB: %s", answer)
	return f
}
