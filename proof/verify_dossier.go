package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// VerifyDossier checks a dossier against the report that v has verified, and adds
// its steps to v: that it is the one that the seal names, that every batch is
// signed, chained and in the ledger, that each synergy's figures follow from the
// readings to the last digit, and that the report's cells follow from the
// figures. A step that later ones rest on ends the verification when it fails.
func VerifyDossier(v *Verdict, d *Dossier) {
	if !v.step("Dossier de ce rapport", "Dossier of this report", v.belongs(d), nothing) {
		return
	}
	var c Contents
	err := json.Unmarshal(d.Files[dossierFile], &c) // its hash is the sealed one
	i := slices.IndexFunc(c.Files, func(f FileHash) bool { return f.Name == batchesFile })
	batchesHash := ""
	if i >= 0 {
		batchesHash = c.Files[i].SHA256
		c.Files = slices.Delete(c.Files, i, i+1)
	} else if err == nil {
		err = fmt.Errorf("%s: %w", batchesFile, errNotGiven)
	}
	if err == nil {
		err = d.Files.compare(c.Files, dossierFile)
	}
	if !v.step("Fichiers du dossier inchangés depuis le scellé", "Files of the dossier unchanged since the sealing", err, found("%d fichiers", "%d files", len(c.Files)+1)) {
		return
	}
	p, err := d.Papers()
	var papers metering.Text
	if err == nil {
		papers = found("%d plans, %s", "%d plans, %s", len(p.plans), p.factorNames())
		err = v.samePapers(p)
	}
	if !v.step("Plans approuvés et facteurs que nomment les résultats", "Approved plans and factors that the results name", err, papers) {
		return
	}
	e, err := d.read(v.Keys, p)
	if err != nil {
		v.step("Lots signés lus", "Signed batches read", err, nothing)
		return
	}
	if !v.batches(p, e, batchesHash) {
		return
	}
	v.commissionings(p)
	v.recompute(p, e)
	v.step("Secret statistique appliqué de nouveau, chiffres du rapport retrouvés", "Disclosure control applied anew, figures of the report found again",
		v.sameCells(p), p.waivers())
}

// waivers tells who let its own figures be shown: that a company consented is a
// matter of the programme's records.
func (p *Papers) waivers() metering.Text {
	n := len(p.figures())
	if len(p.Programme.Waived) == 0 {
		return found("%d chiffres", "%d figures", n)
	}
	list := strings.Join(p.Programme.Waived, ", ")
	return found("%d chiffres ; ont consenti à montrer les leurs : %s", "%d figures; consented to show their own: %s", n, list)
}

func (p *Papers) factorNames() string {
	var names []string
	for _, f := range p.Factors {
		names = append(names, f.Ref)
	}
	return strings.Join(names, ", ")
}

func (v *Verdict) belongs(d *Dossier) error {
	if len(d.Files[dossierFile]) == 0 {
		return faultf("%s manque", "%s is missing", dossierFile)
	}
	if Hash(d.Files[dossierFile]) != v.sealing.Dossier {
		return faultf("%s n’est pas le fichier que nomme le scellé du rapport", "%s is not the file that the report's seal names", dossierFile)
	}
	return nil
}

// samePapers compares what the papers and the report both say.
func (v *Verdict) samePapers(p *Papers) error {
	c, r := &p.Contents, &v.Report
	synergies, companies := p.Population()
	for _, x := range []struct{ what, dossier, report string }{
		{"territory", c.Territory, r.Territory},
		{"quarter", c.Quarter.String(), r.Quarter.String()},
		{"revision", fmt.Sprint(c.Revision), fmt.Sprint(r.Revision)},
		{"ledger size", fmt.Sprint(c.LedgerSize), fmt.Sprint(r.LedgerSize)},
		{"factors", p.FactorRefs(), r.FactorSet},
		{"synergies", fmt.Sprint(synergies), fmt.Sprint(r.Synergies)},
		{"companies", fmt.Sprint(companies), fmt.Sprint(r.Companies)},
	} {
		if x.dossier != x.report {
			return faultf("%s : %s dans le dossier, %s dans le rapport", "%s: the dossier has %s, the report %s", x.what, x.dossier, x.report)
		}
	}
	return nil
}

func (d *Dossier) read(k Keys, p *Papers) (*Evidence, error) {
	f, err := d.Batches()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", batchesFile, err)
	}
	defer f.Close()
	return ReadBatches(f, k, p)
}

