package interval

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

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
		x := float64(t.Weight * math.Sqrt(z.variance(t.Phase)))
		if t.Scale != 0 {
			x *= t.Scale
		}
		v[t.Step-lo] += x
	}
	return z.Sigma2 * toeplitz(v, z.gamma(span))
}

// toeplitz is Σ_ij v_i v_j g(|i-j|).
func toeplitz(v, g []float64) float64 {
	n := len(v)
	if n <= 64 {
		s := 0.0
		for i := range n {
			s += float64(g[0] * v[i] * v[i])
			for j := range i {
				s += float64(2 * g[i-j] * v[i] * v[j])
			}
		}
		return s
	}
	size := 1
	for size < 2*n {
		size *= 2
	}
	x := make([]float64, size)
	copy(x, v)
	f := fourier.NewFFT(size)
	c := f.Coefficients(nil, x)
	for i := range c {
		re, im := real(c[i]), imag(c[i])
		c[i] = complex(float64(re*re)+float64(im*im), 0)
	}
	a := f.Sequence(x, c) // size × the sums over pairs of each lag
	s := float64(a[0] * g[0])
	for k := 1; k < n; k++ {
		s += float64(2 * a[k] * g[k])
	}
	return s / float64(size)
}
