package flows

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/thermie/thermie/analytics/matching"
)

// Options of a matching of declared flows.
type Options struct {
	RouteFactor float64 // length of the road over the straight line
	MaxKM       float64 // farther flows are not proposed
	// SharedKM is how near companies lie that could share a purchase, a collection or
	// a service.
	SharedKM float64
}

// DefaultOptions suit a port: roads 1.3 times the straight line, 10 km for a
// substitution, 2 km from one to the next for a mutualisation.
var DefaultOptions = Options{RouteFactor: 1.3, MaxKM: 10, SharedKM: 2}

// Verdict says how far qualities were compared.
type Verdict string

// The verdicts.
const (
	Fits       Verdict = "fits"       // every limit of the need is met by a declared property
	ToCheck    Verdict = "to check"   // a limit has no declared property, or quality stands in words only
	NeedsLift  Verdict = "heat pump"  // heat that is too cold for the need as it is
	Unsuitable Verdict = "unsuitable" // a limit is not met
)

// rank orders verdicts, the best first.
var rank = map[Verdict]int{Fits: 0, ToCheck: 1, NeedsLift: 2, Unsuitable: 3}

// Substitution is what one company has that another needs.
type Substitution struct {
	From, To     string // flows
	Giver, Taker string // companies
	Resource     Resource
	Use          string  // how, where the need is of another resource; "" for the same
	Available    float64 // of the giver's flow, a year
	Needed       float64 // of the taker's flow
	Alone        float64 // min of the two
	Proposed     float64 // share in the plan of all: these add up to no more than there is
	Unit         string
	KM           float64 // NaN: a company has no position
	Verdict      Verdict
	Reasons      []string
}

// Mutualisation is companies that have or need the same near each other.
type Mutualisation struct {
	Resource  Resource
	Direction string // has: shared collection or treatment; needs: shared purchase or supply
	Companies []string
	Flows     []string
	Amount    float64
	Unit      string
	SpreadKM  float64 // largest distance within the group
}

// Balance is one resource in one unit.
type Balance struct {
	Resource           Resource
	Unit               string
	Has, Needs, Served float64
}

// Proposals are what an inventory holds.
type Proposals struct {
	Substitutions  []Substitution // best first
	Mutualisations []Mutualisation
	Balances       []Balance
	Warnings       []string
}

// Match proposes substitutions and mutualisations. The plan of substitutions
// moves the most, and of plans that move as much the one with the shortest ways.
func Match(ctx context.Context, inv *Inventory, o Options) (*Proposals, error) {
	m := &matcher{inv: inv, o: o, companies: map[string]*Company{}, out: &Proposals{}}
	for i := range inv.Companies {
		c := &inv.Companies[i]
		m.companies[c.ID] = c
		if c.XMetre == nil || c.YMetre == nil {
			m.out.Warnings = append(m.out.Warnings, fmt.Sprintf("company %q has no position: its distances are unknown", c.ID))
		}
	}
	if err := m.substitute(ctx); err != nil {
		return nil, err
	}
	m.mutualise()
	m.balance()
	return m.out, nil
}

type matcher struct {
	inv       *Inventory
	o         Options
	companies map[string]*Company
	out       *Proposals
}

// km is the road between two companies, NaN where one has no position.
func (m *matcher) km(a, b string) float64 {
	x, y := m.companies[a], m.companies[b]
	if a == b {
		return 0
	}
	if x.XMetre == nil || x.YMetre == nil || y.XMetre == nil || y.YMetre == nil {
		return math.NaN()
	}
	return m.o.RouteFactor * math.Hypot(*x.XMetre-*y.XMetre, *x.YMetre-*y.YMetre) / 1000
}

