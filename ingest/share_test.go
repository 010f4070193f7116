package ingest

import (
	"context"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/mqtt"
)

// shortDir is a folder whose name leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "th")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// worker is a bench that hands over to the owner which listens on a socket.
func worker(t *testing.T, socket string) *bench {
	t.Helper()
	b := &bench{t: t, clock: &clock{at: epoch.Add(24 * time.Hour)}, failed: make(chan error, 1), receipts: make(chan sent, 10_000), acked: make(chan uint64, 10_000)}
	b.o = Options{Territory: testTerritory, Keys: enrolled, Key: ingestKey, Now: b.clock.now, Window: 64, Shared: true, Socket: socket}
	require.NoError(t, b.o.complete())
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	b.p = newPipeline(b.o, 1)
	b.p.owner = rpc.NewClient(conn)
	b.begin()
	t.Cleanup(func() { b.end(); b.p.owner.Close() })
	return b
}

func owner(t *testing.T, dir string) *bench {
	t.Helper()
	b := newBench(t, dir, func(o *Options) { o.Shared, o.Socket, o.Window = true, filepath.Join(dir, "s"), 64 })
	done, err := b.p.serve(b.ctx)
	require.NoError(t, err)
	t.Cleanup(done)
	return b
}

// Batches of three gateways, each sent to one or two of four processes in an
// order of its own, end in one ledger, each once, in unbroken chains; every
// sending gets the receipt with the one index.
func TestFourProcessesShare(t *testing.T) {
	dir := shortDir(t)
	first := owner(t, dir)
	all := []*bench{first, worker(t, first.o.Socket), worker(t, first.o.Socket), worker(t, first.o.Socket)}
	r := rand.New(rand.NewPCG(3, 4))
	sendings, want := 0, map[batch.Hash]bool{}
	var waiting [][2]any
	for _, name := range []string{"gw-a", "gw-b", "gw-c"} {
		for _, payload := range newGateway(t, name).batches(60, 20) {
			want[batch.HashOf(payload)] = true
			waiting = append(waiting, [2]any{name, payload})
		}
	}
	for i := range waiting { // a little out of order, as processes overtake each other
		j := min(len(waiting)-1, i+r.IntN(5))
		waiting[i], waiting[j] = waiting[j], waiting[i]
	}
	for _, w := range waiting {
		for range 1 + r.IntN(2) {
			all[r.IntN(len(all))].send(w[0].(string), w[1].([]byte))
			sendings++
		}
	}
	index := map[batch.Hash]uint64{}
	for range sendings {
		var got sent
		select {
		case got = <-all[0].receipts:
		case got = <-all[1].receipts:
		case got = <-all[2].receipts:
		case got = <-all[3].receipts:
		case <-time.After(20 * time.Second):
			require.Fail(t, "no receipt")
		}
		require.Empty(t, got.Rejected)
		if have, ok := index[got.Batch]; ok {
			require.Equal(t, have, got.Index)
		}
		index[got.Batch] = got.Index
	}
	require.Len(t, index, len(want))
	require.EqualValues(t, len(want), first.o.Ledger.Size(), "no batch is in the ledger twice")
	for e, err := range first.o.Ledger.Entries(ctx, 0, first.o.Ledger.Size()) {
		require.NoError(t, err)
		require.True(t, want[batch.HashOf(e.Data)])
		require.Equal(t, e.Index, index[batch.HashOf(e.Data)])
	}
	for _, name := range []string{"gw-a", "gw-b", "gw-c"} {
		c := first.o.Chains.Of(name)
		require.Zero(t, c.Missing(), name)
		require.EqualValues(t, 60, c.Last)
		require.False(t, first.alarms.open("ingest/gap/"+name), "overtaken is not missing")
	}
	held, err := first.o.Quarantine.List()
	require.NoError(t, err)
	require.Empty(t, held)
}

