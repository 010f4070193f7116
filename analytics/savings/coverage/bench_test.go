package coverage

import (
	"math/rand/v2"
	"testing"
)

// A daily meter from data to five intervals: fit, noise, year and quarters.
func BenchmarkDailyMeter(b *testing.B) {
	s := NewSite(rand.New(rand.NewPCG(1, 1)), Noises()[1])
	for b.Loop() {
		if o := try(s); o.err != nil {
			b.Fatal(o.err)
		}
	}
}
