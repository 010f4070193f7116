package metering

import "time"

// Text is a text in the two languages of the pages.
type Text struct {
	FR string `yaml:"fr" json:"fr"`
	EN string `yaml:"en" json:"en"`
}

// In returns the text in "fr" or "en"; French where English is missing.
func (t Text) In(lang string) string {
	if lang == "en" && t.EN != "" {
		return t.EN
	}
	return t.FR
}

// Company is a member of the programme. Holding groups companies for
// disclosure control; empty means that the company stands alone.
type Company struct {
	ID       string  `yaml:"id" json:"id"`
	Name     string  `yaml:"name" json:"name"`
	Holding  string  `yaml:"holding,omitempty" json:"holding,omitempty"`
	Activity Text    `yaml:"activity" json:"activity"`
	Quay     string  `yaml:"quay,omitempty" json:"quay,omitempty"`
	XMetres  float64 `yaml:"x_m" json:"x_m"` // position on the programme's own map
	YMetres  float64 `yaml:"y_m" json:"y_m"`
}

// Gateway is a Thermie gateway on a company's site.
type Gateway struct {
	ID        string `yaml:"id" json:"id"`
	Company   string `yaml:"company" json:"company"`
	Place     Text   `yaml:"place" json:"place"`
	PublicKey []byte `yaml:"public_key,omitempty" json:"public_key,omitempty"` // Ed25519, 32 bytes
}

// Meter is a meter as installed: which device (by profile), where, how exact.
type Meter struct {
	ID            string     `yaml:"id" json:"id"`
	Company       string     `yaml:"company" json:"company"`
	Gateway       string     `yaml:"gateway" json:"gateway"`
	Profile       string     `yaml:"profile" json:"profile"`
	Name          Text       `yaml:"name" json:"name"`
	Serial        string     `yaml:"serial,omitempty" json:"serial,omitempty"`
	AccuracyClass string     `yaml:"accuracy_class,omitempty" json:"accuracy_class,omitempty"` // "EN 1434 class 2", "MID B"
	Exchanges     []Exchange `yaml:"exchanges,omitempty" json:"exchanges,omitempty"`
}

// Exchange records that the device behind a meter was replaced: the last
// register of the old one and the first of the new one.
type Exchange struct {
	At       time.Time `yaml:"at" json:"at"`
	Quantity Quantity  `yaml:"quantity" json:"quantity"`
	OldFinal Decimal   `yaml:"old_final" json:"old_final"`
	NewStart Decimal   `yaml:"new_start" json:"new_start"`
}

// SynergyKind is one of the two kinds of industrial symbiosis.
type SynergyKind string

// Substitution replaces a resource by a neighbour's reject; mutualisation
// shares a service or an installation.
const (
	Substitution  SynergyKind = "substitution"
	Mutualisation SynergyKind = "mutualisation"
)

// Status is a synergy's stage of life.
type Status string

// The life cycle of a synergy.
const (
	Identified  Status = "identified"
	Studied     Status = "studied"
	Developed   Status = "developed"
	Implemented Status = "implemented"
	Perennial   Status = "perennial"
	Stopped     Status = "stopped"
)

// Running says whether a synergy of this stage exchanges something.
func (s Status) Running() bool { return s == Implemented || s == Perennial }

// Party is a company's part in a synergy.
type Party struct {
	Company string `yaml:"company" json:"company"`
	Role    string `yaml:"role" json:"role"` // donor, receiver, partner
}

// Synergy is one exchange between named companies.
type Synergy struct {
	ID       string      `yaml:"id" json:"id"`
	Number   int         `yaml:"number" json:"number"`
	Name     Text        `yaml:"name" json:"name"`
	Kind     SynergyKind `yaml:"kind" json:"kind"`
	Resource string      `yaml:"resource" json:"resource"` // heat, water, electricity, gas, material, service
	Status   Status      `yaml:"status" json:"status"`
	Since    time.Time   `yaml:"since" json:"since"`
	Parties  []Party     `yaml:"parties" json:"parties"`
	About    Text        `yaml:"about" json:"about"`
}
