package matching

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Plan is an optimal matching with its proof.
type Plan struct {
	DeliveredMWh float64
	MatrixMWh    [][]float64 // delivered, [source][sink]
	PeakKW       [][]float64 // largest delivered power of each pair
	Worth        float64     // sum of weight times delivered, MWh
	// Bound is a proven upper limit of Worth: dual prices times limits, summed over
	// the steps. Gap is Bound - Worth, relative.
	Bound, Gap float64
	ByStepKW   []float64 // delivered in each step
	Solved     int       // steps with something to exchange
	Pivots     int
	Structures int // different structures met
	// Unproved counts steps whose gap exceeds a billionth: none, unless numbers fail.
	Unproved int
}

// chunk is how many steps share what was learnt. It does not depend on the
// number of processors, so neither does the answer.
const chunk = 1024

// maxRemembered bounds what a chunk remembers of structures, in bytes, about.
const maxRemembered = 64 << 20

// Solve computes the optimum of every step: max sum of weight times delivered
// heat, each source within what it offers, each sink within what it wants, heat
// never flowing to where it is hotter. show is told of progress; nil is allowed.
func Solve(ctx context.Context, p *Problem, show func(done, total int)) (*Plan, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	chunks := (p.Steps + chunk - 1) / chunk
	parts := make([]*part, chunks)
	next := make(chan int, chunks)
	for k := range chunks {
		next <- k
	}
	close(next)
	byStep := make([]float64, p.Steps)
	var wait sync.WaitGroup
	var lock sync.Mutex
	done := 0
	for range min(runtime.GOMAXPROCS(0), chunks) {
		wait.Go(func() {
			for k := range next {
				if ctx.Err() != nil {
					return
				}
				parts[k] = newPart(p)
				parts[k].run(ctx, k*chunk, min((k+1)*chunk, p.Steps), byStep, func(steps int) {
					if show != nil {
						lock.Lock()
						done += steps
						show(done, p.Steps)
						lock.Unlock()
					}
				})
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("matching: %w", err)
	}
	out := &Plan{MatrixMWh: table(len(p.Sources), len(p.Sinks)), PeakKW: table(len(p.Sources), len(p.Sinks)), ByStepKW: byStep}
	for _, x := range parts {
		for s := range out.MatrixMWh {
			for d := range out.MatrixMWh[s] {
				out.MatrixMWh[s][d] += x.matrix[s][d]
				out.PeakKW[s][d] = max(out.PeakKW[s][d], x.peak[s][d])
			}
		}
		out.Worth += x.worth
		out.Bound += x.bound
		out.Solved += x.solved
		out.Pivots += x.pivots
		out.Structures += x.structures
		out.Unproved += x.unproved
	}
	scale := p.Hours / 1000
	for s := range out.MatrixMWh {
		for d := range out.MatrixMWh[s] {
			out.MatrixMWh[s][d] *= scale
			out.DeliveredMWh += out.MatrixMWh[s][d]
		}
	}
	out.Worth *= scale
	out.Bound *= scale
	if out.Bound > 0 {
		out.Gap = max(out.Bound-out.Worth, 0) / out.Bound
	}
	return out, nil
}

func table(rows, columns int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
	}
	return out
}

// part solves a run of steps; sums are in kW.
type part struct {
	p                                    *Problem
	known                                map[string]*network
	ladder                               ladder
	work                                 workspace
	matrix, peak                         [][]float64
	pair                                 []float64 // delivered in the step, by source and sink
	touched                              []int32
	worth, bound                         float64
	memory                               memory
	remembered                           int // bytes, about
	solved, pivots, structures, unproved int
}

func newPart(p *Problem) *part {
	return &part{p: p, known: map[string]*network{}, matrix: table(len(p.Sources), len(p.Sinks)), peak: table(len(p.Sources), len(p.Sinks)),
		pair: make([]float64, len(p.Sources)*len(p.Sinks))}
}

// tick is how many steps pass between looks at the context and at the progress.
const tick = 64

func (t *part) run(ctx context.Context, from, to int, byStep []float64, passed func(steps int)) {
	for i := from; i < to; i++ {
		if n := i - from; n > 0 && n%tick == 0 {
			if ctx.Err() != nil {
				return
			}
			passed(tick)
		}
		if t.ladder.build(t.p, i) {
			t.solved++
			byStep[i] = t.step()
		}
	}
}

// step solves the step on the ladder and returns the delivered power.
func (t *part) step() float64 {
	l, w := &t.ladder, &t.work
	n := t.known[string(l.key)]
	if n == nil {
		n = newNetwork(t.p, l.nodes)
		if t.remembered += n.size(); t.remembered > maxRemembered {
			clear(t.known)
			t.remembered = n.size()
		}
		t.known[string(l.key)] = n
		t.structures++
	}
	b := t.optimal(n)
	t.memory.keep(n.nodes, l.top, b)
	delivered, worth, bound := 0.0, 0.0, 0.0
	t.touched = t.touched[:0]
	for k := range b.columns {
		c := &b.columns[k]
		if x := w.x[k]; c.to >= 0 && x > 0 {
			delivered += x
			worth += float64(c.cost * x)
			s, d := n.nodes[c.from].stream, int(n.nodes[c.to].stream)-len(t.p.Sources)
			at := s*int32(len(t.p.Sinks)) + int32(d)
			if t.pair[at] == 0 {
				t.touched = append(t.touched, at)
			}
			t.pair[at] += x
		}
	}
	for _, at := range t.touched {
		s, d := int(at)/len(t.p.Sinks), int(at)%len(t.p.Sinks)
		t.matrix[s][d] += t.pair[at]
		t.peak[s][d] = max(t.peak[s][d], t.pair[at])
		t.pair[at] = 0
	}
	for k, q := range l.limit {
		bound += float64(b.bound[k] * q)
	}
	t.worth += worth
	t.bound += bound
	if bound-worth > 1e-9*(1+bound) {
		t.unproved++
	}
	return delivered
}

// optimal returns an optimal basis of the network for the ladder's limits, and
// leaves the amounts in the workspace.
func (t *part) optimal(n *network) *basis {
	w, limit := &t.work, t.ladder.limit
	size := len(n.nodes)
	w.x, w.rest = grow(w.x, size), grow(w.rest, size)
	tolerance := amountTolerance * (1 + largest(limit))
	for k, b := range n.bases {
		if b.values(limit, w.x, w.rest) && slices.Min(w.x) >= -tolerance {
			copy(n.bases[1:k+1], n.bases[:k])
			n.bases[0] = b
			return b
		}
	}
	t.memory.carry(n.nodes, t.ladder.top, len(t.p.Sources)+len(t.p.Sinks))
	b := n.crash(&t.memory, limit, w)
	pivots, err := n.primal(b, limit, w)
	t.pivots += pivots
	if err != nil {
		// The best feasible plan so far stands; its bound tells what it may lack.
		if b.factor(w) && b.values(limit, w.x, w.rest) {
			return t.keep(n, b)
		}
		b = n.slackBasis()
		_ = n.refactor(b, w)
		b.values(limit, w.x, w.rest)
	}
	return t.keep(n, b)
}

// maxBases bounds what a structure remembers.
const maxBases = 4

func (t *part) keep(n *network, b *basis) *basis {
	n.prove(b, &t.work)
	if len(n.bases) < maxBases {
		n.bases = append(n.bases, nil)
	}
	copy(n.bases[1:], n.bases)
	n.bases[0] = b
	return b
}
