package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

const testOrigin = "thermie.example/test"

var (
	testKey    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	testPublic = testKey.Public().(ed25519.PublicKey)
	ctx        = context.Background()
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTest(t testing.TB, dir string) *Ledger {
	t.Helper()
	l, err := Open(dir, Options{Origin: testOrigin, Signer: testKey})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func leafOf(i int) []byte { return fmt.Appendf(nil, "leaf %d %s", i, strings.Repeat("x", i%37)) }

// fill appends leaves [from, to) in groups.
func fill(t testing.TB, l *Ledger, from, to int) {
	t.Helper()
	for from < to {
		n := min(to-from, 1000)
		leaves := make([][]byte, n)
		for i := range leaves {
			leaves[i] = leafOf(from + i)
		}
		r, err := l.AppendAll(ctx, leaves)
		require.NoError(t, err)
		for i := range r {
			require.Equal(t, Appended{uint64(from + i), false}, r[i])
		}
		from += n
	}
}

func requireLeaves(t testing.TB, l *Ledger, n int) {
	t.Helper()
	require.EqualValues(t, n, l.Size())
	i := 0
	for e, err := range l.Entries(ctx, 0, uint64(n)) {
		require.NoError(t, err)
		require.EqualValues(t, i, e.Index)
		require.Equal(t, leafOf(i), e.Data)
		i++
	}
	require.Equal(t, n, i)
}

// crash ends a ledger as a power cut would: nothing more is written.
func crash(l *Ledger) {
	l.closing.Do(func() {
		l.w.failed = errors.New("crashed") // the writer is idle: no request is under way
		close(l.stop)
		<-l.stopped
		l.w.close()
		l.index.close()
		l.lock.Close()
	})
}

func TestAppendReopen(t *testing.T) {
	for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 1000, 66_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := t.TempDir()
			l := openTest(t, dir)
			fill(t, l, 0, n/2)
			_, err := l.Checkpoint(ctx)
			require.NoError(t, err)
			fill(t, l, n/2, n)
			requireLeaves(t, l, n)
			require.NoError(t, l.Close())
			report, err := Check(ctx, dir, testOrigin, testPublic, nil)
			require.NoError(t, err)
			require.EqualValues(t, n, report.Size)
			require.Zero(t, report.Unsigned)

			l = openTest(t, dir)
			requireLeaves(t, l, n)
			for _, i := range []int{0, n / 3, n - 1} {
				if n == 0 {
					continue
				}
				at, dup, err := l.Append(ctx, leafOf(i))
				require.NoError(t, err)
				require.True(t, dup)
				require.EqualValues(t, i, at)
			}
			at, dup, err := l.Append(ctx, []byte("new"))
			require.NoError(t, err)
			require.False(t, dup)
			require.EqualValues(t, n, at)
		})
	}
}

// The root is that of tlog, computed in an entirely other way.
func TestRootAgainstTlog(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, a := range at {
			out[i] = stored[a]
		}
		return out, nil
	})
	e := &edge{}
	for n := int64(0); n < 70_000; n++ {
		if n < 600 || n%997 == 0 || n > 65_500 && n < 65_600 {
			want, err := tlog.TreeHash(n, reader)
			require.NoError(t, err)
			require.Equal(t, want, e.root(), "%d leaves", n)
		}
		h := tlog.RecordHash(leafOf(int(n)))
		hashes, err := tlog.StoredHashesForRecordHash(n, h, reader)
		require.NoError(t, err)
		stored = append(stored, hashes...)
		e.add(h, nil)
	}
}

func TestPaths(t *testing.T) {
	for want, got := range map[string]string{
		"tile/0/000":                   tilePath(0, 0, 256),
		"tile/3/x001/x234/067.p/1":     tilePath(3, 1234067, 1),
		"tile/entries/x001/x234/067":   tilePath(entriesLevel, 1234067, 256),
		"tile/entries/999.p/255":       tilePath(entriesLevel, 999, 255),
		"tile/1/x001/000":              tilePath(1, 1000, 256),
		"tile/entries/x123/x456/789":   tilePath(entriesLevel, 123456789, 256),
		"tile/entries/x1000/x000/000x": tilePath(entriesLevel, 0, 256) + "x",
	} {
		if strings.HasSuffix(want, "x") {
			require.NotEqual(t, want, got)
			continue
		}
		require.Equal(t, want, got)
	}
}

