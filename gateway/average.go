package gateway

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/thermie/thermie/metering"
)

// averager turns the readings of some gauges into their mean, least and greatest
// over each batch interval. What it does not average passes.
type averager struct {
	mu     sync.Mutex
	series map[metering.SeriesID]*window
}

// window is what came of one series since the last batch.
type window struct {
	sum          metering.Decimal
	low, high    metering.Decimal
	good, polls  int
	last         metering.Reading // the last one with a number, else the last
	overflow     bool
	least, great metering.SeriesID
}

func newAverager(series []metering.SeriesID) *averager {
	a := &averager{series: make(map[metering.SeriesID]*window, len(series))}
	for _, id := range series {
		a.series[id] = newWindow(id)
	}
	return a
}

func newWindow(id metering.SeriesID) *window {
	q := id.Quantity()
	return &window{least: metering.Series(id.Meter(), q.Least()), great: metering.Series(id.Meter(), q.Greatest())}
}

// take keeps the readings to be averaged and returns the others.
func (a *averager) take(readings []metering.Reading) []metering.Reading {
	if len(a.series) == 0 {
		return readings
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	pass := make([]metering.Reading, 0, len(readings))
	for _, r := range readings {
		if w := a.series[r.Series]; w != nil {
			w.add(r)
		} else {
			pass = append(pass, r)
		}
	}
	return pass
}

func (w *window) add(r metering.Reading) {
	w.polls++
	if r.Quality.Level != metering.Good {
		if w.good == 0 {
			w.last = r
		}
		return
	}
	sum, err := w.sum.Add(r.Number)
	if err != nil {
		w.overflow = true
	}
	w.sum = sum
	if w.good == 0 || r.Number.Cmp(w.low) < 0 {
		w.low = r.Number
	}
	if w.good == 0 || r.Number.Cmp(w.high) > 0 {
		w.high = r.Number
	}
	w.good++
	w.last = r
}

// close gives the means, and what goes with them, of what came since the last
// call, in the order of the series.
func (a *averager) close() (out []metering.Reading) {
	if len(a.series) == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(a.series)) {
		w := a.series[id]
		if w.polls == 0 {
			continue
		}
		out = append(out, w.readings()...)
		a.series[id] = &window{least: w.least, great: w.great}
	}
	return out
}

// readings are the mean at the instant of the last reading that is in it, and
// the extremes at the same. With no good reading the last one stands for the
// interval as it came; with fewer than half, the mean is suspect (estimated).
func (w *window) readings() []metering.Reading {
	if w.good == 0 {
		return []metering.Reading{w.last}
	}
	mean := w.last
	number, err := w.mean()
	if err != nil {
		mean.Number, mean.Quality = metering.Decimal{}, metering.Quality{Level: metering.Missing, Reason: metering.OutOfBounds}
		return []metering.Reading{mean}
	}
	mean.Number = number
	if 2*w.good < w.polls {
		mean.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Estimated}
	}
	least, greatest := mean, mean
	least.Series, least.Number = w.least, w.low
	greatest.Series, greatest.Number = w.great, w.high
	return []metering.Reading{mean, least, greatest}
}

// mean is the arithmetic mean of polls that are equally far apart, to two
// decimals more than the meter gives.
func (w *window) mean() (metering.Decimal, error) {
	if w.overflow {
		return metering.Decimal{}, fmt.Errorf("sum of %d readings: %w", w.good, metering.ErrRange)
	}
	n, exp := int64(w.good), w.sum.Exp-2
	coef, err := w.sum.Rescale(exp)
	if err != nil { // more digits than fit: as many as there are
		exp = w.sum.Exp
		coef = w.sum.Coef
	}
	half := n / 2
	if coef < 0 {
		half = -half
	}
	return metering.Decimal{Coef: (coef + half) / n, Exp: exp}.Normal(), nil
}
