package journal

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// upTo is an outbox that has the batches up to a number.
func upTo(last uint64) func() uint64 { return func() uint64 { return last } }

func some(from, n int) (out []metering.Reading) {
	for i := from; i < from+n; i++ {
		r := metering.Reading{Series: metering.Series("m", metering.HeatEnergy), At: 1767225600000 + int64(i), Unit: metering.KWh, Number: metering.Int(int64(i))}
		if i%5 == 3 {
			r.Number, r.Quality = metering.Decimal{}, metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		}
		out = append(out, r)
	}
	return out
}

// killed opens what another process would find if this one were killed now.
func killed(t *testing.T, path, boot string, last uint64) []metering.Reading {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	after := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(after, b, 0o600))
	j, kept, err := Open(after, boot, upTo(last))
	require.NoError(t, err)
	defer j.Close()
	_, again, err := Open(after, boot, upTo(last)) // taking it up changes nothing
	require.NoError(t, err)
	require.Equal(t, kept, again)
	return kept
}

func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	last := uint64(7)
	j, kept, err := Open(path, "boot", func() uint64 { return last })
	require.NoError(t, err)
	require.Empty(t, kept)
	defer j.Close()
	require.Empty(t, killed(t, path, "boot", 7))
	require.True(t, j.Add(some(0, 3)))
	require.True(t, j.Add(some(3, 4)))
	require.Equal(t, some(0, 7), killed(t, path, "boot", 7))
	require.Empty(t, killed(t, path, "another", 7), "what the power takes")

	mark := j.Mark()
	require.True(t, j.Add(some(7, 1)))
	j.Sealing(mark)
	require.Equal(t, some(0, 8), killed(t, path, "boot", 7), "killed before the batch was on disk")
	require.Equal(t, some(7, 1), killed(t, path, "boot", 8), "and after it")
	require.True(t, j.Add(some(8, 2)))
	j.Sealed()
	require.Equal(t, some(7, 3), killed(t, path, "boot", 8))
	last = 8
	j.Sealing(j.Mark())
	require.Equal(t, some(7, 3), killed(t, path, "boot", 8))
	require.Empty(t, killed(t, path, "boot", 9))
	j.Sealed()
	require.Equal(t, uint64(page), j.Mark(), "the room is used again")

	// A batch that the disk did not take goes with what came after it.
	require.True(t, j.Add(some(10, 1)))
	last = 9
	j.Sealing(j.Mark())
	require.True(t, j.Add(some(11, 1)))
	j.Sealing(j.Mark())
	require.Equal(t, some(10, 2), killed(t, path, "boot", 9))
	require.Empty(t, killed(t, path, "boot", 10))
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	last := uint64(1)
	j, _, err := Open(path, "boot", func() uint64 { return last })
	require.NoError(t, err)
	defer j.Close()
	require.True(t, j.Add(some(0, 9)))
	marks := j.Replace([][]metering.Reading{some(0, 4), some(4, 4), some(8, 1)})
	require.Len(t, marks, 3)
	require.Equal(t, some(0, 9), killed(t, path, "boot", 1))
	for i, left := range [][]metering.Reading{some(4, 5), some(8, 1), nil} {
		last = uint64(1 + i)
		j.Sealing(marks[i])
		require.Equal(t, left, killed(t, path, "boot", last+1))
		j.Sealed()
	}
}

// A full journal says so, keeps what it has, and takes more when there is room.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := Open(path, "boot", upTo(1))
	require.NoError(t, err)
	defer j.Close()
	n := 0
	for j.Add(some(n, 5000)) {
		n += 5000
	}
	require.Greater(t, n, 50_000)
	require.Equal(t, some(0, n), killed(t, path, "boot", 1))
	require.Nil(t, j.Replace([][]metering.Reading{some(0, n)}))
	require.Empty(t, killed(t, path, "boot", 1))
	require.True(t, j.Add(some(0, 1)))
}

func TestNone(t *testing.T) {
	var j *Journal
	require.True(t, j.Add(some(0, 1)))
	require.Zero(t, j.Mark())
	j.Sealing(0)
	j.Sealed()
	require.Nil(t, j.Replace(nil))
	require.NoError(t, j.Close())
	_, _, err := Open(filepath.Join(t.TempDir(), "no", "journal"), "boot", upTo(1))
	require.ErrorIs(t, err, os.ErrNotExist)
	boot, err := Boot()
	require.NoError(t, err)
	require.Len(t, boot, 36)
}

// Damage is told once, and costs what follows it.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := Open(path, "boot", upTo(1))
	require.NoError(t, err)
	require.True(t, j.Add(some(0, 2)))
	at := j.Mark()
	require.True(t, j.Add(some(2, 2)))
	j.room[at+5] ^= 0xff
	require.NoError(t, j.Close())
	require.True(t, j.Add(some(0, 1)), "closed")
	j, kept, err := Open(path, "boot", upTo(1))
	require.ErrorContains(t, err, "what follows the first 2 readings")
	require.Equal(t, some(0, 2), kept)
	require.True(t, j.Add(some(4, 1)))
	require.NoError(t, j.Close())
	require.Equal(t, some(4, 1), killed(t, path, "boot", 1))
}

// Whatever the records are, reading them ends well.
func FuzzRead(f *testing.F) {
	record := func(readings []metering.Reading) []byte {
		pack := batch.AppendPack(nil, readings)
		return append(binary.LittleEndian.AppendUint32(nil, uint32(len(pack))), pack...)
	}
	f.Add(append(record(some(0, 3)), record(some(3, 1))...))
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		j := &Journal{room: b}
		readings, err := j.read(state{to: uint64(len(b))})
		if err == nil && len(readings) > 0 {
			require.LessOrEqual(t, len(readings), len(b))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	j, _, err := Open(filepath.Join(b.TempDir(), "journal"), "boot", upTo(1))
	require.NoError(b, err)
	defer j.Close()
	readings := some(0, 22)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !j.Add(readings) || i%50 == 0 {
			j.Sealing(j.Mark())
			j.Sealed()
		}
	}
}
