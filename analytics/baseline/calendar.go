package baseline

import (
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Effect is a regressor made from the calendar: one on the days of a class,
// else zero; on longer intervals, the number of such days.
type Effect struct {
	Kind string `json:"kind"`
	// Label names the effect in the fit; empty: Kind.
	Label string `json:"label,omitempty"`
	// Days are those of a closure.
	Days []Span `json:"days,omitempty"`
}

// Kinds of effects, beside "monday" to "sunday".
const (
	Weekend = "weekend" // Saturday and Sunday
	Holiday = "holiday" // public holiday of Alsace-Moselle, whatever the day of the week
	Off     = "off"     // weekend or holiday
	Closed  = "closed"  // days of closure that the plan lists
)

// Span is a run of civil days, both included, written 2006-01-02.
type Span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// Name is the name of the effect's coefficient.
func (e Effect) Name() string {
	if e.Label != "" {
		return e.Label
	}
	return e.Kind
}

func (e Effect) check() error {
	switch {
	case e.Kind == Closed:
		if len(e.Days) == 0 {
			return fmt.Errorf("calendar effect %q lists no days", e.Name())
		}
		for _, s := range e.Days {
			for _, d := range []string{s.From, s.To} {
				if _, err := time.Parse(time.DateOnly, d); err != nil {
					return fmt.Errorf("calendar effect %q: %q is no date such as 2006-01-02", e.Name(), d)
				}
			}
			if s.To < s.From {
				return fmt.Errorf("calendar effect %q: %s lies before %s", e.Name(), s.To, s.From)
			}
		}
	case e.Kind != Weekend && e.Kind != Holiday && e.Kind != Off && !slices.Contains(weekdays, e.Kind):
		return fmt.Errorf("no such calendar effect: %q; there are weekend, holiday, off, closed and the days of the week", e.Kind)
	}
	return nil
}

// holds says whether the civil day is of the class.
func (e Effect) holds(year int, month time.Month, day int) bool {
	t := time.Date(year, month, day, 12, 0, 0, 0, calendar.Paris)
	weekend := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
	switch e.Kind {
	case Weekend:
		return weekend
	case Holiday:
		return calendar.Holiday(t) != ""
	case Off:
		return weekend || calendar.Holiday(t) != ""
	case Closed:
		text := t.Format(time.DateOnly)
		return slices.ContainsFunc(e.Days, func(s Span) bool { return s.From <= text && text <= s.To })
	}
	return weekdays[t.Weekday()] == e.Kind
}

// column is the effect on every row.
func (e Effect) column(f *Frame) []float64 {
	x := make([]float64, f.Len())
	last, held := -1, 0.0
	for i, t := range f.Start {
		y, m, d := t.Date()
		if f.Step == Hour || f.Step == Day {
			if n := dayNumber(t); n != last {
				last, held = n, 0
				if e.holds(y, m, d) {
					held = 1
				}
			}
			x[i] = held
			continue
		}
		for k := range int(f.days(i) + 0.5) {
			if day := time.Date(y, m, d+k, 0, 0, 0, 0, time.UTC); e.holds(day.Date()) {
				x[i]++
			}
		}
	}
	return x
}
