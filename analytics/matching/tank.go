package matching

import (
	"fmt"
	"math"
)

// Tank is a store of heat at one temperature that sources fill and sinks empty.
// A stratified tank is several of them.
//
// It takes heat from intervals of sources that are not colder than its level, and
// serves intervals that are not hotter, on the shifted scale: what is stored is
// worth its level's temperature and no more. At the beginning of a step it has
// lost its share, then it takes and gives; heat may be let off. It begins empty.
type Tank struct {
	ID          string
	CapacityKWh float64
	PowerKW     float64 // most that it takes, and most that it gives
	LossPerHour float64 // share of its content lost in an hour
	LevelC      float64 // shifted
	// Home says on whose ground it stands, so that [SparseStored] knows its pipes: 1 + the
	// source's number, or -1 - the sink's; 0: nobody's, its pipes cost nothing.
	Home int
	In   []float64 // share of each source's heat that arrives in it; 0: not connected
	Out  []float64 // share of its heat that arrives at each sink; 0: not connected
	// Worth is what a unit delivered to each sink counts for; nil counts each as 1.
	Worth []float64
	// InLifts are heat pumps that fill it (their Sink is not read), OutLifts heat pumps
	// that lift its heat for sinks (their Source is not read).
	InLifts, OutLifts []Lift
}

func (x *Tank) check(p *Problem) error {
	if !(x.CapacityKWh > 0) || math.IsInf(x.CapacityKWh, 0) || !(x.PowerKW > 0) || math.IsInf(x.PowerKW, 0) || !(x.LossPerHour >= 0 && x.LossPerHour < 1) || math.IsNaN(x.LevelC) || math.IsInf(x.LevelC, 0) {
		return fmt.Errorf("matching: tank %s: %v kWh, %v kW, a share of %v lost in an hour, at %v degC", x.ID, x.CapacityKWh, x.PowerKW, x.LossPerHour, x.LevelC)
	}
	if len(x.In) != len(p.Sources) || len(x.Out) != len(p.Sinks) || x.Worth != nil && len(x.Worth) != len(p.Sinks) {
		return fmt.Errorf("matching: tank %s: its connections do not fit sources and sinks", x.ID)
	}
	for _, list := range [][]float64{x.In, x.Out} {
		for _, g := range list {
			if !(g >= 0 && g <= 1) {
				return fmt.Errorf("matching: tank %s: a share of %v arrives", x.ID, g)
			}
		}
	}
	return nil
}

// worth is what a unit delivered to a sink counts for.
func (x *Tank) worth(sink int) float64 {
	if x.Worth == nil {
		return 1
	}
	return x.Worth[sink]
}

// withTanks is the problem of single steps when stored heat has a price: each tank
// is one source more, and one sink more. Its weights come step by step.
func (p *Problem) withTanks(tanks []Tank) (*Problem, []way, error) {
	if err := p.Check(); err != nil {
		return nil, nil, err
	}
	q := *p
	q.Weight = nil
	q.Sources, q.Sinks = append([]Stream(nil), p.Sources...), append([]Stream(nil), p.Sinks...)
	ways := p.ways()
	q.Lifts = append([]Lift(nil), p.Lifts...)
	for k := range tanks {
		x := &tanks[k]
		if err := x.check(p); err != nil {
			return nil, nil, err
		}
		// Within a step it gives at most what it can hold.
		power := min(x.PowerKW, x.CapacityKWh/p.Hours)
		s := Stream{ID: x.ID, KW: constant(p.Steps, power), HighC: constant(p.Steps, x.LevelC)}
		s.LowC = s.HighC
		source, sink := int32(len(q.Sources)), int32(len(q.Sinks))
		q.Sources, q.Sinks = append(q.Sources, s), append(q.Sinks, s)
		tank := int32(k)
		for i, g := range x.In {
			if g > 0 {
				ways = append(ways, way{source: int32(i), sink: sink, gain: g, in: tank, out: -1})
			}
		}
		for j, g := range x.Out {
			if g > 0 && x.worth(j) > 0 {
				ways = append(ways, way{source: source, sink: int32(j), gain: g, worth: x.worth(j), in: -1, out: tank})
			}
		}
		for _, l := range x.InLifts {
			l.Sink = int(sink)
			q.Lifts = append(q.Lifts, l)
			ways = append(ways, way{source: int32(l.Source), sink: sink, lift: true, gain: l.Gain, worth: -l.Cost, maxC: l.MaxC, in: tank, out: -1})
		}
		for _, l := range x.OutLifts {
			l.Source = int(source)
			q.Lifts = append(q.Lifts, l)
			if l.Sink >= 0 && l.Sink < len(p.Sinks) {
				ways = append(ways, way{source: source, sink: int32(l.Sink), lift: true, gain: l.Gain, worth: x.worth(l.Sink) - l.Cost, maxC: l.MaxC, in: -1, out: tank})
			}
		}
	}
	for k := range ways {
		ways[k].id = int32(k)
	}
	q.Gain = table(len(q.Sources), len(q.Sinks))
	for i := range p.Gain {
		copy(q.Gain[i], p.Gain[i])
	}
	return &q, ways, q.checkLifts()
}

func constant(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
