//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/simulator/port"
)

// The production shape, with the shipped example as its configuration: the
// programs as they are built, a real Mosquitto under TLS with its access rules, a
// real InfluxDB, and meters that answer over Modbus.
func TestProduction(t *testing.T) {
	for _, apart := range []bool{false, true} {
		name := map[bool]string{false: "server", true: "ingest and serve apart"}[apart]
		t.Run(name, func(t *testing.T) { production(t, apart) })
	}
}

func production(t *testing.T, apart bool) {
	const gateway = "gw-reseau"
	broker := startMosquitto(t, "ingest", gateway)
	store := startInflux(t)
	p, err := port.New(port.Options{Seed: 1, Epoch: time.Now().UTC().Truncate(time.Second)})
	require.NoError(t, err)
	meters, err := p.Serve(port.ServeOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { meters.Close() })

	dir := t.TempDir()
	programme, err := p.ProgrammeYAML(time.Now())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "programme.yaml"), programme, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "influx-token"), []byte(store.token+"\n"), 0o600))
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	b, err := os.ReadFile(filepath.Join(repository(t), "deploy", "server.example.yaml"))
	require.NoError(t, err)
	config := filepath.Join(dir, "server.yaml")
	require.NoError(t, os.WriteFile(config, []byte(strings.NewReplacer(
		"/etc/thermie/programme.yaml", filepath.Join(dir, "programme.yaml"),
		"/var/lib/thermie", filepath.Join(dir, "data"),
		"tls://mosquitto:8883", broker.url, "/etc/thermie/certs", broker.certs,
		"http://influxdb:8086", store.url, "/run/secrets/influx-token", filepath.Join(dir, "influx-token"),
		"listen: 0.0.0.0:8080", "listen: "+listen, "behind_tls_proxy: true", "behind_tls_proxy: false",
	).Replace(string(b))), 0o600))

	out, errs, code := runProduct(t, "", "thermie", "server", "--config", config, "--check")
	require.Zero(t, code, errs)
	require.Contains(t, out, "all good")
	_, err = os.Stat(filepath.Join(dir, "data"))
	require.ErrorIs(t, err, os.ErrNotExist, "--check changes nothing")

	answering := func() error {
		r, err := http.Get("http://" + listen + "/healthz")
		if err != nil {
			return err
		}
		return r.Body.Close()
	}
	var servers []*process
	if apart {
		servers = []*process{
			newProcess(t, "ingest", nil, nil, product(t, "thermie"), "ingest", "--config", config),
			newProcess(t, "serve", answering, nil, product(t, "thermie"), "serve", "--config", config)}
	} else {
		servers = []*process{newProcess(t, "server", answering, nil, product(t, "thermie"), "server", "--config", config)}
	}
	for _, s := range servers {
		s.start()
	}
	_, errs, code = runProduct(t, "correct horse battery staple\n", "thermie", "people", "add", "--config", config,
		"--email", "anne@port.example", "--name", "Anne Klein", "--role", "verifier", "--language", "en")
	require.Zero(t, code, errs)

	// The gateway makes its key; an administrator enrols it.
	var published struct{ Server string }
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "data", "keys", "keys.json"))
		return err == nil && json.Unmarshal(b, &published) == nil
	}, 20*time.Second, 100*time.Millisecond)
	text, err := p.GatewayYAML(meters, gateway, port.GatewayOptions{Territory: "port-demo", Data: filepath.Join(dir, "gateway"), BatchInterval: 2 * time.Second,
		Broker: port.Broker{URL: broker.url, CAFile: filepath.Join(broker.certs, "ca.crt"),
			CertFile: filepath.Join(broker.certs, gateway+".crt"), KeyFile: filepath.Join(broker.certs, gateway+".key")},
		IngestKey: published.Server})
	require.NoError(t, err)
	gatewayConfig := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(gatewayConfig, text, 0o600))
	out, errs, code = runProduct(t, "", "thermie-gateway", "check", "--config", gatewayConfig)
	require.Zero(t, code, errs+out)
	require.Contains(t, out, "reseau-sous-station")
	out, errs, code = runProduct(t, "", "thermie-gateway", "key", "--config", gatewayConfig)
	require.Zero(t, code, errs)
	gw := newProcess(t, "gateway", nil, nil, product(t, "thermie-gateway"), "run", "--config", gatewayConfig)
	gw.start()

	v := signIn(t, "http://"+listen, "anne@port.example", "correct horse battery staple")
	points := func() (n int) {
		status, body := v.get("/api/v1/series/reseau-sous-station/heat_energy/points")
		if status == http.StatusNotFound {
			return 0 // a series that was never read
		}
		require.Equal(t, http.StatusOK, status, body)
		var answer struct{ Items []struct{ At time.Time } }
		require.NoError(t, json.Unmarshal([]byte(body), &answer))
		return len(answer.Items)
	}
	// Until it is enrolled its batches wait in quarantine, with the reason.
	require.Eventually(t, func() bool {
		out, _, _ := runProduct(t, "", "thermie", "quarantine", "list", "--config", config)
		return strings.Contains(out, gateway)
	}, 30*time.Second, 200*time.Millisecond)
	require.Zero(t, points())
	_, errs, code = runProduct(t, "", "thermie", "gateways", "enrol", "--config", config, gateway, strings.TrimSpace(lastField(out)))
	require.Zero(t, code, errs)
	require.Eventually(t, func() bool { return points() > 1 }, 60*time.Second, 200*time.Millisecond, "readings reach InfluxDB and the API")

	// Everything is killed; what was read meanwhile arrives all the same.
	for _, s := range servers {
		s.kill()
	}
	broker.kill()
	store.kill()
	broker.start()
	store.start()
	for _, s := range servers {
		s.start()
	}
	before := points()
	require.Eventually(t, func() bool { return points() > before+1 }, 60*time.Second, 200*time.Millisecond, "it goes on by itself")
	gw.stop()
	for _, s := range servers {
		s.stop()
	}
}

// lastField is the last word that a command printed.
func lastField(s string) string {
	f := strings.Fields(s)
	if len(f) == 0 {
		return ""
	}
	return f[len(f)-1]
}
