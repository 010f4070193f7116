package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// box is an outbox in memory that can be full.
type box struct {
	err     error
	batches [][]metering.Reading
	clocks  []batch.Clock
	closed  []int64
}

func (b *box) Put(c batch.Clock, at int64, r []metering.Reading) error {
	if b.err != nil {
		return b.err
	}
	b.batches, b.clocks, b.closed = append(b.batches, append([]metering.Reading(nil), r...)), append(b.clocks, c), append(b.closed, at)
	return nil
}

func some(from, n int) (out []metering.Reading) {
	for i := range n {
		out = append(out, metering.Reading{Series: metering.Series("m", metering.ActivePower), Unit: metering.KW, Number: metering.Int(int64(from + i)),
			At: testAt.UnixMilli() + int64(from+i)})
	}
	return out
}

func testBatcher(b putter, now *time.Time) *batcher {
	c := newClock(func() time.Time { return *now })
	c.system = func() batch.Clock { return batch.Clock{Synchronised: true, OffsetMillis: 3} }
	return newBatcher(b, 10*time.Second, c, slog.New(slog.DiscardHandler))
}

// TestBatchesCloseOnTheClock: at multiples of the interval, and not at all when
// there is nothing to say.
func TestBatchesCloseOnTheClock(t *testing.T) {
	now := testAt.Add(3 * time.Second)
	x := &box{}
	b := testBatcher(x, &now)
	due := next(now, b.interval)
	require.Equal(t, testAt.Add(10*time.Second), due)
	b.add(some(0, 3))
	now = testAt.Add(9 * time.Second)
	require.Equal(t, due, b.tick(due))
	require.Empty(t, x.batches)
	now = testAt.Add(10 * time.Second)
	due = b.tick(due)
	require.Equal(t, testAt.Add(20*time.Second), due)
	require.Equal(t, [][]metering.Reading{some(0, 3)}, x.batches)
	require.Equal(t, []int64{now.UnixMilli()}, x.closed)
	require.Equal(t, []batch.Clock{{Synchronised: true, OffsetMillis: 3}}, x.clocks)
	now = testAt.Add(35 * time.Second) // the machine was asleep
	require.Equal(t, testAt.Add(40*time.Second), b.tick(due))
	require.Len(t, x.batches, 1)
	require.Equal(t, some(2, 1)[0], b.readings()[metering.Series("m", metering.ActivePower)])
}

// TestLatest: what is shown of a series is what came last, in whatever company, and
// rooms are used again without mixing batches.
func TestLatest(t *testing.T) {
	now := testAt
	x := &box{}
	b := testBatcher(x, &now)
	of := func(n int64, quantities ...metering.Quantity) (out []metering.Reading) {
		for _, q := range quantities {
			out = append(out, metering.Reading{Series: metering.Series("m", q), Number: metering.Int(n), At: testAt.UnixMilli()})
		}
		return out
	}
	b.add(nil)
	want := map[string]int64{}
	var all [][]metering.Reading
	for i, list := range [][]metering.Quantity{
		{metering.ActivePower, metering.Frequency, metering.VoltageL1}, {metering.ActivePower, metering.VoltageL1}, {metering.ActivePower, metering.CurrentL1, metering.VoltageL1},
		{metering.Frequency}, {metering.ActivePower, metering.VoltageL1}, {metering.ActivePower},
	} {
		for _, q := range list {
			want["m/"+string(q)] = int64(i)
		}
		b.add(of(int64(i), list...))
		now = now.Add(10 * time.Second)
		b.close(now)
		all = append(all, of(int64(i), list...))
	}
	got := map[string]int64{}
	for id, r := range b.readings() {
		got[string(id)] = r.Number.Coef
	}
	require.Equal(t, want, got)
	require.Equal(t, all, x.batches)
}

// TestDiskFull: readings wait in memory in order, bounded; the fault has words;
// when there is room again, all that was held is put.
func TestDiskFull(t *testing.T) {
	now := testAt
	x := &box{err: fmt.Errorf("outbox: %w", outbox.ErrFull)}
	b := testBatcher(x, &now)
	b.max = 25_000
	b.add(some(0, 10_500))
	b.close(now)
	b.add(some(10_500, 10_500))
	b.close(now)
	fault, _, _ := b.snapshot()
	require.Equal(t, "disk full: outbox: outbox full; 21000 readings in memory", fault)
	b.add(some(21_000, 5_000))
	fault, _, _ = b.snapshot()
	require.Contains(t, fault, "25000 readings in memory, 1000 lost")
	x.err = nil
	b.close(now)
	require.Len(t, x.batches, 3)
	var got []metering.Reading
	for _, batch := range x.batches {
		got = append(got, batch...)
	}
	require.Equal(t, some(1000, 25_000), got)
	fault, _, _ = b.snapshot()
	require.Empty(t, fault)
}

