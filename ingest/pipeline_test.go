package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crypto/ed25519"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

// Batches of several gateways, interleaved, end in the ledger as they were
// received, in the order of arrival; each gets its receipt.
func TestAccepts(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	a, c := newGateway(t, "gw-a"), newGateway(t, "gw-c")
	var all [][]byte
	for range 100 {
		x, y := a.batch(3, nil), c.batch(2, nil)
		all = append(all, x, y)
		ids := append(b.send("gw-a", x), b.send("gw-c", y)...)
		for range 2 {
			r := b.receipt()
			require.Empty(t, r.Rejected)
			require.Equal(t, batch.Topic(testTerritory, r.Gateway, batch.TopicReceipt), r.topic)
			require.Equal(t, r.Batch, batch.HashOf(all[r.Index]), "the receipt names the leaf of its batch")
			require.EqualValues(t, r.Index/2+1, r.Number)
		}
		b.acks(ids...)
	}
	requireLeaves(t, b.o.Ledger, all...)
	require.Zero(t, b.alarms.count())
	chain := b.o.Chains.Of("gw-c")
	require.Equal(t, Chain{Last: 100, Hash: c.last, Index: 199, Count: 100}, chain)
	require.Zero(t, chain.Missing())
}

// The same bytes again: the same receipt, no second leaf, at once, in the same
// group and after a restart.
func TestDuplicates(t *testing.T) {
	dir := t.TempDir()
	g := newGateway(t, "gw-a")
	all := g.batches(5, 2)
	twice := append(append([][]byte{}, all...), all...)
	run := func(round int) {
		b := newBench(t, dir, nil)
		defer b.end()
		defer b.o.Ledger.Close()
		b.acks(b.send("gw-a", twice...)...)
		for range twice {
			r := b.receipt()
			require.Empty(t, r.Rejected)
			require.Equal(t, r.Number-1, r.Index)
		}
		requireLeaves(t, b.o.Ledger, all...)
		require.EqualValues(t, 5, b.o.Chains.Of("gw-a").Count)
		require.Zero(t, b.alarms.count(), "round %d", round)
		require.NoError(t, b.o.Chains.Save())
	}
	run(1)
	run(2)
	require.NoError(t, os.Remove(filepath.Join(dir, "chains")))
	run(3)
}

