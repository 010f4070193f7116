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
