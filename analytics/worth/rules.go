// Package worth says what recovered heat is worth: heat delivered in a typical
// and in a poor year, fuel, CO2e and money, each as a range, with and without
// public support, and whether the support's rules are met on a given day.
//
// Costs, prices and rules are dated entries of rules.yaml with their sources; a
// programme replaces them by its own. Formulas: docs/heat.md.
package worth

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/metering"
)

//go:embed rules.yaml
var builtin []byte

// Range is a low, a middle and a high figure.
type Range [3]float64

// dated is the time in which an entry holds, until exclusive; zero: open.
type dated struct {
	From   time.Time `yaml:"from"`
	Until  time.Time `yaml:"until"`
	Source source    `yaml:"source"`
}

// source says where an entry comes from: in both languages, or one text for both.
type source metering.Text

// UnmarshalYAML reads a text, or one for each language.
func (s *source) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.FR, s.EN = n.Value, n.Value
		return nil
	}
	var t struct {
		FR string `yaml:"fr"`
		EN string `yaml:"en"`
	}
	if err := n.Decode(&t); err != nil {
		return err
	}
	if t.FR == "" || t.EN == "" {
		return fmt.Errorf("line %d: a source in two languages wants fr and en", n.Line)
	}
	s.FR, s.EN = t.FR, t.EN
	return nil
}

func (d dated) holds(day time.Time) bool {
	return !day.Before(d.From) && (d.Until.IsZero() || day.Before(d.Until))
}

// Cost is the price of equipment: EUR a unit at a reference size; the whole grows
// with size to the power of the exponent.
type Cost struct {
	Key       string  `yaml:"key"`
	EUR       Range   `yaml:"eur"`
	Per       string  `yaml:"per"`
	Size      float64 `yaml:"size"`
	Exponent  float64 `yaml:"exponent"`
	OpexShare float64 `yaml:"opex_share"` // of the investment, a year
	dated     `yaml:",inline"`
}

// Price of an energy, EUR a MWh, with its factor, kg CO2e a kWh.
type Price struct {
	Key       string  `yaml:"key"`
	EURPerMWh Range   `yaml:"eur_per_mwh"`
	KgPerKWh  float64 `yaml:"kg_co2e_per_kwh"`
	dated     `yaml:",inline"`
}

// Finance is how years are weighed against each other; discount is given from
// the cautious to the favourable.
type Finance struct {
	Discount Range `yaml:"discount"`
	Years    int   `yaml:"years"`
	dated    `yaml:",inline"`
}

// AidRule is one rule of public support, with its conditions; a zero condition is
// none.
type AidRule struct {
	Key           string        `yaml:"key"`
	Name          metering.Text `yaml:"name"`
	External      bool          `yaml:"external"` // for another site or a network only
	Internal      bool          `yaml:"internal"` // for the same site only
	HeatPump      bool          `yaml:"heat_pump"`
	Kinds         []string      `yaml:"kinds"` // of assets
	LeastMWh      float64       `yaml:"least_mwh"`
	MostMWh       float64       `yaml:"most_mwh"`
	MostKW        float64       `yaml:"most_kw"`
	LeastPayback  float64       `yaml:"least_payback_years"`
	Cumac         float64       `yaml:"cumac"`           // kWh cumac a kWh a year
	CapexShare    Range         `yaml:"capex_share"`     // of the investment
	CapexShareSME float64       `yaml:"capex_share_sme"` // added for small firms
	Check         metering.Text `yaml:"check"`           // what is not sure
	dated         `yaml:",inline"`
}

// Rules are all entries; [Rules.At] picks those in force.
type Rules struct {
	Costs   []Cost    `yaml:"costs"`
	Prices  []Price   `yaml:"prices"`
	Finance []Finance `yaml:"finance"`
	Aids    []AidRule `yaml:"aids"`
}

// Builtin returns the rules that come with the program.
func Builtin() (*Rules, error) { return Parse(bytes.NewReader(builtin)) }

const maxRules = 1 << 20

// Parse reads a file of rules.
func Parse(r io.Reader) (*Rules, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxRules+1))
	if err != nil {
		return nil, fmt.Errorf("rules of worth: %w", err)
	}
	if len(b) > maxRules {
		return nil, fmt.Errorf("rules of worth: more than %d MB", maxRules>>20)
	}
	var out Rules
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("rules of worth: %w", err)
	}
	if err := out.check(); err != nil {
		return nil, fmt.Errorf("rules of worth: %w", err)
	}
	return &out, nil
}

