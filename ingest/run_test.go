package ingest

import (
	"context"
	"crypto/ed25519"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/mqtt"
)

// running is a Run in the background.
type running struct {
	stop context.CancelFunc
	done chan error
}

func run(t testing.TB, l *ledger.Ledger, url, dir string, change func(*Options)) *running {
	t.Helper()
	o := Options{
		Territory: testTerritory, Ledger: l, Keys: enrolled, Key: ingestKey,
		Broker:     mqtt.Options{Broker: url, Username: "ingest", Password: "i"},
		Quarantine: OpenQuarantine(filepath.Join(dir, "quarantine")),
		backoff:    &mqtt.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
	}
	if change != nil {
		change(&o)
	}
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop, done: make(chan error, 1)}
	go func() { r.done <- Run(ctx, o) }()
	t.Cleanup(func() { stop() })
	return r
}

func (r *running) end(t testing.TB) {
	t.Helper()
	r.stop()
	require.NoError(t, <-r.done)
}

// receipts subscribes to a gateway's receipts.
func receipts(t testing.TB, c *mqtt.Conn, gateway string) <-chan batch.Receipt {
	t.Helper()
	out := make(chan batch.Receipt, 100_000)
	require.NoError(t, c.Subscribe(ctx, []string{batch.Topic(testTerritory, gateway, batch.TopicReceipt)}, func(m mqtt.Message) {
		all, _ := batch.OpenReceipts(m.Payload, ingestKey.Public().(ed25519.PublicKey))
		for _, r := range all {
			out <- r
		}
		m.Ack()
	}))
	return out
}

func publish(t testing.TB, c *mqtt.Conn, gateway string, payloads ...[]byte) {
	t.Helper()
	for _, p := range payloads {
		require.NoError(t, c.Publish(ctx, batch.Topic(testTerritory, gateway, batch.TopicBatch), false, p))
	}
}

// subscribed returns when ingest has its subscription, which lasts from then
// on: when gw-a's first batch, sent again and again, is in the ledger.
func subscribed(t testing.TB, l *ledger.Ledger, url string, first []byte) {
	t.Helper()
	c, err := mqtt.Dial(ctx, mqtt.Options{Broker: url, ClientID: "test-first", Username: "gw-a", Password: "gw-a", CleanSession: true})
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool {
		publish(t, c, "gw-a", first)
		return l.Size() > 0
	}, 20*time.Second, 10*time.Millisecond)
}

// What gateways publish while ingest is away waits in its persistent session;
// what it had not acknowledged comes again.
func TestPersistentSession(t *testing.T) {
	dir := t.TempDir()
	s := testBroker(t, broker.Options{})
	l := openLedger(t, filepath.Join(dir, "ledger"))
	gw := dialAs(t, s.URL(), "gw-a", "gw-a")
	got := receipts(t, gw, "gw-a")
	g := newGateway(t, "gw-a")
	r := run(t, l, s.URL(), dir, nil)
	first := g.batch(2, nil)
	subscribed(t, l, s.URL(), first)
	r.end(t)

	away := g.batches(50, 2)
	publish(t, gw, "gw-a", away...)
	require.EqualValues(t, 1, l.Size())
	r = run(t, l, s.URL(), dir, nil)
	require.NoError(t, l.Wait(ctx, 51))
	requireLeaves(t, l, append([][]byte{first}, away...)...)
	seen := map[uint64]bool{}
	for len(seen) < 51 {
		select {
		case r := <-got:
			require.Empty(t, r.Rejected)
			require.Equal(t, r.Number-1, r.Index)
			seen[r.Number] = true
		case <-time.After(20 * time.Second):
			require.Fail(t, "receipts are missing")
		}
	}
	r.end(t)
}

// The broker goes and comes back, several times; ingest dials again and the
// gateway, which sends what has no receipt, ends with one leaf for each batch.
func TestBrokerComesBack(t *testing.T) {
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := free.Addr().String()
	require.NoError(t, free.Close())
	o := broker.Options{Dir: filepath.Join(dir, "broker"), Listen: listen}
	s := testBroker(t, o)
	l := openLedger(t, filepath.Join(dir, "ledger"))
	r := run(t, l, s.URL(), dir, nil)
	g := newGateway(t, "gw-a")
	all := g.batches(60, 2)
	subscribed(t, l, s.URL(), all[0])
	delivered := map[uint64]bool{}
	for round := 0; len(delivered) < len(all); round++ {
		require.Less(t, round, 50)
		func() {
			c, err := mqtt.Dial(ctx, mqtt.Options{Broker: s.URL(), ClientID: "test-gw-a", Username: "gw-a", Password: "gw-a"})
			require.NoError(t, err)
			defer c.Close()
			got := receipts(t, c, "gw-a")
			for i, p := range all {
				if delivered[uint64(i+1)] {
					continue
				}
				publish(t, c, "gw-a", p)
				if round < 3 && i >= 20*(round+1) {
					break
				}
			}
			deadline := time.After(2 * time.Second)
			for len(delivered) < len(all) {
				select {
				case r := <-got:
					require.Empty(t, r.Rejected)
					delivered[r.Number] = true
					if round < 3 && r.Number >= uint64(20*(round+1)) {
						return
					}
				case <-deadline: // receipts of a broken session were lost: send again
					return
				}
			}
		}()
		if round < 3 {
			require.NoError(t, s.Close())
			s = testBroker(t, o)
		}
	}
	requireLeaves(t, l, all...)
	r.end(t)
}

