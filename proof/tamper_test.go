package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/report/trial"
)

const batchesFile = "batches.bin"

func batchesOf(t testing.TB, d *proof.Dossier) []byte {
	t.Helper()
	f, err := d.Batches()
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	return b
}

func withBatches(d *proof.Dossier, b []byte) *proof.Dossier {
	d.Batches = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	return d
}

func TestVerified(t *testing.T) {
	f, d := copies()
	requireVerified(t, verify(f, d, &sealed.world.Keys))
	v := verify(f, d, nil)
	requireVerified(t, v)
	require.False(t, v.KeysGiven)
	for _, s := range v.Steps {
		require.NotEmpty(t, s.Name.FR)
		require.NotEmpty(t, s.Name.EN)
		require.NotEqual(t, s.Name.FR, s.Name.EN)
	}
}

// Whatever byte of whatever file changes, verification fails and says where.
func TestAnyByte(t *testing.T) {
	whole := batchesOf(t, sealed.dossier)
	names := slices.Sorted(maps.Keys(sealed.files))
	for _, n := range slices.Sorted(maps.Keys(sealed.dossier.Files)) {
		names = append(names, "dossier:"+n)
	}
	names = append(names, "dossier:"+batchesFile)
	// How a changed file is named: by itself, or by the step that it breaks.
	says := map[string]string{"keys.json": "Public keys", "leaf.cose": "Signature of the seal", "proof.txt": "Inclusion",
		"dossier:dossier.json": "dossier.json", "dossier:" + batchesFile: ""}
	random := rand.New(rand.NewPCG(7, 11))
	for _, name := range names {
		inner, ofDossier := strings.CutPrefix(name, "dossier:")
		for range 3 {
			f, d := copies()
			flip := func(b []byte) []byte {
				b = bytes.Clone(b)
				b[random.IntN(len(b))] ^= byte(1 << random.IntN(8))
				return b
			}
			switch {
			case inner == batchesFile:
				withBatches(d, flip(whole))
			case ofDossier:
				d.Files[inner] = flip(d.Files[inner])
			default:
				f[name] = flip(f[name])
			}
			v := verify(f, d, &sealed.world.Keys)
			require.False(t, v.OK(), "%s was changed and it verifies", name)
			want, known := says[name]
			if !known {
				want = inner
			}
			require.Contains(t, failure(v), want, "%s was changed", name)
		}
	}
}

// Cut short anywhere, the batches do not verify.
func TestBatchesCutShort(t *testing.T) {
	whole := batchesOf(t, sealed.dossier)
	for _, n := range []int{0, 10, 30, 200, len(whole) / 2, len(whole) - 1} {
		f, d := copies()
		v := verify(f, withBatches(d, whole[:n]), &sealed.world.Keys)
		require.False(t, v.OK(), "cut at %d of %d", n, len(whole))
	}
	f, d := copies()
	requireFails(t, verify(f, withBatches(d, append(bytes.Clone(whole), 0)), &sealed.world.Keys), "Inclusion of each batch", "follows the last leaf")
}

func TestMissingAddedForeign(t *testing.T) {
	keys := &sealed.world.Keys
	for name := range sealed.files {
		f, d := copies()
		delete(f, name)
		v := verify(f, d, keys)
		require.False(t, v.OK(), "%s is missing", name)
	}
	for name := range sealed.dossier.Files {
		f, d := copies()
		delete(d.Files, name)
		v := verify(f, d, keys)
		require.Contains(t, failure(v), name)
	}
	f, d := copies()
	f["annex.html"] = []byte("<p>")
	requireFails(t, verify(f, d, keys), "Files unchanged", "annex.html was not sealed")
	f, d = copies()
	d.Files["plans/s9.yaml"] = []byte("schema: thermie.plan/1")
	requireFails(t, verify(f, d, keys), "Files of the dossier", "plans/s9.yaml was not sealed")

	// Keys of somebody else, then a report that carries them.
	foreign := *keys
	foreign.Server = trial.Key("somebody").Public().(ed25519.PublicKey)
	f, d = copies()
	requireFails(t, verify(f, d, &foreign), "Public keys", "not the programme's")
	b, err := foreign.File()
	require.NoError(t, err)
	f["keys.json"] = b
	requireFails(t, verify(f, d, keys), "Public keys", "not the programme's")
	requireFails(t, verify(f, d, nil), "Signature of the seal", "signature")
	foreign = *keys
	foreign.Ledger = foreign.Server
	if b, err = foreign.File(); err == nil {
		f["keys.json"] = b
	}
	require.NoError(t, err)
	requireFails(t, verify(f, d, nil), "Inclusion", "")
}

