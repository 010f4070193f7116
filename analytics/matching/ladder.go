package matching

import "slices"

// A ladder turns one step into a transport problem. All temperatures that occur
// cut the streams into segments; a segment of a source may serve the segments of
// sinks that are not hotter. Neighbouring segments of a stream between which no
// segment of the other side lies can serve, or be served by, the very same ones
// and are one node. So a node is a stream and a level: source nodes reach the
// sink nodes of the same and of later levels.
type ladder struct {
	temperatures []float64
	high, end    []float64 // of the running streams, sources first
	index        []int32   // stream of each, sinks counted from len(Sources)
	kw           []float64
	current      []int32 // node of each running stream
	// The nodes, in the order in which they appear going down in temperature.
	nodes []node
	limit []float64 // kW of each node
	top   []float64 // temperature at which each node begins
	low   []float64 // temperature at which it ends
	key   []byte    // names the structure: streams and levels, not amounts
}

type node struct {
	stream int32 // sinks are counted from the number of sources
	level  int32
}

// build reads step i; it returns false when nothing can be exchanged. lifted says
// of each stream whether a heat pump may take from it or give to it: then its heat
// matters at any temperature.
func (l *ladder) build(p *Problem, lifted []bool, i int) bool {
	l.temperatures, l.high, l.end = l.temperatures[:0], l.high[:0], l.end[:0]
	l.index, l.kw, l.current = l.index[:0], l.kw[:0], l.current[:0]
	l.nodes, l.limit, l.top, l.low, l.key = l.nodes[:0], l.limit[:0], l.top[:0], l.low[:0], l.key[:0]
	add := func(s *Stream, k int) {
		if !s.running(i) {
			return
		}
		hi, lo := s.HighC[i], s.LowC[i]
		if hi < lo {
			hi, lo = lo, hi
		}
		l.high, l.end, l.index, l.kw, l.current = append(l.high, hi), append(l.end, lo), append(l.index, int32(k)), append(l.kw, s.KW[i]), append(l.current, -1)
		l.temperatures = append(l.temperatures, hi, lo)
	}
	for k := range p.Sources {
		add(&p.Sources[k], k)
	}
	sources := len(l.index)
	for k := range p.Sinks {
		add(&p.Sinks[k], len(p.Sources)+k)
	}
	if sources == 0 || sources == len(l.index) {
		return false
	}
	slices.Sort(l.temperatures)
	level, any, sinkLast, lastSink := int32(0), false, false, int32(-1)
	// put gives amount to the node of running stream r at the present level.
	put := func(r int, t, end, amount float64) {
		if n := l.current[r]; n >= 0 && l.nodes[n].level == level {
			l.limit[n] += amount
			l.low[n] = end
			return
		}
		l.current[r] = int32(len(l.nodes))
		l.nodes = append(l.nodes, node{l.index[r], level})
		l.limit, l.top, l.low = append(l.limit, amount), append(l.top, t), append(l.low, end)
	}
	// visit lets sources come first, then sinks, at one place of the scale.
	visit := func(t, end float64, share func(r int) float64) {
		for r := range l.index[:sources] {
			if q := share(r); q > 0 {
				if sinkLast {
					level++
					sinkLast = false
				}
				any = true
				put(r, t, end, q)
			}
		}
		for r := sources; r < len(l.index); r++ {
			if !any && !lifted[l.index[r]] {
				continue // nothing hot enough yet
			}
			if q := share(r); q > 0 {
				sinkLast, lastSink = true, level
				put(r, t, end, q)
			}
		}
	}
	for k := len(l.temperatures) - 1; k >= 0; k-- {
		t := l.temperatures[k]
		if k+1 < len(l.temperatures) && t == l.temperatures[k+1] {
			continue
		}
		visit(t, t, func(r int) float64 { // latent loads at t
			if l.high[r] == t && l.end[r] == t {
				return l.kw[r]
			}
			return 0
		})
		next := k - 1
		for next >= 0 && l.temperatures[next] == t {
			next--
		}
		if next < 0 {
			break
		}
		below := l.temperatures[next]
		visit(t, below, func(r int) float64 {
			if l.high[r] >= t && l.end[r] <= below && l.high[r] > l.end[r] {
				return l.kw[r] * ((t - below) / (l.high[r] - l.end[r]))
			}
			return 0
		})
	}
	if lastSink < 0 || !any {
		return false
	}
	// Sources below every sink serve none.
	for len(l.nodes) > 0 && l.nodes[len(l.nodes)-1].level > lastSink && !lifted[l.nodes[len(l.nodes)-1].stream] {
		last := len(l.nodes) - 1
		l.nodes, l.limit, l.top, l.low = l.nodes[:last], l.limit[:last], l.top[:last], l.low[:last]
	}
	for _, n := range l.nodes {
		l.key = append(l.key, byte(n.stream), byte(n.stream>>8), byte(n.level), byte(n.level>>8))
	}
	return true
}
