package baseline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Choice says which models are tried.
type Choice struct {
	Shapes   []Shape  // nil: all
	Drivers  []string // each taken in or left out
	Calendar []Effect // each taken in or left out
	// Positive are drivers whose coefficient must not be below zero.
	Positive []string
	// Keep is in every model: drivers, effects, per day, least segment. Its
	// shape is not read.
	Keep Spec
	// HourOfWeek also tries the models of the time of the week with all drivers:
	// hours on hourly frames, days on daily ones.
	HourOfWeek bool
}

// exhaustive is the number of models up to which every combination is tried.
const exhaustive = 512

// Why a model lost.
const (
	whyCriterion = "its criterion is greater"
	whySign      = "no change point gives slopes of the right sign"
)

// Choose fits every shape with every combination of drivers and calendar
// effects and takes the model with the least
//
//	n' ln(SSE/n) + p ln n',   n' = n (1-ρ)/(1+ρ)
//
// the Bayesian information criterion (Schwarz 1978) of as many independent rows
// as the residuals tell: ρ is their lag-1 correlation, not below zero, under the
// richest model. Neighbouring days are alike, and counting them as independent
// would let in variables that explain noise. Change points count as parameters.
// Models with a slope or a driver of the wrong sign do not take part. With more
// than 512 combinations, each shape starts with all variables and loses one after
// the other as long as the criterion falls. All models see the same rows. The
// candidates of the fit hold the best of each shape and the best few of all, with
// why they lost.
func Choose(frame *Frame, c Choice) (*Fit, error) {
	if err := frame.check(true); err != nil {
		return nil, err
	}
	if c.Shapes == nil {
		c.Shapes = Shapes
		if len(frame.Temperature) == 0 && len(frame.Daily) == 0 {
			c.Shapes = []Shape{Mean}
		}
	}
	common, err := knowing(frame, append(slices.Clone(c.Keep.Drivers), c.Drivers...))
	if err != nil {
		return nil, err
	}
	s := &chooser{frame: alike(common), choice: c}
	if err := s.independent(); err != nil {
		return nil, err
	}
	free := len(c.Drivers) + len(c.Calendar)
	for _, shape := range c.Shapes {
		if free < 20 && len(c.Shapes)<<free <= exhaustive {
			for mask := range 1 << free {
				s.try(shape, mask)
			}
			continue
		}
		s.eliminate(shape, free)
	}
	if c.HourOfWeek {
		s.byHour()
	}
	return s.best()
}

// alike is the frame whose energy is unknown where the temperature is, so that
// models with and without temperature see the same rows.
func alike(f *Frame) *Frame {
	d := design{frame: f, spec: &Spec{}}
	if len(f.Temperature) == 0 && len(f.Daily) == 0 {
		return f
	}
	g := *f
	g.Energy = slices.Clone(f.Energy)
	for i := range g.Energy {
		if v, _ := d.degrees(i, 0, 1); math.IsNaN(v) {
			g.Energy[i] = math.NaN()
		}
	}
	return &g
}

// chooser collects the models of a choice.
type chooser struct {
	frame    *Frame
	choice   Choice
	n, count float64 // rows and independent rows
	fits     []*Fit  // nil where it failed
	record   []Candidate
}

// spec is the model of a shape with the variables of the mask.
func (s *chooser) spec(shape Shape, mask int) Spec {
	spec := s.choice.Keep
	spec.Shape = shape
	spec.Drivers = slices.Clone(spec.Drivers)
	spec.Calendar = slices.Clone(spec.Calendar)
	for j, name := range s.choice.Drivers {
		if mask>>j&1 == 1 {
			spec.Drivers = append(spec.Drivers, name)
		}
	}
	for j, e := range s.choice.Calendar {
		if mask>>(len(s.choice.Drivers)+j)&1 == 1 {
			spec.Calendar = append(spec.Calendar, e)
		}
	}
	return spec
}

// richest fits the model with the most parameters that the data allow.
func (s *chooser) richest() (*Fit, error) {
	all := 1<<(len(s.choice.Drivers)+len(s.choice.Calendar)) - 1
	var first error
	shapes := append(slices.Clone(Shapes), SixP)
	for k := len(shapes) - 1; k >= 0; k-- {
		if !slices.Contains(s.choice.Shapes, shapes[k]) {
			continue
		}
		spec := s.spec(shapes[k], all)
		spec.AnySign = true
		f, err := Linear(s.frame, spec)
		if err == nil {
			return f, nil
		}
		first = errors.Join(first, err)
	}
	if first == nil {
		first = errors.New("no shape is tried")
	}
	return nil, first
}

func (s *chooser) independent() error {
	f, err := s.richest()
	if err != nil {
		// too few rows for all variables together: the rows as they are
		d, err := newDesign(&Spec{Shape: Mean}, s.frame)
		if err != nil {
			return err
		}
		rows, _, _ := d.usable()
		s.n, s.count = float64(len(rows)), float64(len(rows))
		return nil
	}
	rho := min(max(f.Rho1, 0), 0.97)
	s.n = float64(f.N)
	s.count = s.n * (1 - rho) / (1 + rho)
	return nil
}

