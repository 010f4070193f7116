// Package heatfile reads the files that the heat commands take: a JSON file of
// cards (assets that reject heat, needs for heat, sites, network) and a table of
// meter channels on a regular grid.
//
// The formats are described in docs/heat.md. Both readers are bounded in size
// and say in one line what is wrong and where.
package heatfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/thermie/thermie/analytics/heat"
)

// maxCards bounds a file of cards, in bytes, and maxAssets the cards in it.
const (
	maxCards  = 16 << 20
	maxAssets = 10_000
)

// Cards is a file of cards, checked.
type Cards struct {
	Weather string // channel of outdoor temperature, "" if none
	Places  map[string]heat.Place
	Assets  []heat.Card
	Demands []heat.Demand
	Network heat.Network
	// NotASource says in words what looks like waste heat and is none.
	NotASource []string
	// Warnings are findings that do not stop anything: a site without position,
	// an asset that is named twice.
	Warnings []string
}

// file is the JSON form.
type file struct {
	Weather string               `json:"weather_channel"`
	Sites   map[string][]float64 `json:"sites_xy_m"`
	Assets  []item               `json:"assets"`
	Demands []item               `json:"demands"`
	Not     []string             `json:"not_a_source"`
	Network *struct {
		Route *float64 `json:"route_factor"`
		Loss  *float64 `json:"loss_fraction_per_km"`
		MaxKM *float64 `json:"max_length_km"`
	} `json:"network"`
}

// item is an asset or a demand.
type item struct {
	ID      string   `json:"id"`
	Site    string   `json:"site"`
	Type    string   `json:"type"`
	Kind    string   `json:"kind"`
	Signal  signals  `json:"signal"`
	Signals signals  `json:"signals"`
	Rule    string   `json:"rule"`
	THot    quantity `json:"T_hot"`
	THotC   quantity `json:"T_hot_C"`
	TCold   quantity `json:"T_cold"`
	TColdC  quantity `json:"T_cold_C"`
	Target  quantity `json:"T_target"`
	TargetC quantity `json:"T_target_C"`
	Supply  quantity `json:"T_supply"`
	SupplyC quantity `json:"T_supply_C"`
	DT      *float64 `json:"dt_contribution_K"`
	Fuel    string   `json:"fuel"`
	Eff     *float64 `json:"efficiency_pcs"`
}

// signals are channel names: one text with commas, or a list.
type signals []string

func (s *signals) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) != nil {
		var text string
		if json.Unmarshal(b, &text) != nil {
			return fmt.Errorf("signal %s: want channel names in a text with commas, or in a list", b)
		}
		list = strings.Split(text, ",")
	}
	for _, x := range list {
		if x = strings.TrimSpace(x); x != "" {
			*s = append(*s, x)
		}
	}
	return nil
}

// quantity is a number, a channel or a formula, kept as text.
type quantity string

func (q *quantity) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*q = quantity(text)
		return nil
	}
	var f *float64
	if json.Unmarshal(b, &f) != nil {
		return fmt.Errorf("temperature %s: want a number of degC, a channel or a formula", b)
	}
	if f != nil {
		*q = quantity(heat.Celsius(*f))
	}
	return nil
}

func first(q ...quantity) string {
	for _, x := range q {
		if x != "" {
			return string(x)
		}
	}
	return ""
}

// defaultApproachK is a stream's contribution to the temperature approach where
// a card gives none: that of liquids in the open cases.
const defaultApproachK = 2.5

// ReadCards reads a file of cards.
func ReadCards(r io.Reader) (*Cards, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxCards+1))
	if err != nil {
		return nil, fmt.Errorf("cards: %w", err)
	}
	if len(b) > maxCards {
		return nil, fmt.Errorf("cards: more than %d MB", maxCards>>20)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("cards: %w", located(b, err))
	}
	if len(f.Assets) == 0 && len(f.Demands) == 0 {
		return nil, errors.New(`cards: neither "assets" nor "demands": this is not a file of heat cards`)
	}
	if len(f.Assets)+len(f.Demands) > maxAssets {
		return nil, fmt.Errorf("cards: more than %d assets and demands", maxAssets)
	}
	c := &Cards{Weather: f.Weather, Places: map[string]heat.Place{}, Network: heat.DefaultNetwork, NotASource: f.Not, Warnings: unknownKeys(b)}
	for site, xy := range f.Sites {
		if len(xy) != 2 || !finite(xy[0]) || !finite(xy[1]) {
			return nil, fmt.Errorf("cards: site %q: position %v: want [x, y] in metres", site, xy)
		}
		c.Places[site] = heat.Place{X: xy[0], Y: xy[1]}
	}
	if err := c.network(&f); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, a := range f.Assets {
		if err := a.check("asset", i, seen); err != nil {
			return nil, err
		}
		c.Assets = append(c.Assets, heat.Card{ID: a.ID, Site: a.Site, Type: a.Type, Kind: a.Kind, Rule: a.Rule, Signals: append(a.Signal, a.Signals...),
			THot: first(a.THot, a.THotC), TCold: first(a.TCold, a.TColdC), DTContribution: a.approach()})
	}
	for i, d := range f.Demands {
		if err := d.check("demand", i, seen); err != nil {
			return nil, err
		}
		all := append(d.Signal, d.Signals...)
		if len(all) == 0 {
			return nil, fmt.Errorf("cards: demand %q: no signal", d.ID)
		}
		e := 0.0
		if d.Eff != nil {
			e = *d.Eff
		}
		if !(e >= 0 && e <= 1.2) {
			return nil, fmt.Errorf("cards: demand %q: efficiency_pcs %v: want a share of the gross calorific value", d.ID, e)
		}
		c.Demands = append(c.Demands, heat.Demand{ID: d.ID, Site: d.Site, Signal: all[0], TTarget: first(d.Target, d.TargetC), TSupply: first(d.Supply, d.SupplyC),
			DTContribution: d.approach(), EfficiencyPCS: e, Fuel: d.Fuel})
	}
	c.positions()
	return c, nil
}

