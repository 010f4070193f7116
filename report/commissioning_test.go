package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/report/trial"
)

// enter takes a record into registry and ledger, as the server does.
func enter(t *testing.T, w *trial.World, record commissioning.Record, key string) []byte {
	sealed, err := commissioning.Seal(record, trial.Key(key))
	require.NoError(t, err)
	digest := commissioning.Digest(sealed)
	_, err = w.Registry.AddCommissioning(ctx, registry.Commissioning{Digest: digest, Gateway: record.Gateway, SignedAt: record.Signed, AddedAt: w.Now, AddedBy: "anne", Record: sealed})
	require.NoError(t, err)
	leaf, err := commissioning.LeafOf(sealed)
	require.NoError(t, err)
	d, err := leaf.Document(w.Now)
	require.NoError(t, err)
	b, err := batch.SealDocument(d, w.Signer)
	require.NoError(t, err)
	require.NotContains(t, string(b), record.Installer, "a ledger forgets nothing: it holds no names")
	index, _, err := w.Ledger.Append(ctx, b)
	require.NoError(t, err)
	require.NoError(t, w.Registry.CommissioningEntered(ctx, digest, index))
	return sealed
}

const recordsStep = "Commissioning records signed by their gateway and in the ledger"

func step(v *proof.Verdict, name string) (proof.Step, bool) {
	for _, s := range v.Steps {
		if s.Name.EN == name {
			return s, true
		}
	}
	return proof.Step{}, false
}

// A dossier holds the commissioning records, and a verifier sees whether they are
// the gateways' and in the ledger.
func TestCommissioningRecords(t *testing.T) {
	w := world(t)
	territory, err := w.Registry.Territory(ctx)
	require.NoError(t, err)
	meters, err := w.Registry.MetersOfGateway(ctx, "gw-fonderie")
	require.NoError(t, err)
	record := commissioning.Record{Gateway: "gw-fonderie", Territory: territory.ID, Origin: "synthetic", Language: "fr", Signed: w.Now, Installer: "Jean Valjean",
		Meters: []commissioning.Meter{{ID: meters[0].ID, Accepted: true}, {ID: "nobody", Accepted: true}}}
	first := enter(t, w, record, "gw-fonderie")

	r, err := report.Seal(ctx, w.Inputs(""))
	require.NoError(t, err)
	v, p := requireVerified(t, w, r)
	require.Len(t, p.Commissionings, 1)
	require.Equal(t, first, p.Commissionings[0].Record)
	s, is := step(v, recordsStep)
	require.True(t, is)
	require.Contains(t, s.Detail, "1 records, for 1 of ")

	// One that another key signed shows in the next revision's dossier.
	record.Installer = "Javert"
	enter(t, w, record, "gw-malterie")
	r, err = report.Seal(ctx, w.Inputs("a record was added"))
	require.NoError(t, err)
	f, d, err := w.Read(ctx, r)
	require.NoError(t, err)
	v = proof.VerifyReport(f, &w.Keys)
	proof.VerifyDossier(v, d)
	s, is = step(v, recordsStep)
	require.True(t, is)
	require.False(t, s.OK)
	require.Contains(t, s.Detail, "the key that signed it is not the gateway's")

	// A record that is not the sealed one, or not there, ends the verification.
	for name := range d.Files {
		if !strings.HasPrefix(name, "commissioning/") {
			continue
		}
		for _, change := range []func(){func() { d.Files[name] = bytes.Replace(d.Files[name], []byte("a"), []byte("b"), 1) }, func() { delete(d.Files, name) }} {
			before := d.Files[name]
			change()
			v := proof.VerifyReport(f, &w.Keys)
			proof.VerifyDossier(v, d)
			last := v.Steps[len(v.Steps)-1]
			require.Equal(t, "Files of the dossier unchanged since the sealing", last.Name.EN)
			require.False(t, last.OK)
			d.Files[name] = before
		}
	}
}
