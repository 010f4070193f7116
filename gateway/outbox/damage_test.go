package outbox

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// spool makes an outbox of n batches in one segment and returns the segment's
// bytes and its records.
func spool(t testing.TB, dir string, n int) (content []byte, records []record) {
	t.Helper()
	b := open(t, dir, options())
	for i := range n {
		require.NoError(t, b.Put(batch.Clock{}, testAt.UnixMilli(), readings(i, 1)))
	}
	require.NoError(t, b.Close())
	content, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	require.NoError(t, err)
	records, rest := scan(content, 1, 0)
	require.Len(t, records, n)
	require.Zero(t, rest)
	return content, records
}

// quick opens without forcing to the disk: these tests open thousands of times.
func quick(t testing.TB, dir string) *Outbox {
	t.Helper()
	o := options()
	o.disk.sync = func(*os.File) error { return nil }
	b, err := Open(dir, o)
	require.NoError(t, err)
	return b
}

// heads is all without the signatures.
func heads(t testing.TB, b *Outbox) (sealed []Sealed, opened []*batch.Batch) {
	t.Helper()
	sealed, err := b.Unsent(0, 1<<30)
	require.NoError(t, err)
	for _, s := range sealed {
		h, err := batch.Head(s.Bytes)
		require.NoError(t, err)
		opened = append(opened, h)
	}
	return sealed, opened
}

// TestKilledAtEveryByte: a gateway is killed, or loses power, when any number of
// bytes of its third batch are on disk. The two that were acknowledged are
// there, the torn one is cut, numbers and chain go on.
func TestKilledAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content, records := spool(t, dir, 3)
	two := t.TempDir()
	spool(t, two, 2) // the head as it was before the third
	for n := int(records[2].offset); n <= len(content); n++ {
		require.NoError(t, os.WriteFile(filepath.Join(two, segmentName(1)), content[:n], 0o600))
		b := quick(t, two)
		whole := 2
		if n == len(content) {
			whole = 3 // safe on disk, only Put had not returned
		}
		put(t, b, 7)
		sealed, opened := heads(t, b)
		require.Len(t, opened, whole+1, "cut at %d", n)
		for i, o := range opened {
			require.Empty(t, o.Break, "cut at %d", n)
			if i > 0 {
				require.Equal(t, batch.HashOf(sealed[i-1].Bytes), o.Previous)
			}
			if i < whole {
				from := int(records[i].offset) + recordHeader
				require.Equal(t, content[from:from+int(records[i].length)], sealed[i].Bytes)
			}
		}
		require.NoError(t, b.Close())
		restore(t, two, 2)
	}
}

// restore brings the head of an outbox back to n batches.
func restore(t testing.TB, dir string, n uint64) {
	t.Helper()
	h := headState{number: n}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "head"), append(h.encode(2), h.encode(1)...), 0o600))
}

// TestCutAtEveryByte: a spool loses its end although it was safe (a disk that
// lied). What is whole is kept; the numbers that the head knows are not used
// again, and the next batch declares them.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content, records := spool(t, dir, 2)
	for n := 0; n < len(content); n++ {
		require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1)), content[:n], 0o600))
		restore(t, dir, 2)
		b := quick(t, dir)
		whole := 0
		for whole < 2 && n >= int(records[whole].offset)+recordHeader+int(records[whole].length) {
			whole++
		}
		put(t, b, 7)
		_, opened := heads(t, b)
		require.Len(t, opened, whole+1, "cut at %d", n)
		last := opened[whole]
		require.EqualValues(t, 3, last.Number)
		require.Equal(t, fmt.Sprintf("spool damaged: batches %d to 2 lost", whole+1), last.Break)
		require.Zero(t, last.Previous)
		require.NoError(t, b.Close())
		require.NoError(t, os.Remove(filepath.Join(dir, segmentName(3))))
	}
}

// TestFlippedAtEveryByte: one byte of a spool is not what it was. Only the batch
// that it belongs to is lost, the next one declares it, and the start after that
// has nothing to add.
func TestFlippedAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content, records := spool(t, dir, 3)
	for at := range content {
		bad := append([]byte(nil), content...)
		bad[at] ^= 0x40
		require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1)), bad, 0o600))
		restore(t, dir, 3)
		hit := 0
		for hit < 2 && at >= int(records[hit+1].offset) {
			hit++
		}
		b := quick(t, dir)
		put(t, b, 7)
		sealed, opened := heads(t, b)
		require.Len(t, opened, 3, "flipped at %d", at)
		require.Equal(t, fmt.Sprintf("spool damaged: batches %d to %d lost", hit+1, hit+1), opened[2].Break)
		require.EqualValues(t, 4, opened[2].Number)
		if hit < 2 {
			require.NotZero(t, opened[2].Previous, "batch 3 is there to be chained to")
		}
		require.NoError(t, b.Close())
		if at%5 != 0 {
			require.NoError(t, os.Remove(filepath.Join(dir, segmentName(4))))
			continue
		}
		b = quick(t, dir)
		put(t, b, 8)
		_, opened = heads(t, b)
		require.Empty(t, opened[3].Break)
		for _, s := range sealed {
			require.NoError(t, b.Delivered(receipt(s)))
		}
		require.Equal(t, 1, b.Status().Batches)
		require.NoError(t, b.Close())
		require.NoError(t, os.Remove(filepath.Join(dir, segmentName(4))))
	}
}

