package proof

import (
	"archive/zip"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// DossierFormat is the version of the dossier's format.
const DossierFormat = "thermie.dossier/1"

// Names of the files in a dossier's zip.
const (
	dossierFile   = "dossier.json"
	programmeFile = "programme.json"
	factorsFile   = "factors.json"
	resultsFile   = "results.json"
	batchesFile   = "batches.bin"
)

func planFile(synergy string) string { return "plans/" + synergy + ".yaml" }

// Dossier is a dossier's zip, taken apart.
type Dossier struct {
	Files Files // all but batches.bin
	// Batches opens batches.bin, a ledger excerpt (see [ledger.Excerpt]).
	Batches func() (io.ReadCloser, error)
}

// Contents is dossier.json: what the dossier holds. The report's seal names its
// hash, and so binds all of it.
type Contents struct {
	Format     string           `json:"format"`
	Territory  string           `json:"territory"`
	Quarter    calendar.Quarter `json:"quarter"`
	Revision   int              `json:"revision"`
	LedgerSize uint64           `json:"ledger_size"`
	Files      []FileHash       `json:"files"`
	// Gaps are where readings of the quarter may be missing. One that is found and
	// not admitted here is refused.
	Gaps []Gap `json:"gaps,omitempty"`
}

// Programme is programme.json: what people declared of the programme.
type Programme struct {
	Companies []metering.Company `json:"companies"`
	// Waived are the companies that consented to their figures being shown when the
	// report was sealed.
	Waived    []string           `json:"waived,omitempty"`
	Gateways  []Gateway          `json:"gateways"`
	Meters    []metering.Meter   `json:"meters"`
	Synergies []metering.Synergy `json:"synergies"`
	// Declarations are those that count, by synergy.
	Declarations map[string][]savings.Declared `json:"declarations,omitempty"`
	Rules        disclosure.Rules              `json:"rules"`
	// Earlier are the earlier revisions of the quarter's report, oldest first.
	Earlier []Earlier `json:"earlier,omitempty"`
}

// Gateway is a gateway with every key that it ever signed with.
type Gateway struct {
	ID      string       `json:"id"`
	Company string       `json:"company"`
	Keys    []GatewayKey `json:"keys"`
}

// GatewayKey is an Ed25519 public key and since when it counts.
type GatewayKey struct {
	Key   []byte    `json:"key"`
	Since time.Time `json:"since"`
}

// Earlier is what an earlier revision showed, for disclosure control.
type Earlier struct {
	Revision int           `json:"revision"`
	Figures  []EarlierCell `json:"figures"`
}

// EarlierCell is one figure of an earlier revision.
type EarlierCell struct {
	Indicator     metering.Indicator        `json:"indicator"`
	Theme         string                    `json:"theme"`
	Shown         bool                      `json:"shown"`
	Contributions []disclosure.Contribution `json:"contributions"`
}

// FactorSet is one version of factors and tariffs, as it was published.
type FactorSet struct {
	Ref    string `json:"ref"`
	SHA256 string `json:"sha256"` // of Body
	Body   string `json:"body"`   // YAML
}

// Papers are the readable parts of a dossier.
type Papers struct {
	Contents  Contents
	Programme Programme
	Factors   []FactorSet
	Results   []metering.Result // the quarter's, one for each synergy
	// Commissionings are the records of how meters were put into service.
	Commissionings []Commissioning

	bodies map[string][]byte        // plans as approved, by synergy
	plans  map[string]*savings.Plan // the same, read
	sets   map[string]*indicators.Set
}

// NewPapers puts papers together; plans are the bytes of the approved plan of
// each result's synergy. It refuses plans and factors other than those that the
// results name.
func NewPapers(c Contents, p Programme, factors []FactorSet, results []metering.Result, plans map[string][]byte) (*Papers, error) {
	c.Format = DossierFormat
	x := &Papers{Contents: c, Programme: p, Factors: factors, Results: results, bodies: plans}
	return x, x.parse()
}

// Papers reads and checks all but the batches.
func (d *Dossier) Papers() (*Papers, error) {
	p := &Papers{}
	for name, into := range map[string]any{dossierFile: &p.Contents, programmeFile: &p.Programme, factorsFile: &p.Factors, resultsFile: &p.Results} {
		if err := json.Unmarshal(d.Files[name], into); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if p.Contents.Format != DossierFormat {
		return nil, fmt.Errorf("%s: format %q, this program reads %q", dossierFile, p.Contents.Format, DossierFormat)
	}
	p.bodies = map[string][]byte{}
	for _, r := range p.Results {
		p.bodies[r.Synergy] = d.Files[planFile(r.Synergy)]
	}
	p.Commissionings = readCommissionings(d.Files)
	return p, p.parse()
}

// parse reads plans and factor sets and compares them with what results name.
func (p *Papers) parse() error {
	p.plans, p.sets = map[string]*savings.Plan{}, map[string]*indicators.Set{}
	for _, f := range p.Factors {
		set, err := indicators.ParseSet([]byte(f.Body))
		if err != nil {
			return fmt.Errorf("factors %s: %w", f.Ref, err)
		}
		if Hash([]byte(f.Body)) != f.SHA256 || set.Ref() != f.Ref {
			return fmt.Errorf("factors %s: the set is %s, or not the bytes of that hash", f.Ref, set.Ref())
		}
		p.sets[f.Ref] = set
	}
	for _, r := range p.Results {
		if p.plans[r.Synergy] != nil {
			return fmt.Errorf("synergy %s has two results", r.Synergy)
		}
		if !slices.ContainsFunc(p.Programme.Synergies, func(s metering.Synergy) bool { return s.ID == r.Synergy }) {
			return fmt.Errorf("synergy %s is not in the programme", r.Synergy)
		}
		plan, err := savings.ParsePlan(p.bodies[r.Synergy])
		if err != nil {
			return err
		}
		if plan.Synergy != r.Synergy || plan.Hash() != r.PlanHash {
			return fmt.Errorf("synergy %s: the plan is of %s with hash %.12s, the result names %.12s", r.Synergy, plan.Synergy, plan.Hash(), r.PlanHash)
		}
		if p.sets[r.FactorSet] == nil {
			return fmt.Errorf("synergy %s: no factor set %q", r.Synergy, r.FactorSet)
		}
		p.plans[r.Synergy] = plan
	}
	return nil
}

// FactorRefs names the factor sets used, each as "id vN#hash", in their order.
func (p *Papers) FactorRefs() string {
	out := ""
	for _, f := range p.Factors {
		if out != "" {
			out += ", "
		}
		out += f.Ref + "#" + f.SHA256
	}
	return out
}

// Pack makes the small files of a dossier out of its papers; batches is the
// hash of batches.bin. It returns dossier.json's hash, which the seal binds.
func (p *Papers) Pack(batches string) (files Files, hash string, err error) {
	files = Files{}
	for _, r := range p.Results {
		files[planFile(r.Synergy)] = p.bodies[r.Synergy]
	}
	p.packCommissionings(files)
	for name, v := range map[string]any{programmeFile: p.Programme, factorsFile: p.Factors, resultsFile: p.Results} {
		if files[name], err = canonical(v); err != nil {
			return nil, "", err
		}
	}
	p.Contents.Files = append(files.hashes(), FileHash{batchesFile, batches})
	slices.SortFunc(p.Contents.Files, func(a, b FileHash) int { return cmp.Compare(a.Name, b.Name) })
	if files[dossierFile], err = canonical(p.Contents); err != nil {
		return nil, "", err
	}
	return files, Hash(files[dossierFile]), nil
}

// ZipDossier writes a dossier's zip. batches.bin is stored as it is: its batches
// are compressed already.
func ZipDossier(w io.Writer, files Files, batches io.Reader, at time.Time) error {
	z := zip.NewWriter(w)
	e, err := z.CreateHeader(&zip.FileHeader{Name: batchesFile, Method: zip.Store, Modified: at.UTC()})
	if err == nil {
		_, err = io.Copy(e, batches)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", batchesFile, err)
	}
	if err := files.zip(z, at); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write zip: %w", err)
	}
	return nil
}

// keys are a gateway's keys, the latest first.
func (p *Programme) keys() map[string][][]byte {
	out := map[string][][]byte{}
	for _, g := range p.Gateways {
		for _, k := range g.Keys {
			out[g.ID] = append([][]byte{k.Key}, out[g.ID]...)
		}
	}
	return out
}

var errNotGiven = errors.New("not in the dossier")