// What is wrong with a batch is found in this order: form, sender's enrolment,
// signature, content, topic, clock, chain. It is kept with its reason and the
// gateway is told.
func TestRefuses(t *testing.T) {
	forged := func(g *gateway, change func(*batch.Batch)) []byte {
		b := &batch.Batch{Gateway: g.name, Number: 1, Origin: batch.Measured, ClosedAt: epoch.UnixMilli(),
			Readings: []metering.Reading{{Series: "m/heat_energy", Unit: "kWh", At: epoch.UnixMilli(), Number: metering.Int(1)}}}
		if change != nil {
			change(b)
		}
		sealed, err := batch.Seal(b, strangeKey)
		require.NoError(g.t, err)
		return sealed
	}
	far := epoch.Add(24*time.Hour + clockRefuse + time.Minute).UnixMilli()
	for name, c := range map[string]struct {
		on      string // topic's gateway
		payload func(a *gateway) []byte
		kind    string
		reason  string
		number  uint64
	}{
		"garbage":        {"gw-a", func(*gateway) []byte { return []byte("not a batch") }, "format", "COSE", 0},
		"empty":          {"gw-a", func(*gateway) []byte { return nil }, "format", "COSE", 0},
		"too large":      {"gw-a", func(*gateway) []byte { return make([]byte, batch.MaxBytes+1) }, "format", "too large", 0},
		"not enrolled":   {"gw-x", func(a *gateway) []byte { a.name = "gw-x"; return a.batch(1, nil) }, "enrolment", "gw-x is not enrolled", 1},
		"another's key":  {"gw-a", func(a *gateway) []byte { return forged(a, nil) }, "signature", "does not verify", 1},
		"altered":        {"gw-a", func(a *gateway) []byte { p := a.batch(1, nil); p[len(p)-1] ^= 1; return p }, "signature", "does not verify", 1},
		"another topic":  {"gw-b", func(a *gateway) []byte { return a.batch(1, nil) }, "sender", "batch of gw-a on the topic of gw-b", 1},
		"unsigned unit":  {"gw-a", func(a *gateway) []byte { return forged(a, func(b *batch.Batch) { b.Number = 7; b.Break = "x" }) }, "signature", "does not verify", 7},
		"closed too far": {"gw-a", func(a *gateway) []byte { return a.batch(1, func(b *batch.Batch) { b.ClosedAt = far }) }, "clock", "ahead", 1},
		"read too far":   {"gw-a", func(a *gateway) []byte { return a.batch(1, func(b *batch.Batch) { b.Readings[0].At = far }) }, "clock", "ahead", 1},
		// Signed with the gateway's own key: only a gateway that is broken, or broken
		// into, sends such.
		"wrong unit":       {"gw-a", signedBadly("unit"), "format", `unit "Cel" is not one of`, 1},
		"wrong instant":    {"gw-a", signedBadly("instant"), "format", "is not between the years 2000 and 2200", 1},
		"unknown quantity": {"gw-a", signedBadly("quantity"), "format", `unknown quantity "happiness"`, 1},
		"bad name":         {"gw-a", signedBadly("name"), "format", "want <meter>/<quantity>", 1},
		"no chain": {"gw-a", func(a *gateway) []byte {
			a.batch(1, nil)
			return a.batch(1, func(b *batch.Batch) { b.Number = 1; b.Previous = batch.Hash{} })
		}, "chain", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, t.TempDir(), nil)
			a := newGateway(t, "gw-a")
			if c.kind == "chain" { // the gateway's real first batch is there before
				first := newGateway(t, "gw-a").batch(2, nil)
				b.acks(b.send("gw-a", first)...)
				b.receipt()
			}
			before := b.o.Ledger.Size()
			payload := c.payload(a)
			ids := b.send(c.on, payload)
			r := b.receipt()
			b.acks(ids...)
			require.Contains(t, r.Rejected, c.reason)
			require.NotEmpty(t, r.Rejected)
			require.Equal(t, batch.Receipt{Gateway: c.on, Number: c.number, Batch: batch.HashOf(payload), Rejected: r.Rejected}, r.Receipt)
			require.Equal(t, before, b.o.Ledger.Size(), "nothing refused is in the ledger")

			list, err := b.o.Quarantine.List()
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, c.kind, list[0].Kind)
			require.Contains(t, list[0].Reason, c.reason)
			_, kept, err := b.o.Quarantine.Show(list[0].ID)
			require.NoError(t, err)
			require.Equal(t, payload, append([]byte(nil), kept...))

			alarm := b.alarms.get("ingest/" + c.kind + "/" + c.on)
			require.Equal(t, c.on, alarm.Subject)
			require.Contains(t, alarm.Text.FR, "quarantaine")
			require.True(t, alarm.Until.IsZero())

			// Sent again it is refused again, and kept once.
			b.acks(b.send(c.on, payload)...)
			require.Equal(t, r.Receipt, b.receipt().Receipt)
			list, err = b.o.Quarantine.List()
			require.NoError(t, err)
			require.Len(t, list, 1)
		})
	}
}

// signedBadly is a batch that the gateway's key signed although the rules of the
// wire forbid what it holds; package batch seals no such thing.
func signedBadly(name string) func(*gateway) []byte {
	return func(g *gateway) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", "signed", name+".batch"))
		require.NoError(g.t, err)
		return b
	}
}

// Signature comes before content: what an impostor writes is not decoded.
func TestVerifyOrder(t *testing.T) {
	asked := 0
	keys := func(g string) (ed25519.PublicKey, error) { asked++; return enrolled(g) }
	require.Equal(t, "format", verify(batch.NewVerifier(), []byte("x"), "gw-a", keys, epoch).refuse.kind)
	require.Zero(t, asked, "no key is looked up for what is no batch")
	g := newGateway(t, "gw-a")
	p := g.batch(3, nil)
	v := verify(batch.NewVerifier(), p, "gw-a", keys, epoch)
	require.Nil(t, v.refuse)
	require.Nil(t, v.head.Readings, "readings are let go")
	require.Equal(t, batch.HashOf(p), v.hash)
	late := fmt.Errorf("registry: %w", ErrTryLater)
	v = verify(batch.NewVerifier(), p, "gw-a", func(string) (ed25519.PublicKey, error) { return nil, late }, epoch)
	require.Nil(t, v.refuse)
	require.ErrorIs(t, v.later, ErrTryLater)
}

