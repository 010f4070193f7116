package baseline

import "testing"

func BenchmarkCalTRACKDaily(b *testing.B) {
	f := invented(1, 365, 15, 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CalTRACKDaily(f, CalTRACK{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "meters/s")
}

func BenchmarkLinear(b *testing.B) {
	f := invented(1, 365, 15, 20)
	for _, shape := range Shapes {
		b.Run(string(shape), func(b *testing.B) {
			for b.Loop() {
				if _, err := Linear(f, Spec{Shape: shape}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "meters/s")
		})
	}
}
