package coverage

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
)

// Model is a kind of baseline that the study tries.
type Model struct {
	Name  string
	Text  string
	steps int // a day
	fit   func(base *baseline.Frame) (*baseline.Fit, error)
}

// Models are the baselines that the study tries, the usual one first.
func Models() []Model {
	return []Model{
		{Name: "change-point", Text: "daily, heating below a balance temperature that is searched", steps: 1,
			fit: func(f *baseline.Frame) (*baseline.Fit, error) {
				return baseline.Linear(f, baseline.Spec{Shape: baseline.ThreePHeat})
			}},
		{Name: "towt", Text: "hourly, time of week and temperature", steps: 24,
			fit: func(f *baseline.Frame) (*baseline.Fit, error) {
				return baseline.TimeOfWeek(f, baseline.HourlyOptions{})
			}},
		{Name: "caltrack-hourly", Text: "hourly, CalTRACK 2.0 by month", steps: 24,
			fit: func(f *baseline.Frame) (*baseline.Fit, error) {
				return baseline.CalTRACKHourly(f, baseline.HourlyOptions{})
			}},
	}
}

// frames are the site's years, 2022 and after. Hours share the energy of their day
// by a curve of the day, with noise of their own: AR(1) with rho 0.7, a seventh of
// their energy.
func (m Model) frames(s *Site, r *rand.Rand) (base, rep *baseline.Frame) {
	n := len(s.Energy) * m.steps
	f := &baseline.Frame{Step: baseline.Day, Start: make([]time.Time, n), Energy: s.Energy, Temperature: s.Temperature}
	if m.steps == 1 {
		for d := range f.Start {
			f.Start[d] = time.Date(2022, 1, 1+d, 0, 0, 0, 0, time.UTC)
		}
		return f.Rows(0, 365), f.Rows(365, n)
	}
	f.Step, f.Energy, f.Temperature = baseline.Hour, make([]float64, n), make([]float64, n)
	own := ar1(r, n, 0.7)
	for i := range f.Start {
		day, turn := i/m.steps, 2*math.Pi*float64(i%m.steps)/float64(m.steps)
		f.Start[i] = time.Date(2022, 1, 1+day, i%m.steps, 0, 0, 0, time.UTC)
		f.Energy[i] = s.Energy[day] / float64(m.steps) * (1 + 0.4*math.Sin(turn)) * (1 + 0.14*own[i])
		f.Temperature[i] = s.Temperature[day] - 3*math.Cos(turn-math.Pi/4)
	}
	return f.Rows(0, 365*m.steps), f.Rows(365*m.steps, n)
}