// TestDamagedWhileOpen: a batch that cannot be read any more does not hold up
// those behind it, and is declared.
func TestDamagedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	_, records := spool(t, dir, 3)
	b := open(t, dir, options())
	f, err := os.OpenFile(filepath.Join(dir, segmentName(1)), os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("rot"), records[0].offset+40)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	sealed, _ := all(t, b)
	require.Len(t, sealed, 2)
	put(t, b, 3)
	_, opened := all(t, b)
	require.Equal(t, "spool damaged: batches 1 to 1 lost", opened[2].Break)
	require.NoError(t, b.Delivered(batch.Receipt{Gateway: "gw-1", Number: 1}))
	require.Equal(t, 3, b.Status().Batches)
}

// TestHead: the head is two slots written in turn; a torn one leaves the other.
func TestHead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content, _ := spool(t, dir, 3)
	head, err := os.ReadFile(filepath.Join(dir, "head"))
	require.NoError(t, err)
	require.Len(t, head, 2*slotBytes)
	for n := range head {
		for _, bad := range [][]byte{head[:n], flip(head, n)} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "head"), bad, 0o600))
			b := quick(t, dir)
			require.Equal(t, 3, b.Status().Batches)
			require.EqualValues(t, 3, b.Status().LastNumber)
			put(t, b, 3)
			_, opened := heads(t, b)
			require.Empty(t, opened[3].Break)
			require.NoError(t, b.Close())
			require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1)), content, 0o600))
		}
	}
}

func flip(b []byte, at int) []byte {
	b = append([]byte(nil), b...)
	b[at] ^= 1
	return b
}

// TestWholeSegmentGone: numbers that stood in a segment that somebody removed.
func TestWholeSegmentGone(t *testing.T) {
	dir := t.TempDir()
	o := options()
	o.MaxBytes = 8000 // segments of 1000 bytes
	b := open(t, dir, o)
	for i := range 12 {
		put(t, b, i)
	}
	require.Greater(t, len(b.segments), 2)
	gone := b.segments[1]
	from, to := gone.first, gone.last()
	require.NoError(t, b.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, segmentName(from))))
	for i := range 2 {
		b = open(t, dir, o)
		put(t, b, 12+i)
		_, opened := all(t, b)
		want := ""
		if i == 0 {
			want = fmt.Sprintf("spool damaged: batches %d to %d lost", from, to)
		}
		require.Equal(t, want, opened[len(opened)-1].Break)
		require.NoError(t, b.Close())
	}
	b = open(t, dir, o)
	sealed, _ := all(t, b)
	for _, s := range sealed {
		require.NoError(t, b.Delivered(receipt(s)))
	}
	require.Len(t, b.segments, 1, "delivery passes over what is gone")
}

// TestModel runs random histories of puts, receipts, restarts and kills, and
// checks that every batch that Put acknowledged waits until its receipt.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		o := options()
		o.MaxBytes = 1 << 20
		o.disk.sync = func(*os.File) error { return nil }
		if rapid.Bool().Draw(rt, "small segments") {
			o.MaxBytes = 16 * 400
		}
		reopen := func() *Outbox {
			b, err := Open(dir, o)
			require.NoError(rt, err)
			return b
		}
		b := reopen()
		waiting := map[uint64]bool{}
		var last uint64
		var seed int
		t := rt
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(*rapid.T) {
				n := rapid.IntRange(1, 4).Draw(t, "batches")
				var parts []Part
				for range n {
					seed++
					parts = append(parts, Part{ClosedAt: testAt.UnixMilli(), Readings: readings(seed, 1)})
				}
				err := b.PutMany(parts)
				if err != nil {
					require.ErrorIs(t, err, ErrFull)
				}
				for now := b.Status().LastNumber; last < now; {
					last++
					waiting[last] = true
				}
			},
			"deliver": func(*rapid.T) {
				sealed, err := b.Unsent(uint64(rapid.IntRange(0, int(last)).Draw(t, "after")), 3)
				require.NoError(t, err)
				for _, s := range sealed {
					require.NoError(t, b.Delivered(receipt(s)))
					delete(waiting, s.Number)
				}
			},
			"restart": func(*rapid.T) { require.NoError(t, b.Close()); b = reopen() },
			"kill":    func(*rapid.T) { crash(b); b = reopen() },
			"": func(*rapid.T) {
				sealed, err := b.Unsent(0, 1<<30)
				require.NoError(t, err)
				have := map[uint64]bool{}
				for _, s := range sealed {
					have[s.Number] = true
				}
				for n := range waiting {
					require.True(t, have[n], "batch %d", n)
				}
				require.Equal(t, last, b.Status().LastNumber)
			},
		})
		require.NoError(rt, b.Close())
	})
}

