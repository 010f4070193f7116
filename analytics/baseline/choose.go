package baseline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Choice says which models compete.
type Choice struct {
	Shapes    []Shape    // nil: all that the frame has temperatures for
	Drivers   []string   // each taken in or left out
	AtMost    int        // drivers taken in together; 0: any number
	Calendars []Calendar // alternatives, of which a model has one; nil: none
	// Keep is in every model: drivers, effects, balance points, per day, least
	// segment. Its shape is not read.
	Keep Spec
	// Rules, when given, say which regressions are valid; others lose.
	Rules *Rules
	// HighestR2Adj takes the greatest adjusted R² in place of the criterion, for who
	// states that rule (SEP as VERIFI applies it).
	HighestR2Adj bool
	// Others compete beside the shapes.
	Others []Option
}

// Calendar is a set of effects that are taken together.
type Calendar struct {
	Name    string
	Effects []Effect
}

// Option is a model by name. Fit is called with the frame and with parts of it.
type Option struct {
	Name string
	Fit  func(*Frame) (*Fit, error)
}

// Regression is the option of a regression.
func Regression(name string, spec Spec) Option {
	return Option{Name: name, Fit: func(f *Frame) (*Fit, error) { return Linear(f, spec) }}
}

// HoursOfWeek are the models of the hour of the week, with public holidays as
// Sundays too.
func HoursOfWeek(drivers []string) []Option {
	plain, sundays := HourlyOptions{Drivers: drivers}, HourlyOptions{Drivers: drivers, HolidaysAsSunday: true}
	return []Option{
		{"TOWT", func(f *Frame) (*Fit, error) { return TimeOfWeek(f, plain) }},
		{"TOWT+holidays", func(f *Frame) (*Fit, error) { return TimeOfWeek(f, sundays) }},
		{"CalTRACK hourly", func(f *Frame) (*Fit, error) { return CalTRACKHourly(f, plain) }},
		{"CalTRACK hourly+holidays", func(f *Frame) (*Fit, error) { return CalTRACKHourly(f, sundays) }},
	}
}

// exhaustive is the number of models up to which every combination is tried, on a
// year of days; of a few rows more are.
const exhaustive = 512

// everySet says whether every combination is tried.
func (s *chooser) everySet() bool {
	sets, ways := 0, 1 // ways to take k of n
	for k := range min(s.choice.AtMost, len(s.choice.Drivers)) + 1 {
		sets += ways
		ways = ways * (len(s.choice.Drivers) - k) / (k + 1)
		if sets > 100*exhaustive {
			return false
		}
	}
	models := sets * len(s.choice.Shapes) * len(s.choice.Calendars)
	return models <= exhaustive || models*s.frame.Len() <= exhaustive*365
}

// Why a model lost.
const (
	whyCriterion = "it predicts what it has not seen worse"
	whySimpler   = "with fewer parameters the prediction is as good, within a standard error"
	whySign      = "no change point gives slopes of the right sign"
)

