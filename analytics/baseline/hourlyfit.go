package baseline

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Figures of CalTRACK 2.0, section 3.9 and 3.10, and of LBNL's time of week and
// temperature model.
const (
	occupancyShare = 0.65 // hours of the week with more positive residuals are occupied
	occupancyHeatF = 50   // degree-hours of the model behind it, degF
	occupancyCoolF = 65
	minBinHours    = 20  // a temperature bin with fewer hours is joined to its neighbour
	minDays        = 60  // of a model of the days of the week
	minCoverage    = 0.9 // of the hours of a segment
	maxColumns     = 16  // bins and drivers of a class
)

var (
	calTRACKEndsF   = []float64{30, 45, 55, 65, 75, 90}
	timeOfWeekEndsF = []float64{40, 55, 65, 80, 90}
)

// HourlyOptions are the options of the hourly models.
type HourlyOptions struct {
	// Single makes one model of the whole year instead of one for each month
	// (CalTRACKHourly; TimeOfWeek always does).
	Single bool
	// TimeScaleDays weights the hours by their distance in time to a row of
	// centres this far apart (TimeOfWeek; LBNL's tools take 14). It bends the
	// model towards the end of the baseline, so that it is zero unless asked for.
	TimeScaleDays float64
	// HolidaysAsSunday gives public holidays the hours of a Sunday.
	HolidaysAsSunday bool
	// Drivers are further linear regressors, apart for both classes of hours.
	Drivers []string
}

// ModelTimeOfWeek is the name of that model.
const ModelTimeOfWeek = "TOWT"

// CalTRACKHourly fits the hourly method of CalTRACK 2.0: for each month a model
// of that month and, with half the weight, its neighbours.
func CalTRACKHourly(frame *Frame, o HourlyOptions) (*Fit, error) {
	if o.TimeScaleDays != 0 {
		return nil, fmt.Errorf("%s: weights in time belong to the model %s", ModelCalTRACKHourly, ModelTimeOfWeek)
	}
	p := &hourProblem{options: o, ends: calTRACKEndsF, perClass: true, model: ModelCalTRACKHourly}
	return p.run(frame)
}

// TimeOfWeek fits LBNL's time of week and temperature model (Mathieu et al.,
// IEEE Transactions on Smart Grid 2, 2011): one model of the whole frame, with
// occupied and unoccupied hours apart. On daily frames it is one of the days of the
// week. Predictions are not clipped at zero.
func TimeOfWeek(frame *Frame, o HourlyOptions) (*Fit, error) {
	o.Single = true
	p := &hourProblem{options: o, ends: timeOfWeekEndsF, model: ModelTimeOfWeek}
	return p.run(frame)
}

// hourProblem is the work on one frame.
type hourProblem struct {
	options  HourlyOptions
	ends     []float64 // degF
	perClass bool      // bins are checked apart for occupied and unoccupied hours
	model    string

	frame  *Frame
	h      *Hourly
	clocks []clock
	rows   []int // with known energy and variables

}

func (p *hourProblem) run(frame *Frame) (*Fit, error) {
	if err := frame.check(true); err != nil {
		return nil, err
	}
	if err := p.prepare(frame); err != nil {
		return nil, fmt.Errorf("%s: %w", p.model, err)
	}
	f := &Fit{Model: p.model, Hourly: p.h, Spec: Spec{Shape: Mean, Drivers: p.options.Drivers}}
	if p.h.ByMonth {
		for m := range 12 {
			p.h.Segments = append(p.h.Segments, p.segment(time.Month(m+1).String(), p.h.weight(m, p), nil))
		}
	} else {
		p.h.Segments = []Segment{p.segment("all", p.h.weight(0, p), nil)}
		if p.options.TimeScaleDays > 0 {
			p.centres()
		}
	}
	return f, p.measure(f)
}

