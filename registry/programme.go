package registry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// maxProgramme bounds a programme file: a port of 100 companies needs about 300 kB.
const maxProgramme = 8 << 20

// Programme is programme.yaml: everything that people declare of a territory.
// A date without a time ("2025-01-01") is the beginning of that civil day in
// Europe/Paris.
type Programme struct {
	Territory    Territory          `yaml:"territory"`
	Companies    []metering.Company `yaml:"companies"`
	Gateways     []Gateway          `yaml:"gateways"`
	Meters       []Installation     `yaml:"meters"`
	Synergies    []Synergy          `yaml:"synergies"`
	Plans        []Plan             `yaml:"plans"`
	Factors      []FactorSet        `yaml:"factors"`
	Declarations []Declaration      `yaml:"declarations"`
	Flows        []Flow             `yaml:"flows"`
	Cards        []Card             `yaml:"cards"`
	Consents     []Consent          `yaml:"consents"`
	People       []Person           `yaml:"people"` // demonstration only: Import stores none
}

// Territory is the programme's own identity.
type Territory struct {
	ID        string        `yaml:"id" json:"id"` // the <territory> of MQTT topics
	Name      metering.Text `yaml:"name" json:"name"`
	Synthetic bool          `yaml:"synthetic" json:"synthetic"` // every page says so
	Currency  string        `yaml:"currency" json:"currency"`   // "EUR"
}

// Gateway is a gateway as the file names it; its key may come later, by EnrolGateway.
type Gateway struct {
	ID        string        `yaml:"id" json:"id"`
	Company   string        `yaml:"company" json:"company"` // "": the territory's own
	Place     metering.Text `yaml:"place" json:"place"`
	PublicKey Key           `yaml:"public_key,omitempty" json:"public_key,omitempty"` // Ed25519, base64
}

// Key is bytes that stand in YAML as base64.
type Key []byte

// MarshalText writes base64.
func (k Key) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k)), nil
}

// UnmarshalText reads base64.
func (k *Key) UnmarshalText(b []byte) error {
	v, err := base64.StdEncoding.DecodeString(string(b))
	if err != nil {
		return fmt.Errorf("key %q: want base64", b)
	}
	*k = v
	return nil
}

// Installation is a meter with what its place in the house needs beyond the
// device: a meter without company is the territory's own (its weather station).
type Installation struct {
	metering.Meter `yaml:",inline"`
	Medium         string        `yaml:"medium" json:"medium"`               // one of Media
	Interval       time.Duration `yaml:"interval,omitempty" json:"interval"` // between readings; 0: one minute
}

// Media is the closed list of what a meter measures, for colours and filters.
var Media = []string{"electricity", "heat", "cooling", "gas", "water", "steam", "temperature", "production"}

// Synergy is an exchange with the meters of its shared flow, which all its
// parties may see. What was announced and expected of it stands in its plan.
type Synergy struct {
	metering.Synergy `yaml:",inline"`
	SharedMeters     []string `yaml:"shared_meters,omitempty" json:"shared_meters,omitempty"`
}

// Plan is one version of a synergy's measurement and verification plan. Its
// body is the YAML of analytics/savings, kept byte for byte. Approval locks it:
// a change is a new version. In the file, synergy and version may be left to
// the body, which names them too.
type Plan struct {
	Synergy    string    `yaml:"synergy,omitempty" json:"synergy"`
	Version    int       `yaml:"version,omitempty" json:"version"` // 1, 2, 3 ...
	Body       string    `yaml:"body" json:"body"`
	ValidFrom  time.Time `yaml:"valid_from,omitempty" json:"valid_from,omitzero"` // from when figures follow it; zero: from approval
	ApprovedBy string    `yaml:"approved_by,omitempty" json:"approved_by,omitempty"`
	ApprovedAt time.Time `yaml:"approved_at,omitempty" json:"approved_at,omitzero"` // zero: a draft
	Hash       string    `yaml:"-" json:"hash"`                                     // SHA-256 of Body, hexadecimal
}

// maxBody bounds the body of a plan or a factor set, in bytes.
const maxBody = 1 << 20

// Approved says whether the plan is in force and locked.
func (p Plan) Approved() bool { return !p.ApprovedAt.IsZero() }

