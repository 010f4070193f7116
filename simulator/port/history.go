package port

import (
	"iter"
	"slices"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
)

// Part is what a gateway read in one civil day, ready to be sealed.
type Part struct {
	Clock    batch.Clock
	ClosedAt int64 // Unix milliseconds: when the gateway closed the batch
	// DeliveredAt is when the batch reached the ingest: ClosedAt, or later when
	// the gateway had no network. Parts of a gateway are delivered in order.
	DeliveredAt int64
	Origin      batch.Origin
	Readings    []metering.Reading
}

// historyQuantities are the quantities of a meter that history holds: what
// savings, heat analysis and completeness need. A live gateway reads more.
func (m *Meter) historyQuantities() []metering.Quantity {
	switch m.sense {
	case electricity:
		return []metering.Quantity{metering.ActiveEnergyImport, metering.ActivePower}
	case heat:
		return []metering.Quantity{metering.HeatEnergy, metering.Volume, metering.HeatPower, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature}
	case cooling:
		return []metering.Quantity{metering.CoolingEnergy, metering.Volume, metering.HeatPower, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature}
	case steam:
		return []metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.MassFlow}
	case water:
		return []metering.Quantity{metering.Volume, metering.WaterVolume, metering.VolumeFlow}
	case pulses:
		return []metering.Quantity{metering.PulseCount}
	}
	return []metering.Quantity{metering.Temperature}
}

// track is one series of the history with all that is needed to read it quickly.
type track struct {
	series   metering.SeriesID
	unit     metering.Unit
	register *register
	overlay  overlay
	pulse    *Pulse
}

// tracks lists the series of a gateway's history, in the order of its meters.
func (p *Port) tracks(gateway string) (out []*track) {
	for i := range p.fleet {
		m := p.installed[p.fleet[i].ID]
		if Gateway(m.Company) != gateway {
			continue
		}
		for _, q := range m.historyQuantities() {
			i := slices.IndexFunc(m.fields, func(g *register) bool {
				return g.owner == m && g.field.Quantity == q && (g.field.Channel == 0 || g.field.Channel == m.Channel)
			})
			if i < 0 {
				continue
			}
			t := &track{register: m.fields[i], series: metering.Series(m.ID, q), unit: m.fields[i].unit, pulse: m.Pulse}
			if m.Pulse != nil {
				t.series, t.unit = metering.Series(m.ID, m.Pulse.Quantity), m.Pulse.Unit
			}
			t.overlay.image = make(profile.Image, len(m.device.fixed))
			for c, w := range m.device.fixed {
				t.overlay.image[c] = w
			}
			out = append(out, t)
		}
	}
	return out
}

// Series lists the series that a gateway's history holds.
func (p *Port) Series(gateway string) (out []metering.SeriesID) {
	for _, t := range p.tracks(gateway) {
		out = append(out, t.series)
	}
	return out
}

// Gateways lists the port's gateways.
func (p *Port) Gateways() (out []string) {
	for _, company := range p.sites {
		out = append(out, Gateway(company))
	}
	return out
}

// History yields what a gateway would have read in [from, to), one Part for each
// civil day, every step. The readings come out of the same registers and are
// decoded by the same profiles as those of the live gateway, with the meters'
// resolution, quirks and troubles. A missing reading is one, with its reason.
func (p *Port) History(gateway string, from, to time.Time, step time.Duration) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		tracks := p.tracks(gateway)
		if step < time.Second {
			step = time.Hour
		}
		if from.Before(p.start) {
			from = p.start
		}
		from = p.start.Add((from.Sub(p.start) + step - 1).Truncate(step))
		network, jump := p.network(gateway), p.clockJump(gateway)
		var edges []time.Time // where a part must end
		if jump != nil {
			edges = append(edges, jump.From, jump.Until) // a batch tells one condition of the clock
		}
		if p.replayed[gateway] {
			edges = append(edges, p.replayFrom)
		}
		for from.Before(to) {
			end := calendar.NextDay(from)
			for _, edge := range edges {
				if from.Before(edge) && edge.Before(end) {
					end = edge
				}
			}
			if end.After(to) {
				end = to
			}
			part := p.day(tracks, jump, from, end, step)
			if p.replayed[gateway] && !from.Before(p.replayFrom) {
				part = p.day(p.replayTracks(tracks), nil, from, end, step)
				part.Origin = batch.Replayed
			}
			part.DeliveredAt = delivered(network, part.ClosedAt)
			if len(part.Readings) > 0 && !yield(part) {
				return
			}
			from = from.Add((end.Sub(from) + step - 1).Truncate(step))
		}
	}
}

