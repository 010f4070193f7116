package flows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/metering"
)

// Company is who declares flows, and where it is.
type Company struct {
	ID     string   `yaml:"id"`
	Name   string   `yaml:"name"`
	XMetre *float64 `yaml:"x_m"`
	YMetre *float64 `yaml:"y_m"`
}

// Flow is one line of a declared inventory.
type Flow struct {
	ID        string  `yaml:"id"`
	Company   string  `yaml:"company"`
	Resource  string  `yaml:"resource"`
	Direction string  `yaml:"direction"` // has, needs
	Amount    float64 `yaml:"amount"`    // a year
	Unit      string  `yaml:"unit"`
	Quality   Words   `yaml:"quality"`
	// Properties are measured or guaranteed qualities of what a company has
	// ("chloride_mg_l": 30); Limits what a need accepts.
	Properties map[string]float64 `yaml:"properties"`
	Limits     map[string]Limit   `yaml:"limits"`
}

// Words are a text in two languages, or one text for both.
type Words metering.Text

// UnmarshalYAML reads {fr: ..., en: ...} or a text.
func (w *Words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		w.FR, w.EN = n.Value, n.Value
		return nil
	}
	return n.Decode((*metering.Text)(w))
}

// Limit is a range of a property, open where nil.
type Limit struct {
	Min *float64 `yaml:"min" json:"min,omitempty"`
	Max *float64 `yaml:"max" json:"max,omitempty"`
}

// Inventory is what companies declared.
type Inventory struct {
	Companies []Company `yaml:"companies"`
	Flows     []Flow    `yaml:"flows"`
}

// Bounds of an inventory.
const (
	maxInventory = 16 << 20 // bytes
	maxFlows     = 2_000
)

