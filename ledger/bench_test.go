package ledger

import (
	"crypto/rand"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkAppend4k appends 4 kB leaves from 64 goroutines, one each time.
func BenchmarkAppend4k(b *testing.B) {
	l := openTest(b, b.TempDir())
	base := make([]byte, 4096)
	rand.Read(base)
	b.SetBytes(4096)
	b.SetParallelism(32)
	var n atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		data := append([]byte(nil), base...)
		for pb.Next() {
			binary.BigEndian.PutUint64(data, n.Add(1))
			if _, _, err := l.Append(ctx, data); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

func benchLedger(b *testing.B, n int) (dir string) {
	dir = b.TempDir()
	l := openTest(b, dir)
	leaf := make([]byte, 1000)
	rand.Read(leaf)
	for i := 0; i < n; i += 1000 {
		leaves := make([][]byte, 1000)
		for j := range leaves {
			leaves[j] = append([]byte(nil), leaf...)
			binary.BigEndian.PutUint64(leaves[j], uint64(i+j))
		}
		_, err := l.AppendAll(ctx, leaves)
		require.NoError(b, err)
	}
	require.NoError(b, l.Close())
	return dir
}

// BenchmarkCheck proves a ledger of 100,000 leaves of 1 kB.
func BenchmarkCheck(b *testing.B) {
	dir := benchLedger(b, 100_000)
	for b.Loop() {
		_, err := Check(ctx, dir, testOrigin, testPublic, nil)
		require.NoError(b, err)
	}
}

func BenchmarkEntries(b *testing.B) {
	l := openTest(b, benchLedger(b, 100_000))
	b.ResetTimer()
	n := 0
	for b.Loop() {
		for _, err := range l.Entries(ctx, 0, l.Size()) {
			require.NoError(b, err)
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "leaves/s")
}

func BenchmarkProve(b *testing.B) {
	l := openTest(b, benchLedger(b, 100_000))
	i := uint64(0)
	for b.Loop() {
		_, err := l.Prove(ctx, i*7919%l.Size())
		require.NoError(b, err)
		i++
	}
}

// BenchmarkFindAbsent looks for hashes that are not there among 1,048,576
// leaves in 16 runs of the index.
func BenchmarkFindAbsent(b *testing.B) {
	dir := b.TempDir()
	x := &index{dir: dir, unit: runUnit}
	for at := uint64(0); at < 16*runUnit; at += runUnit {
		records := make([]record, runUnit)
		var h [8]byte
		for i := range records {
			rand.Read(h[:])
			records[i] = record{binary.BigEndian.Uint64(h[:]), at + uint64(i)}
		}
		r, err := writeRun(filepath.Join(dir, indexDir), at, at+runUnit, records)
		require.NoError(b, err)
		x.runs = append(x.runs, r)
	}
	defer x.close()
	var h [32]byte
	for b.Loop() {
		rand.Read(h[:])
		_, ok, err := x.find(h)
		if ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	require.NoError(b, os.RemoveAll(filepath.Join(dir, indexDir)))
}
