package registry_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/registry"
)

// What a gateway runs and what it was asked to run: the latest counts.
func TestConfigurations(t *testing.T) {
	r, _ := filled(t)
	all, err := r.Gateways(ctx)
	require.NoError(t, err)
	gw := all[0].ID
	_, err = r.ConfigReport(ctx, gw)
	require.ErrorIs(t, err, registry.ErrNotFound)
	_, err = r.Desired(ctx, gw)
	require.ErrorIs(t, err, registry.ErrNotFound)

	first := batch.ConfigReport{Gateway: gw, At: at("2026-03-01"), State: batch.ConfigLocal, Config: "aa"}
	later := batch.ConfigReport{Gateway: gw, At: at("2026-03-02"), Number: 7, State: batch.ConfigRolledBack, Detail: "the broker was not reached", Config: "bb"}
	for _, c := range []batch.ConfigReport{first, later, first} {
		require.NoError(t, r.PutConfigReport(ctx, c))
	}
	got, err := r.ConfigReport(ctx, gw)
	require.NoError(t, err)
	require.Equal(t, later, got, "an older word does not replace a later one")

	d := registry.Desired{Gateway: gw, Number: 9, SentAt: at("2026-03-03"), SentBy: "anne", Body: "gateway: x\n"}
	require.NoError(t, r.PutDesired(ctx, d))
	old := d
	old.Number, old.SentAt = 8, old.SentAt.Add(time.Hour)
	require.NoError(t, r.PutDesired(ctx, old))
	have, err := r.Desired(ctx, gw)
	require.NoError(t, err)
	require.Equal(t, d, have)

	stranger := first
	stranger.Gateway = "gw-nowhere"
	require.ErrorIs(t, r.PutConfigReport(ctx, stranger), registry.ErrNotFound)
	require.ErrorIs(t, r.PutDesired(ctx, registry.Desired{Gateway: "gw-nowhere", Number: 1}), registry.ErrNotFound)
	require.Error(t, r.PutDesired(ctx, registry.Desired{Gateway: gw}))
	require.Error(t, r.PutDesired(ctx, registry.Desired{Gateway: gw, Number: math.MaxUint64}))
}

// A commissioning record is kept as it was added, and once.
func TestCommissionings(t *testing.T) {
	r, _ := filled(t)
	all, err := r.Gateways(ctx)
	require.NoError(t, err)
	c := registry.Commissioning{Digest: "d1", Gateway: all[0].ID, SignedAt: at("2026-03-01"), AddedAt: at("2026-03-02"), AddedBy: "anne", Record: []byte("record")}
	for i := range 2 {
		added, err := r.AddCommissioning(ctx, c)
		require.NoError(t, err)
		require.Equal(t, i == 0, added)
	}
	later := c
	later.Digest, later.SignedAt = "d2", at("2026-04-01")
	_, err = r.AddCommissioning(ctx, later)
	require.NoError(t, err)
	require.NoError(t, r.CommissioningEntered(ctx, "d1", 7))
	require.Error(t, r.CommissioningEntered(ctx, "d1", 8), "a leaf is not exchanged for another")
	have, err := r.Commissionings(ctx)
	require.NoError(t, err)
	c.Entered, c.Index = true, 7
	require.Equal(t, []registry.Commissioning{later, c}, have)
	c.Digest, c.Gateway = "d3", "gw-nowhere"
	_, err = r.AddCommissioning(ctx, c)
	require.ErrorIs(t, err, registry.ErrNotFound)
}
