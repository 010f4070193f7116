//go:build integration

package integration

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/pki"
)

// compareVariable changes how many readings BenchmarkAgainstTelegraf sends.
const compareVariable = "THERMIE_COMPARE_READINGS"

// compareGateways send in the comparison.
var compareGateways = []string{"gw-1", "gw-2", "gw-3", "gw-4"}

// message is what a gateway publishes: the same readings as a signed batch, and
// as lines of InfluxDB's protocol.
type message struct {
	gateway       string
	sealed, lines []byte
}

// BenchmarkAgainstTelegraf sends the same readings through one Mosquitto into
// one InfluxDB by Telegraf (mqtt_consumer -> influxdb_v2) and by `thermie
// ingest`, which verifies signatures and keeps its ledger on the way, each alone,
// one after the other, with few and with many readings a message, and with a
// site's: what a gateway with ten meters sends a minute. It reports each
// program's own processor time and memory, from its start to its end, until the
// last reading is in InfluxDB. THERMIE_TELEGRAF names Telegraf's program.
func BenchmarkAgainstTelegraf(b *testing.B) {
	total := 1_200_000
	if s := os.Getenv(compareVariable); s != "" {
		var err error
		total, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	telegraf := program(b, "THERMIE_TELEGRAF")
	// As lines, 480 readings are near the 64 KiB that the broker takes, and a
	// site's minute is beyond: for Telegraf's sake it takes more here.
	broker := startMosquittoWith(b, []string{"max_packet_size 65536", "max_packet_size 262144"}, append([]string{"ingest"}, compareGateways...)...)
	store := startInflux(b)
	for _, shape := range []compareShape{
		{size: 20, meters: 20, quantities: heatQuantities},
		{size: 480, meters: 20, quantities: heatQuantities},
		{size: 10 * len(siteQuantities) * 6, meters: 10, quantities: siteQuantities}, // six polls
	} {
		messages := compareMessages(b, total, shape)
		for _, who := range []string{"telegraf", "thermie"} {
			b.Run(fmt.Sprintf("%s/%d-readings-a-message", who, shape.size), func(b *testing.B) {
				for b.Loop() {
					compareOnce(b, who, telegraf, broker, store, messages, total)
				}
			})
		}
	}
}

func compareOnce(b *testing.B, who, telegraf string, broker *mosquitto, store *influxServer, messages []message, total int) {
	bucket := fmt.Sprintf("%s-%d", who, time.Now().UnixNano())
	store.makeBucket(b, bucket)
	dir, err := os.MkdirTemp("", "th-")
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	var p *process
	if who == "telegraf" {
		p = newProcess(b, who, nil, nil, telegraf, "--config", telegrafConfig(b, dir, broker, store, bucket, (total+len(messages)-1)/len(messages)))
	} else {
		p = newProcess(b, who, nil, nil, product(b, "thermie"), "ingest", "--config", compareConfig(b, dir, broker, store, bucket))
	}
	p.launch()
	time.Sleep(3 * time.Second) // it subscribes; what it takes to start counts
	began := time.Now()
	// The broker drops what it cannot queue, so no more is under way than that.
	size := (total + len(messages) - 1) / len(messages)
	under := newWindow(compareWindow)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		feed(b, broker, messages, under, func(m message) []byte {
			if who == "telegraf" {
				return m.lines
			}
			return m.sealed
		})
	}()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		n := store.count(b, bucket)
		if n == total {
			break
		}
		under.arrived(n / size)
		require.Truef(b, time.Now().Before(deadline), "%s: %d of %d readings in InfluxDB: %s", who, n, total, p.said())
		require.Falsef(b, p.ended(), "%s ended: %s", who, p.said())
		time.Sleep(300 * time.Millisecond)
	}
	<-sending
	took := time.Since(began)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kB, err := strconv.ParseFloat(f[1], 64)
			require.NoError(b, err)
			b.ReportMetric(kB/1000, "MB-resident")
		}
	}
	p.stop()
	forget(b, broker, who)
	cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	b.ReportMetric(cpu.Seconds(), "cpu-s")
	b.ReportMetric(float64(total)/cpu.Seconds()/1e6, "M-readings/cpu-s")
	b.ReportMetric(float64(total)/took.Seconds(), "readings/s")
	b.ReportMetric(0, "ns/op")
}

// forget ends a persistent session, so that the broker keeps nothing for who is
// not running.
func forget(b *testing.B, broker *mosquitto, clientID string) {
	conf, err := pki.Client(filepath.Join(broker.certs, "ca.crt"), filepath.Join(broker.certs, "ingest.crt"), filepath.Join(broker.certs, "ingest.key"))
	require.NoError(b, err)
	conn, err := mqtt.Dial(b.Context(), mqtt.Options{Broker: broker.url, ClientID: clientID, TLS: conf, CleanSession: true})
	require.NoError(b, err)
	require.NoError(b, conn.Close())
}

