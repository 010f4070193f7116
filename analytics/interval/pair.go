package interval

import (
	"math"

	"github.com/thermie/thermie/analytics/baseline"
)

// Model is a fit with the frame that it was made of.
type Model struct {
	Fit  *baseline.Fit
	Base *baseline.Frame
}

// Pair are the models of two periods of one meter under the same conditions.
type Pair struct {
	Predicted [2][]float64 // by interval; NaN where a model does not know its conditions
	Rows      []int        // the intervals that both know
	ahead     [2]*Forecast
}

// Under predicts both models of a pair under the conditions of a frame.
func Under(frame *baseline.Frame, before, after Model) (*Pair, error) {
	p := &Pair{}
	for k, m := range []Model{before, after} {
		var err error
		if p.Predicted[k], err = m.Fit.Predict(frame); err != nil {
			return nil, err
		}
		if p.ahead[k], err = Ahead(m.Fit, m.Base, frame); err != nil {
			return nil, err
		}
	}
	for i := range frame.Start {
		if !math.IsNaN(p.Predicted[0][i]) && !math.IsNaN(p.Predicted[1][i]) {
			p.Rows = append(p.Rows, i)
		}
	}
	return p, nil
}

// Half is the half width of the predictions' sum of one model minus that of the
// other over the rows, by the error of both models' parameters; without the scatter
// of what is predicted. What wanders slowly moves both. The variance is the mean of
// those by what either learned.
func (p *Pair) Half(confidence float64) (float64, error) {
	a, b := p.ahead[0], p.ahead[1]
	var terms []Term
	for k, s := range []*Forecast{a, b} {
		sign := float64(1 - 2*k)
		influence, err := s.influence(p.Rows)
		if err != nil {
			return 0, err
		}
		shift := 0 // invoices are counted: those of the second period follow the first
		if n := len(a.base); k == 1 && n > 0 && len(b.base) > 0 && b.base[0].Step <= a.base[n-1].Step {
			shift = a.base[n-1].Step + 1 - b.base[0].Step
		}
		for i, t := range s.base {
			t.Weight, t.Step = sign*influence[i], t.Step+shift
			terms = append(terms, t)
		}
	}
	variance := (a.Noise.Variance(terms) + b.Noise.Variance(terms)) / 2
	return max(a.Noise.Half(variance, confidence), b.Noise.Half(variance, confidence)), nil
}
