package matching

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
)

// SparsePlan is a plan that uses few pairs, because each pair costs something
// however little flows.
type SparsePlan struct {
	Plan *Plan
	Open [][]bool // pairs that are built
	// Net is the worth of the plan less the cost of its pairs, Bound a proven upper
	// limit of it, both in the unit of worth (MWh of delivered heat).
	Net, Bound float64
	Gap        float64 // (Bound - Net) / Bound
	Solves     int     // years solved on the way
}

// Alone is what a pair delivers when nothing else is built, in MWh.
func (p *Problem) Alone(source, sink int) float64 {
	s, d, gain := &p.Sources[source], &p.Sinks[sink], p.Gain[source][sink]
	total := 0.0
	for i := range p.Steps {
		if s.running(i) && d.running(i) {
			total += exchange(s, d, gain, i)
		}
	}
	return total * p.Hours / 1000
}

// branch is a part of the search: pairs decided so far.
type branch struct {
	state []int8 // of each pair: undecided, built, not built
	bound float64
	use   []float64 // MWh of each pair in the relaxed plan
	exact bool      // the relaxation was solved in full
}

const (
	undecided int8 = iota
	built
	dropped
)

type frontier []*branch

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(i, j int) bool { return f[i].bound > f[j].bound }
func (f frontier) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(x any)        { *f = append(*f, x.(*branch)) }
func (f *frontier) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

// Sparse chooses which pairs to build: max worth of delivered heat less fixed,
// the cost of each pair that is used, [source][sink], in MWh of heat over the
// problem's time.
//
// Branch and bound, best bound first. A pair that is not decided yet pays its
// cost in proportion to the heat it carries, over the most it could carry alone:
// that never costs more than the truth, and keeps the steps apart, so each bound
// is one [Solve]. It ends at the optimum, or after the given number of solves
// with the gap that is left.
func Sparse(ctx context.Context, p *Problem, fixed [][]float64, solves int) (*SparsePlan, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if len(fixed) != len(p.Sources) {
		return nil, errors.New("sparse matching: costs do not fit the sources")
	}
	x := &search{ctx: ctx, p: p, columns: len(p.Sinks), best: &SparsePlan{Open: flags(p), Plan: &Plan{MatrixMWh: table(len(p.Sources), len(p.Sinks)), PeakKW: table(len(p.Sources), len(p.Sinks)), ByStepKW: make([]float64, p.Steps)}}}
	root := &branch{state: make([]int8, len(p.Sources)*len(p.Sinks))}
	for s := range p.Sources {
		if len(fixed[s]) != len(p.Sinks) {
			return nil, errors.New("sparse matching: costs do not fit the sinks")
		}
		for d := range p.Sinks {
			if !(fixed[s][d] >= 0) {
				return nil, fmt.Errorf("sparse matching: %s to %s: a cost of %v", p.Sources[s].ID, p.Sinks[d].ID, fixed[s][d])
			}
			x.cost = append(x.cost, fixed[s][d])
			most := 0.0
			if p.Gain[s][d] > 0 && p.weight(s, d) > 0 {
				most = p.Alone(s, d)
			}
			x.most = append(x.most, most)
			// What costs more than it could ever bring is never built.
			if k := len(x.most) - 1; x.cost[k] >= most*p.weight(s, d) {
				root.state[k] = dropped
			}
		}
	}
	if err := x.relax(root); err != nil {
		return nil, err
	}
	open := frontier{root}
	for len(open) > 0 {
		top := open[0]
		if top.bound <= x.best.Net+1e-9*(1+x.best.Net) || x.solves >= solves {
			break
		}
		heap.Pop(&open)
		// Branch where the relaxation is most wrong about the cost.
		at, wrong := -1, 1e-9
		for k, state := range top.state {
			if state == undecided && top.use[k] > 0 {
				if e := x.cost[k] * (1 - top.use[k]/x.most[k]); e > wrong {
					at, wrong = k, e
				}
			}
		}
		if at < 0 {
			continue // the relaxation is exact here: its plan was taken already
		}
		for _, state := range [...]int8{built, dropped} {
			child := &branch{state: append([]int8(nil), top.state...)}
			child.state[at] = state
			if err := x.relax(child); err != nil {
				return nil, err
			}
			if child.bound > x.best.Net {
				heap.Push(&open, child)
			}
		}
	}
	x.best.Bound = x.best.Net
	if len(open) > 0 {
		x.best.Bound = max(x.best.Bound, open[0].bound)
	}
	if x.best.Bound > 0 {
		x.best.Gap = (x.best.Bound - x.best.Net) / x.best.Bound
	}
	x.best.Solves = x.solves
	return x.best, nil
}

func flags(p *Problem) [][]bool {
	out := make([][]bool, len(p.Sources))
	for s := range out {
		out[s] = make([]bool, len(p.Sinks))
	}
	return out
}

type search struct {
	ctx        context.Context
	p          *Problem
	columns    int
	cost, most []float64
	best       *SparsePlan
	solves     int
}

// solve computes the plan under given weights; 0 forbids a pair.
func (x *search) solve(weight func(k int) float64) (*Plan, error) {
	q := *x.p
	q.Weight = table(len(q.Sources), x.columns)
	for k := range x.cost {
		q.Weight[k/x.columns][k%x.columns] = weight(k)
	}
	x.solves++
	return Solve(x.ctx, &q, nil)
}

func (x *search) base(k int) float64 { return x.p.weight(k/x.columns, k%x.columns) }

// relax bounds a branch, and tries the plans that it suggests.
func (x *search) relax(b *branch) error {
	spent := 0.0
	for k, state := range b.state {
		if state == built {
			spent += x.cost[k]
		}
	}
	plan, err := x.solve(func(k int) float64 {
		switch b.state[k] {
		case built:
			return x.base(k)
		case dropped:
			return 0
		}
		return x.base(k) - x.cost[k]/x.most[k]
	})
	if err != nil {
		return err
	}
	b.bound = plan.Bound - spent
	b.use = make([]float64, len(b.state))
	thin := false
	for k := range b.use {
		b.use[k] = plan.MatrixMWh[k/x.columns][k%x.columns]
		thin = thin || b.use[k] > 0 && b.use[k]*x.base(k) < x.cost[k]
	}
	x.take(plan)
	if !thin || b.bound <= x.best.Net {
		return nil
	}
	// Pairs that do not earn their cost are left out, and the rest solved anew.
	plan, err = x.solve(func(k int) float64 {
		if b.use[k]*x.base(k) < x.cost[k] {
			return 0
		}
		return x.base(k)
	})
	if err != nil {
		return err
	}
	x.take(plan)
	return nil
}

// take keeps a plan if it is the best so far.
func (x *search) take(plan *Plan) {
	net := 0.0
	open := flags(x.p)
	for k := range x.cost {
		s, d := k/x.columns, k%x.columns
		if y := plan.MatrixMWh[s][d]; y > 0 {
			open[s][d] = true
			net += y*x.base(k) - x.cost[k]
		}
	}
	if net > x.best.Net {
		x.best.Net, x.best.Plan, x.best.Open = net, plan, open
	}
}