// Choose fits every model of the choice and takes one by a single criterion: how
// well it predicts what it was not fitted on. Every fourth week is left out in
// turn (of months and invoices each by itself) and predicted; the model with the least
// mean square error is taken. The criterion is the same for days, months, invoices and
// hours, for models of four parameters and of two thousand; information criteria are
// not, since they need the number of independent rows.
//
// Change points, drivers and calendars must earn their place, for among many one seems to help by
// chance: where a regression wins, the one with the fewest parameters is
// taken whose error is not greater than the least among them by more than one standard
// error of that difference (Breiman et al. 1984, 3.4.3). The standard error is that of
// the sums of weeks: neighbouring days that are alike do not count as independent.
//
// All models see the same rows. Models with a slope of the wrong sign do not take
// part, nor do those that the rules find invalid. With more than 512 combinations
// (of a year of days), each shape starts with all drivers and loses one after the
// other as long as the error falls. [Fit.Candidates] has all that was tried, the
// chosen one first, with its figures and why it lost.
func Choose(frame *Frame, c Choice) (*Fit, error) {
	if err := frame.check(true); err != nil {
		return nil, err
	}
	warm := len(frame.Temperature) > 0 || len(frame.Daily) > 0
	if c.Shapes == nil {
		c.Shapes = Shapes
		if !warm {
			c.Shapes = []Shape{Mean}
		}
	}
	if c.Calendars == nil {
		c.Calendars = []Calendar{{}}
	}
	if c.AtMost == 0 {
		c.AtMost = len(c.Drivers)
	}
	common, err := knowing(frame, append(slices.Clone(c.Keep.Drivers), c.Drivers...))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(c.Shapes, func(s Shape) bool { return s != Mean }) || len(c.Others) > 0 {
		common = alike(common)
	}
	s := &chooser{frame: common, choice: c, turns: turnsOf(common)}
	for _, shape := range c.Shapes {
		for _, calendar := range c.Calendars {
			if !s.everySet() {
				s.eliminate(shape, calendar)
				continue
			}
			for size := 0; size <= min(c.AtMost, len(c.Drivers)); size++ {
				for _, set := range combinations(c.Drivers, size) {
					s.try(shape, calendar, set)
				}
			}
		}
	}
	for _, o := range c.Others {
		s.judge(o.Name, o.Name, "", o.Fit)
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
	frame  *Frame
	choice Choice
	turns  turns
	fits   []*Fit      // nil where it failed
	square [][]float64 // squared errors of rows that were left out; nil where it may not be taken
	record []Candidate
	family []string
}

// try fits a regression and gives its error, +Inf when it may not be taken.
func (s *chooser) try(shape Shape, calendar Calendar, drivers []string) float64 {
	spec := s.choice.Keep
	spec.Shape = shape
	spec.Drivers = append(slices.Clone(spec.Drivers), drivers...)
	spec.Calendar = append(slices.Clone(spec.Calendar), calendar.Effects...)
	if len(drivers) > s.choice.AtMost {
		return math.Inf(1)
	}
	name := string(shape)
	if shape == Mean && len(drivers) > 0 {
		name = ""
	}
	if calendar.Name != "" {
		name += "+" + calendar.Name
	}
	for _, d := range drivers {
		name += "+" + d
	}
	return s.judge("regression", strings.TrimPrefix(name, "+"), spec.variables(), func(f *Frame) (*Fit, error) { return Linear(f, spec) })
}

// judge fits a model and lets it predict what is left out.
func (s *chooser) judge(family, name, variables string, fit func(*Frame) (*Fit, error)) float64 {
	c := Candidate{Name: name, Model: name, Variables: variables}
	s.family = append(s.family, family)
	f, err := fit(s.frame)
	if err != nil {
		c.Why = err.Error()
		if errors.Is(err, errNoChangePoint) {
			c.Why = whySign
		}
		s.keep(nil, nil, c)
		return math.Inf(1)
	}
	c.Model = f.Model
	c.N, c.SSE, c.P, c.R2, c.R2Adj, c.FP, c.CVRMSEAdj = f.N, f.SSE, f.P, f.R2, f.R2Adj, f.FP, f.CVRMSEAdj
	for _, h := range f.ChangePoints {
		if h.Name == CoolBalance {
			c.CoolC = h.C
		} else {
			c.HeatC = h.C
		}
	}
	if c.Why = s.invalid(f); c.Why != "" {
		s.keep(f, nil, c)
		return math.Inf(1)
	}
	square, err := s.turns.errors(s.frame, f, fit)
	if err != nil {
		c.Why = err.Error()
		s.keep(f, nil, c)
		return math.Inf(1)
	}
	mean := s.turns.mean(square)
	c.Criterion = number(math.Sqrt(mean) / math.Abs(f.Mean))
	s.keep(f, square, c)
	return mean
}

// invalid says why a fit may not be taken; empty: it may.
func (s *chooser) invalid(f *Fit) string {
	if math.IsNaN(f.SSE) || math.IsInf(f.SSE, 0) {
		return "its figures are not finite"
	}
	kept := s.choice.Keep.termNames()
	for _, t := range f.Terms {
		if t.Dropped && !slices.Contains(kept, t.Name) && f.Hourly == nil {
			return t.Name + " is constant or moves together with other variables"
		}
	}
	if s.choice.Rules != nil {
		return strings.Join(s.choice.Rules.reasons(f), "; ")
	}
	return ""
}

func (s *chooser) keep(f *Fit, square []float64, c Candidate) {
	s.fits, s.square, s.record = append(s.fits, f), append(s.square, square), append(s.record, c)
}

// eliminate starts with all drivers and drops the one whose loss lowers the error
// most.
func (s *chooser) eliminate(shape Shape, calendar Calendar) {
	set := slices.Clone(s.choice.Drivers)
	at := s.try(shape, calendar, set)
	for len(set) > 0 {
		next, lowest := -1, at
		for j := range set {
			rest := slices.Delete(slices.Clone(set), j, j+1)
			if v := s.try(shape, calendar, rest); v < lowest || math.IsInf(at, 1) && next < 0 {
				next, lowest = j, v
			}
		}
		if next < 0 {
			return
		}
		set = slices.Delete(set, next, next+1)
		at = lowest
	}
}

// best is the chosen model with its record.
func (s *chooser) best() (*Fit, error) {
	chosen, least := -1, -1 // least: who is to be beaten
	for _, members := range s.families() {
		first := s.least(members)
		if first >= 0 && (least < 0 || s.before(first, least)) {
			chosen, least = s.champion(members), first
		}
	}
	if chosen < 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoModel, s.firstReasons())
	}
	f := *s.fits[chosen]
	if s.choice.Rules != nil {
		f.Notes = append(slices.Clone(f.Notes), s.choice.Rules.notes(&f)...)
	}
	f.Tried = len(s.record)
	f.Candidates = []Candidate{s.record[chosen]}
	for i, c := range s.record {
		if i == chosen {
			continue
		}
		if c.Why == "" {
			c.Why = whyCriterion
			if s.choice.HighestR2Adj {
				c.Why = whyR2Adj
			} else if c.Criterion < s.record[chosen].Criterion {
				c.Why = whySimpler
			}
		}
		f.Candidates = append(f.Candidates, c)
	}
	return &f, nil
}

