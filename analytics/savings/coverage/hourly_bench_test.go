package coverage

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/calendar"
)

// An hourly meter of two years from data to five intervals, one after the other;
// calendar and weather are shared, as those of a district are:
//
//	go test -run '^$' -bench HourlyMeter -cpu 1 ./analytics/savings/coverage
func BenchmarkHourlyMeter(b *testing.B) {
	r := rand.New(rand.NewPCG(2, 2))
	var start []time.Time
	var temperature []float64
	drift := 0.0
	from, split, to := time.Date(2022, 1, 1, 0, 0, 0, 0, calendar.Paris), time.Date(2023, 1, 1, 0, 0, 0, 0, calendar.Paris), time.Date(2024, 1, 1, 0, 0, 0, 0, calendar.Paris)
	for t := from; t.Before(to); t = t.Add(time.Hour) {
		drift = 0.99*drift + 0.5*r.NormFloat64()
		day := t.Sub(from).Hours() / 24
		start = append(start, t)
		temperature = append(temperature, 11-9*math.Cos(2*math.Pi*day/365)-4*math.Cos(2*math.Pi*(day-0.1))+drift)
	}
	hours := int(split.Sub(from).Hours())
	var spans [5][]int
	for i := range len(start) - hours {
		spans[0] = append(spans[0], i)
		q := 1 + (int(start[hours+i].Month())-1)/3
		spans[q] = append(spans[q], i)
	}
	for _, kind := range []struct {
		name string
		fit  func(*baseline.Frame, baseline.HourlyOptions) (*baseline.Fit, error)
	}{{"CalTRACK", baseline.CalTRACKHourly}, {"TOWT", baseline.TimeOfWeek}} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				energy := make([]float64, len(start))
				noise := 0.0
				for i, t := range temperature {
					noise = 0.8*noise + 3*r.NormFloat64()
					energy[i] = 30 + 3*max(15-t, 0) + noise
					if h := start[i].Hour(); h > 5 && h < 20 {
						energy[i] += 70
					}
				}
				frame := &baseline.Frame{Step: baseline.Hour, Start: start, Energy: energy, Temperature: temperature}
				base, rep := frame.Rows(0, hours), frame.Rows(hours, len(start))
				fit, err := kind.fit(base, baseline.HourlyOptions{})
				if err != nil {
					b.Fatal(err)
				}
				ahead, err := interval.Ahead(fit, base, rep)
				if err != nil {
					b.Fatal(err)
				}
				for _, rows := range spans {
					if _, err := ahead.Half(rows, 0.90); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