func (m *matcher) substitute(ctx context.Context) error {
	var has, needs []*Flow
	for i := range m.inv.Flows {
		if f := &m.inv.Flows[i]; f.Direction == "has" {
			has = append(has, f)
		} else {
			needs = append(needs, f)
		}
	}
	if len(has) == 0 || len(needs) == 0 {
		return nil
	}
	// One step of the heat matching without temperatures is a transport problem.
	stream := func(f *Flow) matching.Stream {
		_, factor, _ := measure(f.Unit)
		return matching.Stream{ID: f.ID, KW: []float64{f.Amount * factor}, HighC: []float64{0}, LowC: []float64{0}}
	}
	p := &matching.Problem{Steps: 1, Hours: 1000} // so that MWh are the amounts themselves
	for _, n := range needs {
		p.Sinks = append(p.Sinks, stream(n))
	}
	found := map[[2]int]*Substitution{}
	for i, h := range has {
		p.Sources = append(p.Sources, stream(h))
		gains, weights := make([]float64, len(needs)), make([]float64, len(needs))
		for j, n := range needs {
			s, ok := m.pair(h, n)
			if !ok {
				continue
			}
			found[[2]int{i, j}] = s
			if s.Verdict == Unsuitable {
				continue
			}
			gains[j], weights[j] = 1, 1
			if !math.IsNaN(s.KM) {
				weights[j] -= 1e-6 * s.KM / (1 + m.o.MaxKM)
			}
			if s.Verdict == NeedsLift {
				weights[j] -= 1e-5 // what fits as it is goes first
			}
		}
		p.Gain, p.Weight = append(p.Gain, gains), append(p.Weight, weights)
	}
	plan, err := matching.Solve(ctx, p, nil)
	if err != nil {
		return fmt.Errorf("plan of substitutions: %w", err)
	}
	for at, s := range found {
		s.Proposed = plan.MatrixMWh[at[0]][at[1]]
		m.out.Substitutions = append(m.out.Substitutions, *s)
	}
	slices.SortFunc(m.out.Substitutions, func(a, b Substitution) int {
		return cmp.Or(cmp.Compare(rank[a.Verdict], rank[b.Verdict]), boolFirst(a.Proposed > 0, b.Proposed > 0),
			-cmp.Compare(a.Alone/max(a.Needed, 1e-9), b.Alone/max(b.Needed, 1e-9)), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return nil
}

func boolFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// pair compares what one has with what another needs; false where they have
// nothing to do with each other.
func (m *matcher) pair(h, n *Flow) (*Substitution, bool) {
	from, _ := ResourceOf(h.Resource)
	to, _ := ResourceOf(n.Resource)
	use := conversions[from][to]
	baseH, factorH, _ := measure(h.Unit)
	baseN, factorN, _ := measure(n.Unit)
	if h.Company == n.Company || from != to && use == "" || baseH != baseN || h.Amount == 0 || n.Amount == 0 {
		return nil, false
	}
	s := &Substitution{From: h.ID, To: n.ID, Giver: h.Company, Taker: n.Company, Resource: from, Use: use, Available: h.Amount * factorH, Needed: n.Amount * factorN,
		Unit: baseH, KM: m.km(h.Company, n.Company), Verdict: Fits}
	if s.KM > m.o.MaxKM {
		return nil, false
	}
	s.Alone = min(s.Available, s.Needed)
	s.compare(h, n)
	return s, true
}

// compare holds properties against limits.
func (s *Substitution) compare(h, n *Flow) {
	worse := func(v Verdict, reason string) {
		if rank[v] > rank[s.Verdict] {
			s.Verdict = v
		}
		s.Reasons = append(s.Reasons, reason)
	}
	properties, limits := maps.Clone(h.Properties), maps.Clone(n.Limits)
	if properties == nil {
		properties = map[string]float64{}
	}
	if limits == nil {
		limits = map[string]Limit{}
	}
	if s.Unit == "MWh" && (s.Resource == "waste heat" || s.Resource == "geothermal") {
		s.temperatures(h, n, properties, limits)
	}
	if len(limits) == 0 {
		worse(ToCheck, "the need declares no limits of quality")
	}
	for _, p := range slices.Sorted(maps.Keys(limits)) {
		l := limits[p]
		x, ok := properties[p]
		switch {
		case !ok:
			worse(ToCheck, p+" is not declared")
		case l.Min != nil && x < *l.Min && p == temperatureC:
			worse(NeedsLift, fmt.Sprintf("%s of %g is below %g", p, x, *l.Min))
		case l.Min != nil && x < *l.Min:
			worse(Unsuitable, fmt.Sprintf("%s of %g is below %g", p, x, *l.Min))
		case l.Max != nil && x > *l.Max:
			worse(Unsuitable, fmt.Sprintf("%s of %g is above %g", p, x, *l.Max))
		}
	}
}

const temperatureC = "temperature_C"

var degrees = regexp.MustCompile(`(-?\d+(?:[.,]\d+)?)\s*(?:(?:à|to|-|/)\s*(-?\d+(?:[.,]\d+)?)\s*)?(?:°C|degC)`)

// temperatures reads degrees from the words of heat flows where none are
// declared: the hottest that is offered, the hottest that is wanted.
func (s *Substitution) temperatures(h, n *Flow, properties map[string]float64, limits map[string]Limit) {
	hottest := func(w Words) (float64, bool) {
		best, ok := 0.0, false
		for _, text := range []string{w.EN, w.FR} {
			for _, m := range degrees.FindAllStringSubmatch(text, -1) {
				for _, g := range m[1:] {
					if x, err := strconv.ParseFloat(comma(g), 64); err == nil && (!ok || x > best) {
						best, ok = x, true
					}
				}
			}
		}
		return best, ok
	}
	read := false
	if _, declared := properties[temperatureC]; !declared {
		if x, ok := hottest(h.Quality); ok {
			properties[temperatureC], read = x, true
		}
	}
	if _, declared := limits[temperatureC]; !declared {
		if x, ok := hottest(n.Quality); ok {
			limits[temperatureC], read = Limit{Min: &x}, true
		}
	}
	if read {
		if s.Verdict == Fits {
			s.Verdict = ToCheck
		}
		s.Reasons = append(s.Reasons, "temperatures were read from the words")
	}
}

func comma(s string) string {
	for i := range s {
		if s[i] == ',' {
			return s[:i] + "." + s[i+1:]
		}
	}
	return s
}

// mutualise groups companies with the same resource, direction and unit, each
// within reach of another of the group.
func (m *matcher) mutualise() {
	type key struct {
		resource        Resource
		direction, unit string
	}
	groups := map[key][]*Flow{}
	for i := range m.inv.Flows {
		f := &m.inv.Flows[i]
		r, _ := ResourceOf(f.Resource)
		base, _, _ := measure(f.Unit)
		groups[key{r, f.Direction, base}] = append(groups[key{r, f.Direction, base}], f)
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.direction, b.direction), cmp.Compare(a.unit, b.unit))
	})
	for _, k := range keys {
		left := groups[k]
		for len(left) > 0 {
			group := left[:1:1]
			left = left[1:]
			for grown := true; grown; {
				grown = false
				var rest []*Flow
				for _, f := range left {
					if slices.ContainsFunc(group, func(g *Flow) bool { return m.km(f.Company, g.Company) <= m.o.SharedKM }) {
						group, grown = append(group, f), true
					} else {
						rest = append(rest, f)
					}
				}
				left = rest
			}
			m.share(k.resource, k.direction, k.unit, group)
		}
	}
}

