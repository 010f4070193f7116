package task

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/quality"
)

// A closure is a run of three to 31 days on which a site uses less than 60 % of
// what weather and calendar let expect, by more than three robust deviations.
const (
	leastClosure = 3
	mostClosure  = 31
	closedShare  = 0.6
	closedShift  = 12 // days by which a closure may move from year to year
)

// closures finds the runs of low use of days; runs that up to three days part, a
// weekend, are one. listed days are judged by what the model expects of open ones.
func closures(f *baseline.Frame, fit *baseline.Fit, c *calendarDays) [][2]int {
	y, err := fit.Predict(f)
	if err != nil {
		return nil
	}
	level := levels(f.Energy, y)
	var dev []float64
	for i, v := range f.Energy {
		if e := math.Abs(v - level[i] - y[i]); !math.IsNaN(e) {
			dev = append(dev, e)
		}
		if k := c.closure(f.Start[i]); k >= 0 {
			closed, _ := fit.Coefficient(closureName(k))
			y[i] -= closed
		}
	}
	limit := 3 * 1.4826 * quality.Median(dev)
	low := func(i int) bool {
		v := f.Energy[i] - level[i]
		return v < closedShare*y[i] && y[i]-v > limit
	}
	var out [][2]int
	for i := range f.Start {
		if !low(i) {
			continue
		}
		if n := len(out); n > 0 && i-out[n-1][1] <= 3 {
			out[n-1][1] = i + 1
		} else {
			out = append(out, [2]int{i, i + 1})
		}
	}
	kept := out[:0]
	for _, r := range out {
		days := 0
		for i := r[0]; i < r[1]; i++ {
			if low(i) {
				days++
			}
		}
		if days >= leastClosure && r[1]-r[0] <= mostClosure {
			kept = append(kept, r)
		}
	}
	return kept
}

// levels are the running medians of what a series uses above what is expected, over
// two months: a change of level does not hide a closure.
func levels(x, expected []float64) []float64 {
	const around = 31
	out := make([]float64, len(x))
	for i := range x {
		var over []float64
		for k := max(i-around, 0); k < min(i+around+1, len(x)); k++ {
			if e := x[k] - expected[k]; !math.IsNaN(e) {
				over = append(over, e)
			}
		}
		if len(over) > 0 {
			out[i] = max(quality.Median(over), 0)
		}
	}
	return out
}

// findClosures looks for closures of the baseline, and for those of the reporting
// period at about the same place in the year, and lists them as closed days. A
// closure of one period only is no routine: it is left to the events.
func (a *answer) findClosures(fit *baseline.Fit, base, rep *baseline.Frame) bool {
	if rep == nil {
		return false
	}
	first, second := closures(base, fit, &a.calendar), closures(rep, fit, &a.calendar)
	a.calendar = calendarDays{}
	var list []any
	seen := map[string]bool{}
	add := func(f *baseline.Frame, run [2]int) {
		from, to := f.Start[run[0]].Format(time.DateOnly), f.Start[run[1]-1].Format(time.DateOnly)
		if seen[from] {
			return
		}
		seen[from] = true
		a.calendar.add(from+"/"+to, a.c.Task.Location)
		list = append(list, map[string]any{"from": from, "to": to})
	}
	for _, x := range first {
		a.calendar.kinds++ // a closure has its own level: in winter it saves heating too
		had := len(list)
		for _, y := range second {
			gap := math.Abs(float64(base.Start[(x[0]+x[1])/2].YearDay() - rep.Start[(y[0]+y[1]-1)/2].YearDay()))
			if min(gap, 365-gap) <= closedShift {
				add(base, x)
				add(rep, y)
			}
		}
		if len(list) == had {
			a.calendar.kinds--
		}
	}
	if len(list) == 0 {
		return false
	}
	a.set("closures", list)
	return true
}

// calendarOf are the listed days as effects, one for each closure; nil for none.
func (a *answer) calendarOf() []baseline.Effect {
	spans := make([][]baseline.Span, max(a.calendar.kinds, 1))
	for _, d := range a.calendar.dates {
		k := a.calendar.set[d]
		spans[k] = append(spans[k], baseline.Span{From: d, To: d})
	}
	var out []baseline.Effect
	for k, s := range spans {
		if len(s) > 0 {
			out = append(out, baseline.Effect{Kind: baseline.Closed, Label: closureName(k), Days: s})
		}
	}
	return out
}

// chooseWithClosures chooses a daily model, looks for closures with it, and chooses
// again when there are any.
func (a *answer) chooseWithClosures(base, rep *baseline.Frame) (*baseline.Fit, map[string]any, error) {
	a.towt = towtDays(base, rep)
	fit, all, err := a.chooseDaily(base)
	if err != nil || len(a.calendar.dates) > 0 || strings.Contains(strings.ToLower(a.c.Task.Model), "caltrack") {
		return fit, all, err
	}
	// A model that does not know the closures sees them badly: two more rounds.
	for range 3 {
		before := len(a.calendar.dates)
		if !a.findClosures(fit, base, rep) || len(a.calendar.dates) == before {
			break
		}
		if fit, all, err = a.chooseDaily(base); err != nil {
			return nil, nil, fmt.Errorf("with closures: %w", err)
		}
	}
	if n := len(a.calendar.dates); n > 0 {
		a.warn("closures on %d days that come in both periods are taken as routine: see closures", n)
	} else {
		delete(a.out, "closures")
	}
	return fit, all, nil
}

// closedHours makes the closures variables of hourly frames, and names them.
func (a *answer) closedHours(frames ...*baseline.Frame) []string {
	var names []string
	for _, e := range a.calendarOf() {
		names = append(names, e.Name())
	}
	for _, f := range frames {
		if f == nil || names == nil {
			continue
		}
		drivers := map[string][]float64{}
		for _, k := range sortedKeys(f.Drivers) {
			drivers[k] = f.Drivers[k]
		}
		for _, n := range names {
			drivers[n] = make([]float64, f.Len())
		}
		last, closure := -1, -1
		for i, t := range f.Start {
			if n := dayNumber(t); n != last {
				last, closure = n, a.calendar.closure(t)
			}
			if closure >= 0 {
				drivers[closureName(closure)][i] = 1
			}
		}
		f.Drivers = drivers
	}
	return names
}
