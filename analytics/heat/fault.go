package heat

import (
	"math"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// FaultKind names what is wrong with a channel.
type FaultKind string

// The faults that are looked for. A jump of scale is named with its factor:
// "scale_x10", "scale_x0.1" ([ScaleKind]).
const (
	SensorsSwapped FaultKind = "sensors_swapped" // the hot side reads colder than the cold one while water flows
	StuckReading   FaultKind = "stuck_value"     // unchanged although it should move
	ScaleJump      FaultKind = "scale_x10"       // ten times too much
	Gap            FaultKind = "gap"             // nothing received
	NegativeFlow   FaultKind = "negative_flow"   // a flow or heat below zero
	Impossible     FaultKind = "impossible_temperature"
	Spike          FaultKind = "spike" // far above all else for half an hour at most
)

// Fault is one window in which channels are not to be believed.
type Fault struct {
	Kind     FaultKind
	Channels []string
	From, To time.Time // half-open
	// Factor is by how much a jump of scale multiplies; 0 for other faults, or where
	// it is not known.
	Factor float64
	// Mend says that the readings can be put right: divided by Factor, or exchanged.
	Mend bool
}

// Thresholds of the rules.
const (
	gapFor      = 12 * time.Hour
	swappedFor  = 3 * time.Hour // of reversed readings, in one window
	clearlyKelv = 0.3           // a spread closer to zero says nothing about which sensor is which
	coldestC    = -90.0         // no temperature outdoors or in a process is lower
	hottestC    = 1700.0        // nor higher in a flue
)

// FindFaults looks at every channel by stated rules:
//
//   - gap: nothing received for 12 h or longer;
//   - stuck: the very same reading for 6 h or longer, and for four times longer
//     than chance explains in a channel that repeats itself so often; not zero or a
//     few of the last digit, not a limit at which the channel stands at other times too, and not while the
//     object is at rest;
//   - frozen zero: exactly zero for 6 h or longer while a witness is at work, see [frozenZeros];
//   - sensors swapped: in a pair T_hot, T_cold of one object or one card, hot below
//     cold for 3 h or longer of the time when something flows;
//   - scale: see [scales];
//   - spikes: for half an hour at most, more than 5 times the reading that all
//     but one in 200 stay below;
//   - negative flows and impossible temperatures, where there are any.
//
// The cards tell which temperatures make a pair and which readings belong to one
// asset; without them names do.
func FindFaults(g *Grid, cards ...Card) []Fault { return FindFaultsAt(g, nil, cards...) }

// FindFaultsAt is [FindFaults] where it is known at which site each object
// stands: a channel that reads too little while the site's other meters do is at
// rest and has no wrong scale.
func FindFaultsAt(g *Grid, sites map[string]string, cards ...Card) []Fault {
	names := make([]string, 0, len(g.Channels))
	for n := range g.Channels {
		names = append(names, n)
	}
	sort.Strings(names)
	company := companions(names, cards)
	apart := spreads(g, names, cards)
	each := make([][]Fault, len(names))
	next := make(chan int, len(names))
	for k := range names {
		next <- k
	}
	close(next)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		wait.Go(func() {
			for k := range next {
				each[k] = ofChannel(g, names[k], company[names[k]], apart[parseSignal(names[k]).object])
			}
		})
	}
	wait.Wait()
	out := withoutStandstills(g, slices.Concat(each...), sites)
	return together(append(out, swapped(g, pairsOf(names, cards))...))
}

// ofChannel finds the faults that a channel shows by itself and beside those of
// its object.
func ofChannel(g *Grid, name string, company []string, spread []float64) []Fault {
	x := g.Channels[name]
	out := spells(g, []string{name}, Gap, gapFor, func(i int) bool { return math.IsNaN(x[i]) })
	out = append(out, impossible(g, name, x)...)
	out = append(out, spikes(g, name, x)...)
	frozen := append(stuck(g, name, x, company), frozenZeros(g, name, company, spread)...)
	out = append(out, frozen...)
	if len(frozen) > 0 { // a level that does not move has no scale
		x = Mend(&Grid{Start: g.Start, Step: g.Step, Steps: g.Steps, Channels: map[string][]float64{name: x}}, frozen).Channels[name]
	}
	return append(out, scales(g, name, x)...)
}

// together joins faults of one kind and window, such as the silence of all the
// channels of a site, and sorts them by time.
func together(all []Fault) []Fault {
	var out []Fault
	for _, f := range all {
		i := slices.IndexFunc(out, func(o Fault) bool {
			return f.Kind == Gap && o.Kind == Gap && o.From.Equal(f.From) && o.To.Equal(f.To)
		})
		if i < 0 {
			out = append(out, f)
			continue
		}
		out[i].Channels = append(slices.Clone(out[i].Channels), f.Channels...)
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].From.Before(out[b].From) })
	return out
}

