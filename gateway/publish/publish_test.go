package publish

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait, often = 20 * time.Second, 2 * time.Millisecond

var (
	gatewayKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	ingestKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	testAt     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	users      = []broker.User{
		{Name: "ingest", Password: "i", Publish: []string{"thermie/v1/port/+/receipt"}, Subscribe: []string{"thermie/v1/port/+/batch", "thermie/v1/port/+/status"}},
		{Name: "gw.1", Password: "g", Publish: []string{"thermie/v1/port/gw.1/batch", "thermie/v1/port/gw.1/status"}, Subscribe: []string{"thermie/v1/port/gw.1/receipt"}},
	}
)

func startBroker(t testing.TB, dir, listen string) *broker.Server {
	t.Helper()
	s, err := broker.Start(context.Background(), broker.Options{Dir: dir, Listen: listen, Users: users})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func newOutbox(t testing.TB) *outbox.Outbox {
	t.Helper()
	b, err := outbox.Open(t.TempDir(), outbox.Options{Gateway: "gw.1", Key: gatewayKey, Origin: batch.Measured, MaxBytes: 4 << 30})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

func put(t testing.TB, b *outbox.Outbox, n int) {
	t.Helper()
	parts := make([]outbox.Part, n)
	for i := range parts {
		parts[i] = outbox.Part{ClosedAt: testAt.UnixMilli(), Readings: []metering.Reading{{
			Series: metering.Series("m", metering.ActivePower), At: testAt.UnixMilli() + int64(i), Unit: metering.KW, Number: metering.Int(int64(i))}}}
	}
	require.NoError(t, b.PutMany(parts))
}

// ingest is one that verifies, remembers and answers as answer says.
type ingest struct {
	t      testing.TB
	conn   *mqtt.Conn
	answer func(in *ingest, b *batch.Batch, h batch.Hash) // nil: a receipt

	mu       sync.Mutex
	numbers  []uint64 // in the order of arrival
	statuses []batch.Status
}

func startIngest(t testing.TB, url string, answer func(*ingest, *batch.Batch, batch.Hash)) *ingest {
	t.Helper()
	in := &ingest{t: t, answer: answer}
	if answer == nil {
		in.answer = func(in *ingest, b *batch.Batch, h batch.Hash) { in.receipt(b.Number, h, ingestKey) }
	}
	var err error
	in.conn, err = mqtt.Dial(context.Background(), mqtt.Options{Broker: url, ClientID: "ingest", Username: "ingest", Password: "i"})
	require.NoError(t, err)
	t.Cleanup(func() { in.conn.Close() })
	topics := []string{batch.Topic("port", "+", batch.TopicBatch), batch.Topic("port", "+", batch.TopicStatus)}
	require.NoError(t, in.conn.Subscribe(context.Background(), topics, in.take))
	return in
}

func (in *ingest) take(m mqtt.Message) {
	defer m.Ack()
	if strings.HasSuffix(m.Topic, "/status") {
		s, err := batch.ParseStatus(m.Payload)
		if err != nil {
			in.t.Error(err)
		}
		in.mu.Lock()
		in.statuses = append(in.statuses, s)
		in.mu.Unlock()
		return
	}
	b, err := batch.Open(m.Payload, func(string) (ed25519.PublicKey, error) { return gatewayKey.Public().(ed25519.PublicKey), nil })
	if err != nil {
		in.t.Error(err)
		return
	}
	in.mu.Lock()
	in.numbers = append(in.numbers, b.Number)
	in.mu.Unlock()
	in.answer(in, b, batch.HashOf(m.Payload))
}

func (in *ingest) receipt(number uint64, h batch.Hash, key ed25519.PrivateKey) {
	sealed, err := batch.SealReceipts([]batch.Receipt{{Gateway: "gw.1", Number: number, Batch: h}}, key)
	if err != nil {
		in.t.Error(err)
		return
	}
	// Not waited for: what is lost comes again.
	_, _ = in.conn.Send(context.Background(), batch.Topic("port", "gw.1", batch.TopicReceipt), false, sealed)
}

func (in *ingest) arrived() []uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]uint64(nil), in.numbers...)
}

