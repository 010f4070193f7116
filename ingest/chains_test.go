package ingest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
)

// model is what a chain must say, computed the slow way: from the set of
// numbers that are in the ledger.
type model struct {
	have map[uint64]int // number: its batch
	last uint64
}

func (m *model) missing() (out []uint64) {
	for n := uint64(1); n <= m.last; n++ {
		if _, ok := m.have[n]; !ok {
			out = append(out, n)
		}
	}
	return out
}

// Whatever the order in which batches of one history arrive, and however
// often: each is taken once, the gaps are exactly the numbers that are missing,
// and a batch of another history fits nowhere where its neighbours are known.
func TestChainAgainstModel(t *testing.T) {
	const length = 40
	var mine, other []batch.Batch
	var mineHash, otherHash []batch.Hash
	for i := range length {
		for h, list := range []*[]batch.Batch{&mine, &other} {
			hashes := []*[]batch.Hash{&mineHash, &otherHash}[h]
			b := batch.Batch{Gateway: "gw-a", Number: uint64(i + 1)}
			if i > 0 {
				b.Previous = (*hashes)[i-1]
			}
			*list = append(*list, b)
			*hashes = append(*hashes, batch.HashOf(fmt.Appendf(nil, "%d/%d", h, i)))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var c Chain
		m := model{have: map[uint64]int{}}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			i := rapid.IntRange(0, length-1).Draw(t, "batch")
			n := uint64(i + 1)
			if rapid.IntRange(0, 4).Draw(t, "forged") == 0 && len(m.have) > 0 {
				_, before := m.have[n-1]
				_, after := m.have[n+1]
				old, err := c.place(&other[i], otherHash[i])
				_, known := m.have[n]
				switch {
				case known:
					require.True(t, old, "only the very same bytes may have number %d", n)
				case n > 1 && before || n < m.last && after:
					require.Error(t, err, "number %d of another history", n)
				}
				continue // never taken
			}
			_, known := m.have[n]
			old, err := c.place(&mine[i], mineHash[i])
			require.NoError(t, err)
			require.Equal(t, known, old)
			if known {
				continue
			}
			gap := c.take(&mine[i], mineHash[i], uint64(len(m.have)))
			require.Equal(t, n > m.last+1, gap != nil)
			m.have[n] = i
			m.last = max(m.last, n)
			requireChain(t, &c, &m)
			require.Equal(t, mineHash[m.last-1], c.Hash)
		}
	})
}

func requireChain(t require.TestingT, c *Chain, m *model) {
	require.Equal(t, m.last, c.Last)
	require.EqualValues(t, len(m.have), c.Count)
	var missing []uint64
	for i, g := range c.Gaps {
		require.LessOrEqual(t, g.From, g.To)
		if i > 0 {
			require.Greater(t, g.From, c.Gaps[i-1].To+1, "two gaps touch")
		}
		for n := g.From; n <= g.To; n++ {
			missing = append(missing, n)
		}
	}
	require.Equal(t, m.missing(), missing)
	require.EqualValues(t, len(missing), c.Missing())
}

// Gaps beyond the bound are still counted as missing, and no longer filled.
func TestManyGaps(t *testing.T) {
	var c Chain
	for i := range maxGaps + 10 {
		b := batch.Batch{Number: uint64(2 * (i + 1)), Previous: batch.HashOf([]byte{1})}
		c.take(&b, batch.HashOf([]byte{2}), uint64(i))
	}
	require.Len(t, c.Gaps, maxGaps)
	require.EqualValues(t, 10, c.Given)
	require.EqualValues(t, maxGaps+10, c.Missing())
	old, err := c.place(&batch.Batch{Number: 1}, batch.HashOf([]byte{3}))
	require.NoError(t, err)
	require.True(t, old, "it was given up")
}

// history fills a ledger with batches of three gateways (with a gap), and
// documents between them.
func history(t testing.TB, l *ledger.Ledger) map[string]Chain {
	t.Helper()
	var leaves [][]byte
	want := map[string]Chain{}
	for _, name := range []string{"gw-a", "gw-b", "gw-c"} {
		g := newGateway(t, name)
		all := g.batches(6, 2)
		if name == "gw-b" {
			all = slices.Delete(all, 2, 4)
		}
		leaves = append(leaves, all...)
		doc, err := batch.SealDocument(batch.Document{Kind: "key", Signer: "server", Body: []byte(name)}, ingestKey)
		require.NoError(t, err)
		leaves = append(leaves, doc)
	}
	_, err := l.AppendAll(ctx, leaves)
	require.NoError(t, err)
	fresh, err := OpenChains(ctx, l, "")
	require.NoError(t, err)
	maps.Copy(want, fresh.All())
	require.EqualValues(t, 6, want["gw-c"].Count)
	b := want["gw-b"]
	require.EqualValues(t, 2, b.Missing())
	return want
}