// companions lists for each channel those that tell whether its object is at
// work: flows and powers of the same object or the same card.
func companions(names []string, cards []Card) map[string][]string {
	out := map[string][]string{}
	add := func(to, from string) {
		if to != from && strings.Contains("PQVM", parseSignal(from).letter()) && !slices.Contains(out[to], from) {
			out[to] = append(out[to], from)
		}
	}
	objects := map[string][]string{}
	for _, n := range names {
		o := parseSignal(n).object
		objects[o] = append(objects[o], n)
	}
	for _, group := range objects {
		for _, a := range group {
			for _, b := range group {
				add(a, b)
			}
		}
	}
	for _, c := range cards {
		all := append(slices.Clone(c.Signals), c.THot, c.TCold)
		for _, a := range all {
			for _, b := range c.Signals {
				add(a, b)
			}
		}
	}
	return out
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
			out = append(out, Fault{Kind: kind, Channels: channels, From: g.At(i), To: g.At(j)})
		}
		i = max(j, i+1)
	}
	return out
}

// impossible finds readings that physics refuses: one fault a channel and kind,
// over all of its readings from the first to the last.
func impossible(g *Grid, name string, x []float64) []Fault {
	kind := NegativeFlow
	is := func(v float64) bool { return v < 0 }
	switch s := parseSignal(name); {
	case s.letter() == "T":
		kind, is = Impossible, func(v float64) bool { return v < coldestC || v > hottestC }
	case !strings.Contains("QVM", s.letter()): // a power may be exported
		return nil
	}
	first, last := -1, -1
	for i, v := range x {
		if is(v) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return nil
	}
	return []Fault{{Kind: kind, Channels: []string{name}, From: g.At(first), To: g.At(last + 1)}}
}

func spikes(g *Grid, name string, x []float64) []Fault {
	if !strings.Contains("PQVM", parseSignal(name).letter()) {
		return nil
	}
	var v []float64
	for _, q := range x {
		if q > 0 {
			v = append(v, q)
		}
	}
	if len(v) < 1000 {
		return nil
	}
	slices.Sort(v)
	limit := 5 * quantile(v, 0.995)
	if v[len(v)-1] <= limit {
		return nil
	}
	most := max(1, int(30*time.Minute/g.Step))
	return slices.DeleteFunc(spells(g, []string{name}, Spike, g.Step, func(i int) bool { return x[i] > limit }),
		func(f Fault) bool { return f.To.Sub(f.From) > time.Duration(most)*g.Step })
}

// stretch is a run of equal readings, from the first to after the last.
type stretch struct {
	from, to, n int
	v           float64
}

func runsOf(x []float64) []stretch {
	var out []stretch
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].v == v {
			out[n-1].to, out[n-1].n = i+1, out[n-1].n+1
			continue
		}
		out = append(out, stretch{i, i + 1, 1, v})
	}
	return out
}

func stuck(g *Grid, name string, x []float64, company []string) []Fault {
	all := runsOf(x)
	least := max(int(6*time.Hour/g.Step), 3)
	low, high := math.Inf(1), math.Inf(-1)
	longest := 0
	for _, r := range all {
		low, high = min(low, r.v), max(high, r.v)
		longest = max(longest, r.n)
	}
	if longest < least {
		return nil
	}
	digit := resolution(all)
	var out []Fault
	for _, r := range all {
		if r.n < least || math.Abs(r.v) < 4*digit || r.v == 0 || r.v == low || r.v == high || atRest(g, company, r) {
			continue
		}
		need := naturally(all, r, least, len(x))
		if need == 0 || r.n < need {
			continue
		}
		// A value at which it rests at other times too is a setpoint.
		again := 0
		for _, o := range all {
			if o.v == r.v && o.n >= need/2 && o != r {
				again++
			}
		}
		if again < 2 {
			out = append(out, Fault{Kind: StuckReading, Channels: []string{name}, From: g.At(r.from), To: g.At(r.to)})
		}
	}
	return out
}

// resolution is the smallest step between readings of a channel: what is but a
// few of its last digit does not move, and need not be frozen.
func resolution(all []stretch) float64 {
	v := make([]float64, len(all))
	for i, r := range all {
		v[i] = r.v
	}
	slices.Sort(v)
	least := math.Inf(1)
	for i := 1; i < len(v); i++ {
		if d := v[i] - v[i-1]; d > 1e-6*math.Abs(v[i]) {
			least = min(least, d)
		}
	}
	if math.IsInf(least, 0) {
		return 0
	}
	return least
}

