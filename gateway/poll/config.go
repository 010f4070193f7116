package poll

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// Pulse says what one pulse of an input is worth.
type Pulse struct {
	Quantity metering.Quantity
	Weight   metering.Decimal // of one pulse, in Unit
	Unit     metering.Unit
}

// Meter is a meter on a bus.
type Meter struct {
	ID       string
	Unit     byte // Modbus unit id
	Profile  *profile.Profile
	Interval time.Duration
	Channel  int    // input of a pulse or analogue module, else 0
	Pulse    *Pulse // what a pulse input counts; nil: pulses
	// Quantities are those that are not read as often as the rest, or not at all.
	Quantities map[metering.Quantity]Sampling
}

// Sampling says how a quantity is read.
type Sampling struct {
	Interval time.Duration // 0: the meter's
	Skip     bool          // not at all
}

// Bus is a way to meters: one connection or one serial line.
type Bus struct {
	ID       string
	Endpoint modbus.Endpoint
	// InFlight is how many questions a device of a Modbus TCP bus is asked at once,
	// up to [modbus.MostTogether]; 0: as many as its profile says that it takes.
	InFlight int
	Meters   []Meter
}

// Options complete a worker. The zero Options drop the readings.
type Options struct {
	// Emit takes readings. It is called from the worker, must not block, and may
	// not keep the slice: the worker uses it again.
	Emit func([]metering.Reading)
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger
}

// shortest is the least interval of a meter.
const shortest = 10 * time.Millisecond

// field is one series of a meter.
type field struct {
	*profile.Field
	spans  []profile.Span // that it needs, its own first
	series metering.SeriesID
	gives  metering.Quantity // of the series
	counts bool              // what is read is a counter
	unit   metering.Unit     // of a missing reading: as configured, then as last read
	pulse  *Pulse
	watch  watch
}

// member is a meter as the worker sees it.
type member struct {
	Meter
	fields  []*field
	due     time.Time // when it is to be read next; zero: at once
	*health           // shared by the parts of a meter
	symptoms
}

// device is what answers to a unit id: a meter, or a module with several.
type device struct {
	unit    byte
	profile *profile.Profile
	members []*member

	learned    Learned
	silentCuts map[profile.Span]int // requests to which a device without exceptions stays silent
	plans      map[string][]Request // by the members that are due
	cost       Cost
	turnaround time.Duration // as measured; 0: not yet
	measured   int
	planned    time.Duration // turnaround that the plans are made for
	tuning     tuning

	fails    int       // cycles without an answer, in a row
	probe    time.Time // before it, a device that does not answer is not asked
	read     time.Time // when its last readings were made
	prime    time.Time // when a device that answers one question late is asked beforehand
	inFlight int       // questions at once, 1: one after the other
	oddities int       // cycles in a row in which it answered only when asked one by one

	running *job
	spare   job                // its room, for the next one that reads members
	room    []metering.Reading // for those of the next job
}

// New makes the worker of a bus. It opens nothing; the error of a bad
// configuration names the meter.
func New(b Bus, o Options) (*Worker, error) {
	if err := metering.CheckID(b.ID); err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	line, err := modbus.New(b.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("bus %s: %w", b.ID, err)
	}
	w, err := newWorker(b, line.Endpoint(), line, o)
	if err != nil {
		return nil, fmt.Errorf("bus %s: %w", b.ID, err)
	}
	return w, nil
}