// What a worker refuses is in the owner's quarantine with its reason and alarm,
// and answered as anywhere else.
func TestWorkerRefuses(t *testing.T) {
	dir := shortDir(t)
	first := owner(t, dir)
	w := worker(t, first.o.Socket)
	g := newGateway(t, "gw-a")
	good := g.batch(3, nil)
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	w.acks(w.send("gw-a", bad, []byte("garbage"), good)...)
	kinds := map[string]bool{}
	for range 3 {
		r := w.receipt()
		kinds[r.Rejected] = true
		require.Equal(t, r.Batch == batch.HashOf(good), r.Rejected == "")
	}
	require.Len(t, kinds, 3)
	held, err := first.o.Quarantine.List()
	require.NoError(t, err)
	require.Len(t, held, 2)
	require.ElementsMatch(t, []string{"signature", "format"}, []string{held[0].Kind, held[1].Kind})
	require.True(t, first.alarms.open("ingest/signature/gw-a"))
	require.EqualValues(t, 1, first.o.Ledger.Size())
}

// When the owner goes, a worker says so and acknowledges nothing more; the next
// owner of the same ledger knows what was settled.
func TestOwnerGoes(t *testing.T) {
	dir := shortDir(t)
	first := owner(t, dir)
	w := worker(t, first.o.Socket)
	g := newGateway(t, "gw-a")
	one, two := g.batch(3, nil), g.batch(3, nil)
	w.acks(w.send("gw-a", one)...)
	w.receipt()
	first.end()
	w.send("gw-a", two)
	select {
	case err := <-w.failed:
		require.ErrorIs(t, err, ErrOwnerGone)
		require.True(t, fatal(err))
	case <-time.After(20 * time.Second):
		require.Fail(t, "the worker did not notice")
	}
	require.Empty(t, w.acked)
	require.NoError(t, first.o.Ledger.Close())

	next := owner(t, dir)
	again := worker(t, next.o.Socket)
	again.acks(again.send("gw-a", one, two)...)
	require.EqualValues(t, 0, again.receipt().Index+again.receipt().Index-1, "the first is known, the second is new")
	require.EqualValues(t, 2, next.o.Ledger.Size())
}

// A worker without an owner says so at once; one whose owner leaves while there
// is nothing to do notices.
func TestWorkNeedsOwner(t *testing.T) {
	dir := shortDir(t)
	o := Options{Territory: testTerritory, Keys: enrolled, Key: ingestKey, Shared: true, Socket: filepath.Join(dir, "s"), Broker: mqtt.Options{Broker: "tcp://127.0.0.1:1"}}
	require.ErrorIs(t, Work(ctx, o), ErrOwnerGone)
	stopped, stop := context.WithCancel(ctx)
	stop()
	require.NoError(t, Work(stopped, o))

	l, err := net.Listen("unix", o.Socket)
	require.NoError(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() { done <- Work(ctx, o) }()
	c, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-done, ErrOwnerGone)
	o.Shared = false
	require.ErrorContains(t, Work(ctx, o), "shared subscription")
}

// Where processes share, a gap is one when it has lasted; alone it is one at once.
func TestOvertakenIsNoGap(t *testing.T) {
	for shared, when := range map[bool]time.Duration{false: 0, true: overtaken} {
		b := newBench(t, t.TempDir(), func(o *Options) { o.Shared = shared })
		g := newGateway(t, "gw-a")
		all := g.batches(6, 2)
		b.acks(b.send("gw-a", all[0], all[2])...)
		require.Equal(t, !shared, b.alarms.open("ingest/gap/gw-a"))
		b.clock.add(overtaken - time.Second)
		b.acks(b.send("gw-a", all[3])...)
		require.Equal(t, !shared, b.alarms.open("ingest/gap/gw-a"))
		b.clock.add(time.Second)
		b.acks(b.send("gw-a", all[4])...)
		require.Truef(t, b.alarms.open("ingest/gap/gw-a"), "shared %v: after %s", shared, when)
		b.acks(b.send("gw-a", all[1])...)
		require.False(t, b.alarms.open("ingest/gap/gw-a"), "it came")
	}
}