// TestRoomForAPart: what the outbox took is not put twice.
func TestRoomForAPart(t *testing.T) {
	now := testAt
	x := &box{}
	b := testBatcher(x, &now)
	puts := 0
	b.box = putFunc(func(c batch.Clock, at int64, r []metering.Reading) error {
		if puts++; puts == 2 {
			return errors.New("no")
		}
		return x.Put(c, at, r)
	})
	b.add(some(0, putReadings+5))
	b.close(now)
	b.close(now)
	require.Equal(t, [][]metering.Reading{some(0, putReadings), some(putReadings, 5)}, x.batches)
}

type putFunc func(batch.Clock, int64, []metering.Reading) error

func (f putFunc) Put(c batch.Clock, at int64, r []metering.Reading) error { return f(c, at, r) }

// TestClockIsSet: a clock that is set is told in the next batch, once.
func TestClockIsSet(t *testing.T) {
	now := testAt
	x := &box{}
	b := testBatcher(x, &now)
	due := next(now, b.interval)
	b.add(some(0, 1))
	// One second passes, and somebody sets the clock back by a minute and a half.
	b.clock.progress = func(time.Time, time.Time) (time.Duration, time.Duration) { return -89 * time.Second, time.Second }
	now = testAt.Add(-89 * time.Second)
	due = b.tick(due)
	require.Equal(t, testAt.Add(-80*time.Second), due, "the next batch does not wait for the old time to come again")
	// Slewing is no jump.
	b.clock.progress = func(time.Time, time.Time) (time.Duration, time.Duration) {
		return 9001 * time.Millisecond, 9 * time.Second
	}
	now = testAt.Add(-80 * time.Second)
	b.tick(due)
	b.add(some(1, 1))
	b.close(now)
	require.Equal(t, []batch.Clock{{OffsetMillis: -90_000}, {Synchronised: true, OffsetMillis: 3}}, x.clocks)
	wall, monotonic := progress(time.Now(), time.Now())
	require.InDelta(t, wall, monotonic, float64(time.Millisecond))
	require.Equal(t, metering.Quality{}, x.batches[0][0].Quality, "readings of a clock that was set before are left alone")
}

// TestClockNeverSet: readings of a device that woke up in 1970 wait for the time,
// then get the one they should have had, marked.
func TestClockNeverSet(t *testing.T) {
	now := time.Unix(100, 0)
	x := &box{}
	b := testBatcher(x, &now)
	r := some(0, 2)
	r[0].At, r[1].At = 40_000, 50_000
	r[1].Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
	b.add(r)
	b.close(now)
	require.Empty(t, x.batches)
	fault, _, _ := b.snapshot()
	require.Contains(t, fault, "the clock was never set, it shows 1970-01-01 00:01:40")
	by := testAt.Sub(now)
	now = testAt
	b.jump(now, by)
	b.close(now)
	require.Len(t, x.batches, 1)
	got := x.batches[0]
	require.Equal(t, testAt.Add(-time.Minute).UnixMilli(), got[0].At)
	require.Equal(t, "suspect:clock", got[0].Quality.String())
	require.Equal(t, "missing:no_answer", got[1].Quality.String())
	for _, r := range got {
		require.NoError(t, r.Check())
	}
}

// TestWorkersNeverWait: readings are added while the outbox is stuck.
func TestWorkersNeverWait(t *testing.T) {
	now := testAt
	b := testBatcher(&box{}, &now)
	stuck, free := make(chan struct{}), make(chan struct{})
	b.box = putFunc(func(batch.Clock, int64, []metering.Reading) error { close(stuck); <-free; return nil })
	b.add(some(0, 1))
	var wg sync.WaitGroup
	wg.Go(func() { b.close(now) })
	<-stuck
	b.add(some(1, 1))
	_, _, _ = b.snapshot()
	close(free)
	wg.Wait()
	require.Len(t, b.held, 1)
}

// TestKey: the key is made once, for its owner only; a spool that is gone
// beside a key that is there is a loss to be declared, and so is one by word.
func TestKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	require.Empty(t, lost(dir), "first use")
	key, err := LoadKey(dir)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "key"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	again, err := LoadKey(dir)
	require.NoError(t, err)
	require.Equal(t, key, again)
	require.Len(t, PublicKey(key), 44)
	require.Empty(t, lost(dir))
	require.NoError(t, os.RemoveAll(SpoolDir(dir)))
	require.Contains(t, lost(dir), "spool lost")

	require.Error(t, DeclareLoss(dir, ""))
	require.NoError(t, DeclareLoss(dir, "SD card replaced"))
	require.Equal(t, "SD card replaced", lost(dir))
	b, err := outbox.Open(SpoolDir(dir), outbox.Options{Gateway: "gw-1", Key: key, Origin: batch.Measured, Lost: lost(dir)})
	require.NoError(t, err)
	require.NoError(t, b.Put(batch.Clock{}, testAt.UnixMilli(), some(0, 1)))
	require.Greater(t, b.LastNumber(), uint64(1_700_000_000))
	require.NoError(t, b.Close())
	require.ErrorContains(t, DeclareLoss(dir, "again"), "holds batches")
}
