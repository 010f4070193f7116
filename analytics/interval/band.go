package interval

import (
	"math"

	"github.com/thermie/thermie/analytics/baseline"
)

// Band says how sure any weighted sum of a regression's predictions minus what was
// used is, the error of its parameters apart: that is shared with other models on
// the same weather. It costs little for each of many sums.
type Band struct {
	Noise      *Noise
	base       []Term      // the rows of the baseline
	loads      [][]float64 // how each of them moves each parameter
	covariance [][]float64 // of the parameters
}

// NewBand learns the noise of a regression from the frame it was made of, and from it
// the covariance of its parameters.
func NewBand(f *baseline.Fit, base *baseline.Frame) (*Band, error) {
	s, err := Ahead(f, base, base)
	if err != nil {
		return nil, err
	}
	fitted, err := f.Predict(base)
	if err != nil {
		return nil, err
	}
	by, err := f.ParameterInfluence(base)
	if err != nil {
		return nil, err
	}
	b := &Band{Noise: s.Noise, base: s.base, covariance: make([][]float64, len(by))}
	for i, y := range base.Energy {
		if math.IsNaN(y) || math.IsNaN(fitted[i]) {
			continue
		}
		load := make([]float64, len(by))
		for k := range by {
			load[k] = by[k][i]
		}
		b.loads = append(b.loads, load)
	}
	gradient := make([]float64, len(by))
	variance := func(of ...int) float64 {
		clear(gradient)
		for _, k := range of {
			gradient[k] = 1
		}
		return b.Noise.Variance(b.loaded(gradient))
	}
	for k := range by {
		b.covariance[k] = make([]float64, len(by))
		b.covariance[k][k] = variance(k)
		for j := range k {
			b.covariance[k][j] = (variance(k, j) - b.covariance[k][k] - b.covariance[j][j]) / 2
			b.covariance[j][k] = b.covariance[k][j]
		}
	}
	return b, nil
}

// loaded are the rows of the baseline with their weights in a sum of this gradient.
func (b *Band) loaded(gradient []float64) []Term {
	terms := make([]Term, len(b.base))
	for i, t := range b.base {
		t.Weight = dot(b.loads[i], gradient)
		terms[i] = t
	}
	return terms
}

// Half90 are two parts of the 90 % half width of a sum, which add up in quadrature:
// by the error of the parameters, with gradient the sum's derivatives to them, and by
// what the scatter of the terms adds. Slow noise moves both alike, so that the second
// is less than the scatter of the terms alone.
func (b *Band) Half90(gradient []float64, terms []Term) (model, scatter float64) {
	all := b.loaded(gradient)
	for _, t := range terms {
		t.Weight = -t.Weight
		all = append(all, t)
	}
	v := 0.0
	for i := range gradient {
		v += float64(gradient[i] * dot(b.covariance[i], gradient))
	}
	whole := b.Noise.Half90(b.Noise.Variance(all))
	model = min(b.Noise.Half90(v), whole)
	return model, math.Sqrt(float64(whole*whole) - float64(model*model))
}

// DayTerm is a day as a part of the scatter of a step of several days: days of one
// step share its scatter.
func DayTerm(step int, phase, weight, days float64) Term {
	return Term{Step: step, Phase: phase, Weight: weight, Scale: 1 / math.Sqrt(days)}
}
