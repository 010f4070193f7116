package task

import (
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
)

// calendarDays are days that a task lists as holidays or closures.
type calendarDays struct {
	dates []string
	set   map[string]int // the closure that each belongs to, from 0
	kinds int            // closures that are told apart
}

// add lists days as one more of the last closure.
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
		d := t.Format(time.DateOnly)
		if c.set == nil {
			c.set = map[string]int{}
		}
		if _, had := c.set[d]; !had {
			c.set[d] = max(c.kinds-1, 0)
			c.dates = append(c.dates, d)
		}
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

// own is a copy that can grow alone.
func (c *calendarDays) own() calendarDays {
	d := calendarDays{set: map[string]int{}, kinds: c.kinds}
	for _, x := range c.dates {
		d.set[x] = c.set[x]
		d.dates = append(d.dates, x)
	}
	return d
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
	_, ok := c.set[t.Format(time.DateOnly)]
	return ok
}

// closure is which of the closures a day belongs to; -1 for none.
func (c *calendarDays) closure(t time.Time) int {
	if k, ok := c.set[t.Format(time.DateOnly)]; ok {
		return k
	}
	return -1
}

// closureName is the name of a closure's variable.
func closureName(k int) string { return closurePrefix + strconv.Itoa(k+1) }

const closurePrefix = "closed "