// naturally is how many equal readings around that of one stretch it takes to be more than chance:
// four times the longest run that the channel's own repetition near that value
// explains in so many steps; 0 where too little is known.
func naturally(all []stretch, one stretch, least, steps int) int {
	same, pairs, v := 0, 0, one.v
	for _, r := range all {
		if r != one && r.v > v-0.4*math.Abs(v) && r.v < v+0.4*math.Abs(v) {
			same += r.n - 1
			pairs += r.n
		}
	}
	if pairs < 100 {
		return 0
	}
	p := max(float64(same)/float64(pairs), 0.02)
	return max(least, int(4*math.Log(float64(steps))/-math.Log(p)))
}

// atRest says whether something that belongs to the channel's object stood at
// zero for most of a run.
func atRest(g *Grid, company []string, r stretch) bool {
	for _, c := range company {
		zero, known := 0, 0
		for _, v := range g.Channels[c][r.from:r.to] {
			if !math.IsNaN(v) {
				known++
				if v <= 0 {
					zero++
				}
			}
		}
		if known > 0 && float64(zero) > 0.8*float64(known) {
			return true
		}
	}
	return false
}

// pair of temperatures that one object gives heat off between, with its flow.
type pairing struct{ hot, cold, flow string }

// pairsOf finds pairs by the names of objects and by the cards.
func pairsOf(names []string, cards []Card) []pairing {
	byObject := map[string]*pairing{}
	var objects []string
	known := map[string]bool{}
	for _, n := range names {
		known[n] = true
		s := parseSignal(n)
		p := byObject[s.object]
		if p == nil {
			p = &pairing{}
			byObject[s.object] = p
			objects = append(objects, s.object)
		}
		switch s.name {
		case "T_hot", "T_flow", "T_supply":
			p.hot = n
		case "T_cold", "T_return":
			p.cold = n
		case "V":
			p.flow = n
		}
	}
	var out []pairing
	for _, o := range objects {
		if p := byObject[o]; p.hot != "" && p.cold != "" {
			out = append(out, *p)
		}
	}
	for _, c := range cards {
		if !known[c.THot] || !known[c.TCold] || slices.ContainsFunc(out, func(p pairing) bool { return p.hot == c.THot && p.cold == c.TCold }) {
			continue
		}
		p := pairing{hot: c.THot, cold: c.TCold}
		for _, s := range c.Signals {
			if parseSignal(s).letter() == "V" && known[s] {
				p.flow = s
			}
		}
		out = append(out, p)
	}
	return out
}

// clearSpread is the difference below which two temperatures do not tell which is
// the hot one: a tenth of the usual spread while something flows.
func clearSpread(hot, cold, flow []float64) float64 {
	var d []float64
	for i := range hot {
		if x := math.Abs(hot[i] - cold[i]); x > clearlyKelv && (flow == nil || flow[i] > 0) {
			d = append(d, x)
		}
	}
	if len(d) == 0 {
		return clearlyKelv
	}
	slices.Sort(d)
	return max(clearlyKelv, 0.1*quantile(d, 0.5))
}

func swapped(g *Grid, pairs []pairing) []Fault {
	var out []Fault
	for _, p := range pairs {
		hot, cold := g.Channels[p.hot], g.Channels[p.cold]
		var flow []float64
		if p.flow != "" {
			flow = g.Channels[p.flow]
		}
		clearly := clearSpread(hot, cold, flow)
		reversed := func(i int) int { // -1 right, 1 reversed, 0 says nothing
			d := hot[i] - cold[i]
			switch {
			case math.IsNaN(d), math.Abs(d) < clearly, flow != nil && !(flow[i] > 0):
				return 0
			case d < 0:
				return 1
			}
			return -1
		}
		// A window grows while at least four of five telling steps are reversed.
		for i := 0; i < g.Steps; i++ {
			if reversed(i) != 1 {
				continue
			}
			score, best, last, count := 0, 0, i, 0
			for j := i; j < g.Steps && score > best-int(6*time.Hour/g.Step)*4; j++ {
				switch reversed(j) {
				case 1:
					score++
					count++
				case -1:
					score -= 4
				}
				if reversed(j) == 1 && score >= best {
					best, last = score, j
				}
			}
			if time.Duration(best)*g.Step >= swappedFor {
				out = append(out, Fault{Kind: SensorsSwapped, Channels: []string{p.hot, p.cold}, From: g.At(i), To: g.At(last + 1), Mend: true})
			}
			i = last
		}
	}
	return out
}
