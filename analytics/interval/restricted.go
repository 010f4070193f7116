package interval

import "math"

// series is what the likelihood needs of residuals and of the columns that were
// fitted away: cosines, the lowest one by one, the others by products in bands.
type series struct {
	vectors int       // one for the residuals, then the columns
	low     []float64 // by ordinate, then vector
	high    []float64 // by band: lower triangle of products of vectors
	present float64   // share of steps that have a residual
	broken  float64   // share of neighbours that gaps part: so much of the power is as good as white
	rank    float64   // residuals less columns
	free    float64   // residuals less parameters, of which there may be more than columns

	sums, inner, root, z, mixed, mixedRoot []float64 // room to work in
}

// newSeries takes standardised residuals u on their steps, zeros where steps are
// missing, and the columns standardised alike.
func newSeries(g *grid, step []int, u []float64, columns [][]float64, parameters int) *series {
	n := g.n
	columns = orthonormal(columns)
	v := 1 + len(columns)
	pairs := 0
	for i := 1; i < len(step); i++ {
		if step[i] == step[i-1]+1 {
			pairs++
		}
	}
	s := &series{
		vectors: v,
		low:     make([]float64, exact*v), high: make([]float64, len(g.bands)*v*(v+1)/2),
		present: float64(len(u)) / float64(n),
		broken:  1 - float64(pairs)/float64(len(u)-1),
		rank:    float64(len(u) - len(columns)),
		free:    float64(len(u) - max(parameters, len(columns))),
		sums:    make([]float64, v*(v+1)/2), inner: make([]float64, v*(v-1)/2), root: make([]float64, v*(v-1)/2), z: make([]float64, exact*v),
		mixed: make([]float64, exact*(exact+1)/2), mixedRoot: make([]float64, exact*(exact+1)/2),
	}
	factor := math.Sqrt(2/float64(n)/s.present) / 4
	all := make([]float64, v*n)
	for c := range v {
		x := u
		if c > 0 {
			x = columns[c-1]
		}
		y := all[c*n : (c+1)*n]
		for i, t := range step {
			y[t-step[0]] = x[i]
		}
		cosines(y)
		for j := range y {
			y[j] *= factor
		}
		y[0] /= math.Sqrt2
		for j := range exact {
			s.low[j*v+c] = y[j]
		}
	}
	at := 0
	for _, span := range g.bands {
		for i := range v {
			for j := range i + 1 {
				s.high[at] = dot(all[i*n+span.from:i*n+span.to], all[j*n+span.from:j*n+span.to])
				at++
			}
		}
	}
	return s
}

// restricted is the restricted log likelihood of a candidate, its scale profiled
// out by a flat prior of the logarithm, and the scale: the likelihood of what no
// choice of the model's coefficients can change (Patterson and Thompson 1971;
// Harville 1974). The plain likelihood of residuals takes what the model's columns
// took up, most of it slow, for a lack of slow noise.
func (s *series) restricted(g *grid, c int) (like, scale float64) {
	v, root, log, white := s.vectors, g.root[c], g.log[c], 0.0
	if s.broken > 0 {
		root, white, log = s.gaps(g, c)
	}
	sums := s.sums
	clear(sums)
	for i := range exact {
		ri := root[i*(i+1)/2:]
		zi := s.z[i*v : i*v+v]
		copy(zi, s.low[i*v:i*v+v])
		for m := i % 2; m < i; m += 2 { // unlike parity: no covariance
			f := ri[m]
			for q, x := range s.z[m*v : m*v+v] {
				zi[q] -= float64(f * x)
			}
		}
		at := 0
		for q := range zi {
			zi[q] *= ri[i]
			for p := range q + 1 {
				sums[at] += float64(zi[q] * zi[p])
				at++
			}
		}
	}
	for b, h := range g.high[c] {
		f := 1 / (float64((1-s.broken)*h) + white)
		for q, x := range s.high[b*len(sums) : (b+1)*len(sums)] {
			sums[q] += float64(f * x)
		}
	}
	rss, logColumns := s.project()
	return -0.5 * (float64(s.present*log) + logColumns + float64(s.rank*math.Log(rss))), rss * s.present / s.free
}

// gaps is the factor of the covariance with what gaps whiten.
func (s *series) gaps(g *grid, c int) (root []float64, white, log float64) {
	white = s.broken * g.level[c]
	for i, x := range g.low[c] {
		s.mixed[i] = float64((1 - s.broken) * x)
	}
	for i := range exact {
		s.mixed[i*(i+1)/2+i] += white
	}
	log = cholesky(s.mixed, s.mixedRoot, exact)
	product, count := 1.0, 0.0
	for b, span := range g.bands { // one logarithm for bands of equal width
		width := float64(span.to - span.from)
		if width != count {
			log += float64(count * math.Log(product))
			product, count = 1, width
		}
		product *= float64((1-s.broken)*g.high[c][b]) + white
	}
	return s.mixedRoot, white, log + float64(count*math.Log(product))
}

// project takes the columns out of the sums of products: what is left of the
// residuals' square, and ln of the determinant of the columns' products.
func (s *series) project() (rss, log float64) {
	rss = s.sums[0]
	k := s.vectors - 1
	if k == 0 {
		return max(rss, 1e-300), 0
	}
	at := 1
	for i := range k {
		copy(s.inner[i*(i+1)/2:], s.sums[at+1:at+2+i])
		at += i + 2
	}
	log = cholesky(s.inner, s.root, k)
	at = 1
	for i := range k {
		ri := s.root[i*(i+1)/2:]
		x := s.sums[at]
		at += i + 2
		for m := range i {
			x -= float64(ri[m] * s.z[m])
		}
		s.z[i] = x * ri[i]
		rss -= float64(s.z[i] * s.z[i])
	}
	return max(rss, 1e-300), log
}

// orthonormal are columns of the same span of length one; those that others
// explain are left out.
func orthonormal(columns [][]float64) [][]float64 {
	var q [][]float64
	for _, c := range columns {
		v := append([]float64(nil), c...)
		full := dot(v, v)
		for range 2 { // twice is enough
			for _, u := range q {
				d := dot(u, v)
				for i := range v {
					v[i] -= float64(d * u[i])
				}
			}
		}
		if norm := dot(v, v); norm > 1e-12*full && norm > 0 {
			norm = math.Sqrt(norm)
			for i := range v {
				v[i] /= norm
			}
			q = append(q, v)
		}
	}
	return q
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += float64(a[i] * b[i])
	}
	return s
}
