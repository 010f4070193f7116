package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// What a company had deleted does not come back, neither when the server goes
// on nor when the store is rebuilt; what is read afterwards is kept.
func TestForget(t *testing.T) {
	ctx := context.Background()
	c := testConfig(t)
	until := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	leaf := func(n uint64, last batch.Hash, at time.Time) []byte {
		b := &batch.Batch{Gateway: "gw-1", Number: n, Previous: last, Origin: batch.Synthetic, ClosedAt: at.UnixMilli()}
		for _, m := range []string{"fonderie-heat", "neudorf-gas"} {
			q, u := metering.HeatEnergy, metering.KWh
			if m == "neudorf-gas" {
				q, u = metering.GasVolume, metering.CubicM
			}
			b.Readings = append(b.Readings, metering.Reading{Series: metering.Series(m, q), Unit: u, At: at.UnixMilli(), Number: metering.Int(int64(n))})
		}
		sealed, err := batch.Seal(b, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
		require.NoError(t, err)
		return sealed
	}
	one := leaf(1, batch.Hash{}, until.Add(-time.Hour))
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	_, err = s.Ledger().AppendAll(ctx, [][]byte{one})
	require.NoError(t, err)
	follow := func(s *Server) {
		t.Helper()
		run, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- s.follow(run) }()
		require.Eventually(t, func() bool {
			at, err := s.Store().Position(ctx)
			return err == nil && at == s.Ledger().Size()
		}, 20*time.Second, 5*time.Millisecond)
		stop()
		if err := <-done; err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	follow(s)
	o := ForgetOptions{Config: c, Meters: []string{"fonderie-heat"}, By: "anne@port.example", Until: until}
	require.ErrorIs(t, Forget(ctx, o), ledger.ErrLocked)
	require.NoError(t, s.Close())
	require.ErrorIs(t, Forget(ctx, ForgetOptions{Config: c, Meters: []string{"nobody"}, By: "x", Until: until}), registry.ErrNotFound)
	require.NoError(t, Forget(ctx, o))

	count := func() map[metering.SeriesID]int {
		t.Helper()
		s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
		require.NoError(t, err)
		defer s.Close()
		follow(s)
		_, list := contents(t, s.Store())
		out := map[metering.SeriesID]int{}
		for _, i := range list {
			out[i.ID] = i.Count
		}
		return out
	}
	require.Equal(t, map[metering.SeriesID]int{"neudorf-gas/gas_volume": 1}, count())
	s, err = Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	_, err = s.Ledger().AppendAll(ctx, [][]byte{leaf(2, batch.HashOf(one), until.Add(time.Hour)), leaf(3, batch.Hash{1}, until.Add(-2*time.Hour))})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	want := map[metering.SeriesID]int{"fonderie-heat/heat_energy": 1, "neudorf-gas/gas_volume": 3}
	require.Equal(t, want, count(), "late readings from before stay out, new ones are kept")
	_, err = Rebuild(ctx, RebuildOptions{Config: c})
	require.NoError(t, err)
	require.Equal(t, want, count())
}
