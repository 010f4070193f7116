package task

import (
	"math"
	"time"

	"github.com/thermie/thermie/analytics/nonroutine"
	"github.com/thermie/thermie/analytics/quality"
)

// dayLine are the reporting days with what they saved.
type dayLine struct {
	start []time.Time
	days  []nonroutine.Day
}

// savedDays sums the intervals of a ledger to civil days; hours that are not known
// count at the mean of the others of the day, if half are.
func savedDays(l *ledger, c *calendarDays) *dayLine {
	d := &dayLine{}
	if len(l.start) == 0 {
		return d
	}
	type sum struct{ saved, base, n, all float64 }
	by := map[int]*sum{}
	for i, t := range l.start {
		k := dayNumber(t)
		if by[k] == nil {
			by[k] = &sum{}
		}
		s := by[k]
		s.all++
		if !math.IsNaN(l.observed[i]) && !math.IsNaN(l.predicted[i]) {
			s.n++
			s.saved += l.predicted[i] - l.observed[i]
			s.base += l.predicted[i]
		}
	}
	y, m, day := l.start[0].Date()
	for t := time.Date(y, m, day, 0, 0, 0, 0, l.start[0].Location()); !t.After(l.start[len(l.start)-1]); t = t.AddDate(0, 0, 1) {
		x := nonroutine.Day{Saved: math.NaN(), Baseline: math.NaN(), Weekday: int(t.Weekday()), Special: c.special(t)}
		if s := by[dayNumber(t)]; s != nil && 2*s.n >= s.all && s.n > 0 {
			x.Saved, x.Baseline = s.saved*s.all/s.n, s.base*s.all/s.n
		}
		d.start, d.days = append(d.start, t), append(d.days, x)
	}
	return d
}

// events proposes the non-routine events of the reporting period.
func (a *answer) events(d, before *dayLine, base *data) {
	shutdowns(d, base)
	shutdowns(before, base)
	found := nonroutine.Detect(d.days, nonroutine.Options{Before: before.days})
	dates, list := []string{}, []any{}
	for _, e := range found.Events {
		date := d.start[e.Index].Format(time.DateOnly)
		dates = append(dates, date)
		list = append(list, map[string]any{"date": date, "change_per_day": e.Size, "se": e.SE, "share": e.Share, "z": e.Z, "status": "proposed"})
	}
	aside := []string{}
	for _, i := range found.SetAside {
		aside = append(aside, d.start[i].Format(time.DateOnly))
	}
	a.set("nre", map[string]any{"candidates": dates, "events": list, "days_set_aside": aside, "rho1": found.Rho, "least_change_per_day": found.Threshold,
		"note": "proposed only: nothing is adjusted before a person accepts it"})
	if len(dates) > 0 {
		a.warn("%d non-routine events are proposed: see nre", len(dates))
	}
}

// shutdowns marks reporting days as special that lie within ten days of the place
// in the year where the baseline had a run of three days or more far below its
// usual use: works holidays that come again.
func shutdowns(d *dayLine, base *data) {
	x := base.days.Energy
	limit := map[bool]float64{}
	for _, weekend := range []bool{false, true} {
		var v []float64
		for i, t := range base.days.Start {
			if !math.IsNaN(x[i]) && isWeekend(t) == weekend {
				v = append(v, x[i])
			}
		}
		limit[weekend] = 0.6 * quality.Median(v)
	}
	low := func(i int) bool {
		return !math.IsNaN(x[i]) && x[i] < limit[isWeekend(base.days.Start[i])]
	}
	closed := map[int]bool{} // days of the year
	for i := 0; i < len(x); {
		if !low(i) {
			i++
			continue
		}
		j := i
		for j < len(x) && (low(j) || math.IsNaN(x[j])) {
			j++
		}
		if n := j - i; n >= 3 && n <= 31 {
			for k := i - 10; k < j+10; k++ {
				closed[(base.days.Start[i].YearDay()+k-i+366)%366] = true
			}
		}
		i = j
	}
	for i, t := range d.start {
		if s := &d.days[i]; closed[t.YearDay()%366] && math.Abs(s.Saved) > 0.4*s.Baseline {
			s.Special = true
		}
	}
}

func isWeekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }
