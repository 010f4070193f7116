package savings

import (
	"fmt"
	"sort"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Data is what a plan is evaluated on: its series on one grid of hours.
type Data struct {
	// From is the first instant of a civil day; hour i is [From + i h, From + (i+1) h).
	// Civil days in Europe/Paris begin on whole hours, those of 23 and 25 h too.
	From  time.Time
	Hours int
	// Series holds every series that the plan names, and those that tell faults of
	// its heat meters. One that is absent has never been read.
	Series map[metering.SeriesID]*Series
	// Declarations are added to those of the plan; Span ends are instants of days.
	Declarations []Declared
	// Classes gives the registry's accuracy class of a meter, for plans that name none.
	Classes map[string]string
}

// Series is one series on the grid of hours.
type Series = align.Series

// Event is something that happened to a series.
type Event = align.Event

func (d *Data) check() error {
	if d.Hours < 24 || d.Hours > 24*366*30 {
		return fmt.Errorf("data of %d hours: want a day to 30 years", d.Hours)
	}
	if !d.From.Equal(calendar.Day(d.From)) {
		return fmt.Errorf("data from %s: want the beginning of a civil day", d.From.UTC().Format(time.RFC3339))
	}
	for id, s := range d.Series {
		if len(s.Amount) != d.Hours || len(s.Covered) != d.Hours || s.Split != nil && len(s.Split) != d.Hours+1 {
			return fmt.Errorf("series %s: %d amounts and %d covers for %d hours", id, len(s.Amount), len(s.Covered), d.Hours)
		}
		for i, a := range s.Amount {
			if !finite(a) || !(s.Covered[i] >= 0 && s.Covered[i] <= 1) {
				return fmt.Errorf("series %s, hour %d: amount %v, covered %v", id, i, a, s.Covered[i])
			}
		}
	}
	return nil
}

// grid is the data's civil days as bounds in hours from Data.From.
type grid struct {
	days  []time.Time // n+1 bounds
	hours []int       // the same as hour numbers
}

// whole civil days from d.From up to until.
func (d *Data) grid(until time.Time) grid {
	end := d.From.Add(time.Duration(d.Hours) * time.Hour)
	if until.Before(end) {
		end = until
	}
	g := grid{days: []time.Time{d.From}, hours: []int{0}}
	for {
		next := calendar.NextDay(g.days[len(g.days)-1])
		if next.After(end) {
			return g
		}
		g.days = append(g.days, next)
		g.hours = append(g.hours, int(next.Sub(d.From)/time.Hour))
	}
}

// index is the first day that begins at or after t, at most the number of days.
func (g grid) index(t time.Time) int {
	i := sort.Search(len(g.days), func(i int) bool { return !g.days[i].Before(t) })
	return min(i, len(g.days)-1)
}

func (g grid) n() int { return len(g.days) - 1 }
