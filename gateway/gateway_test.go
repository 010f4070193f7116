package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/simulator/port"
)

const (
	site        = "gw-fonderie"
	wait, often = 30 * time.Second, 5 * time.Millisecond
)

var ingestKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))

// ingest verifies what arrives with the key that was enrolled, holds it to the
// chain, and answers.
type ingest struct {
	conn *mqtt.Conn
	key  ed25519.PublicKey

	mu       sync.Mutex
	batches  map[uint64]*batch.Batch
	hashes   map[uint64]batch.Hash
	statuses []batch.Status
	errs     []error
}

func startBroker(t *testing.T, dir, listen string) *broker.Server {
	t.Helper()
	s, err := broker.Start(context.Background(), broker.Options{Dir: dir, Listen: listen, Users: []broker.User{
		{Name: "ingest", Password: "i", Publish: []string{"thermie/v1/port-demo/+/receipt"}, Subscribe: []string{"thermie/v1/port-demo/#"}},
		{Name: site, Password: "g", Publish: []string{"thermie/v1/port-demo/" + site + "/#"}, Subscribe: []string{"thermie/v1/port-demo/" + site + "/#"}},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func newIngest(key ed25519.PublicKey) *ingest {
	return &ingest{key: key, batches: map[uint64]*batch.Batch{}, hashes: map[uint64]batch.Hash{}}
}

func (in *ingest) connect(t *testing.T, url string) {
	t.Helper()
	var err error
	in.conn, err = mqtt.Dial(context.Background(), mqtt.Options{Broker: url, ClientID: "ingest", Username: "ingest", Password: "i"})
	require.NoError(t, err)
	conn := in.conn
	t.Cleanup(func() { conn.Close() })
	topics := []string{batch.Topic("port-demo", "+", batch.TopicBatch), batch.Topic("port-demo", "+", batch.TopicStatus)}
	require.NoError(t, in.conn.Subscribe(context.Background(), topics, func(m mqtt.Message) { in.take(conn, m) }))
}

func (in *ingest) take(conn *mqtt.Conn, m mqtt.Message) {
	defer m.Ack()
	in.mu.Lock()
	defer in.mu.Unlock()
	if strings.HasSuffix(m.Topic, "/status") {
		s, err := batch.ParseStatus(m.Payload)
		if err != nil {
			in.errs = append(in.errs, err)
		}
		in.statuses = append(in.statuses, s)
		return
	}
	b, err := batch.Open(m.Payload, func(string) (ed25519.PublicKey, error) { return in.key, nil })
	if err != nil {
		in.errs = append(in.errs, err)
		return
	}
	h := batch.HashOf(m.Payload)
	in.batches[b.Number], in.hashes[b.Number] = b, h
	sealed, err := batch.SealReceipts([]batch.Receipt{{Gateway: b.Gateway, Number: b.Number, Batch: h}}, ingestKey)
	if err != nil {
		in.errs = append(in.errs, err)
		return
	}
	_, _ = conn.Send(context.Background(), batch.Topic("port-demo", b.Gateway, batch.TopicReceipt), false, sealed)
}

// count is how many batches have arrived without a gap from the first on.
func (in *ingest) count() uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	var n uint64
	for in.batches[n+1] != nil {
		n++
	}
	return n
}

// check holds everything that arrived to numbers, chain and origin, and returns
// the readings.
func (in *ingest) check(t *testing.T, config batch.Hash) (readings []metering.Reading) {
	t.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	require.Empty(t, in.errs)
	for n := uint64(1); n <= uint64(len(in.batches)); n++ {
		b := in.batches[n]
		require.NotNil(t, b, "batch %d", n)
		require.Equal(t, in.hashes[n-1], b.Previous, "batch %d", n)
		require.Equal(t, config, b.Config)
		require.Equal(t, batch.Synthetic, b.Origin)
		require.Empty(t, b.Break)
		readings = append(readings, b.Readings...)
	}
	return readings
}

func (in *ingest) online() (online, known bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.statuses) == 0 {
		return false, false
	}
	return in.statuses[len(in.statuses)-1].Online, true
}

// configure serves the meters of one site and writes its gateway's configuration.
func configure(t *testing.T, url string) (gateway.Config, string) {
	t.Helper()
	p, err := port.New(port.Options{Seed: 1, Epoch: time.Now()})
	require.NoError(t, err)
	s, err := p.Serve(port.ServeOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("g\n"), 0o600))
	text, err := p.GatewayYAML(s, site, port.GatewayOptions{Territory: "port-demo", Data: "data", BatchInterval: time.Second,
		Broker:    port.Broker{URL: url, Username: site, PasswordFile: "password"},
		IngestKey: base64.StdEncoding.EncodeToString(ingestKey.Public().(ed25519.PublicKey))})
	require.NoError(t, err)
	text = bytes.ReplaceAll(text, []byte("interval: 10s"), []byte("interval: 1s"))
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	c, err := gateway.LoadConfig(path)
	require.NoError(t, err)
	return c, path
}

// run starts a gateway; the function it returns stops it.
func run(t *testing.T, c gateway.Config) (*gateway.Gateway, func()) {
	t.Helper()
	g, err := gateway.New(c, gateway.Options{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Version: "test"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- g.Run(ctx) }()
	var once sync.Once
	stop := func() { once.Do(func() { cancel(); require.NoError(t, <-result) }) }
	t.Cleanup(stop)
	return g, stop
}

// TestEndToEnd: registers of simulated meters become signed batches that a
// verifying ingest has without a gap, across a broker that goes away and a
// gateway that is stopped and started again; every meter is in them.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	brokerDir := t.TempDir()
	s := startBroker(t, brokerDir, "127.0.0.1:0")
	address := strings.TrimPrefix(s.URL(), "tcp://")
	c, _ := configure(t, s.URL())
	key, err := gateway.LoadKey(c.Data)
	require.NoError(t, err)
	in := newIngest(key.Public().(ed25519.PublicKey))
	in.connect(t, s.URL())

	g, stop := run(t, c)
	require.Eventually(t, func() bool { return in.count() >= 2 }, wait, often)
	require.Eventually(t, func() bool { on, known := in.online(); return known && on }, wait, often)
	st := g.Status()
	require.NotEmpty(t, st.Buses)
	require.Positive(t, st.Buses[0].Answers)
	require.Equal(t, c.Hash().String(), st.Config)

	// The broker goes: reading goes on, nothing is lost.
	require.NoError(t, s.Close())
	in.conn.Close()
	before := g.Status().Spool
	require.Eventually(t, func() bool { return g.Status().Spool.LastNumber >= before.LastNumber+2 }, wait, often)
	require.NoError(t, g.Healthy())
	s = startBroker(t, brokerDir, address)
	in.connect(t, s.URL())
	require.Eventually(t, func() bool { return in.count() > before.LastNumber+2 }, wait, often)

	// Stopped, it closes a last batch and says that it is off.
	stop()
	last := g.Status().Spool.LastNumber
	require.Eventually(t, func() bool { return in.count() == last }, wait, often)
	require.Eventually(t, func() bool { on, _ := in.online(); return !on }, wait, often)

	// Started again, numbers and chain go on.
	_, stop = run(t, c)
	require.Eventually(t, func() bool { return in.count() > last+1 }, wait, often)
	stop()

	seen := map[string]bool{}
	at := map[metering.SeriesID]map[int64]bool{}
	good := 0
	for _, r := range in.check(t, c.Hash()) {
		seen[r.Series.Meter()] = true
		if at[r.Series] == nil {
			at[r.Series] = map[int64]bool{}
		}
		require.False(t, at[r.Series][r.At], "%s twice at %d", r.Series, r.At)
		at[r.Series][r.At] = true
		if r.Quality.Level == metering.Good {
			good++
		}
	}
	for _, b := range c.PollBuses() {
		for _, m := range b.Meters {
			require.True(t, seen[m.ID], "meter %s", m.ID)
		}
	}
	require.Greater(t, good, 50)
}

// TestStartsWithoutNetwork: no broker anywhere, and the gateway reads, keeps,
// is healthy, and its page and metrics say what is the matter.
func TestStartsWithoutNetwork(t *testing.T) {
	t.Parallel()
	c, _ := configure(t, "tcp://127.0.0.1:1")
	g, stop := run(t, c)
	require.Eventually(t, func() bool { return g.Status().Spool.Batches >= 2 }, wait, often)
	h := g.Handler()
	get := func(path, language string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9184"+path, nil)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return w.Code, string(body)
	}
	code, body := get("/healthz", "")
	require.Equal(t, 200, code, body)
	code, body = get("/metrics", "")
	require.Equal(t, 200, code)
	require.Contains(t, body, "thermie_gateway_broker_connected 0\n")
	require.Contains(t, body, "thermie_gateway_healthy 1\n")
	require.Contains(t, body, `thermie_gateway_bus_requests_total{bus="tcp-1",end="answer"}`)
	require.NotContains(t, body, "thermie_gateway_spool_batches 0\n")
	code, body = get("/", "de, fr;q=0.9, en;q=0.8")
	require.Equal(t, 200, code)
	require.Contains(t, body, "Passerelle gw-fonderie")
	require.Contains(t, body, "Données synthétiques")
	require.Contains(t, body, "hors d’atteinte")
	require.Contains(t, body, "Puissance active")
	require.Regexp(t, `\d\x{202f}\d{3},\d+</span><span class="u">kWh`, body)
	require.Contains(t, body, "publish: connecting again", "the last warnings")
	require.NotContains(t, body, "ZgotmplZ")
	code, body = get("/", "en-GB")
	require.Equal(t, 200, code)
	require.Contains(t, body, "Gateway gw-fonderie")
	require.Contains(t, body, "Synthetic data")
	_, body = get("/?lang=fr", "en-GB")
	require.Contains(t, body, "Passerelle gw-fonderie")
	code, _ = get("/other", "")
	require.Equal(t, 404, code)
	r := httptest.NewRequest(http.MethodGet, "http://evil.example/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusMisdirectedRequest, w.Code)
	stop()
	require.Error(t, g.Healthy())
}

// TestBrokerRefuses: a gateway that never delivered anything says at once that
// its password is wrong.
func TestBrokerRefuses(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	c, path := configure(t, s.URL())
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "password"), []byte("wrong"), 0o600))
	g, err := gateway.New(c, gateway.Options{})
	require.NoError(t, err)
	err = g.Run(context.Background())
	require.ErrorIs(t, err, mqtt.ErrRefused)
	require.ErrorContains(t, err, site)
	require.ErrorContains(t, g.Run(context.Background()), "run already")
}

func TestNewRefuses(t *testing.T) {
	c, path := configure(t, "tcp://127.0.0.1:1")
	g, err := gateway.New(c, gateway.Options{})
	require.NoError(t, err)
	_, err = gateway.New(c, gateway.Options{})
	require.ErrorContains(t, err, "in use by another process")
	require.NoError(t, g.Close())
	require.NoError(t, os.Remove(filepath.Join(filepath.Dir(path), "password")))
	_, err = gateway.New(c, gateway.Options{})
	require.ErrorContains(t, err, "broker password")
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "password"), []byte("g"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(c.Data, "key"), 0o644))
	_, err = gateway.New(c, gateway.Options{})
	require.ErrorContains(t, err, "others may read it")
}
