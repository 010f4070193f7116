package gateway

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/journal"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
)

// keeping is a batcher with an outbox and a journal in a folder.
type keeping struct {
	t       *testing.T
	dir     string
	box     *outbox.Outbox
	journal *journal.Journal
	bat     *batcher
	moment  func(what string) // called where a process may be killed
}

func (k *keeping) Put(c batch.Clock, at int64, readings []metering.Reading) error {
	k.moment("before the batch")
	if err := k.box.Put(c, at, readings); err != nil {
		return err
	}
	k.moment("after the batch")
	return nil
}

func keep(t *testing.T, dir string) *keeping {
	k := &keeping{t: t, dir: dir, moment: func(string) {}}
	now := testAt
	k.bat = testBatcher(k, &now)
	k.box, k.journal = keepIn(t, dir, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)), k.bat)
	t.Cleanup(func() { k.journal.Close(); k.box.Close() })
	return k
}

// keepIn opens what a gateway keeps in a folder, and gives a batcher what the
// journal has.
func keepIn(t *testing.T, dir string, key ed25519.PrivateKey, b *batcher) (*outbox.Outbox, *journal.Journal) {
	t.Helper()
	box, err := outbox.Open(filepath.Join(dir, "spool"), outbox.Options{Gateway: "gw-1", Key: key, Origin: batch.Synthetic, MaxBytes: 1 << 30, Now: b.clock.now})
	require.NoError(t, err)
	j, kept, err := journal.Open(filepath.Join(dir, "journal"), "boot", box.LastNumber)
	require.NoError(t, err)
	b.resume(j, kept)
	return box, j
}

// all are the instants of the readings that the batches hold.
func (k *keeping) all() (out []int64) {
	sealed, err := k.box.Unsent(0, 1000)
	require.NoError(k.t, err)
	for _, s := range sealed {
		b, err := batch.Parse(s.Bytes)
		require.NoError(k.t, err)
		for _, r := range b.Readings {
			out = append(out, r.At)
		}
	}
	return out
}

// TestKilledKeepsAll: whenever a gateway is killed, each reading that it had is in
// one batch of the next one, in its order.
func TestKilledKeepsAll(t *testing.T) {
	k := keep(t, t.TempDir())
	var want []int64
	kills := 0
	killed := func(what string) {
		t.Helper()
		kills++
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS(k.dir)))
		after := keep(t, dir)
		after.bat.add(some(1_000_000, 1))
		after.bat.close(testAt.Add(time.Hour))
		require.Equal(t, append(append([]int64{}, want...), some(1_000_000, 1)[0].At), after.all(), what)
		require.NoError(t, after.journal.Close())
		require.NoError(t, after.box.Close())
	}
	k.moment = killed
	n := 0
	add := func(count int) {
		r := some(n, count)
		n += count
		for i := range r {
			want = append(want, r[i].At)
		}
		k.bat.add(r)
	}
	for range 3 {
		add(2)
		killed("after a poll")
		add(3)
		killed("after another")
		k.bat.close(testAt.Add(time.Duration(n) * time.Second))
		killed("after a close")
	}
	k.bat.close(testAt.Add(2 * time.Hour))
	killed("after an empty close")
	add(putReadings)
	add(putReadings + 7) // several batches at one close
	killed("with much held")
	k.bat.close(testAt.Add(3 * time.Hour))
	killed("at the end")
	require.Greater(t, kills, 15)
}

// TestKilledUnderAverage: a mean has the polls of before the kill as well.
func TestKilledUnderAverage(t *testing.T) {
	k := keep(t, t.TempDir())
	id := metering.Series("m", metering.ActivePower)
	k.bat.average = newAverager([]metering.SeriesID{id})
	k.bat.add(some(0, 1))
	k.bat.add(some(2, 1))
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(k.dir)))
	j, kept, err := journal.Open(filepath.Join(dir, "journal"), "boot", func() uint64 { return 0 })
	require.NoError(t, err)
	defer j.Close()
	x, now := &box{}, testAt
	b := testBatcher(x, &now)
	b.average = newAverager([]metering.SeriesID{id})
	b.resume(j, kept)
	b.add(some(4, 1))
	b.close(testAt.Add(time.Minute))
	require.Equal(t, "2", x.batches[0][0].Number.String())
	require.Len(t, x.batches[0], 3)
}

// TestReadBeforeTheClock: what was read before the clock was set has no time after
// a kill.
func TestReadBeforeTheClock(t *testing.T) {
	x, now := &box{}, testAt
	b := testBatcher(x, &now)
	b.log = slog.New(slog.DiscardHandler)
	old := some(0, 1)
	old[0].At = 5000
	b.resume(nil, append(old, some(1, 1)...))
	b.close(testAt.Add(time.Minute))
	require.Equal(t, some(1, 1), x.batches[0])
}
