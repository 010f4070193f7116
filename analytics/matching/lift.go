package matching

import (
	"fmt"
	"math"
)

// Terms of heat pumps where nothing else is said: the share of the Lorenz
// coefficient that industry reaches, a cap on the coefficient, the hours of full load
// a year over which a machine's price is spread, and the highest flow temperature on
// the market, degC.
const (
	LorenzShare = 0.5
	MostCOP     = 20.0
	PumpHours   = 4000.0
	PumpMaxC    = 110.0
)

// Machine is what heat pumps do and what their electricity costs.
type Machine struct {
	// Efficiency is the share of the Lorenz coefficient of performance that machines
	// reach, 0.45 to 0.55 in industry.
	Efficiency float64
	// MaxCOP caps the coefficient: no machine lifts for nothing, however small the lift.
	MaxCOP float64
	// Electricity is the worth of a kilowatt-hour of electricity, in the unit of the
	// weights (kilowatt-hours of delivered heat).
	Electricity float64
}

// Lift is a pair that a heat pump may serve. Source heat is piped to the sink,
// loses its share, and is lifted there: delivered = arriving + electricity,
// electricity = delivered / COP. Between two intervals of the temperature scale
// 1/COP = (Th - Tl) / (efficiency Th), with logarithmic mean temperatures in
// kelvin of the part of each stream that takes part (Lorenz). Over whole streams
// this adds up to the coefficient of the streams; a plan that uses parts of them
// is not given a better coefficient than the parts allow.
type Lift struct {
	Source, Sink int
	Gain         float64 // share of the heat taken that arrives at the machine
	// Cost is what a delivered kilowatt-hour costs beside electricity: wear, or a
	// machine's price spread over its hours; in the unit of the weights.
	Cost float64
	// MaxC is the highest temperature, shifted, to which machines lift, degC.
	MaxC float64
}

func (p *Problem) checkLifts() error {
	if len(p.Lifts) == 0 {
		return nil
	}
	m := p.Machine
	if !(m.Efficiency > 0 && m.Efficiency <= 1) || !(m.MaxCOP > 1) || !(m.Electricity >= 0) || math.IsInf(m.Electricity, 0) {
		return fmt.Errorf("matching: heat pumps of efficiency %v, coefficient up to %v, electricity at %v", m.Efficiency, m.MaxCOP, m.Electricity)
	}
	for _, x := range p.Lifts {
		if x.Source < 0 || x.Source >= len(p.Sources) || x.Sink < 0 || x.Sink >= len(p.Sinks) {
			return fmt.Errorf("matching: a heat pump between source %d and sink %d, which are not there", x.Source, x.Sink)
		}
		if !(x.Gain > 0 && x.Gain <= 1) || !(x.Cost >= 0) || math.IsInf(x.Cost, 0) || math.IsNaN(x.MaxC) {
			return fmt.Errorf("matching: heat pump %s to %s: a share of %v arrives, at a cost of %v, up to %v degC",
				p.Sources[x.Source].ID, p.Sinks[x.Sink].ID, x.Gain, x.Cost, x.MaxC)
		}
	}
	return nil
}

// way is one manner in which a source may serve a sink: directly, or lifted.
type way struct {
	source, sink int32
	lift         bool
	gain, worth  float64
	maxC         float64
	in, out      int32 // the tank that is the sink, or the source; -1: none
	id           int32 // number among all ways of a problem with tanks
}

// ways lists what may be done, the direct pairs first.
func (p *Problem) ways() []way {
	var out []way
	for s := range p.Sources {
		for d := range p.Sinks {
			if p.Gain[s][d] > 0 && p.weight(s, d) > 0 {
				out = append(out, way{source: int32(s), sink: int32(d), gain: p.Gain[s][d], worth: p.weight(s, d), in: -1, out: -1})
			}
		}
	}
	for _, x := range p.Lifts {
		// A weight of 0 or less forbids the pair, lifted too.
		if w := p.weight(x.Source, x.Sink); w > 0 {
			out = append(out, way{source: int32(x.Source), sink: int32(x.Sink), lift: true, gain: x.Gain, worth: w - x.Cost, maxC: x.MaxC, in: -1, out: -1})
		}
	}
	return out
}

// liftArcs are the coefficients of a lifted way in the step at hand, by source
// node and sink node: source heat for a unit delivered, and worth.
type liftArcs struct{ inverse, cost []float64 }

