package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

func testConfig(t *testing.T) Config {
	return Config{Programme: filepath.Join("..", "registry", "testdata", "programme.yaml"), Data: t.TempDir(),
		Broker: Broker{URL: "tcp://127.0.0.1:1"}, Store: Store{Kind: "embedded"}}
}

// sealed makes batches with late and corrected readings of every quality, and
// some in a unit that the store refuses.
func sealed(t *testing.T, batches int) (leaves [][]byte) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	r := rand.New(rand.NewPCG(1, 2))
	var last batch.Hash
	for n := range batches {
		b := &batch.Batch{Gateway: "gw-1", Number: uint64(n + 1), Previous: last, Origin: batch.Synthetic, ClosedAt: 1767225600000 + int64(n)*60_000}
		for i := range 100 {
			at := b.ClosedAt - r.Int64N(3*24*3600)*1000
			x := metering.Reading{Series: metering.Series(fmt.Sprint("m", i%7), metering.HeatEnergy), Unit: metering.KWh, At: at,
				Number: metering.Decimal{Coef: int64(n*1000 + i), Exp: -int8(i % 4)}}
			switch r.IntN(20) {
			case 0:
				x.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			case 1:
				x.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
			case 2:
				x.Unit = metering.Joule
			}
			b.Readings = append(b.Readings, x)
		}
		s, err := batch.Seal(b, key)
		require.NoError(t, err)
		last = batch.HashOf(s)
		leaves = append(leaves, s)
	}
	return leaves
}

// contents are all points of a store, by series, and its list.
func contents(t *testing.T, store series.Store) (map[metering.SeriesID][]metering.Point, []series.Info) {
	t.Helper()
	ctx, scope := context.Background(), access.System("test")
	list, err := store.List(ctx, scope)
	require.NoError(t, err)
	out := map[metering.SeriesID][]metering.Point{}
	for _, i := range list {
		for p, err := range store.Points(ctx, scope, i.ID, i.First, i.Last.Add(time.Millisecond)) {
			require.NoError(t, err)
			out[i.ID] = append(out[i.ID], p)
		}
	}
	return out, list
}

// A store rebuilt from the ledger holds, reading for reading, what the one that
// it replaces held; also when the rebuilding was interrupted.
func TestRebuild(t *testing.T) {
	ctx := context.Background()
	c := testConfig(t)
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	for _, leaves := range [][][]byte{sealed(t, 1500)[:700], sealed(t, 1500)[700:]} {
		_, err = s.Ledger().AppendAll(ctx, leaves)
		require.NoError(t, err)
		require.NoError(t, ingest.Follow(ctx, s.Ledger(), s.Store(), ingest.FollowOptions{Until: s.Ledger().Size()}))
	}
	want, list := contents(t, s.Store())
	require.Len(t, want, 7)

	_, err = Rebuild(ctx, RebuildOptions{Config: c})
	require.ErrorIs(t, err, ledger.ErrLocked, "beside a running server")
	require.NoError(t, s.Close())

	// Something in the store that the ledger does not know is gone afterwards.
	s, err = Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	require.NoError(t, s.Store().Apply(ctx, s.Ledger().Size()+1, []metering.Reading{{Series: "m1/heat_power", Unit: metering.KW, At: 1767225600000}}))
	require.NoError(t, s.Close())

	stopped, stop := context.WithCancel(ctx)
	_, err = Rebuild(stopped, RebuildOptions{Config: c, Progress: func(uint64, uint64) { stop() }})
	require.ErrorIs(t, err, context.Canceled)
	first := uint64(0)
	r, err := Rebuild(ctx, RebuildOptions{Config: c, Progress: func(done, total uint64) {
		if first == 0 {
			first = done
		}
		require.EqualValues(t, 1500, total)
	}})
	require.NoError(t, err)
	require.Greater(t, first, uint64(512), "it went on where it was")
	require.EqualValues(t, 1500, r.Leaves)
	require.Equal(t, 7, r.Series)
	require.NotEmpty(t, r.Left, "series with readings in another unit are named")
	for _, left := range []string{"series.new", "series.old"} {
		require.NoDirExists(t, filepath.Join(c.Data, left))
	}

	s, err = Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	defer s.Close()
	got, gotList := contents(t, s.Store())
	require.Equal(t, list, gotList)
	require.Equal(t, want, got)
	position, err := s.Store().Position(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1500, position)
}

// Where there is no ledger nothing is begun.
func TestRebuildWithoutLedger(t *testing.T) {
	c := testConfig(t)
	_, err := Rebuild(context.Background(), RebuildOptions{Config: c})
	require.ErrorIs(t, err, os.ErrNotExist)
	left, err := os.ReadDir(c.Data)
	require.NoError(t, err)
	require.Empty(t, left)
}