// FactorSet is one version of the emission factors and tariffs. Its body is the
// YAML of analytics/indicators, kept byte for byte. A version never changes
// once stored: a closed quarter names the one it was made with. In the file, id
// and version may be left to the body, which names them too.
type FactorSet struct {
	ID        string    `yaml:"id,omitempty" json:"id"`
	Version   int       `yaml:"version,omitempty" json:"version"`
	ValidFrom time.Time `yaml:"valid_from" json:"valid_from"` // figures of periods from here on use it
	Body      string    `yaml:"body" json:"body"`
	Hash      string    `yaml:"-" json:"hash"` // SHA-256 of Body, hexadecimal
}

// Ref is the name that results carry: "fr-2026 v3".
func (s FactorSet) Ref() string { return fmt.Sprintf("%s v%d", s.ID, s.Version) }

// Declaration is an amount that a person states with evidence. What corrects it
// is another declaration with the same id and a later time; both are kept.
type Declaration struct {
	ID         string             `yaml:"id" json:"id"`
	Synergy    string             `yaml:"synergy" json:"synergy"`
	From       time.Time          `yaml:"from" json:"from"`
	To         time.Time          `yaml:"to" json:"to"` // exclusive
	Indicator  metering.Indicator `yaml:"indicator" json:"indicator"`
	Amount     metering.Decimal   `yaml:"amount" json:"amount"`                 // in the indicator's unit, over the period
	Half90     metering.Decimal   `yaml:"half90" json:"half90"`                 // half width of its 90 % interval, same unit
	Flow       string             `yaml:"flow,omitempty" json:"flow,omitempty"` // physical flow from which CO2e and EUR follow, as in plans
	Evidence   []Evidence         `yaml:"evidence" json:"evidence"`
	Company    string             `yaml:"company,omitempty" json:"company,omitempty"` // whose word it is
	DeclaredBy string             `yaml:"declared_by" json:"declared_by"`             // who entered it
	DeclaredAt time.Time          `yaml:"declared_at" json:"declared_at"`
}

// Evidence is a document behind a declaration.
type Evidence struct {
	Kind      string    `yaml:"kind" json:"kind"`           // one of EvidenceKinds
	Reference string    `yaml:"reference" json:"reference"` // numbers of the documents
	Date      time.Time `yaml:"date,omitempty" json:"date,omitzero"`
	Text      string    `yaml:"text,omitempty" json:"text,omitempty"`
	SHA256    string    `yaml:"sha256,omitempty" json:"sha256,omitempty"` // of the file, hexadecimal
}

// EvidenceKinds is the closed list.
var EvidenceKinds = []string{"weigh_ticket", "invoice", "contract", "meter_photo", "commissioning", "attestation", "study"}

// Flow is one line of the declared inventory: who has what, who needs what.
type Flow struct {
	ID        string           `yaml:"id" json:"id"`
	Company   string           `yaml:"company" json:"company"`
	Resource  string           `yaml:"resource" json:"resource"`   // "waste wood", "heat", "rinse water" ...
	Direction string           `yaml:"direction" json:"direction"` // has, needs
	Amount    metering.Decimal `yaml:"amount" json:"amount"`       // a year
	Unit      string           `yaml:"unit" json:"unit"`           // "t", "MWh", "m3"
	Quality   metering.Text    `yaml:"quality,omitempty" json:"quality,omitzero"`
}

// Card describes a heat asset, source or demand, in the terms of the open
// heat cases: which series, which rule turns them into heat, between which temperatures.
type Card struct {
	ID      string              `yaml:"id" json:"id"`
	Company string              `yaml:"company" json:"company"`
	Side    string              `yaml:"side" json:"side"` // source, demand
	Name    metering.Text       `yaml:"name" json:"name"`
	Type    string              `yaml:"type" json:"type"`
	Signals []metering.SeriesID `yaml:"signals" json:"signals"`
	Rule    string              `yaml:"rule,omitempty" json:"rule,omitempty"`
	// Temperatures: a number in degC, a series, or an expression of the rule's names.
	THot    string `yaml:"t_hot,omitempty" json:"t_hot,omitempty"`       // source: given off from ...
	TCold   string `yaml:"t_cold,omitempty" json:"t_cold,omitempty"`     // ... down to
	TTarget string `yaml:"t_target,omitempty" json:"t_target,omitempty"` // demand: heated up to ...
	TSupply string `yaml:"t_supply,omitempty" json:"t_supply,omitempty"` // ... from
	// DTContribution is the asset's own part of the temperature approach, K.
	DTContribution float64 `yaml:"dt_contribution_k" json:"dt_contribution_k"`
	// Burns and Efficiency say what a demand burns today.
	Burns      string  `yaml:"burns,omitempty" json:"burns,omitempty"`
	Efficiency float64 `yaml:"efficiency,omitempty" json:"efficiency,omitempty"` // useful heat for each unit of fuel (GCV), 0 to 1.1
	NotASource bool    `yaml:"not_a_source,omitempty" json:"not_a_source,omitempty"`
}