// load computes the coefficients of a step: of lifts, from the temperatures at
// which its nodes begin and end; and of tanks, from the prices of stored heat. Tanks
// that are shut pay for nothing.
func (n *network) load(m *Machine, top, low, stored []float64, shut bool, w *workspace) {
	w.kelvin = grow(w.kelvin, len(n.nodes))
	for k := range n.nodes {
		w.kelvin[k] = logMean(top[k]+273.15, low[k]+273.15)
	}
	for k := range n.byPair {
		a := &n.byPair[k]
		x := &n.ways[a.way]
		worth, taken := x.worth, 0.0
		switch {
		case (x.in >= 0 || x.out >= 0) && shut:
			worth = -1
		case x.in >= 0:
			worth += stored[x.in]
		case x.out >= 0:
			taken = stored[x.out]
		}
		if a.lift == nil {
			a.weight = worth - taken/x.gain
			continue
		}
		l, size := a.lift, len(a.from)*len(a.to)
		l.inverse, l.cost = grow(l.inverse, size), grow(l.cost, size)
		for g, j := range a.to {
			if top[j] > x.maxC+1e-9 {
				for f := range a.from {
					l.inverse[f*len(a.to)+g], l.cost[f*len(a.to)+g] = 1, math.Inf(-1)
				}
				continue
			}
			high := w.kelvin[j]
			per := 1 / (m.Efficiency * high)
			for f, i := range a.from {
				at := f*len(a.to) + g
				share := max(float64((high-w.kelvin[i])*per), 1/m.MaxCOP) // electricity for a unit delivered
				if share >= 1 {
					l.inverse[at], l.cost[at] = 1, math.Inf(-1)
					continue
				}
				inverse := (1 - share) / x.gain
				l.inverse[at] = inverse
				l.cost[at] = worth - float64(m.Electricity*share) - float64(taken*inverse)
			}
		}
	}
}

// logMean is the logarithmic mean of two temperatures in kelvin.
func logMean(a, b float64) float64 {
	if math.Abs(a-b) < 1e-6 {
		return a
	}
	return (a - b) / math.Log(a/b)
}

// fit sets the coefficients of an arc for the step at hand; false where its way
// is not open.
func (n *network) fit(c *column) bool {
	k := n.byWay[c.way]
	if k < 0 {
		return false
	}
	a := &n.byPair[k]
	if a.lift == nil {
		c.a, c.cost = 1/a.gain, a.weight
		return n.nodes[c.from].level <= n.nodes[c.to].level
	}
	for f, i := range a.from {
		if i != c.from {
			continue
		}
		for g, j := range a.to {
			if j == c.to {
				at := f*len(a.to) + g
				c.a, c.cost = a.lift.inverse[at], a.lift.cost[at]
				return !math.IsInf(c.cost, -1)
			}
		}
	}
	return false
}

// dearest finds the arc of a lifted way that pays most beside the prices u, if it
// pays more than most.
func (a *pairArcs) dearest(u []float64, most float64) (best column, pays float64) {
	for f, i := range a.from {
		price := u[i]
		row := a.lift.cost[f*len(a.to) : (f+1)*len(a.to)]
		inverse := a.lift.inverse[f*len(a.to) : (f+1)*len(a.to)]
		for g, cost := range row {
			if d := cost - float64(price*inverse[g]) - u[a.to[g]]; d > most {
				most, best = d, column{from: i, to: a.to[g], way: a.way, a: inverse[g], cost: cost}
			}
		}
	}
	return best, most
}

// raise lifts the prices of a way's source nodes until none of its arcs pays.
func (a *pairArcs) raise(u []float64) {
	for f, i := range a.from {
		for g, j := range a.to {
			at := f*len(a.to) + g
			u[i] = max(u[i], (a.lift.cost[at]-u[j])/a.lift.inverse[at])
		}
	}
}

// offer looks for the arc to node j that pays most beside the prices.
func (a *pairArcs) offer(j int32, prices, left []float64, most *float64, best *column) {
	for g, to := range a.to {
		if to != j {
			continue
		}
		for f, i := range a.from {
			at := f*len(a.to) + g
			c := a.lift.cost[at]
			if c <= 0 || left[i] <= 0 {
				continue
			}
			if d := c - float64(prices[i]*a.lift.inverse[at]); best.from < 0 || d >= *most {
				*most, *best = d, column{from: i, to: j, way: a.way, a: a.lift.inverse[at], cost: c}
			}
		}
	}
}
