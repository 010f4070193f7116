package importer

import (
	"fmt"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
)

// civil turns the civil times of a file, in its order, into instants.
type civil struct {
	zone *time.Location
	last time.Time
}

// at is the instant of a wall clock's time that follows those before. A time
// that the clock shows twice is the first of the two that is later than the one
// before, so that a file of the night in October is read as it was written.
func (c *civil) at(wall time.Time) (time.Time, error) {
	y, m, d := wall.Date()
	guess := time.Date(y, m, d, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), c.zone)
	var fits []time.Time
	for _, t := range []time.Time{guess.Add(-time.Hour), guess, guess.Add(time.Hour)} {
		if t.Format(wallLayout) == wall.Format(wallLayout) {
			fits = append(fits, t)
		}
	}
	if len(fits) == 0 {
		return guess, fmt.Errorf("%s does not exist in %s: clocks went forward: %w", wall.Format("2006-01-02 15:04"), c.zone, ErrFormat)
	}
	t := fits[0]
	if len(fits) > 1 && !t.After(c.last) {
		t = fits[1]
	}
	c.last = t
	return t, nil
}

const wallLayout = "2006-01-02T15:04:05.999999999"

// instants reads times with an offset as they are, and others as civil times.
type instants struct {
	layouts []string // tried in turn
	civil   civil
}

// newInstants reads RFC 3339 and the given layouts, in a zone where they have no offset.
func newInstants(zone *time.Location, layouts ...string) *instants {
	return &instants{layouts: append([]string{time.RFC3339, "2006-01-02T15:04:05-0700"}, layouts...), civil: civil{zone: zone}}
}

func (i *instants) parse(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range i.layouts {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if strings.ContainsAny(layout, "Z") || strings.Contains(layout, "-07") {
			i.civil.last = t
			return t, nil
		}
		return i.civil.at(t)
	}
	return time.Time{}, fmt.Errorf("time %q: %w", s, ErrFormat)
}

// layoutOf translates the signs of strftime that mapping files use.
func layoutOf(format string) (string, error) {
	out := strings.NewReplacer("%Y", "2006", "%m", "01", "%d", "02", "%H", "15", "%M", "04", "%S", "05", "%y", "06", "%z", "-0700").Replace(format)
	if strings.Contains(out, "%") {
		return "", fmt.Errorf("time format %q: known are %%Y %%y %%m %%d %%H %%M %%S %%z", format)
	}
	return out, nil
}

// day is the civil day of a date, as instants.
func day(t time.Time) (from, to time.Time) {
	from = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, calendar.Paris)
	return from, calendar.NextDay(from)
}
