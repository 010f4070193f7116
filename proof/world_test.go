package proof_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/report/trial"
)

var ctx = context.Background()

// sealed is one quarter of the trial programme, sealed once for all tests; they
// copy what they change.
var sealed struct {
	world   *trial.World
	files   proof.Files
	dossier *proof.Dossier
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "thermie-proof")
	if err == nil {
		err = seal(dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
		err = sealed.world.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func seal(dir string) (err error) {
	if sealed.world, err = trial.New(ctx, dir); err != nil {
		return err
	}
	r, err := report.Seal(ctx, sealed.world.Inputs(""))
	if err != nil {
		return err
	}
	sealed.files, sealed.dossier, err = sealed.world.Read(ctx, r)
	return err
}

func copies() (proof.Files, *proof.Dossier) {
	d := *sealed.dossier
	d.Files = maps.Clone(d.Files)
	return maps.Clone(sealed.files), &d
}

func verify(f proof.Files, d *proof.Dossier, keys *proof.Keys) *proof.Verdict {
	v := proof.VerifyReport(f, keys)
	if v.OK() && d != nil {
		proof.VerifyDossier(v, d)
	}
	return v
}

// failure is the first step that failed, with its detail.
func failure(v *proof.Verdict) string {
	for _, s := range v.Steps {
		if !s.OK {
			return s.Name.EN + ": " + s.Detail
		}
	}
	return ""
}

func requireVerified(t testing.TB, v *proof.Verdict) {
	t.Helper()
	require.Empty(t, failure(v))
	require.True(t, v.OK())
}

func requireFails(t testing.TB, v *proof.Verdict, step, detail string) {
	t.Helper()
	require.False(t, v.OK(), "verified")
	for _, s := range v.Steps {
		if !s.OK && strings.Contains(s.Name.EN, step) {
			require.Contains(t, s.Detail, detail)
			return
		}
	}
	require.Failf(t, "another step failed", "want %q, got %q", step, failure(v))
}

// reseal signs a report and a dossier that were altered, with the server's own
// key, and enters them in the ledger: what a dishonest operator could do.
func reseal(t testing.TB, p *proof.Papers, r *proof.Report, d *proof.Dossier, batchesHash string) (proof.Files, *proof.Dossier) {
	t.Helper()
	w := sealed.world
	files, hash, err := p.Pack(batchesHash)
	require.NoError(t, err)
	out, err := proof.Prepare(r, hash, w.Keys, func(x batch.Document) ([]byte, error) { return batch.SealDocument(x, w.Signer) })
	require.NoError(t, err)
	index, _, err := w.Ledger.Append(ctx, out.Leaf())
	require.NoError(t, err)
	proven, err := w.Ledger.Prove(ctx, index)
	require.NoError(t, err)
	out.Prove(proven)
	return out, &proof.Dossier{Files: files, Batches: d.Batches}
}
