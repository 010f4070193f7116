package heat

import (
	"math"
	"slices"
	"sort"
	"time"
)

// FaultKind names what is wrong with a channel.
type FaultKind string

// The faults that are looked for.
const (
	SensorsSwapped FaultKind = "sensors_swapped" // the hot side reads colder than the cold one while water flows
	StuckReading   FaultKind = "stuck_value"     // unchanged although it should move
	ScaleJump      FaultKind = "scale_x10"       // ten times too much
	Gap            FaultKind = "gap"             // nothing received
)

// Fault is one window in which channels are not to be believed.
type Fault struct {
	Kind     FaultKind
	Channels []string
	From, To time.Time // half-open
}

// Thresholds of the rules.
const (
	stuckFor  = 24 * time.Hour
	gapFor    = 6 * time.Hour
	faultFor  = 12 * time.Hour // shorter spells of swap or scale are noise
	scaleLow  = 5.0            // a jump by ten lies between these ratios
	scaleHigh = 20.0
)

// FindFaults looks at every channel by stated rules:
//
//   - gap: nothing received for 6 h or longer;
//   - stuck: the very same reading for 24 h or longer, not zero, in a channel that
//     otherwise moves (a setpoint that never moves is no fault);
//   - sensors swapped: in a pair T_hot, T_cold of one object, hot below cold for
//     12 h or longer while the object's flow, if metered, is not zero;
//   - scale: a day's median between 5 and 20 times that of the days on both sides.
func FindFaults(g *Grid) []Fault {
	names := make([]string, 0, len(g.Channels))
	for n := range g.Channels {
		names = append(names, n)
	}
	sort.Strings(names)
	var out []Fault
	for _, n := range names {
		x := g.Channels[n]
		out = append(out, spells(g, []string{n}, Gap, gapFor, func(i int) bool { return math.IsNaN(x[i]) })...)
		out = append(out, stuck(g, n, x)...)
		out = append(out, scale(g, n, x)...)
	}
	return append(out, swapped(g, names)...)
}

// spells collects runs of at least the given length in which is holds.
func spells(g *Grid, channels []string, kind FaultKind, least time.Duration, is func(int) bool) []Fault {
	var out []Fault
	need := int(least / g.Step)
	for i := 0; i < g.Steps; {
		j := i
		for j < g.Steps && is(j) {
			j++
		}
		if j-i >= max(need, 1) {
			out = append(out, Fault{kind, channels, g.At(i), g.At(j)})
		}
		i = max(j, i+1)
	}
	return out
}

func stuck(g *Grid, name string, x []float64) []Fault {
	// How often the channel repeats itself when nothing is wrong.
	same, pairs := 0, 0
	for i := 1; i < len(x); i++ {
		if !math.IsNaN(x[i]) && !math.IsNaN(x[i-1]) {
			pairs++
			if x[i] == x[i-1] {
				same++
			}
		}
	}
	if pairs == 0 || float64(same) > 0.5*float64(pairs) {
		return nil
	}
	return spells(g, []string{name}, StuckReading, stuckFor, func(i int) bool {
		near := i
		if i+1 < len(x) && x[i+1] == x[i] {
			near = i + 1
		} else if i > 0 {
			near = i - 1
		}
		return near != i && x[i] == x[near] && x[i] != 0
	})
}

// scale looks for days that stand by a factor of ten above what the channel
// reaches on its busy days (the 80th percentile of daily 95th percentiles), so
// that a working day after a week-end is none.
func scale(g *Grid, name string, x []float64) []Fault {
	perDay := int(24 * time.Hour / g.Step)
	if perDay == 0 || parseSignal(name).letter() == "T" {
		return nil
	}
	days := g.Steps / perDay
	high := make([]float64, days)
	var busy []float64
	for d := range high {
		var v []float64
		for _, q := range x[d*perDay : (d+1)*perDay] {
			if !math.IsNaN(q) && q > 0 {
				v = append(v, q)
			}
		}
		if len(v) > perDay/20 {
			slices.Sort(v)
			high[d] = quantile(v, 0.95)
			busy = append(busy, high[d])
		}
	}
	if len(busy) < 10 {
		return nil
	}
	slices.Sort(busy)
	usual := quantile(busy, 0.8)
	limit := func(i int) bool { return x[i] > scaleLow*usual }
	var out []Fault
	for d := 0; d < days; d++ {
		if high[d] < scaleLow*usual || high[d] > scaleHigh*usual {
			continue
		}
		first := d
		for d+1 < days && high[d+1] >= scaleLow*usual && high[d+1] <= scaleHigh*usual {
			d++
		}
		// The window begins and ends inside its first and last day.
		from, to := first*perDay, (d+1)*perDay
		for from < to && !limit(from) {
			from++
		}
		for to > from && !limit(to-1) {
			to--
		}
		out = append(out, Fault{ScaleJump, []string{name}, g.At(from), g.At(to)})
	}
	return out
}

func swapped(g *Grid, names []string) []Fault {
	type pair struct{ hot, cold, flow string }
	byObject := map[string]*pair{}
	var objects []string
	for _, n := range names {
		s := parseSignal(n)
		p := byObject[s.object]
		if p == nil {
			p = &pair{}
			byObject[s.object] = p
			objects = append(objects, s.object)
		}
		switch s.name {
		case "T_hot":
			p.hot = n
		case "T_cold":
			p.cold = n
		case "V":
			p.flow = n
		}
	}
	var out []Fault
	for _, o := range objects {
		p := byObject[o]
		if p.hot == "" || p.cold == "" {
			continue
		}
		hot, cold := g.Channels[p.hot], g.Channels[p.cold]
		var flow []float64
		if p.flow != "" {
			flow = g.Channels[p.flow]
		}
		out = append(out, spells(g, []string{p.hot, p.cold}, SensorsSwapped, faultFor, func(i int) bool {
			return hot[i] < cold[i]-0.2 && (flow == nil || flow[i] > 0)
		})...)
	}
	return out
}

// excluded marks the steps that a fault takes from an asset.
func excluded(g *Grid, c *Card, faults []Fault) []bool {
	out := make([]bool, g.Steps)
	for _, f := range faults {
		if f.Kind == Gap || !slices.ContainsFunc(f.Channels, func(ch string) bool { return slices.Contains(c.Signals, ch) || c.THot == ch || c.TCold == ch }) {
			continue
		}
		from, to := int(f.From.Sub(g.Start)/g.Step), int(f.To.Sub(g.Start)/g.Step)
		for i := max(from, 0); i < min(to, g.Steps); i++ {
			out[i] = true
		}
	}
	return out
}
