package api

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
)

// sealedWorld is the fixture with two closed quarters, sealed into a real
// ledger by the code that seals them: 2026-Q2 twice, 2026-Q3 once.
type sealedWorld struct {
	Registry
	reports []registry.Report
	files   map[string]fs.FS
	keys    proof.Keys
}

func (s *sealedWorld) Reports(context.Context) ([]registry.Report, error) { return s.reports, nil }

func (s *sealedWorld) Bundle(_ context.Context, r registry.Report) (fs.FS, error) {
	if f, ok := s.files[proof.ZipName(r.Quarter, r.Revision)]; ok {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (s *sealedWorld) Dossier(_ context.Context, r registry.Report) (fs.FS, error) {
	if f, ok := s.files[proof.DossierName(r.Quarter, r.Revision)]; ok {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

var theSealed struct {
	once sync.Once
	w    *sealedWorld
}

// sealed gives a server the closed quarters.
func sealed(t testing.TB) func(*Options) {
	t.Helper()
	theSealed.once.Do(func() { theSealed.w = seal(t) })
	require.NotNil(t, theSealed.w)
	return func(o *Options) { o.Registry, o.Bundles = theSealed.w, theSealed.w }
}

func seal(t testing.TB) *sealedWorld {
	ctx, w := context.Background(), fixture(t)
	out := &sealedWorld{Registry: w.registry, files: map[string]fs.FS{}}
	random := rand.NewChaCha8([32]byte{7})
	key := func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(random)
		require.NoError(t, err)
		return k
	}
	server, signer := key(), key()
	out.keys = proof.Keys{Origin: "port-demo.example/ledger", Ledger: signer.Public().(ed25519.PublicKey), Server: server.Public().(ed25519.PublicKey)}
	l, err := ledger.Open(t.TempDir(), ledger.Options{Origin: out.keys.Origin, Signer: signer})
	require.NoError(t, err)
	defer l.Close()
	for _, x := range []struct {
		quarter  string
		revision int
		reason   metering.Text
	}{{"2026-Q2", 1, metering.Text{}}, {"2026-Q2", 2, metering.Text{FR: "Relevés tardifs de la laiterie", EN: "Late readings of the dairy"}}, {"2026-Q3", 1, metering.Text{}}} {
		q, err := calendar.ParseQuarter(x.quarter)
		require.NoError(t, err)
		at := q.End().AddDate(0, 0, 10+x.revision).Add(9 * time.Hour)
		report := &proof.Report{Format: proof.Format, Territory: "port-demo", Name: w.programme.Territory.Name, Synthetic: true, Quarter: q, From: q.Start(), To: q.End(),
			Revision: x.revision, Reason: x.reason, SealedAt: at, SealedBy: "server", Code: "test", FactorSet: "fr-2026@1", LedgerSize: l.Size(), Synergies: 12, Companies: 15, Cells: cells(t, q)}
		dossier := fstest.MapFS{"dossier.json": {Data: []byte(`{"format":"` + proof.DossierFormat + `"}`)}, "plans/s01.yaml": {Data: []byte("synergy: s01\n")}, "batches.bin": {Data: []byte("batches")}}
		files, err := proof.Prepare(report, proof.Hash(dossier["dossier.json"].Data), out.keys, func(d batch.Document) ([]byte, error) { return batch.SealDocument(d, server) })
		require.NoError(t, err)
		index, _, err := l.Append(ctx, files.Leaf())
		require.NoError(t, err)
		_, err = l.Checkpoint(ctx)
		require.NoError(t, err)
		inclusion, err := l.Prove(ctx, index)
		require.NoError(t, err)
		files.Prove(inclusion)
		folder := fstest.MapFS{}
		for name, b := range files {
			folder[name] = &fstest.MapFile{Data: b}
		}
		out.files[proof.ZipName(q, x.revision)], out.files[proof.DossierName(q, x.revision)] = folder, dossier
		hash := batch.HashOf(files.Leaf())
		out.reports = append([]registry.Report{{Quarter: q, Revision: x.revision, Hash: hex.EncodeToString(hash[:]), LedgerIndex: index, Path: x.quarter,
			SealedBy: "server", SealedAt: at, Reason: x.reason.FR}}, out.reports...)
	}
	return out
}

// cells are a quarter's figures as the report would print them.
func cells(t testing.TB, q calendar.Quarter) []proof.Cell {
	t.Helper()
	w := fixture(t)
	facts, err := w.registry.Facts(context.Background())
	require.NoError(t, err)
	results, err := w.registry.Results(context.Background(), registry.Query{Kind: metering.PeriodQuarter, From: q.Start(), To: q.End()})
	require.NoError(t, err)
	who := disclosure.Companies{Holdings: map[string]string{}, Waived: map[string]bool{}}
	for _, c := range w.programme.Companies {
		who.Holdings[c.ID], who.Waived[c.ID] = c.Holding, facts.Consented(c.ID, access.Funder, access.FiguresMatter)
	}
	shares := map[string]map[string]float64{}
	for _, x := range newestPlans(w.programme.Plans) {
		plan, err := savings.ParsePlan([]byte(x.Body))
		require.NoError(t, err)
		shares[x.Synergy] = map[string]float64{}
		for _, s := range plan.Shares {
			shares[x.Synergy][s.Company] = s.Share
		}
	}
	var parts []disclosure.Synergy
	for _, r := range results {
		for _, s := range w.programme.Synergies {
			if s.ID == r.Synergy && r.From.Equal(q.Start()) {
				parts = append(parts, disclosure.Synergy{ID: s.ID, Theme: s.Resource, Parties: s.Parties, Shares: shares[s.ID], Result: r})
			}
		}
	}
	var out []proof.Cell
	for _, f := range disclosure.Show(disclosure.Figures(q.String(), parts, who), disclosure.Default, nil) {
		out = append(out, proof.Cell{Indicator: f.Key.Indicator, Theme: f.Key.Theme, Suppressed: string(f.Suppressed), Contributors: f.Contributors,
			Amount: f.Amount, Half90: f.Half90, Coverage: f.Coverage, Measured: f.Measured, Calculated: f.Calculated, Declared: f.Declared})
	}
	require.NotEmpty(t, out)
	return out
}
