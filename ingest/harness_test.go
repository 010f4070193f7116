package ingest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testTerritory = "port"
	testOrigin    = "thermie.example/test"
)

var (
	ctx        = context.Background()
	ingestKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	ledgerKey  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	strangeKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	epoch      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

var keys sync.Map // gateway: ed25519.PrivateKey, made once

// keyOf is the key of a gateway of the tests.
func keyOf(gateway string) ed25519.PrivateKey {
	if k, ok := keys.Load(gateway); ok {
		return k.(ed25519.PrivateKey)
	}
	h := batch.HashOf([]byte(gateway))
	k, _ := keys.LoadOrStore(gateway, ed25519.NewKeyFromSeed(h[:]))
	return k.(ed25519.PrivateKey)
}

// enrolled knows gateways gw-a, gw-b, gw-c.
func enrolled(gateway string) (ed25519.PublicKey, error) {
	switch gateway {
	case "gw-a", "gw-b", "gw-c":
		return keyOf(gateway).Public().(ed25519.PublicKey), nil
	}
	return nil, fmt.Errorf("gateway %s is not enrolled", gateway)
}

// gateway makes the batches of one gateway, as its outbox would.
type gateway struct {
	t      testing.TB
	name   string
	number uint64
	last   batch.Hash
}

func newGateway(t testing.TB, name string) *gateway { return &gateway{t: t, name: name} }

// batch makes the next batch; change, when not nil, may alter it before it is sealed.
func (g *gateway) batch(readings int, change func(*batch.Batch)) []byte {
	g.t.Helper()
	b := &batch.Batch{
		Gateway: g.name, Number: g.number + 1, Previous: g.last, Origin: batch.Synthetic,
		ClosedAt: epoch.UnixMilli() + int64(g.number)*60_000,
	}
	for i := range readings {
		b.Readings = append(b.Readings, metering.Reading{
			Series: metering.Series(fmt.Sprintf("%s-m%d", g.name, i%5), metering.HeatEnergy), Unit: "kWh",
			At:     b.ClosedAt - 60_000 + int64(i)*100,
			Number: metering.Decimal{Coef: int64(g.number)*1000 + int64(i), Exp: -1},
		})
	}
	if change != nil {
		change(b)
	}
	sealed, err := batch.Seal(b, keyOf(g.name))
	require.NoError(g.t, err)
	g.number, g.last = b.Number, batch.HashOf(sealed)
	return sealed
}

func (g *gateway) batches(n, readings int) (out [][]byte) {
	for range n {
		out = append(out, g.batch(readings, nil))
	}
	return out
}

func openLedger(t testing.TB, dir string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, ledger.Options{Origin: testOrigin, Signer: ledgerKey})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func requireLeaves(t testing.TB, l *ledger.Ledger, want ...[]byte) {
	t.Helper()
	var got [][]byte
	for e, err := range l.Entries(ctx, 0, l.Size()) {
		require.NoError(t, err)
		got = append(got, e.Data)
	}
	require.Equal(t, len(want), len(got), "leaves in the ledger")
	for i := range want {
		require.Truef(t, bytes.Equal(want[i], got[i]), "leaf %d is another batch", i)
	}
}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// recorder keeps alarms by ID: the last word on each.
type recorder struct {
	mu   sync.Mutex
	last map[string]metering.Alarm
	all  int
}

func (r *recorder) raise(a metering.Alarm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = make(map[string]metering.Alarm)
	}
	r.last[a.ID] = a
	r.all++
}

// open says whether an alarm was raised and has not ended.
func (r *recorder) open(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.last[id]
	return ok && a.Until.IsZero()
}

