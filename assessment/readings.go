package assessment

import (
	"context"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

// reading is what is kept of a series after its points were read.
type reading struct {
	hour   *align.Series // on run.hours
	fine   *align.Series // on run.fine; nil when no card needs it
	days   []align.Day
	grown  map[int64]*registry.Increase // what a register grew by, by the day's first instant in ms
	silent *align.Event
	unit   metering.Unit
}

// wish says what is wanted of a series.
type wish struct{ fine bool }

// read reads every wanted series once.
func (r *run) read(ctx context.Context) error {
	infos, err := r.Series.List(ctx, system())
	if err != nil {
		return err
	}
	r.infos = make(map[metering.SeriesID]series.Info, len(infos))
	for _, i := range infos {
		r.infos[i.ID] = i
	}
	wanted, rollovers := r.wanted()
	var ids []metering.SeriesID
	first := r.until
	for id := range wanted {
		if i, ok := r.infos[id]; ok {
			ids = append(ids, id)
			if i.First.Before(first) {
				first = i.First
			}
		}
	}
	slices.Sort(ids)
	r.hours = align.Hours(calendar.Day(first), r.until)
	year, step := r.until.AddDate(-1, 0, 0), r.heatStep(wanted)
	r.fine = align.Grid{From: year, Step: step, Steps: int(r.until.Sub(year) / step)}
	r.total = len(ids) + len(r.programme.synergies) + 2 + heatSteps
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		source := align.Source{Series: id, Unit: r.infos[id].Unit, Exchanges: r.programme.meter[id.Meter()].Exchanges, Rollover: rollovers[id]}
		t, err := align.Read(source, r.Series.Points(ctx, system(), id, r.hours.From, r.Now.Add(time.Millisecond)))
		if err != nil {
			return err
		}
		x := &reading{hour: t.On(r.hours), days: t.Days, unit: source.Unit}
		if wanted[id].fine {
			x.fine = t.On(r.fine)
		}
		if e, ok := t.SilentAt(r.Now); ok {
			x.silent = &e
		}
		if id.Quantity().Kind() == metering.Counter {
			x.grown = r.grown(t, x.hour)
		}
		r.data[id] = x
		r.step()
	}
	return nil
}

// grown are a register's increases by civil day, today's as far as it has come;
// hour is the register on run.hours.
func (r *run) grown(t *align.Track, hour *align.Series) map[int64]*registry.Increase {
	out := make(map[int64]*registry.Increase, len(t.Days))
	for _, d := range t.Days {
		end := calendar.NextDay(d.From)
		var covered []float64
		if end.After(r.until) {
			end = r.Now
			if !end.After(d.From) {
				break // the day's very first instant
			}
			covered = t.On(align.Hours(d.From, calendar.NextDay(d.From))).Covered
		} else {
			first := int(d.From.Sub(r.hours.From) / time.Hour)
			covered = hour.Covered[first : first+int(end.Sub(d.From)/time.Hour)]
		}
		sum := 0.0
		for _, c := range covered {
			sum += c
		}
		out[d.From.UnixMilli()] = &registry.Increase{Series: t.Source.Series, Unit: t.Source.Unit, Amount: t.Increase(d.From, end),
			Covered: min(sum/end.Sub(d.From).Hours(), 1)}
	}
	return out
}

// heatStep is the step at which heat is looked for: ten minutes, or coarser
// where half of the series are read more seldom.
func (r *run) heatStep(wanted map[metering.SeriesID]wish) time.Duration {
	var every []time.Duration
	for id, w := range wanted {
		if i := r.infos[id]; w.fine && i.Count > 1 {
			every = append(every, i.Last.Sub(i.First)/time.Duration(i.Count-1))
		}
	}
	slices.Sort(every)
	for _, step := range []time.Duration{10 * time.Minute, 30 * time.Minute} {
		if len(every) == 0 || every[len(every)/2] < step+step/2 {
			return step
		}
	}
	return time.Hour
}

// wanted lists the series that somebody needs, and the capacities of registers
// that plans state.
func (r *run) wanted() (map[metering.SeriesID]wish, map[metering.SeriesID]*metering.Decimal) {
	out, rollovers := map[metering.SeriesID]wish{}, map[metering.SeriesID]*metering.Decimal{}
	add := func(w wish, ids ...metering.SeriesID) {
		for _, id := range ids {
			w.fine = w.fine || out[id].fine
			out[id] = w
		}
	}
	for _, plans := range r.programme.plans {
		for _, p := range plans {
			add(wish{}, p.Series()...)
			for i := range p.Meters {
				if m := &p.Meters[i]; m.Rollover != nil {
					rollovers[m.Series] = m.Rollover
				}
			}
		}
	}
	cards := r.programme.cards
	if r.WithoutHeat {
		cards = nil
	}
	for _, c := range cards {
		add(wish{fine: true}, c.Signals...)
		for _, t := range []string{c.THot, c.TCold, c.TTarget, c.TSupply} {
			if id := metering.SeriesID(t); id.Check() == nil {
				add(wish{fine: true}, id)
			}
		}
	}
	if id, ok := r.weather(); ok {
		add(wish{fine: true}, id)
	}
	for _, m := range r.programme.meters {
		if id, ok := r.mainSeries(m); ok {
			add(wish{}, id)
			if tell := tellSwapped(id); tell != nil {
				add(wish{}, tell...)
			}
		}
	}
	return out, rollovers
}

// tellSwapped are the series that tell exchanged sensors of the meter whose
// register of heat or of cooling energy is given: volume flow, the side that is
// hot when all is well, the other one. nil for another register.
func tellSwapped(register metering.SeriesID) []metering.SeriesID {
	hot, cold := metering.FlowTemperature, metering.ReturnTemperature
	switch register.Quantity() {
	case metering.HeatEnergy:
	case metering.CoolingEnergy:
		hot, cold = cold, hot // cold leaves, what comes back is warmer
	default:
		return nil
	}
	m := register.Meter()
	return []metering.SeriesID{metering.Series(m, metering.VolumeFlow), metering.Series(m, hot), metering.Series(m, cold)}
}

// mainSeries is the series that a meter is there for: its first register in the
// order of metering.Quantities, else its first gauge. What counts itself rather
// than the world (pulses, hours) comes last.
func (r *run) mainSeries(m registry.Installation) (metering.SeriesID, bool) {
	// A meter for heat and cooling has registers of both: the programme says what
	// it is there for.
	if id := metering.Series(m.ID, metering.CoolingEnergy); m.Medium == "cooling" && r.known(id) {
		return id, true
	}
	best, rank := metering.SeriesID(""), 1<<30
	for k, q := range metering.Quantities {
		id := metering.Series(m.ID, q.Quantity)
		if !r.known(id) {
			continue
		}
		x := k
		if q.Kind != metering.Counter {
			x += 1000
		}
		switch q.Quantity {
		case metering.PulseCount, metering.OperatingTime:
			x += 2000
		case metering.ErrorCode, metering.MeterClock, metering.SerialNumber:
			x += 3000
		}
		if x < rank {
			best, rank = id, x
		}
	}
	return best, best != ""
}

func (r *run) known(id metering.SeriesID) bool { _, ok := r.infos[id]; return ok }

// weather is the territory's outdoor temperature.
func (r *run) weather() (metering.SeriesID, bool) {
	for _, q := range []metering.Quantity{metering.OutdoorTemperature, metering.Temperature} {
		for _, m := range r.programme.meters {
			if m.Company != "" {
				continue
			}
			id := metering.Series(m.ID, q)
			if _, ok := r.infos[id]; ok {
				return id, true
			}
		}
	}
	return "", false
}
