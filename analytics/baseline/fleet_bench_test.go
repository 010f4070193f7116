package baseline

import (
	"bufio"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/thermie/thermie/calendar"
)

// fleet makes hourly meters of two years one after the other; the calendar and
// the weather are shared, as those of a district are.
type fleet struct {
	start       []time.Time
	temperature []float64
}

func newFleet() *fleet {
	f := &fleet{}
	r := rand.New(rand.NewPCG(2, 2))
	drift := 0.0
	from, to := time.Date(2022, 1, 1, 0, 0, 0, 0, calendar.Paris), time.Date(2024, 1, 1, 0, 0, 0, 0, calendar.Paris)
	for t := from; t.Before(to); t = t.Add(time.Hour) {
		drift = 0.99*drift + 0.5*r.NormFloat64()
		day := t.Sub(from).Hours() / 24
		f.start = append(f.start, t)
		f.temperature = append(f.temperature, 11-9*math.Cos(2*math.Pi*day/365)-4*math.Cos(2*math.Pi*(day-0.1))+drift)
	}
	return f
}

func (f *fleet) meter(k int) *Frame {
	r := rand.New(rand.NewPCG(uint64(k), 9))
	busy := 40 + 60*r.Float64()
	heat, cool := 4*r.Float64(), 3*r.Float64()
	m := &Frame{Step: Hour, Start: f.start, Temperature: f.temperature, Energy: make([]float64, len(f.start))}
	noise := 0.0
	for i, t := range f.temperature {
		noise = 0.8*noise + 3*r.NormFloat64()
		m.Energy[i] = 30 + heat*max(15-t, 0) + cool*max(t-19, 0) + noise
		if h := (i + 5*24) % hoursOfWeek; h < 120 && h%24 > 5 && h%24 < 20 {
			m.Energy[i] += busy
		}
	}
	return m
}

// peakMB is the greatest resident memory of the process, in MB; 0 where the
// system does not say.
func peakMB() float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 64)
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkFleet makes hourly meters of two years, fits CalTRACK hourly to the
// first and predicts the second, one meter after the other:
//
//	go test -run '^$' -bench Fleet -benchtime 10000x ./analytics/baseline
func BenchmarkFleet(b *testing.B) {
	f := newFleet()
	split := time.Date(2023, 1, 1, 0, 0, 0, 0, calendar.Paris)
	k, saved := 0, 0.0
	for b.Loop() {
		m := f.meter(k)
		k++
		fit, err := CalTRACKHourly(m.Between(f.start[0], split), HourlyOptions{})
		require.NoError(b, err)
		report := m.Between(split, f.start[len(f.start)-1])
		y, err := fit.Predict(report)
		require.NoError(b, err)
		for i := range y {
			saved += y[i] - report.Energy[i]
		}
	}
	if math.IsNaN(saved) {
		b.Fatal("a prediction is not known")
	}
	b.ReportMetric(float64(k)/b.Elapsed().Seconds(), "meters/s")
	b.ReportMetric(peakMB(), "MB-peak")
}