// Any other implementation of the formats can read what we write.
func TestFormatsForOthers(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	fill(t, l, 0, 700)
	require.NoError(t, l.Close())
	msg, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	require.NoError(t, err)
	text, err := VerifierKey(testOrigin, testPublic)
	require.NoError(t, err)
	v, err := note.NewVerifier(text)
	require.NoError(t, err)
	n, err := note.Open(msg, note.VerifierList(v))
	require.NoError(t, err)
	lines := strings.Split(n.Text, "\n")
	require.Equal(t, testOrigin, lines[0])
	require.Equal(t, "700", lines[1])
	b, err := os.ReadFile(filepath.Join(dir, "tile/entries/002.p/188"))
	require.NoError(t, err)
	length := binary.BigEndian.Uint16(b)
	require.Equal(t, leafOf(512), b[2:2+length])
	tile, err := os.ReadFile(filepath.Join(dir, "tile/0/001"))
	require.NoError(t, err)
	require.Len(t, tile, 8192)
	h := tlog.RecordHash(leafOf(256))
	require.Equal(t, h[:], tile[:32])
	up, err := os.ReadFile(filepath.Join(dir, "tile/1/000.p/2"))
	require.NoError(t, err)
	require.Len(t, up, 64)
}

func TestConcurrentAppends(t *testing.T) {
	l, err := Open(t.TempDir(), Options{Origin: testOrigin, Signer: testKey, CheckpointBytes: 20_000})
	require.NoError(t, err)
	defer l.Close()
	const people, each = 16, 200
	var mu sync.Mutex
	seen := make(map[uint64]string)
	fresh := 0
	var wg sync.WaitGroup
	for p := range people {
		wg.Go(func() {
			for i := range each {
				data := fmt.Sprintf("%d", p/2*each+i) // every leaf by two people
				at, dup, err := l.Append(ctx, []byte(data))
				if err != nil {
					t.Error(err)
					return
				}
				if at >= l.Size() {
					t.Errorf("leaf %d returned before it was durable", at)
				}
				mu.Lock()
				if old, ok := seen[at]; ok && old != data {
					t.Errorf("leaf %d is %q and %q", at, old, data)
				}
				seen[at] = data
				if !dup {
					fresh++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, people/2*each, fresh)
	require.EqualValues(t, fresh, l.Size())
	for e, err := range l.Entries(ctx, 0, l.Size()) {
		require.NoError(t, err)
		require.Equal(t, seen[e.Index], string(e.Data))
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	for _, size := range []int{0, MaxLeaf + 1} {
		_, _, err := l.Append(ctx, make([]byte, size))
		require.ErrorContains(t, err, "leaf of")
	}
	_, _, err := l.Append(ctx, bytes.Repeat([]byte{1}, MaxLeaf))
	require.NoError(t, err)
	_, err = Open(dir, Options{Origin: testOrigin, Signer: testKey})
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "closing twice is harmless")
	_, _, err = l.Append(ctx, []byte("x"))
	require.ErrorIs(t, err, ErrClosed)
	_, err = Open(dir, Options{Origin: "other.example/log", Signer: testKey})
	require.ErrorIs(t, err, ErrDamaged, "another origin")
	_, err = Open(dir, Options{Origin: testOrigin, Signer: ed25519.NewKeyFromSeed(make([]byte, 32))})
	require.ErrorIs(t, err, ErrDamaged, "another key")
	for _, origin := range []string{"", "a b", "a+b", "a\nb"} {
		_, err = Open(t.TempDir(), Options{Origin: origin, Signer: testKey})
		require.ErrorContains(t, err, "origin")
	}
}

func TestWait(t *testing.T) {
	l := openTest(t, t.TempDir())
	done := make(chan error, 1)
	go func() { done <- l.Wait(ctx, 3) }()
	fill(t, l, 0, 3)
	require.NoError(t, <-done)
	short, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, l.Wait(short, 4), context.Canceled)
	go func() { done <- l.Wait(ctx, 100) }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-done, ErrClosed)
}

// A proof of every leaf at every size verifies, and none verifies for another
// leaf, origin or key, or with any byte changed.
func TestProofs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "l")
		require.NoError(rt, err)
		l, err := Open(dir, Options{Origin: testOrigin, Signer: testKey})
		require.NoError(rt, err)
		defer l.Close()
		n := 0
		for range rapid.IntRange(1, 3).Draw(rt, "steps") {
			grow := rapid.IntRange(1, 600).Draw(rt, "grow")
			fill(t, l, n, n+grow)
			n += grow
			i := rapid.IntRange(0, n-1).Draw(rt, "leaf")
			proof, err := l.Prove(ctx, uint64(i))
			require.NoError(rt, err)
			at, err := VerifyProof(proof, leafOf(i), testOrigin, testPublic)
			require.NoError(rt, err)
			require.EqualValues(rt, i, at)
			_, err = VerifyProof(proof, leafOf(i+1), testOrigin, testPublic)
			require.Error(rt, err)
			_, err = VerifyProof(proof, leafOf(i), testOrigin+"2", testPublic)
			require.Error(rt, err)
			_, err = VerifyProof(proof, leafOf(i), testOrigin, ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
			require.Error(rt, err)
			at2 := rapid.IntRange(0, len(proof)-1).Draw(rt, "byte")
			bad := bytes.Clone(proof)
			bad[at2] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
			_, err = VerifyProof(bad, leafOf(i), testOrigin, testPublic)
			require.Error(rt, err, "byte %d of\n%s", at2, bad)
		}
		before := rapid.IntRange(1, n).Draw(rt, "before")
		_, err = l.Checkpoint(ctx)
		require.NoError(rt, err)
		p, err := l.ProveGrowth(uint64(before), uint64(n))
		require.NoError(rt, err)
		e := &edge{}
		for i := range before {
			e.add(tlog.RecordHash(leafOf(i)), nil)
		}
		require.NoError(rt, tlog.CheckTree(p, int64(n), l.state().root, int64(before), e.root()))
	})
}

