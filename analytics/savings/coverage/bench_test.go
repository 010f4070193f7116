package coverage

import (
	"math/rand/v2"
	"testing"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
)

// A daily meter from data to five intervals: fit, noise, year and quarters.
func BenchmarkDailyMeter(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	base, rep := Models()[0].frames(NewSite(r, Noises()[1]), r)
	for b.Loop() {
		fit, err := baseline.Linear(base, baseline.Spec{Shape: baseline.ThreePHeat})
		if err != nil {
			b.Fatal(err)
		}
		ahead, err := interval.Ahead(fit, base, rep)
		if err != nil {
			b.Fatal(err)
		}
		for _, span := range [5][2]int{{0, 365}, {0, 90}, {90, 181}, {181, 273}, {273, 365}} {
			var rows []int
			for i := span[0]; i < span[1]; i++ {
				rows = append(rows, i)
			}
			if _, err := ahead.Half(rows, 0.90); err != nil {
				b.Fatal(err)
			}
		}
	}
}