// families are the models that are compared by their parameters too, in the order they were tried.
func (s *chooser) families() [][]int {
	var out [][]int
	at := map[string]int{}
	for i, name := range s.family {
		k, ok := at[name]
		if !ok {
			k, at[name] = len(out), len(out)
			out = append(out, nil)
		}
		out[k] = append(out[k], i)
	}
	return out
}

// least is the member of a family that predicts best; -1 for none.
func (s *chooser) least(members []int) int {
	least := -1
	for _, i := range members {
		if s.square[i] != nil && (least < 0 || s.before(i, least)) {
			least = i
		}
	}
	return least
}

// champion is the member of a family that is taken when the family wins.
func (s *chooser) champion(members []int) int {
	least := s.least(members)
	chosen := least
	if s.choice.HighestR2Adj {
		return chosen
	}
	for _, i := range members {
		if s.square[i] == nil || s.record[i].P > s.record[chosen].P ||
			s.record[i].P == s.record[chosen].P && s.record[i].Criterion >= s.record[chosen].Criterion {
			continue
		}
		if excess, se := s.turns.excess(s.square[i], s.square[least]); excess <= se {
			chosen = i
		}
	}
	return chosen
}

// before says whether model i predicts better than model j; or has the greater
// adjusted R², where that is asked for.
func (s *chooser) before(i, j int) bool {
	if s.choice.HighestR2Adj {
		return s.record[i].R2Adj > s.record[j].R2Adj
	}
	return s.record[i].Criterion < s.record[j].Criterion
}

// ErrNoModel is the error of a choice of which nothing can be taken.
var ErrNoModel = errors.New("no model can be taken")

func (s *chooser) firstReasons() string {
	var out []string
	for _, c := range s.record[:min(3, len(s.record))] {
		out = append(out, c.Name+": "+c.Why)
	}
	if n := len(s.record) - len(out); n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, "; ")
}