// While keys cannot be looked up a batch waits; nothing is refused for it.
func TestKeysLater(t *testing.T) {
	var tries atomic.Int32
	b := newBench(t, t.TempDir(), func(o *Options) {
		o.Keys = func(g string) (ed25519.PublicKey, error) {
			if tries.Add(1) < 2 {
				return nil, fmt.Errorf("registry busy: %w", ErrTryLater)
			}
			return enrolled(g)
		}
	})
	p := newGateway(t, "gw-a").batch(1, nil)
	b.acks(b.send("gw-a", p)...)
	require.Empty(t, b.receipt().Rejected)
	requireLeaves(t, b.o.Ledger, p)
}

// A number that is skipped opens a gap with an alarm; when the missing batches
// come after all they fill it and the alarm ends. One that does not fit on
// either side is refused.
func TestGapFilled(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	g := newGateway(t, "gw-a")
	all := g.batches(6, 1)
	b.acks(b.send("gw-a", all[0], all[1])...)
	require.False(t, b.alarms.open("ingest/gap/gw-a"))
	b.acks(b.send("gw-a", all[5])...)
	require.True(t, b.alarms.open("ingest/gap/gw-a"))
	require.Contains(t, b.alarms.get("ingest/gap/gw-a").Text.EN, "Batches 3 to 5 of gateway gw-a are missing.")
	chain := b.o.Chains.Of("gw-a")
	require.EqualValues(t, 3, chain.Missing())
	require.Equal(t, []Gap{{From: 3, To: 5, After: batch.HashOf(all[1]), Before: batch.HashOf(all[4])}}, chain.Gaps)

	// Somebody with the gateway's key makes up another history.
	other := newGateway(t, "gw-a")
	made := other.batches(5, 2)
	b.acks(b.send("gw-a", made[2])...) // follows another batch 2
	b.acks(b.send("gw-a", made[4])...) // is not the one that batch 6 follows
	rejected := 0
	for range 5 {
		if r := b.receipt(); r.Rejected != "" {
			rejected++
		}
	}
	require.Equal(t, 2, rejected)

	b.acks(b.send("gw-a", all[3])...) // in the middle: two gaps
	require.Len(t, b.o.Chains.Of("gw-a").Gaps, 2)
	b.acks(b.send("gw-a", all[2])...)
	require.True(t, b.alarms.open("ingest/gap/gw-a"))
	b.acks(b.send("gw-a", all[4])...)
	for range 3 {
		require.Empty(t, b.receipt().Rejected)
	}
	require.False(t, b.alarms.open("ingest/gap/gw-a"))
	chain = b.o.Chains.Of("gw-a")
	require.Equal(t, Chain{Last: 6, Hash: g.last, Index: 2, Count: 6}, chain)
	requireLeaves(t, b.o.Ledger, all[0], all[1], all[5], all[3], all[2], all[4])
}

// A break that the gateway declares is a gap with its reason.
func TestDeclaredBreak(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	g := newGateway(t, "gw-a")
	first := g.batch(1, nil)
	lost := g.batch(1, func(b *batch.Batch) { b.Number = 4; b.Break = "spool damaged: batches 2 to 3 lost" })
	anew := g.batch(1, func(b *batch.Batch) { b.Number = 1_700_000_000; b.Previous = batch.Hash{}; b.Break = "disk replaced" })
	b.acks(b.send("gw-a", first, lost)...)
	require.Contains(t, b.alarms.get("ingest/gap/gw-a").Text.FR, "déclare la perte des lots 2 à 3")
	require.EqualValues(t, 2, missingOf(b, "gw-a"))
	b.clock.add(2 * alarmEvery)
	b.acks(b.send("gw-a", anew)...)
	require.Contains(t, b.alarms.get("ingest/gap/gw-a").Text.EN, `began its chain anew at batch 1700000000 ("disk replaced")`)
	require.EqualValues(t, 2, missingOf(b, "gw-a"), "a break of unknown length is not counted")
	for range 3 {
		require.Empty(t, b.receipt().Rejected)
	}
}

