package heat

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/thermie/thermie/analytics/pinch"
)

// Demand describes a need for heat.
type Demand struct {
	ID     string
	Site   string // company
	Signal string // channel of the heat needed, kW
	// TTarget and TSupply: heated from TSupply up to TTarget. A number in degC or a
	// formula of T_ext (outdoor temperature), doy (day of the year) and T_target.
	TTarget, TSupply string
	DTContribution   float64
	// EfficiencyPCS is useful heat for each unit of what it burns today (gross
	// calorific value); 0: 0.81 (a boiler of 0.90 on the net value, natural gas).
	EfficiencyPCS float64
	// Fuel is what it burns today, as the rules of worth name it; "" for natural_gas.
	Fuel string
}

// Place is a position on the programme's map, in metres.
type Place struct{ X, Y float64 }

// Network says what carrying heat from one site to another costs in heat.
type Network struct {
	RouteFactor float64 // length of the route over the straight line
	LossPerKM   float64 // share of the heat lost on each kilometre
	MaxKM       float64 // longer routes are not considered
}

// DefaultNetwork is that of the open cases: 1.3, 3 % and 3 km.
var DefaultNetwork = Network{RouteFactor: 1.3, LossPerKM: 0.03, MaxKM: 3}

// Route is the length of the pipe in km and the share of heat that arrives; ok
// says whether it is short enough to be considered.
func (n Network) Route(a, b Place) (km, gain float64, ok bool) {
	km = n.RouteFactor * math.Hypot(a.X-b.X, a.Y-b.Y) / 1000
	return km, 1 - n.LossPerKM*km, km <= n.MaxKM
}

// Need is a demand on a grid.
type Need struct {
	Demand  *Demand
	KW      []float64 // heat needed in each step; NaN where unknown
	State   []State   // where each step's heat comes from
	TargetC []float64 // heated up to
	SupplyC []float64 // heated from
	MWh     float64   // over the known steps, those estimated included
	MaxKW   float64   // of those measured

	EstimatedMWh float64 // part of MWh that fills gaps from like times
	Coverage     float64 // measured share of the steps
	Flags        []string
}

var (
	seasonal = regexp.MustCompile(`^\s*([-0-9.]+) from ([A-Za-z]+ \d+)(?: \(doy (\d+)\))? to ([A-Za-z]+ \d+)(?: \(doy ?< ?(\d+)\))?,? else ([-0-9.]+)\s*$`)
	pairOf   = regexp.MustCompile(`^\s*([-0-9.]+) / ([-0-9.]+),? same dates\s*$`)
)

// season makes a condition of the dates of a seasonal temperature, such as "90
// from Oct 1 (doy 274) to Apr 30 (doy<121), else 70"; the days of the year in
// brackets hold where they are given.
func season(m []string) (string, error) {
	day := func(date, given string, after int) (int, error) {
		if given != "" {
			return strconv.Atoi(given)
		}
		for _, layout := range []string{"Jan 2", "January 2"} {
			if t, err := time.Parse(layout, date); err == nil {
				return time.Date(2025, t.Month(), t.Day()+after, 0, 0, 0, 0, time.UTC).YearDay(), nil
			}
		}
		return 0, fmt.Errorf("date %q: want for example Oct 1", date)
	}
	from, err := day(m[2], m[3], 0)
	if err != nil {
		return "", err
	}
	to, err := day(m[4], m[5], 1)
	if err != nil {
		return "", err
	}
	op := "and"
	if to <= from { // over the turn of the year
		op = "or"
	}
	return fmt.Sprintf("(doy>=%d %s doy<%d)", from, op, to), nil
}

