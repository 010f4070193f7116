package heat

import (
	"fmt"
	"math"
	"time"

	"github.com/thermie/thermie/analytics/pinch"
	"github.com/thermie/thermie/calendar"
)

// Targets are the least utilities of a set of sources and needs, when heat is
// recovered as well as temperatures allow.
type Targets struct {
	// By the cascade of every step, MWh in the grid's time: heating and cooling that
	// remain, and heat recovered.
	HotMWh, ColdMWh, RecoveryMWh float64
	// Seasons are the targets of each season's mean streams, see [Season]; they do
	// not look at the hour, so they promise more.
	Seasons [4]SeasonTargets
}

// SeasonTargets are the pinch targets of a season's mean streams, kW; no streams
// where nothing is known of it.
type SeasonTargets struct {
	Streams []pinch.Stream
	pinch.Targets
}

// flow is a source or a need as a pinch stream at each step.
type flow struct {
	name          string
	hot           bool
	kw, from, to  []float64 // supply and target temperature
	contributionK float64
}

func flows(sources []Source, needs []*Need) []flow {
	var out []flow
	for i := range sources {
		s := &sources[i]
		out = append(out, flow{s.Card.ID, true, s.KW, s.HotC, s.ColdC, s.Card.DTContribution})
	}
	for _, n := range needs {
		out = append(out, flow{n.Demand.ID, false, n.KW, n.SupplyC, n.TargetC, n.Demand.DTContribution})
	}
	return out
}

// stream is the flow at temperatures that may stand the wrong way round.
func (f *flow) stream(kw, from, to float64) pinch.Stream {
	high, low := max(from, to), min(from, to)
	if f.hot {
		return pinch.Stream{Name: f.name, TS: high, TT: low, Q: kw, DTC: f.contributionK, Hot: true}
	}
	return pinch.Stream{Name: f.name, TS: low, TT: high, Q: kw, DTC: f.contributionK}
}

// TargetsOf computes the targets of sources and needs that share a site, or that
// are taken as one.
func TargetsOf(g *Grid, sources []Source, needs []*Need) (Targets, error) {
	var out Targets
	all := flows(sources, needs)
	type total struct{ kw, from, to float64 }
	sums := make([][4]total, len(all))
	var steps [4]float64
	var months calendarMonths
	streams := make([]pinch.Stream, 0, len(all))
	for i := range g.Steps {
		season := Season(time.Month(months.of(g.At(i)) + 1))
		steps[season]++
		streams = streams[:0]
		for k := range all {
			f := &all[k]
			q, a, b := f.kw[i], f.from[i], f.to[i]
			if !(q > 0) || math.IsNaN(a+b) {
				continue
			}
			streams = append(streams, f.stream(q, a, b))
			t := &sums[k][season]
			t.kw += q
			t.from += float64(q * a)
			t.to += float64(q * b)
		}
		if len(streams) == 0 {
			continue
		}
		t, err := pinch.Cascade(streams)
		if err != nil {
			return out, fmt.Errorf("step of %s: %w", g.At(i).In(calendar.Paris).Format("2006-01-02 15:04"), err)
		}
		out.HotMWh += t.HotUtilityKW * g.hours() / 1000
		out.ColdMWh += t.ColdUtilityKW * g.hours() / 1000
		out.RecoveryMWh += max(t.RecoveryKW, 0) * g.hours() / 1000
	}
	for season := range out.Seasons {
		s := &out.Seasons[season]
		for k := range all {
			if t := sums[k][season]; t.kw > 0 {
				s.Streams = append(s.Streams, all[k].stream(t.kw/steps[season], t.from/t.kw, t.to/t.kw))
			}
		}
		if len(s.Streams) == 0 {
			continue
		}
		var err error
		if s.Targets, err = pinch.Cascade(s.Streams); err != nil {
			return out, err
		}
	}
	return out, nil
}
