package savings

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Margin is how far beyond the evaluated days points are read on both sides, so
// that what lies between the last reading before a bound and the first one after
// it can be split. A gap that is longer at the end is not counted yet.
const Margin = 72 * time.Hour

// ErrTooEarly says that there is no whole civil day to evaluate yet.
var ErrTooEarly = errors.New("no whole day of the reporting period yet")

// Points gives the points of a series with instants in [from, to), ascending,
// and their unit. A series that is unknown gives none.
type Points func(id metering.SeriesID, from, to time.Time) (metering.Unit, iter.Seq2[metering.Point, error])

// Inputs are all that a plan's figures depend on: the same inputs give the same
// figures to the last digit on every machine.
type Inputs struct {
	Plan   *Plan
	Set    *indicators.Set
	Points Points
	// Meters gives exchanges and accuracy classes by meter id.
	Meters       map[string]metering.Meter
	Declarations []Declared
	// From, a civil day's beginning, leaves out the days before it; zero: from the
	// beginning of the reporting period. A closed quarter is computed with From and
	// Until as its bounds; the drift watch needs everything.
	From  time.Time
	Until time.Time // whole days up to here
}

// Compute goes the whole way from readings to figures: it reads what the plan
// needs, aligns it and evaluates the plan. Assessment and the offline verifier
// both use it.
func Compute(in Inputs) (*Evaluation, error) {
	units := map[metering.SeriesID]metering.Unit{}
	read := func(id metering.SeriesID, windows []Window, g align.Grid) (*Series, error) {
		var all []iter.Seq2[metering.Point, error]
		for _, w := range windows {
			unit, points := in.Points(id, w.From, w.To)
			if unit != "" {
				units[id] = unit
			}
			all = append(all, points)
		}
		t, err := align.Read(in.Plan.Source(id, units[id], in.Meters), func(yield func(metering.Point, error) bool) {
			for _, points := range all {
				for p, err := range points {
					if !yield(p, err) {
						return
					}
				}
			}
		})
		if err != nil || t.Used == 0 {
			return nil, err
		}
		return t.On(g), nil
	}
	d, err := Assemble(in.Plan, in.Meters, in.From, in.Until, read)
	if err != nil {
		return nil, err
	}
	d.Declarations = in.Declarations
	return Evaluate(in.Plan, in.Set, d, in.Until)
}

// Window is a run of instants [From, To).
type Window struct{ From, To time.Time }

// Needs says which series the plan's figures of the days [from, until) depend
// on, and in which windows their points are read; windows ascend and do not
// overlap. A zero from means the whole reporting period.
func (p *Plan) Needs(from, until time.Time) (series []metering.SeriesID, windows []Window) {
	first, baseline := p.begins(from)
	w := Window{first.Add(-Margin), until.Add(Margin)}
	if baseline && p.Baseline.To.Time().Add(Margin).Before(w.From) {
		windows = append(windows, Window{p.Baseline.From.Time().Add(-Margin), p.Baseline.To.Time().Add(Margin)})
	} else if baseline && p.Baseline.From.Time().Before(first) {
		w.From = p.Baseline.From.Time().Add(-Margin)
	}
	return p.Series(), append(windows, w)
}

// begins is the first day evaluated, and whether the baseline is needed too.
func (p *Plan) begins(from time.Time) (first time.Time, baseline bool) {
	first = p.Reporting.From.Time()
	if first.Before(from) {
		first = calendar.Day(from)
	} else if p.Drift != nil && from.IsZero() && !p.Drift.Reference.From.IsZero() && p.Drift.Reference.From.Time().Before(first) {
		first = p.Drift.Reference.From.Time()
	}
	return first, len(p.Models) > 0
}

// Series are those that the plan names, and those that tell faults of its heat
// meters: flow and both temperatures. Each stands once, in the plan's order.
func (p *Plan) Series() []metering.SeriesID {
	var out []metering.SeriesID
	seen := map[metering.SeriesID]bool{}
	add := func(ids ...metering.SeriesID) {
		for _, id := range ids {
			if id != "" && !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	for i := range p.Meters {
		id := p.Meters[i].Series
		add(id)
		if id.Quantity() == metering.HeatEnergy {
			add(heatMeter(id)...)
		}
	}
	for i := range p.Models {
		for _, d := range p.Models[i].Drivers {
			add(d.Series)
		}
	}
	if p.Drift != nil {
		for _, d := range p.Drift.Drivers {
			add(d.Series)
		}
	}
	return out
}

// heatMeter are the flow and the two temperatures of a heat meter.
func heatMeter(energy metering.SeriesID) []metering.SeriesID {
	m := energy.Meter()
	return []metering.SeriesID{metering.Series(m, metering.VolumeFlow), metering.Series(m, metering.FlowTemperature), metering.Series(m, metering.ReturnTemperature)}
}

// Source is what aligning a series of the plan must know: the register's
// capacity from the plan, exchanges from the registry.
func (p *Plan) Source(id metering.SeriesID, unit metering.Unit, meters map[string]metering.Meter) align.Source {
	s := align.Source{Series: id, Unit: unit, Exchanges: meters[id.Meter()].Exchanges}
	for i := range p.Meters {
		if p.Meters[i].Series == id {
			s.Rollover = p.Meters[i].Rollover
		}
	}
	return s
}

// Assemble puts the data of a plan together. read gives a series on the grid, from
// the points of the windows; nil when there is none. It may know the series from
// elsewhere.
func Assemble(p *Plan, meters map[string]metering.Meter, from, until time.Time, read func(metering.SeriesID, []Window, align.Grid) (*Series, error)) (*Data, error) {
	first, baseline := p.begins(from)
	until = calendar.Day(until)
	if !first.Before(until) {
		return nil, fmt.Errorf("plan of %s: %w", p.Synergy, ErrTooEarly)
	}
	if baseline && p.Baseline.From.Time().Before(first) {
		first = p.Baseline.From.Time()
	}
	g := align.Hours(first, until)
	d := &Data{From: first, Hours: g.Steps, Series: map[metering.SeriesID]*Series{}, Classes: map[string]string{}}
	for id, m := range meters {
		d.Classes[id] = m.AccuracyClass
	}
	series, windows := p.Needs(from, until)
	for _, id := range series {
		s, err := read(id, windows, g)
		if err != nil {
			return nil, fmt.Errorf("plan of %s: %w", p.Synergy, err)
		}
		if s != nil {
			d.Series[id] = s
		}
	}
	for i := range p.Meters {
		id := p.Meters[i].Series
		s := d.Series[id]
		if s == nil || id.Quantity() != metering.HeatEnergy {
			continue
		}
		tell := heatMeter(id)
		flow, hot, cold := d.Series[tell[0]], d.Series[tell[1]], d.Series[tell[2]]
		if flow == nil || hot == nil || cold == nil {
			continue
		}
		for _, ev := range align.FindSwapped(g, flow, hot, cold) {
			s.Exclude(g, ev)
		}
	}
	return d, nil
}
