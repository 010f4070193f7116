package align

import (
	"math/bits"
	"sort"
	"time"

	"github.com/thermie/thermie/metering"
)

// factor brings the series' unit to that of its amounts: joules to kWh.
func (t *Track) factor() float64 {
	if t.Source.Unit == metering.Joule {
		return 1 / 3.6e6
	}
	return 1
}

// Increase is what a register grew in [from, to), exactly: increases over the
// parts of any partition add up to that of the whole. It is in the series' own
// unit. Beyond the first and last reading there is none.
func (t *Track) Increase(from, to time.Time) metering.Decimal {
	if t.Kind != metering.Counter || len(t.at) == 0 {
		return metering.Decimal{}
	}
	return metering.Decimal{Coef: t.sumAt(to.UnixMilli()) - t.sumAt(from.UnixMilli()), Exp: t.exp}
}

// sumAt is the unwrapped count at an instant.
func (t *Track) sumAt(ms int64) int64 {
	i := sort.Search(len(t.at), func(i int) bool { return t.at[i] >= ms })
	switch {
	case i == len(t.at):
		return t.sum[i-1]
	case i == 0 || t.at[i] == ms:
		return t.sum[i]
	}
	return t.between(i, ms)
}

// between interpolates between knots i-1 and i, rounded down.
func (t *Track) between(i int, ms int64) int64 {
	return t.sum[i-1] + mulDiv(t.sum[i]-t.sum[i-1], ms-t.at[i-1], t.at[i]-t.at[i-1])
}

// mulDiv is d*a/b rounded towards zero, for 0 <= a <= b.
func mulDiv(d, a, b int64) int64 {
	neg := d < 0
	if neg {
		d = -d
	}
	hi, lo := bits.Mul64(uint64(d), uint64(a))
	q, _ := bits.Div64(hi, lo, uint64(b))
	if neg {
		return -int64(q)
	}
	return int64(q)
}

// On lays the track on a grid.
func (t *Track) On(g Grid) *Series {
	s := &Series{Amount: make([]float64, g.Steps), Covered: make([]float64, g.Steps), Last: t.Last}
	for _, e := range t.Events {
		if e.From.Before(g.To()) && !e.To.Before(g.From) {
			s.Events = append(s.Events, e)
		}
	}
	if len(t.at) == 0 || g.Steps == 0 {
		return s
	}
	if t.Kind == metering.Counter {
		t.counterOn(g, s)
	} else {
		t.gaugeOn(g, s)
	}
	return s
}

func (t *Track) counterOn(g Grid, s *Series) {
	start, step := g.From.UnixMilli(), g.Step.Milliseconds()
	factor := t.factor()
	k := sort.Search(len(t.at), func(i int) bool { return t.at[i] > start }) // first knot after the bound
	before := t.sumAt(start)
	for i := range s.Amount {
		lo, hi := start+int64(i)*step, start+int64(i+1)*step
		covered := int64(0)
		sum := before
		for {
			if k == 0 {
				if t.at[0] >= hi {
					break
				}
				k = 1 // nothing before the first reading
				sum = t.sum[0]
				continue
			}
			if k == len(t.at) {
				sum = t.sum[k-1]
				break
			}
			if !t.open[k] {
				covered += min(t.at[k], hi) - max(t.at[k-1], lo)
			}
			if t.at[k] > hi {
				sum = t.between(k, hi)
				break
			}
			sum = t.sum[k]
			k++
			if t.at[k-1] == hi {
				break
			}
		}
		s.Amount[i] = metering.Decimal{Coef: sum - before, Exp: t.exp}.Float64() * factor
		s.Covered[i] = share(covered, step)
		before = sum
	}
	t.splits(g, s, factor)
}

func share(part, whole int64) float64 {
	return min(max(float64(part)/float64(whole), 0), 1)
}

// splits records the doubt about the amounts of gaps at the bounds inside them.
func (t *Track) splits(g Grid, s *Series, factor float64) {
	start, step := g.From.UnixMilli(), g.Step.Milliseconds()
	for k := 1; k < len(t.at); k++ {
		if !t.open[k] {
			continue
		}
		d := t.sum[k] - t.sum[k-1]
		if d == 0 || t.at[k] <= start {
			continue
		}
		amount := metering.Decimal{Coef: d, Exp: t.exp}.Float64() * factor
		first := max((t.at[k-1]-start)/step, 0)
		for b := first; b <= int64(g.Steps); b++ {
			ms := start + b*step
			if ms >= t.at[k] {
				break
			}
			if ms <= t.at[k-1] {
				continue
			}
			if s.Split == nil {
				s.Split = make([]float64, g.Steps+1)
			}
			s.Split[b] += gapVariance(amount, float64(ms-t.at[k-1])/float64(t.at[k]-t.at[k-1]))
		}
	}
}

func (t *Track) gaugeOn(g Grid, s *Series) {
	start, step := g.From.UnixMilli(), g.Step.Milliseconds()
	held := make([]int64, g.Steps)
	end := start + int64(g.Steps)*step
	first := sort.Search(len(t.at), func(i int) bool { return t.at[i] > start })
	hole := 0
	for k := max(first-1, 0); k < len(t.at) && t.at[k] < end; k++ {
		lo, hi := t.at[k], t.at[k]+t.maxGap
		if k+1 < len(t.at) {
			hi = min(hi, t.at[k+1])
		}
		for hole < len(t.holes) && t.holes[hole].to <= lo {
			hole++
		}
		if hole < len(t.holes) && t.holes[hole].from <= lo {
			continue
		}
		lo, hi = max(lo, start), min(hi, end)
		for lo < hi {
			i := (lo - start) / step
			until := min(hi, start+(i+1)*step)
			s.Amount[i] += float64(t.number[k] * float64(until-lo))
			held[i] += until - lo
			lo = until
		}
	}
	factor := t.factor()
	for i, ms := range held {
		if ms > 0 {
			s.Amount[i] = s.Amount[i] / float64(ms) * factor
			s.Covered[i] = share(ms, step)
		}
	}
}
