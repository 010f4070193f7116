package knownkey

import (
	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// table holds the multiples of a point that make multiplying it a sum: for each
// window of bits of the scalar, the point's multiples by 1 to 2^(bits-1) times
// the window's place. Digits are signed, so that half of the multiples will do.
type table struct {
	bits    int
	windows [][]multiple
}

// multiple is an affine point in the form that is cheapest to add: y+x, y-x and
// 2dxy (Hisil, Wong, Carter, Dawson 2008).
type multiple struct{ sum, difference, product field.Element }

// curveD is the d of edwards25519, -121665/121666.
var curveD = func() field.Element {
	var one, n, d field.Element
	one.One()
	n.Mult32(&one, 121665)
	d.Mult32(&one, 121666)
	d.Invert(&d)
	n.Multiply(&n, &d)
	return *n.Negate(&n)
}()

// scalarBits is one more than a reduced scalar has.
const scalarBits = 254

func newTable(p *edwards25519.Point, bits int) *table {
	half := 1 << (bits - 1)
	n := (scalarBits + bits - 1) / bits
	points := make([]edwards25519.Point, 0, n*half)
	base := new(edwards25519.Point).Set(p)
	for range n {
		at := len(points)
		points = append(points, *base)
		for i := 1; i < half; i++ {
			points = append(points, *new(edwards25519.Point).Add(&points[at+i-1], base))
		}
		base = new(edwards25519.Point).Double(&points[at+half-1]) // the next window's place
	}
	all := affine(points)
	t := &table{bits: bits, windows: make([][]multiple, n)}
	for i := range t.windows {
		t.windows[i] = all[i*half : (i+1)*half]
	}
	return t
}

// affine brings points into affine form with one inversion for all of them
// (Montgomery's trick).
func affine(points []edwards25519.Point) []multiple {
	before := make([]field.Element, len(points)) // product of the Z before each
	var product field.Element
	product.One()
	for i := range points {
		before[i] = product
		_, _, z, _ := points[i].ExtendedCoordinates()
		product.Multiply(&product, z)
	}
	var inverse field.Element
	inverse.Invert(&product)
	out := make([]multiple, len(points))
	for i := len(points) - 1; i >= 0; i-- {
		var one, x, y field.Element
		px, py, pz, _ := points[i].ExtendedCoordinates()
		one.Multiply(&inverse, &before[i])
		inverse.Multiply(&inverse, pz)
		x.Multiply(px, &one)
		y.Multiply(py, &one)
		m := &out[i]
		m.sum.Add(&y, &x)
		m.difference.Subtract(&y, &x)
		m.product.Multiply(&x, &y)
		m.product.Multiply(&m.product, &curveD)
		m.product.Add(&m.product, &m.product)
	}
	return out
}

// sum is a point in extended coordinates.
type sum struct{ x, y, z, t field.Element }

func (s *sum) zero() {
	s.x.Zero()
	s.y.One()
	s.z.One()
	s.t.Zero()
}

// addMultiple adds a scalar, 32 bytes of little end, times the table's point. How
// long it takes depends on the scalar: it is for public ones.
func (s *sum) addMultiple(t *table, scalar []byte) {
	carry := 0
	for i, window := range t.windows {
		digit := bitsOf(scalar, i*t.bits, t.bits) + carry
		carry = 0
		if digit > len(window) {
			digit -= 2 * len(window)
			carry = 1
		}
		switch {
		case digit > 0:
			s.add(&window[digit-1], false)
		case digit < 0:
			s.add(&window[-digit-1], true)
		}
	}
}

// bitsOf returns n bits of a number of 32 bytes, from bit at on; those beyond its
// end are 0.
func bitsOf(b []byte, at, n int) int {
	i := at / 8
	if i >= len(b) {
		return 0
	}
	w := int(b[i])
	if i+1 < len(b) {
		w |= int(b[i+1]) << 8
	}
	return w >> (at % 8) & (1<<n - 1)
}

// add adds an affine point, or its negative: the mixed addition madd-2008-hwcd-3 of
// the Explicit Formulas Database, complete on this curve. The negative has -x, so
// that sum and difference change places and the product its sign.
func (s *sum) add(m *multiple, negative bool) {
	plus, minus := &m.sum, &m.difference
	if negative {
		plus, minus = minus, plus
	}
	var a, b, c, d, e, f, g, h field.Element
	a.Subtract(&s.y, &s.x)
	a.Multiply(&a, minus)
	b.Add(&s.y, &s.x)
	b.Multiply(&b, plus)
	c.Multiply(&s.t, &m.product)
	d.Add(&s.z, &s.z)
	e.Subtract(&b, &a)
	f.Subtract(&d, &c)
	g.Add(&d, &c)
	if negative {
		f, g = g, f
	}
	h.Add(&b, &a)
	s.x.Multiply(&e, &f)
	s.y.Multiply(&g, &h)
	s.z.Multiply(&f, &g)
	s.t.Multiply(&e, &h)
}

// point checks that the sum is on the curve; false can only mean that the
// machine computes wrongly.
func (s *sum) point() (*edwards25519.Point, bool) {
	p, err := new(edwards25519.Point).SetExtendedCoordinates(&s.x, &s.y, &s.z, &s.t)
	return p, err == nil
}
