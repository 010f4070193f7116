package task

import (
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
)

// calendarDays are days that a task lists as holidays or closures.
type calendarDays struct{ dates []string }

func (c *calendarDays) add(s string, loc *time.Location) {
	from, to, ok := strings.Cut(s, "/")
	if !ok {
		to = from
	}
	a, _, err := instant(from, loc)
	b, _, err2 := instant(to, loc)
	if err != nil || err2 != nil {
		return
	}
	for t := a; !t.After(b) && len(c.dates) < 5000; t = t.AddDate(0, 0, 1) {
		c.dates = append(c.dates, t.Format(time.DateOnly))
	}
}

func (c *calendarDays) addTable(t *table) {
	for i, at := range t.time {
		to := at
		if t.end != nil && !t.end[i].IsZero() {
			to = t.end[i]
		}
		c.add(at.Format(time.DateOnly)+"/"+to.Format(time.DateOnly), at.Location())
	}
}

// special says whether a civil day is a public holiday, lies between one and a
// weekend, or is listed.
func (c *calendarDays) special(t time.Time) bool {
	if c.listed(t) {
		return true
	}
	y, m, d := t.Date()
	at := func(k int) time.Time { return time.Date(y, m, d+k, 12, 0, 0, 0, calendar.Paris) }
	if calendar.Holiday(at(0)) != "" {
		return true
	}
	bridge := t.Weekday() == time.Friday && calendar.Holiday(at(-1)) != "" || t.Weekday() == time.Monday && calendar.Holiday(at(1)) != ""
	yearEnd := m == time.December && d >= 24 || m == time.January && d <= 2
	return bridge || yearEnd
}

func (c *calendarDays) listed(t time.Time) bool {
	s := t.Format(time.DateOnly)
	for _, d := range c.dates {
		if d == s {
			return true
		}
	}
	return false
}