// FuzzScan: whatever stands in a segment, scan keeps exactly what re-encodes to
// the same bytes, and never reads past the end.
func FuzzScan(f *testing.F) {
	good := appendRecord(appendRecord(nil, 1, []byte("one")), 2, []byte("two"))
	f.Add(good, uint64(0))
	f.Add(good[:len(good)-1], uint64(2))
	f.Add(append(flip(good, 3), appendRecord(nil, 3, []byte("three"))...), uint64(3))
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<31), uint64(9))
	f.Fuzz(func(t *testing.T, b []byte, safe uint64) {
		records, rest := scan(b, 1, safe)
		end := 0
		for i, r := range records {
			if r.length == 0 {
				require.LessOrEqual(t, uint64(i+1), safe)
				continue
			}
			at := int(r.offset)
			require.GreaterOrEqual(t, at, end)
			end = at + recordHeader + int(r.length)
			require.Equal(t, b[at:end], appendRecord(nil, uint64(i+1), b[at+recordHeader:end]))
		}
		require.Equal(t, len(b), end+rest)
	})
}

// site makes the readings of one minute of a site: 20 meters, each of 8
// quantities, every ten seconds.
func site(minute int) []metering.Reading {
	quantities := []struct {
		q    metering.Quantity
		u    metering.Unit
		base int64
	}{
		{metering.ActiveEnergyImport, metering.KWh, 123_456_789}, {metering.ActivePower, metering.KW, 41_250},
		{metering.VoltageL1, metering.Volt, 231_400}, {metering.VoltageL2, metering.Volt, 230_100}, {metering.VoltageL3, metering.Volt, 229_800},
		{metering.CurrentL1, metering.Ampere, 61_120}, {metering.CurrentL2, metering.Ampere, 59_870}, {metering.CurrentL3, metering.Ampere, 60_440},
	}
	var out []metering.Reading
	noise := uint64(minute)*2862933555777941757 + 3037000493
	for second := 0; second < 60; second += 10 {
		for m := range 20 {
			for _, q := range quantities {
				noise = noise*6364136223846793005 + 1442695040888963407
				d := metering.Decimal{Coef: q.base + int64(noise>>56), Exp: -3}
				if q.q.Kind() == metering.Counter {
					d.Coef = q.base + int64(minute*60+second)*11 + int64(m)*1000
				}
				out = append(out, metering.Reading{Series: metering.Series(fmt.Sprintf("atelier-%02d", m), q.q), Unit: q.u, Number: d,
					At: testAt.UnixMilli() + int64(minute*60+second)*1000 + int64(m)*35})
			}
		}
	}
	return out
}

// TestNinetyDaysFit: 90 days of a site with 20 meters, one batch a minute, fit
// in the default limit. The bytes a batch are measured on a day's sample.
func TestNinetyDaysFit(t *testing.T) {
	b := open(t, t.TempDir(), options())
	const sample = 24
	var parts []Part
	for i := range sample {
		parts = append(parts, Part{ClosedAt: testAt.UnixMilli() + int64(i)*60_000, Readings: site(i * 60)})
	}
	require.NoError(t, b.PutMany(parts))
	_, opened := all(t, b)
	require.Len(t, opened, sample)
	perBatch := b.bytes / sample
	total := perBatch * 90 * 24 * 60
	t.Logf("20 meters, 8 quantities each, every 10 s: %d readings and %d bytes a batch, %d MB in 90 days", len(parts[0].Readings), perBatch, total/1e6)
	require.Less(t, total, int64(DefaultMaxBytes))
}

// BenchmarkPut puts the minute of a 20-meter site, fsync included.
func BenchmarkPut(b *testing.B) {
	box := open(b, b.TempDir(), options())
	for i := range b.N {
		require.NoError(b, box.Put(batch.Clock{}, testAt.UnixMilli(), site(i)))
	}
	b.ReportMetric(float64(box.bytes)/float64(b.N), "bytes/batch")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
}

// BenchmarkPutMany seals the history of a small site, a thousand batches an fsync.
func BenchmarkPutMany(b *testing.B) {
	o := options()
	o.MaxBytes = 1 << 40
	box := open(b, b.TempDir(), o)
	parts := make([]Part, 1000)
	for i := range parts {
		parts[i] = Part{ClosedAt: testAt.UnixMilli(), Readings: readings(i, 40)}
	}
	b.ResetTimer()
	for n := 0; n < b.N; n += len(parts) {
		require.NoError(b, box.PutMany(parts[:min(len(parts), b.N-n)]))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
}

// BenchmarkDelivered takes receipts, in order.
func BenchmarkDelivered(b *testing.B) {
	o := options()
	o.MaxBytes = 1 << 40
	box := open(b, b.TempDir(), o)
	parts := make([]Part, b.N)
	for i := range parts {
		parts[i] = Part{ClosedAt: testAt.UnixMilli(), Readings: readings(i, 40)}
	}
	require.NoError(b, box.PutMany(parts))
	sealed, _ := box.Unsent(0, b.N)
	receipts := make([]batch.Receipt, b.N)
	for i, s := range sealed {
		receipts[i] = receipt(s)
	}
	b.ResetTimer()
	for _, r := range receipts {
		require.NoError(b, box.Delivered(r))
	}
}
