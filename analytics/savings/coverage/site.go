package coverage

import (
	"math"
	"math/rand/v2"
)

// Site is a synthetic heat meter: two years of days, the saving known.
type Site struct {
	Temperature []float64 // degC, 730 days from 1 January
	Energy      []float64 // kWh; NaN where the day is missing
	Saved       []float64 // kWh that each day truly saved: its mean, without noise
}

// Noise is a kind of disturbance that sites are given.
type Noise struct {
	Name string
	Text string
	// make fills n days of standardised noise.
	make func(r *rand.Rand, n int) []float64
	// loaded gives scatter in proportion to this much of load, the rest constant.
	loaded float64
	// missing is the share of days without data, half of it in blocks of up to nine days.
	missing float64
}

// Noises are the kinds that the study tries.
func Noises() []Noise {
	return []Noise{
		{Name: "white", Text: "independent days", make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0) }},
		{Name: "ar1", Text: "AR(1), rho from 0.2 to 0.7", make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.2+0.5*r.Float64()) }},
		{Name: "ar1-strong", Text: "AR(1), rho 0.85", make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.85) }},
		{Name: "seasonal", Text: "AR(1) with rho 0.4, scatter in proportion to load (winter to summer about 4 to 1)", loaded: 1,
			make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.4) }},
		{Name: "long-memory", Text: "fractional noise, d from 0.15 to 0.35", make: func(r *rand.Rand, n int) []float64 { return fractional(r, n, 0.15+0.2*r.Float64()) }},
		{Name: "slow-and-fast", Text: "white noise and a fifth of its variance as AR(1) with rho 0.97", make: slowAndFast},
		{Name: "heavy-tails", Text: "AR(1) with rho 0.4 of Student's t with 4 degrees of freedom", make: heavy},
		{Name: "seasonal-long", Text: "fractional noise d 0.25, scatter half in proportion to load", loaded: 0.5,
			make: func(r *rand.Rand, n int) []float64 { return fractional(r, n, 0.25) }},
		{Name: "missing", Text: "AR(1) with rho 0.5, a tenth of the days missing", missing: 0.10,
			make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.5) }},
	}
}

func ar1(r *rand.Rand, n int, rho float64) []float64 {
	x := make([]float64, n)
	last := r.NormFloat64()
	for i := range x {
		x[i] = last
		last = rho*last + math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	return x
}

func heavy(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	last := 0.0
	for i := range n + 50 {
		g := 0.0
		for range 4 {
			z := r.NormFloat64()
			g += z * z
		}
		last = 0.4*last + math.Sqrt(1-0.16)*r.NormFloat64()/math.Sqrt(g/4)/math.Sqrt2
		if i >= 50 {
			x[i-50] = last
		}
	}
	return x
}

func slowAndFast(r *rand.Rand, n int) []float64 {
	x := ar1(r, n, 0.97)
	for i := range x {
		x[i] = math.Sqrt(0.2)*x[i] + math.Sqrt(0.8)*r.NormFloat64()
	}
	return x
}

// fractional is exact fractional noise of unit variance by the recursion of
// Durbin and Levinson (Hosking 1984).
func fractional(r *rand.Rand, n int, d float64) []float64 {
	x := make([]float64, n)
	phi := make([]float64, n)
	old := make([]float64, n)
	v := 1.0
	x[0] = r.NormFloat64()
	for t := 1; t < n; t++ {
		k := d / (float64(t) - d) // partial autocorrelation
		copy(old, phi[:t])
		phi[t-1] = k
		for j := range t - 1 {
			phi[j] = old[j] - k*old[t-2-j]
		}
		v *= 1 - k*k
		m := 0.0
		for j := range t {
			m += phi[j] * x[t-1-j]
		}
		x[t] = m + math.Sqrt(v)*r.NormFloat64()
	}
	return x
}

// climate is a weather file: yearly mean, amplitude, scatter and persistence of
// daily temperature.
type climate struct{ mean, amplitude, scatter, rho float64 }

var climates = []climate{
	{10.8, 9.2, 3.4, 0.75}, // upper Rhine
	{11.5, 6.0, 3.0, 0.80}, // Atlantic
	{15.5, 8.2, 2.6, 0.70}, // Mediterranean
	{6.5, 11.5, 4.2, 0.80}, // continental
	{9.5, 7.5, 3.2, 0.78},  // North Sea
}

// NewSite draws a site: its weather, its heat load and its saving.
func NewSite(r *rand.Rand, k Noise) *Site {
	c := climates[r.IntN(len(climates))]
	n := 730
	s := &Site{Temperature: make([]float64, n), Energy: make([]float64, n), Saved: make([]float64, n)}
	shock := ar1(r, n, c.rho)
	years := [2]float64{0.6 * r.NormFloat64(), 0.6 * r.NormFloat64()}
	base, slope, balance := 400+1200*r.Float64(), 150+250*r.Float64(), 14+4*r.Float64()
	saving := 0.05 + 0.2*r.Float64()
	level := 0.06 + 0.1*r.Float64() // scatter over mean use
	mean := 0.0
	for d := range n {
		s.Temperature[d] = c.mean + years[d/365] - c.amplitude*math.Cos(2*math.Pi*float64(d-20)/365) + c.scatter*shock[d]
		s.Energy[d] = base + slope*max(balance-s.Temperature[d], 0)
		mean += s.Energy[d] / float64(n)
	}
	noise := k.make(r, n)
	for d := range n {
		sd := level * ((1-k.loaded)*mean + k.loaded*s.Energy[d])
		if d >= 365 {
			s.Saved[d] = saving * (s.Energy[d] - base)
		}
		s.Energy[d] += sd*noise[d] - s.Saved[d]
	}
	s.drop(r, k.missing)
	return s
}

func (s *Site) drop(r *rand.Rand, share float64) {
	n := len(s.Energy)
	for gone := 0.0; gone < share*float64(n); {
		at, long := r.IntN(n), 1
		if r.IntN(10) == 0 {
			long = 1 + r.IntN(9)
		}
		for d := at; d < min(at+long, n); d++ {
			if !math.IsNaN(s.Energy[d]) {
				s.Energy[d] = math.NaN()
				gone++
			}
		}
	}
}
