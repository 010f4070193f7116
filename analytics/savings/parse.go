package savings

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// MaxPlanBytes bounds a plan file; the longest example has 4 kB.
const MaxPlanBytes = 256 << 10

// PlanSchema is the JSON Schema (2020-12) of a plan, for editors and forms.
// [ParsePlan] checks more than a schema can.
//
//go:embed plan.schema.json
var PlanSchema []byte

// ParsePlan reads a plan from YAML, strictly: one document, no unknown key, and
// everything [Plan.Check] asks. Errors name the line or the entry.
func ParsePlan(b []byte) (*Plan, error) {
	if len(b) > MaxPlanBytes {
		return nil, fmt.Errorf("plan of %d bytes: more than %d", len(b), MaxPlanBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	p := new(Plan)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("plan: more than one YAML document")
	}
	h := sha256.Sum256(b)
	p.hash = hex.EncodeToString(h[:])
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("plan of %s: %w", p.Synergy, err)
	}
	return p, nil
}
