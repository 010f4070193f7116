package heat

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// factors are the jumps of scale that meters and their settings make: powers of
// ten (a moved decimal point, W for kW), 3.6 (kWh for MJ), 60 and 3600 (a minute
// or a second for an hour), with their inverses.
var factors = []float64{3.6, 10, 60, 100, 1000, 3600, 1 / 3.6, 0.1, 1 / 60.0, 0.01, 0.001, 1 / 3600.0}

// ScaleKind names a jump of scale: "scale_x10".
func ScaleKind(factor float64) FaultKind {
	return FaultKind("scale_x" + strconv.FormatFloat(factor, 'g', 4, 64))
}

// snap is the nearest of the usual factors, and whether it is near (20 %).
func snap(ratio float64) (float64, bool) {
	best := factors[0]
	for _, f := range factors {
		if math.Abs(math.Log(ratio/f)) < math.Abs(math.Log(ratio/best)) {
			best = f
		}
	}
	return best, math.Abs(math.Log(ratio/best)) < math.Log(1.2)
}

// scales finds windows in which a channel reads a usual factor too much or too
// little. Three rules, since operation makes jumps too:
//
//   - level: a day's high readings stand by 2.9 or more above those of the active
//     days of the month around, and above 2.5 times all that is read outside the
//     window, or the window begins and ends with a jump by the factor; at most three
//     such windows, or it is how the asset runs;
//   - edges, for factors that a level does not show (too little, 3.6): from one step
//     to the next the reading jumps by the factor and later back, with the same
//     level in between once divided, in a channel that hardly jumps otherwise;
//   - days, in an asset that starts and stops: days whose high readings are a usual
//     factor, of ten or more, of those of the same weekday in the weeks around, to 15 %, three times
//     at most and never by another amount.
func scales(g *Grid, name string, x []float64) []Fault {
	perDay := int(24 * time.Hour / g.Step)
	if perDay < 2 || g.Steps < 10*perDay {
		return nil
	}
	temperature := parseSignal(name).letter() == "T"
	if temperature {
		for _, v := range x {
			if v < 5 { // a temperature near zero has no scale
				return nil
			}
		}
	}
	s := &scaling{g: g, x: x, perDay: perDay}
	s.findJumps()
	s.findHighs()
	windows := s.byLevel()
	if temperature { // only a moved decimal point stands out
		windows = slices.DeleteFunc(windows, func(w window) bool { return w.factor < 9 })
	} else if len(windows) == 0 {
		if windows = s.byEdges(); len(windows) == 0 {
			windows = s.byDays()
		}
	} else {
		s.quietDays(windows)
	}
	var out []Fault
	for _, w := range windows {
		out = append(out, Fault{Kind: ScaleKind(w.factor), Channels: []string{name}, From: g.At(w.from), To: g.At(w.to), Factor: w.factor, Mend: true})
	}
	return out
}

type scaling struct {
	g      *Grid
	x      []float64
	perDay int
	high   []float64 // 95th percentile of each day's positive readings; 0 where idle
	jumps  []jump
}

// jump is a change from one known reading to the next by a usual factor or more.
type jump struct {
	at int     // the first step after it
	by float64 // logarithm of the ratio
}

type window struct {
	from, to int
	factor   float64
}

// findJumps lists steps at which the readings on both sides differ by 3 or more
// and hold: the medians of three before and three after.
func (s *scaling) findJumps() {
	var at []int // known, positive
	for i, v := range s.x {
		if v > 0 {
			at = append(at, i)
		}
	}
	med := func(k []int) float64 {
		a, b, c := s.x[k[0]], s.x[k[1]], s.x[k[2]]
		return max(min(a, b), min(max(a, b), c))
	}
	near := max(1, int(6*time.Hour/s.g.Step))
	floor := s.floor()
	for k := 3; k+3 <= len(at); k++ {
		if at[k]-at[k-1] > near {
			continue
		}
		step := math.Log(s.x[at[k]] / s.x[at[k-1]])
		if math.Abs(step) < math.Log(3) {
			continue
		}
		after, before := med(at[k:k+3]), med(at[k-3:k])
		if held := math.Log(after / before); math.Abs(held-step) < 0.4 && max(after, before) > floor {
			s.jumps = append(s.jumps, jump{at[k], held})
		}
	}
}

