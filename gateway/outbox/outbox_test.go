package outbox

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

var (
	testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	testAt  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func options() Options {
	return Options{Gateway: "gw-1", Key: testKey, Origin: batch.Measured, Now: func() time.Time { return testAt }}
}

func open(t testing.TB, dir string, o Options) *Outbox {
	t.Helper()
	b, err := Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

// readings makes n readings that differ by seed.
func readings(seed, n int) []metering.Reading {
	out := make([]metering.Reading, n)
	for i := range out {
		out[i] = metering.Reading{
			Series: metering.Series(fmt.Sprintf("m-%d", i%20), metering.ActiveEnergyImport),
			At:     testAt.UnixMilli() + int64(seed)*60_000 + int64(i), Unit: metering.KWh,
			Number: metering.Decimal{Coef: int64(seed)*10_000 + int64(i)*10 + 1, Exp: -3},
		}
	}
	return out
}

func put(t testing.TB, b *Outbox, seed int) {
	t.Helper()
	require.NoError(t, b.Put(batch.Clock{Synchronised: true}, testAt.UnixMilli()+int64(seed)*60_000, readings(seed, 3)))
}

func keys(string) (ed25519.PublicKey, error) { return testKey.Public().(ed25519.PublicKey), nil }

func receipt(s Sealed) batch.Receipt {
	return batch.Receipt{Gateway: "gw-1", Number: s.Number, Batch: batch.HashOf(s.Bytes)}
}

// all returns what waits, and checks signatures, numbers and the chain between
// neighbours.
func all(t testing.TB, b *Outbox) (sealed []Sealed, opened []*batch.Batch) {
	t.Helper()
	sealed, err := b.Unsent(0, 1<<30)
	require.NoError(t, err)
	for i, s := range sealed {
		o, err := batch.Open(s.Bytes, keys)
		require.NoError(t, err)
		require.Equal(t, s.Number, o.Number)
		if i > 0 && sealed[i-1].Number == s.Number-1 && o.Break == "" {
			require.Equal(t, batch.HashOf(sealed[i-1].Bytes), o.Previous, "batch %d", s.Number)
		}
		opened = append(opened, o)
	}
	st := b.Status()
	require.Equal(t, len(sealed), st.Batches)
	return sealed, opened
}

func TestNumbersAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, options())
	require.Zero(t, b.Status())
	for i := range 3 {
		put(t, b, i)
	}
	<-b.Wake()
	_, err := Open(dir, options())
	require.ErrorContains(t, err, "in use by another process")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.Put(batch.Clock{}, 0, nil), ErrClosed)
	_, err = b.Unsent(0, 1)
	require.ErrorIs(t, err, ErrClosed)

	b = open(t, dir, options())
	put(t, b, 3)
	sealed, opened := all(t, b)
	require.Len(t, sealed, 4)
	require.Zero(t, opened[0].Previous)
	require.Equal(t, readings(2, 3), opened[2].Readings)
	require.True(t, opened[0].Clock.Synchronised)
	require.EqualValues(t, 4, b.Status().LastNumber)

	some, err := b.Unsent(1, 2)
	require.NoError(t, err)
	require.Equal(t, sealed[1:3], some)

	// Everything delivered: numbers and chain still go on after a restart.
	for _, s := range sealed {
		require.NoError(t, b.Delivered(receipt(s)))
	}
	require.Equal(t, batch.SpoolStatus{LastNumber: 4}, b.Status())
	require.NoError(t, b.Close())
	b = open(t, dir, options())
	put(t, b, 4)
	last, opened := all(t, b)
	require.Len(t, last, 1)
	require.EqualValues(t, 5, last[0].Number)
	require.Equal(t, batch.HashOf(sealed[3].Bytes), opened[0].Previous)
	require.NoError(t, b.Close())

	o := options()
	o.Gateway = "gw-2"
	_, err = Open(dir, o)
	require.ErrorContains(t, err, `batches of gateway "gw-1", not "gw-2"`)
}

func TestOpenRefuses(t *testing.T) {
	o := options()
	o.Gateway = "No"
	_, err := Open(t.TempDir(), o)
	require.ErrorContains(t, err, "gateway")
	o = options()
	o.Key = nil
	_, err = Open(t.TempDir(), o)
	require.ErrorContains(t, err, "private key of 0 bytes")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "7.seg"), nil, 0o600))
	_, err = Open(dir, options())
	require.ErrorContains(t, err, "7.seg does not belong here")
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(file, options())
	require.ErrorContains(t, err, file)
}

