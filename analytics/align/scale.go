package align

import (
	"math"
	"slices"

	"github.com/thermie/thermie/metering"
)

// scale brings all readings to one exponent, three digits finer than the
// register's own where there is room, so that amounts split over time are not
// coarse.
func (u *unwrapper) scale(ps []metering.Point) []int64 {
	lo, size := int8(math.MaxInt8), 0.0
	note := func(d metering.Decimal) {
		if d = d.Normal(); d.Coef != 0 {
			lo = min(lo, d.Exp)
			size = max(size, math.Abs(d.Float64()))
		}
	}
	for i := range ps {
		note(ps[i].Number)
	}
	for _, x := range u.t.Source.Exchanges {
		if x.Quantity == u.t.Source.Series.Quantity() {
			note(x.OldFinal)
			note(x.NewStart)
		}
	}
	if u.t.Source.Rollover != nil {
		note(*u.t.Source.Rollover)
	}
	if lo == math.MaxInt8 {
		lo = 0
	}
	// The unwrapped count may pass through a thousand capacities.
	fits := func(e int8) bool { return size/math.Pow10(int(e)) < float64(math.MaxInt64)/1e4 }
	own := lo
	for !fits(own) {
		own++ // the finest at which the largest register fits; what is finer is rounded
	}
	exp := own
	for exp > own-3 && fits(exp-1) {
		exp--
	}
	u.t.exp = exp
	u.unit = 1
	for e := exp; e < own; e++ {
		u.unit *= 10
	}
	coefs := make([]int64, len(ps))
	for i := range ps {
		coefs[i] = u.count(ps[i].Number)
	}
	for _, x := range u.t.Source.Exchanges {
		if x.Quantity == u.t.Source.Series.Quantity() {
			u.exchanges = append(u.exchanges, exchange{at: x.At.UnixMilli(), old: u.count(x.OldFinal), new: u.count(x.NewStart)})
		}
	}
	slices.SortFunc(u.exchanges, func(a, b exchange) int { return int(max(min(a.at-b.at, 1), -1)) })
	u.capacities(size)
	return coefs
}

var powers = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// count is a number in units of 10^exp, rounded half away from zero where it is
// finer.
func (u *unwrapper) count(d metering.Decimal) int64 {
	if d.Coef == 0 {
		return 0
	}
	by := int(d.Exp) - int(u.t.exp)
	if by >= 0 {
		return d.Coef * powers[min(by, 18)] // fits: see scale
	}
	if -by > 18 {
		return 0
	}
	p := powers[-by]
	q, r := d.Coef/p, d.Coef%p
	if r >= p-r && r > 0 {
		q++
	} else if -r >= p+r && r < 0 {
		q--
	}
	return q
}

// capacities lists where a register of this size may begin again: its stated
// capacity, powers of ten, and 2^16, 2^24, 2^31, 2^32 counts of any decimal weight.
func (u *unwrapper) capacities(size float64) {
	if u.t.Source.Rollover != nil {
		u.capacity = u.count(*u.t.Source.Rollover)
	}
	top := size / math.Pow10(int(u.t.exp))
	for _, base := range []float64{1, 1 << 16, 1 << 24, 1 << 31, 1 << 32} {
		for k := -12; k <= 18; k++ {
			c := base * math.Pow10(k)
			if c >= 100*float64(u.unit) && c <= 1.2*top && c == math.Trunc(c) {
				u.candidates = append(u.candidates, int64(c))
			}
		}
		// The first power beyond what was seen: the register stopped just short of it.
		if base == 1 && top > 0 {
			if c := math.Pow10(int(math.Ceil(math.Log10(top)))); c < math.MaxInt64/2 && c >= 100*float64(u.unit) {
				u.candidates = append(u.candidates, int64(c))
			}
		}
	}
	slices.Sort(u.candidates)
	u.candidates = slices.Compact(u.candidates)
}

// learn finds how fast the register runs when it runs fast.
func (u *unwrapper) learn(ps []metering.Point, coefs []int64) {
	var h histogram
	for i := 1; i < len(ps); i++ {
		if d := coefs[i] - coefs[i-1]; d > 0 {
			h.add(float64(d) / float64(ps[i].At-ps[i-1].At))
		}
	}
	if h.n >= learnFrom {
		u.rate = aLotFaster * h.quantile(0.99)
	}
}
