// Package weather gives the outdoor temperature of a Strasbourg-like climate as
// a pure function of time and a seed.
//
// The temperature is the sum of a yearly wave (coldest in mid-January, warmest
// in mid-July), a daily wave (coldest before sunrise, warmest in mid-afternoon,
// stronger in summer and on days with a clear sky) and weather: smooth noise of
// several time scales, so that a cold spell lasts days and two neighbouring
// hours resemble each other. Means and extremes follow the published normals of
// Strasbourg-Entzheim (Météo-France, 1991-2020: mean 11.2 degC, January 2.2,
// July 20.6); the days themselves are invented.
package weather

import (
	"math"
	"time"
)

// Weather is a climate with one seed. The zero value is usable: seed 0.
type Weather struct{ Seed uint64 }

const (
	yearSeconds = 365.2425 * 86400
	meanC       = 11.3
	yearlyC     = 9.4  // half of July minus January
	coldestDay  = 17.0 // of the year: 18 January
)

// scale is one layer of the noise: its time scale and its weight in kelvin.
type scale struct {
	seconds float64
	kelvin  float64
}

// The layers: air masses, fronts, clouds. Each is value noise in [-1, 1], whose
// standard deviation is about 0.45.
var layers = [...]scale{{11 * 86400, 5.0}, {4.3 * 86400, 5.2}, {1.4 * 86400, 2.6}, {4 * 3600, 0.8}}

// At is the outdoor temperature in degrees Celsius at an instant, given in
// seconds since 1970-01-01 UTC.
func (w Weather) At(unix float64) float64 {
	year := math.Cos(2 * math.Pi * (unix/yearSeconds - coldestDay/365.2425)) // 1 in deep winter
	t := meanC - yearlyC*year
	// Winter air masses differ more than summer ones.
	spread := 1 + 0.12*year
	for i, l := range layers {
		t += spread * l.kelvin * w.noise(uint64(i+1), unix/l.seconds)
	}
	// Solar time at 7.7 degrees east is UTC + 31 minutes; warmest at 15:30 solar.
	day := (unix + 1860) / 86400
	clear := 0.5 + 0.5*w.noise(9, day/2)
	amplitude := (3.9 - 1.9*year) * (0.55 + 0.9*clear)
	return t + amplitude*math.Cos(2*math.Pi*(day-15.5/24))
}

// Time is At for a time.
func (w Weather) Time(t time.Time) float64 { return w.At(float64(t.UnixMilli()) / 1000) }

// noise is smooth value noise in [-1, 1]: random at the integers, a cubic
// between them.
func (w Weather) noise(layer uint64, x float64) float64 {
	i := math.Floor(x)
	f := x - i
	f = f * f * (3 - 2*f)
	a, b := w.unit(layer, int64(i)), w.unit(layer, int64(i)+1)
	return a + (b-a)*f
}

func (w Weather) unit(layer uint64, i int64) float64 {
	return 2*float64(Hash(w.Seed, layer, uint64(i))>>11)/(1<<53) - 1
}

// Hash mixes three numbers into 64 well-spread bits (the finaliser of
// SplitMix64, Steele, Lea and Flood 2014). All randomness of the simulator comes
// from it, so that any instant can be computed on its own.
func Hash(seed, stream, index uint64) uint64 {
	z := seed*0x9E3779B97F4A7C15 + stream*0xD1B54A32D192ED03 + index*0x8CB92BA72F3D8DD7 + 0x632BE59BD9B4E019
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	return z ^ z>>27
}
