package baseline

import (
	"cmp"
	"math"
	"slices"
)

// The pruned search bounds blocks of pairs of gaps, then smaller blocks inside
// those that are left.
const (
	blockGaps = 16
	smallGaps = 4
)

// pair is a model of two hinges: change points in mirrored temperatures (the
// lower's own, the upper's negated), and what it takes from the sum of squares.
type pair struct{ h, c, gain float64 }

// gap is the state of one side between two neighbouring temperatures.
type gap struct {
	from, to float64 // ends, mirrored
	active   int
	sums
	ruu, ruv, rvv float64 // uu, uv, vv less what the basis explains
}

// two places a cold and a warm hinge. With one temperature for each row the
// optimum is exact: every pair of gaps has a closed form, and whole blocks of
// pairs are passed over when a bound shows that they cannot win. With rows of
// several days it alternates exact searches of one hinge beside the other, from
// several starts.
func (l *lane) two() (h, c float64, ok bool) {
	best, ok := l.alternate()
	if l.days != nil {
		return best.h + l.centre, -best.c + l.centre, ok
	}
	low, up := l.gaps(-1), l.gaps(1)
	slices.Reverse(up) // in the order of the temperature, as low
	if len(low) == 0 {
		return 0, 0, false
	}
	b := newBounds(l, low, up)
	type block struct {
		j, k  int
		bound float64
	}
	var blocks []block
	for j := 0; j < len(low); j += blockGaps {
		for k := j; k < len(up); k += blockGaps {
			if g := b.gain(j, min(j+blockGaps, len(low))-1, k, min(k+blockGaps, len(up))-1); g > best.gain {
				blocks = append(blocks, block{j, k, g})
			}
		}
	}
	slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(b.bound, a.bound) })
	for _, blk := range blocks {
		if blk.bound <= best.gain {
			break
		}
		for j := blk.j; j < min(blk.j+blockGaps, len(low)); j += smallGaps {
			for k := max(blk.k, j); k < min(blk.k+blockGaps, len(up)); k += smallGaps {
				j2, k2 := min(j+smallGaps, len(low))-1, min(k+smallGaps, len(up))-1
				if b.gain(j, j2, k, k2) > best.gain {
					l.pairs(&best, low, up, j, j2, k, k2)
				}
			}
		}
	}
	return best.h + l.centre, -best.c + l.centre, best.gain > 0
}

// pairs tries every pair of low gaps j1..j2 and up gaps k1..k2.
func (l *lane) pairs(best *pair, low, up []gap, j1, j2, k1, k2 int) {
	for j := j1; j <= j2; j++ {
		if low[j].active < l.segment {
			continue
		}
		for k := max(k1, j); k <= k2; k++ {
			if up[k].active >= l.segment {
				best.improve(&low[j], &up[k], j == k, l.signed)
			}
		}
	}
}

// alternate moves one hinge after the other to its best place until neither
// gains, starting from the best single hinge of each side.
func (l *lane) alternate() (best pair, ok bool) {
	column := func(sign, c float64) []float64 { // c centred
		x := make([]float64, len(l.y))
		for _, a := range l.atoms {
			if v := sign * (a.t - c); v > 0 {
				x[a.row] += float64(v * a.share)
			}
		}
		return x
	}
	total := dot(l.y, l.y)
	for _, first := range []float64{-1, 1} {
		start := l.one(first)
		if start.gain <= 0 {
			continue
		}
		at, sign, last := start.c-l.centre, first, 0.0
		for range 50 {
			m := l.with(column(sign, at))
			other := m.one(-sign)
			if other.gain <= 0 {
				break
			}
			gain := total - dot(m.y, m.y) + other.gain
			c := other.c - l.centre
			p := pair{h: at, c: -c, gain: gain}
			if sign > 0 {
				p = pair{h: c, c: -at, gain: gain}
			}
			if p.h <= -p.c && gain > best.gain && l.signs(column(-1, p.h), column(1, -p.c)) {
				best, ok = p, true
			}
			if gain <= last*(1+1e-12) {
				break
			}
			at, sign, last = c, -sign, gain
		}
	}
	return best, ok
}

// signs says whether two columns beside the basis have coefficients of a sign
// that counts.
func (l *lane) signs(a, b []float64) bool {
	if !l.signed {
		return true
	}
	s := leastSquares(append(slices.Clone(l.basis), l.scaled(a), l.scaled(b)), l.raw, nil)
	q := len(l.basis)
	return s.coef[q] >= 0 && s.coef[q+1] >= 0
}