// replayTracks are those of a gateway's series that the replayed file gives.
func (p *Port) replayTracks(all []*track) (out []*track) {
	for _, t := range all {
		y := t.register.owner.view.played
		if t.pulse != nil && y.pulse != nil || y.series[t.register.field.Quantity] != nil {
			out = append(out, t)
		}
	}
	return out
}

// day reads all tracks of a gateway from one instant to another, between which
// its clock is right or wrong throughout.
func (p *Port) day(tracks []*track, jump *Trouble, from, to time.Time, step time.Duration) Part {
	p.reach(p.millis(to))
	p.mu.RLock()
	defer p.mu.RUnlock()
	part := Part{ClosedAt: to.UnixMilli(), Origin: batch.Synthetic, Clock: batch.Clock{Synchronised: true, OffsetMillis: 1}}
	part.Readings = make([]metering.Reading, 0, len(tracks)*int(to.Sub(from)/step+1))
	if jump != nil && jump.holds(from) {
		part.ClosedAt += jumpAhead.Milliseconds() // by the gateway's own clock
	}
	for at := from; at.Before(to); at = at.Add(step) {
		stamp := at.UnixMilli()
		off := jump != nil && jump.holds(at)
		if off {
			stamp += jumpAhead.Milliseconds()
			part.Clock = batch.Clock{Synchronised: false, OffsetMillis: jumpAhead.Milliseconds()}
		}
		millis := p.millis(at)
		for _, t := range tracks {
			r := t.read(p, millis)
			r.At = stamp
			if off && r.Quality.Level == metering.Good {
				r.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.ClockOff}
			}
			part.Readings = append(part.Readings, r)
		}
	}
	return part
}

// read is one reading of a track, as a live gateway decodes it.
func (t *track) read(p *Port, millis int64) metering.Reading {
	out := metering.Reading{Series: t.series, Unit: t.unit}
	g := t.register
	d := g.owner.device
	if d.silent(millis) {
		out.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		return out
	}
	if err := g.fill(p.record, d.refreshed(millis), &t.overlay); err != nil {
		out.Quality = metering.Quality{Level: metering.Missing, Reason: metering.Refused}
		return out
	}
	n, unit, q := g.field.Decode(&t.overlay)
	out.Number, out.Quality = n, q
	if q.Level == metering.Missing {
		out.Number = metering.Decimal{}
		return out
	}
	if t.pulse != nil {
		worth, err := n.Mul(t.pulse.Weight)
		if err != nil {
			out.Number, out.Quality = metering.Decimal{}, metering.Quality{Level: metering.Missing, Reason: metering.OutOfBounds}
			return out
		}
		out.Number = worth
		return out
	}
	out.Unit = unit
	return out
}

// network lists the times at which a gateway had no network.
func (p *Port) network(gateway string) (out []Trouble) {
	for _, t := range p.Troubles() {
		if t.Subject == gateway && (t.Kind == NoNetwork || t.Kind == LateData) {
			out = append(out, t)
		}
	}
	return out
}

// delivered is when a batch that was closed at an instant got through.
func delivered(network []Trouble, closed int64) int64 {
	for _, t := range network {
		if closed >= t.From.UnixMilli() && closed < t.Until.UnixMilli() {
			return t.Until.UnixMilli()
		}
	}
	return closed
}

func (p *Port) clockJump(gateway string) *Trouble {
	for _, t := range p.Troubles() {
		if t.Kind == ClockJump && t.Subject == gateway {
			return &t
		}
	}
	return nil
}
