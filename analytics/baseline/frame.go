package baseline

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Step is the length of the intervals of a frame.
type Step string

// The steps. Period stands for invoices and other intervals of unequal length.
const (
	Hour   Step = "hour"
	Day    Step = "day"
	Week   Step = "week"
	Month  Step = "month"
	Period Step = "period"
)

// Frame is a table of intervals in order of time. What is not known is NaN, or
// has no row at all.
type Frame struct {
	Step        Step
	Start       []time.Time          // of each interval; civil time is that of their location
	Energy      []float64            // per interval; may be nil in a frame to predict
	Temperature []float64            // mean of the interval, degC; nil when no model needs it
	Daily       [][]float64          // for steps longer than a day: mean temperature of each of its days, degC; degree-days are then averaged over days
	Days        []float64            // length of each interval in days; nil: from Step and Start
	Drivers     map[string][]float64 // production and other variables, per interval
}

// Len is the number of rows.
func (f *Frame) Len() int { return len(f.Start) }

// check says what is wrong with the shape of the frame.
func (f *Frame) check(energy bool) error {
	n := f.Len()
	if n == 0 {
		return fmt.Errorf("the table has no rows")
	}
	lengths := map[string]int{"temperature": len(f.Temperature), "daily temperatures": len(f.Daily), "days": len(f.Days)}
	if energy || f.Energy != nil {
		lengths["energy"] = len(f.Energy)
	}
	for name, column := range f.Drivers {
		lengths["driver "+name] = len(column)
	}
	for name, l := range lengths {
		if l != n && (l != 0 || name == "energy") {
			return fmt.Errorf("the table has %d rows, its column of %s has %d", n, name, l)
		}
	}
	for i := 1; i < n; i++ {
		if !f.Start[i].After(f.Start[i-1]) {
			return fmt.Errorf("rows are not in order of time: %s follows %s", f.Start[i].Format(time.RFC3339), f.Start[i-1].Format(time.RFC3339))
		}
	}
	return nil
}

// days is the length of row i in days.
func (f *Frame) days(i int) float64 {
	if f.Days != nil {
		return f.Days[i]
	}
	switch f.Step {
	case Hour:
		return 1.0 / 24
	case Week:
		return 7
	case Month:
		y, m, _ := f.Start[i].Date()
		return float64(time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day())
	case Period:
		if len(f.Daily) > i && len(f.Daily[i]) > 0 {
			return float64(len(f.Daily[i])) // the next row may lie beyond a gap
		}
		if i+1 < f.Len() {
			return float64(dayNumber(f.Start[i+1]) - dayNumber(f.Start[i]))
		}
		return math.NaN()
	}
	return 1
}

// dayNumber counts civil days; differences are numbers of days.
func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Index numbers the rows in time: neighbours differ by one, a gap counts the
// steps that are missing. Periods of unequal length are simply counted.
func (f *Frame) Index() []int {
	index := make([]int, f.Len())
	for i, t := range f.Start {
		switch f.Step {
		case Hour:
			index[i] = int(t.Unix() / 3600)
		case Day:
			index[i] = dayNumber(t)
		case Week:
			index[i] = int(math.Round(float64(dayNumber(t)+3) / 7))
		case Month:
			y, m, _ := t.Date()
			index[i] = y*12 + int(m) - 1
		default:
			index[i] = i
		}
	}
	return index
}

// Rows is the frame with rows [from, to) only; it shares memory.
func (f *Frame) Rows(from, to int) *Frame {
	cut := func(s []float64) []float64 {
		if s == nil {
			return nil
		}
		return s[from:to:to]
	}
	g := &Frame{Step: f.Step, Start: f.Start[from:to:to], Energy: cut(f.Energy), Temperature: cut(f.Temperature), Days: cut(f.Days)}
	if f.Daily != nil {
		g.Daily = f.Daily[from:to:to]
	}
	if f.Drivers != nil {
		g.Drivers = make(map[string][]float64, len(f.Drivers))
		for name, s := range f.Drivers {
			g.Drivers[name] = cut(s)
		}
	}
	return g
}

// Between is the frame with the rows that start in [from, to); it shares memory.
func (f *Frame) Between(from, to time.Time) *Frame {
	at := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(f.Start, t, func(a, b time.Time) int { return a.Compare(b) })
		return i
	}
	i := at(from)
	return f.Rows(i, max(i, at(to)))
}

// Fahrenheit is a temperature given in degF, in degC.
func Fahrenheit(f float64) float64 { return (f - 32) * 5 / 9 }
