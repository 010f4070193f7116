package indicators

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/thermie/thermie/metering"
	"gopkg.in/yaml.v3"
)

// MaxSetBytes bounds a set file.
const MaxSetBytes = 1 << 20

// Set is a versioned set of emission factors and tariffs. It is immutable: its
// version is part of every result made with it.
type Set struct {
	ID      string   `yaml:"id" json:"id"` // "fr-2026"
	Version int      `yaml:"version" json:"version"`
	Factors []Factor `yaml:"factors" json:"factors"`
	Tariffs []Tariff `yaml:"tariffs" json:"tariffs"`
	// Primary are the primary energy factors; without them there is no figure of
	// primary energy.
	Primary []Primary `yaml:"primary_energy,omitempty" json:"primary_energy,omitempty"`
}

// Primary is the primary energy of one kWh of a flow of energy, as the flow
// counts (for gas, kWh of gross calorific value).
type Primary struct {
	Flow      Flow    `yaml:"flow" json:"flow"`
	KWhPerKWh float64 `yaml:"kwh_per_kwh" json:"kwh_per_kwh"`
	Source    Source  `yaml:"source" json:"source"`
}

// PrimaryOf is the primary energy factor of a flow; ok is false when the set has
// none.
func (s *Set) PrimaryOf(f Flow) (kwhPerKWh float64, ok bool) {
	for i := range s.Primary {
		if s.Primary[i].Flow == f {
			return s.Primary[i].KWhPerKWh, true
		}
	}
	return 0, false
}

func (p *Primary) check(seen map[string]bool) error {
	switch {
	case !p.Flow.Energy():
		return errors.New("not a flow of energy")
	case seen[string(p.Flow)]:
		return errors.New("given twice")
	case !finite(p.KWhPerKWh) || p.KWhPerKWh < 0 || p.KWhPerKWh > 10:
		return fmt.Errorf("kwh_per_kwh %v: want a number from 0 to 10", p.KWhPerKWh)
	}
	seen[string(p.Flow)] = true
	return p.Source.check()
}

// Source says where a number comes from.
type Source struct {
	Publisher string `yaml:"publisher" json:"publisher"` // "ADEME, Base Empreinte"
	Year      int    `yaml:"year" json:"year"`
	Link      string `yaml:"link,omitempty" json:"link,omitempty"`
	Note      string `yaml:"note,omitempty" json:"note,omitempty"`
}

// Factor is an emission factor of one flow.
type Factor struct {
	ID   string        `yaml:"id" json:"id"`
	Name metering.Text `yaml:"name" json:"name"`
	// Amount is the emission of one unit of the flow, in kg CO2e.
	Amount float64 `yaml:"amount" json:"amount"`
	// Unit is "kgCO2e/kWh GCV", "kgCO2e/kWh", "kgCO2e/m3", "kgCO2e/t" or
	// "kgCO2e/km". It is compared with the unit of the flow, so that a factor per
	// kWh of net calorific value is never taken for one of gross.
	Unit string `yaml:"unit" json:"unit"`
	// Half90 is the relative half width of the 90 % interval, 0.1 for 10 %; 0
	// when the publisher states none.
	Half90 float64 `yaml:"half90,omitempty" json:"half90,omitempty"`
	// Scope says what is counted: "combustion", "combustion and upstream" ...
	Scope string `yaml:"scope,omitempty" json:"scope,omitempty"`
	// Scopes splits Amount by scope of the GHG Protocol, as the user of the flow
	// counts it; nil where the publisher does not.
	Scopes *Scopes `yaml:"scopes,omitempty" json:"scopes,omitempty"`
	Source Source  `yaml:"source" json:"source"`
}

// Scopes are the parts of an emission factor, in its unit. They add up to it.
type Scopes struct {
	Scope1 float64 `yaml:"scope1" json:"scope1"` // combustion by the user
	Scope2 float64 `yaml:"scope2" json:"scope2"` // generation of bought electricity, heat, cold
	Scope3 float64 `yaml:"scope3" json:"scope3"` // upstream, losses, plant
}

