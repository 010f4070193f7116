package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
)

// prepare makes everything but the ledger's proof.
func prepare(ctx context.Context, in *Inputs, f folder, earlier []registry.Report) error {
	now := in.Clock().UTC().Truncate(time.Millisecond)
	if err := f.start(); err != nil {
		return err
	}
	checkpoint, err := in.Ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	size, err := ledger.CheckpointSize(checkpoint, in.Keys.Origin, in.Keys.Ledger)
	if err != nil {
		return err
	}
	g := &gathering{in: in, now: now, contents: proof.Contents{Quarter: in.Quarter, Revision: f.revision, LedgerSize: size}}
	if len(earlier) > 0 {
		if g.before, err = papersOf(in.Data, earlier[0]); err != nil {
			return err
		}
	}
	papers, err := g.gather(ctx)
	if err != nil {
		return err
	}
	if papers.Commissionings, err = commissionings(ctx, in, size); err != nil {
		return err
	}
	batches := f.at(working, "batches.bin")
	hash, err := excerpt(ctx, in.Ledger, papers, checkpoint, size, batches)
	if err != nil {
		return err
	}
	if err := compute(in, papers, batches, hash, g.refactored); err != nil {
		return err
	}
	dossier, dossierHash, err := papers.Pack(hash)
	if err != nil {
		return err
	}
	if err := zipDossier(f, dossier, batches, now); err != nil {
		return err
	}
	r := g.report(papers)
	files, err := proof.Prepare(r, dossierHash, in.Keys, func(d batch.Document) ([]byte, error) { return batch.SealDocument(d, in.Signer) })
	if err != nil {
		return err
	}
	return f.put(files)
}

func zipDossier(f folder, files proof.Files, batches string, at time.Time) error {
	b, err := os.Open(batches)
	if err != nil {
		return err
	}
	defer b.Close()
	err = write(f.at(working, proof.DossierName(f.quarter, f.revision)), func(w io.Writer) error { return proof.ZipDossier(w, files, b, at) })
	if err != nil {
		return err
	}
	return os.Remove(batches)
}

// gathering collects a dossier's papers.
type gathering struct {
	in        *Inputs
	now       time.Time
	contents  proof.Contents
	territory registry.Territory
	before    *proof.Papers // of the revision before this one; nil: none
	// refactored are the synergies whose results in the registry use other factors
	// than the quarter was closed with.
	refactored map[string]bool
}

// papersOf reads the papers of a sealed report.
func papersOf(data string, r registry.Report) (*proof.Papers, error) {
	fail := func(err error) (*proof.Papers, error) {
		return nil, fmt.Errorf("dossier of revision %d: %w", r.Revision, err)
	}
	f, err := (Bundles{data}).folder(r)
	if err != nil {
		return fail(err)
	}
	z, err := os.Open(f.at("", proof.DossierName(r.Quarter, r.Revision)))
	if err != nil {
		return fail(err)
	}
	defer z.Close()
	info, err := z.Stat()
	if err != nil {
		return fail(err)
	}
	d, err := proof.ReadDossier(z, info.Size())
	if err != nil {
		return fail(err)
	}
	p, err := d.Papers()
	if err != nil {
		return fail(err)
	}
	return p, nil
}

func (g *gathering) gather(ctx context.Context) (*proof.Papers, error) {
	var err error
	if g.territory, err = g.in.Registry.Territory(ctx); err != nil {
		return nil, err
	}
	g.contents.Territory = g.territory.ID
	q := g.in.Quarter
	results, err := g.in.Registry.Results(ctx, registry.Query{Kind: metering.PeriodQuarter, From: q.Start(), To: q.End()})
	if err != nil {
		return nil, err
	}
	if len(results) == 0 {
		return nil, ErrNothing
	}
	p, err := g.programme(ctx, results)
	if err != nil {
		return nil, err
	}
	plans := map[string][]byte{}
	for _, r := range results {
		plan, err := g.in.Registry.PlanByHash(ctx, r.PlanHash)
		if err != nil {
			return nil, fmt.Errorf("synergy %s: %w", r.Synergy, err)
		}
		if !plan.Approved() {
			return nil, fmt.Errorf("synergy %s: its results follow a plan that is not approved (version %d)", r.Synergy, plan.Version)
		}
		plans[r.Synergy] = []byte(plan.Body)
	}
	factors, err := g.factors(ctx, results)
	if err != nil {
		return nil, err
	}
	return proof.NewPapers(g.contents, p, factors, results, plans)
}

