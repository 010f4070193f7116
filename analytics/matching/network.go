package matching

import "math"

// network is the structure of a transport problem with losses: which node may
// serve which, with what gain and worth. Amounts come with each step.
//
// The linear programme: y on each arc is the heat delivered,
//
//	max  sum w y
//	s.t. sum over arcs from source node i of y/g <= limit of i
//	     sum over arcs to sink node j     of y   <= limit of j,   y >= 0
//
// A basis of it is a graph on the nodes in which every component has as many
// arcs and slacks as nodes: a tree with one slack, or with one cycle.
type network struct {
	nodes       []node
	ways        []way
	sourceCount int32
	sources     []int32 // nodes that are sources, in the order of levels
	sinks       []int32
	byPair      []pairArcs
	byWay       []int32   // where a way is in byPair, -1: not there
	bySink      [][]int32 // nodes of each sink, in the order of levels
	ofSink      [][]int32 // pairs of each sink
	part        int       // pairs that one search for an entering arc looks at
	cursor      int       // where that search went last
	bases       []*basis  // optimal for amounts seen before, the latest first
}

// pairArcs is a way with its nodes, in the order of levels.
type pairArcs struct {
	from, to     []int32
	start        []int32 // for each of from, the first of to that it reaches
	way          int32
	gain, weight float64
	lift         *liftArcs // nil: direct exchange
}

// newNetwork finds the arcs among nodes.
func newNetwork(p *Problem, ways []way, nodes []node) *network {
	n := &network{nodes: append([]node(nil), nodes...), ways: ways, byWay: make([]int32, len(ways))}
	of := make([][]int32, len(p.Sources)+len(p.Sinks))
	for k, x := range n.nodes {
		of[x.stream] = append(of[x.stream], int32(k))
		if int(x.stream) < len(p.Sources) {
			n.sources = append(n.sources, int32(k))
		} else {
			n.sinks = append(n.sinks, int32(k))
		}
	}
	n.bySink, n.ofSink = of[len(p.Sources):], make([][]int32, len(p.Sinks))
	for k := range ways {
		x := &ways[k]
		n.byWay[k] = -1
		from, to := of[x.source], of[len(p.Sources)+int(x.sink)]
		if len(from) == 0 || len(to) == 0 || !x.lift && n.nodes[from[0]].level > n.nodes[to[len(to)-1]].level {
			continue
		}
		a := pairArcs{from: from, to: to, way: int32(k), gain: x.gain, weight: x.worth}
		if x.lift {
			a.lift = &liftArcs{}
		} else {
			first := int32(0)
			for _, i := range from {
				for int(first) < len(to) && n.nodes[to[first]].level < n.nodes[i].level {
					first++
				}
				a.start = append(a.start, first)
			}
		}
		n.byWay[k] = int32(len(n.byPair))
		n.ofSink[x.sink] = append(n.ofSink[x.sink], int32(len(n.byPair)))
		n.byPair = append(n.byPair, a)
	}
	n.part = max(6, len(n.byPair)/8)
	n.sourceCount = int32(len(p.Sources))
	return n
}

// size is about what the network and its bases hold, in bytes.
func (n *network) size() int {
	bytes := len(n.nodes) * (16 + maxBases*(32+12+8+8))
	for _, a := range n.byPair {
		bytes += 4*len(a.start) + 120
		if a.lift != nil {
			bytes += 16*len(a.from)*len(a.to) + 60
		}
	}
	return bytes
}

// column is a variable of the programme: the slack of a node (to is -1), or an
// arc; cost is its worth, a its coefficient at the source (1/gain).
type column struct {
	from, to, way int32
	a, cost       float64
}

// at is the column's coefficient in a node's row.
func (c *column) at(n int32) float64 {
	if n == c.from {
		return c.a
	}
	return 1
}

func (c *column) other(n int32) int32 {
	if n == c.from {
		return c.to
	}
	return c.from
}

// basis is a set of as many columns as nodes, with the order in which equations
// over it are solved: leaves first, what remains are cycles.
type basis struct {
	columns []column
	order   []leaf
	cycles  [][]leaf // each: node, and the column that leads to the next node
	prices  []float64
	bound   []float64 // prices made feasible beyond rounding, see [network.prove]
}

type leaf struct{ node, column, other int32 }

