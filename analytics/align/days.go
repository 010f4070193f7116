package align

import (
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Day counts the readings of one civil day.
type Day struct {
	From                   time.Time // the day's first instant
	Good, Suspect, Missing int
	// Cadence is the most frequent distance of the day's readings, in which
	// readings without a number count too; 0 for fewer than two.
	Cadence time.Duration
}

// Expected is how many readings a day, or the part of it before now, should
// have: one each interval, or each cadence where readings came more seldom by
// design (history that was imported at a coarser step).
func (d Day) Expected(interval time.Duration, now time.Time) int {
	end := calendar.NextDay(d.From)
	if now.Before(end) {
		end = now
	}
	step := max(interval, d.Cadence)
	if step <= 0 || !d.From.Before(end) {
		return 0
	}
	return max(int(end.Sub(d.From)/step), 0)
}

// count fills Days.
func (t *Track) count(raw []metering.Point) {
	var until int64
	var c spacing
	for i := range raw {
		p := &raw[i]
		if p.At >= until || len(t.Days) == 0 {
			if n := len(t.Days); n > 0 {
				t.Days[n-1].Cadence = c.most()
			}
			c.reset()
			day := calendar.Day(instant(p.At))
			for n := len(t.Days); n > 0 && calendar.NextDay(t.Days[n-1].From).Before(day); n = len(t.Days) {
				t.Days = append(t.Days, Day{From: calendar.NextDay(t.Days[n-1].From)})
			}
			t.Days = append(t.Days, Day{From: day})
			until = calendar.NextDay(day).UnixMilli()
		} else {
			c.add(p.At - raw[i-1].At)
		}
		d := &t.Days[len(t.Days)-1]
		switch p.Quality.Level {
		case metering.Good:
			d.Good++
		case metering.Suspect:
			d.Suspect++
		default:
			d.Missing++
		}
	}
	if n := len(t.Days); n > 0 {
		t.Days[n-1].Cadence = c.most()
	}
}

// spacing counts distances in whole seconds; a day has few different ones.
type spacing struct {
	seconds [32]int64
	count   [32]int
	n       int
}

func (s *spacing) reset() { s.n = 0 }

func (s *spacing) add(ms int64) {
	sec := (ms + 500) / 1000
	for k := range s.n {
		if s.seconds[k] == sec {
			s.count[k]++
			if k > 0 && s.count[k] > s.count[k-1] { // the frequent ones to the front
				s.seconds[k], s.seconds[k-1] = s.seconds[k-1], s.seconds[k]
				s.count[k], s.count[k-1] = s.count[k-1], s.count[k]
			}
			return
		}
	}
	if s.n < len(s.seconds) {
		s.seconds[s.n], s.count[s.n] = sec, 1
		s.n++
	}
}

func (s *spacing) most() time.Duration {
	best, n := int64(0), 0
	for k := range s.n {
		if s.count[k] > n || s.count[k] == n && s.seconds[k] < best {
			best, n = s.seconds[k], s.count[k]
		}
	}
	return time.Duration(best) * time.Second
}