// The file saves reading the ledger; it says the same as the ledger, also when
// leaves came after it, and it is not taken for another ledger's.
func TestChainsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "chains")
	l := openLedger(t, filepath.Join(dir, "ledger"))
	want := history(t, l)
	c, err := OpenChains(ctx, l, file)
	require.NoError(t, err)
	require.NoError(t, c.Save())
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	again, err := OpenChains(ctx, l, file)
	require.NoError(t, err)
	require.Equal(t, want, again.All())
	require.Equal(t, l.Size(), again.saved, "everything came from the file")
	read, err := ReadChains(file)
	require.NoError(t, err)
	require.Equal(t, want, read)
	_, err = ReadChains(file + ".absent")
	require.ErrorIs(t, err, os.ErrNotExist)

	g := newGateway(t, "gw-late")
	_, _, err = l.Append(ctx, g.batch(1, nil))
	require.NoError(t, err)
	later, err := OpenChains(ctx, l, file)
	require.NoError(t, err)
	require.EqualValues(t, 1, later.Of("gw-late").Last)
	require.Less(t, later.saved, l.Size())

	elsewhere := openLedger(t, filepath.Join(dir, "another"))
	_, err = elsewhere.AppendAll(ctx, newGateway(t, "gw-c").batches(60, 1))
	require.NoError(t, err)
	foreign, err := OpenChains(ctx, elsewhere, file)
	require.NoError(t, err)
	require.Equal(t, []string{"gw-c"}, slices.Collect(maps.Keys(foreign.All())))
	require.EqualValues(t, 60, foreign.Of("gw-c").Count)
}

// Saving and reading from several goroutines is safe.
func TestChainsConcurrent(t *testing.T) {
	dir := t.TempDir()
	l := openLedger(t, filepath.Join(dir, "ledger"))
	c, err := OpenChains(ctx, l, filepath.Join(dir, "chains"))
	require.NoError(t, err)
	g := newGateway(t, "gw-a")
	all := g.batches(50, 1)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				require.NoError(t, c.Save())
				c.Of("gw-a")
			}
		})
	}
	for _, p := range all {
		_, _, err := l.Append(ctx, p)
		require.NoError(t, err)
		require.NoError(t, c.catchUp(ctx, l.Size()))
	}
	wg.Wait()
	require.NoError(t, c.Save())
	again, err := OpenChains(ctx, l, filepath.Join(dir, "chains"))
	require.NoError(t, err)
	require.EqualValues(t, 50, again.Of("gw-a").Last)
}

// Whatever is in the file, the chains are those of the ledger.
func FuzzChainsFile(f *testing.F) {
	dir := f.TempDir()
	l := openLedger(f, filepath.Join(dir, "ledger"))
	want := history(f, l)
	file := filepath.Join(dir, "chains")
	c, err := OpenChains(ctx, l, file)
	require.NoError(f, err)
	require.NoError(f, c.Save())
	good, err := os.ReadFile(file)
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)-5])
	f.Add([]byte{})
	f.Add([]byte("{}\n{}"))
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 4
	f.Add(flipped)
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "chains")
		require.NoError(t, os.WriteFile(file, content, 0o600))
		c, err := OpenChains(ctx, l, file)
		require.NoError(t, err)
		require.Equal(t, want, c.All())
	})
}

// FuzzHeld reads quarantine files, which lie where operators may edit them.
func FuzzHeld(f *testing.F) {
	f.Add(formatHeld(Held{Topic: "thermie/v1/port/gw-a/batch", At: epoch, Reason: "why", Kind: "format", Gateway: "gw-a", Size: 3, Hash: batch.HashOf([]byte("abc")).String()}, []byte("abc")))
	f.Add([]byte("{}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := parseHeld(b)
		if err == nil && h.Size == len(payload) {
			require.Equal(t, h.Hash, batch.HashOf(payload).String())
		}
	})
}

// Completeness is the share of the batches made that are in the ledger.
func TestComplete(t *testing.T) {
	for want, c := range map[float64]Chain{
		1:    {},
		0.5:  {Last: 4, Count: 2, Gaps: []Gap{{From: 2, To: 3}}},
		0.25: {Last: 8, Count: 2, Given: 3, Gaps: []Gap{{From: 2, To: 4}}},
		0.75: {Last: 1_000_003, Count: 3, Gaps: []Gap{{From: 2, To: 2}, {From: 4, To: 1_000_000, Declared: "disk replaced"}}},
	} {
		require.Equal(t, want, c.Complete())
	}
}