// What the operator could do, who has the server's key and the ledger: change
// what was computed and seal it again. The readings tell.
func TestDishonestOperator(t *testing.T) {
	parts := func(t *testing.T) (*proof.Papers, *proof.Report, *proof.Dossier, string) {
		f, d := copies()
		p, err := d.Papers()
		require.NoError(t, err)
		var r proof.Report
		require.NoError(t, json.Unmarshal(f["report.json"], &r))
		return p, &r, d, proof.Hash(batchesOf(t, d))
	}
	keys := &sealed.world.Keys
	t.Run("nothing changed", func(t *testing.T) {
		p, r, d, hash := parts(t)
		f, d := reseal(t, p, r, d, hash)
		requireVerified(t, verify(f, d, keys))
	})
	t.Run("a figure, by its last digit", func(t *testing.T) {
		p, r, d, hash := parts(t)
		p.Results[0].Figures[0].Amount += 0.000001
		r.Cells = p.Cells()
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Synergy 1 recomputed", "the readings give")
	})
	t.Run("a declared figure called measured", func(t *testing.T) {
		p, r, d, hash := parts(t)
		for i := range p.Results[4].Figures {
			p.Results[4].Figures[i].Class = metering.ClassMeasured
		}
		r.Cells = p.Cells()
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Synergy 5 recomputed", "measured")
	})
	t.Run("a cell of the report", func(t *testing.T) {
		p, r, d, hash := parts(t)
		r.Cells[0].Half90 /= 2
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Disclosure control", "energy_avoided_mwh for all")
	})
	t.Run("a figure shown that must be withheld", func(t *testing.T) {
		p, r, d, hash := parts(t)
		p.Programme.Rules.MinContributors = 1
		p.Programme.Rules.MaxShare = 1
		p.Programme.Rules.P = 0
		r.Cells = p.Cells()
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Disclosure control", "rules")
	})
	t.Run("an exchange of a meter", func(t *testing.T) {
		p, r, d, hash := parts(t)
		i := slices.IndexFunc(p.Programme.Meters, func(m metering.Meter) bool { return m.ID == "serre-chaleur" })
		p.Programme.Meters[i].Exchanges[0].OldFinal = metering.Int(10_000_000)
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Synergy 3 recomputed", "")
	})
	t.Run("the number of synergies", func(t *testing.T) {
		p, r, d, hash := parts(t)
		r.Synergies++
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Approved plans", "synergies: the dossier has 7, the report 8")
	})
	t.Run("synthetic data called measured", func(t *testing.T) {
		p, r, d, hash := parts(t)
		r.Synthetic = false
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Origin of the data", "synthetic")
	})
	t.Run("a gateway's key", func(t *testing.T) {
		p, r, d, hash := parts(t)
		p.Programme.Gateways[0].Keys[0].Key = trial.Key("forger").Public().(ed25519.PublicKey)
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Signature of each batch", "gw-fonderie")
	})
	t.Run("a gap that is not admitted", func(t *testing.T) {
		p, r, d, hash := parts(t)
		require.Equal(t, []proof.Gap{{Gateway: "gw-fonderie", After: 149, Before: 151}, {Gateway: "gw-malterie", After: 138, Before: 140, Declared: "disk replaced"}}, p.Contents.Gaps)
		p.Contents.Gaps = p.Contents.Gaps[1:]
		f, d := reseal(t, p, r, d, hash)
		requireFails(t, verify(f, d, keys), "Chain of each gateway", "gw-fonderie: batches between 149 and 151")
	})
	for name, drop := range map[string]func(b *batch.Batch) bool{
		"a batch left out":              func(b *batch.Batch) bool { return b.Gateway == "gw-chimie" && b.Number == 130 },
		"the first batches left out":    func(b *batch.Batch) bool { return b.Gateway == "gw-chimie" && b.Number < 125 },
		"the last batches left out":     func(b *batch.Batch) bool { return b.Gateway == "gw-chimie" && b.Number > 155 },
		"a gateway left out":            func(b *batch.Batch) bool { return b.Gateway == "gw-chimie" },
		"a batch of the baseline":       func(b *batch.Batch) bool { return b.Gateway == "gw-papeterie" && b.Number == 20 },
		"the beginning of the baseline": func(b *batch.Batch) bool { return b.Gateway == "gw-papeterie" && b.Number < 10 },
	} {
		t.Run(name, func(t *testing.T) {
			p, r, d, _ := parts(t)
			b := withoutBatches(t, p, drop)
			note, err := sealed.world.Ledger.Checkpoint(ctx)
			require.NoError(t, err)
			r.LedgerSize, err = ledger.CheckpointSize(note, keys.Origin, keys.Ledger)
			require.NoError(t, err)
			p.Contents.LedgerSize = r.LedgerSize
			f, d := reseal(t, p, r, withBatches(d, b), proof.Hash(b))
			requireFails(t, verify(f, d, keys), "Chain of each gateway", "are missing, which the dossier does not say")
		})
	}
}

// withoutBatches writes an excerpt without some of the dossier's batches, which
// the ledger proves as well as the whole one.
func withoutBatches(t *testing.T, p *proof.Papers, drop func(*batch.Batch) bool) []byte {
	t.Helper()
	w := sealed.world
	heads := map[string][]proof.Head{}
	kept := map[uint64]bool{}
	for i, b := range allHeads(t, p.Contents.LedgerSize) {
		heads[b.Gateway] = append(heads[b.Gateway], proof.Head{Index: uint64(i), Number: b.Number, ClosedAt: b.ClosedAt})
		kept[uint64(i)] = !drop(b)
	}
	chosen := p.Select(heads)
	before := len(chosen)
	chosen = slices.DeleteFunc(chosen, func(i uint64) bool { return !kept[i] })
	require.Less(t, len(chosen), before)
	note, err := w.Ledger.Checkpoint(ctx)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, w.Ledger.Excerpt(ctx, &out, note, chosen))
	return out.Bytes()
}

var headsOnce []*batch.Batch

// allHeads are the heads of the first batches in the ledger, read once.
func allHeads(t *testing.T, size uint64) []*batch.Batch {
	if headsOnce == nil {
		for e, err := range sealed.world.Ledger.Entries(ctx, 0, size) {
			require.NoError(t, err)
			b, err := batch.Head(e.Data)
			require.NoError(t, err)
			headsOnce = append(headsOnce, b)
		}
	}
	return headsOnce
}
