package savings

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// errSingular says that the drivers of a model cannot be told apart, or that one
// of them never changes.
var errSingular = errors.New("drivers are constant or move together: the model has no unique fit")

// leastSquares solves min |X b - y| with weights by Householder reflections
// (Golub and Van Loan, 5.2). rows are the rows of X; w may be nil. It returns b
// and the inverse of XᵀWX.
func leastSquares(rows [][]float64, y, w []float64) (b []float64, inverse [][]float64, err error) {
	n := len(rows)
	if n == 0 {
		return nil, nil, errSingular
	}
	p := len(rows[0])
	if n < p {
		return nil, nil, errSingular
	}
	a := make([]float64, n*p)
	z := make([]float64, n)
	for i, r := range rows {
		s := 1.0
		if w != nil {
			s = math.Sqrt(w[i])
		}
		for j, v := range r {
			a[i*p+j] = v * s
		}
		z[i] = y[i] * s
	}
	norms := make([]float64, p)
	for j := range p {
		norms[j] = columnNorm(a, j, 0, n, p)
	}
	for j := range p {
		if !reflect(a, z, j, n, p, norms[j]) {
			return nil, nil, errSingular
		}
	}
	b = make([]float64, p)
	for j := p - 1; j >= 0; j-- {
		s := z[j]
		for k := j + 1; k < p; k++ {
			s -= float64(a[j*p+k] * b[k])
		}
		b[j] = s / a[j*p+j]
	}
	return b, gramInverse(a, p), nil
}

func columnNorm(a []float64, j, from, n, p int) float64 {
	s := 0.0
	for i := from; i < n; i++ {
		s += float64(a[i*p+j] * a[i*p+j])
	}
	return math.Sqrt(s)
}

// reflect eliminates column j below the diagonal. It reports false when what is
// left of the column is nothing but rounding.
func reflect(a, z []float64, j, n, p int, full float64) bool {
	norm := columnNorm(a, j, j, n, p)
	if full == 0 || norm <= 1e-10*full {
		return false
	}
	if a[j*p+j] > 0 {
		norm = -norm
	}
	// v = x - norm e1; H = I - v vᵀ / (norm * v1 * -1)
	v1 := a[j*p+j] - norm
	beta := -1 / (norm * v1)
	apply := func(get func(i int) *float64) {
		s := float64(v1 * *get(j))
		for i := j + 1; i < n; i++ {
			s += float64(a[i*p+j] * *get(i))
		}
		s *= beta
		*get(j) -= float64(s * v1)
		for i := j + 1; i < n; i++ {
			*get(i) -= float64(s * a[i*p+j])
		}
	}
	for k := j + 1; k < p; k++ {
		apply(func(i int) *float64 { return &a[i*p+k] })
	}
	apply(func(i int) *float64 { return &z[i] })
	a[j*p+j] = norm
	return true
}

// gramInverse is (RᵀR)⁻¹ for the upper triangle R in a.
func gramInverse(a []float64, p int) [][]float64 {
	inv := make([][]float64, p) // R⁻¹, upper
	for j := range p {
		inv[j] = make([]float64, p)
	}
	for j := range p {
		inv[j][j] = 1 / a[j*p+j]
		for i := j - 1; i >= 0; i-- {
			s := 0.0
			for k := i + 1; k <= j; k++ {
				s += float64(a[i*p+k] * inv[k][j])
			}
			inv[i][j] = -s / a[i*p+i]
		}
	}
	g := make([][]float64, p)
	for i := range p {
		g[i] = make([]float64, p)
		for j := range p {
			s := 0.0
			for k := max(i, j); k < p; k++ {
				s += float64(inv[i][k] * inv[j][k])
			}
			g[i][j] = s
		}
	}
	return g
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += float64(a[i] * b[i])
	}
	return s
}

// quadratic is xᵀ M x.
func quadratic(m [][]float64, x []float64) float64 {
	s := 0.0
	for i := range x {
		s += float64(x[i] * dot(m[i], x))
	}
	return s
}

// multiply is A B for square matrices.
func multiply(a, b [][]float64) [][]float64 {
	n := len(a)
	c := make([][]float64, n)
	for i := range n {
		c[i] = make([]float64, n)
		for j := range n {
			s := 0.0
			for k := range n {
				s += float64(a[i][k] * b[k][j])
			}
			c[i][j] = s
		}
	}
	return c
}

// studentT is the p quantile of Student's t, rounded to a millionth so that it
// is the same on machines whose exponential differs in the last digit.
func studentT(p, dof float64) float64 {
	return math.Round(distuv.StudentsT{Mu: 0, Sigma: 1, Nu: dof}.Quantile(p)*1e6) / 1e6
}
