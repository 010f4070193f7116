package interval

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/dsp/fourier"
)

// exact is how many cosines of the lowest frequencies have their full covariance
// in the likelihood. From there on a cosine is as good as uncorrelated with the
// others and has the spectrum for its variance.
const exact = 16

// bandwidth is the ratio of the ends of the bands of higher frequencies, in each
// of which the spectrum counts as constant.
const bandwidth = 1.1

// grid is what the likelihood needs of every candidate for one length of series.
type grid struct {
	n     int
	all   []candidate
	bands []band
	// low[c] is the covariance of the lowest cosines under candidate c, its lower
	// triangle by rows; root[c] its Cholesky factor with the diagonal inverted.
	low, root [][]float64
	high      [][]float64 // spectrum of each band
	log       []float64   // ln of the determinant of the whole
	level     []float64   // variance of a step
	ahead     []float64   // variance of the mean of the next n steps minus that of these n
}

type band struct{ from, to int } // ordinates, the last excluded

func bandsOf(n int) []band {
	var b []band
	for at := exact; at < n; {
		to := min(max(at+1, int(math.Ceil(float64(at)*bandwidth))), n)
		b = append(b, band{at, to})
		at = to
	}
	return b
}

// grids are kept by length: most series have one of few lengths.
var grids struct {
	sync.Mutex
	of map[int]*grid
}

const mostGrids = 64

func gridOf(n int) *grid {
	grids.Lock()
	defer grids.Unlock()
	g := grids.of[n]
	if g == nil {
		if grids.of == nil || len(grids.of) >= mostGrids {
			grids.of = map[int]*grid{}
		}
		g = newGrid(n)
		grids.of[n] = g
	}
	return g
}

func newGrid(n int) *grid {
	g := &grid{n: n, all: candidates(), bands: bandsOf(n)}
	const k = exact
	pairs := cosinePairs(n)
	tables := covariances(2 * n)
	for ci, c := range g.all {
		gamma := tables[ci]
		low := make([]float64, k*(k+1)/2)
		for i := range k {
			for j := i % 2; j <= i; j += 2 {
				low[i*(i+1)/2+j] = dot(pairs[i*k+j], gamma[:n])
			}
		}
		root := make([]float64, len(low))
		log := cholesky(low, root, k)
		high := make([]float64, len(g.bands))
		for b, span := range g.bands {
			high[b] = c.density(math.Pi * float64(span.from+span.to-1) / 2 / float64(n))
			log += float64(float64(span.to-span.from) * math.Log(high[b]))
		}
		// the mean of n steps ahead minus the mean of n steps
		ahead := 0.0
		for l := -(n - 1); l < n; l++ {
			near, far := gamma[max(l, -l)], gamma[n+l]
			ahead += 2 * float64(n-max(l, -l)) * (near - far)
		}
		g.low, g.root, g.high = append(g.low, low), append(g.root, root), append(g.high, high)
		g.log = append(g.log, log)
		g.level = append(g.level, gamma[0])
		g.ahead = append(g.ahead, ahead/float64(n)/float64(n))
	}
	return g
}

// cosinePairs are, for the lowest cosines i and j at i*exact+j, the sums over pairs
// of each lag of one times the other, both ways; so that their covariance is its
// product with the autocovariance. Cosines of unlike parity do not correlate.
func cosinePairs(n int) [][]float64 {
	const k = exact
	size := 1
	for size < 2*n {
		size *= 2
	}
	fft := fourier.NewFFT(size)
	waves := make([][]complex128, k)
	x := make([]float64, size)
	for j := range waves {
		clear(x)
		for t := range n {
			x[t] = math.Sqrt(2/float64(n)) * math.Cos(math.Pi*float64(j)*(float64(t)+0.5)/float64(n))
			if j == 0 {
				x[t] = 1 / math.Sqrt(float64(n))
			}
		}
		waves[j] = fft.Coefficients(nil, x)
	}
	pairs := make([][]float64, k*k)
	product := make([]complex128, len(waves[0]))
	for i := range k {
		for j := i % 2; j <= i; j += 2 {
			for f := range product {
				a, b := waves[i][f], waves[j][f]
				product[f] = complex(float64(real(a)*real(b))+float64(imag(a)*imag(b)), float64(imag(a)*real(b))-float64(real(a)*imag(b)))
			}
			s := fft.Sequence(x, product)
			p := make([]float64, n)
			p[0] = s[0] / float64(size)
			for l := 1; l < n; l++ {
				p[l] = (s[l] + s[size-l]) / float64(size)
			}
			pairs[i*k+j] = p
		}
	}
	return pairs
}

// cholesky factors a packed matrix; the diagonal of the root is inverted. It
// returns the logarithm of the determinant.
func cholesky(a, root []float64, k int) float64 {
	log := 0.0
	for i := range k {
		ri := root[i*(i+1)/2:]
		for j := range i + 1 {
			rj := root[j*(j+1)/2:]
			s := a[i*(i+1)/2+j]
			for m := range j {
				s -= float64(ri[m] * rj[m])
			}
			if i == j {
				s = max(s, 1e-12*a[i*(i+1)/2+i])
				log += math.Log(s)
				ri[j] = 1 / math.Sqrt(s)
			} else {
				ri[j] = s * rj[j]
			}
		}
	}
	return log
}

var tables struct {
	sync.Mutex
	of [][]float64
}

// covariances are the autocovariances of all candidates for at least that many lags.
func covariances(lags int) [][]float64 {
	tables.Lock()
	defer tables.Unlock()
	if tables.of == nil || len(tables.of[0]) < lags {
		most := 1024
		for most < lags {
			most *= 2
		}
		var all [][]float64
		for _, c := range candidates() {
			all = append(all, c.autocovariance(most))
		}
		tables.of = all
	}
	return tables.of
}
