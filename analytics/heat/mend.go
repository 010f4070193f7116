package heat

import (
	"math"
	"slices"
	"time"
)

// State says where a step's heat comes from.
type State uint8

// A step is unknown, measured, mended (a fault put right) or estimated (a gap
// filled from like times).
const (
	Unknown State = iota
	Measured
	Mended
	Estimated
)

// Mend returns a grid in which faults are put right where that can be done
// exactly (exchanged sensors, a known factor), and their readings are unknown
// where not. The channels given are not changed. Windows that no fault touches
// are the same readings.
func Mend(g *Grid, faults []Fault) *Grid {
	out := &Grid{Start: g.Start, Step: g.Step, Steps: g.Steps, Channels: make(map[string][]float64, len(g.Channels))}
	for n, x := range g.Channels {
		out.Channels[n] = x
	}
	fresh := map[string]bool{}
	change := func(n string) []float64 {
		if !fresh[n] {
			out.Channels[n] = slices.Clone(out.Channels[n])
			fresh[n] = true
		}
		return out.Channels[n]
	}
	for _, f := range faults {
		from, to := g.window(f)
		switch {
		case f.Kind == Gap:
		case f.Kind == SensorsSwapped && f.Mend && len(f.Channels) == 2:
			a, b := change(f.Channels[0]), change(f.Channels[1])
			for i := from; i < to; i++ {
				a[i], b[i] = b[i], a[i]
			}
		case f.Factor > 0 && f.Mend:
			for _, n := range f.Channels {
				x := change(n)
				for i := from; i < to; i++ {
					x[i] /= f.Factor
				}
			}
		case f.Kind == NegativeFlow:
			for _, n := range f.Channels {
				x := change(n)
				for i := from; i < to; i++ {
					if x[i] < 0 {
						x[i] = math.NaN()
					}
				}
			}
		case f.Kind == Impossible:
			for _, n := range f.Channels {
				x := change(n)
				for i := from; i < to; i++ {
					if x[i] < coldestC || x[i] > hottestC {
						x[i] = math.NaN()
					}
				}
			}
		default:
			for _, n := range f.Channels {
				if _, ok := out.Channels[n]; !ok {
					continue
				}
				x := change(n)
				for i := from; i < to; i++ {
					x[i] = math.NaN()
				}
			}
		}
	}
	return out
}

// window is a fault's steps, within the grid.
func (g *Grid) window(f Fault) (from, to int) {
	from = int(max(f.From.Sub(g.Start), 0) / g.Step)
	to = int(max(min(f.To.Sub(g.Start), time.Duration(g.Steps)*g.Step), 0) / g.Step)
	return min(from, g.Steps), max(from, to)
}

// longestFill is the longest gap that is filled from like times; what is missing
// for longer stays unknown.
const longestFill = 45 * 24 * time.Hour

// fill estimates the unknown steps of a series, and says where: up to two hours
// by a straight line, longer ones by the mean of the same hour of the week one
// and two weeks before and after. Those who follow are filled at the same steps.
func fill(g *Grid, x []float64, state []State, follow ...[]float64) {
	short := max(1, int(2*time.Hour/g.Step))
	week := int(7 * 24 * time.Hour / g.Step)
	known := slices.Clone(x)
	others := make([][]float64, len(follow))
	for k := range follow {
		others[k] = slices.Clone(follow[k])
	}
	for i := 0; i < len(x); {
		if !math.IsNaN(known[i]) {
			i++
			continue
		}
		j := i
		for j < len(x) && math.IsNaN(known[j]) {
			j++
		}
		switch {
		case j-i <= short && i > 0 && j < len(x):
			line(x, known, i, j)
			for k := range follow {
				line(follow[k], others[k], i, j)
			}
			for n := i; n < j; n++ {
				state[n] = Estimated
			}
		case time.Duration(j-i)*g.Step <= longestFill:
			for n := i; n < j; n++ {
				like := likeTimes(known, n, week)
				if len(like) == 0 {
					continue
				}
				x[n], state[n] = mean(known, like), Estimated
				for k := range follow {
					if math.IsNaN(follow[k][n]) {
						follow[k][n] = mean(others[k], like)
					}
				}
			}
		}
		i = j
	}
}

func line(x, known []float64, i, j int) {
	a, b := known[i-1], known[j]
	for n := i; n < j; n++ {
		if math.IsNaN(x[n]) {
			x[n] = a + (b-a)*float64(n-i+1)/float64(j-i+1)
		}
	}
}

// likeTimes are known steps at the same hour of the week: the nearest two on
// each side, up to six weeks away.
func likeTimes(known []float64, n, week int) []int {
	var out []int
	for _, side := range [...]int{-1, 1} {
		found := 0
		for k := 1; k <= 6 && found < 2; k++ {
			if m := n + side*k*week; m >= 0 && m < len(known) && !math.IsNaN(known[m]) {
				out = append(out, m)
				found++
			}
		}
	}
	return out
}

// mean of the known among some steps.
func mean(x []float64, at []int) float64 {
	sum, n := 0.0, 0
	for _, i := range at {
		if !math.IsNaN(x[i]) {
			sum += x[i]
			n++
		}
	}
	return sum / float64(n)
}
