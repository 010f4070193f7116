package matching

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Costs are what equipment costs over the problem's time if it is used at all, in
// the unit of worth (MWh of delivered heat).
type Costs struct {
	Pipe, Pump [][]float64 // [source][sink]
	Tank       []float64
}

// SparseStoredPlan is a plan with little equipment, because each piece costs
// something however little it is used.
type SparseStoredPlan struct {
	Plan         *StoredPlan
	Pipes, Pumps [][]bool // built, [source][sink]
	Tanks        []bool
	Net, Bound   float64 // worth less costs, and its proven upper limit, MWh
	Gap          float64
	Solves       int // times that all steps were solved
}

// piece is a piece of equipment: most is what could pass it at best, MWh.
type piece struct{ cost, most float64 }

// builder is a run of [SparseStored].
type builder struct {
	ctx     context.Context
	p       *Problem
	tanks   []Tank
	pieces  []piece
	of      [][]int32 // pieces that each way needs
	dearest float64   // the highest weight of delivered heat
	price   []float64
	solves  int
	tried   map[string]bool
	best    *SparseStoredPlan
	found   *decomposition // of the best plan
}

// SparseStored chooses what to build: pipes, heat pumps on them, and tanks. Branch
// and bound as in [Sparse]: what is not decided pays in proportion to its use over
// the most that it could pass. The bound of a branch is that of [SolveStored] at the
// prices of stored heat of the root, which holds at any prices and takes one round;
// where nothing is left to decide it is solved in full, and so are plans. It ends at the optimum, or after about the given number
// of rounds, with the gap that is left.
func SparseStored(ctx context.Context, p *Problem, tanks []Tank, c Costs, solves int) (*SparseStoredPlan, error) {
	x := &builder{ctx: ctx, p: p, tanks: tanks, dearest: dearestOf(p, tanks), tried: map[string]bool{}}
	if err := x.list(c); err != nil {
		return nil, err
	}
	root := &branch{state: make([]int8, len(x.pieces))}
	for k, y := range x.pieces {
		if y.cost >= y.most*x.dearest {
			root.state[k] = dropped // it costs more than it could ever bring
		}
	}
	x.best = &SparseStoredPlan{Net: math.Inf(-1)}
	if err := x.try(make([]bool, len(x.pieces))); err != nil { // nothing built
		return nil, err
	}
	if err := x.exact(root); err != nil {
		return nil, err
	}
	open := frontier{root}
	for len(open) > 0 {
		top := open[0]
		if top.bound <= x.best.Net+1e-6*(1+x.best.Net) || x.solves >= solves {
			break
		}
		heap.Pop(&open)
		at, wrong := -1, 1e-9
		for k, state := range top.state {
			if state == undecided && x.pieces[k].most > 0 {
				if e := x.pieces[k].cost * (1 - top.use[k]/x.pieces[k].most); top.use[k] > 0 && e > wrong {
					at, wrong = k, e
				}
			}
		}
		if at < 0 {
			if top.exact {
				x.best.Bound = max(x.best.Bound, top.bound) // nothing is left to decide
				continue
			}
			// At these prices nothing is left to decide: now at its own.
			before := top.bound
			if err := x.exact(top); err != nil {
				return nil, err
			}
			if top.bound = min(top.bound, before); top.bound > x.best.Net {
				heap.Push(&open, top)
			}
			continue
		}
		for _, state := range [...]int8{built, dropped} {
			child := &branch{state: slices.Clone(top.state)}
			child.state[at] = state
			if err := x.relax(child); err != nil {
				return nil, err
			}
			child.bound = min(child.bound, top.bound)
			if child.bound > x.best.Net {
				if err := x.suggest(child); err != nil {
					return nil, err
				}
				heap.Push(&open, child)
			}
		}
	}
	x.best.Bound = max(x.best.Bound, x.best.Net)
	if len(open) > 0 {
		x.best.Bound = max(x.best.Bound, open[0].bound)
	}
	if x.best.Bound > 0 {
		x.best.Gap = (x.best.Bound - x.best.Net) / x.best.Bound
	}
	x.best.Solves = x.solves
	var err error
	x.best.Plan, err = x.found.plan(ctx)
	return x.best, err
}