func (r *recorder) get(id string) metering.Alarm {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[id]
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// sent is a receipt that the pipeline published, opened.
type sent struct {
	topic string
	batch.Receipt
}

// bench is a pipeline without a broker: messages go in, receipts and
// acknowledgements come out.
type bench struct {
	t          testing.TB
	o          Options
	p          *pipeline
	clock      *clock
	alarms     *recorder
	tick       chan time.Time
	ctx        context.Context
	stop       context.CancelFunc
	ended      <-chan struct{}
	failed     chan error
	receipts   chan sent
	acked      chan uint64 // numbers of messages, in the order of acknowledgement
	next       uint64
	publishing func(topic string) error // nil: every publish succeeds
	dir        string
}

// newBench starts a pipeline on the ledger in dir/ledger.
func newBench(t testing.TB, dir string, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, clock: &clock{at: epoch.Add(24 * time.Hour)}, alarms: &recorder{}, tick: make(chan time.Time),
		failed: make(chan error, 1), receipts: make(chan sent, 10_000), acked: make(chan uint64, 10_000)}
	b.o = Options{
		Territory: testTerritory, Keys: enrolled, Key: ingestKey, Quarantine: OpenQuarantine(filepath.Join(dir, "quarantine")),
		Alarm: b.alarms.raise, Now: b.clock.now, tick: b.tick, Window: 16,
	}
	if change != nil {
		change(&b.o)
	}
	if b.o.Ledger == nil {
		b.o.Ledger = openLedger(t, filepath.Join(dir, "ledger"))
	}
	require.NoError(t, b.o.complete())
	if b.o.Chains == nil {
		var err error
		b.o.Chains, err = OpenChains(ctx, b.o.Ledger, filepath.Join(dir, "chains"))
		require.NoError(t, err)
	}
	b.p = newPipeline(b.o, 2)
	b.begin()
	t.Cleanup(b.end)
	return b
}

// begin starts a session.
func (b *bench) begin() {
	b.ctx, b.stop = context.WithCancel(ctx)
	b.ended = b.p.start(b.ctx, func(err error) { b.failed <- err }, func(_ context.Context, topic string, retained bool, payload []byte) error {
		if b.publishing != nil {
			if err := b.publishing(topic); err != nil {
				return err
			}
		}
		all, err := batch.OpenReceipts(payload, ingestKey.Public().(ed25519.PublicKey))
		if err != nil || retained {
			panic(fmt.Sprint("bad receipt: ", err))
		}
		for _, r := range all {
			b.receipts <- sent{topic, r}
		}
		return nil
	})
}

func (b *bench) end() {
	b.stop()
	<-b.ended
}

// send gives payloads on a gateway's topic to the pipeline and returns the
// numbers of the messages.
func (b *bench) send(gateway string, payloads ...[]byte) (ids []uint64) {
	for _, payload := range payloads {
		b.next++
		id := b.next
		ids = append(ids, id)
		b.p.receive(b.ctx, mqtt.Message{
			Topic: batch.Topic(testTerritory, gateway, batch.TopicBatch), Payload: payload, Ack: func() { b.acked <- id },
		})
	}
	return ids
}

func (b *bench) receipt() sent {
	b.t.Helper()
	select {
	case r := <-b.receipts:
		return r
	case <-time.After(20 * time.Second):
		require.Fail(b.t, "no receipt")
		return sent{}
	}
}

// acks waits for the acknowledgement of messages, in their order.
func (b *bench) acks(ids ...uint64) {
	b.t.Helper()
	for _, id := range ids {
		select {
		case got := <-b.acked:
			require.Equal(b.t, id, got, "order of acknowledgements")
		case <-time.After(20 * time.Second):
			require.Fail(b.t, "not acknowledged", "message %d", id)
		}
	}
}

// ticks lets the housekeeping run once and waits until it is over.
func (b *bench) ticks() {
	b.tick <- time.Time{}
	b.tick <- time.Time{} // taken only after the round that the first began
}

// testBroker is an embedded broker with an ingest and gateways gw-a, gw-b, gw-c.
func testBroker(t testing.TB, o broker.Options) *broker.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	branch := "thermie/v1/" + testTerritory
	o.Users = []broker.User{{Name: "ingest", Password: "i", Publish: []string{branch + "/+/receipt"}, Subscribe: []string{branch + "/+/batch", branch + "/+/status"}}}
	for _, g := range []string{"gw-a", "gw-b", "gw-c"} {
		o.Users = append(o.Users, broker.User{Name: g, Password: g, Publish: []string{branch + "/" + g + "/batch", branch + "/" + g + "/status"}, Subscribe: []string{branch + "/" + g + "/receipt"}})
	}
	s, err := broker.Start(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func dialAs(t testing.TB, url, user, password string) *mqtt.Conn {
	t.Helper()
	c, err := mqtt.Dial(ctx, mqtt.Options{Broker: url, ClientID: "test-" + user, Username: user, Password: password})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
