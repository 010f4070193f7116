package matching

import "slices"

// crash makes a feasible basis by serving sinks greedily. Each arc that it takes
// exhausts one node, the arc stands for that node in the basis, and nodes never
// exhausted keep their slack; taken in the order of exhaustion the equations are
// triangular, so this is a basis.
//
// prices guide it: those of a like structure solved before. Sinks whose heat had
// a price are served first, hottest first, each by the arc that pays most beside
// the prices; without prices, by the arc that loses least.
func (n *network) crash(prices, limit []float64, w *workspace) *basis {
	b := n.slackBasis()
	w.rest = grow(w.rest, len(limit))
	left := w.rest
	copy(left, limit)
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
		for {
			best, most := column{from: -1}, 0.0
			for _, k := range n.ofSink[n.nodes[j].stream-n.sourceCount] {
				a := &n.byPair[k]
				inverse := 1 / a.gain
				for _, i := range a.from {
					if n.nodes[i].level > n.nodes[j].level {
						break
					}
					// Of equals the coldest: hotter sources can still serve hotter sinks.
					if d := a.weight - float64(prices[i]*inverse); left[i] > 0 && (best.from < 0 || d >= most) {
						most, best = d, column{from: i, to: j, a: inverse, cost: a.weight}
					}
				}
			}
			if best.from < 0 {
				break
			}
			i := best.from
			if y := left[i] / best.a; y <= left[j] {
				left[j] -= y
				left[i] = 0
				b.columns[i] = best
				if left[j] > 0 {
					continue
				}
				// Both are exhausted: the sink keeps its slack, at zero.
				break
			}
			left[i] -= left[j] * best.a
			left[j] = 0
			b.columns[j] = best
			break
		}
	}
	return b
}

// carry reads prices of one structure as a guess for another: node by node of
// each stream, from the hottest; what is left takes the last.
func carry(from []node, prices []float64, to []node, out []float64, last map[int32][]float64) []float64 {
	for s := range last {
		last[s] = last[s][:0]
	}
	for k, x := range from {
		last[x.stream] = append(last[x.stream], prices[k])
	}
	seen := map[int32]int{}
	out = grow(out, len(to))
	for k, x := range to {
		list := last[x.stream]
		out[k] = 0
		if len(list) > 0 {
			out[k] = list[min(seen[x.stream], len(list)-1)]
		}
		seen[x.stream]++
	}
	return out
}
