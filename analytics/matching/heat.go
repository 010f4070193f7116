package matching

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/pinch"
)

// Site is measured sources and needs on one grid, with what lies between them.
type Site struct {
	Grid    *heat.Grid
	Sources []heat.Source
	Needs   []*heat.Need
	Places  map[string]heat.Place
	Network heat.Network
}

// Route is one pair's way.
type Route struct {
	KM      float64
	Gain    float64 // share of the heat that arrives
	Allowed bool
}

// Routes measures every pair, [source][sink]. A site without position is an
// error that names it.
func (s *Site) Routes() ([][]Route, error) {
	out := make([][]Route, len(s.Sources))
	for i := range s.Sources {
		a, ok := s.Places[s.Sources[i].Card.Site]
		if !ok {
			return nil, fmt.Errorf("source %s: site %q has no position", s.Sources[i].Card.ID, s.Sources[i].Card.Site)
		}
		for j := range s.Needs {
			b, ok := s.Places[s.Needs[j].Demand.Site]
			if !ok {
				return nil, fmt.Errorf("demand %s: site %q has no position", s.Needs[j].Demand.ID, s.Needs[j].Demand.Site)
			}
			km, gain, near := s.Network.Route(a, b)
			r := Route{KM: km, Gain: gain, Allowed: near && gain > 0}
			if !r.Allowed {
				r.Gain = 0
			}
			out[i] = append(out[i], r)
		}
	}
	return out, nil
}

// tieBreak is by how much a delivered kilowatt-hour that loses all its heat on the
// way would count for less: among plans that deliver the same, the one with the
// least losses is taken. At losses of some per cent it moves the optimum by less
// than a ten-millionth.
const tieBreak = 1e-6

// Problem states the matching of a site: the most delivered heat, and among
// plans that deliver as much the one that loses least.
func (s *Site) Problem() (*Problem, error) {
	routes, err := s.Routes()
	if err != nil {
		return nil, err
	}
	p := &Problem{Steps: s.Grid.Steps, Hours: s.Grid.Step.Hours()}
	for i := range s.Sources {
		x := &s.Sources[i]
		p.Sources = append(p.Sources, shifted(x.Card.ID, x.KW, x.HotC, x.ColdC, -x.Card.DTContribution))
		gains := make([]float64, len(s.Needs))
		for j := range gains {
			gains[j] = routes[i][j].Gain
		}
		p.Gain = append(p.Gain, gains)
		weights := make([]float64, len(gains))
		for j, g := range gains {
			weights[j] = 1 - tieBreak*(1-g)
		}
		p.Weight = append(p.Weight, weights)
	}
	for _, n := range s.Needs {
		p.Sinks = append(p.Sinks, shifted(n.Demand.ID, n.KW, n.TargetC, n.SupplyC, n.Demand.DTContribution))
	}
	return p, nil
}

// shifted lays a series on the shifted scale. Meters near zero read a little
// below it: that is no heat.
func shifted(id string, kw, a, b []float64, by float64) Stream {
	s := Stream{ID: id, KW: make([]float64, len(kw)), HighC: make([]float64, len(kw)), LowC: make([]float64, len(kw))}
	for i := range kw {
		if s.KW[i] = kw[i]; kw[i] < 0 {
			s.KW[i] = 0
		}
		s.HighC[i], s.LowC[i] = max(a[i], b[i])+by, min(a[i], b[i])+by
	}
	return s
}

// Averaged is the problem on longer steps: what a tool that works with means of
// n steps would see. Powers are means over the known steps, temperatures means
// weighted by heat. It shows what averaging promises too much.
func (p *Problem) Averaged(n int) *Problem {
	out := *p
	out.Hours = p.Hours * float64(n)
	out.Steps = (p.Steps + n - 1) / n
	mean := func(list []Stream) []Stream {
		res := make([]Stream, len(list))
		for k, s := range list {
			r := Stream{ID: s.ID, KW: make([]float64, out.Steps), HighC: make([]float64, out.Steps), LowC: make([]float64, out.Steps)}
			for i := range out.Steps {
				var q, high, low, known float64
				for j := i * n; j < min((i+1)*n, p.Steps); j++ {
					if !math.IsNaN(s.KW[j]) {
						known++
					}
					if s.running(j) {
						q += s.KW[j]
						high += float64(s.KW[j] * s.HighC[j])
						low += float64(s.KW[j] * s.LowC[j])
					}
				}
				if q > 0 {
					r.KW[i], r.HighC[i], r.LowC[i] = q/known, high/q, low/q
				} else {
					r.HighC[i], r.LowC[i] = math.NaN(), math.NaN()
				}
			}
			res[k] = r
		}
		return res
	}
	out.Sources, out.Sinks = mean(p.Sources), mean(p.Sinks)
	return &out
}

