package savings

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/metering"
)

// micro is the grain of amounts: a day's amount is rounded to a millionth of
// the indicator's unit, half away from zero, and longer periods are sums of
// these integers.
const micro = 1e6

// ledger holds, for each indicator and civil day, the amount and everything
// that makes it uncertain, so that any period is a sum over its days.
type ledger struct {
	days    int
	entries map[metering.Indicator]*entry
	common  map[string]bool // sources that other synergies share: factors, weather
}

// entry is one indicator.
type entry struct {
	amount  []int64   // micro-units a day
	covered []float64 // hours covered a day
	hours   []float64 // hours that should be covered
	// systematic holds, by source, the change of each day's amount when the source
	// moves by its 90 % half width. A source keeps its sign over time: its days
	// add linearly.
	systematic map[string][]float64
	sources    []string // the keys of systematic, in order of first use
	// split is the variance that gaps across a day's bound put on either side; only
	// the two bounds of a period count, those inside it cancel.
	split    []float64
	declared []bool
	// model gives the half widths of the model's part for days [i, j).
	models []modelPart
}

// modelPart is an adjusted baseline's part in an indicator.
type modelPart struct {
	key  string // common source of the coefficients' error: the weather station, "" for none
	band func(i, j int) (coef, scatter float64)
}

func newLedger(days int) *ledger {
	return &ledger{days: days, entries: map[metering.Indicator]*entry{}, common: map[string]bool{}}
}

func (l *ledger) entry(i metering.Indicator) *entry {
	e := l.entries[i]
	if e == nil {
		e = &entry{amount: make([]int64, l.days), covered: make([]float64, l.days), hours: make([]float64, l.days),
			systematic: map[string][]float64{}, split: make([]float64, l.days+1), declared: make([]bool, l.days)}
		l.entries[i] = e
	}
	return e
}

// source returns the effects of a source, made on first use.
func (e *entry) source(key string) []float64 {
	s := e.systematic[key]
	if s == nil {
		s = make([]float64, len(e.amount))
		e.systematic[key] = s
		e.sources = append(e.sources, key)
	}
	return s
}

func toMicro(x float64) int64 { return int64(math.Round(x * micro)) }

// total is an indicator over days [i, j).
type total struct {
	amount   float64
	variance float64            // of the independent parts, in units of half widths squared
	common   map[string]float64 // half widths of shared sources, with sign
	coverage float64
	declared bool
}

func (e *entry) total(l *ledger, i, j int) total {
	t := total{common: map[string]float64{}}
	var sum int64
	covered, hours := 0.0, 0.0
	for d := i; d < j; d++ {
		sum += e.amount[d]
		covered += e.covered[d]
		hours += e.hours[d]
		t.declared = t.declared || e.declared[d]
	}
	t.amount = float64(sum) / micro
	if hours > 0 {
		t.coverage = min(math.Round(covered/hours*1e6)/1e6, 1)
	}
	for _, key := range e.sources {
		s := 0.0
		for _, x := range e.systematic[key][i:j] {
			s += x
		}
		if l.common[key] {
			t.common[key] += s
		} else {
			t.variance += float64(s * s)
		}
	}
	edges := e.split[i] + e.split[j]
	t.variance += float64(z90 * z90 * edges)
	for _, m := range e.models {
		coef, scatter := m.band(i, j)
		t.variance += float64(scatter * scatter)
		if m.key != "" {
			t.common[m.key] += coef
		} else {
			t.variance += float64(coef * coef)
		}
	}
	return t
}

// half90 adds independent parts and shared sources in quadrature.
func (t total) half90() float64 {
	v := t.variance
	for _, key := range slices.Sorted(maps.Keys(t.common)) {
		v += float64(t.common[key] * t.common[key])
	}
	return roundHalf(math.Sqrt(v))
}

// roundHalf rounds a half width to a millionth of its unit.
func roundHalf(x float64) float64 { return math.Round(x*micro) / micro }

// note is a text that belongs to the periods that it touches.
type note struct {
	from, to time.Time // zero: always
	text     metering.Text
}

func (n note) touches(from, to time.Time) bool {
	return (n.from.IsZero() || n.from.Before(to)) && (n.to.IsZero() || from.Before(n.to))
}