func (l *lane) gaps(sign float64) []gap {
	var out []gap
	l.sweep(sign, func(active int, from, to float64, s *sums) {
		g := gap{from: from, to: to, active: active, sums: *s}
		g.bu, g.bv = slices.Clone(s.bu), slices.Clone(s.bv)
		g.ruu = s.uu - dot(s.bu, s.bu)
		g.ruv = s.uv - dot(s.bu, s.bv)
		g.rvv = s.vv - dot(s.bv, s.bv)
		out = append(out, g)
	})
	return out
}

// improve looks for a better model with the lower hinge bending in gap a and the
// upper in gap b. same says that both lie between the same two temperatures.
func (p *pair) improve(a, b *gap, same, signed bool) {
	// products between the sides: the raw columns share no row, so only what
	// the basis explains is left
	uu, uv := -dot(a.bu, b.bu), -dot(a.bu, b.bv)
	vu, vv := -dot(a.bv, b.bu), -dot(a.bv, b.bv)
	m := [4][5]float64{
		{a.ruu, a.ruv, uu, uv, a.yu},
		{a.ruv, a.rvv, vu, vv, a.yv},
		{uu, vu, b.ruu, b.ruv, b.yu},
		{uv, vv, b.ruv, b.rvv, b.yv},
	}
	x, gain, sound := solve4(m)
	if sound {
		if gain <= p.gain {
			return // even the lines that need not meet cannot win
		}
		h, c := -x[0]/x[1], -x[2]/x[3]
		if (!signed || x[1] < 0 && x[3] < 0) && h > a.from && h < a.to && c > b.from && c < b.to && (!same || h <= -c) {
			*p = pair{h: h, c: c, gain: gain}
			return
		}
	}
	for _, h := range [2]float64{a.from, a.to} {
		p.edge(h, a, b, [4]float64{uu, uv, vu, vv}, false, same, signed)
	}
	for _, c := range [2]float64{b.from, b.to} {
		p.edge(c, b, a, [4]float64{uu, vu, uv, vv}, true, same, signed)
	}
}

// edge fixes the hinge of side f at c0 and places the hinge of side g exactly in
// its gap. cross are the products u·u', u·v', v·u', v·v' of f with g.
func (p *pair) edge(c0 float64, f, g *gap, cross [4]float64, swapped, same, signed bool) {
	norm := float64(float64(c0*c0)*f.ruu) - float64(2*c0*f.ruv) + f.rvv
	if norm <= rounding*(float64(float64(c0*c0)*f.uu)+f.vv) {
		return
	}
	y := float64(c0*f.yu) - f.yv
	cu := float64(c0*cross[0]) - cross[2] // of the hinge with u', v'
	cv := float64(c0*cross[1]) - cross[3]
	uu := g.ruu - float64(cu*cu)/norm
	uv := g.ruv - float64(cu*cv)/norm
	vv := g.rvv - float64(cv*cv)/norm
	yu := g.yu - float64(cu*y)/norm
	yv := g.yv - float64(cv*y)/norm
	at := func(c float64) {
		n := float64(float64(c*c)*uu) - float64(2*c*uv) + vv
		product := float64(c*yu) - yv
		if n <= rounding*(float64(float64(c*c)*g.uu)+g.vv) || signed && product < 0 {
			return
		}
		slope := product / n
		if signed && y-float64(slope*(float64(c*cu)-cv)) < 0 || same && c0 > -c {
			return // slope of the fixed hinge below zero, or the hinges overlap
		}
		gain := y*y/norm + product*product/n
		if gain > p.gain {
			*p = pair{h: c0, c: c, gain: gain}
			if swapped {
				*p = pair{h: c, c: c0, gain: gain}
			}
		}
	}
	at(g.from)
	at(g.to)
	if det := float64(uu*vv) - float64(uv*uv); det > rounding*float64(uu*vv) {
		au := float64(yu*vv) - float64(yv*uv)
		av := float64(yv*uu) - float64(yu*uv)
		if c := -au / av; c > g.from && c < g.to {
			at(c)
		}
	}
}