func missingOf(b *bench, gateway string) uint64 {
	c := b.o.Chains.Of(gateway)
	return c.Missing()
}

// A gateway whose clock is ahead is let through with an alarm, which ends with
// the first batch that is dated well.
func TestClockAlarm(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	g := newGateway(t, "gw-a")
	b.acks(b.send("gw-a", g.batch(1, func(x *batch.Batch) { x.ClosedAt = b.clock.now().Add(clockAlarm + time.Minute).UnixMilli() }))...)
	require.True(t, b.alarms.open("ingest/clock/gw-a"))
	require.Contains(t, b.alarms.get("ingest/clock/gw-a").Text.EN, "11 min ahead")
	b.acks(b.send("gw-a", g.batch(1, nil))...)
	require.False(t, b.alarms.open("ingest/clock/gw-a"))
	require.Equal(t, b.clock.now().UTC(), b.alarms.get("ingest/clock/gw-a").Until)
	require.EqualValues(t, 2, b.o.Ledger.Size())
}

// What was refused is tried again after mending, and its alarm ends when
// nothing of the gateway is in quarantine any more.
func TestReplay(t *testing.T) {
	var known atomic.Bool
	b := newBench(t, t.TempDir(), func(o *Options) {
		o.Keys = func(g string) (ed25519.PublicKey, error) {
			if g == "gw-new" && known.Load() {
				return keyOf(g).Public().(ed25519.PublicKey), nil
			}
			return enrolled(g)
		}
	})
	g := newGateway(t, "gw-new")
	all := g.batches(3, 2)
	b.acks(b.send("gw-new", all...)...)
	for range all {
		require.NotEmpty(t, b.receipt().Rejected)
	}
	const alarm = "ingest/enrolment/gw-new"
	require.True(t, b.alarms.open(alarm))
	list, err := b.o.Quarantine.List()
	require.NoError(t, err)
	require.Len(t, list, 3)

	// Not mended yet: it fails again and stays.
	require.NoError(t, b.o.Quarantine.Replay(list[0].ID))
	b.tick <- time.Time{}
	require.NotEmpty(t, b.receipt().Rejected)
	require.Eventually(t, func() bool {
		l, err := b.o.Quarantine.List()
		return err == nil && len(l) == 3 && !l[0].Replay
	}, 10*time.Second, time.Millisecond)
	b.ticks()
	require.True(t, b.alarms.open(alarm))

	known.Store(true)
	for _, h := range list {
		require.NoError(t, b.o.Quarantine.Replay(h.ID))
	}
	b.tick <- time.Time{}
	for range list {
		require.Empty(t, b.receipt().Rejected)
	}
	b.ticks()
	left, err := b.o.Quarantine.List()
	require.NoError(t, err)
	require.Empty(t, left)
	require.False(t, b.alarms.open(alarm))
	require.EqualValues(t, 3, b.o.Ledger.Size())
	require.EqualValues(t, 3, b.o.Chains.Of("gw-new").Count)
}

// An alarm that an earlier process raised is ended by a later one.
func TestLastingAlarms(t *testing.T) {
	since := epoch.Add(-time.Hour)
	old := metering.Alarm{ID: "ingest/signature/gw-a", Kind: "signature", Subject: "gw-a", Since: since}
	other := metering.Alarm{ID: "heat/drift/gw-a", Kind: "drift", Subject: "gw-a", Since: since}
	store := metering.Alarm{ID: "ingest/store/store", Kind: "store", Subject: "store", Since: since}
	b := newBench(t, t.TempDir(), func(o *Options) { o.Lasting = []metering.Alarm{old, other, store} })
	b.ticks()
	require.Equal(t, 1, b.alarms.count())
	require.Equal(t, since, b.alarms.get(old.ID).Since)
	require.False(t, b.alarms.get(old.ID).Until.IsZero())
}

// The same trouble is told once a minute, not once a batch.
func TestAlarmsAreFew(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	for i := range 50 {
		b.acks(b.send("gw-a", fmt.Appendf(nil, "garbage %d", i))...)
	}
	require.Equal(t, 1, b.alarms.count())
	b.clock.add(alarmEvery)
	b.acks(b.send("gw-a", []byte("more"))...)
	require.Equal(t, 2, b.alarms.count())
	require.Equal(t, b.clock.now().Add(-alarmEvery).UTC(), b.alarms.get("ingest/format/gw-a").Since)
}