func TestProveRefuses(t *testing.T) {
	l := openTest(t, t.TempDir())
	_, err := l.Prove(ctx, 0)
	require.ErrorContains(t, err, "0 leaves")
}

func TestCheckpointAtEachSizeExtendsTheLast(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	v, err := verifier(testOrigin, testPublic)
	require.NoError(t, err)
	for n := range 300 {
		fill(t, l, n, n+1)
		msg, err := l.Checkpoint(ctx)
		require.NoError(t, err)
		again, err := l.Checkpoint(ctx)
		require.NoError(t, err)
		require.Equal(t, msg, again)
		h, err := openCheckpoint(msg, v)
		require.NoError(t, err)
		require.EqualValues(t, n+1, h.size)
	}
	list, err := os.ReadDir(filepath.Join(dir, "tile/entries"))
	require.NoError(t, err)
	require.Len(t, list, 2, "one full bundle and the folder of one partial")
	list, err = os.ReadDir(filepath.Join(dir, "tile/entries/001.p"))
	require.NoError(t, err)
	require.Len(t, list, 1, "only the widest partial bundle is kept")
}

// When the checkpoint on disk is not the one signed last, nothing is signed.
func TestNeverForks(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	fill(t, l, 0, 10)
	old, err := l.Checkpoint(ctx)
	require.NoError(t, err)
	fill(t, l, 10, 20)
	_, err = l.Checkpoint(ctx)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, checkpointFile), old, 0o600))
	fill(t, l, 20, 21)
	_, err = l.Checkpoint(ctx)
	require.ErrorIs(t, err, ErrFailed)
	_, _, err = l.Append(ctx, []byte("more"))
	require.ErrorIs(t, err, ErrFailed)
	require.NoError(t, l.Close())
	_, err = Open(dir, Options{Origin: testOrigin, Signer: testKey})
	require.ErrorIs(t, err, ErrDamaged, "an older checkpoint was put back")
	_, err = Check(ctx, dir, testOrigin, testPublic, nil)
	require.ErrorIs(t, err, ErrDamaged)
}