// Consent is a company's word that a role may see a matter, from a moment until
// it is withdrawn.
type Consent struct {
	Company string        `yaml:"company" json:"company"`
	To      access.Role   `yaml:"to" json:"to"`
	What    access.Matter `yaml:"what" json:"what"`
	From    time.Time     `yaml:"from" json:"from"`
	Until   time.Time     `yaml:"until,omitempty" json:"until,omitzero"` // zero while it lasts
	GivenBy string        `yaml:"given_by,omitempty" json:"given_by,omitempty"`
}

// Person is somebody of the demonstration; real accounts live in registry/accounts.
type Person struct {
	Email    string      `yaml:"email" json:"email"`
	Name     string      `yaml:"name" json:"name"`
	Role     access.Role `yaml:"role" json:"role"`
	Company  string      `yaml:"company,omitempty" json:"company,omitempty"`
	Language string      `yaml:"language" json:"language"`
}

// ParseProgramme reads programme.yaml strictly: an unknown key, a second
// document or a broken rule is an error that names the file and the line or the
// entry.
func ParseProgramme(name string, b []byte) (Programme, error) {
	var p Programme
	if len(b) > maxProgramme {
		return p, fmt.Errorf("programme %s: %d bytes, at most %d", name, len(b), maxProgramme)
	}
	b, err := civilDates(b)
	if err != nil {
		return p, fmt.Errorf("programme %s: %w", name, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("programme %s: %w", name, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("programme %s: more than one document", name)
	}
	if err := p.nameBodies(); err != nil {
		return p, fmt.Errorf("programme %s: %w", name, err)
	}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("programme %s: %w", name, err)
	}
	return p, nil
}

// nameBodies completes synergy, id and version of plans and factor sets from
// their bodies, and refuses those that disagree.
func (p *Programme) nameBodies() error {
	for i := range p.Plans {
		x := &p.Plans[i]
		var head struct {
			Synergy string `yaml:"synergy"`
			Version int    `yaml:"version"`
		}
		if err := yaml.Unmarshal([]byte(x.Body), &head); err != nil {
			return fmt.Errorf("plan %d (synergy %q): body: %w", i+1, x.Synergy, err)
		}
		if err := agree(&x.Synergy, head.Synergy, &x.Version, head.Version); err != nil {
			return fmt.Errorf("plan %d (synergy %q): %w", i+1, x.Synergy, err)
		}
	}
	for i := range p.Factors {
		x := &p.Factors[i]
		var head struct {
			ID      string `yaml:"id"`
			Version int    `yaml:"version"`
		}
		if err := yaml.Unmarshal([]byte(x.Body), &head); err != nil {
			return fmt.Errorf("factor set %d (%q): body: %w", i+1, x.ID, err)
		}
		if err := agree(&x.ID, head.ID, &x.Version, head.Version); err != nil {
			return fmt.Errorf("factor set %d (%q): %w", i+1, x.ID, err)
		}
	}
	return nil
}

func agree(id *string, bodyID string, version *int, bodyVersion int) error {
	if *id == "" {
		*id = bodyID
	}
	if *version == 0 {
		*version = bodyVersion
	}
	if bodyID != "" && bodyID != *id || bodyVersion != 0 && bodyVersion != *version {
		return fmt.Errorf("the body is of %q version %d, not of %q version %d", bodyID, bodyVersion, *id, *version)
	}
	return nil
}