// batches judges what was found in batches.bin.
func (v *Verdict) batches(p *Papers, e *Evidence, hash string) bool {
	count := found("%d lots de %d passerelles, %d relevés utilisés", "%d batches of %d gateways, %d readings used", e.Batches, e.Gateways, e.Readings)
	if !v.step("Signature de chaque lot par sa passerelle", "Signature of each batch by its gateway", e.signatures, count) {
		return false
	}
	err := e.inclusion
	if err == nil && e.LedgerSize != v.Report.LedgerSize {
		err = faultf("le point de contrôle couvre %d entrées, le rapport repose sur %d", "the checkpoint covers %d leaves, the report rests on %d", e.LedgerSize, v.Report.LedgerSize)
	}
	good := v.step("Inscription de chaque lot au registre infalsifiable", "Inclusion of each batch in the tamper-evident ledger", err, found("%d entrées sous le point de contrôle", "%d entries under the checkpoint", e.LedgerSize))
	err = nil
	if e.SHA256 != hash {
		err = faultf("%s n’est pas le fichier scellé", "%s is not the file that was sealed", batchesFile)
	}
	good = v.step("Fichier des lots inchangé depuis le scellé", "File of batches unchanged since the sealing", err, nothing) && good
	err = e.chain
	if err == nil {
		err = sameGaps(p.Contents.Gaps, e.Gaps)
	}
	good = v.step("Chaîne des lots de chaque passerelle", "Chain of each gateway's batches", err, gapsInWords(e.Gaps)) && good
	err = nil
	if other := len(e.Origins) - min(e.Origins[batch.Measured], 1) - min(e.Origins[batch.Imported], 1); other > 0 && !v.Report.Synthetic {
		err = faultf("des lots ne sont pas des mesures et le rapport ne le dit pas : %s", "batches are not of measured data and the report does not say so: %s", origins(e).EN)
	}
	return v.step("Origine des données telle que le rapport la dit", "Origin of the data as the report says", err, origins(e)) && good
}

func gapsInWords(gaps []Gap) metering.Text {
	if len(gaps) == 0 {
		return both("sans manque", "without a gap")
	}
	var fr, en []string
	for _, g := range gaps {
		where := found("%s : lots entre %d et %d", "%s: batches between %d and %d", g.Gateway, g.After, g.Before)
		switch {
		case g.After == 0 && g.Before == 0:
			where = found("%s : aucun lot", "%s: no batch", g.Gateway)
		case g.After == 0:
			where = found("%s : lots avant %d", "%s: batches before %d", g.Gateway, g.Before)
		case g.Before == 0:
			where = found("%s : lots après %d", "%s: batches after %d", g.Gateway, g.After)
		}
		if g.Declared != "" {
			where = both(where.FR+" («"+narrow+g.Declared+narrow+"»)", where.EN+" (“"+g.Declared+"”)")
		}
		fr, en = append(fr, where.FR), append(en, where.EN)
	}
	return both("manquent "+strings.Join(fr, ", "), "missing are "+strings.Join(en, ", "))
}

var originNames = map[batch.Origin]metering.Text{batch.Measured: both("mesurés", "measured"), batch.Imported: both("importés", "imported"),
	batch.Replayed: both("rejoués", "replayed"), batch.Synthetic: both("synthétiques", "synthetic")}

func origins(e *Evidence) metering.Text {
	var fr, en []string
	for _, o := range []batch.Origin{batch.Measured, batch.Imported, batch.Replayed, batch.Synthetic} {
		if n := e.Origins[o]; n > 0 {
			fr, en = append(fr, fmt.Sprintf("%d lots %s", n, originNames[o].FR)), append(en, fmt.Sprintf("%d %s batches", n, originNames[o].EN))
		}
	}
	return both(strings.Join(fr, ", "), strings.Join(en, ", "))
}

// recompute computes each synergy's figures anew, one step for each.
func (v *Verdict) recompute(p *Papers, e *Evidence) {
	for _, r := range p.Results {
		i := slices.IndexFunc(p.Programme.Synergies, func(s metering.Synergy) bool { return s.ID == r.Synergy })
		s := p.Programme.Synergies[i]
		now, err := p.Compute(e, r.Synergy)
		if err == nil {
			err = same(r, now)
		}
		v.step(fmt.Sprintf("Synergie %d recalculée depuis les relevés", s.Number), fmt.Sprintf("Synergy %d recomputed from the readings", s.Number),
			err, found("%s, %d chiffres identiques", "%s, %d figures equal", s.ID, len(r.Figures)))
	}
}

func (v *Verdict) sameCells(p *Papers) error {
	var errs []error
	if r, least := p.Programme.Rules, disclosure.Default; r.MinContributors < least.MinContributors || !(r.MaxShare <= least.MaxShare) || !(r.P >= least.P) {
		return faultf("%s : règles plus faibles que celles que le rapport annonce : %+v", "%s: rules of disclosure control weaker than those that the report states: %+v", programmeFile, r)
	}
	cells := p.Cells()
	for _, c := range cells {
		if x, ok := v.Report.Cell(c.Indicator, c.Theme); !ok || x != c {
			errs = append(errs, faultf("%s pour %s : le dossier donne %+v, le rapport dit %+v", "%s for %s: the dossier gives %+v, the report says %+v", c.Indicator, c.Theme, c, x))
		}
	}
	if len(errs) == 0 && len(cells) != len(v.Report.Cells) {
		errs = append(errs, fmt.Errorf("the dossier gives %d cells, the report has %d", len(cells), len(v.Report.Cells)))
	}
	return errors.Join(errs...)
}

// samePages makes the printed pages anew from report.json and compares them.
func (v *Verdict) samePages(files Files) error {
	for _, lang := range []string{"fr", "en"} {
		if name := htmlFile(lang); !bytes.Equal(v.Report.HTML(lang), files[name]) {
			return faultf("%s n’est pas ce que dit report.json", "%s is not what report.json says", name)
		}
	}
	return nil
}

func htmlFile(lang string) string { return "report." + lang + ".html" }
