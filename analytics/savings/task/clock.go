package task

import "time"

// clock tells the two instants apart that one civil time has in autumn, when the
// hour from two to three comes twice, by the line that came before.
type clock struct{ last map[string]time.Time } // by meter

// tell returns the instant that a civil time without a zone means: of two, the
// first that comes after the line before, unless that is further away than the hour
// that comes twice.
func (c *clock) tell(at time.Time, meter string) time.Time {
	first, second := at, at
	if early := at.Add(-time.Hour); early.Hour() == at.Hour() {
		first = early
	} else if late := at.Add(time.Hour); late.Hour() == at.Hour() {
		second = late
	}
	last, known := c.last[meter]
	if c.last == nil {
		c.last = map[string]time.Time{}
	}
	at = first
	if known && !last.Before(first) && last.Sub(first) <= time.Hour {
		at = second
	}
	c.last[meter] = at
	return at
}