// solve4 solves a symmetric positive system by elimination and gives bᵀx. It is
// not sound when a pivot is lost to rounding.
func solve4(m [4][5]float64) (x [4]float64, gain float64, sound bool) {
	right := [4]float64{m[0][4], m[1][4], m[2][4], m[3][4]}
	for j := range 4 {
		full := m[j][j]
		for k := range j {
			f := m[j][k] / m[k][k]
			for i := k + 1; i < 5; i++ {
				m[j][i] -= float64(f * m[k][i])
			}
		}
		if m[j][j] <= rounding*full {
			return x, 0, false
		}
	}
	for j := 3; j >= 0; j-- {
		v := m[j][4]
		for k := j + 1; k < 4; k++ {
			v -= float64(m[j][k] * x[k])
		}
		x[j] = v / m[j][j]
		gain += float64(x[j] * right[j])
	}
	return x, gain, true
}

// bounds gives, for a block of pairs of gaps, a gain that none of its models can
// exceed: rows whose temperature lies inside the blocks are left out of the
// problem (as if they were fitted without error), and below and above them the
// lines are free.
type bounds struct {
	low, up []gap
	q       int
	bb      [][]float64 // by node: sums of the products of the basis, row-major
	by      [][]float64
	yy      []float64
	total   float64
	m       []float64 // room
}

func newBounds(l *lane, low, up []gap) *bounds {
	q := len(l.basis)
	b := &bounds{low: low, up: up, q: q, total: dot(l.y, l.y)}
	bb, by, yy := make([]float64, q*q), make([]float64, q), 0.0
	keep := func() {
		b.bb = append(b.bb, slices.Clone(bb))
		b.by = append(b.by, slices.Clone(by))
		b.yy = append(b.yy, yy)
	}
	keep()
	for k, a := range l.atoms {
		for i := range q {
			v := l.basis[i][a.row]
			by[i] += float64(v * l.y[a.row])
			for j := range q {
				bb[i*q+j] += float64(v * l.basis[j][a.row])
			}
		}
		yy += float64(l.y[a.row] * l.y[a.row])
		if k+1 == len(l.atoms) || l.atoms[k+1].t > a.t {
			keep()
		}
	}
	return b
}

// gain bounds the pairs of low gaps j1..j2 and up gaps k1..k2. Gap g lies between
// the nodes g and g+1; bb[i] sums over the nodes below i.
func (b *bounds) gain(j1, j2, k1, k2 int) float64 {
	q, p := b.q, b.q+4
	w := p + 1
	if b.m == nil {
		b.m = make([]float64, p*w)
	}
	m := b.m
	clear(m)
	yy := b.total
	for i := range q {
		m[i*w+i] = 1
	}
	out := func(from, to int) { // nodes from..to-1
		if to <= from {
			return
		}
		for i := range q {
			m[i*w+p] -= b.by[to][i] - b.by[from][i]
			for j := range q {
				m[i*w+j] -= b.bb[to][i*q+j] - b.bb[from][i*q+j]
			}
		}
		yy -= b.yy[to] - b.yy[from]
	}
	if k1 < j2 {
		out(j1+1, k2+1)
	} else {
		out(j1+1, j2+1)
		out(k1+1, k2+1)
	}
	side := func(at int, g *gap) {
		for i := range q {
			m[i*w+at], m[at*w+i] = g.bu[i], g.bu[i]
			m[i*w+at+1], m[(at+1)*w+i] = g.bv[i], g.bv[i]
		}
		m[at*w+at], m[at*w+at+1] = g.uu, g.uv
		m[(at+1)*w+at], m[(at+1)*w+at+1] = g.uv, g.vv
		m[at*w+p], m[(at+1)*w+p] = g.yu, g.yv
	}
	side(q, &b.low[j1])
	side(q+2, &b.up[k2])
	// elimination; a column lost to rounding is passed over, and so is its row
	explained := 0.0
	for j := range p {
		full := m[j*w+j]
		for k := range j {
			if m[k*w+k] == 0 {
				continue
			}
			f := m[j*w+k] / m[k*w+k]
			if f == 0 {
				continue
			}
			for i := k + 1; i < w; i++ {
				m[j*w+i] -= float64(f * m[k*w+i])
			}
		}
		if full <= 0 || m[j*w+j] <= rounding*full {
			m[j*w+j] = 0
			continue
		}
		explained += m[j*w+p] * m[j*w+p] / m[j*w+j]
	}
	// the sum of squares that is surely left, turned into a gain
	return b.total - math.Max(0, yy-explained)*(1-1e-9)
}
