package embedded

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// A store that another one writes to can be read beside it, as it was when it
// was opened, also after the writer has packed its tail; it cannot be written.
func TestReadOnly(t *testing.T) {
	ctx, dir, scope := context.Background(), t.TempDir(), access.System("test")
	_, err := Open(ctx, dir, Options{ReadOnly: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is made")

	w, err := Open(ctx, dir, Options{})
	require.NoError(t, err)
	defer w.Close()
	st := newSite(2, 600_000)
	upTo := uint64(0)
	put := func(c []metering.Reading) {
		upTo++
		require.NoError(t, w.Apply(ctx, upTo, c))
	}
	all := st.chunks(500)
	put(all[0])
	require.NoError(t, w.Pack(ctx))
	late := all[0][100]
	late.Number = metering.Int(77)
	put([]metering.Reading{late})

	r, err := Open(ctx, dir, Options{ReadOnly: true})
	require.NoError(t, err)
	want := map[metering.SeriesID][]metering.Point{}
	for _, id := range st.ids {
		for p, err := range w.Points(ctx, scope, id, time.UnixMilli(0), time.UnixMilli(1<<42)) {
			require.NoError(t, err)
			want[id] = append(want[id], p)
		}
	}
	require.NoError(t, w.Pack(ctx))
	for id, points := range want {
		i := 0
		for p, err := range r.Points(ctx, scope, id, time.UnixMilli(0), time.UnixMilli(1<<42)) {
			require.NoError(t, err)
			require.Equal(t, points[i], p)
			i++
		}
		require.Len(t, points, i)
	}
	position, err := r.Position(ctx)
	require.NoError(t, err)
	require.Equal(t, upTo, position)
	require.ErrorIs(t, r.Apply(ctx, 99, all[0]), errClosed)
	require.Error(t, r.Pack(ctx))
	require.Error(t, r.Delete(ctx, []string{"meter-000"}))
	require.NoError(t, r.Close())
	put(all[0][:10])
}
