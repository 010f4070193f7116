package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Hourly holds the coefficients of a model of the hour of the week (of the day of
// the week, on daily frames) and the temperature: one model for each segment of the year or of time, each with a
// level for every hour of the week, and slopes of the temperature between end
// points, apart for occupied and unoccupied hours.
type Hourly struct {
	// ByMonth: segment m predicts calendar month m+1. Otherwise all segments
	// predict every hour, weighted by the distance in time to their centre.
	ByMonth bool `json:"by_month,omitempty"`
	// TimeScaleDays is the scale of that weight; zero with a single segment.
	TimeScaleDays float64 `json:"time_scale_days,omitempty"`
	// HolidaysAsSunday gives public holidays the hours of the week of a Sunday.
	HolidaysAsSunday bool      `json:"holidays_as_sunday,omitempty"`
	Drivers          []string  `json:"drivers,omitempty"`
	Segments         []Segment `json:"segments"`
}

// hoursOfWeek is the number of hours of a week; hour 0 is Monday 00:00 to 01:00,
// civil time.
const hoursOfWeek = 168

// Segment is the model of a part of the data.
type Segment struct {
	Name       string     `json:"name"`
	Centre     *time.Time `json:"centre,omitempty"`
	Occupied   []int      `json:"occupied"` // hours of the week
	HourOfWeek Levels     `json:"hour_of_week"`
	// Warm holds the slopes of occupied hours, Idle those of unoccupied ones.
	Warm     Slopes  `json:"occupied_slopes"`
	Idle     Slopes  `json:"unoccupied_slopes"`
	Coverage float64 `json:"coverage"` // share of the hours of its months that have data
}

// Slopes are the temperature response and the drivers of a class of hours.
type Slopes struct {
	EndsC   []float64 `json:"ends_c"`  // end points of the temperature bins, degC
	PerC    []float64 `json:"per_c"`   // one more than end points; energy per degC inside the bin
	Drivers []float64 `json:"drivers"` // coefficients of the drivers
	Dropped int       `json:"dropped"` // columns that move together with others: slope zero
}

// Levels are numbers by hour of the week, NaN (in JSON null) where there was no
// data.
type Levels []float64

// MarshalJSON writes NaN as null.
func (l Levels) MarshalJSON() ([]byte, error) {
	out := make([]*float64, len(l))
	for i := range l {
		if !math.IsNaN(l[i]) {
			out[i] = &l[i]
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads null as NaN.
func (l *Levels) UnmarshalJSON(b []byte) error {
	var in []*float64
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*l = make(Levels, len(in))
	for i, v := range in {
		(*l)[i] = math.NaN()
		if v != nil {
			(*l)[i] = *v
		}
	}
	return nil
}

// clock is what the model needs to know of an hour.
type clock struct {
	how   int // hour of the week
	month int // 0 to 11
}

// clocks reads the calendar of every row, in the location of its start.
func (h *Hourly) clocks(f *Frame) []clock {
	out := make([]clock, f.Len())
	holiday, last := false, -1
	for i, t := range f.Start {
		hour := t.Hour()
		if hour == 0 || last < 0 || i > 0 && t.Sub(f.Start[i-1]) != time.Hour {
			last = -1
		}
		if last < 0 {
			_, m, _ := t.Date()
			last = int(t.Weekday()+6)%7*24 | int(m-1)<<8
			if h.HolidaysAsSunday {
				y, m, d := t.Date()
				holiday = calendar.Holiday(time.Date(y, m, d, 12, 0, 0, 0, calendar.Paris)) != ""
			}
		}
		out[i] = clock{how: last&255 + hour, month: last >> 8}
		if holiday {
			out[i].how = 6*24 + hour
		}
	}
	return out
}

// bins spreads a temperature over the bins between the end points: up to the
// first, from each to the next, beyond the last.
func bins(t float64, ends, out []float64) {
	if len(ends) == 0 {
		out[0] = t
		return
	}
	out[0] = min(t, ends[0])
	for k := 1; k < len(ends); k++ {
		out[k] = min(max(t-ends[k-1], 0), ends[k]-ends[k-1])
	}
	out[len(ends)] = max(t-ends[len(ends)-1], 0)
}

// evaluate predicts row i with a segment.
func (h *Hourly) evaluate(s *Segment, f *Frame, i, how int, occupied bool, room []float64) float64 {
	c := &s.Idle
	if occupied {
		c = &s.Warm
	}
	y := s.HourOfWeek[how]
	x := room[:len(c.PerC)]
	bins(f.Temperature[i], c.EndsC, x)
	for k, b := range c.PerC {
		y += float64(b * x[k])
	}
	for k, b := range c.Drivers {
		y += float64(b * f.Drivers[h.Drivers[k]][i])
	}
	return y
}

// predict gives every hour of a frame.
func (h *Hourly) predict(f *Frame) ([]float64, error) {
	if err := h.needs(f); err != nil {
		return nil, err
	}
	out := make([]float64, f.Len())
	clocks := h.clocks(f)
	occupied := make([][]bool, len(h.Segments))
	for k := range h.Segments {
		occupied[k] = h.Segments[k].occupancy()
	}
	var room [16]float64
	for i, c := range clocks {
		if len(h.Segments) == 1 {
			out[i] = h.evaluate(&h.Segments[0], f, i, c.how, occupied[0][c.how], room[:])
			continue
		}
		if h.ByMonth {
			out[i] = h.evaluate(&h.Segments[c.month], f, i, c.how, occupied[c.month][c.how], room[:])
			continue
		}
		sw, sy := 0.0, 0.0
		for k := range h.Segments {
			s := &h.Segments[k]
			if y := h.evaluate(s, f, i, c.how, occupied[k][c.how], room[:]); !math.IsNaN(y) {
				w := nearness(f.Start[i], *s.Centre, h.TimeScaleDays)
				sw += w
				sy += float64(w * y)
			}
		}
		out[i] = sy / sw
	}
	return out, nil
}

// nearness is τ²/(τ²+(t-c)²).
func nearness(t, centre time.Time, scaleDays float64) float64 {
	d := t.Sub(centre).Hours() / 24 / scaleDays
	return 1 / (1 + float64(d*d))
}

func (s *Segment) occupancy() []bool {
	out := make([]bool, hoursOfWeek)
	for _, o := range s.Occupied {
		out[o] = true
	}
	return out
}

// needs says which column of the frame is missing.
func (h *Hourly) needs(f *Frame) error {
	if f.Step != Hour && (f.Step != Day || h.ByMonth) {
		return fmt.Errorf("the table has steps of a %s: the time of the week needs hours or days, and monthly segments hours", f.Step)
	}
	if len(f.Temperature) != f.Len() {
		return errors.New("a model of the time of the week needs temperatures, and the table has none")
	}
	for _, name := range h.Drivers {
		if len(f.Drivers[name]) != f.Len() {
			return fmt.Errorf("the table has no driver %q", name)
		}
	}
	return nil
}
