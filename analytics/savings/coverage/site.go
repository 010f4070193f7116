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
