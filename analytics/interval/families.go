package interval

import (
	"math"
	"sync"
)

// family is a kind of noise. Its weight in the prior is shared by its candidates in
// proportion to their priors.
//
// White noise and AR(1) have most of the prior, fractional noise half of AR(1)'s
// weight; a slow part of weeks to months under white noise, a cycle, and short with
// long memory a sixth to a fifth. Where families resemble each other only one of
// them is listed: fractional noise of d near 0, or with an AR(1) of much memory, or
// fast noise under white, mimics AR(1) noise within a year and would widen its
// intervals without need. So fractional noise has weight in proportion to d³, joint
// kinds begin at d 0.3 with weight in proportion to (1-phi)³, and slow parts at a
// correlation time of 20 steps. The figures were set so that coverage is as even
// between kinds as a year of days allows, on other sites than those that
// docs/coverage.md reports.
type family struct {
	name   string
	weight float64
	all    []candidate
}

// candidate is a noise: (1-phi B)(1-B)^d u = e, of which a share is white instead;
// or, with a radius, the AR(2) whose characteristic roots have that inverse length
// and the angle of a period in steps.
type candidate struct {
	phi, d, white  float64
	radius, period float64
	prior          float64
	// rough marks the few that are enough for a first look.
	rough bool
}

const leakage = 200 // lags beyond those asked for that the AR filter looks at

func familiesOfNoise() []family {
	var short, long, both, slow, cycles []candidate
	for i := range 19 {
		short = append(short, candidate{phi: 0.05 * float64(i+1), prior: 1, rough: i%4 == 3})
	}
	short = append(short, candidate{phi: 0.97, prior: 1}, candidate{phi: 0.98, prior: 1})
	for i := range 10 {
		d := min(0.05*float64(i+1), 0.49)
		long = append(long, candidate{d: d, prior: d * d * d, rough: i%2 == 1})
	}
	for i := range 8 {
		for _, d := range []float64{0.3, 0.4, 0.475} {
			phi := 0.1 * float64(i+1)
			both = append(both, candidate{phi: phi, d: d, prior: math.Pow(1-phi, 3)})
		}
	}
	for _, phi := range []float64{0.95, 0.97, 0.98, 0.99} {
		for _, w := range []float64{0.3, 0.5, 0.7, 0.8, 0.9} {
			slow = append(slow, candidate{phi: phi, white: w, prior: 1, rough: phi == 0.95 && w == 0.7})
		}
	}
	for _, r := range []float64{0.8, 0.9, 0.95} {
		for _, p := range []float64{4, 5, 6, 7, 8.5, 10, 12, 14, 17, 20, 24, 30} {
			cycles = append(cycles, candidate{radius: r, period: p, prior: 1})
		}
	}
	return []family{
		{"white", 1.5, []candidate{{prior: 1, rough: true}}},
		{"AR(1)", 1, short},
		{"fractional", 0.47, long},
		{"fractional and AR(1)", 0.20, both},
		{"slow AR(1) under white", 0.15, slow},
		{"cycle", 0.2, cycles},
	}
}

// candidates are those of all families with their prior.
var candidates = sync.OnceValue(func() []candidate {
	var all []candidate
	total := 0.0
	for _, f := range familiesOfNoise() {
		total += f.weight
	}
	for _, f := range familiesOfNoise() {
		shares := 0.0
		for _, c := range f.all {
			shares += c.prior
		}
		for _, c := range f.all {
			c.prior *= f.weight / total / shares
			all = append(all, c)
		}
	}
	return all
})

// density is 2π times the spectrum of the candidate at a frequency in radians.
func (c candidate) density(lambda float64) float64 {
	if c.radius != 0 {
		a, b := c.ar2()
		re := 1 - float64(a*math.Cos(lambda)) - float64(b*math.Cos(2*lambda))
		im := float64(a*math.Sin(lambda)) + float64(b*math.Sin(2*lambda))
		return 1 / (float64(re*re) + float64(im*im))
	}
	h := 1 / (1 - float64(2*c.phi*math.Cos(lambda)) + float64(c.phi*c.phi))
	if c.d != 0 {
		h *= math.Exp(-2 * float64(c.d*math.Log(2*math.Sin(lambda/2))))
	}
	if c.white != 0 {
		h = float64(h*(1-c.white)*(1-float64(c.phi*c.phi))) + c.white
	}
	return h
}

func (c candidate) ar2() (a, b float64) {
	return 2 * c.radius * math.Cos(2*math.Pi/c.period), -float64(c.radius * c.radius)
}

// autocovariance is that of the candidate with unit innovations, or with unit
// variance when a share is white, for lags 0 to lags-1.
func (c candidate) autocovariance(lags int) []float64 {
	if c.radius != 0 {
		a, b := c.ar2()
		g := make([]float64, max(lags, 2))
		g[0] = (1 - b) / ((1 + b) * (float64((1-b)*(1-b)) - float64(a*a)))
		g[1] = a / (1 - b) * g[0]
		for k := 2; k < lags; k++ {
			g[k] = float64(a*g[k-1]) + float64(b*g[k-2])
		}
		return g[:lags]
	}
	g := autocovariance(c.phi, c.d, lags)
	if c.white != 0 {
		for k := range g {
			g[k] *= float64((1 - c.white) * (1 - float64(c.phi*c.phi)))
		}
		g[0] += c.white
	}
	return g
}

// autocovariance is that of (1-phi B)(1-B)^d u = e with unit innovations, for
// lags 0 to lags-1: Hosking's recursion for the fractional part, filtered there
// and back by the AR(1).
func autocovariance(phi, d float64, lags int) []float64 {
	if d == 0 {
		g := powers(phi, lags)
		for k := range g {
			g[k] /= 1 - float64(phi*phi)
		}
		return g
	}
	n := lags + leakage
	f := make([]float64, n)
	f[0] = math.Gamma(1-2*d) / float64(math.Gamma(1-d)*math.Gamma(1-d))
	for k := 1; k < n; k++ {
		f[k] = f[k-1] * (float64(k) - 1 + d) / (float64(k) - d)
	}
	if phi == 0 {
		return f[:lags]
	}
	up := make([]float64, 2*n-1) // forward sums over lags -(n-1) .. n-1
	up[0] = f[n-1] / (1 - phi)
	for i := 1; i < len(up); i++ {
		k := i - (n - 1)
		if k < 0 {
			k = -k
		}
		up[i] = f[k] + float64(phi*up[i-1])
	}
	g := make([]float64, lags)
	for k := range g {
		// the backward sum at lag k is the forward one at -k
		g[k] = (up[n-1+k] + up[n-1-k] - f[k]) / (1 - float64(phi*phi))
	}
	return g
}