func TestReceipts(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, options())
	for i := range 4 {
		put(t, b, i)
	}
	sealed, _ := all(t, b)
	r := receipt(sealed[1])
	r.Gateway = "gw-2"
	require.ErrorIs(t, b.Delivered(r), ErrMismatch)
	r = receipt(sealed[1])
	r.Batch[0]++
	require.ErrorIs(t, b.Delivered(r), ErrMismatch)
	r = receipt(sealed[1])
	r.Number = 9
	require.ErrorIs(t, b.Delivered(r), ErrMismatch)
	require.Equal(t, 4, b.Status().Batches)

	// Out of order, twice, and rejected: each counts once.
	for _, i := range []int{2, 2, 0} {
		require.NoError(t, b.Delivered(receipt(sealed[i])))
	}
	r = receipt(sealed[3])
	r.Rejected = "not enrolled"
	require.NoError(t, b.Delivered(r))
	left, _ := all(t, b)
	require.Len(t, left, 1)
	require.EqualValues(t, 2, left[0].Number)
	require.NoError(t, b.Close())
	// What was delivered out of order is sent again after a restart: ingest
	// answers with the same receipt.
	b = open(t, dir, options())
	again, _ := all(t, b)
	require.Len(t, again, 3)
	for _, s := range again {
		require.NoError(t, b.Delivered(receipt(s)))
	}
	require.Equal(t, 0, b.Status().Batches)
}

func TestPutMany(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, options())
	syncs := 0
	b.disk.sync = func(f *os.File) error { syncs++; return f.Sync() }
	var parts []Part
	for i := range 200 {
		parts = append(parts, Part{ClosedAt: testAt.UnixMilli() + int64(i)*60_000, Readings: readings(i, 20)})
	}
	require.NoError(t, b.PutMany(parts))
	require.Equal(t, 2, syncs, "the segment and its name")
	_, opened := all(t, b)
	require.Len(t, opened, 200)
	for i, o := range opened {
		require.Equal(t, parts[i].ClosedAt, o.ClosedAt)
		require.Equal(t, parts[i].Readings, o.Readings)
	}
	require.NoError(t, b.PutMany(nil))
	require.Equal(t, 200, b.Status().Batches)

	require.NoError(t, b.PutMany([]Part{{ClosedAt: testAt.UnixMilli(), Readings: readings(200, 1), Origin: batch.Replayed}}))
	_, opened = all(t, b)
	require.Equal(t, batch.Measured, opened[199].Origin)
	require.Equal(t, batch.Replayed, opened[200].Origin)

	// A bad part keeps nothing.
	bad := readings(1, 1)
	bad[0].Unit = metering.Volt
	require.ErrorContains(t, b.PutMany([]Part{{ClosedAt: 1, Readings: readings(600, 1)}, {ClosedAt: 2, Readings: bad}}), "unit")
	require.Equal(t, 201, b.Status().Batches)
}

// TestLargePut: readings that do not fit in one batch become several, all or
// nothing, in order.
func TestLargePut(t *testing.T) {
	b := open(t, t.TempDir(), options())
	want := make([]metering.Reading, 0, batch.MaxReadings+1000)
	for i := range cap(want) {
		r := readings(i, 1)[0]
		r.Number = metering.Decimal{Coef: int64(i) * 7_919_000_017, Exp: -3}
		want = append(want, r)
	}
	require.NoError(t, b.Put(batch.Clock{}, testAt.UnixMilli(), want))
	sealed, opened := all(t, b)
	require.Greater(t, len(sealed), 1)
	var got []metering.Reading
	for i, o := range opened {
		require.LessOrEqual(t, len(sealed[i].Bytes), batch.MaxBytes)
		got = append(got, o.Readings...)
	}
	require.Equal(t, len(want), len(got))
	for i := range want {
		require.True(t, want[i].Equal(got[i]))
	}
}

func TestLost(t *testing.T) {
	dir := t.TempDir()
	o := options()
	o.Lost = "disk replaced"
	b := open(t, dir, o)
	put(t, b, 0)
	_, opened := all(t, b)
	require.EqualValues(t, testAt.Unix()+1, opened[0].Number)
	require.Zero(t, opened[0].Previous)
	require.Equal(t, "disk replaced", opened[0].Break)
	require.NoError(t, b.Close())
	// Given again, it says nothing about an outbox that is there.
	b = open(t, dir, o)
	put(t, b, 1)
	_, opened = all(t, b)
	require.Len(t, opened, 2)
	require.Empty(t, opened[1].Break)
	require.EqualValues(t, testAt.Unix()+2, opened[1].Number)
}

// TestFull: at the limit nothing is kept, and room makes it go on without a gap.
func TestFull(t *testing.T) {
	o := options()
	o.MaxBytes = 20_000
	b := open(t, t.TempDir(), o)
	var err error
	n := 0
	for ; err == nil; n++ {
		require.Less(t, n, 1000)
		err = b.Put(batch.Clock{}, testAt.UnixMilli(), readings(n, 20))
	}
	n--
	require.ErrorIs(t, err, ErrFull)
	require.ErrorContains(t, err, fmt.Sprintf("%d batches wait", n))
	require.EqualValues(t, n, b.Status().LastNumber)
	require.ErrorIs(t, b.Put(batch.Clock{}, testAt.UnixMilli(), readings(n, 20)), ErrFull)
	sealed, _ := all(t, b)
	for _, s := range sealed[:n/2] {
		require.NoError(t, b.Delivered(receipt(s)))
	}
	put(t, b, n)
	_, opened := all(t, b)
	require.EqualValues(t, n+1, opened[len(opened)-1].Number)
	require.Empty(t, opened[len(opened)-1].Break)
}

