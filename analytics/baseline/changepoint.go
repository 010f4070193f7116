package baseline

import (
	"errors"
	"math"
	"slices"
)

// errNoChangePoint says that no change point leads to a model of the right sign.
var errNoChangePoint = errors.New("no change point leaves enough rows on both sides and gives slopes of the right sign")

// atom is one temperature behind a row: the row's own, or that of one of its
// days.
type atom struct {
	t     float64
	row   int
	share float64
}

// search finds the change points of the spec that make the sum of squares least.
func (d *design) search(rows []int, y, w []float64, points []ChangePointValue) error {
	l := d.lane(rows, y, w)
	switch d.spec.Shape {
	case ThreePHeat:
		best := l.one(-1)
		if best.gain <= 0 {
			return errNoChangePoint
		}
		points[0].C = best.c
	case ThreePCool:
		best := l.one(1)
		if best.gain <= 0 {
			return errNoChangePoint
		}
		points[0].C = best.c
	case FourP:
		// a + b max(c-T,0) + d max(T-c,0) is a straight line plus one hinge, whose
		// slope b + d is that of the bend.
		best := l.with(d.means(rows)).one(1)
		if best.gain <= 0 {
			return errNoChangePoint
		}
		points[0].C = best.c
	case FiveP, SixP:
		if d.spec.Shape == SixP {
			l = l.with(d.means(rows))
		}
		h, c, ok := l.two()
		if !ok {
			return errNoChangePoint
		}
		points[0].C, points[1].C = h, c
	}
	return nil
}

// means are the mean temperatures of the rows.
func (d *design) means(rows []int) []float64 {
	t := make([]float64, len(rows))
	for k, i := range rows {
		t[k] = d.mean(i)
	}
	return t
}

// lane is the problem of placing hinges beside given columns: everything is
// scaled with the root of the weights and taken orthogonal to those columns.
//
// Between two neighbouring temperatures a hinge max(h-T, 0) is h u - v with u
// the share of the row's days below and v the sum of their temperatures over the
// number of days, so that its products with anything are polynomials in h whose
// coefficients change by one atom from one interval to the next. The least sum
// of squares inside an interval is then known in closed form, and the least of
// all intervals is the optimum.
type lane struct {
	basis   [][]float64 // orthonormal
	y       []float64   // scaled, orthogonal to basis
	raw     []float64   // scaled only
	root    []float64   // of the weights; nil: ones
	atoms   []atom      // in order of t
	centre  float64     // taken from the temperatures, for accuracy
	signed  bool        // slopes below zero do not count
	segment int         // least number of atoms on either side
	days    [][]float64 // temperatures of each row, centred, for the cross terms; nil when every row has one
}

func (d *design) lane(rows []int, y, w []float64) *lane {
	l := &lane{signed: !d.spec.AnySign}
	if w != nil {
		l.root = make([]float64, len(w))
		for i, v := range w {
			l.root[i] = math.Sqrt(v)
		}
	}
	several := len(d.frame.Daily) > 0
	for k, i := range rows {
		if !several {
			l.atoms = append(l.atoms, atom{t: d.frame.Temperature[i], row: k, share: 1})
			continue
		}
		days := d.frame.Daily[i]
		for _, t := range days {
			l.atoms = append(l.atoms, atom{t: t, row: k, share: 1 / float64(len(days))})
		}
	}
	for _, a := range l.atoms {
		l.centre += a.t
	}
	l.centre /= float64(len(l.atoms))
	if several {
		l.days = make([][]float64, len(rows))
	}
	for k := range l.atoms {
		a := &l.atoms[k]
		a.t -= l.centre
		if several {
			l.days[a.row] = append(l.days[a.row], a.t)
		}
	}
	slices.SortFunc(l.atoms, func(a, b atom) int {
		if a.t < b.t {
			return -1
		} else if a.t > b.t {
			return 1
		}
		return a.row - b.row
	})
	l.segment = d.spec.minSegment(len(l.atoms))
	l.raw = l.scaled(y)
	l.y = slices.Clone(l.raw)
	ones := make([]float64, len(rows))
	for i := range ones {
		ones[i] = 1
	}
	l.add(ones)
	for _, x := range pick(d.fixed, rows) {
		l.add(x)
	}
	return l
}

func (l *lane) scaled(x []float64) []float64 {
	s := slices.Clone(x)
	for i, r := range l.root {
		s[i] *= r
	}
	return s
}