// floor is a twentieth of the channel's high readings: jumps below it are those
// of the last digit.
func (s *scaling) floor() float64 {
	var v []float64
	for _, q := range s.x {
		if q > 0 {
			v = append(v, q)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return quantile(v, 0.95) / 20
}

func (s *scaling) findHighs() {
	s.high = make([]float64, (s.g.Steps+s.perDay-1)/s.perDay)
	var v []float64
	for d := range s.high {
		v = v[:0]
		for _, q := range s.x[d*s.perDay : min((d+1)*s.perDay, s.g.Steps)] {
			if q > 0 {
				v = append(v, q)
			}
		}
		if len(v) > s.perDay/20 {
			slices.Sort(v)
			s.high[d] = quantile(v, 0.95)
		}
	}
}

// usual is the level of active days around day d.
func (s *scaling) usual(d int) float64 {
	var v []float64
	for k := max(0, d-30); k < min(len(s.high), d+31); k++ {
		if s.high[k] > 0 {
			v = append(v, s.high[k])
		}
	}
	if len(v) < 7 {
		return 0
	}
	slices.Sort(v)
	return quantile(v, 0.6)
}

// leastRatio is how far the smallest usual factor, 3.6, must show.
const leastRatio = 2.9

func (s *scaling) byLevel() []window {
	var out []window
	for d := 0; d < len(s.high); d++ {
		usual := s.usual(d)
		if usual == 0 || s.high[d] < leastRatio*usual {
			continue
		}
		first, ratios := d, []float64{}
		last := d
		for k := d; k < len(s.high) && k <= last+3; k++ {
			if u := s.usual(k); u > 0 && s.high[k] >= leastRatio*u {
				last = k
				ratios = append(ratios, s.high[k]/u)
			}
		}
		d = last
		slices.Sort(ratios)
		w, ok := s.bounds(first, last, quantile(ratios, 0.5))
		if ok {
			out = append(out, w)
		}
	}
	if len(out) > 3 {
		return nil
	}
	return slices.DeleteFunc(out, func(w window) bool { return !s.beyond(w) })
}

// bounds finds where a window of high days begins and ends, and its factor: of
// the usual factors the one that the most of three signs speak for, a jump by it
// at the beginning, one at the end, and the level.
func (s *scaling) bounds(first, last int, ratio float64) (window, bool) {
	usual := s.usual((first + last) / 2)
	var best window
	most := -1
	nearest, _ := snap(ratio)
	near := math.Abs(math.Log(ratio/nearest)) < math.Log(1.7)
	// In a tie a moved decimal point is the likelier mistake.
	candidates := []float64{math.Round(ratio), 10, 100, 1000, 3.6, 60, 3600}
	for i, factor := range candidates {
		if factor < 3 || factor < ratio/2 || factor > 20*ratio {
			continue
		}
		// Readings above the mean (of logarithms) of right and wrong levels are in it.
		limit := math.Sqrt(min(factor, ratio)) * usual
		from, to := first*s.perDay, min((last+1)*s.perDay, s.g.Steps)
		for from < to && !(s.x[from] > limit) {
			from++
		}
		for to > from && !(s.x[to-1] > limit) {
			to--
		}
		if to <= from {
			continue
		}
		for k := from - 1; k >= 0 && !(s.x[k] <= limit); k-- { // on the day before, over single gaps
			if s.x[k] > limit {
				from = k
			}
		}
		for k := to; k < s.g.Steps && !(s.x[k] <= limit); k++ {
			if s.x[k] > limit {
				to = k + 1
			}
		}
		// Around it may lie quiet hours: up to the nearest jump by the factor.
		signs := 0
		if math.Abs(math.Log(ratio/factor)) < math.Log(1.7) {
			signs++
		}
		for k := len(s.jumps) - 1; k >= 0; k-- {
			if j := s.jumps[k]; j.at <= from && j.at >= from-3*s.perDay && math.Abs(j.by-math.Log(factor)) < 0.3 {
				from = j.at
				signs++
				break
			}
		}
		for _, j := range s.jumps {
			if j.at >= to && j.at <= to+3*s.perDay && math.Abs(j.by+math.Log(factor)) < 0.3 {
				to = j.at
				signs++
				break
			}
		}
		if i == 0 && near {
			continue // a usual factor explains it as well
		}
		// A level alone does not tell 19 from 10: of heating in summer it is known to a
		// factor of two.
		decimal := i >= 1 && i <= 3 && best.factor == candidates[0] && most == 1 && math.Abs(math.Log(ratio/factor)) < math.Log(2.2)
		if signs > most || decimal {
			best, most = window{from, to, factor}, max(signs, 1)
		}
	}
	return best, most >= 0
}

// beyond says whether a window cannot be operation: above 2.5 times what is read
// outside, or with a jump by the factor at both ends.
func (s *scaling) beyond(w window) bool {
	var outside, inside []float64
	for i, v := range s.x {
		if !(v > 0) {
			continue
		}
		if i >= w.from && i < w.to {
			inside = append(inside, v)
		} else {
			outside = append(outside, v)
		}
	}
	if len(inside) == 0 || len(outside) == 0 {
		return false
	}
	slices.Sort(inside)
	slices.Sort(outside)
	if quantile(inside, 0.95) > 2.5*quantile(outside, 0.999) {
		return true
	}
	starts, ends := w.from == 0, w.to == s.g.Steps
	for _, j := range s.jumps {
		fits := math.Abs(math.Abs(j.by)-math.Abs(math.Log(w.factor))) < 0.35
		starts = starts || fits && j.at == w.from
		ends = ends || fits && j.at == w.to
	}
	return starts && ends
}

// byEdges finds windows between a jump by a usual factor and the jump back.
func (s *scaling) byEdges() []window {
	// In a channel that jumps often, jumps are operation.
	if len(s.jumps) == 0 || len(s.jumps) > 6 {
		return nil
	}
	var out []window
	for i := 0; i < len(s.jumps); i++ {
		a := s.jumps[i]
		factor, ok := snap(math.Exp(a.by))
		if !ok {
			continue
		}
		for k := i + 1; k <= len(s.jumps); k++ {
			w := window{a.at, s.g.Steps, factor}
			if k < len(s.jumps) {
				if math.Abs(s.jumps[k].by+math.Log(factor)) > 0.35 {
					continue
				}
				if w.to = s.jumps[k].at; w.to-w.from > 60*s.perDay {
					break
				}
			} else if math.Abs(math.Log(factor)) < math.Log(9) {
				break
			}
			if s.continuous(w) {
				out = append(out, w)
				i = k
				break
			}
		}
	}
	return out
}

// continuous says whether a window, divided by its factor, has the level of the
// three days before and after, and lasts an hour or more.
func (s *scaling) continuous(w window) bool {
	level := func(from, to int) float64 {
		var v []float64
		for _, q := range s.x[max(from, 0):min(to, s.g.Steps)] {
			if q > 0 {
				v = append(v, q)
			}
		}
		if len(v) < 6 {
			return math.NaN()
		}
		slices.Sort(v)
		return quantile(v, 0.5)
	}
	if time.Duration(w.to-w.from)*s.g.Step < 2*time.Hour {
		return false
	}
	in := level(w.from, w.to) / w.factor
	var around float64
	before, after := level(w.from-3*s.perDay, w.from), level(w.to, w.to+3*s.perDay)
	switch {
	case math.IsNaN(before):
		around = after
	case math.IsNaN(after):
		around = before
	default:
		around = math.Sqrt(before * after)
	}
	if level(0, s.g.Steps)/in > 3 {
		return false // the other side of the jump is the wrong one
	}
	return in > around/1.7 && in < around*1.7
}
