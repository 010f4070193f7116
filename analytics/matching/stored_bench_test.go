package matching

import (
	"context"
	"math"
	"testing"
)

// equipped adds to a problem a heat pump for every pair, and tanks at its largest
// sinks and sources.
func equipped(p *Problem, tanks int) (*Problem, []Tank) {
	q := *p
	q.Machine = Machine{Efficiency: 0.5, MaxCOP: 20, Electricity: 2.1}
	for s := range q.Sources {
		for d := range q.Sinks {
			if g := q.Gain[s][d]; g > 0 {
				q.Lifts = append(q.Lifts, Lift{Source: s, Sink: d, Gain: g, Cost: 0.1, MaxC: 112.5})
			}
		}
	}
	return &q, tanksOf(p, tanks)
}

func tanksOf(p *Problem, tanks int) []Tank {
	var list []Tank
	for k := range tanks {
		x := Tank{ID: string(rune('a' + k)), CapacityKWh: 5000 * float64(k+1), PowerKW: 1500, LossPerHour: 0.003,
			In: make([]float64, len(p.Sources)), Out: make([]float64, len(p.Sinks))}
		switch k % 3 {
		case 0: // hot water for a need of two shifts
			for s := range p.Sources {
				x.In[s] = p.Gain[s][0]
			}
			x.Out[0], x.LevelC = 1, 45
		case 1: // a source of batches
			x.In[5], x.LevelC = 1, 40
			copy(x.Out, p.Gain[5])
		default: // a need that varies over the day
			for s := range p.Sources {
				x.In[s] = p.Gain[s][3]
			}
			x.Out[3], x.LevelC = 1, 55
		}
		list = append(list, x)
	}
	return list
}

func benchmarkStored(b *testing.B, p *Problem, tanks []Tank) {
	for b.Loop() {
		before := cpuSeconds()
		plan, err := SolveStored(context.Background(), p, tanks, StoredOptions{Show: func(round int, gap float64) {
			b.Logf("round %d gap %.3g at %.2f cpu-s", round, gap, cpuSeconds()-before)
		}})
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("worth %.6f bound %.6f delivered %.3f electricity %.3f", plan.Worth, plan.Bound, plan.DeliveredMWh, plan.ElectricityMWh)
		for k, x := range plan.Tanks {
			in, out := 0.0, 0.0
			for _, v := range x.InMWh {
				in += v
			}
			for _, v := range x.OutMWh {
				out += v
			}
			b.Logf("%s: in %.1f out %.1f full %.0f h, worth of a kWh %.2f", tanks[k].ID, in, out, x.FullHours, x.WorthPerKWh)
		}
		b.ReportMetric(plan.Gap, "gap")
		b.ReportMetric(float64(plan.Rounds), "rounds")
		b.ReportMetric(cpuSeconds()-before, "cpu-s/op")
	}
}

// A day and a month of the synthetic year with three tanks, and with heat pumps on
// all pairs; with WRITE_PROBLEM=file the problem is written for testdata/highs_tanks.py.
func BenchmarkStoredDay(b *testing.B) {
	p, tanks := equipped(year(7, 6, 1, 1, math.Inf(1)), 3)
	writeStored(b, p, tanks)
	benchmarkStored(b, p, tanks)
}

func BenchmarkStoredMonth3(b *testing.B) {
	p := year(7, 6, 28, 1, math.Inf(1))
	writeStored(b, p, tanksOf(p, 3))
	benchmarkStored(b, p, tanksOf(p, 3))
}

func BenchmarkStoredMonth3Pumps(b *testing.B) {
	p, tanks := equipped(year(7, 6, 28, 1, math.Inf(1)), 3)
	writeStored(b, p, tanks)
	benchmarkStored(b, p, tanks)
}

// The whole year: heat pumps; three tanks; both.
func BenchmarkPumpsYear(b *testing.B) {
	p, _ := equipped(year(7, 6, 365, 1, math.Inf(1)), 0)
	benchmarkYear(b, p)
}

func BenchmarkStoredYear3(b *testing.B) {
	p := year(7, 6, 365, 1, math.Inf(1))
	benchmarkStored(b, p, tanksOf(p, 3))
}

func BenchmarkStoredYear3Pumps(b *testing.B) {
	p, tanks := equipped(year(7, 6, 365, 1, math.Inf(1)), 3)
	benchmarkStored(b, p, tanks)
}