func (p *hourProblem) prepare(frame *Frame) error {
	p.frame = frame
	p.h = &Hourly{ByMonth: !p.options.Single, HolidaysAsSunday: p.options.HolidaysAsSunday, Drivers: p.options.Drivers, TimeScaleDays: p.options.TimeScaleDays}
	if err := p.h.needs(frame); err != nil {
		return err
	}
	if len(p.ends)+1+len(p.options.Drivers) > maxColumns {
		return fmt.Errorf("%d drivers are too many", len(p.options.Drivers))
	}
	p.clocks = p.h.clocks(frame)
	p.rows = make([]int, 0, frame.Len())
	for i, y := range frame.Energy {
		s := y + frame.Temperature[i]
		for _, name := range p.options.Drivers {
			s += frame.Drivers[name][i]
		}
		if !math.IsNaN(s) && !math.IsInf(s, 0) {
			p.rows = append(p.rows, i)
		}
	}
	least := 2 * hoursOfWeek
	if frame.Step == Day {
		least = minDays
	}
	if len(p.rows) < least {
		return fmt.Errorf("%d intervals are known, a model of the time of the week needs %d", len(p.rows), least)
	}
	return nil
}

// centres replaces the single model by one for each centre in time, with the
// same occupancy and bins.
func (p *hourProblem) centres() {
	whole := p.h.Segments[0]
	p.h.Segments = nil
	scale := p.options.TimeScaleDays
	step := time.Duration(scale * 24 * float64(time.Hour))
	first, last := p.frame.Start[p.rows[0]], p.frame.Start[p.rows[len(p.rows)-1]]
	for c := first; ; c = c.Add(step) {
		if c.After(last) {
			c = last
		}
		centre := c
		p.h.Segments = append(p.h.Segments, Segment{Centre: &centre})
		k := len(p.h.Segments) - 1
		p.h.Segments[k] = p.segment(centre.Format(time.DateOnly), p.h.weight(k, p), &whole)
		p.h.Segments[k].Centre = &centre
		if !c.Before(last) {
			return
		}
	}
}

// segment fits one model. weight is zero for hours that are not of the segment;
// like gives occupancy and end points, nil to find them.
func (p *hourProblem) segment(name string, weight func(i int) float64, like *Segment) Segment {
	s := Segment{Name: name, HourOfWeek: make(Levels, hoursOfWeek)}
	for k := range s.HourOfWeek {
		s.HourOfWeek[k] = math.NaN()
	}
	rows, w := p.members(weight)
	all := 0
	for i := range p.clocks {
		if weight(i) > 0 {
			all++
		}
	}
	if all > 0 {
		s.Coverage = float64(len(rows)) / float64(all)
	}
	if len(rows) == 0 {
		s.Warm, s.Idle = p.empty(), p.empty()
		return s
	}
	if like != nil {
		s.Occupied = like.Occupied
		s.Warm.EndsC, s.Idle.EndsC = like.Warm.EndsC, like.Idle.EndsC
	} else {
		s.Occupied = p.occupied(rows, w)
	}
	busy := s.occupancy()
	if like == nil {
		s.Warm.EndsC, s.Idle.EndsC = p.endPoints(rows, busy)
	}
	p.slopes(&s, &s.Warm, rows, w, func(how int) bool { return busy[how] })
	p.slopes(&s, &s.Idle, rows, w, func(how int) bool { return !busy[how] })
	return s
}

// weight gives the weight of the rows of a problem in segment k.
func (h *Hourly) weight(k int, p *hourProblem) func(i int) float64 {
	switch {
	case h.ByMonth:
		return func(i int) float64 {
			switch (p.clocks[i].month - k + 12) % 12 {
			case 0:
				return 1
			case 1, 11:
				return 0.5
			}
			return 0
		}
	case h.TimeScaleDays > 0 && k < len(h.Segments) && h.Segments[k].Centre != nil:
		centre := *h.Segments[k].Centre
		return func(i int) float64 { return nearness(p.frame.Start[i], centre, h.TimeScaleDays) }
	}
	return func(int) float64 { return 1 }
}

