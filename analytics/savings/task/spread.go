package task

import (
	"math"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
)

// spread gives the half width of the interval of any sum of reporting intervals.
type spread struct {
	noise      *interval.Noise
	base       []interval.Term // of the line of time; the influence gives the weights
	influence  func(rows []int) ([]float64, error)
	rep        []interval.Term
	extra      []float64 // further variance of each reporting interval, independent
	confidence float64
	steps      []int     // of the residuals
	left       []float64 // residuals
}

func phaseOf(t time.Time) float64 { return (float64(t.YearDay()) - 0.5) / 366 }

// spreadOf learns the noise of a fit from the frame it was made of and prepares
// the influence on sums of predictions of another.
func spreadOf(f *baseline.Fit, base, rep *baseline.Frame, confidence float64) (*spread, error) {
	fitted, err := f.Predict(base)
	if err != nil {
		return nil, err
	}
	if base.Step == baseline.Hour {
		return spreadOfHours(f, base, rep, fitted, confidence)
	}
	s := &spread{confidence: confidence}
	index := base.Index()
	res := interval.Residuals{Parameters: f.P}
	if base.Step == baseline.Day {
		res.Phase = []float64{}
	}
	var rows []int
	for i, y := range base.Energy {
		if math.IsNaN(y) || math.IsNaN(fitted[i]) {
			continue
		}
		term := interval.Term{Step: index[i], Scale: scaleOf(f, base, i), Phase: phaseOf(base.Start[i])}
		s.base = append(s.base, term)
		rows = append(rows, i)
		res.Step = append(res.Step, term.Step)
		res.E = append(res.E, y-fitted[i])
		res.Scale = append(res.Scale, term.Scale)
		if res.Phase != nil {
			res.Phase = append(res.Phase, term.Phase)
		}
	}
	if s.noise, err = interval.Learn(res); err != nil {
		return nil, err
	}
	s.steps, s.left = res.Step, res.E
	steps := rep.Index()
	for i, t := range rep.Start {
		if rep.Step == baseline.Period { // counted, so they follow those of the baseline
			steps[i] += index[len(index)-1] + 1
		}
		s.rep = append(s.rep, interval.Term{Step: steps[i], Scale: scaleOf(f, rep, i), Phase: phaseOf(t)})
	}
	s.influence = func(which []int) ([]float64, error) {
		a, err := f.Influence(base, pickRows(rep, which))
		if err != nil {
			return nil, err
		}
		return pickOf(a, rows), nil
	}
	return s, nil
}

// scaleOf is the factor of the scatter of an interval: the root of its days where
// the model is of energy per day, weighted with days.
func scaleOf(f *baseline.Fit, frame *baseline.Frame, i int) float64 {
	switch {
	case !f.Spec.PerDay:
		return 1
	case frame.Days != nil:
		return math.Sqrt(frame.Days[i])
	case len(frame.Daily) > i:
		return math.Sqrt(float64(len(frame.Daily[i])))
	}
	return 1
}

// pickRows is a frame of some rows, in their order.
func pickRows(f *baseline.Frame, rows []int) *baseline.Frame {
	g := &baseline.Frame{Step: f.Step, Start: pickOf(f.Start, rows), Energy: pickOf(f.Energy, rows), Temperature: pickOf(f.Temperature, rows),
		Daily: pickOf(f.Daily, rows), Days: pickOf(f.Days, rows)}
	if f.Drivers != nil {
		g.Drivers = map[string][]float64{}
		for _, n := range sortedKeys(f.Drivers) {
			g.Drivers[n] = pickOf(f.Drivers[n], rows)
		}
	}
	return g
}

// spreadOfHours works on the sums of civil days: what hours of a day share counts
// for sums, and days can be learned from like those of a daily model.
func spreadOfHours(f *baseline.Fit, base, rep *baseline.Frame, fitted []float64, confidence float64) (*spread, error) {
	s := &spread{confidence: confidence}
	res := interval.Residuals{Parameters: dailyParameters(f), Phase: []float64{}}
	type span struct{ rows []int }
	var days []span
	last := -1
	var step []int
	for i, y := range base.Energy {
		if math.IsNaN(y) || math.IsNaN(fitted[i]) {
			continue
		}
		if n := dayNumber(base.Start[i]); n != last {
			days, step, last = append(days, span{}), append(step, n), n
		}
		d := &days[len(days)-1]
		d.rows = append(d.rows, i)
	}
	var used []span
	for k, d := range days {
		if len(d.rows) < 12 {
			continue
		}
		e := 0.0
		for _, i := range d.rows {
			e += base.Energy[i] - fitted[i]
		}
		phase := phaseOf(base.Start[d.rows[0]])
		res.Step, res.E, res.Phase = append(res.Step, step[k]), append(res.E, e*24/float64(len(d.rows))), append(res.Phase, phase)
		s.base = append(s.base, interval.Term{Step: step[k], Phase: phase})
		used = append(used, d)
	}
	res.Parameters = min(res.Parameters, len(res.E)/3)
	var err error
	if s.noise, err = interval.Learn(res); err != nil {
		return nil, err
	}
	s.steps, s.left = res.Step, res.E
	for _, t := range rep.Start {
		s.rep = append(s.rep, interval.Term{Step: dayNumber(t), Phase: phaseOf(t), Scale: 1.0 / 24})
	}
	s.influence = func(which []int) ([]float64, error) {
		a, err := f.Influence(base, pickRows(rep, which))
		if err != nil {
			return nil, err
		}
		out := make([]float64, len(used))
		for k, d := range used {
			for _, i := range d.rows {
				out[k] += a[i]
			}
			out[k] /= 24 // residuals are of whole days
		}
		return out, nil
	}
	return s, nil
}

func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// dailyParameters is how many parameters an hourly model spends on the sums of
// days: seven levels and its slopes of temperature; of a model by month only half,
// the rest goes to its neighbours.
func dailyParameters(f *baseline.Fit) int {
	n := 0
	for i := range f.Hourly.Segments {
		s := &f.Hourly.Segments[i]
		n += 7 + len(s.Warm.PerC) + len(s.Warm.Drivers)
	}
	if f.Hourly.ByMonth {
		n /= 2
	}
	return n
}

// half is the half width for the sum over these rows.
func (s *spread) half(rows []int) (float64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	a, err := s.influence(rows)
	if err != nil {
		return 0, err
	}
	terms := make([]interval.Term, 0, len(a)+len(rows))
	for i, w := range a {
		t := s.base[i]
		t.Weight = w
		terms = append(terms, t)
	}
	more := 0.0
	for _, i := range rows {
		t := s.rep[i]
		t.Weight = -1
		terms = append(terms, t)
		if s.extra != nil {
			more += s.extra[i]
		}
	}
	return s.noise.Half(s.noise.Variance(terms)+more, s.confidence), nil
}
