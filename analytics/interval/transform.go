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

// wave is a transform with room to work in.
type wave struct {
	fft *fourier.FFT
	x   []float64
	c   []complex128
}

func waveOf(size int) (w *wave, done func()) {
	pool := pooled(&waves, size, func() any {
		return &wave{fft: fourier.NewFFT(size), x: make([]float64, size), c: make([]complex128, size/2+1)}
	})
	w = pool.Get().(*wave)
	return w, func() { pool.Put(w) }
}

// quadratic is Σ_ij v_i v_j g(|i-j|) on a circle of that size, given the transform
// of g around it.
func quadratic(v, circle []float64, size int) float64 {
	w, done := waveOf(size)
	defer done()
	clear(w.x[copy(w.x, v):])
	c := w.fft.Coefficients(w.c, w.x)
	power := func(i int) float64 {
		re, im := real(c[i]), imag(c[i])
		return float64(re*re) + float64(im*im)
	}
	s := 0.0
	for i := range c {
		s += float64(power(i) * circle[i])
	}
	// the frequencies above half the circle mirror those below
	return (2*s - float64(power(0)*circle[0]) - float64(power(size/2)*circle[size/2])) / float64(size)
}

// circulant is the transform of the autocovariance g laid around a circle of size.
func circulant(g []float64, size int) []float64 {
	w, done := waveOf(size)
	defer done()
	x := w.x
	x[0] = g[0]
	for k := 1; k <= size/2; k++ {
		x[k], x[size-k] = g[k], g[k]
	}
	p := make([]float64, size/2+1)
	for i, z := range w.fft.Coefficients(w.c, x) {
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