func (in *ingest) lastStatus() (s batch.Status, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.statuses) == 0 {
		return s, false
	}
	return in.statuses[len(in.statuses)-1], true
}

func options(url string, b *outbox.Outbox) Options {
	return Options{Territory: "port", Gateway: "gw.1", Outbox: b, IngestKey: ingestKey.Public().(ed25519.PublicKey),
		Broker:  mqtt.Options{Broker: url, Username: "gw.1", Password: "g"},
		backoff: &mqtt.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond}}
}

// start runs Run; stop ends it and returns its error.
func start(t testing.TB, o Options) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- Run(ctx, o) }()
	var once sync.Once
	var err error
	stop = func() error { once.Do(func() { cancel(); err = <-result }); return err }
	t.Cleanup(func() { stop() })
	return stop
}

func empty(b *outbox.Outbox) func() bool { return func() bool { return b.Status().Batches == 0 } }

func ascending(n int) (out []uint64) {
	for i := range n {
		out = append(out, uint64(i+1))
	}
	return out
}

func TestDeliversInOrderWithStatus(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	in := startIngest(t, s.URL(), nil)
	b := newOutbox(t)
	put(t, b, 60)
	o := options(s.URL(), b)
	o.Stats = &Stats{}
	changed := make(chan struct{}, 1)
	version := make(chan string, 10)
	version <- "1"
	o.Changed = changed
	current := ""
	o.Status = func() batch.Status {
		select {
		case current = <-version:
		default:
		}
		return batch.Status{Gateway: "gw.1", Version: current, Spool: b.Status()}
	}
	stop := start(t, o)
	require.Eventually(t, empty(b), wait, often)
	for range 10 {
		put(t, b, 1)
	}
	require.Eventually(t, empty(b), wait, often)
	require.Equal(t, ascending(70), in.arrived())
	require.True(t, b.Reached())
	require.EqualValues(t, 70, o.Stats.Receipts.Load())
	require.Eventually(t, func() bool { s, ok := in.lastStatus(); return ok && s.Online && s.Version == "1" }, wait, often)
	version <- "2"
	changed <- struct{}{}
	require.Eventually(t, func() bool { s, _ := in.lastStatus(); return s.Online && s.Version == "2" }, wait, often)
	require.NoError(t, stop())
	require.Eventually(t, func() bool { s, _ := in.lastStatus(); return !s.Online && s.Version == "2" }, wait, often)
}

// clock is a hand-moved clock with its ticks.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	ticks chan time.Time
}