// UpperBound is what the site could recover if no distance cost heat and every
// pair were allowed: the heat cascade of each step, MWh. No plan and no sum of
// proposals passes it.
func (p *Problem) UpperBound() (float64, error) {
	total := 0.0
	var streams []pinch.Stream
	for i := range p.Steps {
		streams = streams[:0]
		hot := 0
		for k := range p.Sources {
			if s := &p.Sources[k]; s.running(i) {
				streams = append(streams, pinch.Stream{TS: s.HighC[i], TT: s.LowC[i], Q: s.KW[i], Hot: true})
				hot++
			}
		}
		for k := range p.Sinks {
			if s := &p.Sinks[k]; s.running(i) {
				streams = append(streams, pinch.Stream{TS: s.LowC[i], TT: s.HighC[i], Q: s.KW[i]})
			}
		}
		if hot == 0 || hot == len(streams) {
			continue
		}
		t, err := pinch.Cascade(streams)
		if err != nil {
			return 0, fmt.Errorf("step %d: %w", i, err)
		}
		total += max(t.RecoveryKW, 0) * p.Hours / 1000
	}
	return total, nil
}

// exchange is the power that a pair alone exchanges in a step in which both run.
func exchange(s, d *Stream, gain float64, i int) float64 {
	return pinch.Exchange(s.KW[i]*gain, s.HighC[i], s.LowC[i], d.KW[i], d.HighC[i], d.LowC[i])
}

// Limit says what limits a pair that stands alone: the share of the hours in
// which both run that temperature limits it, and there the shifted temperature of
// the pinch, a mean weighted by the need; NaN if temperature never does.
func (p *Problem) Limit(source, sink int) (share, pinchC float64) {
	s, d, gain := &p.Sources[source], &p.Sinks[sink], p.Gain[source][sink]
	var both, limited, weight, sum float64
	for i := range p.Steps {
		if !s.running(i) || !d.running(i) {
			continue
		}
		both++
		if _, at := pinch.ExchangePinch(s.KW[i]*gain, s.HighC[i], s.LowC[i], d.KW[i], d.HighC[i], d.LowC[i]); !math.IsNaN(at) {
			limited++
			weight += d.KW[i]
			sum += float64(d.KW[i] * at)
		}
	}
	if limited == 0 {
		return 0, math.NaN()
	}
	return limited / both, sum / weight
}

// Curves are the temperature-heat diagram of a pair in its median hour of both
// running: the hot stream after the losses of the way, and the cold one placed so
// that the curves overlap by what is exchanged; kW and shifted degC.
func (p *Problem) Curves(source, sink int) (hot, cold [][2]float64, pinchC float64) {
	s, d, gain := &p.Sources[source], &p.Sinks[sink], p.Gain[source][sink]
	type moment struct {
		step int
		kw   float64
	}
	var all []moment
	for i := range p.Steps {
		if s.running(i) && d.running(i) {
			all = append(all, moment{i, exchange(s, d, gain, i)})
		}
	}
	if len(all) == 0 {
		return nil, nil, math.NaN()
	}
	slices.SortFunc(all, func(a, b moment) int { return cmp.Or(cmp.Compare(a.kw, b.kw), cmp.Compare(a.step, b.step)) })
	i := all[len(all)/2].step
	given, wanted := s.KW[i]*gain, d.KW[i]
	kw, at := pinch.ExchangePinch(given, s.HighC[i], s.LowC[i], wanted, d.HighC[i], d.LowC[i])
	return [][2]float64{{0, s.LowC[i]}, {given, s.HighC[i]}}, [][2]float64{{given - kw, d.LowC[i]}, {given - kw + wanted, d.HighC[i]}}, at
}
