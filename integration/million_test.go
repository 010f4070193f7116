//go:build integration

package integration

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
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

// readingsVariable changes how many readings the test sends.
const readingsVariable = "THERMIE_CHAOS_READINGS"

// A million readings on their way from two gateways through a real broker,
// ingest and its ledger into a store, while gateways, broker, ingest and
// InfluxDB are killed at random moments: each arrives exactly once, with its
// exact number and instant, in the store, and each batch exactly once in the
// ledger, in an unbroken chain.
func TestMillionReadings(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { millionReadings(t, false) })
	t.Run("influx", func(t *testing.T) { millionReadings(t, true) })
}

func millionReadings(t *testing.T, withInflux bool) {
	total := 1_000_000
	if s := os.Getenv(readingsVariable); s != "" {
		var err error
		total, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	gateways := []string{"gw-1", "gw-2"}
	share := total / len(gateways)
	dir := t.TempDir()
	broker := startMosquitto(t, append(gateways, "ingest")...)
	servers := []*process{broker.process}
	in := &ingestRole{Dir: filepath.Join(dir, "ingest"), Gateways: publicKeys(gateways...)}
	if withInflux {
		f := startInflux(t, "--storage-write-timeout", "2s")
		servers = append(servers, f.process)
		// InfluxDB gives a write up after 2 s here, so its outcome is settled after 3.
		in.Influx = &influxPlace{URL: f.url, Token: f.token, Organisation: f.organisation, Bucket: f.bucket, Settle: 3 * time.Second}
	}
	r := role{Broker: broker.url, Certs: broker.certs, Name: "ingest", Ingest: in}
	ingestProcess := newRole(t, r)
	ingestProcess.launch()
	servers = append(servers, ingestProcess)
	var workers []*process
	for _, g := range gateways {
		w := newRole(t, role{Broker: broker.url, Certs: broker.certs, Name: g,
			Gateway: &gatewayRole{Dir: filepath.Join(dir, g), Readings: share, Pace: 12 * time.Millisecond}})
		w.launch()
		workers = append(workers, w)
	}
	c := newChaos(t)
	began := time.Now()
	c.run(servers, workers, 10*time.Minute)
	sent := time.Since(began)

	// The gateways have every receipt. Ingest brings the store to the end of the
	// ledger before it ends; all servers run, nothing is killed any more.
	ingestProcess.end(syscall.SIGTERM)
	require.Zerof(t, ingestProcess.exitCode(), "ingest: %s", ingestProcess.said())
	applied := time.Since(began)
	t.Logf("%d readings: receipts for all after %s, store at the end of the ledger after %s (%.0f readings/s); killed with SIGKILL: %v",
		share*len(gateways), sent.Round(time.Second), applied.Round(time.Second), float64(share*len(gateways))/applied.Seconds(), c.kills)
	if total >= 1_000_000 { // fewer may be through before each had its turn
		for _, p := range append(servers, workers...) {
			require.Positivef(t, c.kills[p.name], "%s was never killed: %v", p.name, c.kills)
		}
	}

	requireLedger(t, in, gateways, share)
	store, err := in.store(t.Context(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer store.Close()
	requireStore(t, store, gateways, share)
}

// requireLedger finds each batch exactly once, signed, in an unbroken chain,
// with exactly the readings that its gateway made; and nothing else.
func requireLedger(t *testing.T, in *ingestRole, gateways []string, share int) {
	t.Helper()
	l, err := openLedger(in.Dir, nil)
	require.NoError(t, err)
	batches := map[string]map[uint64]*batch.Batch{}
	hashes := map[string]map[uint64]batch.Hash{}
	for _, g := range gateways {
		batches[g], hashes[g] = map[uint64]*batch.Batch{}, map[uint64]batch.Hash{}
	}
	for e, err := range l.Entries(t.Context(), 0, l.Size()) {
		require.NoError(t, err)
		if _, err := batch.OpenDocument(e.Data, nil); err == nil {
			continue // `thermie ingest` enters its audit trail
		}
		b, err := batch.Open(e.Data, func(g string) (ed25519.PublicKey, error) { return publicOf(g), nil })
		require.NoErrorf(t, err, "leaf %d", e.Index)
		require.Containsf(t, batches, b.Gateway, "leaf %d", e.Index)
		require.NotContainsf(t, batches[b.Gateway], b.Number, "batch %d of %s is in the ledger twice", b.Number, b.Gateway)
		batches[b.Gateway][b.Number], hashes[b.Gateway][b.Number] = b, batch.HashOf(e.Data)
	}
	for _, g := range gateways {
		at := 0
		for n := uint64(1); at < share; n++ {
			b := batches[g][n]
			require.NotNilf(t, b, "batch %d of %s is missing", n, g)
			require.Equalf(t, hashes[g][n-1], b.Previous, "batch %d of %s: chain", n, g)
			require.Empty(t, b.Break)
			want := batchReadings(g, n, at, share)
			require.Lenf(t, b.Readings, len(want), "batch %d of %s", n, g)
			for i := range want {
				require.Truef(t, want[i].Equal(b.Readings[i]), "batch %d of %s, reading %d: %v, want %v", n, g, i, b.Readings[i], want[i])
			}
			at += len(want)
			delete(batches[g], n)
		}
		require.Emptyf(t, batches[g], "%s: batches that it never made", g)
	}
	chains, err := ingest.OpenChains(t.Context(), l, "")
	require.NoError(t, err)
	for _, g := range gateways {
		c := chains.Of(g)
		require.Zerof(t, c.Missing(), "%s: %+v", g, c.Gaps)
	}
	require.NoError(t, l.Close())
	report, err := ledger.Check(t.Context(), filepath.Join(in.Dir, "ledger"), ledgerOrigin, publicOf("ledger"), nil)
	require.NoError(t, err)
	require.Zero(t, report.Unsigned)
	held, err := ingest.OpenQuarantine(filepath.Join(in.Dir, "quarantine")).List()
	require.NoError(t, err)
	require.Empty(t, held, "batches in quarantine")
	t.Logf("ledger: %d leaves, root %s, proved", report.Size, report.Root)
}

// requireStore finds each reading exactly once, exact to the last digit.
func requireStore(t *testing.T, store series.Store, gateways []string, share int) {
	t.Helper()
	scope := access.System("integration test")
	list, err := store.List(t.Context(), scope)
	require.NoError(t, err)
	require.Len(t, list, len(gateways)*seriesOfGateway)
	found := 0
	for _, g := range gateways {
		want := map[metering.SeriesID][]metering.Point{}
		for i := range share {
			r := reading(g, i)
			want[r.Series] = append(want[r.Series], series.Point(r))
		}
		for id, points := range want {
			n := 0
			for p, err := range store.Points(context.Background(), scope, id, time.UnixMilli(0), time.UnixMilli(1<<42)) {
				require.NoErrorf(t, err, "%s", id)
				require.Lessf(t, n, len(points), "%s: a point too many: %v", id, p)
				require.Truef(t, points[n] == p, "%s, point %d: %+v, want %+v", id, n, p, points[n])
				n++
			}
			require.Equalf(t, len(points), n, "%s: points", id)
			found += n
		}
	}
	require.Equal(t, share*len(gateways), found)
	t.Logf("store: %d readings, each once and exact", found)
}
