package matching

import (
	"cmp"
	"math"
	"slices"
)

// LiftAll are heat pumps for every pair that a pipe may join: cost is what a
// delivered kilowatt-hour costs beside electricity, in the unit of the weights,
// maxTargetC the highest flow temperature of machines.
func (s *Site) LiftAll(p *Problem, cost, maxTargetC float64) []Lift {
	var out []Lift
	for i := range p.Sources {
		for j := range p.Sinks {
			if g := p.Gain[i][j]; g > 0 && p.weight(i, j) > 0 {
				out = append(out, Lift{Source: i, Sink: j, Gain: g, Cost: cost, MaxC: maxTargetC + s.Needs[j].Demand.DTContribution})
			}
		}
	}
	return out
}

// TankAtSource is a tank that a source fills on its own ground and that serves the
// sinks which the source may, lifted where the source may be.
func (p *Problem) TankAtSource(source int, kwh, kw, loss, levelC float64) Tank {
	x := Tank{ID: p.Sources[source].ID, CapacityKWh: kwh, PowerKW: kw, LossPerHour: loss, LevelC: levelC, Home: 1 + source, In: make([]float64, len(p.Sources)), Out: slices.Clone(p.Gain[source])}
	x.In[source] = 1
	for j := range p.Sinks {
		x.Worth = append(x.Worth, p.weight(source, j))
	}
	for _, l := range p.Lifts {
		if l.Source == source {
			x.OutLifts = append(x.OutLifts, l)
		}
	}
	return x
}

// TankAtSink is a tank on the ground of a need, filled by the sources which may
// serve it, lifted where they may be.
func (p *Problem) TankAtSink(sink int, kwh, kw, loss, levelC float64) Tank {
	x := Tank{ID: p.Sinks[sink].ID, CapacityKWh: kwh, PowerKW: kw, LossPerHour: loss, LevelC: levelC, Home: -1 - sink, Out: make([]float64, len(p.Sinks))}
	x.Out[sink] = 1
	x.Worth = constant(len(p.Sinks), 1)
	for i := range p.Sources {
		x.In = append(x.In, p.Gain[i][sink])
		if w := p.weight(i, sink); p.Gain[i][sink] > 0 && w > 0 {
			x.Worth[sink] = w
		}
	}
	for _, l := range p.Lifts {
		if l.Sink == sink {
			l.MaxC = levelC
			x.InLifts = append(x.InLifts, l)
		}
	}
	return x
}

// levels is how many temperatures are tried for a tank, hottestC the highest of
// them: water without pressure.
const (
	levels   = 12
	hottestC = 95.0
)

// Level looks for the temperature at which a tank between a source and a sink
// passes the most heat that is not exchanged at the same moment, on hourly means;
// the gain in kWh tells tanks apart. It is NaN where none helps.
func (p *Problem) Level(source, sink int, kwh, loss float64) (levelC, gain float64) {
	s, d, share := &p.Sources[source], &p.Sinks[sink], p.Gain[source][sink]
	low, high := math.Inf(1), math.Inf(-1)
	for i := range p.Steps {
		if s.running(i) {
			high = max(high, s.HighC[i])
		}
		if d.running(i) {
			low = min(low, d.LowC[i])
		}
	}
	levelC, high = math.NaN(), min(high, hottestC)
	if share <= 0 || !(high > low) {
		return levelC, 0
	}
	perHour := max(1, int(math.Round(1/p.Hours)))
	hours := p.Hours * float64(perHour)
	for k := range levels {
		at := low + (high-low)*(float64(k)+0.5)/levels
		var offer, want []float64
		for from := 0; from < p.Steps; from += perHour {
			var o, w float64
			for i := from; i < min(from+perHour, p.Steps); i++ {
				if s.running(i) {
					o += s.KW[i] * p.Hours * (1 - s.below(i, at))
				}
				if d.running(i) {
					w += d.KW[i] * p.Hours * d.below(i, at)
				}
			}
			offer, want = append(offer, o*share), append(want, w)
		}
		kept := math.Pow(1-loss, hours)
		if g := charge(offer, want, kwh, kept) - charge(offer, want, 0, kept); g > gain {
			levelC, gain = at, g
		}
	}
	return levelC, gain
}

// ProposeTanks places tanks of one size where they help single pairs most, at most
// one for each source, at the source; power is what fills one in four hours.
func (p *Problem) ProposeTanks(most int, kwh, loss float64) []Tank {
	type place struct {
		source int
		level  float64
		gain   float64
	}
	var all []place
	for i := range p.Sources {
		best := place{source: i}
		for j := range p.Sinks {
			if level, gain := p.Level(i, j, kwh, loss); gain > best.gain {
				best.level, best.gain = level, gain
			}
		}
		if best.gain > 0 {
			all = append(all, best)
		}
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(b.gain, a.gain) })
	var out []Tank
	for _, x := range all[:min(most, len(all))] {
		out = append(out, p.TankAtSource(x.source, kwh, kwh/4, loss, x.level))
	}
	return out
}