func (r *Rules) check() error {
	ascending := func(x Range) bool { return x[0] >= 0 && x[0] <= x[1] && x[1] <= x[2] && !math.IsInf(x[2], 0) }
	dates := func(what string, d dated) error {
		switch {
		case d.From.IsZero():
			return fmt.Errorf("%s: no date from which it holds", what)
		case d.Source.FR == "":
			return fmt.Errorf("%s: no source", what)
		}
		return nil
	}
	for _, c := range r.Costs {
		if !ascending(c.EUR) || !(c.Size > 0) || !(c.Exponent > 0 && c.Exponent <= 1) || !(c.OpexShare >= 0 && c.OpexShare < 1) {
			return fmt.Errorf("cost %q: want ascending EUR, a size, an exponent up to 1 and a share of operation", c.Key)
		}
		if err := dates("cost "+c.Key, c.dated); err != nil {
			return err
		}
	}
	for _, p := range r.Prices {
		if !ascending(p.EURPerMWh) || !(p.KgPerKWh >= 0) {
			return fmt.Errorf("price %q: want ascending EUR a MWh and a factor", p.Key)
		}
		if err := dates("price "+p.Key, p.dated); err != nil {
			return err
		}
	}
	for _, f := range r.Finance {
		if f.Years < 1 || f.Years > 60 || !(f.Discount[0] >= f.Discount[1] && f.Discount[1] >= f.Discount[2] && f.Discount[2] > -0.5 && f.Discount[0] < 1) {
			return errors.New("finance: want 1 to 60 years and a discount from the cautious to the favourable")
		}
		if err := dates("finance", f.dated); err != nil {
			return err
		}
	}
	for _, a := range r.Aids {
		if a.Key == "" || !ascending(a.CapexShare) || a.CapexShare[2]+a.CapexShareSME > 1 {
			return fmt.Errorf("aid %q: want a key and an ascending share of the investment", a.Key)
		}
		if err := dates("aid "+a.Key, a.dated); err != nil {
			return err
		}
	}
	return nil
}

// inForce are the entries of a day.
type inForce struct {
	costs   map[string]Cost
	prices  map[string]Price
	finance Finance
}

// at picks the entries of a day: of several of one key, the last.
func (r *Rules) at(day time.Time) (inForce, error) {
	f := inForce{costs: map[string]Cost{}, prices: map[string]Price{}}
	for _, c := range r.Costs {
		if c.holds(day) {
			f.costs[c.Key] = c
		}
	}
	for _, p := range r.Prices {
		if p.holds(day) {
			f.prices[p.Key] = p
		}
	}
	for _, x := range r.Finance {
		if x.holds(day) {
			f.finance = x
		}
	}
	for _, k := range []string{"exchanger", "heat_pump", "pipe"} {
		if _, ok := f.costs[k]; !ok {
			return f, fmt.Errorf("worth: no cost of %q is in force on %s", k, day.Format("2006-01-02"))
		}
	}
	for _, k := range []string{"natural_gas", "electricity", "cee"} {
		if _, ok := f.prices[k]; !ok {
			return f, fmt.Errorf("worth: no price of %q is in force on %s", k, day.Format("2006-01-02"))
		}
	}
	if f.finance.Years == 0 {
		return f, fmt.Errorf("worth: no rule of finance is in force on %s", day.Format("2006-01-02"))
	}
	return f, nil
}

// LiftTerms are the middle prices in force on a day that decide on heat pumps, in
// EUR a MWh: heat as natural gas makes it at an efficiency, electricity, and what
// a machine costs for each MWh it delivers when its price is spread over some
// hours of full load a year.
func (r *Rules) LiftTerms(day time.Time, efficiency, hours float64) (heat, electricity, machine float64, err error) {
	f, err := r.at(day)
	if err != nil {
		return 0, 0, 0, err
	}
	pump := f.costs["heat_pump"]
	return f.prices["natural_gas"].EURPerMWh[middle] / efficiency, f.prices["electricity"].EURPerMWh[middle], pump.EUR[middle] * (f.finance.annuity(middle) + pump.OpexShare) / hours * 1000, nil
}
