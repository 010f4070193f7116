package heat

import (
	"math"
	"slices"
	"time"
)

// FrozenZero is a flow or a power that reads exactly zero while something else
// shows that its object is at work.
const FrozenZero FaultKind = "frozen_zero"

const (
	frozenFor  = 6 * time.Hour
	leastOn    = 24 * time.Hour // of the witness at work at other times, to know what is usual
	seldomZero = 0.01           // of those times in which the channel may read zero
	restFor    = 24 * time.Hour // a shorter rest of the witness ends no window
)

// frozenZeros finds the runs of zeros that no standstill explains. A witness is
// another flow or power of the same object or card, or the spread of the object's
// two temperatures; it is at work above a twentieth (a spread: half) of what it
// usually is. A witness speaks only if the channel, at all other times at which
// the witness is at work, hardly ever reads zero; the window is where the witness
// is at work, for 6 h at least. Recovery that is off while the
// burner runs therefore stays a standstill.
func frozenZeros(g *Grid, name string, company []string, spread []float64) []Fault {
	x := g.Channels[name]
	if parseSignal(name).letter() == "T" {
		return nil
	}
	runs := spells(g, []string{name}, FrozenZero, frozenFor, func(i int) bool { return x[i] == 0 })
	if len(runs) == 0 {
		return nil
	}
	var witnesses [][]bool
	for _, c := range company {
		witnesses = append(witnesses, atWork(g.Channels[c], 0.95, 0.05))
	}
	if spread != nil {
		// What the sensors show while the channel reads more than zero.
		running := slices.Clone(spread)
		for i := range running {
			if !(x[i] > 0) {
				running[i] = math.NaN()
			}
		}
		witnesses = append(witnesses, above(spread, 0.5*quantileOf(running, 0.5)))
	}
	least := int(leastOn / g.Step)
	var out []Fault
	for _, f := range runs {
		from, to := g.window(f)
		marked := make([]bool, to-from)
		for _, w := range witnesses {
			on, zero := 0, 0
			for i, at := range w {
				if at && (i < from || i >= to) && !math.IsNaN(x[i]) {
					on++
					if x[i] == 0 {
						zero++
					}
				}
			}
			if on >= least && float64(zero) <= seldomZero*float64(on) {
				mark(marked, w[from:to], int(frozenFor/g.Step), int(restFor/g.Step))
			}
		}
		out = append(out, spells(g, []string{name}, FrozenZero, 0, func(i int) bool { return i >= from && i < to && marked[i-from] })...)
	}
	return out
}

// mark marks the stretches in which a witness is at work for as many steps as
// least, with rests between them shorter than the given one.
func mark(marked, on []bool, least, rest int) {
	for i := 0; i < len(on); i++ {
		if !on[i] {
			continue
		}
		last, n := i, 0
		for j := i; j < len(on) && j-last < max(rest, 1); j++ {
			if on[j] {
				last = j
				n++
			}
		}
		if n >= least {
			for j := i; j <= last; j++ {
				marked[j] = true
			}
		}
		i = last
	}
}

// atWork says where a channel is above a share of its quantile.
func atWork(x []float64, q, share float64) []bool {
	return above(x, share*quantileOf(x, q))
}

func above(x []float64, limit float64) []bool {
	out := make([]bool, len(x))
	for i, v := range x {
		out[i] = v > limit && v > 0 && limit > 0
	}
	return out
}

// quantileOf is the quantile of the positive readings, 0 where there are none.
func quantileOf(x []float64, q float64) float64 {
	var v []float64
	for _, y := range x {
		if y > 0 {
			v = append(v, y)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return quantile(v, q)
}

// spreads are the differences of the two temperatures of each object that has
// both, by object.
func spreads(g *Grid, names []string, cards []Card) map[string][]float64 {
	out := map[string][]float64{}
	for _, p := range pairsOf(names, cards) {
		hot, cold := g.Channels[p.hot], g.Channels[p.cold]
		d := make([]float64, len(hot))
		for i := range d {
			d[i] = math.Abs(hot[i] - cold[i])
		}
		out[parseSignal(p.hot).object] = d
	}
	return out
}

// withoutStandstills drops the wrong scales that a site's other meters explain: a
// window in which a channel reads too little, and the site's powers and fuels too.
func withoutStandstills(g *Grid, faults []Fault, sites map[string]string) []Fault {
	return slices.DeleteFunc(faults, func(f Fault) bool {
		if !(f.Factor > 0 && f.Factor < 1) || len(f.Channels) != 1 {
			return false
		}
		own := parseSignal(f.Channels[0]).object
		site := sites[own]
		if site == "" {
			return false
		}
		from, to := g.window(f)
		for n, x := range g.Channels {
			s := parseSignal(n)
			if s.object == own || sites[s.object] != site || s.letter() != "P" && s.name != "V_gas" && s.letter() != "Q" {
				continue
			}
			before := knownMean(x[max(0, from-(to-from)):from])
			after := knownMean(x[to:min(len(x), to+(to-from))])
			if within := knownMean(x[from:to]); within < 0.5*min(before, after) {
				return true
			}
		}
		return false
	})
}