// compareWindow is how many messages may be under way: fewer than the broker of
// deploy/ queues.
const compareWindow = 15_000

// window holds senders back while too much is under way.
type window struct {
	mu         sync.Mutex
	room       *sync.Cond
	free, done int
}

func newWindow(n int) *window {
	w := &window{free: n}
	w.room = sync.NewCond(&w.mu)
	return w
}

func (w *window) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.free <= 0 {
		w.room.Wait()
	}
	w.free--
}

// arrived says how many have arrived in all.
func (w *window) arrived(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > w.done {
		w.free, w.done = w.free+n-w.done, n
		w.room.Broadcast()
	}
}

// feed publishes as the gateways, in order for each, and returns when the broker
// has acknowledged everything.
func feed(b *testing.B, broker *mosquitto, messages []message, under *window, payload func(message) []byte) {
	var group errgroup.Group
	for _, g := range compareGateways {
		conf, err := pki.Client(filepath.Join(broker.certs, "ca.crt"), filepath.Join(broker.certs, g+".crt"), filepath.Join(broker.certs, g+".key"))
		require.NoError(b, err)
		conn, err := mqtt.Dial(b.Context(), mqtt.Options{Broker: broker.url, ClientID: "feed-" + g, TLS: conf, CleanSession: true})
		require.NoError(b, err)
		b.Cleanup(func() { conn.Close() })
		group.Go(func() error {
			var window errgroup.Group
			window.SetLimit(16)
			for _, m := range messages {
				if m.gateway == g {
					under.enter()
					window.Go(func() error {
						return conn.Publish(context.Background(), batch.Topic(territory, g, batch.TopicBatch), false, payload(m))
					})
				}
			}
			return window.Wait()
		})
	}
	require.NoError(b, group.Wait())
}

// compareShape is what messages are made of: size readings of so many meters with
// the same quantities, read every ten seconds.
type compareShape struct {
	size, meters int
	quantities   []metering.Quantity
}

var (
	heatQuantities = []metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.Volume, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature}
	// siteQuantities are what a three-phase meter of electricity measures.
	siteQuantities = []metering.Quantity{"active_energy_import", "active_energy_export", "reactive_energy_import", "reactive_energy_export", "apparent_energy",
		"active_power", "active_power_l1", "active_power_l2", "active_power_l3", "reactive_power", "apparent_power", "voltage_l1", "voltage_l2", "voltage_l3",
		"current_l1", "current_l2", "current_l3", "current_n", "power_factor", "frequency", "operating_time", "temperature"}
)

// compareMessages makes messages as gateways send them.
func compareMessages(b *testing.B, total int, shape compareShape) (out []message) {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := int64(len(shape.quantities))
	poll := kinds * int64(shape.meters) // readings
	numbers, last, at := map[string]uint64{}, map[string]batch.Hash{}, map[string]int64{}
	first := time.Now().Add(-60 * 24 * time.Hour).UnixMilli()
	for made := 0; made < total; {
		g := compareGateways[len(out)%len(compareGateways)]
		numbers[g]++
		x := &batch.Batch{Gateway: g, Number: numbers[g], Previous: last[g], Origin: batch.Synthetic, ClosedAt: first + at[g]*10_000/poll + 60_000}
		var lines strings.Builder
		for range min(shape.size, total-made) {
			k := at[g]
			at[g]++
			q := shape.quantities[k%kinds]
			info, _ := q.Info()
			meter := fmt.Sprintf("%s-m%02d", g, k/kinds%int64(shape.meters))
			v := metering.Reading{Series: metering.Series(meter, q), Unit: info.Units[0], At: first + k/poll*10_000 + r.Int64N(40), Number: metering.Decimal{Coef: 250_000 + k/poll*7 + int64(r.NormFloat64()*20), Exp: -3}}
			x.Readings = append(x.Readings, v)
			fmt.Fprintf(&lines, "reading,meter=%s,quantity=%s,unit=%s number=%s %d\n", meter, q, v.Unit, v.Number, v.At*1_000_000)
			made++
		}
		sealed, err := batch.Seal(x, keyOf(g))
		require.NoError(b, err)
		last[g] = batch.HashOf(sealed)
		out = append(out, message{g, sealed, []byte(lines.String())})
	}
	return out
}