// add takes a column into the basis (Gram-Schmidt, twice); one that moves
// together with the basis is passed over.
func (l *lane) add(x []float64) {
	q := l.scaled(x)
	full := math.Sqrt(dot(q, q))
	for range 2 {
		for _, b := range l.basis {
			subtract(q, dot(q, b), b)
		}
	}
	norm := math.Sqrt(dot(q, q))
	if norm <= rounding*full {
		return
	}
	for i := range q {
		q[i] /= norm
	}
	l.basis = append(l.basis, q)
	subtract(l.y, dot(l.y, q), q)
}

// subtract takes f times b from a.
func subtract(a []float64, f float64, b []float64) {
	for i := range a {
		a[i] -= float64(f * b[i])
	}
}

// with is the lane with one more given column; x is not scaled.
func (l *lane) with(x []float64) *lane {
	m := *l
	m.basis = slices.Clone(l.basis)
	m.y = slices.Clone(l.y)
	m.add(x)
	return &m
}

// place is a hinge: where, how much it takes from the sum of squares, its slope.
type place struct {
	c, gain, slope float64
}

// better keeps the place with the greater gain.
func (p *place) better(q place) {
	if q.gain > p.gain {
		*p = q
	}
}

// sums are the products of u and v over the atoms on the active side.
type sums struct {
	uu, uv, vv float64 // of the raw columns
	yu, yv     float64 // with the orthogonal y
	bu, bv     []float64
}

// sweep visits the gaps between neighbouring temperatures, from the side where
// no atom is active. visit gets the number of active atoms, the ends of the gap
// in the mirrored temperature s = -sign·T (growing), and the sums. A cold hinge
// (sign -1) is active below the change point, a warm one above: mirrored, both
// are active below, max(c'-s', 0) with s' = -sign·... of the same form.
func (l *lane) sweep(sign float64, visit func(active int, from, to float64, s *sums)) {
	n := len(l.atoms)
	q := len(l.basis)
	s := &sums{bu: make([]float64, q), bv: make([]float64, q)}
	u := make([]float64, len(l.y))
	v := make([]float64, len(l.y))
	at := func(k int) *atom {
		if sign < 0 {
			return &l.atoms[k]
		}
		return &l.atoms[n-1-k]
	}
	for k := range n {
		a := at(k)
		t := -sign * a.t // mirrored: grows with k
		r := 1.0
		if l.root != nil {
			r = l.root[a.row]
		}
		du := a.share * r
		dv := float64(du * t)
		i := a.row
		s.uu += float64(du * (2*u[i] + du))
		s.uv += float64(du*v[i]) + float64(dv*u[i]) + float64(du*dv)
		s.vv += float64(dv * (2*v[i] + dv))
		s.yu += float64(du * l.y[i])
		s.yv += float64(dv * l.y[i])
		for j, b := range l.basis {
			s.bu[j] += float64(du * b[i])
			s.bv[j] += float64(dv * b[i])
		}
		u[i] += du
		v[i] += dv
		if k+1 < n {
			if next := -sign * at(k+1).t; next > t {
				visit(k+1, t, next, s)
			}
		}
	}
}

// one places a single hinge exactly.
func (l *lane) one(sign float64) place {
	var best place
	n := len(l.atoms)
	l.sweep(sign, func(active int, from, to float64, s *sums) {
		if active < l.segment || n-active < l.segment {
			return
		}
		uu := s.uu - dot(s.bu, s.bu)
		uv := s.uv - dot(s.bu, s.bv)
		vv := s.vv - dot(s.bv, s.bv)
		at := func(c float64) {
			norm := float64(float64(c*c)*uu) - float64(2*c*uv) + vv
			product := float64(c*s.yu) - s.yv
			if norm <= rounding*(float64(float64(c*c)*s.uu)+s.vv) || l.signed && product <= 0 {
				return
			}
			best.better(place{c: c, gain: product * product / norm, slope: product / norm})
		}
		at(from)
		at(to)
		// free coefficients of u and v; the hinge they make, b (c u - v), bends at
		// minus their ratio
		det := float64(uu*vv) - float64(uv*uv)
		if det <= rounding*float64(uu*vv) {
			return
		}
		au := float64(s.yu*vv) - float64(s.yv*uv)
		av := float64(s.yv*uu) - float64(s.yu*uv)
		if c := -au / av; c > from && c < to {
			at(c)
		}
	})
	best.c = -sign*best.c + l.centre
	return best
}
