package port

import (
	"math"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/simulator/weather"
)

// moment is what every plant knows at one step: time as people at the port live
// it, and the weather.
type moment struct {
	step       int
	unix       int64   // seconds, beginning of the step
	hour       float64 // of the civil day, 0 to 24
	weekday    time.Weekday
	yearDay    int
	holiday    bool // public holiday in Alsace
	august     bool // the summer stop of those who stop: two weeks from the first Monday of August
	christmas  bool // 24 December to 1 January
	outdoorC   float64
	smoothC    float64 // outdoor temperature as a building feels it: the mean of about a day
	waterC     float64 // cold tap water
	civilDay   int     // counts civil days
	sinceStart float64 // years since the beginning
}

// working says whether a site that works on the given weekdays (bit 0 Sunday)
// does so today, by its habits about holidays and stops.
func (m *moment) working(days uint8, stopsAugust, stopsChristmas bool) bool {
	return days>>uint(m.weekday)&1 == 1 && !m.holiday && !(stopsAugust && m.august) && !(stopsChristmas && m.christmas)
}

// Weekday sets, bit 0 is Sunday.
const (
	mondayToFriday   = 0b0111110
	mondayToSaturday = 0b1111110
	everyDay         = 0b1111111
)

// clock walks through time and keeps a moment up to date.
type clock struct {
	seed  uint64
	start time.Time
	sky   weather.Weather
	at    moment
	// The civil day in hand.
	midnight, tomorrow int64
}

func newClock(seed uint64, start time.Time) *clock {
	return &clock{seed: seed, start: start, sky: weather.Weather{Seed: seed}, at: moment{step: -1, civilDay: -1}}
}

// next moves to the following step.
func (c *clock) next() *moment {
	m := &c.at
	m.step++
	m.unix = c.start.Unix() + int64(m.step)*stepSeconds
	if m.unix >= c.tomorrow {
		c.newDay(time.Unix(m.unix, 0))
	}
	// On the two days of the change of time the clock is an hour off from
	// noon to midnight; nobody at the port lives by that hour's second.
	m.hour = float64(m.unix-c.midnight) / 3600
	if m.hour >= 3 {
		m.hour += 24 - float64(c.tomorrow-c.midnight)/3600
	}
	m.outdoorC = c.sky.At(float64(m.unix) + stepSeconds/2)
	if m.step == 0 {
		m.smoothC = m.outdoorC
	}
	m.smoothC += (m.outdoorC - m.smoothC) / stepsADay
	m.sinceStart = float64(m.step) / (365.25 * stepsADay)
	return m
}

func (c *clock) newDay(t time.Time) {
	m := &c.at
	day := calendar.Day(t)
	c.midnight, c.tomorrow = day.Unix(), calendar.NextDay(t).Unix()
	local := day.In(calendar.Paris)
	m.civilDay++
	m.weekday, m.yearDay = local.Weekday(), local.YearDay()
	m.holiday = calendar.Holiday(day) != ""
	_, month, date := local.Date()
	m.christmas = month == time.December && date >= 24 || month == time.January && date == 1
	first := time.Date(local.Year(), time.August, 1, 12, 0, 0, 0, calendar.Paris)
	monday := 1 + (8-int(first.Weekday()))%7
	m.august = month == time.August && date >= monday && date < monday+14
	m.waterC = 12 - 5*math.Cos(2*math.Pi*(float64(m.yearDay)-45)/365.25)
}

// chance is a uniform number in [0, 1) for a stream and an index.
func chance(seed, stream, index uint64) float64 {
	return float64(weather.Hash(seed, stream, index)>>11) / (1 << 53)
}

// wander is noise that remembers: a first-order autoregression with standard
// deviation 1, moved once a step.
type wander struct {
	stream uint64
	keep   float64 // of the last state, 0 to 1
	x      float64
}

func (w *wander) next(seed uint64, step int) float64 {
	// The sum of two uniform numbers is close enough to normal; both come from
	// the halves of one hash. Its standard deviation is 1/sqrt(6).
	h := weather.Hash(seed, w.stream, uint64(step))
	u := float64(uint32(h))/(1<<32) + float64(h>>32)/(1<<32) - 1
	w.x = float64(w.keep*w.x) + math.Sqrt(6*(1-w.keep*w.keep))*u
	return w.x
}

// breakdown is a machine that fails at random and is repaired.
type breakdown struct {
	stream   uint64
	perYear  float64
	minHours float64
	maxHours float64
	until    int // step at which it works again
}

func (b *breakdown) down(seed uint64, step int) bool {
	if step < b.until {
		return true
	}
	if chance(seed, b.stream, uint64(step)) < b.perYear/(365.25*stepsADay) {
		hours := b.minHours + (b.maxHours-b.minHours)*chance(seed, b.stream+1000, uint64(step))
		b.until = step + int(hours*stepsAnHour)
		return true
	}
	return false
}

// clip holds x between low and high.
func clip(x, low, high float64) float64 { return math.Max(low, math.Min(high, x)) }

// ramp is 0 below from, 1 above to, linear between.
func ramp(x, from, to float64) float64 { return clip((x-from)/(to-from), 0, 1) }
