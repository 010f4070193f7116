package coverage

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/calendar"
)

// Hourly meters of two years from data to five intervals, as many at a time as there
// are cores; calendar and weather are shared, as those of a district are:
//
//	go test -run '^$' -bench HourlyMeter -cpu 2 -benchtime 10000x ./analytics/savings/coverage
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
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					frame := &baseline.Frame{Step: baseline.Hour, Start: start, Energy: office(start, temperature), Temperature: temperature}
					base, rep := frame.Rows(0, hours), frame.Rows(hours, len(start))
					fit, err := kind.fit(base, baseline.HourlyOptions{})
					if err != nil {
						b.Error(err)
						return
					}
					ahead, err := interval.Ahead(fit, base, rep)
					if err != nil {
						b.Error(err)
						return
					}
					for _, rows := range spans {
						if _, err := ahead.Half(rows, 0.90); err != nil {
							b.Error(err)
							return
						}
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "meters/s")
			b.ReportMetric(peakMB(), "MB-peak")
		})
	}
}

// office is the energy of one meter.
func office(start []time.Time, temperature []float64) []float64 {
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	energy := make([]float64, len(start))
	noise := 0.0
	for i, t := range temperature {
		noise = 0.8*noise + 3*r.NormFloat64()
		energy[i] = 30 + 3*max(15-t, 0) + noise
		if h := start[i].Hour(); h > 5 && h < 20 {
			energy[i] += 70
		}
	}
	return energy
}

// peakMB is the greatest resident memory of the process, in MB; 0 where the system
// does not say.
func peakMB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1024
		}
	}
	return 0
}
