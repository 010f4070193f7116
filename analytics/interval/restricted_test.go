package interval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The likelihood in cosines is the exact one, by dense matrices, up to a constant
// that all candidates share.
func TestRestrictedIsExact(t *testing.T) {
	const n = 200
	r := rand.New(rand.NewPCG(5, 6))
	u := ar(r, n, 0.6)
	columns := make([][]float64, 2)
	for c := range columns {
		columns[c] = make([]float64, n)
	}
	for i := range n {
		columns[0][i] = 1
		columns[1][i] = math.Cos(2*math.Pi*float64(i)/365) + 0.3*r.NormFloat64()
	}
	all := candidates()
	g := newGrid(n)
	s := newSeries(g, steps(n), u, columns, 2)
	var first float64
	for c := range all {
		log, scale := s.restricted(g, c)
		wantLog, wantScale := triangleOf(all[c].autocovariance(n)).without(columns).restricted(u)
		if c == 0 {
			first = log - wantLog
		}
		within := 0.4
		if all[c].radius != 0 {
			within = 2.5 // a peak within a band, a hundred below the best
		}
		require.InDelta(t, wantLog, log-first, within, "%+v", all[c])
		require.InEpsilon(t, wantScale, scale, 0.04, "%+v", all[c])
	}
}

// triangle is the Cholesky factor of the covariance of n steps.
type triangle struct {
	n    int
	root []float64
	log  float64
	away [][]float64 // whitened columns that are fitted away, orthonormal
}

func triangleOf(gamma []float64) *triangle {
	n := len(gamma)
	a := make([]float64, n*(n+1)/2)
	for i := range n {
		for j := range i + 1 {
			a[i*(i+1)/2+j] = gamma[i-j]
		}
	}
	f := &triangle{n: n, root: make([]float64, len(a))}
	f.log = cholesky(a, f.root, n)
	return f
}

func (f *triangle) draw(r *rand.Rand) []float64 {
	z, x := make([]float64, f.n), make([]float64, f.n)
	for i := range z {
		z[i] = r.NormFloat64()
		row := f.root[i*(i+1)/2:]
		x[i] = z[i]/row[i] + dot(row[:i], z)
	}
	return x
}

func (f *triangle) whiten(x []float64) []float64 {
	z := make([]float64, f.n)
	for i := range z {
		row := f.root[i*(i+1)/2:]
		z[i] = (x[i] - dot(row[:i], z)) * row[i]
	}
	return z
}

// without sets the columns that are fitted away.
func (f *triangle) without(columns [][]float64) *triangle {
	for _, c := range columns { // the determinant of X'V⁻¹X by orthogonal steps
		z := f.whiten(c)
		for _, o := range f.away {
			d := dot(o, z)
			for i := range z {
				z[i] -= d * o[i]
			}
		}
		norm := dot(z, z)
		f.log += math.Log(norm)
		for i := range z {
			z[i] /= math.Sqrt(norm)
		}
		f.away = append(f.away, z)
	}
	return f
}

// restricted is the restricted likelihood by the whole matrix.
func (f *triangle) restricted(u []float64) (log, scale float64) {
	y := f.whiten(u)
	rss := dot(y, y)
	for _, o := range f.away {
		d := dot(o, y)
		rss -= d * d
	}
	free := float64(f.n - len(f.away))
	return -0.5 * (f.log + free*math.Log(rss)), rss / free
}

