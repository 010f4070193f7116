package interval

import "math"

// Variance is the variance of Σ weight × noise over the terms, whose steps need
// not be in order; terms of one step add up.
func (z *Noise) Variance(terms []Term) float64 {
	if len(terms) == 0 {
		return 0
	}
	lo, hi := terms[0].Step, terms[0].Step
	for i := range terms {
		lo, hi = min(lo, terms[i].Step), max(hi, terms[i].Step)
	}
	span := hi - lo + 1
	v := make([]float64, span)
	for i := range terms {
		t := &terms[i]
		x := float64(t.Weight * z.sd(t.Phase))
		if t.Scale != 0 {
			x *= t.Scale
		}
		v[t.Step-lo] += x
	}
	if span <= direct {
		return z.Sigma2 * toeplitz(v, z.gamma(span))
	}
	return z.Sigma2 * z.around(v)
}

const direct = 64 // up to so many steps pairs are summed one by one

// toeplitz is Σ_ij v_i v_j g(|i-j|).
func toeplitz(v, g []float64) float64 {
	s := 0.0
	for i := range v {
		s += float64(g[0] * v[i] * v[i])
		for j := range i {
			s += float64(2 * g[i-j] * v[i] * v[j])
		}
	}
	return s
}

// around is the same on a circle that is wide enough, where the autocorrelation is
// a product of transforms.
func (z *Noise) around(v []float64) float64 {
	size := circleOf(len(v))
	z.circles.Lock()
	g := z.circles.of[size]
	if g == nil {
		g = circulant(z.gamma(size/2+1), size)
		z.circles.of[size] = g
	}
	z.circles.Unlock()
	return math.Max(quadratic(v, g, size), 0)
}
