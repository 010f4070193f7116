package commissioning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
)

// Kind is the kind of the ledger's documents on records.
const Kind = "commissioning"

// Leaf is what the ledger keeps of a record: its hash, not the names of people,
// since a ledger forgets nothing.
type Leaf struct {
	Gateway string    `json:"gateway"`
	Signed  time.Time `json:"signed"` // by the gateway
	Meters  []string  `json:"meters"`
	SHA256  string    `json:"sha256"` // of the sealed record
}

// LeafOf is the ledger's leaf on a record.
func LeafOf(sealed []byte) (Leaf, error) {
	r, err := Open(sealed)
	if err != nil {
		return Leaf{}, err
	}
	l := Leaf{Gateway: r.Gateway, Signed: r.Signed.UTC(), Meters: []string{}, SHA256: Digest(sealed)}
	for _, m := range r.Meters {
		l.Meters = append(l.Meters, m.ID)
	}
	return l, nil
}

// Document is the leaf as the server signs it; the same record added at the same
// time gives the same bytes.
func (l Leaf) Document(added time.Time) (batch.Document, error) {
	body, err := json.Marshal(l)
	return batch.Document{Kind: Kind, Signer: "server", SignedAt: added.UnixMilli(), Body: body}, err
}

// Names says whether a document of the ledger is the leaf on a record.
func Names(d batch.Document, sealed []byte) error {
	if d.Kind != Kind {
		return fmt.Errorf("a sealed %q, not a commissioning record", d.Kind)
	}
	l, err := LeafOf(sealed)
	if err != nil {
		return err
	}
	body, err := json.Marshal(l)
	if err == nil && !bytes.Equal(body, d.Body) {
		err = fmt.Errorf("the ledger names another commissioning record than that of %s with SHA-256 %s", l.Gateway, l.SHA256)
	}
	return err
}
