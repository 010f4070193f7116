package ledger

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What was acknowledged is there after a power cut, with or without a
// checkpoint, and also when the write after it was torn.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	n := 0
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 25 {
		l := openTest(t, dir)
		requireLeaves(t, l, n)
		more := random.IntN(400)
		fill(t, l, n, n+more)
		n += more
		if round%3 == 0 {
			_, err := l.Checkpoint(ctx)
			require.NoError(t, err)
		}
		more = random.IntN(20)
		fill(t, l, n, n+more)
		n += more
		crash(l)
		wal := filepath.Join(dir, walFile)
		b, err := os.ReadFile(wal)
		require.NoError(t, err)
		// A group whose fsync never returned: its beginning only.
		torn, _ := appendGroup(nil, salt(b[8:24]), uint64(n), [][]byte{[]byte("never acknowledged")})
		require.NoError(t, os.WriteFile(wal, append(b, torn[:random.IntN(len(torn))]...), 0o600))
	}
	l := openTest(t, dir)
	requireLeaves(t, l, n)
	require.NoError(t, l.Close())
	_, err := Check(ctx, dir, testOrigin, testPublic, nil)
	require.NoError(t, err)
}

// Check finds whatever byte of leaves, tiles or checkpoint changes, and says
// which leaf, or that the leaves are intact.
func TestCheckFindsDamage(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	fill(t, l, 0, 700)
	require.NoError(t, l.Close())
	var names []string
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Base(name) != lockFile {
			names = append(names, name)
		}
		return err
	}))
	require.Greater(t, len(names), 6)
	random := rand.New(rand.NewPCG(3, 4))
	for _, name := range names {
		whole, err := os.ReadFile(name)
		require.NoError(t, err)
		for range 8 {
			bad := bytes.Clone(whole)
			bad[random.IntN(len(bad))] ^= byte(1 << random.IntN(8))
			require.NoError(t, os.WriteFile(name, bad, 0o600))
			r, err := Check(ctx, dir, testOrigin, testPublic, nil)
			require.ErrorIs(t, err, ErrDamaged, name)
			require.NotEmpty(t, r.Faults)
		}
		require.NoError(t, os.WriteFile(name, whole, 0o600))
	}
	// One leaf of a bundle: it is named, by its number.
	bundle := filepath.Join(dir, tilePath(entriesLevel, 1, 256))
	whole, err := os.ReadFile(bundle)
	require.NoError(t, err)
	at := bytes.Index(whole, leafOf(300))
	require.Positive(t, at)
	whole[at] ^= 1
	require.NoError(t, os.WriteFile(bundle, whole, 0o600))
	r, err := Check(ctx, dir, testOrigin, testPublic, nil)
	require.ErrorIs(t, err, ErrDamaged)
	require.Len(t, r.Faults, 1)
	require.Equal(t, []uint64{300, 301}, []uint64{r.Faults[0].From, r.Faults[0].To})
	require.False(t, r.Faults[0].LeafIntact)
}