func newClock() *clock { return &clock{now: testAt, ticks: make(chan time.Time)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// tick moves the clock; it returns when the session has taken two ticks, so that
// it has dealt with the first.
func (c *clock) tick(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	c.ticks <- c.now
	c.ticks <- c.now
}

// TestPassedOverIsSentAgain: ingest answers all batches but one; that one, and
// no other, comes again after a minute.
func TestPassedOverIsSentAgain(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	skipped := false
	in := startIngest(t, s.URL(), func(in *ingest, b *batch.Batch, h batch.Hash) {
		if b.Number == 3 && !skipped {
			skipped = true
			return
		}
		in.receipt(b.Number, h, ingestKey)
	})
	b := newOutbox(t)
	put(t, b, 10)
	c := newClock()
	o := options(s.URL(), b)
	o.Now, o.tick, o.Stats = c.Now, c.ticks, &Stats{}
	start(t, o)
	require.Eventually(t, func() bool { return b.Status().Batches == 1 && o.Stats.Published.Load() == 10 }, wait, often)
	c.tick(59 * time.Second)
	require.Len(t, in.arrived(), 10)
	c.tick(time.Second)
	require.Eventually(t, empty(b), wait, often)
	require.Equal(t, append(ascending(10), 3), in.arrived())
	require.Eventually(t, func() bool { return o.Stats.Resent.Load() == 1 }, wait, often)
}

// TestSilentIngestIsNotFlooded: while no receipt comes at all, sending stops at
// four windows and only the oldest batch is tried again, less and less often.
func TestSilentIngestIsNotFlooded(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	silent := true
	in := startIngest(t, s.URL(), func(in *ingest, b *batch.Batch, h batch.Hash) {
		in.mu.Lock()
		quiet := silent
		in.mu.Unlock()
		if !quiet {
			in.receipt(b.Number, h, ingestKey)
		}
	})
	b := newOutbox(t)
	put(t, b, 100)
	c := newClock()
	o := options(s.URL(), b)
	o.Window, o.InOrder, o.Now, o.tick, o.Stats = 4, true, c.Now, c.ticks, &Stats{}
	start(t, o)
	arrive := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { return len(in.arrived()) == n && o.Stats.Published.Load() == uint64(n) }, wait, often)
	}
	arrive(16)
	for i, minutes := range []int{1, 2, 4, 8, 16, 16} {
		c.tick(time.Duration(minutes)*time.Minute - time.Second)
		require.Len(t, in.arrived(), 16+i)
		c.tick(time.Second)
		arrive(17 + i)
		require.Equal(t, uint64(1), in.arrived()[16+i])
	}
	// One answer, and what was passed over comes again, then the rest.
	in.mu.Lock()
	silent = false
	in.mu.Unlock()
	c.tick(16 * time.Minute)
	require.Eventually(t, func() bool { return b.Status().Batches < 100 }, wait, often)
	require.Eventually(t, func() bool { c.tick(time.Second); return b.Status().Batches == 0 }, wait, often)
}

// TestBadReceipts: neither another's signature nor another batch's hash nor
// noise lets a batch go.
func TestBadReceipts(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	in := startIngest(t, s.URL(), func(in *ingest, b *batch.Batch, h batch.Hash) {
		in.receipt(b.Number, h, gatewayKey)
		in.receipt(b.Number+100, h, ingestKey)
		h[0]++
		in.receipt(b.Number, h, ingestKey)
	})
	b := newOutbox(t)
	put(t, b, 2)
	o := options(s.URL(), b)
	o.Stats = &Stats{}
	stop := start(t, o)
	require.Eventually(t, func() bool { return o.Stats.BadReceipts.Load() == 6 }, wait, often)
	require.Equal(t, 2, b.Status().Batches)
	require.NoError(t, stop())
	require.Len(t, in.arrived(), 2)
}

// TestRejectedIsLetGo: what ingest keeps in quarantine leaves the outbox.
func TestRejectedIsLetGo(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	startIngest(t, s.URL(), func(in *ingest, b *batch.Batch, h batch.Hash) {
		sealed, err := batch.SealReceipts([]batch.Receipt{{Gateway: "gw.1", Number: b.Number, Batch: h, Rejected: "not enrolled"}}, ingestKey)
		if err != nil {
			in.t.Error(err)
		}
		_, _ = in.conn.Send(context.Background(), batch.Topic("port", "gw.1", batch.TopicReceipt), false, sealed)
	})
	b := newOutbox(t)
	put(t, b, 1)
	o := options(s.URL(), b)
	o.Stats = &Stats{}
	start(t, o)
	require.Eventually(t, empty(b), wait, often)
	require.Eventually(t, func() bool { return o.Stats.Rejected.Load() == 1 }, wait, often)
}

