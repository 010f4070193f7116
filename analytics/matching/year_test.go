package matching

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// year makes a synthetic year of 10-minute data for sources and sinks spread
// over a harbour: steady loops, shifts, batches and seasonal needs, every
// reading with its noise, so that no two steps are alike.
func year(sources, sinks, days int, seed uint64, maxKM float64) *Problem {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &Problem{Steps: days * 144, Hours: 1.0 / 6}
	outdoor := func(i int) float64 {
		day := float64(i) / 144
		return 11 - 9*math.Cos(2*math.Pi*(day-15)/365) - 3*math.Cos(2*math.Pi*(day-0.1))
	}
	weekday := func(i int) bool { return i/144%7 < 5 }
	// slow is noise that remembers.
	slow := func(keep, sd float64) func() float64 {
		x := 0.0
		return func() float64 {
			x = keep*x + sd*math.Sqrt(1-keep*keep)*r.NormFloat64()
			return x
		}
	}
	stream := func(id string, shape int, base, high, low float64) Stream {
		s := Stream{ID: id, KW: make([]float64, p.Steps), HighC: make([]float64, p.Steps), LowC: make([]float64, p.Steps)}
		load, warm, cold := slow(0.97, 0.2), slow(0.98, 1.5), slow(0.98, 1)
		phase := r.IntN(144)
		for i := range p.Steps {
			hour := (i%144 + 144) % 144 / 6
			on := 1.0
			switch shape {
			case 1: // two shifts
				if !weekday(i) || hour < 5 || hour >= 21 {
					on = 0.08
				}
			case 2: // batches
				if (i+phase)%150 > 80 {
					on = 0
				}
			case 3: // heating
				on = max(0, 17-outdoor(i)) / 14
			case 4: // hot water
				on = 0.3 + 0.7*max(0, math.Sin(math.Pi*float64(hour-4)/8))
			}
			s.KW[i] = max(0, math.Round(base*on*(1+load()+0.03*r.NormFloat64())))
			h, l := high+warm(), low+cold()
			if shape == 3 {
				h += 0.6 * (5 - outdoor(i))
			}
			s.HighC[i], s.LowC[i] = math.Round(10*max(h, l+2))/10, math.Round(10*l)/10
		}
		return s
	}
	type place struct{ x, y float64 }
	spread := 1500 * math.Sqrt(float64(sources+sinks)/12)
	at := func() place { return place{r.Float64() * 2 * spread, r.Float64() * spread} }
	var from, to []place
	for k := range sources {
		high := []float64{72, 26, 200, 41, 32, 52, 82}[k%7] - 2.5
		low := []float64{43, 18, 115, 20, 25, 24, 61}[k%7] - 2.5
		base := []float64{150, 500, 450, 3200, 600, 900, 1500}[k%7] * (0.7 + 0.6*r.Float64())
		p.Sources = append(p.Sources, stream(fmt.Sprint("S", k+1), []int{1, 0, 1, 0, 0, 2, 1}[k%7], base, high+4*r.NormFloat64(), low+2*r.NormFloat64()))
		from = append(from, at())
	}
	for k := range sinks {
		high := []float64{60, 50, 48, 70, 85, 110}[k%6] + 2.5
		low := []float64{15, 35, 33, 12, 55, 20}[k%6] + 2.5
		base := []float64{250, 1400, 600, 700, 2400, 900}[k%6] * (0.7 + 0.6*r.Float64())
		p.Sinks = append(p.Sinks, stream(fmt.Sprint("D", k+1), []int{1, 3, 3, 4, 3, 1}[k%6], base, high+2*r.NormFloat64(), low+2*r.NormFloat64()))
		to = append(to, at())
	}
	p.Gain = table(sources, sinks)
	for s := range sources {
		for d := range sinks {
			if km := 1.3 * math.Hypot(from[s].x-to[d].x, from[s].y-to[d].y) / 1000; km <= maxKM {
				p.Gain[s][d] = 1 - 0.03*km
			}
		}
	}
	return p
}

// A year of 10-minute data, 7 sources and 6 sinks, every pair allowed. With
// WRITE_PROBLEM=file it writes the same problem for testdata/highs.py.
func BenchmarkYear7x6(b *testing.B) { benchmarkYear(b, year(7, 6, 365, 1, math.Inf(1))) }

// Every tenth step of that year, for comparisons that would take long.
func BenchmarkTenth7x6(b *testing.B) { benchmarkYear(b, year(7, 6, 365, 1, math.Inf(1)).every(10)) }

// every keeps every n-th step.
func (p *Problem) every(n int) *Problem {
	out := *p
	out.Steps = (p.Steps + n - 1) / n
	thin := func(list []Stream) (kept []Stream) {
		for _, s := range list {
			k := Stream{ID: s.ID}
			for i := 0; i < p.Steps; i += n {
				k.KW, k.HighC, k.LowC = append(k.KW, s.KW[i]), append(k.HighC, s.HighC[i]), append(k.LowC, s.LowC[i])
			}
			kept = append(kept, k)
		}
		return kept
	}
	out.Sources, out.Sinks = thin(p.Sources), thin(p.Sinks)
	return &out
}

// How it grows: one day, pairs up to 3 km, up to a hundred sites.
func BenchmarkDay7x6(b *testing.B)   { benchmarkYear(b, year(7, 6, 1, 1, 3)) }
func BenchmarkDay12x12(b *testing.B) { benchmarkYear(b, year(12, 12, 1, 1, 3)) }
func BenchmarkDay25x25(b *testing.B) { benchmarkYear(b, year(25, 25, 1, 1, 3)) }
func BenchmarkDay50x50(b *testing.B) { benchmarkYear(b, year(50, 50, 1, 1, 3)) }

// cpuSeconds is the processor time of this process, of all its threads.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func benchmarkYear(b *testing.B, p *Problem) {
	if path := os.Getenv("WRITE_PROBLEM"); path != "" {
		text, err := json.Marshal(p)
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	before := cpuSeconds()
	runs := 0
	for b.Loop() {
		runs++
		plan, err := Solve(context.Background(), p, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(plan.DeliveredMWh, "MWh")
		b.Logf("delivered %.6f MWh, bound %.6f MWh", plan.DeliveredMWh, plan.Bound)
		b.ReportMetric(plan.Gap, "gap")
		b.ReportMetric(float64(plan.Unproved), "unproved")
		b.ReportMetric(float64(plan.Pivots)/float64(plan.Solved), "pivots/step")
		b.ReportMetric(float64(plan.Structures), "structures")
	}
	// On a busy machine the processor's time says more than the clock.
	b.ReportMetric((cpuSeconds()-before)/float64(runs), "cpu-s/op")
}
