package weather

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClimate holds the climate to that of Strasbourg over ten years and
// several seeds: means, extremes, seasons.
func TestClimate(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		w := Weather{Seed: seed}
		from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		coldYears, hotYears := 0, 0
		for year := range 10 {
			low, high, sum, n := 99.0, -99.0, 0.0, 0
			for h := range 8760 {
				c := w.Time(from.AddDate(year, 0, 0).Add(time.Duration(h) * time.Hour))
				low, high, sum, n = min(low, c), max(high, c), sum+c, n+1
			}
			if mean := sum / float64(n); mean < 9.5 || mean > 13 {
				t.Errorf("seed %d, year %d: mean %.1f degC", seed, year, mean)
			}
			if low < -17 || low > -3 || high > 40 || high < 28 {
				t.Errorf("seed %d, year %d: from %.1f to %.1f degC", seed, year, low, high)
			}
			if low <= -8 {
				coldYears++
			}
			if high >= 32 {
				hotYears++
			}
		}
		if coldYears < 3 || hotYears < 3 {
			t.Errorf("seed %d: only %d years with a night of -8 degC, %d with a day of 32 degC", seed, coldYears, hotYears)
		}
	}
}

// TestAutocorrelated: an hour resembles the next, a day the next, a month later
// not (seasons removed by comparing the same calendar month).
func TestAutocorrelated(t *testing.T) {
	w := Weather{Seed: 3}
	corr := func(lag float64) float64 {
		var sx, sy, sxx, syy, sxy, n float64
		for d := range 3000 {
			at := float64(1.6e9 + d*86400)
			season := func(u float64) float64 {
				return meanC - yearlyC*math.Cos(2*math.Pi*(u/yearSeconds-coldestDay/365.2425))
			}
			x, y := w.At(at)-season(at), w.At(at+lag)-season(at+lag)
			sx, sy, sxx, syy, sxy, n = sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y, n+1
		}
		return (sxy - sx*sy/n) / math.Sqrt((sxx-sx*sx/n)*(syy-sy*sy/n))
	}
	if c := corr(600); c < 0.98 {
		t.Errorf("correlation over 10 minutes %.3f", c)
	}
	if c := corr(86400); c < 0.6 || c > 0.95 {
		t.Errorf("correlation over a day %.3f", c)
	}
	if c := corr(30 * 86400); math.Abs(c) > 0.15 {
		t.Errorf("correlation over 30 days %.3f", c)
	}
}

// TestPure: the same instant gives the same temperature, neighbouring instants
// nearly the same.
func TestPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Weather{Seed: rapid.Uint64().Draw(t, "seed")}
		at := float64(rapid.Int64Range(946684800, 4102444800).Draw(t, "unix"))
		a := w.At(at)
		if a != w.At(at) || math.IsNaN(a) || a < -35 || a > 55 {
			t.Fatalf("%v degC", a)
		}
		if d := math.Abs(w.At(at+60) - a); d > 0.3 {
			t.Fatalf("jumps by %.2f K in a minute", d)
		}
	})
}

func BenchmarkAt(b *testing.B) {
	w := Weather{Seed: 1}
	for i := range b.N {
		w.At(float64(1.7e9 + i*600))
	}
}
