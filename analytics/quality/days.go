package quality

import (
	"math"
	"time"
)

// Day is a civil day made of hours.
type Day struct {
	Start       time.Time // first instant
	Hours       int       // 23, 24 or 25
	Known       int       // hours with a value
	Value       float64   // scaled to the whole day; NaN when too few hours are known
	Temperature float64   // degC; NaN when too few hours are known
}

// Scaled says that missing hours were counted at the mean of the others.
func (d *Day) Scaled() bool { return !math.IsNaN(d.Value) && d.Known < d.Hours }

// Date is the civil date, 2006-01-02.
func (d *Day) Date() string { return d.Start.Format(time.DateOnly) }

// Days makes civil days of hours; days of which hours lie outside are left out.
func (h *Hours) Days(r Rules) []Day {
	var out []Day
	end := h.At(len(h.Value))
	for t := h.From.In(r.Location); ; {
		y, m, d := t.Date()
		start := time.Date(y, m, d, 0, 0, 0, 0, r.Location)
		next := time.Date(y, m, d+1, 0, 0, 0, 0, r.Location)
		if next.After(end) {
			return out
		}
		t = next
		if start.Before(h.From) {
			continue
		}
		i, j := int(start.Sub(h.From)/time.Hour), int(next.Sub(h.From)/time.Hour)
		day := Day{Start: start, Hours: j - i, Temperature: math.NaN()}
		day.Known, day.Value = scaled(h.Value[i:j], r.MinDayShare)
		if h.Temperature != nil {
			_, sum := scaled(h.Temperature[i:j], r.MinDayShare)
			day.Temperature = sum / float64(j-i)
		}
		out = append(out, day)
	}
}

// scaled is the sum over all values with those missing at the mean of the others;
// NaN unless more than the share is known.
func scaled(x []float64, share float64) (known int, sum float64) {
	for _, v := range x {
		if !math.IsNaN(v) {
			known++
			sum += v
		}
	}
	switch {
	case known == len(x):
		return known, sum
	case float64(known) <= share*float64(len(x)):
		return known, math.NaN()
	}
	return known, sum * float64(len(x)) / float64(known)
}
