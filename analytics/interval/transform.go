package interval

import (
	"sync"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Transforms are kept by length: their tables of sines take longer than a use.
var waves, quarterWaves sync.Map // of *sync.Pool by length

func pooled(pools *sync.Map, n int, make func() any) *sync.Pool {
	if p, ok := pools.Load(n); ok {
		return p.(*sync.Pool)
	}
	p, _ := pools.LoadOrStore(n, &sync.Pool{New: make})
	return p.(*sync.Pool)
}

// power is the squared modulus of the transform of v, zeros after it up to size.
func power(v []float64, size int) []float64 {
	pool := pooled(&waves, size, func() any { return fourier.NewFFT(size) })
	f := pool.Get().(*fourier.FFT)
	defer pool.Put(f)
	x := make([]float64, size)
	copy(x, v)
	c := f.Coefficients(nil, x)
	p := x[:len(c)]
	for i, z := range c {
		re, im := real(z), imag(z)
		p[i] = float64(re*re) + float64(im*im)
	}
	return p
}

// circulant is the transform of the autocovariance g laid around a circle of size.
func circulant(g []float64, size int) []float64 {
	pool := pooled(&waves, size, func() any { return fourier.NewFFT(size) })
	f := pool.Get().(*fourier.FFT)
	defer pool.Put(f)
	x := make([]float64, size)
	x[0] = g[0]
	for k := 1; k <= size/2; k++ {
		x[k], x[size-k] = g[k], g[k]
	}
	c := f.Coefficients(nil, x)
	p := x[:len(c)]
	for i, z := range c {
		p[i] = real(z)
	}
	return p
}

// cosines turns y into its sums over cosines of half whole waves, four times those
// of the type II transform.
func cosines(y []float64) {
	n := len(y)
	pool := pooled(&quarterWaves, n, func() any { return fourier.NewQuarterWaveFFT(n) })
	f := pool.Get().(*fourier.QuarterWaveFFT)
	defer pool.Put(f)
	f.CosSequence(y, y)
}

// circleOf is the size of a circle for n steps: a power of two, or three halves of one.
func circleOf(n int) int {
	size := 2
	for size < 2*n {
		if size+size/2 >= 2*n && size%4 == 0 {
			return size + size/2
		}
		size *= 2
	}
	return size
}