// When the ledger cannot write, nothing is acknowledged and no receipt leaves;
// when it can again, everything goes through.
func TestLedgerRefuses(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	var full atomic.Bool
	var tried atomic.Int32
	full.Store(true)
	b.end()
	b.p.write = func(ctx context.Context, leaves [][]byte) ([]ledger.Appended, error) {
		tried.Add(1)
		if full.Load() {
			return nil, errors.New("no space left on device")
		}
		return b.o.Ledger.AppendAll(ctx, leaves)
	}
	b.begin()
	g := newGateway(t, "gw-a")
	all := g.batches(3, 1)
	ids := b.send("gw-a", all...)
	require.Eventually(t, func() bool { return tried.Load() >= 2 }, 20*time.Second, time.Millisecond)
	require.True(t, b.alarms.open("ingest/ledger/ledger"))
	require.Contains(t, b.alarms.get("ingest/ledger/ledger").Text.EN, "no space left on device")
	require.Empty(t, b.receipts)
	require.Empty(t, b.acked)
	require.Zero(t, b.o.Ledger.Size())
	require.Zero(t, b.o.Chains.Of("gw-a").Last)
	full.Store(false)
	b.acks(ids...)
	for range all {
		require.Empty(t, b.receipt().Rejected)
	}
	require.False(t, b.alarms.open("ingest/ledger/ledger"))
	requireLeaves(t, b.o.Ledger, all...)
}

// A ledger that failed for good ends the session; nothing is acknowledged.
func TestLedgerFails(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	require.NoError(t, b.o.Ledger.Close())
	b.send("gw-a", newGateway(t, "gw-a").batch(1, nil))
	select {
	case err := <-b.failed:
		require.True(t, fatal(err), err)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the session goes on")
	}
	require.Empty(t, b.receipts)
	require.Empty(t, b.acked)
}

// A receipt that the broker did not take leaves its batch unacknowledged: it
// comes again on the next connection and is not doubled.
func TestReceiptNotSent(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	var down atomic.Bool
	down.Store(true)
	tried := make(chan struct{}, 100)
	b.publishing = func(string) error {
		if down.Load() {
			tried <- struct{}{}
			return errors.New("connection lost")
		}
		return nil
	}
	g := newGateway(t, "gw-a")
	all := g.batches(4, 1)
	b.send("gw-a", all...)
	require.NoError(t, b.o.Ledger.Wait(ctx, uint64(len(all))))
	<-tried // one signature may stand for several batches
	requireLeaves(t, b.o.Ledger, all...)
	b.end()
	require.Empty(t, b.acked)
	down.Store(false)
	b.begin()
	b.acks(b.send("gw-a", all...)...)
	for range all {
		require.Empty(t, b.receipt().Rejected)
	}
	requireLeaves(t, b.o.Ledger, all...)
}

// What is under way is bounded: a message beyond the window waits, and is let
// go when the session ends.
func TestWindow(t *testing.T) {
	b := newBench(t, t.TempDir(), func(o *Options) { o.Window = 4 })
	b.publishing = func(string) error { <-b.ctx.Done(); return b.ctx.Err() }
	g := newGateway(t, "gw-a")
	b.send("gw-a", g.batches(4, 1)...)
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		b.send("gw-a", g.batch(1, nil))
	}()
	require.Eventually(t, func() bool { return b.o.Ledger.Size() == 4 }, 10*time.Second, time.Millisecond)
	select {
	case <-waiting:
		require.Fail(t, "a fifth batch entered a window of four")
	default:
	}
	b.stop()
	<-waiting
	<-b.ended
	require.EqualValues(t, 4, b.o.Ledger.Size())
}