func TestDropOldest(t *testing.T) {
	dir := t.TempDir()
	o := options()
	o.MaxBytes, o.DropOldest = 40_000, true
	b := open(t, dir, o)
	for i := range 300 {
		require.NoError(t, b.Put(batch.Clock{}, testAt.UnixMilli(), readings(i, 20)))
		b.mu.Lock()
		require.LessOrEqual(t, b.bytes, o.MaxBytes)
		b.mu.Unlock()
	}
	_, opened := all(t, b)
	require.Greater(t, opened[0].Number, uint64(100))
	require.EqualValues(t, 300, opened[len(opened)-1].Number)
	declared := 0
	for i, p := range opened {
		require.Equal(t, opened[0].Number+uint64(i), p.Number)
		if p.Break != "" {
			require.Regexp(t, `^spool full: batches \d+ to \d+ dropped$`, p.Break)
			require.NotZero(t, p.Previous, "the chain itself goes on")
			declared++
		}
	}
	require.Positive(t, declared)

	// Dropped, then killed before the batch that says so: the next start says it.
	dropped, err := b.dropOldest()
	require.NoError(t, err)
	require.True(t, dropped)
	from, to := opened[0].Number, b.segments[0].first-1
	crash(b)
	b = open(t, dir, o)
	put(t, b, 1)
	_, opened = all(t, b)
	require.Equal(t, fmt.Sprintf("spool full: batches %d to %d dropped", from, to), opened[len(opened)-1].Break)
	crash(b)
	b = open(t, dir, o)
	put(t, b, 2)
	_, opened = all(t, b)
	require.Empty(t, opened[len(opened)-1].Break, "told once")
}

// crash gives the folder free as a kill would: nothing is written.
func crash(b *Outbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release()
}

// TestDiskFails: a write or sync that fails keeps nothing, whatever was left of
// it on the disk, and the next Put goes on.
func TestDiskFails(t *testing.T) {
	half := func(err error) func(*os.File, []byte, int64) (int, error) {
		return func(f *os.File, p []byte, at int64) (int, error) {
			n, _ := f.WriteAt(p[:len(p)/2], at)
			return n, err
		}
	}
	for name, fail := range map[string]func(b *Outbox){
		"no space":   func(b *Outbox) { b.disk.write = half(syscall.ENOSPC) },
		"quota":      func(b *Outbox) { b.disk.write = half(syscall.EDQUOT) },
		"sync fails": func(b *Outbox) { b.disk.sync = func(*os.File) error { return syscall.EIO } },
	} {
		for _, before := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s after %d", name, before), func(t *testing.T) {
				dir := t.TempDir()
				b := open(t, dir, options())
				for i := range before {
					put(t, b, i)
				}
				good := b.disk
				fail(b)
				err := b.Put(batch.Clock{}, testAt.UnixMilli(), readings(9, 3))
				require.Error(t, err)
				if name != "sync fails" {
					require.ErrorIs(t, err, ErrFull)
				}
				require.Equal(t, before, b.Status().Batches)
				if before == 2 { // killed here
					copied := t.TempDir()
					copyDir(t, dir, copied)
					c := open(t, copied, options())
					require.Equal(t, before, c.Status().Batches)
				}
				b.disk = good
				put(t, b, before)
				_, opened := all(t, b)
				require.Len(t, opened, before+1)
				require.Equal(t, readings(before, 3), opened[before].Readings)
				crash(b)
				b = open(t, dir, options())
				_, opened = all(t, b)
				require.Len(t, opened, before+1)
				require.Empty(t, opened[before].Break)
			})
		}
	}
}

// TestFailedWriteNotCut: bytes of a failed write that could not be taken back
// are never read again.
func TestFailedWriteNotCut(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, options())
	put(t, b, 0)
	good := b.disk
	b.disk.write = func(f *os.File, p []byte, at int64) (int, error) {
		n, err := f.WriteAt(p, at)
		require.NoError(t, err)
		f.Close() // so that Truncate fails
		return n, syscall.EIO
	}
	require.Error(t, b.Put(batch.Clock{}, testAt.UnixMilli(), readings(8, 3)))
	b.disk = good
	require.True(t, b.segments[0].torn)
	put(t, b, 1)
	require.Len(t, b.segments, 2)
	crash(b)
	b = open(t, dir, options())
	_, opened := all(t, b)
	require.Len(t, opened, 2)
	require.Equal(t, readings(1, 3), opened[1].Readings)
}

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, e.Name()), b, 0o600))
	}
}
