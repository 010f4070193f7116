// Package detect proposes assets that reject heat where none is declared, from
// patterns in the channels of a site: it writes the card that a person would
// write, with the pattern that gave it away, and [heat.Sources] computes the heat.
//
// The patterns, and what speaks against each, are in docs/heat.md. Meters of
// useful heat look like meters of rejected heat; they are told apart by what
// moves them: boilers follow their gas, space heating the cold, a heating curve
// its flow temperature, hot water the mains.
package detect

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/metering"
)

// Pattern is what gave a source away.
type Pattern string

// The patterns.
const (
	Loop      Pattern = "heat_to_cooler"         // a water loop that gives off heat and follows no need
	LowSpread Pattern = "low_temperature_spread" // the same, with less than 8 K
	Condenser Pattern = "cooling_balance"        // cooling and the power of its machine
	Effluent  Pattern = "warm_discharge"
	Flue      Pattern = "hot_flue" // gas, and a temperature that rises with it
	Exhaust   Pattern = "warm_exhaust"
	Power     Pattern = "electricity_to_heat" // a machine whose power ends as heat
)

// Finding is a proposed source.
type Finding struct {
	Card    heat.Card
	Object  string
	Pattern Pattern
	Source  heat.Source
	// Also are further signs: night and week-end base load, a neighbour that burns
	// gas, heating and cooling at once.
	Also []metering.Text
	Why  metering.Text
}

// MeanKW is the mean heat over the known steps.
func (f *Finding) MeanKW(g *heat.Grid) float64 {
	if f.Source.Known == 0 {
		return 0
	}
	return f.Source.MWh * 1000 / (float64(f.Source.Known) * g.Step.Hours())
}

// Options say what is known already.
type Options struct {
	Weather  string
	Declared []heat.Card
	Demands  []heat.Demand
	Apart    []string // channels that are known to be no waste heat
	LeastKW  float64  // mean heat below which nothing is proposed; 0: 20
	// Sites says at which site an object (a meter) stands; of one that is not in it,
	// the site is what its name says before the first dot. A site's name at the
	// beginning of an object's is no word about the object.
	Sites map[string]string
	// Cooling are objects that count cold: their flow is the colder side.
	Cooling map[string]bool
	// OwnSiteOnly leaves out signs that name other sites.
	OwnSiteOnly bool
}

// finder works on one grid.
type finder struct {
	g        *heat.Grid
	o        Options
	faults   []heat.Fault
	all      []*object
	outdoor  []float64 // daily
	out      []Finding
	gasSites map[string]bool
	known    map[string]bool // sites with a declared source
}

// Find looks at every object none of whose channels a card or a need reads; what
// those tell of is still used beside it.
func Find(g *heat.Grid, faults []heat.Fault, o Options) ([]Finding, error) {
	if o.LeastKW == 0 {
		o.LeastKW = 20
	}
	declared := map[string]bool{o.Weather: true}
	for _, c := range o.Declared {
		declared[c.THot], declared[c.TCold] = true, true
		for _, s := range c.Signals {
			declared[s] = true
		}
	}
	for _, d := range o.Demands {
		declared[d.Signal] = true
	}
	for _, c := range o.Apart {
		declared[c] = true
	}
	f := &finder{g: heat.Mend(g, faults), o: o, faults: faults, gasSites: map[string]bool{}, known: map[string]bool{}}
	for _, c := range o.Declared {
		f.known[c.Site] = true
	}
	f.all = objects(f.g, declared, o.Sites)
	if x := f.g.Channels[o.Weather]; x != nil {
		f.outdoor = daily(f.g, x)
	}
	for _, ob := range f.all {
		if gas, _ := ob.fuel(); gas != "" {
			f.gasSites[ob.site] = true
		}
	}
	for _, ob := range f.all {
		if err := f.look(ob); err != nil {
			return nil, err
		}
	}
	f.company()
	sort.SliceStable(f.out, func(a, b int) bool { return f.out[a].Source.MWh > f.out[b].Source.MWh })
	return f.out, nil
}

// power is the object's channel of power, "" if none.
func (o *object) power() string { return o.vars["P"] }

// kWhPerM3 is the net calorific value of natural gas as meters count it: 11.05
// gross, times 0.90.
const kWhPerM3 = 9.946

// fuel is the channel of a gas meter and what makes kW of it; "" for what is no
// gas meter. Registers of gas come in m3/h.
func (o *object) fuel() (channel string, kW float64) {
	switch {
	case o.vars["V_gas"] != "":
		return o.vars["V_gas"], kWhPerM3
	case o.is(gasWords...) && o.power() != "":
		return o.power(), 1
	}
	return "", 0
}