// TestReceiptsTogether: receipts under one signature each let their batch go, the
// one among them that is wrong lets none go.
func TestReceiptsTogether(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	const n = 4
	var all []batch.Receipt
	startIngest(t, s.URL(), func(in *ingest, b *batch.Batch, h batch.Hash) {
		r := batch.Receipt{Gateway: "gw.1", Number: b.Number, Batch: h}
		switch b.Number {
		case 2:
			r.Batch[0]++
		case 3:
			r.Rejected = "not enrolled"
		}
		if all = append(all, r); len(all) < n {
			return
		}
		sealed, err := batch.SealReceipts(all, ingestKey)
		if err != nil {
			in.t.Error(err)
		}
		_, _ = in.conn.Send(context.Background(), batch.Topic("port", "gw.1", batch.TopicReceipt), false, sealed)
	})
	b := newOutbox(t)
	put(t, b, n)
	o := options(s.URL(), b)
	o.Stats = &Stats{}
	start(t, o)
	require.Eventually(t, func() bool { return o.Stats.Receipts.Load() == n-1 }, wait, often)
	require.EqualValues(t, 1, o.Stats.Rejected.Load())
	require.EqualValues(t, 1, o.Stats.BadReceipts.Load())
	left, err := b.Unsent(0, n)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.EqualValues(t, 2, left[0].Number)
}

// TestBrokerComesBack: batches are put while the broker is away; each arrives
// once it is back, and those without receipt came again.
func TestBrokerComesBack(t *testing.T) {
	dir := t.TempDir()
	s := startBroker(t, dir, "127.0.0.1:0")
	address := strings.TrimPrefix(s.URL(), "tcp://")
	in := startIngest(t, s.URL(), func(*ingest, *batch.Batch, batch.Hash) {}) // no receipts
	b := newOutbox(t)
	put(t, b, 5)
	o := options(s.URL(), b)
	var mu sync.Mutex
	var seen []error
	o.Observed = func(err error) { mu.Lock(); seen = append(seen, err); mu.Unlock() }
	start(t, o)
	require.Eventually(t, func() bool { return len(in.arrived()) == 5 }, wait, often)
	require.NoError(t, s.Close())
	in.conn.Close()
	put(t, b, 5)
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) > 2 && seen[len(seen)-1] != nil }, wait, often)
	s = startBroker(t, dir, address)
	in = startIngest(t, s.URL(), nil)
	require.Eventually(t, empty(b), wait, often)
	got := map[uint64]bool{}
	for _, n := range in.arrived() {
		got[n] = true
	}
	require.Len(t, got, 10)
	mu.Lock()
	defer mu.Unlock()
	require.NoError(t, seen[0])
	require.NoError(t, seen[len(seen)-1])
}

func TestRefusedSignIn(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	o := options(s.URL(), newOutbox(t))
	o.Broker.Password = "wrong"
	err := Run(t.Context(), o)
	require.ErrorIs(t, err, mqtt.ErrRefused)
	require.ErrorContains(t, err, `user "gw.1"`)

	o = options(s.URL(), newOutbox(t))
	o.Broker.Password, o.Patient = "wrong", true
	refusals := make(chan error, 100)
	o.Observed = func(err error) { refusals <- err }
	stop := start(t, o)
	for range 2 {
		require.ErrorIs(t, <-refusals, mqtt.ErrRefused)
	}
	require.NoError(t, stop())
}

// proxy passes bytes on until it is cut.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func startProxy(t testing.TB, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, c, up)
			p.mu.Unlock()
			wg.Go(func() { _, _ = io.Copy(up, c); up.Close() })
			wg.Go(func() { _, _ = io.Copy(c, up); c.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); p.cut(); wg.Wait() })
	return p
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

// TestLastWill: a gateway that vanishes is said to be offline by the broker.
func TestLastWill(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	in := startIngest(t, s.URL(), nil)
	p := startProxy(t, strings.TrimPrefix(s.URL(), "tcp://"))
	b := newOutbox(t)
	o := options("tcp://"+p.listener.Addr().String(), b)
	o.Status = func() batch.Status { return batch.Status{Gateway: "gw.1", Version: "1"} }
	stop := start(t, o)
	require.Eventually(t, func() bool { s, ok := in.lastStatus(); return ok && s.Online }, wait, often)
	p.listener.Close()
	p.cut()
	require.Eventually(t, func() bool { s, _ := in.lastStatus(); return !s.Online && s.Version == "" }, wait, often)
	require.NoError(t, stop())
}

