package interval

import (
	"math"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
)

// Forecast is an adjusted baseline of a reporting period, ready to say how sure
// any part of it is.
type Forecast struct {
	Noise *Noise
	// Steps and Residuals are the days (or other steps) of the baseline that the
	// noise was learned from, and what the fit left there.
	Steps     []int
	Residuals []float64
	// Extra is a further variance of each reporting interval, independent of all
	// else: nil for none.
	Extra []float64

	base      []Term // of the line of time; the influence gives the weights
	influence func(rows []int) ([]float64, error)
	rep       []Term
}

// Phase is the place in the year of a day, 0 to 1.
func Phase(t time.Time) float64 { return (float64(t.YearDay()) - 0.5) / 366 }

// Ahead learns the noise of a fit from the frame it was made of and prepares the
// influence on sums of predictions of another.
func Ahead(f *baseline.Fit, base, rep *baseline.Frame) (*Forecast, error) {
	fitted, err := f.Predict(base)
	if err != nil {
		return nil, err
	}
	if base.Step == baseline.Hour {
		return aheadOfHours(f, base, rep, fitted)
	}
	s := &Forecast{}
	index := base.Index()
	res := Residuals{Parameters: f.P}
	if base.Step == baseline.Day {
		res.Phase = []float64{}
	}
	var rows []int
	for i, y := range base.Energy {
		if math.IsNaN(y) || math.IsNaN(fitted[i]) {
			continue
		}
		term := Term{Step: index[i], Scale: scaleOf(f, base, i), Phase: Phase(base.Start[i])}
		s.base = append(s.base, term)
		rows = append(rows, i)
		res.Step = append(res.Step, term.Step)
		res.E = append(res.E, y-fitted[i])
		res.Scale = append(res.Scale, term.Scale)
		if res.Phase != nil {
			res.Phase = append(res.Phase, term.Phase)
		}
	}
	if res.Phase != nil {
		j, err := f.Jacobian(base)
		if err != nil {
			return nil, err
		}
		res.Columns = Columns(pickOf(j, rows))
	}
	if s.Noise, err = Learn(res); err != nil {
		return nil, err
	}
	s.Steps, s.Residuals = res.Step, res.E
	steps := rep.Index()
	for i, t := range rep.Start {
		if rep.Step == baseline.Period { // counted, so they follow those of the baseline
			steps[i] += index[len(index)-1] + 1
		}
		s.rep = append(s.rep, Term{Step: steps[i], Scale: scaleOf(f, rep, i), Phase: Phase(t)})
	}
	of, err := f.Influencer(base)
	if err != nil {
		return nil, err
	}
	s.influence = func(which []int) ([]float64, error) {
		a, err := of(Pick(rep, which))
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

// Pick is a frame of some rows, in their order.
func Pick(f *baseline.Frame, rows []int) *baseline.Frame {
	g := &baseline.Frame{Step: f.Step, Start: pickOf(f.Start, rows), Energy: pickOf(f.Energy, rows), Temperature: pickOf(f.Temperature, rows),
		Daily: pickOf(f.Daily, rows), Days: pickOf(f.Days, rows)}
	if f.Drivers != nil {
		g.Drivers = map[string][]float64{}
		for n, x := range f.Drivers {
			g.Drivers[n] = pickOf(x, rows)
		}
	}
	return g
}

// Half is the half width, at a confidence such as 0.90, of adjusted baseline minus
// observed, summed over these reporting rows.
func (s *Forecast) Half(rows []int, confidence float64) (float64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	a, err := s.influence(rows)
	if err != nil {
		return 0, err
	}
	terms := make([]Term, 0, len(a)+len(rows))
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
		if s.Extra != nil {
			more += s.Extra[i]
		}
	}
	return s.Noise.Half(s.Noise.Variance(terms)+more, confidence), nil
}

func pickOf[T any](x []T, rows []int) []T {
	if x == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = x[i]
	}
	return out
}

// Columns turns rows of a model's derivatives into columns.
func Columns(rows [][]float64) [][]float64 {
	if len(rows) == 0 {
		return nil
	}
	out := make([][]float64, len(rows[0]))
	for c := range out {
		out[c] = make([]float64, len(rows))
		for i, r := range rows {
			out[c][i] = r[c]
		}
	}
	return out
}