// factors returns the factor sets that the results use. In a revision, results
// keep the set that the quarter was closed with.
func (g *gathering) factors(ctx context.Context, results []metering.Result) ([]proof.FactorSet, error) {
	g.refactored = map[string]bool{}
	if g.before != nil {
		for i := range results {
			k := slices.IndexFunc(g.before.Results, func(r metering.Result) bool { return r.Synergy == results[i].Synergy })
			if k >= 0 && g.before.Results[k].FactorSet != results[i].FactorSet {
				results[i].FactorSet = g.before.Results[k].FactorSet
				g.refactored[results[i].Synergy] = true
			}
		}
	}
	all, err := g.in.Registry.FactorSets(ctx)
	if err != nil {
		return nil, err
	}
	var out []proof.FactorSet
	for _, s := range all {
		if slices.ContainsFunc(results, func(r metering.Result) bool { return r.FactorSet == s.Ref() }) {
			out = append(out, proof.FactorSet{Ref: s.Ref(), SHA256: proof.Hash([]byte(s.Body)), Body: s.Body})
		}
	}
	return out, nil
}

func (g *gathering) programme(ctx context.Context, results []metering.Result) (p proof.Programme, err error) {
	r := g.in.Registry
	p.Rules = disclosure.Default
	if p.Companies, err = r.Companies(ctx); err != nil {
		return p, err
	}
	for _, c := range p.Companies {
		waived, err := r.ConsentedAt(ctx, c.ID, access.Funder, access.FiguresMatter, g.now)
		if err != nil {
			return p, err
		}
		if waived {
			p.Waived = append(p.Waived, c.ID)
		}
	}
	gateways, err := r.Gateways(ctx)
	if err != nil {
		return p, err
	}
	for _, x := range gateways {
		keys, err := r.GatewayKeys(ctx, x.ID)
		if err != nil {
			return p, err
		}
		gw := proof.Gateway{ID: x.ID, Company: x.Company}
		for _, k := range keys {
			gw.Keys = append(gw.Keys, proof.GatewayKey{Key: k.Key, Since: k.EnrolledAt.UTC()})
		}
		p.Gateways = append(p.Gateways, gw)
	}
	if p.Meters, err = r.Meters(ctx); err != nil {
		return p, err
	}
	if p.Synergies, err = r.Synergies(ctx); err != nil {
		return p, err
	}
	q := g.in.Quarter
	for _, x := range results {
		ds, err := r.Declarations(ctx, x.Synergy, q.Start(), q.End())
		if err != nil {
			return p, err
		}
		for _, d := range ds {
			if p.Declarations == nil {
				p.Declarations = map[string][]savings.Declared{}
			}
			p.Declarations[x.Synergy] = append(p.Declarations[x.Synergy], Declared(d))
		}
	}
	if g.before != nil {
		p.Earlier = append(slices.Clone(g.before.Programme.Earlier), g.before.Shown())
	}
	return p, nil
}

// Declared is a declaration of the registry as the analytics take it.
func Declared(d registry.Declaration) savings.Declared {
	out := savings.Declared{ID: d.ID, Indicator: d.Indicator, Span: indicators.Span{From: indicators.DateOf(d.From), To: indicators.DateOf(d.To)},
		Amount: d.Amount.Float64(), Half90: d.Half90.Float64(), Flow: indicators.Flow(d.Flow), By: d.Company}
	for _, e := range d.Evidence {
		x := savings.Evidence{Kind: e.Kind, Reference: e.Reference, SHA256: e.SHA256}
		if !e.Date.IsZero() {
			x.Date = indicators.DateOf(e.Date)
		}
		out.Evidence = append(out.Evidence, x)
	}
	return out
}