func (s *chooser) criterion(sse float64, p int) float64 {
	return float64(s.count*math.Log(max(sse, math.SmallestNonzeroFloat64)/s.n)) + float64(float64(p)*math.Log(max(s.count, 2)))
}

// try fits one model and gives its criterion, +Inf when it may not be taken.
func (s *chooser) try(shape Shape, mask int) float64 {
	spec := s.spec(shape, mask)
	c := Candidate{Model: string(shape), Variables: spec.variables()}
	f, err := Linear(s.frame, spec)
	if err != nil {
		c.Why = err.Error()
		if errors.Is(err, errNoChangePoint) {
			spec.AnySign = true
			c.Why = whySign
			if f, err := Linear(s.frame, spec); err == nil {
				c.SSE, c.P, c.R2Adj, c.Criterion = f.SSE, f.P, f.R2Adj, s.criterion(f.SSE, f.P)
			}
		}
		s.keep(nil, c)
		return math.Inf(1)
	}
	return s.judge(f, c)
}

func (s *chooser) judge(f *Fit, c Candidate) float64 {
	c.SSE, c.P, c.R2Adj, c.Criterion = f.SSE, f.P, f.R2Adj, s.criterion(f.SSE, f.P)
	for _, h := range f.ChangePoints {
		if h.Name == CoolBalance {
			c.CoolC = h.C
		} else {
			c.HeatC = h.C
		}
	}
	for _, t := range f.Terms {
		switch {
		case t.Value < 0 && slices.Contains(s.choice.Positive, t.Name):
			c.Why = "the coefficient of " + t.Name + " is negative"
		case t.Dropped:
			c.Why = t.Name + " is constant or moves together with other variables"
		}
	}
	s.keep(f, c)
	if c.Why != "" {
		return math.Inf(1)
	}
	return c.Criterion
}

func (s *chooser) keep(f *Fit, c Candidate) {
	s.fits = append(s.fits, f)
	s.record = append(s.record, c)
}

// eliminate starts with all variables and drops the one whose loss lowers the
// criterion most.
func (s *chooser) eliminate(shape Shape, free int) {
	mask := 1<<free - 1
	at := s.try(shape, mask)
	for mask != 0 {
		next, lowest := -1, at
		for j := range free {
			if mask>>j&1 == 1 {
				if v := s.try(shape, mask&^(1<<j)); v < lowest || math.IsInf(at, 1) && next < 0 {
					next, lowest = j, v
				}
			}
		}
		if next < 0 {
			return
		}
		mask &^= 1 << next
		at = lowest
	}
}

// byHour tries the models of the hour of the week.
func (s *chooser) byHour() {
	o := HourlyOptions{Drivers: append(slices.Clone(s.choice.Keep.Drivers), s.choice.Drivers...)}
	holidays := o
	holidays.HolidaysAsSunday = true
	for _, one := range []struct {
		name string
		fit  func() (*Fit, error)
	}{
		{ModelTimeOfWeek, func() (*Fit, error) { return TimeOfWeek(s.frame, o) }},
		{ModelTimeOfWeek + ", holidays as Sundays", func() (*Fit, error) { return TimeOfWeek(s.frame, holidays) }},
		{ModelCalTRACKHourly, func() (*Fit, error) { return CalTRACKHourly(s.frame, o) }},
	} {
		c := Candidate{Model: one.name, Variables: strings.Join(o.Drivers, "+")}
		f, err := one.fit()
		if err != nil {
			c.Why = err.Error()
			s.keep(nil, c)
			continue
		}
		s.judge(f, c)
	}
}

// best is the chosen model with its record.
func (s *chooser) best() (*Fit, error) {
	best := -1
	for i, c := range s.record {
		if s.fits[i] != nil && c.Why == "" && (best < 0 || c.Criterion < s.record[best].Criterion) {
			best = i
		}
	}
	if best < 0 {
		var why []string
		for _, c := range s.record[:min(3, len(s.record))] {
			why = append(why, strings.TrimSpace(c.Model+" "+c.Variables)+": "+c.Why)
		}
		return nil, fmt.Errorf("none of %d models can be taken: %s", len(s.record), strings.Join(why, "; "))
	}
	f := *s.fits[best]
	f.Tried = len(s.record)
	f.Candidates = s.losers(best)
	return &f, nil
}

// losers lists the chosen model, then the best few of all others and the best of
// each model name, in order of the criterion; those that may not be taken last.
func (s *chooser) losers(best int) []Candidate {
	order := make([]int, 0, len(s.record))
	for i := range s.record {
		if i != best {
			order = append(order, i)
		}
	}
	allowed := func(i int) bool { return s.fits[i] != nil && s.record[i].Why == "" }
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case allowed(a) != allowed(b):
			if allowed(a) {
				return -1
			}
			return 1
		case s.record[a].Criterion < s.record[b].Criterion:
			return -1
		case s.record[a].Criterion > s.record[b].Criterion:
			return 1
		}
		return 0
	})
	out := []Candidate{s.record[best]}
	seen := map[string]bool{s.record[best].Model: true}
	for rank, i := range order {
		c := s.record[i]
		if rank >= 5 && seen[c.Model] {
			continue
		}
		seen[c.Model] = true
		if c.Why == "" {
			c.Why = whyCriterion
		}
		out = append(out, c)
	}
	return out
}