// list numbers the equipment: pipes, pumps, tanks.
func (x *builder) list(c Costs) error {
	n, m := len(x.p.Sources), len(x.p.Sinks)
	if len(c.Pipe) != n || len(c.Pump) != n || len(c.Tank) != len(x.tanks) {
		return errors.New("sparse matching: costs do not fit sources and tanks")
	}
	_, ways, err := x.p.withTanks(x.tanks)
	if err != nil {
		return err
	}
	hours := x.p.Hours / 1000
	need := make([]float64, m)
	for d := range need {
		for _, q := range x.p.Sinks[d].KW {
			if q > 0 {
				need[d] += q * hours
			}
		}
	}
	for _, list := range [][][]float64{c.Pipe, c.Pump} {
		for s, row := range list {
			if len(row) != m {
				return errors.New("sparse matching: costs do not fit the sinks")
			}
			for d, v := range row {
				if !(v >= 0) {
					return fmt.Errorf("sparse matching: %s to %s: a cost of %v", x.p.Sources[s].ID, x.p.Sinks[d].ID, v)
				}
				most := need[d] // what arrives serves the need, or fills a tank there
				for k := range x.tanks {
					if x.tanks[k].Home == -1-d {
						most += min(x.tanks[k].PowerKW, x.tanks[k].CapacityKWh/x.p.Hours) * hours * float64(x.p.Steps)
					}
				}
				x.pieces = append(x.pieces, piece{v, min(most, x.reach(s, d))})
			}
		}
	}
	for k, v := range c.Tank {
		if !(v >= 0) {
			return fmt.Errorf("sparse matching: tank %s: a cost of %v", x.tanks[k].ID, v)
		}
		x.pieces = append(x.pieces, piece{v, min(x.tanks[k].PowerKW, x.tanks[k].CapacityKWh/x.p.Hours) * hours * float64(x.p.Steps)})
	}
	for _, w := range ways {
		s, d := int(w.source), int(w.sink)
		var of []int32
		piped := true
		if w.in >= 0 {
			of = append(of, int32(2*n*m)+w.in)
			if d = -1 - x.tanks[w.in].Home; d < 0 {
				piped = false // at the source itself
			}
		}
		if w.out >= 0 {
			// The tank's price is taken when it is filled.
			if s = x.tanks[w.out].Home - 1; s < 0 {
				piped = false
			}
		}
		if piped {
			of = append(of, int32(s*m+d))
			if w.lift {
				of = append(of, int32(n*m+s*m+d))
			}
		}
		x.of = append(x.of, of)
	}
	return nil
}

// reach is the most heat that a source can send a sink over its pipe, MWh: its own,
// raised by what electricity may add before it costs more than it brings.
func (x *builder) reach(s, d int) float64 {
	grow := 1.0
	for _, l := range x.p.Lifts {
		if l.Source == s {
			if x.p.Machine.Electricity <= 0 {
				return math.Inf(1)
			}
			share := (x.dearest - l.Cost) / x.p.Machine.Electricity
			if share >= 1 {
				return math.Inf(1)
			}
			grow = max(grow, 1/(1-share))
		}
	}
	total := 0.0
	for _, q := range x.p.Sources[s].KW {
		if q > 0 {
			total += q
		}
	}
	return total * grow * x.p.Hours / 1000
}

// dearestOf is the highest weight of delivered heat.
func dearestOf(p *Problem, tanks []Tank) float64 {
	most := 0.0
	for s := range p.Sources {
		for d := range p.Sinks {
			most = max(most, p.weight(s, d))
		}
	}
	for k := range tanks {
		for d := range p.Sinks {
			most = max(most, tanks[k].worth(d))
		}
	}
	return most
}

// programme is the problem of a branch; relaxed, what is undecided pays by use.
func (x *builder) programme(state []int8, relaxed bool) (*decomposition, error) {
	d, err := newDecomposition(x.p, x.tanks)
	if err != nil {
		return nil, err
	}
	for k := range d.ways {
		for _, at := range x.of[k] {
			y := &x.pieces[at]
			switch {
			case state[at] == dropped || !relaxed && state[at] != built:
				d.ways[k].gain = 0 // shut, see below
			case state[at] == undecided:
				if y.most > 0 && !math.IsInf(y.most, 1) {
					d.ways[k].worth -= y.cost / y.most
				}
			}
		}
	}
	d.ways = slices.DeleteFunc(d.ways, func(w way) bool { return w.gain == 0 })
	return d, nil
}

