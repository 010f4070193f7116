package baseline

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// rounding is the share of a column's length below which what is left of it,
// after the columns before it are taken out, counts as nothing.
const rounding = 1e-10

// solution is the outcome of a least squares problem.
type solution struct {
	coef    []float64
	inverse [][]float64 // (XᵀWX)⁻¹, rows and columns of dropped columns zero
	dropped []bool      // column moves together with the columns before it
}

// leastSquares minimises Σ w (y - X b)² by Householder reflections (Golub and
// Van Loan, Matrix Computations, 5.2). x holds the columns; w may be nil. A
// column that moves together with those before it is left out: its coefficient
// is zero.
func leastSquares(x [][]float64, y, w []float64) solution {
	n, p := len(y), len(x)
	a := make([][]float64, p)
	room := make([]float64, (p+1)*n)
	for j := range a {
		a[j], room = room[:n:n], room[n:]
		copy(a[j], x[j])
	}
	z := room[:n]
	copy(z, y)
	for i, v := range w {
		s := math.Sqrt(v)
		z[i] *= s
		for j := range a {
			a[j][i] *= s
		}
	}
	s := solution{coef: make([]float64, p), dropped: make([]bool, p)}
	r := make([][]float64, p) // upper triangle, by columns
	top := 0
	var kept []int
	for j := range p {
		full := math.Sqrt(dot(a[j], a[j]))
		r[j] = make([]float64, p)
		for t, k := range kept { // the reflections before this one
			mirror(a[k][t:], a[j][t:])
			r[j][t] = a[j][t]
		}
		norm := 0.0
		if top < n {
			norm = math.Sqrt(dot(a[j][top:], a[j][top:]))
		}
		if full == 0 || norm <= rounding*full {
			s.dropped[j] = true
			continue
		}
		if a[j][top] > 0 {
			norm = -norm
		}
		r[j][top] = norm
		a[j][top] -= norm
		mirror(a[j][top:], z[top:])
		kept = append(kept, j)
		top++
	}
	for t := top - 1; t >= 0; t-- {
		v := z[t]
		for u := t + 1; u < top; u++ {
			v -= float64(r[kept[u]][t] * s.coef[kept[u]])
		}
		s.coef[kept[t]] = v / r[kept[t]][t]
	}
	s.inverse = gramInverse(r, kept, p)
	return s
}

// mirror reflects z in the plane whose normal is v: z -= v 2(v·z)/(v·v).
func mirror(v, z []float64) {
	f := 2 * dot(v, z) / dot(v, v)
	for i := range v {
		z[i] -= float64(f * v[i])
	}
}

// gramInverse is (RᵀR)⁻¹ for the kept columns of the upper triangle r.
func gramInverse(r [][]float64, kept []int, p int) [][]float64 {
	q := len(kept)
	inv := make([][]float64, q) // R⁻¹, by columns
	for c := range q {
		inv[c] = make([]float64, q)
		inv[c][c] = 1 / r[kept[c]][c]
		for i := c - 1; i >= 0; i-- {
			v := 0.0
			for k := i + 1; k <= c; k++ {
				v += float64(r[kept[k]][i] * inv[c][k])
			}
			inv[c][i] = -v / r[kept[i]][i]
		}
	}
	g := square(p)
	for i := range q {
		for j := range q {
			v := 0.0
			for k := max(i, j); k < q; k++ {
				v += float64(inv[k][i] * inv[k][j])
			}
			g[kept[i]][kept[j]] = v
		}
	}
	return g
}

func square(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	return m
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v * b[i])
	}
	return s
}

// tailT is the two-sided tail of Student's t, exact for very small tails
// (Abramowitz and Stegun, 26.7.1).
func tailT(t, dof float64) float64 {
	if dof <= 0 || math.IsNaN(t) {
		return math.NaN()
	}
	return mathext.RegIncBeta(dof/2, 0.5, dof/(dof+float64(t*t)))
}

// tailF is the upper tail of the F distribution (Abramowitz and Stegun, 26.6.2).
func tailF(f, d1, d2 float64) float64 {
	if d1 <= 0 || d2 <= 0 || math.IsNaN(f) {
		return math.NaN()
	}
	if f <= 0 {
		return 1
	}
	return mathext.RegIncBeta(d2/2, d1/2, d2/(d2+float64(d1*f)))
}
