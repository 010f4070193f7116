package contact

import (
	"math"

	"github.com/thermie/thermie/registry"
)

// Crowd is how many companies must fit a band, those of one holding counted once.
const Crowd = 3

// Bounds of the bands. Power goes in half decades, temperatures are those of
// opportunities, declared amounts go in decades.
var (
	powerKW      = []float64{0, 100, 300, 1000, 3000, 10000}
	temperatureC = []float64{0, 40, 60, 90, 150}
)

// band is the one of the bounds that holds x; nil for what is not known.
func band(bounds []float64, x float64) *registry.Band {
	if !(x > 0) || math.IsInf(x, 0) {
		return nil
	}
	for i := len(bounds) - 1; i >= 0; i-- {
		if x >= bounds[i] {
			b := &registry.Band{From: bounds[i]}
			if i+1 < len(bounds) {
				b.To = bounds[i+1]
			}
			return b
		}
	}
	return nil
}

// decade is the power of ten that holds x.
func decade(x float64) *registry.Band {
	if !(x > 0) || math.IsInf(x, 0) {
		return nil
	}
	from := math.Pow(10, math.Floor(math.Log10(x)))
	return &registry.Band{From: from, To: 10 * from}
}

func holds(b *registry.Band, x float64) bool {
	return b == nil || x >= b.From && (b.To == 0 || x < b.To)
}

// widen gives a side its bands: the narrowest in which a crowd stands.
func widen(own *standing, peers []*standing) registry.ContactBands {
	p := own.profile
	full := registry.ContactBands{PowerKW: band(powerKW, p.PowerKW), Temperature: band(temperatureC, p.HighC), Amount: decade(p.Amount)}
	for _, b := range []registry.ContactBands{full, {Temperature: full.Temperature}, {PowerKW: full.PowerKW}} {
		if b == (registry.ContactBands{}) {
			continue
		}
		in := map[string]bool{}
		for _, x := range peers {
			if fits(b, x.profile) && x.profile.Unit == p.Unit {
				in[x.group] = true
			}
		}
		if len(in) >= Crowd {
			return b
		}
	}
	return registry.ContactBands{}
}

// fits says whether a profile lies in every band. A band of what the profile does
// not know does not hold it.
func fits(b registry.ContactBands, p registry.ContactProfile) bool {
	return holds(b.PowerKW, p.PowerKW) && holds(b.Temperature, p.HighC) && holds(b.Amount, p.Amount) &&
		(b.PowerKW == nil || p.PowerKW > 0) && (b.Temperature == nil || p.HighC > 0) && (b.Amount == nil || p.Amount > 0)
}