// located adds the line of an error of JSON, where it tells one.
func located(b []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(-1)
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	} else if errors.As(err, &kind) {
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(b)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:offset], []byte{'\n'}), err)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func (c *Cards) network(f *file) error {
	if f.Network == nil {
		return nil
	}
	for name, p := range map[string]struct {
		from      *float64
		to        *float64
		low, high float64
	}{
		"route_factor":         {f.Network.Route, &c.Network.RouteFactor, 1, 10},
		"loss_fraction_per_km": {f.Network.Loss, &c.Network.LossPerKM, 0, 1},
		"max_length_km":        {f.Network.MaxKM, &c.Network.MaxKM, 0, 1000},
	} {
		if p.from == nil {
			continue
		}
		if !(*p.from >= p.low && *p.from <= p.high) {
			return fmt.Errorf("cards: network: %s %v: want %g to %g", name, *p.from, p.low, p.high)
		}
		*p.to = *p.from
	}
	return nil
}

func (a *item) check(what string, i int, seen map[string]bool) error {
	switch {
	case a.ID == "":
		return fmt.Errorf("cards: %s number %d: no id", what, i+1)
	case seen[a.ID]:
		return fmt.Errorf("cards: %q is named twice", a.ID)
	case a.DT != nil && !(*a.DT >= 0 && *a.DT <= 100):
		return fmt.Errorf("cards: %s %q: dt_contribution_K %v: want 0 to 100 K", what, a.ID, *a.DT)
	}
	seen[a.ID] = true
	for name, q := range map[string]quantity{"T_hot_C": a.THotC, "T_cold_C": a.TColdC, "T_target_C": a.TargetC, "T_supply_C": a.SupplyC} {
		if t, err := strconv.ParseFloat(string(q), 64); err == nil && !(t > -273.15 && t < 3000) {
			return fmt.Errorf("cards: %s %q: %s of %v degC is impossible", what, a.ID, name, t)
		}
	}
	return nil
}

// keys of a file of cards, and of what stands in it. Those in the first list
// that are read by nothing explain the file.
var (
	fileKeys = []string{"weather_channel", "sites_xy_m", "assets", "demands", "not_a_source", "network",
		"id", "kind", "title", "source", "period_start", "days", "step_min", "timestamp", "rules", "notes"}
	networkKeys = []string{"route_factor", "loss_fraction_per_km", "max_length_km", "same_site_length_km"}
	itemKeys    = []string{"id", "site", "type", "kind", "signal", "signals", "rule", "T_hot", "T_hot_C", "T_cold", "T_cold_C", "T_target", "T_target_C", "T_supply", "T_supply_C",
		"dt_contribution_K", "fuel", "efficiency_pcs", "title", "notes"}
)

// unknownKeys names the keys that nothing reads: most are spelled wrongly.
func unknownKeys(b []byte) (out []string) {
	note := func(where string, have map[string]json.RawMessage, known []string) {
		for _, k := range slices.Sorted(maps.Keys(have)) {
			if !slices.ContainsFunc(known, func(x string) bool { return strings.EqualFold(x, k) }) && len(out) < 50 {
				out = append(out, fmt.Sprintf("%s: key %q is not known and was not read", where, k))
			}
		}
	}
	var all, network map[string]json.RawMessage
	if json.Unmarshal(b, &all) != nil {
		return nil
	}
	note("cards", all, fileKeys)
	if json.Unmarshal(all["network"], &network) == nil {
		note("network", network, networkKeys)
	}
	for _, what := range [...]string{"asset", "demand"} {
		var list []map[string]json.RawMessage
		if json.Unmarshal(all[what+"s"], &list) == nil {
			for _, item := range list {
				note(fmt.Sprintf("%s %s", what, item["id"]), item, itemKeys)
			}
		}
	}
	return out
}

func (a *item) approach() float64 {
	if a.DT == nil {
		return defaultApproachK
	}
	return *a.DT
}

// positions notes the sites that have none: what lies there is measured but
// cannot be matched.
func (c *Cards) positions() {
	missing := map[string]bool{}
	for _, a := range c.Assets {
		missing[a.Site] = true
	}
	for _, d := range c.Demands {
		missing[d.Site] = true
	}
	var names []string
	for s := range missing {
		if _, ok := c.Places[s]; !ok {
			names = append(names, s)
		}
	}
	slices.Sort(names)
	for _, s := range names {
		c.Warnings = append(c.Warnings, fmt.Sprintf("site %q has no position (sites_xy_m): it cannot be matched with another", s))
	}
}
