//go:build integration

package integration

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/server"
)

// One ledger rebuilt into an embedded store and into an InfluxDB, also into a
// bucket that held something else: reading for reading the same.
func TestRebuildIntoBothStores(t *testing.T) {
	ctx := t.Context()
	f := startInflux(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "programme.yaml"), gatewaysProgramme([]string{"gw-1"}), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte(f.token), 0o600))
	c := server.Config{Programme: filepath.Join(dir, "programme.yaml"), Data: filepath.Join(dir, "data"), Store: server.Store{Kind: "embedded"}}
	l, err := openLedger(c.Data, nil)
	require.NoError(t, err)
	writeIngestKeys(t, c.Data)
	var last batch.Hash
	const total = 30_000
	made := 0
	for n := uint64(1); made < total; n++ {
		list := batchReadings("gw-1", n, made, total)
		made += len(list)
		if n%7 == 0 { // corrections of earlier readings
			for i := range 5 {
				r := reading("gw-1", made/2+i*13)
				r.Number.Coef += int64(n)
				list = append(list, r)
			}
		}
		sealed, err := batch.Seal(&batch.Batch{Gateway: "gw-1", Number: n, Previous: last, Origin: batch.Synthetic, ClosedAt: list[0].At, Readings: list}, keyOf("gw-1"))
		require.NoError(t, err)
		last = batch.HashOf(sealed)
		_, _, err = l.Append(ctx, sealed)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())

	points := func(c server.Config) []string {
		store, err := server.OpenToRead(ctx, c, nil)
		require.NoError(t, err)
		defer store.Close()
		return allPoints(t, store)
	}
	_, err = server.Rebuild(ctx, server.RebuildOptions{Config: c})
	require.NoError(t, err)
	want := points(c)
	require.Len(t, want, total)

	in := c
	in.Store = server.Store{Kind: "influx", URL: f.url, Organisation: f.organisation, Bucket: f.bucket, TokenFile: filepath.Join(dir, "token")}
	stopped, stop := context.WithCancel(ctx)
	_, err = server.Rebuild(stopped, server.RebuildOptions{Config: in, Progress: func(uint64, uint64) { stop() }})
	require.ErrorIs(t, err, context.Canceled)
	_, err = server.Rebuild(ctx, server.RebuildOptions{Config: in})
	require.ErrorIs(t, err, server.ErrBucketInUse)
	f.call(t, "/api/v2/write?precision=ms&org="+f.organisation+"&bucket="+f.bucket, "text/plain", "reading,meter=stray,quantity=heat_energy,unit=kWh micro=1i,level=0i,number=1 1767225600000")
	r, err := server.Rebuild(ctx, server.RebuildOptions{Config: in, Empty: true})
	require.NoError(t, err)
	require.Equal(t, total, r.Points)
	require.Equal(t, want, points(in))
}