func (m *matcher) share(r Resource, direction, unit string, group []*Flow) {
	x := Mutualisation{Resource: r, Direction: direction, Unit: unit}
	for _, f := range group {
		_, factor, _ := measure(f.Unit)
		x.Amount += f.Amount * factor
		x.Flows = append(x.Flows, f.ID)
		if !slices.Contains(x.Companies, f.Company) {
			x.Companies = append(x.Companies, f.Company)
		}
		for _, g := range group {
			if km := m.km(f.Company, g.Company); km > x.SpreadKM {
				x.SpreadKM = km
			}
		}
	}
	if len(x.Companies) > 1 {
		m.out.Mutualisations = append(m.out.Mutualisations, x)
	}
}

// balance sums up what there is, is needed, and is proposed.
func (m *matcher) balance() {
	type key struct {
		resource Resource
		unit     string
	}
	sums := map[key]*Balance{}
	of := map[string]key{}
	for _, f := range m.inv.Flows {
		r, _ := ResourceOf(f.Resource)
		base, factor, _ := measure(f.Unit)
		k := key{r, base}
		of[f.ID] = k
		if sums[k] == nil {
			sums[k] = &Balance{Resource: r, Unit: base}
		}
		if f.Direction == "has" {
			sums[k].Has += f.Amount * factor
		} else {
			sums[k].Needs += f.Amount * factor
		}
	}
	for _, s := range m.out.Substitutions {
		sums[of[s.From]].Served += s.Proposed
	}
	for _, b := range sums {
		m.out.Balances = append(m.out.Balances, *b)
	}
	slices.SortFunc(m.out.Balances, func(a, b Balance) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Unit, b.Unit))
	})
}