// ParseInventory reads an inventory in YAML or JSON: companies and flows, other
// keys are passed over, so a programme.yaml serves. Errors name the flow.
func ParseInventory(data []byte) (*Inventory, error) {
	if len(data) > maxInventory {
		return nil, fmt.Errorf("inventory of %d bytes: more than %d", len(data), maxInventory)
	}
	var inv Inventory
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&inv); err != nil {
		if err == io.EOF {
			err = errors.New("the file is empty")
		}
		// The library lists its errors on lines of their own.
		return nil, fmt.Errorf("inventory: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	return &inv, inv.check()
}

func (inv *Inventory) check() error {
	if len(inv.Flows) == 0 {
		return errors.New("inventory: no flows")
	}
	if len(inv.Flows) > maxFlows {
		return fmt.Errorf("inventory: more than %d flows", maxFlows)
	}
	known, seen := map[string]bool{}, map[string]bool{}
	for i, c := range inv.Companies {
		if c.ID == "" || known[c.ID] {
			return fmt.Errorf("inventory: company %d: no id, or %q named twice", i+1, c.ID)
		}
		for _, x := range []*float64{c.XMetre, c.YMetre} {
			if x != nil && (math.IsNaN(*x) || math.IsInf(*x, 0)) {
				return fmt.Errorf("inventory: company %q: position %v", c.ID, *x)
			}
		}
		known[c.ID] = true
	}
	for i, f := range inv.Flows {
		name := fmt.Sprintf("inventory: flow %q", f.ID)
		switch {
		case f.ID == "" || seen[f.ID]:
			return fmt.Errorf("inventory: flow %d: no id, or %q named twice", i+1, f.ID)
		case !known[f.Company]:
			return fmt.Errorf("%s: unknown company %q", name, f.Company)
		case f.Direction != "has" && f.Direction != "needs":
			return fmt.Errorf("%s: direction %q: want has or needs", name, f.Direction)
		case !(f.Amount >= 0) || math.IsInf(f.Amount, 0):
			return fmt.Errorf("%s: amount of %v: want 0 or more", name, f.Amount)
		}
		if _, ok := ResourceOf(f.Resource); !ok {
			return fmt.Errorf("%s: resource %q is none of %s", name, f.Resource, strings.Join(names(), ", "))
		}
		if _, _, ok := measure(f.Unit); !ok {
			return fmt.Errorf("%s: unit %q: want t, kg, m3, l, MWh, kWh, GWh, h or 1", name, f.Unit)
		}
		for p, l := range f.Limits {
			if l.Min != nil && l.Max != nil && !(*l.Min <= *l.Max) {
				return fmt.Errorf("%s: limits of %s: %v to %v", name, p, *l.Min, *l.Max)
			}
		}
		seen[f.ID] = true
	}
	return nil
}

// Resource is a kind of flow of the closed list.
type Resource string

// resources are the list of the programme CLES of the ports of Strasbourg, with
// the words by which people write them.
var resources = []struct {
	name  Resource
	words []string
}{
	{"metals", []string{"metal", "metals", "métaux", "métal", "scrap", "ferraille"}},
	{"water", []string{"water", "eau", "eaux", "rinse water"}},
	{"waste", []string{"waste", "déchets", "déchet"}},
	{"biowaste", []string{"biowaste", "biodéchets", "biodéchet", "organic waste", "déchets organiques"}},
	{"wood", []string{"wood", "bois", "waste wood", "pallets", "palettes"}},
	{"renewable energy", []string{"renewable energy", "énergies renouvelables", "énergie renouvelable", "solar", "solaire"}},
	{"paper", []string{"paper", "papier"}},
	{"cardboard", []string{"cardboard", "board", "carton", "cartons"}},
	{"plastic", []string{"plastic", "plastics", "plastique", "plastiques"}},
	{"biogas", []string{"biogas", "biogaz", "biomethane", "biométhane"}},
	{"geothermal", []string{"geothermal", "géothermie", "geothermal heat"}},
	{"waste heat", []string{"waste heat", "heat", "chaleur", "chaleur fatale"}},
	{"methanisation", []string{"methanisation", "méthanisation", "anaerobic digestion"}},
	{"heat networks", []string{"heat networks", "heat network", "réseaux de chaleur", "réseau de chaleur", "district heating"}},
	{"shared services", []string{"shared services", "services partagés", "mutualisation", "service"}},
}

// conversions are the needs that a resource may serve beside its own, and how.
var conversions = map[Resource]map[Resource]string{
	"biowaste":   {"methanisation": "as feed of the digester"},
	"wood":       {"heat networks": "as fuel of a boiler house"},
	"paper":      {"cardboard": "as pulp, after sorting"},
	"cardboard":  {"paper": "as pulp, after sorting"},
	"waste heat": {"heat networks": "through an exchanger or a heat pump, by temperature"},
	"geothermal": {"waste heat": "as heat, by temperature", "heat networks": "as heat, by temperature"},
	"biogas":     {"renewable energy": "as renewable gas"},
}

// ResourceOf finds the resource that a word means.
func ResourceOf(word string) (Resource, bool) {
	word = strings.ToLower(strings.TrimSpace(word))
	for _, r := range resources {
		for _, w := range r.words {
			if w == word {
				return r.name, true
			}
		}
	}
	return "", false
}

// Resources is the closed list.
func Resources() (out []Resource) {
	for _, r := range resources {
		out = append(out, r.name)
	}
	return out
}

func names() (out []string) {
	for _, r := range resources {
		out = append(out, string(r.name))
	}
	return out
}

// measure is a unit's base ("t", "m3", "MWh", "h", "1") and its factor to it.
func measure(unit string) (base string, factor float64, ok bool) {
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "t":
		return "t", 1, true
	case "kg":
		return "t", 0.001, true
	case "m3", "m³":
		return "m3", 1, true
	case "l":
		return "m3", 0.001, true
	case "mwh":
		return "MWh", 1, true
	case "kwh":
		return "MWh", 0.001, true
	case "gwh":
		return "MWh", 1000, true
	case "h":
		return "h", 1, true
	case "1", "unit", "unité", "":
		return "1", 1, true
	}
	return "", 0, false
}
