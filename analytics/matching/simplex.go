package matching

import (
	"errors"
	"math"
)

// Tolerances: of prices (worth of a unit of heat, about 1), of amounts (relative
// to the step's largest limit), and the smallest pivot.
const (
	priceTolerance  = 1e-10
	amountTolerance = 1e-10
	pivotTolerance  = 1e-9
)

var errNumbers = errors.New("the basis is singular to working precision")

// slackBasis is the empty plan.
func (n *network) slackBasis() *basis {
	b := &basis{columns: make([]column, len(n.nodes))}
	for k := range b.columns {
		b.columns[k] = column{from: int32(k), to: -1, a: 1}
	}
	return b
}

// refactor readies a basis and its prices.
func (n *network) refactor(b *basis, w *workspace) error {
	b.prices = grow(b.prices, len(b.columns))
	if !b.factor(w) || !b.dual(func(k int32) float64 { return b.columns[k].cost }, b.prices) {
		return errNumbers
	}
	return nil
}

// enter finds the arc or slack whose use pays most, or nothing. With bland, the
// first that pays: slower, and never in circles.
func (n *network) enter(b *basis, w *workspace, bland bool) (column, bool) {
	u := b.prices
	var best column
	most := priceTolerance
	for k := range n.nodes { // a negative price: the node's limit should not bind
		if -u[k] > most {
			most, best = -u[k], column{from: int32(k), to: -1, a: 1}
			if bland {
				return best, true
			}
		}
	}
	// The cheapest sink node at or below each node of its stream.
	w.best, w.bestAt = grow(w.best, len(n.nodes)), grow(w.bestAt, len(n.nodes))
	for _, to := range n.bySink {
		low, at := math.Inf(1), int32(-1)
		for t := len(to) - 1; t >= 0; t-- {
			if u[to[t]] < low {
				low, at = u[to[t]], to[t]
			}
			w.best[to[t]], w.bestAt[to[t]] = low, at
		}
	}
	// A part of the pairs at a time, going on where the last search ended: the best
	// of a part is good enough.
	for k := range n.byPair {
		if k%n.part == 0 && most > priceTolerance {
			break
		}
		if n.cursor++; n.cursor >= len(n.byPair) {
			n.cursor = 0
		}
		a := &n.byPair[n.cursor]
		if a.lift != nil {
			if c, d := a.dearest(u, most); d > most {
				most, best = d, c
				if bland {
					return best, true
				}
			}
			continue
		}
		inverse := 1 / a.gain
		for f, i := range a.from {
			if int(a.start[f]) == len(a.to) {
				break
			}
			t := a.to[a.start[f]]
			if d := a.weight - float64(u[i]*inverse) - w.best[t]; d > most {
				most, best = d, column{from: i, to: w.bestAt[t], way: a.way, a: inverse, cost: a.weight}
				if bland {
					return best, true
				}
			}
		}
	}
	return best, most > priceTolerance
}

// primal improves a feasible basis until nothing pays.
func (n *network) primal(b *basis, limit []float64, w *workspace) (pivots int, err error) {
	size := len(n.nodes)
	w.x, w.rest, w.direction, w.v = grow(w.x, size), grow(w.rest, size), grow(w.direction, size), grow(w.v, size)
	for {
		if err := n.refactor(b, w); err != nil {
			return pivots, err
		}
		// Amounts are carried from pivot to pivot, and computed anew now and then.
		if pivots%32 == 0 && !b.values(limit, w.x, w.rest) {
			return pivots, errNumbers
		}
		enter, ok := n.enter(b, w, pivots > 40+8*size)
		if !ok {
			if !b.values(limit, w.x, w.rest) {
				return pivots, errNumbers
			}
			return pivots, nil
		}
		if pivots++; pivots > 400+60*size {
			return pivots, errors.New("too many pivots")
		}
		// How the basic columns change when the entering one grows.
		clear(w.v)
		w.v[enter.from] = enter.a
		if enter.to >= 0 {
			w.v[enter.to] = 1
		}
		if !b.values(w.v, w.direction, w.rest) {
			return pivots, errNumbers
		}
		leave, least, size := -1, math.Inf(1), 0.0
		for k, d := range w.direction {
			if d <= pivotTolerance {
				continue
			}
			// Among ties the largest pivot: it keeps the numbers good.
			if r := max(w.x[k], 0) / d; r < least-1e-12 || r <= least+1e-12 && d > size {
				leave, least, size = k, min(least, r), d
			}
		}
		if leave < 0 {
			return pivots, errNumbers // limits are finite: this cannot be
		}
		for k, d := range w.direction {
			w.x[k] -= least * d
		}
		w.x[leave] = least
		b.columns[leave] = enter
	}
}

func largest(x []float64) (m float64) {
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// prove makes the prices of a basis a proof: prices of sinks at least 0, those
// of sources just high enough that no arc pays more than its prices. By weak
// duality no plan is worth more than the sum of prices times limits, whatever
// the limits are, and however the prices were found.
func (n *network) prove(b *basis, w *workspace) {
	b.bound = grow(b.bound, len(n.nodes))
	for _, i := range n.sources {
		b.bound[i] = 0
	}
	for _, j := range n.sinks {
		b.bound[j] = max(b.prices[j], 0)
	}
	for k := range n.byPair {
		a := &n.byPair[k]
		if a.lift != nil {
			a.raise(b.bound)
			continue
		}
		low := math.Inf(1)
		t := len(a.to)
		for f := len(a.from) - 1; f >= 0; f-- {
			for t > int(a.start[f]) {
				t--
				low = min(low, b.bound[a.to[t]])
			}
			b.bound[a.from[f]] = max(b.bound[a.from[f]], a.gain*(a.weight-low))
		}
	}
}