// used adds up what passes each piece.
func (x *builder) used(d *decomposition, delivered []float64) []float64 {
	out := make([]float64, len(x.pieces))
	for k, w := range d.ways {
		for _, at := range x.of[w.id] {
			out[at] += delivered[k]
		}
	}
	return out
}

// spent is what the equipment that a branch has built costs.
func (x *builder) spent(b *branch) float64 {
	out := 0.0
	for k, y := range x.pieces {
		if b.state[k] == built {
			out += y.cost
		}
	}
	return out
}

// relax bounds a branch at the prices of the root.
func (x *builder) relax(b *branch) error {
	d, err := x.programme(b.state, true)
	if err != nil {
		return err
	}
	// A tank that is not there needs no price: its room would be paid.
	price := slices.Clone(x.price)
	for at := range price {
		if b.state[len(x.pieces)-len(x.tanks)+at%len(x.tanks)] == dropped {
			price[at] = 0
		}
	}
	use := make([]float64, len(d.ways))
	if err := d.price(x.ctx, price, func(t *part) {
		for k, v := range t.sum {
			use[k] += v * x.p.Hours / 1000
		}
	}); err != nil {
		return err
	}
	d.bind(price)
	x.solves++
	b.bound, b.use = d.best/1000-x.spent(b), x.used(d, use)
	return nil
}

// exact solves the relaxation of a branch in full.
func (x *builder) exact(b *branch) error {
	d, err := x.programme(b.state, true)
	if err != nil {
		return err
	}
	if _, err := d.solve(x.ctx, StoredOptions{}); err != nil {
		return err
	}
	x.solves += d.rounds
	if x.price == nil { // the root
		if x.price = d.bestPrice; x.price == nil {
			x.price = d.last
		}
	}
	b.bound, b.use, b.exact = d.best/1000-x.spent(b), x.used(d, d.use()), true
	return x.suggest(b)
}

// suggest tries the equipment of a branch that seems to earn its cost.
func (x *builder) suggest(b *branch) error {
	open := make([]bool, len(x.pieces))
	for k, y := range x.pieces {
		open[k] = b.state[k] == built || b.state[k] == undecided && b.use[k] > 0 && b.use[k]*x.dearest >= y.cost
	}
	return x.try(open)
}

// try solves with the equipment given, again without what does not earn its cost,
// and keeps the best.
func (x *builder) try(open []bool) error {
	for {
		key := fmt.Sprint(open)
		if x.tried[key] {
			return nil
		}
		x.tried[key] = true
		state := make([]int8, len(open))
		for k := range state {
			if state[k] = dropped; open[k] {
				state[k] = built
			}
		}
		d, err := x.programme(state, false)
		if err != nil {
			return err
		}
		if _, err := d.solve(x.ctx, StoredOptions{Gap: 1e-5}); err != nil {
			return err
		}
		x.solves += d.rounds
		use := x.used(d, d.use())
		net, thin := d.worth/1000, false
		less := slices.Clone(open)
		for k, y := range x.pieces {
			if use[k] > 1e-9 {
				net -= y.cost
			}
			if open[k] && use[k]*x.dearest < y.cost || use[k] <= 1e-9 {
				less[k] = false
				thin = thin || open[k]
			}
		}
		if net > x.best.Net {
			x.keep(d, net, use)
		}
		if !thin {
			return nil
		}
		open = less
	}
}

// keep makes a plan the best.
func (x *builder) keep(d *decomposition, net float64, use []float64) {
	n, m := len(x.p.Sources), len(x.p.Sinks)
	x.best.Net, x.found = net, d
	x.best.Pipes, x.best.Pumps, x.best.Tanks = flags(x.p), flags(x.p), make([]bool, len(x.tanks))
	for k, v := range use {
		switch at := k % (n * m); {
		case k >= 2*n*m:
			x.best.Tanks[k-2*n*m] = v > 1e-9
		case k >= n*m:
			x.best.Pumps[at/m][at%m] = v > 1e-9
		default:
			x.best.Pipes[at/m][at%m] = v > 1e-9
		}
	}
}
