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
	// LiftMWh is the part of MatrixMWh that heat pumps delivered, nil without any;
	// ElectricityMWh is what they took.
	LiftMWh        [][]float64
	ElectricityMWh float64
	Worth          float64 // sum of weight times delivered, less what heat pumps cost, MWh
	// SourceWorth and SinkWorth are what all heat of a source, or all of a need, is worth
	// at the margin, MWh: 1 % more of it brings a hundredth of that at most. PipeWorth
	// is the same for the share that arrives of each pair: 1 % less lost of what is
	// sent brings a hundredth. They are the dual prices times what they price.
	SourceWorth, SinkWorth []float64
	PipeWorth              [][]float64
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
	ways := p.ways()
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
				parts[k] = newPart(p, ways)
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
	out.SourceWorth, out.SinkWorth, out.PipeWorth = make([]float64, len(p.Sources)), make([]float64, len(p.Sinks)), table(len(p.Sources), len(p.Sinks))
	if len(p.Lifts) > 0 {
		out.LiftMWh = table(len(p.Sources), len(p.Sinks))
	}
	scale := p.Hours / 1000
	for _, x := range parts {
		for k := range ways {
			s, d := ways[k].source, ways[k].sink
			out.MatrixMWh[s][d] += x.sum[k] * scale
			out.PipeWorth[s][d] += x.pipe[k] * scale
			if ways[k].lift {
				out.LiftMWh[s][d] += x.sum[k] * scale
			}
		}
		for s := range out.PeakKW {
			for d := range out.PeakKW[s] {
				out.PeakKW[s][d] = max(out.PeakKW[s][d], x.peak[s*len(p.Sinks)+d])
			}
		}
		for k, v := range x.stream {
			if k < len(p.Sources) {
				out.SourceWorth[k] += v * scale
			} else {
				out.SinkWorth[k-len(p.Sources)] += v * scale
			}
		}
		out.ElectricityMWh += x.electricity * scale
		out.Worth += x.worth
		out.Bound += x.bound
		out.Solved += x.solved
		out.Pivots += x.pivots
		out.Structures += x.structures
		out.Unproved += x.unproved
	}
	for s := range out.MatrixMWh {
		for d := range out.MatrixMWh[s] {
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
	ways                                 []way
	varies                               bool   // coefficients change from step to step
	lifted                               []bool // of each stream, see [ladder.build]
	known                                map[string]*network
	ladder                               ladder
	work                                 workspace
	sum, pipe                            []float64 // of each way: delivered; price of what it takes
	stream                               []float64 // of each stream: its prices times its heat
	peak                                 []float64 // of each pair, source by source
	pair                                 []float64 // delivered by the pair in the step
	flow                                 []float64 // delivered by the way in the step
	touched                              []int32   // ways with a flow
	electricity, worth, bound            float64
	stepWorth, stepBound                 float64 // of the last step
	memory                               memory
	remembered                           int // bytes, about
	solved, pivots, structures, unproved int
}

func newPart(p *Problem, ways []way) *part {
	pairs := len(p.Sources) * len(p.Sinks)
	t := &part{p: p, ways: ways, varies: len(p.Lifts) > 0, known: map[string]*network{}, lifted: make([]bool, len(p.Sources)+len(p.Sinks)),
		sum: make([]float64, len(ways)), pipe: make([]float64, len(ways)), stream: make([]float64, len(p.Sources)+len(p.Sinks)), peak: make([]float64, pairs), pair: make([]float64, pairs), flow: make([]float64, len(ways))}
	for _, x := range ways {
		if x.lift {
			t.lifted[x.source], t.lifted[len(p.Sources)+int(x.sink)] = true, true
		}
	}
	return t
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
		if !t.ladder.build(t.p, t.lifted, i) {
			continue
		}
		t.solved++
		n := t.network()
		if t.varies {
			n.load(&t.p.Machine, t.ladder.top, t.ladder.low, nil, false, &t.work)
		}
		byStep[i] = t.read(n, t.optimal(n, nil))
	}
}

