package matching

import (
	"math"
	"slices"
)

// crash makes a feasible basis by serving sinks greedily. Each arc that it takes
// exhausts one node, the arc stands for that node in the basis, and nodes never
// exhausted keep their slack; taken in the order of exhaustion the equations are
// triangular, so this is a basis.
//
// The last step guides it. Its arcs come first, in the order in which its
// equations were solved, so that like amounts are shared out alike. Then sinks
// whose heat had a price are served, hottest first, each by the arc that pays
// most beside the prices; without prices, by the arc that loses least.
func (n *network) crash(m *memory, limit []float64, w *workspace) *basis {
	b := n.slackBasis()
	w.rest = grow(w.rest, len(limit))
	left, prices := w.rest, m.prices
	copy(left, limit)
	if m.basis != nil {
		for _, e := range m.basis.order {
			c := m.basis.columns[e.column]
			if c.to < 0 {
				continue
			}
			c.from, c.to = m.place[c.from], m.place[c.to]
			if c.from < 0 || c.to < 0 || left[c.from] <= 0 || left[c.to] <= 0 || !n.fit(&c) || c.cost <= 0 {
				continue
			}
			b.take(c, left)
		}
	}
	order := append(w.queue[:0], n.sinks...)
	slices.SortStableFunc(order, func(x, y int32) int {
		a, b := prices[x] > priceTolerance, prices[y] > priceTolerance
		switch {
		case a && !b:
			return -1
		case b && !a:
			return 1
		}
		return 0
	})
	w.queue = order
	for _, j := range order {
		for left[j] > 0 {
			best, most := column{from: -1}, 0.0
			for _, k := range n.ofSink[n.nodes[j].stream-n.sourceCount] {
				a := &n.byPair[k]
				if a.lift != nil {
					a.offer(j, prices, left, &most, &best)
					continue
				}
				if a.weight <= 0 {
					continue
				}
				inverse := 1 / a.gain
				for _, i := range a.from {
					if n.nodes[i].level > n.nodes[j].level {
						break
					}
					// Of equals the coldest: hotter sources can still serve hotter sinks.
					if d := a.weight - float64(prices[i]*inverse); left[i] > 0 && (best.from < 0 || d >= most) {
						most, best = d, column{from: i, to: j, way: a.way, a: inverse, cost: a.weight}
					}
				}
			}
			if best.from < 0 {
				break
			}
			b.take(best, left)
		}
	}
	return b
}

// take uses an arc as far as its nodes have something left; it stands for the one
// that it exhausts. Where both are exhausted the sink keeps its slack, at zero.
func (b *basis) take(c column, left []float64) {
	if y := left[c.from] / c.a; y <= left[c.to] {
		left[c.to] -= y
		left[c.from] = 0
		b.columns[c.from] = c
		return
	}
	left[c.from] -= left[c.to] * c.a
	left[c.to] = 0
	b.columns[c.to] = c
}

// memory is the last step solved, as a guess for a structure not met before.
type memory struct {
	nodes []node
	top   []float64
	basis *basis
	// For the structure at hand: its node for each of the nodes above, and prices.
	place  []int32
	prices []float64
	of     [][]int32 // nodes at hand by stream
}

// keep remembers a step.
func (m *memory) keep(nodes []node, top []float64, b *basis) {
	m.nodes, m.basis = nodes, b
	m.top = append(m.top[:0], top...)
}

// carry finds for each remembered node the node of the same stream that begins
// nearest to its temperature, and for each node at hand a price.
func (m *memory) carry(nodes []node, top []float64, streams int) {
	m.of = grow(m.of, streams)
	for s := range m.of {
		m.of[s] = m.of[s][:0]
	}
	for k, x := range nodes {
		m.of[x.stream] = append(m.of[x.stream], int32(k))
	}
	m.prices = grow(m.prices, len(nodes))
	for k := range m.prices {
		m.prices[k] = math.NaN()
	}
	m.place = grow(m.place, len(m.nodes))
	for k, x := range m.nodes {
		m.place[k] = -1
		near := math.Inf(1)
		for _, at := range m.of[x.stream] {
			if d := math.Abs(top[at] - m.top[k]); d < near {
				near, m.place[k] = d, at
			}
		}
		if at := m.place[k]; at >= 0 {
			m.prices[at] = m.basis.prices[k]
		}
	}
	// Nodes that nothing was placed on take the price above them.
	for _, list := range m.of {
		last := 0.0
		for _, at := range list {
			if math.IsNaN(m.prices[at]) {
				m.prices[at] = last
			}
			last = m.prices[at]
		}
	}
}