func newWorker(b Bus, e modbus.Endpoint, l line, o Options) (*Worker, error) {
	if o.Emit == nil {
		o.Emit = func([]metering.Reading) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &Worker{id: b.ID, endpoint: e, line: l, options: o, log: o.Log.With("bus", b.ID)}
	if len(b.Meters) == 0 {
		return nil, errors.New("no meters")
	}
	if err := b.CheckInFlight(); err != nil {
		return nil, fmt.Errorf("in_flight: %w", err)
	}
	seen := map[string]bool{}
	units := map[byte]*device{}
	for i := range b.Meters {
		m := &b.Meters[i]
		if seen[m.ID] {
			return nil, fmt.Errorf("meter %s is there twice", m.ID)
		}
		seen[m.ID] = true
		parts, err := newMembers(*m, e)
		if err != nil {
			return nil, fmt.Errorf("meter %s: %w", m.ID, err)
		}
		w.order = append(w.order, parts[0])
		d := units[m.Unit]
		if d == nil {
			d = &device{unit: m.Unit, profile: m.Profile, inFlight: b.inFlight(m.Profile), plans: map[string][]Request{}, silentCuts: map[profile.Span]int{},
				cost: CostOf(e, m.Profile.Timing.Turnaround), planned: m.Profile.Timing.Turnaround}
			units[m.Unit] = d
			w.devices = append(w.devices, d)
		}
		if err := d.add(parts); err != nil {
			return nil, fmt.Errorf("meter %s: %w", m.ID, err)
		}
	}
	return w, nil
}

// CheckInFlight refuses a number of questions at once that cannot be.
func (b *Bus) CheckInFlight() error {
	switch {
	case b.InFlight < 0 || b.InFlight > modbus.MostTogether:
		return fmt.Errorf("%d is not between 1 and %d", b.InFlight, modbus.MostTogether)
	case b.InFlight > 1 && b.Endpoint.Type != modbus.TCP:
		return fmt.Errorf("type %s is asked one question at a time", b.Endpoint.Type)
	}
	return nil
}

// inFlight is how many questions a device of the bus is asked at once.
func (b *Bus) inFlight(p *profile.Profile) int {
	if b.Endpoint.Type != modbus.TCP {
		return 1
	}
	return cmp.Or(b.InFlight, p.Limits.InFlight, 1)
}

func (d *device) add(parts []*member) error {
	m := parts[0]
	if d.profile.ID != m.Profile.ID {
		return fmt.Errorf("unit %d has profile %s for meter %s and profile %s here", d.unit, d.profile.ID, d.members[0].ID, m.Profile.ID)
	}
	for _, other := range d.members {
		if other.Channel == m.Channel {
			return fmt.Errorf("unit %d, channel %d is meter %s already", d.unit, m.Channel, other.ID)
		}
	}
	d.members = append(d.members, parts...)
	return nil
}

// parts are the members that are one meter.
func (d *device) parts(of *member) (parts []*member) {
	for _, m := range d.members {
		if m.health == of.health {
			parts = append(parts, m)
		}
	}
	return parts
}

// Series is one series of a meter with the unit that it has by default.
type Series struct {
	ID   metering.SeriesID
	Unit metering.Unit
}

// Series lists what a meter that New takes gives.
func (m Meter) Series() (out []Series) {
	for i := range m.Profile.Fields {
		f := &m.Profile.Fields[i]
		if f.Channel != m.Channel {
			continue
		}
		s := Series{metering.Series(m.ID, f.Quantity), f.Unit}
		if f.Quantity == metering.PulseCount && m.Pulse != nil {
			s = Series{metering.Series(m.ID, m.Pulse.Quantity), m.Pulse.Unit}
		}
		if !m.Quantities[s.ID.Quantity()].Skip {
			out = append(out, s)
		}
	}
	return out
}

// newMembers makes a member for each interval at which something of a meter is
// read, the meter's own first.
func newMembers(m Meter, e modbus.Endpoint) ([]*member, error) {
	if err := metering.CheckID(m.ID); err != nil {
		return nil, err
	}
	switch {
	case m.Profile == nil:
		return nil, errors.New("no profile")
	case e.Serial() && (m.Unit < 1 || m.Unit > 247):
		return nil, fmt.Errorf("unit %d is not between 1 and 247", m.Unit)
	}
	if err := m.often(m.Interval); err != nil {
		return nil, err
	}
	all := &member{Meter: m, health: &health{}}
	parts := []*member{all}
	unknown := maps.Clone(m.Quantities)
	found := 0
	for i := range m.Profile.Fields {
		f := &m.Profile.Fields[i]
		if f.Channel != m.Channel {
			continue
		}
		s := &field{Field: f, spans: f.Spans(), series: metering.Series(m.ID, f.Quantity), counts: f.Quantity.Kind() == metering.Counter, unit: f.Unit}
		if f.Quantity == metering.PulseCount && m.Pulse != nil {
			if err := m.Pulse.check(); err != nil {
				return nil, err
			}
			s.pulse, s.series, s.unit = m.Pulse, metering.Series(m.ID, m.Pulse.Quantity), m.Pulse.Unit
		}
		found++
		q := s.series.Quantity()
		s.gives = q
		how := m.Quantities[q]
		delete(unknown, q)
		if how.Skip {
			continue
		}
		if how.Interval == 0 {
			how.Interval = m.Interval
		}
		if err := m.often(how.Interval); err != nil {
			return nil, fmt.Errorf("quantities: %s: %w", q, err)
		}
		at := slices.IndexFunc(parts, func(p *member) bool { return p.Interval == how.Interval })
		if at < 0 {
			at = len(parts)
			part := *all
			part.Interval, part.fields = how.Interval, nil
			parts = append(parts, &part)
		}
		parts[at].fields = append(parts[at].fields, s)
	}
	for q := range unknown {
		return nil, fmt.Errorf("quantities: profile %s gives no %s on channel %d", m.Profile.ID, q, m.Channel)
	}
	switch n := m.Profile.Channels(); {
	case found == 0 && n > 0:
		return nil, fmt.Errorf("channel %d: profile %s has the channels 1 to %d", m.Channel, m.Profile.ID, n)
	case found == 0:
		return nil, fmt.Errorf("channel %d: profile %s has no channels", m.Channel, m.Profile.ID)
	}
	if m.Pulse != nil {
		if _, ok := m.Profile.Field(metering.PulseCount, m.Channel); !ok {
			return nil, fmt.Errorf("pulse: profile %s counts no pulses on channel %d", m.Profile.ID, m.Channel)
		}
	}
	parts = slices.DeleteFunc(parts, func(p *member) bool { return len(p.fields) == 0 })
	if len(parts) == 0 {
		return nil, errors.New("quantities: all are skipped, nothing is left to read")
	}
	return parts, nil
}

// often refuses intervals that are too short.
func (m *Meter) often(interval time.Duration) error {
	switch {
	case interval < shortest:
		return fmt.Errorf("interval %v is below %v", interval, shortest)
	case interval < m.Profile.Timing.MinPoll:
		return fmt.Errorf("interval %v is below %v, the shortest that profile %s allows", interval, m.Profile.Timing.MinPoll, m.Profile.ID)
	}
	return nil
}

func (p *Pulse) check() error {
	info, known := p.Quantity.Info()
	switch {
	case !known:
		return fmt.Errorf("pulse: quantity %q is not known", p.Quantity)
	case info.Kind != metering.Counter:
		return fmt.Errorf("pulse: %s is no quantity that pulses count", p.Quantity)
	case !p.Quantity.Allows(p.Unit):
		return fmt.Errorf("pulse: %s cannot be in %q: its units are %v", p.Quantity, p.Unit, info.Units)
	case p.Weight.Coef <= 0:
		return fmt.Errorf("pulse: weight %s is not above 0", p.Weight)
	}
	return nil
}

// plan is the plan for some of the device's members, made once.
func (d *device) plan(members []*member) []Request {
	key := make([]byte, 0, 32) // empty for all
	for _, m := range members {
		if len(members) == len(d.members) {
			break
		}
		key = append(key, m.ID...)
		key = append(key, 0)
		key = strconv.AppendInt(key, int64(m.Interval), 36)
		key = append(key, 0)
	}
	if p, ok := d.plans[string(key)]; ok {
		return p
	}
	var fields []*profile.Field
	for _, m := range members {
		for _, f := range m.fields {
			fields = append(fields, f.Field)
		}
	}
	p := Plan(d.profile, fields, d.cost, d.learned)
	d.plans[string(key)] = p
	return p
}

// measure notes how long a device took to answer and plans anew when that is
// far from what the plans were made for.
func (d *device) measure(e modbus.Endpoint, latency time.Duration, words int) {
	if !e.Serial() {
		return // the round trip says little about what one more register takes
	}
	latency = thought(e, latency, words)
	if d.measured++; d.measured == 1 {
		d.turnaround = latency
	}
	d.turnaround += (latency - d.turnaround) / 8
	planned := cmp.Or(d.planned, usualTurnaround)
	if d.measured >= 16 && (d.turnaround > planned*3/2 || d.turnaround < planned*2/3) {
		d.measured, d.planned = 1, d.turnaround
		d.cost = CostOf(e, d.turnaround)
		clear(d.plans)
	}
}

// load is the share of the bus that the device takes by the cost model.
func (d *device) load() (share float64) {
	for _, m := range d.members {
		share += float64(d.cost.Of(d.plan([]*member{m}))) / float64(m.Interval)
	}
	return share
}