func (f *finder) look(o *object) error {
	if o.declared {
		return nil
	}
	flow, hot, cold, isLoop := o.loop()
	if f.o.Cooling[o.name] {
		hot, cold = cold, hot
	}
	switch {
	case isLoop:
		return f.loop(o, flow, hot, cold)
	case o.vars["V"] != "" && o.vars["T"] != "":
		return f.effluent(o)
	case o.vars["T"] != "" && o.vars["Q"] == "":
		return f.hotGas(o)
	case o.vars["Q"] != "" && (f.o.Cooling[o.name] || o.is(chilledWords...)):
		return f.condenser(o, []string{o.vars["Q"]}, "Q=Q_cold+P_el", daily(f.g, f.g.Channels[o.vars["Q"]]))
	case o.vars["Q"] != "":
		return f.heatMeter(o)
	case o.vars["P"] != "" && o.is(compressorWords...):
		return f.propose(o, Power, heat.Card{Kind: "oil_injected_compressor", Type: "oil-injected compressor", Signals: []string{o.vars["P"]}, Rule: "Q=0.72*P", THot: "75", TCold: "45"},
			metering.Text{FR: "puissance d'un compresseur : 72 % repartent par l'huile", EN: "power of a compressor: 72% leave with the oil"})
	case o.vars["P"] != "" && o.is(serverWords...) && !f.known[o.site]: // else the same heat would be counted twice
		return f.propose(o, Power, heat.Card{Kind: "data_centre", Type: "data centre", Signals: []string{o.vars["P"]}, Rule: "Q=P", THot: "30", TCold: "24"},
			metering.Text{FR: "l'électricité des serveurs devient de la chaleur", EN: "the servers' electricity becomes heat"})
	}
	return nil
}

// propose computes a card and keeps it when it gives off enough heat.
func (f *finder) propose(o *object, p Pattern, c heat.Card, why metering.Text) error {
	c.ID, c.Site = o.name, o.site
	if c.DTContribution == 0 {
		c.DTContribution = 2.5
	}
	s, err := heat.Sources(f.g, []heat.Card{c}, nil)
	if err != nil {
		return fmt.Errorf("detection: %w", err)
	}
	x := Finding{Card: c, Object: o.name, Pattern: p, Source: s[0], Why: why}
	x.Source.Card = &c
	if x.MeanKW(f.g) >= f.o.LeastKW {
		f.out = append(f.out, x)
	}
	return nil
}

// loop takes a water loop that is no useful heat.
func (f *finder) loop(o *object, flow, hot, cold string) error {
	if o.is(usefulWords...) {
		return nil
	}
	c := heat.Card{Type: "cooling loop", Signals: []string{flow, hot, cold}, Rule: fmt.Sprintf("Q=V*1.16111*(%s-%s)", short(hot), short(cold)), THot: hot, TCold: cold}
	s, err := heat.Sources(f.g, []heat.Card{c}, nil)
	if err != nil {
		return fmt.Errorf("detection: %w", err)
	}
	src := &s[0]
	if src.Known == 0 {
		return nil
	}
	spread := src.HighC - src.LowC
	kw := daily(f.g, src.KW)
	if src.HighC < 20 { // chilled water: its heat comes out at the condenser
		return f.condenser(o, []string{flow, hot, cold}, c.Rule+"+P_el", kw)
	}
	if f.isNeed(o, src, kw, hot) {
		return nil
	}
	p, why := Loop, metering.Text{
		FR: fmt.Sprintf("une boucle d'eau cède sa chaleur entre %.0f et %.0f °C sans suivre ni le froid, ni une courbe de chauffe, ni le gaz du site", src.HighC, src.LowC),
		EN: fmt.Sprintf("a water loop gives off heat between %.0f and %.0f °C and follows neither the cold, nor a heating curve, nor the site's gas", src.HighC, src.LowC),
	}
	if spread < 8 {
		p = LowSpread
	}
	return f.propose(o, p, c, why)
}

