package ledger

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func readExcerpt(b []byte) (out []Entry, size uint64, err error) {
	e, err := OpenExcerpt(bytes.NewReader(b), testOrigin, testPublic)
	if err != nil {
		return nil, 0, err
	}
	for x, err := range e.Leaves() {
		if err != nil {
			return out, e.Size, err
		}
		out = append(out, x)
	}
	return out, e.Size, nil
}

// Any choice of leaves verifies, also when the ledger has grown meanwhile, and
// the proof of all is shorter than one proof for each.
func TestExcerpt(t *testing.T) {
	l := openTest(t, t.TempDir())
	fill(t, l, 0, 1)
	notes := [][]byte{nil}
	for n := 1; n < 700; n += 1 + n/3 {
		fill(t, l, int(l.Size()), n)
		note, err := l.Checkpoint(ctx)
		require.NoError(t, err)
		notes = append(notes, note)
	}
	fill(t, l, int(l.Size()), 1500)
	rapid.Check(t, func(t *rapid.T) {
		note := rapid.SampledFrom(notes[1:]).Draw(t, "checkpoint")
		size, err := CheckpointSize(note, testOrigin, testPublic)
		require.NoError(t, err)
		picked := rapid.SliceOfDistinct(rapid.Uint64Range(0, size-1), rapid.ID).Draw(t, "leaves")
		slices.Sort(picked)
		var b bytes.Buffer
		require.NoError(t, l.Excerpt(ctx, &b, note, picked))
		got, n, err := readExcerpt(b.Bytes())
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.Len(t, got, len(picked))
		for i, e := range got {
			require.Equal(t, Entry{picked[i], leafOf(int(picked[i]))}, e)
		}
	})
	var all []uint64
	for i := range uint64(1000) {
		all = append(all, i)
	}
	note, err := l.Checkpoint(ctx)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, l.Excerpt(ctx, &b, note, all))
	leaves := 0
	for i := range 1000 {
		leaves += len(leafOf(i))
	}
	require.Less(t, b.Len()-leaves, 1000*2+1000, "neighbours share their proof")

	require.ErrorContains(t, l.Excerpt(ctx, &b, notes[1], []uint64{1 << 40}), "ascend")
	require.ErrorContains(t, l.Excerpt(ctx, &b, note, []uint64{5, 5}), "ascend")
	require.ErrorContains(t, l.Excerpt(ctx, &b, note, []uint64{1500}), "below 1500")
	require.ErrorIs(t, l.Excerpt(ctx, &b, []byte("no note"), nil), ErrDamaged)
}

// No byte of an excerpt can change, go or come unseen.
func TestExcerptTampered(t *testing.T) {
	l := openTest(t, t.TempDir())
	fill(t, l, 0, 300)
	note, err := l.Checkpoint(ctx)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, l.Excerpt(ctx, &b, note, []uint64{0, 3, 77, 78, 79, 256, 299}))
	whole := b.Bytes()
	for i := range whole {
		for _, bit := range []byte{1, 0x40} {
			bad := bytes.Clone(whole)
			bad[i] ^= bit
			_, _, err := readExcerpt(bad)
			require.ErrorIs(t, err, ErrDamaged, "byte %d", i)
		}
		_, _, err = readExcerpt(whole[:i])
		require.ErrorIs(t, err, ErrDamaged, "cut at %d", i)
	}
	_, _, err = readExcerpt(append(bytes.Clone(whole), 0))
	require.ErrorContains(t, err, "follows the last leaf")
	_, err = OpenExcerpt(bytes.NewReader(whole), "thermie.example/other", testPublic)
	require.ErrorIs(t, err, ErrDamaged)
}

func FuzzExcerpt(f *testing.F) {
	l := openTest(f, f.TempDir())
	fill(f, l, 0, 9)
	note, err := l.Checkpoint(ctx)
	require.NoError(f, err)
	for _, picked := range [][]uint64{nil, {0}, {3, 4, 8}} {
		var b bytes.Buffer
		require.NoError(f, l.Excerpt(ctx, &b, note, picked))
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, size, err := readExcerpt(b)
		if err != nil {
			require.True(t, errors.Is(err, ErrDamaged), err)
			return
		}
		// Whatever verifies is what was appended.
		require.EqualValues(t, 9, size)
		for _, e := range got {
			require.Equal(t, leafOf(int(e.Index)), e.Data)
		}
	})
}