func telegrafConfig(b *testing.B, dir string, broker *mosquitto, store *influxServer, bucket string, size int) string {
	config := filepath.Join(dir, "telegraf.conf")
	require.NoError(b, os.WriteFile(config, []byte(strings.NewReplacer("URL", strings.Replace(broker.url, "tls://", "ssl://", 1), "CERTS", broker.certs,
		"STORE", store.url, "TOKEN", store.token, "ORG", store.organisation, "BUCKET", bucket, "TERRITORY", territory,
		// Half of its buffer: what overflows it, it drops.
		"UNDELIVERED", strconv.Itoa(100_000/size)).Replace(`
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 10000
  metric_buffer_limit = 200000
  omit_hostname = true
  quiet = true
[[inputs.mqtt_consumer]]
  servers = ["URL"]
  topics = ["thermie/v1/TERRITORY/+/batch"]
  topic_tag = ""
  qos = 1
  client_id = "telegraf"
  persistent_session = true
  max_undelivered_messages = UNDELIVERED
  tls_ca = "CERTS/ca.crt"
  tls_cert = "CERTS/ingest.crt"
  tls_key = "CERTS/ingest.key"
  data_format = "influx"
[[outputs.influxdb_v2]]
  urls = ["STORE"]
  token = "TOKEN"
  organization = "ORG"
  bucket = "BUCKET"
  content_encoding = "identity"
`)), 0o600))
	return config
}

func compareConfig(b *testing.B, dir string, broker *mosquitto, store *influxServer, bucket string) string {
	writeIngestKeys(b, filepath.Join(dir, "data"))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "programme.yaml"), gatewaysProgramme(compareGateways), 0o600))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "token"), []byte(store.token), 0o600))
	config := filepath.Join(dir, "server.yaml")
	require.NoError(b, os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "CERTS", broker.certs, "BROKER", broker.url, "STORE", store.url, "ORG", store.organisation, "BUCKET", bucket).Replace(`
programme: DIR/programme.yaml
data: DIR/data
broker: {url: "BROKER", client_id: thermie, ca_file: CERTS/ca.crt, cert_file: CERTS/ingest.crt, key_file: CERTS/ingest.key}
store: {kind: influx, url: "STORE", organisation: ORG, bucket: BUCKET, token_file: DIR/token}
`)), 0o600))
	return config
}

// writeIngestKeys lays the keys of tests where `thermie ingest` would make its own.
func writeIngestKeys(t testing.TB, data string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(data, "keys"), 0o700))
	for file, name := range map[string]string{"server.key": "ingest", "ledger.key": "ledger"} {
		der, err := x509.MarshalPKCS8PrivateKey(keyOf(name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(data, "keys", file), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	}
}

// gatewaysProgramme is a programme with nothing but enrolled gateways.
func gatewaysProgramme(gateways []string) []byte {
	programme := "territory: {id: " + territory + ", name: {fr: Port, en: Port}, synthetic: true, currency: EUR}\ngateways:\n"
	for _, g := range gateways {
		programme += fmt.Sprintf("  - {id: %s, place: {fr: Quai, en: Quay}, public_key: %s}\n", g, base64.StdEncoding.EncodeToString(publicOf(g)))
	}
	return []byte(programme)
}

// call asks the API of InfluxDB.
func (f *influxServer) call(t testing.TB, path, contentType, body string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, f.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Token "+f.token)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "text/csv")
	r, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Lessf(t, r.StatusCode, 300, "%s: %s", path, answer)
	return string(answer)
}

func (f *influxServer) makeBucket(t testing.TB, name string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, f.url+"/api/v2/orgs?org="+f.organisation, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Token "+f.token)
	r, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer r.Body.Close()
	var orgs struct{ Orgs []struct{ ID string } }
	require.NoError(t, json.NewDecoder(r.Body).Decode(&orgs))
	f.call(t, "/api/v2/buckets", "application/json", fmt.Sprintf(`{"orgID":%q,"name":%q,"retentionRules":[]}`, orgs.Orgs[0].ID, name))
}

// count is how many numbers a bucket holds.
func (f *influxServer) count(t testing.TB, bucket string) int {
	t.Helper()
	answer := f.call(t, "/api/v2/query?org="+f.organisation, "application/vnd.flux",
		fmt.Sprintf(`from(bucket: %q) |> range(start: -100d, stop: 1d) |> filter(fn: (r) => r._measurement == "reading" and r._field == "number") |> count() |> group() |> sum()`, bucket))
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	fields := strings.Split(strings.TrimSpace(lines[len(lines)-1]), ",")
	n, _ := strconv.Atoi(fields[len(fields)-1])
	return n
}
