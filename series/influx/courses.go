package influx

import (
	"slices"
	"strings"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// course is what Apply keeps of a series from one time to the next.
type course struct {
	id    metering.SeriesID
	unit  metering.Unit
	head  string // see lineHead
	sound bool   // its readings in this unit pass series.Check if nothing else is wrong
	known bool   // the bucket has it, in this unit
	round uint64 // the check that met it last
	at    int64  // newest instant in that check
	next  *course
}

// maxCourses bounds the series that are kept from one check to the next; with
// more, they are made anew.
const maxCourses = 1 << 17

// courses finds the course of each reading. Readings of the same series come in
// the same order again and again, so that the next is mostly found without
// looking for it.
type courses struct {
	all   map[metering.SeriesID]*course
	last  *course
	round uint64
	of    []*course // of each reading of the last check
	fresh []*course // that the bucket does not have yet
}

// check refuses readings that no store should hold. It says whether each series'
// readings ascend in time, so that none replaces another.
func (c *courses) check(readings []metering.Reading, units map[metering.SeriesID]metering.Unit) (ascending bool, err error) {
	c.round++
	if c.all == nil || len(c.all) >= maxCourses {
		c.all, c.last = make(map[metering.SeriesID]*course), nil
	}
	clear(c.fresh)
	c.of, c.fresh = c.of[:0], c.fresh[:0]
	ascending = true
	for i := range readings {
		r := &readings[i]
		s := c.find(r, units)
		usual := s.sound && r.Unit == s.unit && r.Quality == (metering.Quality{}) && r.At >= metering.EarliestMillis && r.At < metering.LatestMillis
		if !usual {
			if err := series.Check(*r); err != nil {
				return false, &series.RefusedError{Index: i, Reading: *r, Err: err}
			}
		}
		if s.round != c.round {
			s.round, s.at = c.round, r.At
			if !s.known {
				s.rename(r.Unit)
				c.fresh = append(c.fresh, s)
			}
		} else {
			ascending = ascending && r.At > s.at
			s.at = r.At
		}
		if s.unit != r.Unit {
			return false, &series.RefusedError{Index: i, Reading: *r, Err: &series.UnitError{Series: r.Series, Have: s.unit, Got: r.Unit}}
		}
		c.of = append(c.of, s)
	}
	return ascending, nil
}

func (c *courses) find(r *metering.Reading, units map[metering.SeriesID]metering.Unit) *course {
	if c.last != nil && c.last.next != nil && c.last.next.id == r.Series {
		c.last = c.last.next
		return c.last
	}
	s, ok := c.all[r.Series]
	if !ok {
		// The reading's strings may be parts of something large.
		s = &course{id: metering.SeriesID(strings.Clone(string(r.Series)))}
		unit, known := units[r.Series]
		if !known {
			unit = r.Unit
		}
		s.known = known
		s.rename(unit)
		c.all[s.id] = s
	}
	if c.last != nil {
		c.last.next = s
	}
	c.last = s
	return s
}

// rename puts a course in a unit.
func (s *course) rename(u metering.Unit) {
	if s.head != "" && s.unit == u {
		return
	}
	s.unit = metering.Unit(strings.Clone(string(u)))
	s.head = lineHead(s.id, s.unit)
	s.sound = series.Check(metering.Reading{Series: s.id, Unit: s.unit, At: metering.EarliestMillis}) == nil
}

// lastOfEach leaves out readings that a later one of the same series and
// instant replaces, so that the order within a request does not matter. The
// readings are those of the last check.
func (c *courses) lastOfEach(readings []metering.Reading) []metering.Reading {
	type key struct {
		s  *course
		at int64
	}
	seen := make(map[key]struct{}, len(readings))
	for i := range readings {
		seen[key{c.of[i], readings[i].At}] = struct{}{}
	}
	if len(seen) == len(readings) {
		return readings
	}
	kept := make([]metering.Reading, 0, len(seen))
	for i, r := range slices.Backward(readings) {
		k := key{c.of[i], r.At}
		if _, is := seen[k]; is {
			delete(seen, k)
			kept = append(kept, r)
		}
	}
	slices.Reverse(kept)
	return kept
}