// excerpt copies the batches that the papers need out of the ledger and returns
// the file's hash. A first walk through the ledger reads heads only.
func excerpt(ctx context.Context, l Ledger, p *proof.Papers, checkpoint []byte, size uint64, name string) (hash string, err error) {
	gateways := p.Gateways()
	heads := map[string][]proof.Head{}
	for e, err := range l.Entries(ctx, 0, size) {
		if err != nil {
			return "", err
		}
		b, err := batch.Head(e.Data)
		if err != nil || !gateways[b.Gateway] {
			continue // a document, or a gateway that does not matter
		}
		heads[b.Gateway] = append(heads[b.Gateway], proof.Head{Index: e.Index, Number: b.Number, ClosedAt: b.ClosedAt, Imported: b.Origin == batch.Imported})
	}
	sum := sha256.New()
	err = write(name, func(w io.Writer) error {
		return l.Excerpt(ctx, io.MultiWriter(w, sum), checkpoint, p.Select(heads))
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// compute reads the batches as a verifier will and replaces the papers' results
// by what they give. The registry's must be the same but for the last digits.
func compute(in *Inputs, p *proof.Papers, batches, hash string, refactored map[string]bool) error {
	f, err := os.Open(batches)
	if err != nil {
		return err
	}
	defer f.Close()
	e, err := proof.ReadBatches(f, in.Keys, p)
	if err != nil {
		return err
	}
	if err := e.Err(); err != nil {
		return err
	}
	if e.SHA256 != hash {
		return errors.New("the batches read are not those that were written")
	}
	p.Contents.Gaps = e.Gaps
	now := make([]metering.Result, len(p.Results))
	for i, r := range p.Results {
		if now[i], err = p.Compute(e, r.Synergy); err != nil {
			return err
		}
		if refactored[r.Synergy] {
			continue
		}
		if err := near(r, now[i]); err != nil {
			return fmt.Errorf("synergy %s: %w: %w", r.Synergy, ErrStale, err)
		}
	}
	p.Results = now
	return nil
}

// near allows what another window of readings can change: a rate that is learned
// from more days, a gap whose end lies further on. More than a tenth of the
// interval, or a thousandth, is another figure.
func near(a, b metering.Result) error {
	for _, i := range metering.Indicators {
		x, had := a.Figure(i)
		y, has := b.Figure(i)
		if had != has {
			return fmt.Errorf("%s is in one and not in the other", i)
		}
		d := max(x.Amount-y.Amount, y.Amount-x.Amount)
		if d > max(x.Half90/10, max(x.Amount, -x.Amount)/1000, 1e-6) {
			return fmt.Errorf("%s: the registry has %v, the readings give %v", i, x.Amount, y.Amount)
		}
	}
	return nil
}

// report is report.json.
func (g *gathering) report(p *proof.Papers) *proof.Report {
	q := g.in.Quarter
	r := &proof.Report{Format: proof.Format, Territory: g.territory.ID, Name: g.territory.Name, Synthetic: g.territory.Synthetic,
		Quarter: q, From: q.Start().UTC(), To: q.End().UTC(), Revision: g.contents.Revision, SealedAt: g.now, SealedBy: g.in.By, Code: g.in.Version,
		FactorSet: p.FactorRefs(), LedgerSize: p.Contents.LedgerSize, Cells: p.Cells(),
		Reason: metering.Text{FR: g.in.Reason, EN: g.in.Reason}}
	r.Synergies, r.Companies = p.Population()
	if missing := r.Synergies - len(p.Results); missing > 0 {
		r.Notes = append(r.Notes, metering.Text{
			FR: fmt.Sprintf("%d des synergies en fonctionnement n’ont pas de plan de mesure et vérification approuvé : elles ne comptent dans aucun chiffre.", missing),
			EN: fmt.Sprintf("%d of the synergies in operation have no approved measurement and verification plan: they count in no figure.", missing)})
	}
	return r
}