// factor finds the order of solution. It returns false when the columns are no
// basis.
func (b *basis) factor(work *workspace) bool {
	n := len(b.columns)
	degree, sum := work.ints(n), work.ints2(n)
	for k := range n {
		degree[k], sum[k] = 0, 0
	}
	for k := range b.columns {
		c := &b.columns[k]
		degree[c.from]++
		sum[c.from] ^= int32(k)
		if c.to >= 0 {
			degree[c.to]++
			sum[c.to] ^= int32(k)
		}
	}
	b.order, b.cycles = b.order[:0], b.cycles[:0]
	queue := work.queue[:0]
	for k := range n {
		if degree[k] == 1 {
			queue = append(queue, int32(k))
		}
	}
	used := work.flags(n)
	for len(queue) > 0 {
		k := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if degree[k] != 1 {
			continue
		}
		col := sum[k]
		c := &b.columns[col]
		used[col] = true
		degree[k] = 0
		other := int32(-1)
		if c.to >= 0 {
			other = c.other(k)
			degree[other]--
			sum[other] ^= col
			if degree[other] == 1 {
				queue = append(queue, other)
			}
		}
		b.order = append(b.order, leaf{k, col, other})
	}
	work.queue = queue
	left := n - len(b.order)
	for k := 0; left > 0 && k < n; k++ {
		if used[k] {
			continue
		}
		c := &b.columns[k]
		if c.to < 0 || degree[c.from] != 2 {
			return false
		}
		var cycle []leaf
		at, col := c.from, int32(k)
		for {
			if degree[at] != 2 || used[col] {
				return false
			}
			used[col] = true
			degree[at] = 0
			next := b.columns[col].other(at)
			cycle = append(cycle, leaf{at, col, next})
			left--
			if next == c.from {
				break
			}
			col = sum[next] ^ col
			at = next
		}
		b.cycles = append(b.cycles, cycle)
	}
	return left == 0
}

// values solves columns times x = limit.
func (b *basis) values(limit, x, rest []float64) bool {
	copy(rest, limit)
	for _, e := range b.order {
		c := &b.columns[e.column]
		v := rest[e.node]
		if e.node == c.from {
			v /= c.a
		}
		x[e.column] = v
		if e.other >= 0 {
			rest[e.other] -= float64(c.at(e.other) * v)
		}
	}
	for _, cycle := range b.cycles {
		// With the last column at alpha, the others follow as p + q alpha.
		last := cycle[len(cycle)-1]
		cl := &b.columns[last.column]
		p, q := 0.0, 1.0
		before := cl
		for _, e := range cycle {
			c := &b.columns[e.column]
			p, q = (rest[e.node]-before.at(e.node)*p)/c.at(e.node), -before.at(e.node)*q/c.at(e.node)
			before = c
		}
		if math.Abs(1-q) < 1e-13 {
			return false
		}
		alpha := p / (1 - q)
		v := alpha
		before = cl
		for _, e := range cycle[:len(cycle)-1] {
			c := &b.columns[e.column]
			v = (rest[e.node] - before.at(e.node)*v) / c.at(e.node)
			x[e.column] = v
			before = c
		}
		x[last.column] = alpha
	}
	return true
}

// dual solves u times columns = right side.
func (b *basis) dual(right func(column int32) float64, u []float64) bool {
	for _, cycle := range b.cycles {
		p, q := 0.0, 1.0
		for _, e := range cycle {
			c := &b.columns[e.column]
			p, q = (right(e.column)-c.at(e.node)*p)/c.at(e.other), -c.at(e.node)*q/c.at(e.other)
		}
		if math.Abs(1-q) < 1e-13 {
			return false
		}
		v := p / (1 - q)
		for _, e := range cycle {
			c := &b.columns[e.column]
			u[e.node] = v
			v = (right(e.column) - c.at(e.node)*v) / c.at(e.other)
		}
	}
	for k := len(b.order) - 1; k >= 0; k-- {
		e := b.order[k]
		c := &b.columns[e.column]
		v := right(e.column)
		if e.other >= 0 {
			v -= float64(c.at(e.other) * u[e.other])
		}
		u[e.node] = v / c.at(e.node)
	}
	return true
}

// workspace is memory that solves of one goroutine share.
type workspace struct {
	a, b       []int32
	queue      []int32
	used       []bool
	x, rest, v []float64
	direction  []float64
	kelvin     []float64
	best       []float64
	bestAt     []int32
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, 2*n)
	}
	return s[:n]
}

func (w *workspace) ints(n int) []int32  { w.a = grow(w.a, n); return w.a }
func (w *workspace) ints2(n int) []int32 { w.b = grow(w.b, n); return w.b }
func (w *workspace) flags(n int) []bool {
	w.used = grow(w.used, n)
	clear(w.used)
	return w.used
}
