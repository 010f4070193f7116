package nonroutine

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// year draws a year of a site's savings: a saving in proportion to load, AR(1)
// noise, weekends, holidays and a summer shutdown, and steps of use.
func year(seed uint64, rho, scatter float64, steps map[int]float64) []Day {
	r := rand.New(rand.NewPCG(seed, 7))
	days := make([]Day, 365)
	e := r.NormFloat64()
	for i := range days {
		load := 1000 + 300*math.Cos(2*math.Pi*float64(i)/365)
		if i%7 > 4 {
			load *= 0.7
		}
		saved := 0.1 * load
		for at, size := range steps {
			if i >= at {
				saved -= size
			}
		}
		if i == 0 || i == 120 || i == 194 || i == 359 { // holidays that the baseline does not know
			saved += 400
		}
		if i > 216 && i < 224 { // works holidays
			saved += 500
		}
		days[i] = Day{Saved: saved + 1000*scatter*e, Baseline: load, Weekday: i % 7}
		e = rho*e + math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	return days
}

// True steps are found within a week; a year without any gives at most two false
// candidates, with correlated noise too.
func TestDetect(t *testing.T) {
	found, steps, falseOnes, worst := 0, 0, 0, 0
	for seed := range uint64(60) {
		rho := []float64{0, 0.3, 0.5}[seed%3]
		none := Detect(year(seed, rho, 0.05, nil), Options{})
		falseOnes += len(none.Events)
		worst = max(worst, len(none.Events))
		at := 60 + int(seed*3)%230
		end := at + 45
		got := Detect(year(seed, rho, 0.05, map[int]float64{at: 150, end: -150}), Options{})
		for _, want := range []int{at, end} {
			steps++
			for _, e := range got.Events {
				if abs(e.Index-want) <= 7 {
					found++
					break
				}
			}
		}
	}
	t.Logf("%d of %d steps found, %d false candidates in 60 years, %d at most in one", found, steps, falseOnes, worst)
	require.LessOrEqual(t, worst, 2)
	require.Less(t, falseOnes, 12)
	require.Greater(t, found, steps*9/10)
}

// In noise that lasts for days the baseline's own days tell how long: most steps are
// found, and no more false ones.
func TestDetectInStrongNoise(t *testing.T) {
	found, alone, steps, falseOnes := 0, 0, 0, 0
	near := func(got *Found, want int) int {
		for _, e := range got.Events {
			if abs(e.Index-want) <= 7 {
				return 1
			}
		}
		return 0
	}
	for seed := range uint64(40) {
		o := Options{Before: year(seed+1000, 0.7, 0.05, nil)}
		falseOnes += len(Detect(year(seed, 0.7, 0.05, nil), o).Events)
		at := 60 + int(seed*3)%230
		days := year(seed, 0.7, 0.05, map[int]float64{at: 150, at + 45: -150})
		for _, want := range []int{at, at + 45} {
			steps++
			found += near(Detect(days, o), want)
			alone += near(Detect(days, Options{}), want)
		}
	}
	t.Logf("%d of %d steps found, %d without the baseline's days, %d false candidates in 40 years", found, steps, alone, falseOnes)
	require.GreaterOrEqual(t, found, steps*9/10)
	require.GreaterOrEqual(t, found, alone)
	require.LessOrEqual(t, falseOnes, 4)
}

func abs(i int) int { return max(i, -i) }

func TestDetectSizes(t *testing.T) {
	f := Detect(year(3, 0.3, 0.03, map[int]float64{150: 200}), Options{})
	require.Len(t, f.Events, 1)
	require.InDelta(t, 150, f.Events[0].Index, 3)
	require.InDelta(t, 200, f.Events[0].Size, 40)
	require.Greater(t, f.Events[0].Z, 4.0)
	require.NotEmpty(t, f.SetAside)
}

func TestTooShort(t *testing.T) {
	require.Empty(t, Detect(year(1, 0, 0.05, nil)[:50], Options{}).Events)
	days := make([]Day, 100)
	for i := range days {
		days[i].Saved = math.NaN()
	}
	require.Empty(t, Detect(days, Options{}).Events)
}