// On lays a demand on a grid; weather is the channel of outdoor temperature, ""
// if there is none.
func (d *Demand) On(g *Grid, weather string) (*Need, error) {
	kw, ok := g.Channels[d.Signal]
	if !ok {
		return nil, fmt.Errorf("heat demand %s: channel %s is not among the data", d.ID, d.Signal)
	}
	target, supply := d.TTarget, d.TSupply
	for name, formula := range map[string]string{"target": target, "supply": supply} {
		if formula == "" {
			return nil, fmt.Errorf("heat demand %s: no %s temperature is given", d.ID, name)
		}
	}
	if m := seasonal.FindStringSubmatch(target); m != nil {
		when, err := season(m)
		if err != nil {
			return nil, fmt.Errorf("heat demand %s: target temperature %q: %w", d.ID, d.TTarget, err)
		}
		target = m[1] + " if " + when + " else " + m[6]
		if s := pairOf.FindStringSubmatch(supply); s != nil {
			supply = s[1] + " if " + when + " else " + s[2]
		}
	}
	var ext, doy, t float64
	e := env{"T_ext": &ext, "doy": &doy, "T_target": &t, weather: &ext}
	hot, err := parseFormula(target)
	if err == nil {
		err = bind(hot, e)
	}
	if err != nil {
		return nil, fmt.Errorf("heat demand %s: target temperature %q: %w", d.ID, d.TTarget, err)
	}
	cold, err := parseFormula(supply)
	if err == nil {
		err = bind(cold, e)
	}
	if err != nil {
		return nil, fmt.Errorf("heat demand %s: supply temperature %q: %w", d.ID, d.TSupply, err)
	}
	n := &Need{Demand: d, KW: slices.Clone(kw), State: make([]State, g.Steps), TargetC: make([]float64, g.Steps), SupplyC: make([]float64, g.Steps)}
	outdoor, flag := outdoors(g, weather, hot, cold)
	if flag != "" {
		n.Flags = append(n.Flags, flag)
	}
	for i := range n.TargetC {
		ext = math.NaN()
		if outdoor != nil {
			ext = outdoor[i]
		}
		doy = float64(g.At(i).YearDay())
		t = hot.eval()
		n.TargetC[i], n.SupplyC[i] = t, cold.eval()
		if q := kw[i]; !math.IsNaN(q) {
			n.State[i] = Measured
			n.Coverage += 1 / float64(g.Steps)
			n.MaxKW = max(n.MaxKW, q)
		}
	}
	fill(g, n.KW, n.State)
	n.flag()
	for i, q := range n.KW {
		if q > 0 {
			n.MWh += q * g.hours() / 1000
			if n.State[i] == Estimated {
				n.EstimatedMWh += q * g.hours() / 1000
			}
		}
	}
	return n, nil
}

// flag notes what makes a need doubtful: temperatures that are not known, or the
// wrong way round, while heat is needed, and needs below zero.
func (n *Need) flag() {
	wanted, unknown, reversed, negative := 0, 0, 0, 0
	for i, q := range n.KW {
		if q < 0 {
			negative++
		}
		if !(q > 0) {
			continue
		}
		wanted++
		if t := n.TargetC[i] - n.SupplyC[i]; math.IsNaN(t) {
			unknown++
		} else if t < 0 {
			reversed++
		}
	}
	share := func(k, of int, what string) {
		if of > 0 && k > of/100 {
			n.Flags = append(n.Flags, fmt.Sprintf("%s in %.1f %% of the steps", what, 100*float64(k)/float64(of)))
		}
	}
	share(unknown, wanted, "its temperatures are not known")
	share(reversed, wanted, "it is to be heated to less than it has")
	share(negative, len(n.KW), "less than no heat is needed")
	if n.Coverage < 0.8 {
		n.Flags = append(n.Flags, fmt.Sprintf("only %.0f %% of the time is measured", 100*n.Coverage))
	}
}

// outdoors is the outdoor temperature with its gaps filled, nil where no formula
// reads it, and a flag if it is missing.
func outdoors(g *Grid, weather string, formulas ...node) ([]float64, string) {
	needed := false
	for _, f := range formulas {
		walk(f, func(v *variable) { needed = needed || v.name == "T_ext" || v.name == weather })
	}
	if !needed {
		return nil, ""
	}
	x, ok := g.Channels[weather]
	if !ok {
		return nil, fmt.Sprintf("it follows the outdoor temperature, and channel %q (weather_channel) is not among the data", weather)
	}
	x = slices.Clone(x)
	fill(g, x, make([]State, g.Steps))
	return x, ""
}

