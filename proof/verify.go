package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
)

// Names of the files in a report's zip.
const (
	reportFile = "report.json"
	csvFile    = "report.csv"
	leafFile   = "leaf.cose"
	proofFile  = "proof.txt"
	keysFile   = "keys.json"
)

// sealingFormat is the version of the sealed document's body.
const sealingFormat = "thermie.sealing/1"

// Sealing is the body of leaf.cose: what is sealed, by hash.
type Sealing struct {
	Format    string           `json:"format"`
	Territory string           `json:"territory"`
	Quarter   calendar.Quarter `json:"quarter"`
	Revision  int              `json:"revision"`
	Files     []FileHash       `json:"files"`
	Dossier   string           `json:"dossier"` // SHA-256 of dossier.json
}

// Keys are the public keys of a programme.
type Keys struct {
	Origin string            `json:"origin"` // names the ledger in its checkpoints
	Ledger ed25519.PublicKey `json:"ledger"` // signs checkpoints
	Server ed25519.PublicKey `json:"server"` // seals reports
}

type keysJSON struct {
	Origin string `json:"origin"`
	Ledger string `json:"ledger"`
	Server string `json:"server"`
}

// MarshalJSON writes keys as base64.
func (k Keys) MarshalJSON() ([]byte, error) {
	e := base64.StdEncoding.EncodeToString
	return json.Marshal(keysJSON{k.Origin, e(k.Ledger), e(k.Server)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (k *Keys) UnmarshalJSON(b []byte) error {
	var j keysJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	if j.Origin == "" {
		return errors.New("no origin: these are not a programme's keys")
	}
	for _, p := range []struct {
		text string
		key  *ed25519.PublicKey
	}{{j.Ledger, &k.Ledger}, {j.Server, &k.Server}} {
		key, err := base64.StdEncoding.DecodeString(p.text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("keys: %q is not an Ed25519 public key in base64", p.text)
		}
		*p.key = key
	}
	k.Origin = j.Origin
	return nil
}

// ParseKeys reads keys.json.
func ParseKeys(b []byte) (Keys, error) {
	var k Keys
	if len(b) > 4096 {
		return k, fmt.Errorf("keys: %d bytes", len(b))
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return k, fmt.Errorf("keys: %w", err)
	}
	return k, nil
}

// Step is one check and its outcome.
type Step struct {
	Name metering.Text `json:"name"`
	OK   bool          `json:"ok"`
	// Says is what was found, in both languages where it is more than an outside
	// error; Detail is the same in English.
	Says   metering.Text `json:"says,omitzero"`
	Detail string        `json:"detail,omitempty"`
}

// Verdict is what a verification found, step by step.
type Verdict struct {
	Report Report `json:"report"`
	Steps  []Step `json:"steps"`
	// KeysGiven says that the keys came from outside the zip. Without it the zip
	// only proves itself: its keys must be compared with the published ones.
	KeysGiven bool  `json:"keys_given"`
	Keys      Keys  `json:"keys"`
	Index     int64 `json:"index"` // of the sealed document in the ledger
	sealing   Sealing
}

// OK says whether every step held.
func (v *Verdict) OK() bool {
	for _, s := range v.Steps {
		if !s.OK {
			return false
		}
	}
	return len(v.Steps) > 0
}

// step records a check: err nil is a success, of which found tells more.
func (v *Verdict) step(fr, en string, err error, found metering.Text) bool {
	s := Step{Name: both(fr, en), OK: err == nil, Says: found}
	if err != nil {
		s.Says = inWords(err)
	}
	s.Detail = s.Says.EN
	v.Steps = append(v.Steps, s)
	return err == nil
}

// nothing more is found than that a step holds.
var nothing metering.Text

// found is a metering.Text of what a step found; both forms take the same args.
func found(fr, en string, args ...any) metering.Text {
	return both(fmt.Sprintf(fr, args...), fmt.Sprintf(en, args...))
}

// fault is an error that speaks both languages.
type fault struct{ text metering.Text }

func (f fault) Error() string { return f.text.EN }

func faultf(fr, en string, args ...any) error { return fault{found(fr, en, args...)} }

// inWords is an error in both languages, as far as it knows them.
func inWords(err error) metering.Text {
	var f fault
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out metering.Text
		for i, e := range many.Unwrap() {
			w, sep := inWords(e), ""
			if i > 0 {
				sep = "; "
			}
			out = both(out.FR+strings.Replace(sep, ";", nbsp+";", 1)+w.FR, out.EN+sep+w.EN)
		}
		return out
	}
	if errors.As(err, &f) {
		return f.text
	}
	return both(err.Error(), err.Error())
}

// Unreadable adds a step that failed before anything could be checked.
func (v *Verdict) Unreadable(fr, en string, err error) { v.step(fr, en, err, nothing) }

// VerifyReport checks a report's zip. With keys nil those in the zip are taken.
func VerifyReport(files Files, keys *Keys) *Verdict {
	v := &Verdict{KeysGiven: keys != nil}
	k, err := ParseKeys(files[keysFile])
	if err == nil {
		var again []byte
		if again, err = k.File(); err == nil && !bytes.Equal(again, files[keysFile]) {
			err = faultf("%s n’est pas dans sa forme d’origine", "%s is not in its canonical form", keysFile)
		}
	}
	if keys != nil {
		if err == nil && (k.Origin != keys.Origin || !k.Ledger.Equal(keys.Ledger) || !k.Server.Equal(keys.Server)) {
			err = faultf("les clés du rapport ne sont pas celles du programme", "the keys in the report are not the programme's")
		}
		k = *keys
	}
	v.Keys = k
	if !v.step("Clés publiques du programme", "Public keys of the programme", err, nothing) {
		return v
	}
	d, err := batch.OpenDocument(files[leafFile], k.Server)
	if err == nil && d.Kind != "report" {
		err = fmt.Errorf("a sealed %q, not a report", d.Kind)
	}
	if err == nil {
		err = json.Unmarshal(d.Body, &v.sealing)
	}
	if err == nil && v.sealing.Format != sealingFormat {
		err = fmt.Errorf("format %q, this program reads %q", v.sealing.Format, sealingFormat)
	}
	if !v.step("Signature du scellé", "Signature of the seal", err, both("Ed25519", "Ed25519")) {
		return v
	}
	index, err := ledger.VerifyProof(files[proofFile], files[leafFile], k.Origin, k.Ledger)
	v.Index = int64(index)
	v.step("Inscription au registre infalsifiable", "Inclusion in the tamper-evident ledger", err, found("%s, entrée n° %d", "%s, entry no. %d", k.Origin, index))
	outside := []string{leafFile, proofFile, keysFile}
	v.step("Fichiers inchangés depuis le scellé", "Files unchanged since the sealing", files.compare(v.sealing.Files, outside...), found("%d fichiers", "%d files", len(v.sealing.Files)))
	v.step("Rapport cohérent", "Consistent report", v.readReport(files), nothing)
	v.step("Tableau CSV identique à report.json", "CSV table equal to report.json", v.sameCSV(files), found("%d chiffres", "%d figures", len(v.Report.Cells)))
	v.step("Pages imprimables identiques à report.json", "Printable pages equal to report.json", v.samePages(files), both("français, anglais", "French, English"))
	return v
}

func (v *Verdict) readReport(files Files) error {
	if err := json.Unmarshal(files[reportFile], &v.Report); err != nil {
		return fmt.Errorf("%s: %w", reportFile, err)
	}
	if err := v.Report.Check(); err != nil {
		return err
	}
	s, r := v.sealing, v.Report
	if s.Territory != r.Territory || s.Quarter != r.Quarter || s.Revision != r.Revision {
		return faultf("le scellé est de %s %s révision %d, le rapport de %s %s révision %d", "the seal is of %s %s revision %d, the report of %s %s revision %d", s.Territory, s.Quarter, s.Revision, r.Territory, r.Quarter, r.Revision)
	}
	again, err := r.JSON()
	if err == nil && !bytes.Equal(again, files[reportFile]) {
		err = faultf("%s n’est pas dans sa forme d’origine", "%s is not in its canonical form", reportFile)
	}
	return err
}

func (v *Verdict) sameCSV(files Files) error {
	if !bytes.Equal(v.Report.CSV(), files[csvFile]) {
		return faultf("%s n’est pas ce que dit report.json", "%s is not what report.json says", csvFile)
	}
	return nil
}

// Prepare makes a report's files: report.json and what is printed from it, and
// leaf.cose, which signs the hashes of them and of dossier.json. What is missing
// then is the proof that leaf.cose is in the ledger, see [Files.Prove].
func Prepare(r *Report, dossier string, keys Keys, sign func(batch.Document) ([]byte, error)) (Files, error) {
	err := r.Check()
	if err != nil {
		return nil, err
	}
	out := Files{csvFile: r.CSV(), htmlFile("fr"): r.HTML("fr"), htmlFile("en"): r.HTML("en")}
	if out[reportFile], err = r.JSON(); err != nil {
		return nil, err
	}
	s := Sealing{Format: sealingFormat, Territory: r.Territory, Quarter: r.Quarter, Revision: r.Revision, Files: out.hashes(), Dossier: dossier}
	body, err := canonical(s)
	if err != nil {
		return nil, err
	}
	if out[leafFile], err = sign(batch.Document{Kind: "report", Signer: "server", SignedAt: r.SealedAt.UnixMilli(), Body: body}); err != nil {
		return nil, fmt.Errorf("seal %s: %w", r.Quarter, err)
	}
	if out[keysFile], err = keys.File(); err != nil {
		return nil, err
	}
	return out, nil
}

// Leaf is the sealed document, which goes into the ledger.
func (f Files) Leaf() []byte { return f[leafFile] }

// Prove adds the proof that the sealed document is in the ledger.
func (f Files) Prove(proof []byte) { f[proofFile] = proof }

// File is keys.json, as a programme publishes it.
func (k Keys) File() ([]byte, error) { return canonical(k) }