// heatMeter takes a heat meter that gives its power only: one that tells both
// temperatures, or is named as a cooler. Without temperatures its heat has no band.
func (f *finder) heatMeter(o *object) error {
	hot, cold := o.vars["T_hot"], o.vars["T_cold"]
	if hot == "" {
		hot, cold = o.vars["T_flow"], o.vars["T_return"]
	}
	if o.is(usefulWords...) || (hot == "" || cold == "") && !o.is(coolerWords...) {
		return nil
	}
	c := heat.Card{Type: "cooling loop", Signals: []string{o.vars["Q"]}, Rule: "Q=Q_loop", THot: hot, TCold: cold}
	s, err := heat.Sources(f.g, []heat.Card{c}, nil)
	if err != nil {
		return fmt.Errorf("detection: %w", err)
	}
	kw := daily(f.g, s[0].KW)
	if hot != "" && s[0].HighC < 20 {
		return f.condenser(o, []string{o.vars["Q"]}, "Q=Q_cold+P_el", kw)
	}
	if hot != "" && f.isNeed(o, &s[0], kw, hot) || hot == "" && f.followsCold(kw) {
		return nil
	}
	return f.propose(o, Loop, c, metering.Text{FR: "un compteur de chaleur sur un refroidisseur", EN: "a heat meter on a cooler"})
}

// followsCold says whether there is more heat when it is cold.
func (f *finder) followsCold(kw []float64) bool {
	if f.outdoor == nil {
		return false
	}
	_, r := line(f.outdoor, kw)
	return r < -0.6
}

// short is the variable of a channel, as a rule writes it.
func short(channel string) string {
	_, v := heat.ChannelParts(channel)
	return v
}

// isNeed says whether a loop carries useful heat.
func (f *finder) isNeed(o *object, s *heat.Source, kw []float64, hot string) bool {
	if f.followsCold(kw) {
		return true
	}
	if f.outdoor != nil {
		running := slices.Clone(f.g.Channels[hot])
		for i := range running {
			if !(s.KW[i] > 0.05*s.P95KW) {
				running[i] = math.NaN()
			}
		}
		if slope, r := line(f.outdoor, daily(f.g, running)); r < -0.6 && slope < -0.25 {
			return true // a heating curve
		}
	}
	if s.HighC-s.LowC > 25 && s.LowC < 22 {
		return true // heated up from the mains
	}
	if f.bySun(s) {
		return true
	}
	for _, other := range f.all { // follows a burner of the site
		gas, scale := other.fuel()
		if other.site != o.site || gas == "" {
			continue
		}
		slope, r := line(daily(f.g, f.g.Channels[gas]), kw)
		if slope /= scale; r > 0.9 && slope > 0.5 && slope < 1.05 {
			return true
		}
	}
	return false
}

// bySun says whether heat comes by day only, on week-ends too, and more in
// summer: solar collectors.
func (f *finder) bySun(s *heat.Source) bool {
	var light, dark, weekend, week, summer, winter float64
	for i, q := range s.KW {
		if math.IsNaN(q) {
			continue
		}
		t := f.g.At(i)
		if h := t.Hour(); h >= 6 && h < 19 {
			light += q
		} else {
			dark += q
		}
		if w := t.Weekday(); w == 0 || w == 6 {
			weekend += q / 2
		} else {
			week += q / 5
		}
		switch m := t.Month(); {
		case m >= 5 && m <= 8:
			summer += q
		case m <= 2 || m >= 11:
			winter += q
		}
	}
	return dark < 0.05*light && weekend > 0.6*week && summer > 1.5*winter
}

// company adds the signs that lie beside a source.
func (f *finder) company() {
	for i := range f.out {
		x := &f.out[i]
		night, day := base(f.g, x.Source.KW)
		if night > 0.7*day && day > 0 {
			x.Also = append(x.Also, metering.Text{
				FR: fmt.Sprintf("talon : les nuits et fins de semaine à %.0f %% des heures de travail", 100*night/day),
				EN: fmt.Sprintf("base load: nights and week-ends at %.0f%% of working hours", 100*night/day)})
		}
		if f.o.OwnSiteOnly {
			continue
		}
		var burning []string
		for s := range f.gasSites {
			if s != x.Card.Site {
				burning = append(burning, s)
			}
		}
		if len(burning) > 0 {
			slices.Sort(burning)
			x.Also = append(x.Also, metering.Text{
				FR: "pendant ce temps brûlent du gaz : " + strings.Join(burning[:min(4, len(burning))], ", "),
				EN: "meanwhile gas is burnt by: " + strings.Join(burning[:min(4, len(burning))], ", ")})
		}
	}
}

// base is the mean at night and on week-ends, and in working hours.
func base(g *heat.Grid, kw []float64) (night, day float64) {
	var n, d []float64
	for i, q := range kw {
		t := g.At(i)
		if w := t.Weekday(); w == 0 || w == 6 || t.Hour() < 5 || t.Hour() >= 21 {
			n = append(n, q)
		} else {
			d = append(d, q)
		}
	}
	return meanOf(n, 1), meanOf(d, 1)
}
