package series

import (
	"math/big"
	"math/bits"
	"time"

	"github.com/thermie/thermie/metering"
)

// Gatherer fills windows from points that ascend in time. Means are exact sums,
// rounded once to a float and divided by the count, so they do not depend on
// how a store keeps its points.
type Gatherer struct {
	bounds []int64
	out    []Window
	i      int // the window being filled
	sum    Sum
}

// Gather begins empty windows between bounds, see [CheckBounds].
func Gather(bounds []time.Time) (*Gatherer, error) {
	ms, err := CheckBounds(bounds)
	if err != nil {
		return nil, err
	}
	g := &Gatherer{bounds: ms, out: make([]Window, len(bounds)-1)}
	for i := range g.out {
		g.out[i].From, g.out[i].To = bounds[i], bounds[i+1]
	}
	return g, nil
}

// Span is the first and the last bound in Unix milliseconds.
func (g *Gatherer) Span() (from, to int64) { return g.bounds[0], g.bounds[len(g.bounds)-1] }

// Inside returns the bounds in (from, to). from does not go back from call to call.
func (g *Gatherer) Inside(from, to int64) []int64 {
	k := g.i
	for k < len(g.bounds) && g.bounds[k] <= from {
		k++
	}
	n := k
	for n < len(g.bounds) && g.bounds[n] < to {
		n++
	}
	return g.bounds[k:n]
}

// At moves on to the window that holds the instant, which is within Span, and
// returns it with the sum of its numbers, for aggregates made beforehand.
func (g *Gatherer) At(at int64) (*Window, *Sum) {
	if at >= g.bounds[g.i+1] {
		g.close()
		// Doubling steps, then halving: windows without points cost little.
		step := 1
		for g.i+step < len(g.out) && at >= g.bounds[g.i+step] {
			g.i += step
			step *= 2
		}
		for ; step > 0; step /= 2 {
			if g.i+step < len(g.out) && at >= g.bounds[g.i+step] {
				g.i += step
			}
		}
	}
	return &g.out[g.i], &g.sum
}

// close computes the mean of the window being filled.
func (g *Gatherer) close() {
	w := &g.out[g.i]
	if n := w.Numbers(); n > 0 {
		w.Mean = g.sum.Float64() / float64(n)
	}
	g.sum = Sum{}
}

// Add takes the next point; one outside Span is passed over.
func (g *Gatherer) Add(p metering.Point) {
	if from, to := g.Span(); p.At < from || p.At >= to {
		return
	}
	w, sum := g.At(p.At)
	switch p.Quality.Level {
	case metering.Missing:
		w.Missing++
		return
	case metering.Suspect:
		w.Suspect++
	default:
		w.Good++
	}
	v := p.Number.Float64()
	if w.Numbers() == 1 {
		w.First, w.Min, w.Max = p, v, v
	}
	w.Last = p
	w.Min, w.Max = min(w.Min, v), max(w.Max, v)
	sum.Add(p.Number)
}

// Windows ends the gathering.
func (g *Gatherer) Windows() []Window {
	g.close()
	return g.out
}

// Sum is a sum of decimals without rounding, good for 2^27 numbers and more:
// hi:lo is a 128-bit integer at exponent exp, and rest takes what does not fit
// there. The zero Sum is 0.
type Sum struct {
	hi   int64
	lo   uint64
	exp  int8
	used bool
	rest *big.Rat
}

// Add adds a number.
func (e *Sum) Add(d metering.Decimal) {
	coef, exp := d.Coef, d.Exp
	if coef == 0 {
		return
	}
	if !e.used {
		e.exp, e.used = exp, true
	}
	switch {
	case exp > e.exp:
		c, err := d.Rescale(e.exp)
		if err != nil {
			e.spill(coef, exp)
			return
		}
		coef = c
	case exp < e.exp:
		if !e.lower(exp) {
			e.spill(coef, exp)
			return
		}
	}
	lo, carry := bits.Add64(e.lo, uint64(coef), 0)
	e.lo = lo
	e.hi += coef>>63 + int64(carry)
}

// lower brings the sum to a smaller exponent, unless it could then overflow.
func (e *Sum) lower(exp int8) bool {
	sum := e.big()
	sum.Mul(sum, tenTo(int(e.exp)-int(exp)))
	if sum.BitLen() > 100 { // room for 2^27 more numbers
		return false
	}
	e.exp = exp
	e.lo = new(big.Int).And(sum, new(big.Int).SetUint64(^uint64(0))).Uint64()
	e.hi = new(big.Int).Rsh(sum, 64).Int64()
	return true
}

func (e *Sum) big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(e.hi), 64)
	return b.Add(b, new(big.Int).SetUint64(e.lo))
}

func (e *Sum) spill(coef int64, exp int8) {
	if e.rest == nil {
		e.rest = new(big.Rat)
	}
	e.rest.Add(e.rest, rat(big.NewInt(coef), exp))
}

// Float64 is the nearest float64 of the sum.
func (e *Sum) Float64() float64 {
	if e.rest == nil && e.hi == int64(e.lo)>>63 {
		return metering.Decimal{Coef: int64(e.lo), Exp: e.exp}.Float64()
	}
	sum := rat(e.big(), e.exp)
	if e.rest != nil {
		sum.Add(sum, e.rest)
	}
	f, _ := sum.Float64()
	return f
}

func rat(n *big.Int, exp int8) *big.Rat {
	r := new(big.Rat).SetInt(n)
	if exp < 0 {
		return r.Quo(r, new(big.Rat).SetInt(tenTo(-int(exp))))
	}
	return r.Mul(r, new(big.Rat).SetInt(tenTo(int(exp))))
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