// A broker that refuses the sign-in, or options that make no sense, are said at
// once.
func TestRunRefuses(t *testing.T) {
	s := testBroker(t, broker.Options{})
	l := openLedger(t, t.TempDir())
	wait := func(change func(*Options)) error {
		r := run(t, l, s.URL(), t.TempDir(), change)
		select {
		case err := <-r.done:
			return err
		case <-time.After(20 * time.Second):
			require.Fail(t, "it goes on")
			return nil
		}
	}
	require.ErrorIs(t, wait(func(o *Options) { o.Broker.Password = "wrong" }), mqtt.ErrRefused)
	require.ErrorContains(t, wait(func(o *Options) { o.Territory = "Port 1" }), "territory")
	require.ErrorContains(t, wait(func(o *Options) { o.Ledger = nil }), "ledger")
	require.ErrorContains(t, wait(func(o *Options) { o.Key = nil }), "key for receipts")
}

// The registry may be slow at the start: batches wait for their keys.
func TestRunWaitsForKeys(t *testing.T) {
	dir := t.TempDir()
	s := testBroker(t, broker.Options{})
	l := openLedger(t, filepath.Join(dir, "ledger"))
	var asked atomic.Int32
	r := run(t, l, s.URL(), dir, func(o *Options) {
		o.Keys = func(g string) (ed25519.PublicKey, error) {
			if asked.Add(1) == 1 {
				return nil, ErrTryLater
			}
			return enrolled(g)
		}
	})
	gw := dialAs(t, s.URL(), "gw-b", "gw-b")
	p := newGateway(t, "gw-b").batch(1, nil)
	require.Eventually(t, func() bool {
		publish(t, gw, "gw-b", p)
		return l.Size() == 1
	}, 20*time.Second, 100*time.Millisecond)
	r.end(t)
	requireLeaves(t, l, p)
}

// BenchmarkIngest carries batches from gateways that wait for receipts, through
// the embedded broker, into the ledger, and behind it into the embedded store.
// One operation is one reading.
func BenchmarkIngest(b *testing.B) {
	for _, readings := range []int{20, 100, 1000} {
		b.Run(label(readings), func(b *testing.B) { benchmarkIngest(b, readings) })
	}
}

func label(readings int) string {
	return map[int]string{20: "20-a-batch", 100: "100-a-batch", 1000: "1000-a-batch"}[readings]
}

func benchmarkIngest(b *testing.B, readings int) {
	dir := b.TempDir()
	s := testBroker(b, broker.Options{})
	l := openLedger(b, filepath.Join(dir, "ledger"))
	store := openStore(b, filepath.Join(dir, "store"))
	n := max(b.N/readings, 3)
	gateways := []string{"gw-a", "gw-b", "gw-c"}
	made := map[string][][]byte{}
	for _, name := range gateways {
		made[name] = newGateway(b, name).batches(n/len(gateways)+1, readings)
	}
	total := (n/len(gateways) + 1) * len(gateways)
	r := run(b, l, s.URL(), dir, nil)
	defer r.end(b)
	conns := map[string]*mqtt.Conn{}
	for _, name := range gateways {
		conns[name] = dialAs(b, s.URL(), name, name)
	}
	subscribed(b, l, s.URL(), made["gw-a"][0])
	b.ResetTimer()
	began, cpu := time.Now(), cpuSeconds()
	var wg sync.WaitGroup
	for _, name := range gateways {
		wg.Go(func() {
			got := receipts(b, conns[name], name)
			slots := make(chan struct{}, 100)
			for _, p := range made[name] {
				slots <- struct{}{}
				wg.Go(func() {
					if err := conns[name].Publish(ctx, batch.Topic(testTerritory, name, batch.TopicBatch), false, p); err != nil {
						b.Error(err)
					}
					<-got // a receipt, of whichever batch
					<-slots
				})
			}
		})
	}
	require.NoError(b, Follow(ctx, l, store, FollowOptions{Until: uint64(total)}))
	took := time.Since(began).Seconds()
	b.StopTimer()
	wg.Wait()
	b.ReportMetric(float64(total)/took, "batches/s")
	b.ReportMetric(float64(total*readings)/took, "readings/s")
	b.ReportMetric(float64(total*readings)/(cpuSeconds()-cpu), "readings/CPU-s") // broker and gateways included
}

// cpuSeconds is the processor time that this process has used.
func cpuSeconds() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkFollow applies a ledger that is there to the embedded store: the
// speed of a rebuild.
func BenchmarkFollow(b *testing.B) {
	for _, readings := range []int{20, 100, 1000} {
		b.Run(label(readings), func(b *testing.B) {
			dir := b.TempDir()
			l := openLedger(b, filepath.Join(dir, "ledger"))
			n := max(b.N/readings, 3)
			all := newGateway(b, "gw-a").batches(n, readings)
			for len(all) > 0 {
				k := min(1000, len(all))
				_, err := l.AppendAll(ctx, all[:k])
				require.NoError(b, err)
				all = all[k:]
			}
			store := openStore(b, filepath.Join(dir, "store"))
			b.ResetTimer()
			began, cpu := time.Now(), cpuSeconds()
			require.NoError(b, Follow(ctx, l, store, FollowOptions{Until: uint64(n)}))
			b.ReportMetric(float64(n*readings)/time.Since(began).Seconds(), "readings/s")
			b.ReportMetric(float64(n*readings)/(cpuSeconds()-cpu), "readings/CPU-s")
		})
	}
}
