package report_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/assessment"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/report/trial"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/simulator/port"
)

// BenchmarkSealPort seals the last quarter of the demonstration's port (fifteen
// months of readings every half hour) and verifies it:
//
//	go test -run '^$' -bench SealPort -benchtime 1x ./report
func BenchmarkSealPort(b *testing.B) {
	now := time.Date(2026, 10, 16, 8, 0, 0, 0, time.UTC)
	dir := b.TempDir()
	p, err := port.New(port.Options{Seed: 1, Epoch: now})
	require.NoError(b, err)
	reg, err := registry.Open(ctx, filepath.Join(dir, "registry.db"), registry.WithClock(func() time.Time { return now }))
	require.NoError(b, err)
	defer reg.Close()
	programme, err := p.Programme(now)
	require.NoError(b, err)
	require.NoError(b, reg.Import(ctx, programme))
	log, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{Origin: trial.Origin, Signer: trial.Key("ledger")})
	require.NoError(b, err)
	defer log.Close()
	store, err := embedded.Open(ctx, filepath.Join(dir, "series"), embedded.Options{TailPoints: 5_000_000})
	require.NoError(b, err)
	defer store.Close()
	readings := 0
	for _, g := range p.Gateways() {
		key := trial.Key(g)
		require.NoError(b, reg.EnrolGateway(ctx, g, key.Public().(ed25519.PublicKey)))
		box, err := outbox.Open(filepath.Join(dir, g), outbox.Options{Gateway: g, Key: key, Origin: batch.Synthetic})
		require.NoError(b, err)
		var parts []outbox.Part
		var all []metering.Reading
		for part := range p.History(g, p.Start(), now, 30*time.Minute) {
			parts = append(parts, outbox.Part{Clock: part.Clock, ClosedAt: part.ClosedAt, Readings: part.Readings, Origin: part.Origin})
			all = append(all, part.Readings...)
		}
		require.NoError(b, box.PutMany(parts))
		var sealed [][]byte
		for after := uint64(0); ; {
			some, err := box.Unsent(after, 100)
			require.NoError(b, err)
			if len(some) == 0 {
				break
			}
			for _, s := range some {
				sealed, after = append(sealed, s.Bytes), s.Number
			}
		}
		require.NoError(b, box.Close())
		_, err = log.AppendAll(ctx, sealed)
		require.NoError(b, err)
		require.NoError(b, store.Apply(ctx, log.Size(), all))
		readings += len(all)
	}
	began := time.Now()
	require.NoError(b, assessment.Run(ctx, assessment.Inputs{Registry: reg, Series: store, Now: now}))
	b.Logf("%d readings in %d leaves, assessed in %s", readings, log.Size(), time.Since(began))
	public := func(name string) ed25519.PublicKey { return trial.Key(name).Public().(ed25519.PublicKey) }
	in := report.Inputs{Registry: reg, Ledger: log, Keys: proof.Keys{Origin: trial.Origin, Ledger: public("ledger"), Server: public("server")},
		Signer: trial.Key("server"), Data: dir, Quarter: calendar.QuarterOf(now).Add(-1), By: "bench", Version: "bench", Clock: func() time.Time { return now }}
	for b.Loop() {
		require.NoError(b, os.RemoveAll(filepath.Join(dir, "reports")))
		began := time.Now()
		r, err := report.Seal(ctx, in)
		require.NoError(b, err)
		sealing := time.Since(began)
		began = time.Now()
		bundles := report.Bundles{Data: dir}
		files, err := bundles.Bundle(ctx, r)
		require.NoError(b, err)
		f, err := proof.Load(files)
		require.NoError(b, err)
		dossier, err := bundles.Dossier(ctx, r)
		require.NoError(b, err)
		d, err := proof.LoadDossier(dossier)
		require.NoError(b, err)
		v := proof.VerifyReport(f, &in.Keys)
		proof.VerifyDossier(v, d)
		var says strings.Builder
		for _, s := range v.Steps {
			require.True(b, s.OK, "%s: %s", s.Name.EN, s.Detail)
			says.WriteString(" | " + s.Name.EN + ": " + s.Detail)
		}
		b.ReportMetric(sealing.Seconds(), "s/seal")
		b.ReportMetric(time.Since(began).Seconds(), "s/verify")
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(r.Path), proof.DossierName(r.Quarter, r.Revision)))
		require.NoError(b, err)
		b.ReportMetric(float64(info.Size())/1e6, "MB/dossier")
		for _, c := range v.Report.Cells {
			fmt.Fprintf(&says, " | %+v", c)
		}
		b.Log(says.String())
	}
}