// members are the known rows of a segment with their weights.
func (p *hourProblem) members(weight func(i int) float64) (rows []int, w []float64) {
	for _, i := range p.rows {
		if v := weight(i); v > 0 {
			rows = append(rows, i)
			w = append(w, v)
		}
	}
	return rows, w
}

func (p *hourProblem) empty() Slopes {
	return Slopes{EndsC: []float64{}, PerC: make([]float64, 1), Drivers: make([]float64, len(p.options.Drivers))}
}

// occupied finds the hours of the week at which more than 65 % of the hours lie
// above a regression on heating and cooling degree-hours.
func (p *hourProblem) occupied(rows []int, w []float64) []int {
	n := len(rows)
	room := make([]float64, 4*n)
	one, heat, cool, y := room[:n], room[n:2*n], room[2*n:3*n], room[3*n:]
	for k, i := range rows {
		t := p.frame.Temperature[i]
		one[k], y[k] = 1, p.frame.Energy[i]
		heat[k] = max(Fahrenheit(occupancyHeatF)-t, 0)
		cool[k] = max(t-Fahrenheit(occupancyCoolF), 0)
	}
	s := leastSquares([][]float64{one, heat, cool}, y, w)
	var above, count [hoursOfWeek]int
	for k, i := range rows {
		how := p.clocks[i].how
		count[how]++
		if y[k] > s.coef[0]+float64(s.coef[1]*heat[k])+float64(s.coef[2]*cool[k]) {
			above[how]++
		}
	}
	out := []int{}
	for how := range hoursOfWeek {
		if count[how] > 0 && float64(above[how])/float64(count[how]) > occupancyShare {
			out = append(out, how)
		}
	}
	return out
}

// endPoints finds the temperature bins of both classes, in degC.
func (p *hourProblem) endPoints(rows []int, busy []bool) (warm, idle []float64) {
	var byClass [2][]float64
	for _, i := range rows {
		c := 0
		if p.perClass && busy[p.clocks[i].how] {
			c = 1
		}
		byClass[c] = append(byClass[c], p.frame.Temperature[i])
	}
	ends := make([]float64, len(p.ends))
	for k, f := range p.ends {
		ends[k] = Fahrenheit(f)
	}
	if p.perClass {
		return joinBins(byClass[1], ends), joinBins(byClass[0], ends)
	}
	kept := dropOuter(byClass[0], ends)
	return kept, kept
}

// joinBins takes end points away until every bin has enough hours: the outer
// bins first, then the right end of inner ones, and again (CalTRACK 2.0, 3.9.1).
func joinBins(t, ends []float64) []float64 {
	ends = slices.Clone(ends)
	for len(ends) > 0 {
		count := make([]int, len(ends)+1)
		for _, v := range t {
			k, _ := slices.BinarySearch(ends, v) // bins are closed on the right
			count[k]++
		}
		last := len(count) - 1
		lost := make([]bool, len(ends))
		if count[0] < minBinHours {
			lost[0] = true
		}
		if count[last] < minBinHours {
			lost[last-1] = true
		}
		if !slices.Contains(lost, true) {
			for k := 1; k < last; k++ {
				lost[k] = lost[k] || count[k] < minBinHours
			}
		}
		if !slices.Contains(lost, true) {
			break
		}
		kept := ends[:0]
		for k, e := range ends {
			if !lost[k] {
				kept = append(kept, e)
			}
		}
		ends = kept
	}
	return ends
}

// dropOuter takes outer end points away until enough hours lie beyond them
// (LBNL).
func dropOuter(t, ends []float64) []float64 {
	beyond := func(keep func(v float64) bool) (n int) {
		for _, v := range t {
			if keep(v) {
				n++
			}
		}
		return n
	}
	for len(ends) > 0 && beyond(func(v float64) bool { return v > ends[len(ends)-1] }) < minBinHours {
		ends = ends[:len(ends)-1]
	}
	for len(ends) > 0 && beyond(func(v float64) bool { return v < ends[0] }) < minBinHours {
		ends = ends[1:]
	}
	return slices.Clone(ends)
}
