package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/importer"
	"github.com/thermie/thermie/metering"
)

// An imported file takes the way of every batch: signed by the importer, in the
// ledger with the origin "imported", in the store. The same file again does
// nothing, one that overlaps nothing wrong.
func TestImport(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := testConfig(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, []byte(text), 0o600))
		return p
	}
	programme, err := os.ReadFile(c.Programme)
	require.NoError(t, err)
	text := strings.Replace(string(programme), "\ngateways:\n", "\ngateways:\n  - {id: import-enedis, company: fonderie, place: {fr: fichiers, en: files}}\n", 1)
	text = strings.Replace(text, "\nmeters:\n", "\nmeters:\n  - {id: fonderie-pdl, company: fonderie, gateway: import-enedis, profile: enedis, name: {fr: Point de livraison, en: Delivery point}, medium: electricity}\n", 1)
	c.Programme = write("programme.yaml", text)
	b, err := broker.Start(ctx, broker.Options{Dir: filepath.Join(dir, "broker"), Listen: "127.0.0.1:0", Users: []broker.User{{Name: "ingest", Password: "secret",
		Publish: []string{"thermie/v1/+/+/receipt"}, Subscribe: []string{"thermie/v1/+/+/batch", "thermie/v1/+/+/status"}}}})
	require.NoError(t, err)
	defer b.Close()
	c.Broker = Broker{URL: b.URL(), Username: "ingest", PasswordFile: write("pw", "secret")}
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	defer s.Close()
	const head = "Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite\n0;Courbe de charge;01/01/2025;02/01/2025;Energie active;Consommation;Comptage Brut;W\nHorodate;Valeur\n"
	o := ImportOptions{Config: c, Importer: "import-enedis", Format: "enedis", Meter: "fonderie-pdl", Stamp: importer.StampEnd, Now: time.Now(),
		File: write("a.csv", head+"2025-01-01T01:00:00+01:00;1000\n2025-01-01T02:00:00+01:00;2000\n")}
	o.DryRun = true
	got, err := Import(ctx, o)
	require.NoError(t, err)
	require.Equal(t, 3, got.Readings)
	require.Zero(t, s.Ledger().Size())
	require.NoDirExists(t, filepath.Join(c.Data, "inbox"))
	o.DryRun = false
	got, err = Import(ctx, o)
	require.NoError(t, err)
	require.Equal(t, 1, got.Batches)

	got, err = Import(ctx, o)
	require.NoError(t, err)
	require.False(t, got.Before.IsZero(), "the same file again")
	o.Again = true
	got, err = Import(ctx, o)
	require.NoError(t, err)
	require.Equal(t, 2, got.Known)
	require.Zero(t, got.Batches)
	o.File = write("b.csv", head+"2025-01-01T02:00:00+01:00;2000\n2025-01-01T03:00:00+01:00;500\n")
	got, err = Import(ctx, o)
	require.NoError(t, err)
	require.Equal(t, 1, got.Known)

	// The ingest takes what was left, as soon as it runs.
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	id := metering.Series("fonderie-pdl", metering.ActiveEnergyImport)
	points := func(n int) (out []string) {
		t.Helper()
		require.Eventually(t, func() bool {
			out = nil
			for p, err := range s.Store().Points(ctx, access.System("test"), id, time.Unix(0, 0), time.Now()) {
				require.NoError(t, err)
				out = append(out, p.Number.String())
			}
			return len(out) == n
		}, 20*time.Second, 20*time.Millisecond, "points in the store: %v", &out)
		return out
	}
	require.Equal(t, []string{"0", "3600000", "10800000", "12600000"}, points(4))
	spans, err := s.Registry().ImportedSpans(ctx)
	require.NoError(t, err)
	require.Len(t, spans, 1, "its points are marked")
	require.Equal(t, "import-enedis 2024-12-31T23:00:00Z 2025-01-01T02:00:00Z", spans[0].By+" "+spans[0].From.Format(time.RFC3339)+" "+spans[0].To.Format(time.RFC3339))
	batches := 0
	for e, err := range s.Ledger().Entries(ctx, 0, s.Ledger().Size()) {
		require.NoError(t, err)
		if d, err := batch.OpenDocument(e.Data, nil); err == nil {
			require.Equal(t, actKind, d.Kind)
			continue
		}
		batches++
		leaf, err := batch.Open(e.Data, s.Registry().Keys(ctx))
		require.NoError(t, err)
		require.Equal(t, batch.Imported, leaf.Origin)
		require.Equal(t, "import-enedis", leaf.Gateway)
	}
	require.Equal(t, 2, batches)

	// What is not the importer's is refused, and so is who is no importer.
	o.Meter = "fonderie-heat"
	_, err = Import(ctx, o)
	require.ErrorIs(t, err, ErrImport)
	require.ErrorContains(t, err, "belongs to gw-fonderie")
	o.Meter = "nobody"
	_, err = Import(ctx, o)
	require.ErrorContains(t, err, "not in the programme")
	o.Meter, o.Importer = "fonderie-pdl", "gw-fonderie"
	_, err = Import(ctx, o)
	require.ErrorContains(t, err, `must begin with "import-"`)
	o.Importer, o.File = "import-enedis", write("future.csv", head+"2199-01-01T02:00:00+01:00;2000\n2199-01-01T03:00:00+01:00;500\n")
	_, err = Import(ctx, o)
	require.ErrorContains(t, err, "in the future")
	cancel()
	require.NoError(t, <-done)
}