// network returns the structure of the step on the ladder.
func (t *part) network() *network {
	l := &t.ladder
	n := t.known[string(l.key)]
	if n == nil {
		n = newNetwork(t.p, t.ways, l.nodes)
		if t.remembered += n.size(); t.remembered > maxRemembered {
			clear(t.known)
			t.remembered = n.size()
		}
		t.known[string(l.key)] = n
		t.structures++
	}
	return n
}

// read adds up the step whose amounts are in the workspace, and returns the power
// delivered to sinks. The flows of ways stay in t.flow and t.touched until the next.
func (t *part) read(n *network, b *basis) float64 {
	l, w := &t.ladder, &t.work
	t.memory.keep(n.nodes, l.top, b)
	delivered, worth, bound := 0.0, 0.0, 0.0
	for _, k := range t.touched {
		t.flow[k] = 0
	}
	t.touched = t.touched[:0]
	for k := range b.columns {
		c := &b.columns[k]
		if x := w.x[k]; c.to >= 0 && x > 0 {
			worth += float64(c.cost * x)
			if t.flow[c.way] == 0 {
				t.touched = append(t.touched, c.way)
			}
			t.flow[c.way] += x
			t.pipe[c.way] += b.bound[c.from] * c.a * x
			y := &t.ways[c.way]
			if y.in < 0 {
				delivered += x
			}
			if y.lift {
				t.electricity += x - float64(float64(x*c.a)*y.gain)
			}
		}
	}
	for _, k := range t.touched {
		t.sum[k] += t.flow[k]
		t.pair[t.at(k)] += t.flow[k]
	}
	for _, k := range t.touched {
		at := t.at(k)
		t.peak[at] = max(t.peak[at], t.pair[at])
		t.pair[at] = 0
	}
	for k, q := range l.limit {
		v := b.bound[k] * q
		bound += v
		t.stream[n.nodes[k].stream] += v
	}
	t.worth += worth
	t.bound += bound
	t.stepWorth, t.stepBound = worth, bound
	if bound-worth > 1e-9*(1+bound) {
		t.unproved++
	}
	return delivered
}

func (t *part) at(way int32) int {
	return int(t.ways[way].source)*len(t.p.Sinks) + int(t.ways[way].sink)
}

// optimal returns an optimal basis of the network for the ladder's limits, and
// leaves the amounts in the workspace. hint is a basis to begin with, nil for none.
func (t *part) optimal(n *network, hint *basis) *basis {
	w, limit := &t.work, t.ladder.limit
	size := len(n.nodes)
	w.x, w.rest = grow(w.x, size), grow(w.rest, size)
	tolerance := amountTolerance * (1 + largest(limit))
	if hint != nil && n.refit(hint) && hint.factor(w) && hint.values(limit, w.x, w.rest) && slices.Min(w.x) >= -tolerance {
		pivots, err := n.primal(hint, limit, w)
		t.pivots += pivots
		if err == nil {
			n.prove(hint, w)
			return hint
		}
	}
	for k, b := range n.bases {
		if t.varies && !(n.refit(b) && b.factor(w)) {
			continue
		}
		if b.values(limit, w.x, w.rest) && slices.Min(w.x) >= -tolerance {
			if t.varies {
				pivots, err := n.primal(b, limit, w)
				t.pivots += pivots
				if err != nil {
					break
				}
				n.prove(b, w)
			}
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
		if b.factor(w) && b.values(limit, w.x, w.rest) && slices.Min(w.x) >= -tolerance {
			return t.keep(n, b)
		}
		b = n.slackBasis()
		_ = n.refactor(b, w)
		b.values(limit, w.x, w.rest)
	}
	return t.keep(n, b)
}

// refit sets the coefficients of a basis for the step at hand; false where it
// uses a way that is not open.
func (n *network) refit(b *basis) bool {
	for k := range b.columns {
		if c := &b.columns[k]; c.to >= 0 && !n.fit(c) {
			return false
		}
	}
	return true
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
