package interval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func ar(r *rand.Rand, n int, rho float64) []float64 {
	x := make([]float64, n)
	last := r.NormFloat64()
	for i := range x {
		x[i] = last
		last = rho*last + math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	return x
}

func steps(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// A short series has the AR(1) sandwich of the formula: for 12 months after 24 with
// white noise, the prediction error of a mean.
func TestShortIsSandwich(t *testing.T) {
	e := make([]float64, 24)
	for i := range e {
		e[i] = float64(1 - 2*(i%2)) // lag-1 correlation negative: taken as none
	}
	z, err := Learn(Residuals{Step: steps(24), E: e, Parameters: 1})
	require.NoError(t, err)
	require.Zero(t, z.RhoUsed)
	var terms []Term
	for i := range 24 {
		terms = append(terms, Term{Step: i, Weight: 12.0 / 24})
	}
	for i := range 12 {
		terms = append(terms, Term{Step: 30 + i, Weight: -1})
	}
	require.InDelta(t, 24.0/23*(12+144.0/24), z.Variance(terms), 1e-9)
	require.InDelta(t, 1.713872, z.T(0.90), 1e-6) // 23 degrees of freedom
}

// The variance of a sum of 90 steps minus what a mean of 365 steps foretells is
// found again, by the median of many series: within a third of its root, the doubt
// about long memory included.
func TestLongVariance(t *testing.T) {
	for _, rho := range []float64{0, 0.5, 0.8} {
		var terms []Term
		v := make([]float64, 490)
		for i := range 365 {
			v[i] = -90.0 / 365
			terms = append(terms, Term{Step: i, Weight: v[i]})
		}
		for i := range 90 {
			v[400+i] = 1
			terms = append(terms, Term{Step: 400 + i, Weight: 1})
		}
		want := toeplitz(v, powers(rho, len(v)))
		var all []float64
		for seed := range uint64(60) {
			e := ar(rand.New(rand.NewPCG(seed, 1)), 365, rho)
			mean := 0.0
			for _, x := range e {
				mean += x / 365
			}
			for i := range e {
				e[i] -= mean
			}
			z, err := Learn(Residuals{Step: steps(365), E: e, Phase: make([]float64, 365), Parameters: 1})
			require.NoError(t, err)
			all = append(all, z.Variance(terms))
		}
		slices.Sort(all)
		require.InEpsilon(t, want, all[30], 0.75, "rho %v", rho)
		t.Logf("%v: %.3g of %.3g", rho, all[30], want)
	}
}

// Scatter that is four times as wide in winter is learned by season.
func TestSeason(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var res Residuals
	for i := range 365 {
		p := float64(i) / 365
		res.Step, res.Phase = append(res.Step, i), append(res.Phase, p)
		res.E = append(res.E, r.NormFloat64()*(2.5+1.5*math.Cos(2*math.Pi*p)))
	}
	z, err := Learn(res)
	require.NoError(t, err)
	winter, summer := z.Variance([]Term{{Step: 400, Weight: 1}}), z.Variance([]Term{{Step: 400, Weight: 1, Phase: 0.5}})
	require.InEpsilon(t, 4, math.Sqrt(winter/summer), 0.35)
}

// Weekends that the model does not know are not memory; they count for a day's
// scatter and hardly for that of many weeks.
func TestWeek(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	plain, weekly := Residuals{Parameters: 1}, Residuals{Parameters: 1}
	for i := range 364 {
		x := r.NormFloat64()
		plain.Step, plain.E = append(plain.Step, i), append(plain.E, x)
		effect := -0.8
		if i%7 > 4 {
			effect = 2
		}
		weekly.Step, weekly.E = append(weekly.Step, i), append(weekly.E, x+effect)
	}
	a, err := Learn(plain)
	require.NoError(t, err)
	b, err := Learn(weekly)
	require.NoError(t, err)
	sum := func(days int) (terms []Term) {
		for i := range days {
			terms = append(terms, Term{Step: 364 + i, Weight: 1})
		}
		return terms
	}
	require.InEpsilon(t, 1+1.6, b.Variance(sum(1))/a.Variance(sum(1)), 0.2)
	require.InEpsilon(t, 1, b.Variance(sum(91))/a.Variance(sum(91)), 0.05)
	require.InDelta(t, a.RhoUsed, b.RhoUsed, 0.05)
}

// What white noise is shows in a year; whether a wander lasts does not.
func TestDoubt(t *testing.T) {
	learn := func(gamma []float64) float64 {
		var all []float64
		draw := triangleOf(gamma)
		for seed := range uint64(21) {
			z, err := Learn(Residuals{Step: steps(365), E: draw.draw(rand.New(rand.NewPCG(seed, 2))), Parameters: 1})
			require.NoError(t, err)
			all = append(all, z.Doubt)
		}
		slices.Sort(all)
		return all[10]
	}
	require.Less(t, learn(candidate{}.autocovariance(365)), 1.5)
	require.Greater(t, learn(candidate{d: 0.25}.autocovariance(365)), float64(MuchDoubt))
}

func TestFractionalAutocovariance(t *testing.T) {
	// (1-B)^-d e: correlation at lag one is d/(1-d) (Hosking 1981).
	g := candidate{d: 0.3}.autocovariance(3)
	require.InDelta(t, 0.3/0.7, g[1]/g[0], 1e-12)
	// With an AR part, the spectrum at high frequency and the covariance agree:
	// filtering back by (1 - phi B) gives the fractional part again.
	h := candidate{phi: 0.6, d: 0.3}.autocovariance(400)
	back := (1+0.36)*h[1] - 0.6*(h[0]+h[2])
	require.InDelta(t, g[1], back, 0.01*g[0])
}

func TestToeplitzFast(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	v, g := make([]float64, 100), powers(0.7, 100)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	want := 0.0
	for i := range v {
		for j := range v {
			want += v[i] * v[j] * g[max(i-j, j-i)]
		}
	}
	require.InEpsilon(t, want, toeplitz(v, g), 1e-12)
	z, err := Learn(Residuals{Step: steps(100), E: ar(r, 100, 0.5)})
	require.NoError(t, err)
	require.InEpsilon(t, toeplitz(v, z.gamma(100)), z.around(v), 1e-12)
}

func TestLearnRefuses(t *testing.T) {
	_, err := Learn(Residuals{Step: steps(4), E: make([]float64, 4), Parameters: 2})
	require.ErrorContains(t, err, "too few")
	_, err = Learn(Residuals{Step: []int{0, 0, 1, 2}, E: make([]float64, 4)})
	require.ErrorContains(t, err, "does not come after")
	_, err = Learn(Residuals{Step: steps(4), E: []float64{1, math.NaN(), 1, 1}})
	require.ErrorContains(t, err, "not a number")
	z, err := Learn(Residuals{Step: steps(400), E: make([]float64, 400)})
	require.NoError(t, err)
	require.Zero(t, z.Variance([]Term{{Step: 401, Weight: 1}}))
}

func TestRound(t *testing.T) {
	require.Equal(t, 1234568000.0, Round(1234567891.4))
	require.Equal(t, 0.1234568, Round(0.12345678949))
	require.Zero(t, Round(0))
}