// When a gateway's part of the quarantine is full its bad batches get neither
// receipt nor room, and the stream goes on.
func TestQuarantineFull(t *testing.T) {
	b := newBench(t, t.TempDir(), nil)
	dir := filepath.Join(b.dir, "quarantine", "gw-a")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	for i := range maxHeld {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%013d-%064d.held", i, i)), nil, 0o600))
	}
	good := newGateway(t, "gw-a").batch(1, nil)
	b.acks(append(b.send("gw-a", []byte("bad")), b.send("gw-a", good)...)...)
	r := b.receipt()
	require.Empty(t, r.Rejected)
	require.Equal(t, batch.HashOf(good), r.Batch)
	require.Empty(t, b.receipts)
	require.Contains(t, b.alarms.get("ingest/format/gw-a").Text.EN, "is full")
}

// Statuses go to OnStatus when they are of the gateway whose topic it is.
func TestStatuses(t *testing.T) {
	var got []batch.Status
	b := newBench(t, t.TempDir(), func(o *Options) { o.OnStatus = func(s batch.Status) { got = append(got, s) } })
	acked := 0
	tell := func(topic, payload string) {
		b.p.receive(b.ctx, mqtt.Message{Topic: topic, Payload: []byte(payload), Retained: true, Ack: func() { acked++ }})
	}
	on := batch.Topic(testTerritory, "gw-a", batch.TopicStatus)
	tell(on, `{"gateway":"gw-a","online":true,"version":"1"}`)
	tell(on, `{"gateway":"gw-b","online":true}`) // another's
	tell(on, `{`)
	tell(on, ``) // cleared
	tell(batch.Topic("elsewhere", "gw-a", batch.TopicStatus), `{"gateway":"gw-a"}`)
	tell("thermie/v1/x", `{}`)
	tell(batch.Topic(testTerritory, "gw-a", batch.TopicReport), `{}`)
	require.Equal(t, []batch.Status{{Gateway: "gw-a", Online: true, Version: "1"}}, got)
	require.Equal(t, 7, acked, "nothing of that comes again")
}

// Reports on configurations go to OnReport likewise.
func TestReports(t *testing.T) {
	var got []batch.ConfigReport
	b := newBench(t, t.TempDir(), func(o *Options) { o.OnReport = func(r batch.ConfigReport) { got = append(got, r) } })
	acked := 0
	on := batch.Topic(testTerritory, "gw-a", batch.TopicReport)
	for _, payload := range []string{`{"gateway":"gw-a","number":3,"state":"running"}`, `{"gateway":"gw-b"}`, `{`, ``, `{"gateway":"gw-a","detail":"` + strings.Repeat("x", 20<<10) + `"}`} {
		b.p.receive(b.ctx, mqtt.Message{Topic: on, Payload: []byte(payload), Retained: true, Ack: func() { acked++ }})
	}
	require.Equal(t, []batch.ConfigReport{{Gateway: "gw-a", Number: 3, State: batch.ConfigRunning}}, got)
	require.Equal(t, 5, acked)
}

// The reason of a receipt is bounded.
func TestLongReason(t *testing.T) {
	b := newBench(t, t.TempDir(), func(o *Options) {
		o.Keys = func(string) (ed25519.PublicKey, error) { return nil, errors.New(strings.Repeat("no ", 1000)) }
	})
	b.send("gw-a", newGateway(t, "gw-a").batch(1, nil))
	require.Len(t, b.receipt().Rejected, 500)
}

// Receipts of one gateway share a signature and a message; each gateway has its own.
func TestReceiptsAreSentTogether(t *testing.T) {
	b := newBench(t, t.TempDir(), func(o *Options) { o.Window = 100 })
	var messages atomic.Int64
	b.publishing = func(string) error {
		messages.Add(1)
		return nil
	}
	a, c := newGateway(t, "gw-a"), newGateway(t, "gw-b")
	var ids []uint64
	for range 25 {
		ids = append(ids, b.send("gw-a", a.batch(1, nil))...)
		ids = append(ids, b.send("gw-b", c.batch(1, nil))...)
	}
	b.acks(ids...)
	seen := map[string]map[uint64]bool{"gw-a": {}, "gw-b": {}}
	for range ids {
		r := b.receipt()
		require.Empty(t, r.Rejected)
		require.Equal(t, batch.Topic(testTerritory, r.Gateway, batch.TopicReceipt), r.topic)
		seen[r.Gateway][r.Number] = true
	}
	require.Len(t, seen["gw-a"], 25)
	require.Len(t, seen["gw-b"], 25)
	require.Less(t, messages.Load(), int64(len(ids)))
}