// What no method can tell from a baseline: how often the most powerful test between
// two kinds of noise takes one for the other, their parameters being known (Neyman
// and Pearson 1933), with mean and yearly wave fitted away. docs/coverage.md has the
// figures.
func TestWhatABaselineCanTell(t *testing.T) {
	const draws = 100
	for _, c := range []struct {
		name        string
		a, b        candidate
		year, years [2]float64 // bounds of the share of errors after 365 and 730 days
		twice       int        // 1 to try 730 days too, which takes a while
	}{
		{"AR(1) 0.5 or fractional 0.3 through AR(1) 0.3", candidate{phi: 0.5}, candidate{phi: 0.3, d: 0.3}, [2]float64{0.02, 0.10}, [2]float64{0, 0.03}, 1},
		{"AR(1) 0.3 or fractional 0.25", candidate{phi: 0.3}, candidate{d: 0.25}, [2]float64{0.03, 0.13}, [2]float64{0, 0.05}, 0},
		{"white or a fifth of it AR(1) 0.97", candidate{}, candidate{phi: 0.97, white: 0.8}, [2]float64{0.005, 0.07}, [2]float64{0, 0.02}, 0},
		{"fractional 0.25 or a fifth of white AR(1) 0.97", candidate{d: 0.25}, candidate{phi: 0.97, white: 0.8}, [2]float64{0.01, 0.08}, [2]float64{0, 0.03}, 0},
		{"fractional 0.3 or AR(1) 0.9 with as much white", candidate{d: 0.3}, candidate{phi: 0.9, white: 0.45}, [2]float64{0.04, 0.25}, [2]float64{0, 0.15}, 0},
	} {
		for _, n := range []int{365, 730}[:1+c.twice] {
			columns := [][]float64{make([]float64, n), make([]float64, n)}
			for i := range n {
				columns[0][i], columns[1][i] = 1, math.Cos(2*math.Pi*float64(i)/365)
			}
			r := rand.New(rand.NewPCG(7, 8))
			kinds := [2]*triangle{triangleOf(c.a.autocovariance(n)).without(columns), triangleOf(c.b.autocovariance(n)).without(columns)}
			var ratio [2][]float64
			for k, truth := range kinds {
				for range draws {
					u := truth.draw(r)
					one, _ := kinds[0].restricted(u)
					other, _ := kinds[1].restricted(u)
					ratio[k] = append(ratio[k], other-one)
				}
				slices.Sort(ratio[k])
			}
			// where both errors are equally frequent
			errors := 0
			for errors < draws && ratio[0][draws-1-errors] > ratio[1][errors] {
				errors++
			}
			share := float64(errors) / draws
			bounds := c.year
			if n == 730 {
				bounds = c.years
			}
			t.Logf("%s, %d days: %.1f %%", c.name, n, 100*share)
			require.GreaterOrEqual(t, share, bounds[0], "%s, %d days", c.name, n)
			require.LessOrEqual(t, share, bounds[1], "%s, %d days", c.name, n)
		}
	}
}

// Waves of a year and two that were fitted away are not taken for a lack of slow
// noise: with the columns the variance of a year ahead is found, without it is not.
func TestColumnsAreAllowedFor(t *testing.T) {
	const n = 365
	columns := make([][]float64, 5)
	for c := range columns {
		columns[c] = make([]float64, n)
		for i := range n {
			columns[c][i] = math.Cos(2*math.Pi*float64((c+1)/2)*float64(i)/n - float64(c%2)*math.Pi/2)
		}
	}
	columns[0] = slices.Repeat([]float64{1}, n)
	truth := candidate{d: 0.3}.autocovariance(2 * n)
	draw := triangleOf(truth[:n])
	v := make([]float64, 2*n)
	var terms []Term
	for i := range v {
		v[i] = float64(2*(i/n) - 1)
		terms = append(terms, Term{Step: i, Weight: v[i]})
	}
	want := toeplitz(v, truth)
	r := rand.New(rand.NewPCG(11, 12))
	var with, without []float64
	for range 60 {
		u := draw.draw(r)
		for _, q := range orthonormal(columns) {
			d := dot(q, u)
			for i := range u {
				u[i] -= d * q[i]
			}
		}
		z, err := Learn(Residuals{Step: steps(n), E: u, Parameters: 5, Columns: columns})
		require.NoError(t, err)
		with = append(with, z.Variance(terms)/want)
		z, err = Learn(Residuals{Step: steps(n), E: u, Parameters: 5})
		require.NoError(t, err)
		without = append(without, z.Variance(terms)/want)
	}
	slices.Sort(with)
	slices.Sort(without)
	t.Logf("median with columns %.2f, without %.2f", with[30], without[30])
	require.InDelta(t, 1, with[30], 0.75) // the doubt included: a third of its root
	require.Less(t, without[30], 0.85)
	require.Less(t, without[30], 0.8*with[30])
}