// Pair is what one source can give one demand, taken alone.
type Pair struct {
	Source        int // index
	Demand        int
	KM            float64
	MWh           float64 // delivered over the grid, direct exchange
	Hours         float64
	Share         float64 // of the demand
	BalanceMWh    float64 // min(source, demand) over the whole grid: the bound that ignores time
	PeakKW        float64
	PumpMWh       float64 // delivered through a heat pump
	PumpKWhE      float64 // its electricity, MWh
	PumpPeakKW    float64
	PumpTargetMax float64 // highest temperature that the pump must reach, degC
}

// SCOP is the heat pump's seasonal coefficient of performance.
func (p Pair) SCOP() float64 {
	if p.PumpKWhE == 0 {
		return 0
	}
	return p.PumpMWh / p.PumpKWhE
}

// lorenzEfficiency is the heat pump's share of the Lorenz coefficient of
// performance; industrial machines reach 0.45 to 0.55.
const lorenzEfficiency = 0.5

// maxTargetC is the highest flow temperature of industrial heat pumps on the
// market; above it none is proposed.
const maxTargetC = 110

// Lorenz returns the coefficient of performance between two streams, by the
// logarithmic mean temperatures (K) of each.
func Lorenz(target, supply, hot, cold float64) float64 {
	high, low := logMean(target+273.15, supply+273.15), logMean(hot+273.15, cold+273.15)
	if high-low < 1 {
		return math.Inf(1)
	}
	return lorenzEfficiency * high / (high - low)
}

func logMean(a, b float64) float64 {
	if math.Abs(a-b) < 1e-6 {
		return a
	}
	return (a - b) / math.Log(a/b)
}

// Balance is what one source can give one need step by step, without storage;
// gain is the share of the heat that arrives.
func Balance(g *Grid, s *Source, n *Need, gain float64) Pair {
	var p Pair
	ds, dd := s.Card.DTContribution, n.Demand.DTContribution
	for i := range s.KW {
		qh, qc := s.KW[i], n.KW[i]
		if !(qh > 0) || !(qc > 0) || math.IsNaN(n.TargetC[i]+n.SupplyC[i]+s.HotC[i]+s.ColdC[i]) {
			continue
		}
		hot, cold := max(s.HotC[i], s.ColdC[i])-ds, min(s.HotC[i], s.ColdC[i])-ds
		target, supply := n.TargetC[i]+dd, n.SupplyC[i]+dd
		if q := pinch.Exchange(qh*gain, hot, cold, qc, target, supply); q > 0 {
			p.MWh += q * g.hours() / 1000
			p.Hours += g.hours()
			p.PeakKW = max(p.PeakKW, q)
		}
		cop := Lorenz(target, supply, hot, cold)
		if n.TargetC[i] > maxTargetC || cop <= 1 {
			continue
		}
		q, w := qc, 0.0
		if !math.IsInf(cop, 1) {
			q = min(qc, qh*gain*cop/(cop-1))
			w = q / cop
		} else {
			q = min(qc, qh*gain)
		}
		p.PumpMWh += q * g.hours() / 1000
		p.PumpKWhE += w * g.hours() / 1000
		p.PumpPeakKW = max(p.PumpPeakKW, q)
		p.PumpTargetMax = max(p.PumpTargetMax, n.TargetC[i])
	}
	if n.MWh > 0 {
		p.Share = p.MWh / n.MWh
	}
	p.BalanceMWh = min(s.MWh*gain, n.MWh)
	return p
}

// Pairs takes every source with every demand within reach, each pair alone.
// Sums over pairs count heat twice; a source never gives more than it has.
func Pairs(g *Grid, sources []Source, demands []Demand, places map[string]Place, net Network, weather string) ([]Pair, error) {
	var out []Pair
	for j := range demands {
		n, err := demands[j].On(g, weather)
		if err != nil {
			return nil, err
		}
		for i := range sources {
			a, okA := places[sources[i].Card.Site]
			b, okB := places[demands[j].Site]
			if !okA || !okB {
				return nil, fmt.Errorf("pair %s to %s: a site has no position", sources[i].Card.ID, demands[j].ID)
			}
			km, gain, ok := net.Route(a, b)
			if !ok {
				continue
			}
			p := Balance(g, &sources[i], n, gain)
			p.Source, p.Demand, p.KM = i, j, km
			out = append(out, p)
		}
	}
	return out, nil
}
