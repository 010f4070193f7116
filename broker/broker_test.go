package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testUsers = []User{
	{Name: "ingest", Password: "i", Publish: []string{"thermie/v1/port/+/receipt"}, Subscribe: []string{"thermie/v1/port/+/batch", "thermie/v1/port/+/status"}},
	{Name: "gw.a", Password: "a", Publish: []string{"thermie/v1/port/gw.a/batch", "thermie/v1/port/gw.a/status"}, Subscribe: []string{"thermie/v1/port/gw.a/receipt"}},
	{Name: "gw-b", Password: "b", Publish: []string{"thermie/v1/port/gw-b/#"}, Subscribe: []string{"thermie/v1/port/gw-b/#"}},
	{Name: "mute", Password: "m"},
}

func startTest(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Users == nil {
		o.Users = testUsers
	}
	s, err := Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t testing.TB, s *Server, user, password, id string) *mqtt.Conn {
	t.Helper()
	c, err := mqtt.Dial(context.Background(), mqtt.Options{Broker: s.URL(), ClientID: id, Username: user, Password: password})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSubjects(t *testing.T) {
	for filter, want := range map[string]string{
		"thermie/v1/port/gw-1/batch":   "thermie.v1.port.gw-1.batch",
		"thermie/v1/port/+/receipt":    "thermie.v1.port.*.receipt",
		"thermie/#":                    "thermie.>",
		"thermie/v1/port/gw.a.b/batch": "thermie.v1.port.gw//a//b.batch",
		"+":                            "*",
		"#":                            ">",
	} {
		got, err := subject(filter)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "a//b", "/a", "a/", "a/#/b", "a/b+", "a/*", "a/>", "a b", "$SYS/x", "a\x00"} {
		_, err := subject(bad)
		require.Error(t, err, bad)
	}
}

func TestRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	file := t.TempDir() + "/file"
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"port in use":      {Options{Dir: t.TempDir(), Listen: taken.Addr().String(), Users: testUsers}, "address already in use"},
		"in clear":         {Options{Dir: t.TempDir(), Listen: "0.0.0.0:0", Users: testUsers}, "TLS"},
		"any address":      {Options{Dir: t.TempDir(), Listen: ":0", Users: testUsers}, "TLS"},
		"no port":          {Options{Dir: t.TempDir(), Listen: "127.0.0.1", Users: testUsers}, "port"},
		"port name":        {Options{Dir: t.TempDir(), Listen: "127.0.0.1:mqtt", Users: testUsers}, "port"},
		"no users":         {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"}, "no users"},
		"no password":      {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Users: []User{{Name: "a"}}}, "password"},
		"twice":            {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Users: []User{{Name: "a", Password: "1"}, {Name: "a", Password: "2"}}}, "twice"},
		"bad topic":        {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Users: []User{{Name: "a", Password: "1", Publish: []string{"a//b"}}}}, "topic"},
		"no folder":        {Options{Listen: "127.0.0.1:0", Users: testUsers}, "folder"},
		"folder is a file": {Options{Dir: file, Listen: "127.0.0.1:0", Users: testUsers}, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Start(context.Background(), c.o)
			require.Nil(t, s)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestStartsQuickly(t *testing.T) {
	began := time.Now()
	s := startTest(t, Options{})
	dial(t, s, "ingest", "i", "ingest")
	require.Less(t, time.Since(began), time.Second)
}

func TestSignIn(t *testing.T) {
	s := startTest(t, Options{})
	for _, c := range [][2]string{{"ingest", "wrong"}, {"nobody", "i"}, {"", ""}} {
		_, err := mqtt.Dial(context.Background(), mqtt.Options{Broker: s.URL(), ClientID: "x", Username: c[0], Password: c[1]})
		require.ErrorIs(t, err, mqtt.ErrRefused, c[0])
	}
}

// A gateway has its own branch and no other, also when its name has a dot.
func TestPermissions(t *testing.T) {
	s := startTest(t, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	heard := make(chan mqtt.Message, 10)
	ingest := dial(t, s, "ingest", "i", "ingest")
	require.NoError(t, ingest.Subscribe(ctx, []string{batch.Topic("port", "+", batch.TopicBatch)}, func(m mqtt.Message) { m.Ack(); heard <- m }))
	receipts := make(chan mqtt.Message, 10)
	a := dial(t, s, "gw.a", "a", "gw_a")
	require.NoError(t, a.Subscribe(ctx, []string{batch.Topic("port", "gw.a", batch.TopicReceipt)}, func(m mqtt.Message) { m.Ack(); receipts <- m }))
	b := dial(t, s, "gw-b", "b", "gw-b")

	require.NoError(t, a.Publish(ctx, batch.Topic("port", "gw.a", batch.TopicBatch), false, []byte("from a")))
	require.Equal(t, "thermie/v1/port/gw.a/batch", (<-heard).Topic)
	require.NoError(t, ingest.Publish(ctx, batch.Topic("port", "gw.a", batch.TopicReceipt), false, []byte("receipt")))
	require.Equal(t, "receipt", string((<-receipts).Payload))

	require.Error(t, a.Subscribe(ctx, []string{batch.Topic("port", "gw-b", batch.TopicReceipt)}, func(mqtt.Message) {}))
	require.Error(t, dial(t, s, "gw.a", "a", "gw_a2").Subscribe(ctx, []string{"#"}, func(mqtt.Message) {}))
	require.Error(t, dial(t, s, "mute", "m", "mute").Subscribe(ctx, []string{"thermie/#"}, func(mqtt.Message) {}))

	// A publication that is not allowed never arrives, whatever the broker
	// answers; one sent after it by its owner does.
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	_ = b.Publish(short, batch.Topic("port", "gw.a", batch.TopicBatch), false, []byte("forged"))
	require.NoError(t, dial(t, s, "gw-b", "b", "gw-b2").Publish(ctx, batch.Topic("port", "gw-b", batch.TopicBatch), false, []byte("from b")))
	require.Equal(t, "from b", string((<-heard).Payload))
}

// What was queued for a persistent session while it was away is there after a
// restart of the broker, once and in order.
func TestQueueOutlivesRestart(t *testing.T) {
	const n = 300
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	dir := t.TempDir()
	s := startTest(t, Options{Dir: dir})
	ingest := dial(t, s, "ingest", "i", "ingest")
	topic := batch.Topic("port", "+", batch.TopicBatch)
	require.NoError(t, ingest.Subscribe(ctx, []string{topic}, func(m mqtt.Message) { t.Error("nothing was sent") }))
	require.NoError(t, ingest.Close())
	gw := dial(t, s, "gw-b", "b", "gw-b")
	for i := range n {
		require.NoError(t, gw.Publish(ctx, batch.Topic("port", "gw-b", batch.TopicBatch), false, fmt.Append(nil, i)))
	}
	require.NoError(t, s.Close())

	s = startTest(t, Options{Dir: dir})
	got := make(chan string, n)
	ingest = dial(t, s, "ingest", "i", "ingest")
	require.NoError(t, ingest.Subscribe(ctx, []string{topic}, func(m mqtt.Message) { got <- string(m.Payload); m.Ack() }))
	for i := range n {
		select {
		case text := <-got:
			require.Equal(t, fmt.Sprint(i), text)
		case <-ctx.Done():
			t.Fatalf("message %d of %d is missing", i, n)
		}
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	s := startTest(t, Options{TLS: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	o := mqtt.Options{Broker: s.URL(), ClientID: "ingest", Username: "ingest", Password: "i", TLS: &tls.Config{RootCAs: roots}}
	c, err := mqtt.Dial(context.Background(), o)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	o.TLS = nil
	_, err = mqtt.Dial(context.Background(), o)
	require.ErrorContains(t, err, "certificate")
	require.Regexp(t, "^tls://127.0.0.1:[0-9]+$", s.URL())
}

// BenchmarkPublish sends 4 kB messages of QoS 1 from 16 goroutines to a
// subscriber that acknowledges each.
func BenchmarkPublish(b *testing.B) {
	s := startTest(b, Options{})
	ctx := context.Background()
	ingest, gw := dial(b, s, "ingest", "i", "ingest"), dial(b, s, "gw-b", "b", "gw-b")
	got := make(chan struct{}, 1000)
	require.NoError(b, ingest.Subscribe(ctx, []string{batch.Topic("port", "+", batch.TopicBatch)}, func(m mqtt.Message) { m.Ack(); got <- struct{}{} }))
	payload := make([]byte, 4096)
	b.SetParallelism(8)
	b.ResetTimer()
	go b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := gw.Publish(ctx, batch.Topic("port", "gw-b", batch.TopicBatch), false, payload); err != nil {
				b.Error(err)
				return
			}
		}
	})
	for range b.N {
		<-got
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