// FactorUnit is the unit of a flow's emission factor: "kgCO2e/kWh GCV" for gas.
func (f Flow) FactorUnit() string { return "kgCO2e/" + f.Unit() }

// Ref is how a result names the set: "fr-2026 v3".
func (s *Set) Ref() string { return fmt.Sprintf("%s v%d", s.ID, s.Version) }

// ParseSet reads a set from YAML, strictly: an unknown key, a missing source or
// a wrong unit is refused, with the entry's id in the error.
func ParseSet(b []byte) (*Set, error) {
	if len(b) > MaxSetBytes {
		return nil, fmt.Errorf("factor set of %d bytes: more than %d", len(b), MaxSetBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	s := new(Set)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("factor set: %w", err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("factor set: more than one YAML document")
	}
	return s, s.Check()
}

// Check refuses a set that could not be used or traced.
func (s *Set) Check() error {
	if err := metering.CheckID(s.ID); err != nil {
		return fmt.Errorf("factor set: %w", err)
	}
	if s.Version < 1 {
		return fmt.Errorf("factor set %s: version %d: want 1 or more", s.ID, s.Version)
	}
	seen := map[string]bool{}
	for i := range s.Factors {
		if err := s.Factors[i].check(seen); err != nil {
			return fmt.Errorf("factor set %s, factor %q: %w", s.ID, s.Factors[i].ID, err)
		}
	}
	clear(seen)
	for i := range s.Primary {
		if err := s.Primary[i].check(seen); err != nil {
			return fmt.Errorf("factor set %s, primary_energy of %q: %w", s.ID, s.Primary[i].Flow, err)
		}
	}
	clear(seen)
	for i := range s.Tariffs {
		if err := s.Tariffs[i].check(seen); err != nil {
			return fmt.Errorf("factor set %s, tariff %q: %w", s.ID, s.Tariffs[i].ID, err)
		}
	}
	return nil
}

func (f *Factor) check(seen map[string]bool) error {
	switch {
	case metering.CheckID(f.ID) != nil:
		return metering.CheckID(f.ID)
	case seen[f.ID]:
		return errors.New("id given twice")
	case !slices.ContainsFunc(Flows, func(w Flow) bool { return w.FactorUnit() == f.Unit }):
		return fmt.Errorf("unit %q: want kgCO2e/kWh GCV, kgCO2e/kWh, kgCO2e/m3, kgCO2e/t or kgCO2e/km", f.Unit)
	case !finite(f.Amount) || math.Abs(f.Amount) > 1e6:
		return fmt.Errorf("amount %v out of range", f.Amount)
	case !(f.Half90 >= 0 && f.Half90 <= 2):
		return fmt.Errorf("half90 %v: want a relative half width from 0 to 2", f.Half90)
	case f.Scopes != nil && !(math.Abs(f.Scopes.Scope1+f.Scopes.Scope2+f.Scopes.Scope3-f.Amount) <= 1e-9*math.Abs(f.Amount)):
		return fmt.Errorf("scopes add up to %v, not to amount %v", f.Scopes.Scope1+f.Scopes.Scope2+f.Scopes.Scope3, f.Amount)
	}
	seen[f.ID] = true
	return f.Source.check()
}

func (s Source) check() error {
	if s.Publisher == "" || s.Year < 1990 || s.Year > 2199 {
		return errors.New("source: publisher and year are required")
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// Factor returns the factor of an id.
func (s *Set) Factor(id string) (Factor, error) {
	for i := range s.Factors {
		if s.Factors[i].ID == id {
			return s.Factors[i], nil
		}
	}
	return Factor{}, fmt.Errorf("factor set %s v%d has no factor %q", s.ID, s.Version, id)
}

// Tariff returns the tariff of an id.
func (s *Set) Tariff(id string) (*Tariff, error) {
	for i := range s.Tariffs {
		if s.Tariffs[i].ID == id {
			return &s.Tariffs[i], nil
		}
	}
	return nil, fmt.Errorf("factor set %s v%d has no tariff %q", s.ID, s.Version, id)
}
