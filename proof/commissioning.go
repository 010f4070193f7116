package proof

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/ledger"
)

// Commissioning is a commissioning record with what shows that the ledger has it.
type Commissioning struct {
	Record []byte // YAML, signed by a gateway
	Leaf   []byte // the ledger's document that names it, signed by the server
	Proof  []byte // that Leaf is in the ledger
}

// commissioningFile is the name in a dossier of a part of a record: yaml, cose, proof.
func commissioningFile(digest, part string) string {
	return commissioningDir + digest[:16] + "." + part
}

const commissioningDir = "commissioning/"

// readCommissionings takes the records out of a dossier's files.
func readCommissionings(files Files) (out []Commissioning) {
	var names []string
	for name := range files {
		if base, is := strings.CutSuffix(name, ".yaml"); is && strings.HasPrefix(name, commissioningDir) {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		out = append(out, Commissioning{Record: files[n+".yaml"], Leaf: files[n+".cose"], Proof: files[n+".proof"]})
	}
	return out
}

// commissionings verifies the records of a dossier and says for how many of its
// meters there is one. Without any there is nothing to verify.
func (v *Verdict) commissionings(p *Papers) {
	if len(p.Commissionings) == 0 {
		return
	}
	var errs []error
	seen := map[string]bool{}
	for _, c := range p.Commissionings {
		meters, err := c.verify(p, v.Keys)
		if err != nil {
			errs = append(errs, err)
		}
		for _, m := range meters {
			seen[m] = true
		}
	}
	n := 0
	for _, m := range p.Programme.Meters {
		if seen[m.ID] {
			n++
		}
	}
	v.step("Procès-verbaux de mise en service signés par leur passerelle et inscrits au registre", "Commissioning records signed by their gateway and in the ledger",
		errors.Join(errs...), found("%d procès-verbaux, pour %d compteurs sur %d", "%d records, for %d of %d meters", len(p.Commissionings), n, len(p.Programme.Meters)))
}

// verify returns the meters that the record accepts.
func (c Commissioning) verify(p *Papers, k Keys) (meters []string, err error) {
	r, err := commissioning.Open(c.Record)
	if err != nil {
		return nil, err
	}
	if r.Territory != p.Contents.Territory {
		return nil, faultf("procès-verbal de %s : territoire %s", "commissioning record of %s: territory %s", r.Gateway, r.Territory)
	}
	enrolled := slices.ContainsFunc(p.Programme.keys()[r.Gateway], func(key []byte) bool { return base64.StdEncoding.EncodeToString(key) == r.Key })
	if !enrolled {
		return nil, faultf("procès-verbal de %s : la clé qui l’a signé n’est pas celle de la passerelle", "commissioning record of %s: the key that signed it is not the gateway's", r.Gateway)
	}
	if err := c.inLedger(k); err != nil {
		return nil, fmt.Errorf("commissioning record of %s: %w", r.Gateway, err)
	}
	for _, m := range r.Meters {
		if m.Accepted {
			meters = append(meters, m.ID)
		}
	}
	return meters, nil
}

func (c Commissioning) inLedger(k Keys) error {
	d, err := batch.OpenDocument(c.Leaf, ed25519.PublicKey(k.Server))
	if err != nil {
		return err
	}
	if err := commissioning.Names(d, c.Record); err != nil {
		return err
	}
	_, err = ledger.VerifyProof(c.Proof, c.Leaf, k.Origin, k.Ledger)
	return err
}

// packCommissionings adds the records' files to a dossier's.
func (p *Papers) packCommissionings(files Files) {
	for _, c := range p.Commissionings {
		digest := commissioning.Digest(c.Record)
		files[commissioningFile(digest, "yaml")] = c.Record
		files[commissioningFile(digest, "cose")] = c.Leaf
		files[commissioningFile(digest, "proof")] = c.Proof
	}
}
