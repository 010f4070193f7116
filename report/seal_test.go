package report_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/report/trial"
)

var ctx = context.Background()

func world(t testing.TB) *trial.World {
	t.Helper()
	w, err := trial.New(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// requireVerified verifies a report and its dossier as an outsider would.
func requireVerified(t testing.TB, w *trial.World, r registry.Report) (*proof.Verdict, *proof.Papers) {
	t.Helper()
	f, d, err := w.Read(ctx, r)
	require.NoError(t, err)
	v := proof.VerifyReport(f, &w.Keys)
	if v.OK() {
		proof.VerifyDossier(v, d)
	}
	for _, s := range v.Steps {
		require.True(t, s.OK, "%s: %s", s.Name.EN, s.Detail)
	}
	require.Equal(t, r.Hash, proof.Hash(f.Leaf()))
	require.EqualValues(t, r.LedgerIndex, v.Index)
	p, err := d.Papers()
	require.NoError(t, err)
	return v, p
}

func TestSeal(t *testing.T) {
	w := world(t)
	r, err := report.Seal(ctx, w.Inputs(""))
	require.NoError(t, err)
	v, p := requireVerified(t, w, r)
	require.True(t, v.Report.Synthetic)
	require.Equal(t, []int{7, 11}, []int{v.Report.Synergies, v.Report.Companies})
	require.Len(t, v.Report.Notes, 1, "synergy 7 has no plan, and the report says so")
	require.Equal(t, []string{"papeterie"}, p.Programme.Waived)

	// The recomputed figures are those of the registry.
	results, err := w.Registry.Results(ctx, registry.Query{Kind: metering.PeriodQuarter})
	require.NoError(t, err)
	require.Len(t, p.Results, 6)
	for i, x := range results {
		for k, f := range x.Figures {
			require.InEpsilon(t, f.Amount, p.Results[i].Figures[k].Amount, 1e-9, "%s %s", x.Synergy, f.Indicator)
		}
	}
	heat, ok := v.Report.Cell(metering.HeatDeliveredMWh, "heat")
	require.True(t, ok)
	require.Equal(t, 6, heat.Contributors)
	sum := 0.0
	for _, x := range p.Results {
		f, _ := x.Figure(metering.HeatDeliveredMWh)
		sum += f.Amount
	}
	require.Equal(t, sum, heat.Amount)
	gas, ok := v.Report.Cell(metering.EnergyAvoidedMWh, "gas")
	require.True(t, ok)
	require.Empty(t, gas.Suppressed, "the paper mill consented")
	water, ok := v.Report.Cell(metering.WaterSavedM3, "water")
	require.True(t, ok)
	require.Equal(t, "too_few", water.Suppressed)

	// Its record, and the zips on disk.
	record, err := w.Registry.Report(ctx, trial.Quarter, 0)
	require.NoError(t, err)
	require.Equal(t, r, record)
	require.Equal(t, "reports/2026-Q1-r1", r.Path)
	dir := filepath.Join(w.Data, filepath.FromSlash(r.Path))
	z, err := os.Open(filepath.Join(dir, proof.ZipName(r.Quarter, 1)))
	require.NoError(t, err)
	defer z.Close()
	info, err := z.Stat()
	require.NoError(t, err)
	files, err := proof.ReadZip(z, info.Size())
	require.NoError(t, err)
	require.True(t, proof.VerifyReport(files, &w.Keys).OK())
	list, err := os.ReadDir(filepath.Join(w.Data, "reports"))
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing is left over")
	acts, err := w.Registry.AuditTrail(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"Ada Animatrice", "seal_report", "2026-Q1 r1"}, []string{acts[0].Who, acts[0].What, acts[0].Subject})

	// What the report says of no company, gateway, meter or synergy.
	for name, b := range files {
		for _, no := range []string{"laiterie", "Laiterie", "gw-", "reseau", "papeterie"} {
			require.NotContains(t, string(b), no, name)
		}
	}

	again, err := report.Seal(ctx, w.Inputs(""))
	require.ErrorIs(t, err, report.ErrSealed)
	require.Equal(t, r, again)
	t.Run("bundles", func(t *testing.T) { bundles(t, w, r) })
	t.Run("real batches", func(t *testing.T) { realBatches(t, w) })
}

func TestRefusals(t *testing.T) {
	w := world(t)
	size := w.Ledger.Size()
	try := func(change func(in *report.Inputs)) error {
		in := w.Inputs("")
		change(&in)
		_, err := report.Seal(ctx, in)
		require.Error(t, err)
		return err
	}
	require.ErrorIs(t, try(func(in *report.Inputs) { in.Quarter = in.Quarter.Next() }), report.ErrNotOver)
	require.ErrorIs(t, try(func(in *report.Inputs) { in.Quarter = calendar.Quarter{Year: 2024, Q: 1} }), report.ErrNothing)
	require.ErrorContains(t, try(func(in *report.Inputs) { in.Reason = "why not" }), "corrects nothing")
	require.ErrorContains(t, try(func(in *report.Inputs) { in.By = "" }), "by whom")

	// Results that the readings do not give are not sealed.
	results, err := w.Registry.Results(ctx, registry.Query{Synergy: "s2", Kind: metering.PeriodQuarter})
	require.NoError(t, err)
	results[0].Figures[0].Amount *= 1.02
	require.NoError(t, w.Registry.PutResults(ctx, results))
	err = try(func(*report.Inputs) {})
	require.ErrorIs(t, err, report.ErrStale)
	require.ErrorContains(t, err, "synergy s2")
	require.NoError(t, w.Assess(ctx))

	// Nor with a key that is not the published one.
	require.ErrorContains(t, try(func(in *report.Inputs) { in.Signer = trial.Key("other") }), "not the programme's")

	all, err := w.Registry.Reports(ctx)
	require.NoError(t, err)
	require.Empty(t, all)
	require.Equal(t, size, w.Ledger.Size())
	left, err := os.ReadDir(filepath.Join(w.Data, "reports"))
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = report.Seal(ctx, w.Inputs(""))
	require.NoError(t, err)
}

// A late batch makes a revision. It gives its reason, keeps the factors that the
// quarter was closed with, and leaves the first report as it was.
func TestRevision(t *testing.T) {
	w := world(t)
	first, err := report.Seal(ctx, w.Inputs(""))
	require.NoError(t, err)
	v1, p1 := requireVerified(t, w, first)
	require.NoError(t, w.Deliver(ctx, w.Late))
	require.NoError(t, w.PublishFactors(ctx))
	require.NoError(t, w.Assess(ctx)) // with the new factors
	w.Now = w.Now.AddDate(0, 0, 10)
	_, err = report.Seal(ctx, w.Inputs(""))
	require.ErrorIs(t, err, report.ErrSealed, "without a reason it stays")
	second, err := report.Seal(ctx, w.Inputs("Relevés de la fonderie reçus le 22 avril"))
	require.NoError(t, err)
	require.Equal(t, 2, second.Revision)
	v2, p2 := requireVerified(t, w, second)
	v1again, _ := requireVerified(t, w, first)
	require.Equal(t, v1.Report, v1again.Report)

	require.Equal(t, v1.Report.FactorSet, v2.Report.FactorSet)
	require.Equal(t, "Relevés de la fonderie reçus le 22 avril", v2.Report.Reason.FR)
	require.Equal(t, []proof.Gap{{Gateway: "gw-malterie", After: 138, Before: 140, Declared: "disk replaced"}}, p2.Contents.Gaps)
	require.Len(t, p2.Programme.Earlier, 1)
	for i, r := range p2.Results {
		a, _ := p1.Results[i].Figure(metering.CO2eAvoidedTonnes)
		b, _ := r.Figure(metering.CO2eAvoidedTonnes)
		if r.Synergy == "s1" {
			require.Greater(t, b.Coverage, a.Coverage, "the late day is covered now")
			continue
		}
		require.Equal(t, a, b, r.Synergy)
	}
	// Only one holding's part changed: the difference would tell it.
	for _, c := range v2.Report.Cells {
		if was, _ := v1.Report.Cell(c.Indicator, c.Theme); was.Suppressed != "" {
			require.NotEmpty(t, c.Suppressed, "%s %s: withheld figures do not appear by revising", c.Indicator, c.Theme)
		}
	}
	all, err := w.Registry.Reports(ctx)
	require.NoError(t, err)
	require.Equal(t, []registry.Report{second, first}, all)
}

// faulty fails at one call, before or after the real one.
type faulty struct {
	*registry.Registry
	report.Ledger
	at    string
	after bool
}

var errCrash = errors.New("crash")

func (f *faulty) step(name string, do func() error) error {
	if name != f.at {
		return do()
	}
	if f.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errCrash
}

func (f *faulty) Checkpoint(ctx context.Context) (note []byte, err error) {
	err = f.step("checkpoint", func() error { note, err = f.Ledger.Checkpoint(ctx); return err })
	return note, err
}

func (f *faulty) Excerpt(ctx context.Context, w io.Writer, note []byte, leaves []uint64) error {
	return f.step("excerpt", func() error { return f.Ledger.Excerpt(ctx, w, note, leaves) })
}

func (f *faulty) Append(ctx context.Context, b []byte) (i uint64, twice bool, err error) {
	err = f.step("append", func() error { i, twice, err = f.Ledger.Append(ctx, b); return err })
	return i, twice, err
}

func (f *faulty) Prove(ctx context.Context, i uint64) (p []byte, err error) {
	err = f.step("prove", func() error { p, err = f.Ledger.Prove(ctx, i); return err })
	return p, err
}

func (f *faulty) Audit(ctx context.Context, a registry.Act) error {
	return f.step("audit", func() error { return f.Registry.Audit(ctx, a) })
}

func (f *faulty) AddReport(ctx context.Context, r registry.Report) error {
	return f.step("add", func() error { return f.Registry.AddReport(ctx, r) })
}

// Wherever a sealing is cut off, the same call goes on with it, and the ledger
// holds one sealed document in the end.
func TestCutOffAnywhere(t *testing.T) {
	w := world(t)
	size := w.Ledger.Size()
	for _, at := range []string{"checkpoint", "excerpt", "append", "prove", "audit", "add"} {
		for _, after := range []bool{false, true} {
			in := w.Inputs("")
			f := &faulty{w.Registry, w.Ledger, at, after}
			in.Registry, in.Ledger = f, f
			_, err := report.Seal(ctx, in)
			require.ErrorIs(t, err, errCrash, "%s, after %v", at, after)
			w.Now = w.Now.Add(time.Hour) // a later attempt must not make another document
		}
	}
	r, err := report.Seal(ctx, w.Inputs(""))
	require.ErrorIs(t, err, report.ErrSealed, "the last cut came after the last step")
	requireVerified(t, w, r)
	require.Equal(t, size+1, w.Ledger.Size(), "one sealed document")
	list, err := os.ReadDir(filepath.Join(w.Data, "reports"))
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing is left over")
}

func TestPublishKeys(t *testing.T) {
	dir := t.TempDir()
	w := proof.Keys{Origin: "thermie/x", Ledger: make([]byte, 32), Server: make([]byte, 32)}
	for range 2 {
		require.NoError(t, report.PublishKeys(dir, w))
		b, err := os.ReadFile(filepath.Join(dir, "keys", "keys.json"))
		require.NoError(t, err)
		k, err := proof.ParseKeys(b)
		require.NoError(t, err)
		require.Equal(t, w, k)
		w.Origin = "thermie/y"
	}
	info, err := os.Stat(filepath.Join(dir, "keys", "keys.json"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
}

// bundles opens what was sealed as the dashboard does.
func bundles(t *testing.T, w *trial.World, r registry.Report) {
	b := report.Bundles{Data: w.Data}
	files, err := b.Bundle(ctx, r)
	require.NoError(t, err)
	list, err := fs.ReadDir(files, ".")
	require.NoError(t, err)
	require.Len(t, list, 7)
	dossier, err := b.Dossier(ctx, r)
	require.NoError(t, err)
	var names []string
	require.NoError(t, fs.WalkDir(dossier, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	}))
	require.Equal(t, []string{"batches.bin", "dossier.json", "factors.json", "plans/s1.yaml", "plans/s2.yaml", "plans/s3.yaml", "plans/s4.yaml",
		"plans/s5.yaml", "plans/s6.yaml", "programme.json", "results.json"}, names)
	raw, err := fs.ReadFile(dossier, "dossier.json")
	require.NoError(t, err)
	var c proof.Contents
	require.NoError(t, json.Unmarshal(raw, &c))
	require.Equal(t, trial.Quarter, c.Quarter)
	_, err = dossier.Open("nothing")
	require.ErrorIs(t, err, fs.ErrNotExist)

	gone := r
	gone.Revision, gone.Path = 7, "reports/2026-Q1-r7"
	_, err = b.Bundle(ctx, gone)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = b.Dossier(ctx, gone)
	require.ErrorIs(t, err, fs.ErrNotExist)
	r.Path = "../../etc"
	_, err = b.Bundle(ctx, r)
	require.ErrorContains(t, err, "recorded at")
}

// realBatches: those of the trial are signed and chained as any other.
func realBatches(t *testing.T, w *trial.World) {
	n := 0
	for e, err := range w.Ledger.Entries(ctx, 0, w.Ledger.Size()-1) {
		require.NoError(t, err)
		_, err := batch.Open(e.Data, w.Registry.Keys(ctx))
		require.NoError(t, err)
		n++
	}
	require.Equal(t, len(w.Sealed), n)
}
