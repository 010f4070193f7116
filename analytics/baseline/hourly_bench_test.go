package baseline

import "testing"

func BenchmarkHourly(b *testing.B) {
	f := readHours(b, "testdata/two_shifts_baseline.csv.gz")
	year := readHours(b, "testdata/two_shifts_reporting.csv.gz")
	for _, one := range []struct {
		name string
		fit  func(*Frame) (*Fit, error)
	}{
		{"CalTRACK", func(f *Frame) (*Fit, error) { return CalTRACKHourly(f, HourlyOptions{}) }},
		{"TOWT", func(f *Frame) (*Fit, error) { return TimeOfWeek(f, HourlyOptions{}) }},
		{"TOWT14d", func(f *Frame) (*Fit, error) { return TimeOfWeek(f, HourlyOptions{TimeScaleDays: 14}) }},
		{"5P", func(f *Frame) (*Fit, error) { return Linear(f, Spec{Shape: FiveP}) }},
		{"Choose", func(f *Frame) (*Fit, error) {
			return Choose(f, Choice{Calendars: []Calendar{{}, {"off", []Effect{{Kind: Off}}}}, Others: HoursOfWeek(nil)})
		}},
	} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fit, err := one.fit(f)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := fit.Predict(year); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "meters/s")
		})
	}
}