// TestLiveBesideBacklog: with hours of backlog and an ingest that takes its
// time, a new batch arrives among the next few.
func TestLiveBesideBacklog(t *testing.T) {
	s := startBroker(t, t.TempDir(), "127.0.0.1:0")
	gate := make(chan struct{}, 1000)
	in := startIngest(t, s.URL(), func(in *ingest, b *batch.Batch, h batch.Hash) {
		<-gate
		in.receipt(b.Number, h, ingestKey)
	})
	b := newOutbox(t)
	put(t, b, 500)
	o := options(s.URL(), b)
	o.Window = 4
	start(t, o)
	for range 20 {
		gate <- struct{}{}
	}
	require.Eventually(t, func() bool { return b.Status().Batches == 480 }, wait, often)
	put(t, b, 1)
	before := len(in.arrived())
	for range 30 {
		gate <- struct{}{}
	}
	require.Eventually(t, func() bool { return len(in.arrived()) >= before+26 }, wait, often)
	at := -1
	for i, n := range in.arrived() {
		if n == 501 {
			at = i
		}
	}
	require.GreaterOrEqual(t, at, 0, "the live batch has arrived")
	require.LessOrEqual(t, at, before+unconfirmedWindows*4+2, "behind no more than what was under way")
	for range 600 {
		gate <- struct{}{}
	}
	require.Eventually(t, empty(b), wait, often)
}

func TestStatusFits(t *testing.T) {
	st := batch.Status{Gateway: "gw-1"}
	for i := range 2000 {
		m := batch.MeterStatus{Meter: fmt.Sprintf("meter-%04d", i), LastSeen: testAt}
		if i%1000 == 7 {
			m.Fault = string(metering.NoAnswer)
		}
		st.Meters = append(st.Meters, m)
	}
	b, err := encodeStatus(st)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), maxStatus)
	got, err := batch.ParseStatus(b)
	require.NoError(t, err)
	require.Len(t, got.Meters, 2, "the faulty ones stay")
	require.Len(t, st.Meters, 2000)
	for i := range st.Meters {
		st.Meters[i].Fault, st.Meters[i].Detail = "no_answer", strings.Repeat("x", 200)
	}
	b, err = encodeStatus(st)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), maxStatus)
}

func TestRefusesOptions(t *testing.T) {
	good := options("tcp://127.0.0.1:1", newOutbox(t))
	for want, change := range map[string]func(*Options){
		"territory":     func(o *Options) { o.Territory = "" },
		"gateway":       func(o *Options) { o.Gateway = "A" },
		"outbox":        func(o *Options) { o.Outbox = nil },
		"key of ingest": func(o *Options) { o.IngestKey = nil },
	} {
		o := good
		change(&o)
		require.ErrorContains(t, Run(t.Context(), o), want)
	}
	// A broker that is not there is no error, and the end is prompt.
	ctx, cancel := context.WithCancel(t.Context())
	o := good
	o.Observed = func(err error) {
		if !errors.Is(err, mqtt.ErrRefused) {
			cancel()
		}
	}
	require.NoError(t, Run(ctx, o))
}

// BenchmarkHistory carries batches of 40 readings to a verifying ingest and
// their receipts back, over loopback and the embedded broker.
func BenchmarkHistory(b *testing.B) {
	s := startBroker(b, b.TempDir(), "127.0.0.1:0")
	startIngest(b, s.URL(), nil)
	box := newOutbox(b)
	parts := make([]outbox.Part, b.N)
	for i := range parts {
		parts[i].ClosedAt = testAt.UnixMilli()
		for j := range 40 {
			parts[i].Readings = append(parts[i].Readings, metering.Reading{Series: metering.Series(fmt.Sprintf("m-%d", j%4), metering.ActivePower),
				At: testAt.UnixMilli() + int64(i*1000+j), Unit: metering.KW, Number: metering.Int(int64(i + j))})
		}
	}
	require.NoError(b, box.PutMany(parts))
	o := options(s.URL(), box)
	o.Window, o.InOrder = 512, true
	b.ResetTimer()
	stop := start(b, o)
	require.Eventually(b, empty(box), 10*time.Minute, often)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
	require.NoError(b, stop())
}
