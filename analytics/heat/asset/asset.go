// Package asset knows the types of equipment that reject heat: which rule turns
// which meters into heat, between which temperatures, what speaks against using
// it, and whether it is unavoidable in the sense of ADEME and of the European
// directives.
//
// The built-in types are in kinds.yaml, each with its source; a user adds own
// ones in the same form.
package asset

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/metering"
)

//go:embed kinds.yaml
var builtin []byte

// Class says whether heat would arise anyway. ADEME: heat of a process whose first
// purpose is not to make it; directive (EU) 2018/2001, art. 2 (9): unavoidable
// by-product that would be dissipated unused.
type Class string

// The classes.
const (
	Unavoidable Class = "unavoidable"
	Partly      Class = "partly"
	Avoidable   Class = "avoidable"
)

// Kind is a type of asset.
type Kind struct {
	Key    string        `yaml:"key"`
	Name   metering.Text `yaml:"name"`
	Words  []string      `yaml:"words"` // by which a card's free text names it
	Rules  []Rule        `yaml:"rules"`
	THot   string        `yaml:"t_hot"`
	TCold  string        `yaml:"t_cold"`
	DT     float64       `yaml:"dt_contribution_k"`
	Fluid  metering.Text `yaml:"fluid"`
	Cutoff struct {
		C  float64 `yaml:"c"` // degC below which the heat is not counted
		FR string  `yaml:"fr"`
		EN string  `yaml:"en"`
	} `yaml:"cutoff"`
	Caveats  metering.Text `yaml:"caveats"`
	Class    Class         `yaml:"class"`
	ClassWhy metering.Text `yaml:"class_why"`
	Internal metering.Text `yaml:"internal"` // what the site itself can do with it
	Source   string        `yaml:"source"`
}

// Rule is one way to compute the heat.
type Rule struct {
	Rule  string     `yaml:"rule"`
	THot  string     `yaml:"t_hot"`  // "" for that of the kind
	TCold string     `yaml:"t_cold"` // likewise
	Grade heat.Grade `yaml:"grade"`
}

// Kinds are types of asset, the later before the earlier.
type Kinds []Kind

// Builtin returns the types that come with the program.
func Builtin() (Kinds, error) { return Parse(bytes.NewReader(builtin)) }

// maxKinds bounds a file of types, in bytes.
const maxKinds = 1 << 20

// Parse reads a file of types.
func Parse(r io.Reader) (Kinds, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxKinds+1))
	if err != nil {
		return nil, fmt.Errorf("asset types: %w", err)
	}
	if len(b) > maxKinds {
		return nil, fmt.Errorf("asset types: more than %d MB", maxKinds>>20)
	}
	var f struct {
		Kinds Kinds `yaml:"kinds"`
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("asset types: %w", err)
	}
	if len(f.Kinds) == 0 {
		return nil, errors.New(`asset types: no "kinds"`)
	}
	for i := range f.Kinds {
		if err := f.Kinds[i].check(); err != nil {
			return nil, fmt.Errorf("asset type number %d, %q: %w", i+1, f.Kinds[i].Key, err)
		}
	}
	return f.Kinds, nil
}

func (k *Kind) check() error {
	switch {
	case k.Key == "":
		return errors.New("no key")
	case len(k.Rules) == 0:
		return errors.New("no rules")
	case k.Class != Unavoidable && k.Class != Partly && k.Class != Avoidable:
		return fmt.Errorf("class %q: want unavoidable, partly or avoidable", k.Class)
	case !(k.DT >= 0 && k.DT <= 100):
		return fmt.Errorf("dt_contribution_k %v: want 0 to 100", k.DT)
	case k.Source == "":
		return errors.New("no source: say where the rule comes from")
	}
	for _, r := range k.Rules {
		if _, err := heat.ParseRule(r.Rule); err != nil {
			return err
		}
		if !slices.Contains([]heat.Grade{heat.GradeA, heat.GradeB, heat.GradeC, heat.GradeD}, r.Grade) {
			return fmt.Errorf("grade %q of rule %q: want A, B, C or D", r.Grade, r.Rule)
		}
	}
	return nil
}

// Of finds the type of a card: by its key, else by the first word of a type in
// the card's free text.
func (all Kinds) Of(c *heat.Card) *Kind {
	for i := len(all) - 1; i >= 0; i-- {
		if c.Kind != "" && all[i].Key == c.Kind {
			return &all[i]
		}
	}
	best, at := (*Kind)(nil), len(c.Type)
	text := strings.ToLower(c.Type)
	for i := len(all) - 1; i >= 0; i-- {
		for _, w := range all[i].Words {
			if k := strings.Index(text, strings.ToLower(w)); k >= 0 && k < at {
				best, at = &all[i], k
			}
		}
	}
	return best
}

// Complete fills what a card leaves out: its rule, the first of its type that its
// signals serve, and its temperatures. A card with a rule keeps it.
func (all Kinds) Complete(g *heat.Grid, c heat.Card) (heat.Card, error) {
	k := all.Of(&c)
	if k == nil {
		if c.Rule != "" && c.Kind == "" {
			return c, nil
		}
		var known []string
		for _, k := range all {
			known = append(known, k.Key)
		}
		return c, fmt.Errorf("heat asset %s: no rule, and its type %q is none of %s", c.ID, c.Kind+c.Type, strings.Join(known, ", "))
	}
	c.Kind = k.Key
	if c.DTContribution == 0 {
		c.DTContribution = k.DT
	}
	temperatures := func(r Rule) heat.Card {
		out := c
		out.THot, out.TCold = first(c.THot, r.THot, k.THot), first(c.TCold, r.TCold, k.TCold)
		if out.THot == unknown {
			out.THot = ""
		}
		if out.TCold == unknown {
			out.TCold = ""
		}
		return out
	}
	if c.Rule != "" {
		return c, nil
	}
	var last error
	for _, r := range k.Rules {
		try := temperatures(r)
		try.Rule, try.Evidence = r.Rule, r.Grade
		if last = try.Check(g); last == nil {
			return try, nil
		}
	}
	return c, fmt.Errorf("no rule of %s fits its signals: %w", k.Key, last)
}

// unknown is a temperature of which a rule knows nothing.
const unknown = "unknown"

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
