package port

import (
	"fmt"
	"math"
	"sync/atomic"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
)

// device is one set of registers behind one unit id: a meter, or a module whose
// inputs are several meters.
type device struct {
	profile *profile.Profile
	meters  []*installed
	fixed   profile.Image // identity, unit codes, factors: what never changes
	asked   atomic.Int64  // milliseconds of the last question
}

// installed is a meter on its device.
type installed struct {
	*Meter
	view   *view
	device *device
	fields []*register
}

// register is one field of a device's map and how this meter fills it.
type register struct {
	field    *profile.Field
	unit     metering.Unit // of Decode
	owner    *installed    // nil: an input that nobody uses
	modulus  int64         // counts after which a counter begins again, 0 for none
	counter  bool
	constant *metering.Decimal

	// The quick way, for plain integers and floats: counts are the number
	// divided by one.
	quick bool
	float int // 32 or 64 for IEEE numbers
	one   metering.Decimal
	max   int64
	sign  bool
}

// newDevice joins the meters of one unit id.
func (p *Port) newDevice(prof *profile.Profile, meters []*installed) (*device, error) {
	d := &device{profile: prof, meters: meters, fixed: profile.Image{}}
	if err := d.identify(); err != nil {
		return nil, err
	}
	for i := range prof.Fields {
		f := &prof.Fields[i]
		var owner *installed
		for _, m := range meters {
			if f.Channel == 0 || f.Channel == m.Channel {
				owner = m
				break
			}
		}
		g, err := newRegister(f, owner, d.fixed)
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", prof.ID, err)
		}
		if owner == nil {
			owner = meters[0]
		}
		owner.device = d
		owner.fields = append(owner.fields, g)
	}
	for _, m := range meters {
		m.device = d
		p.wrap(m)
	}
	if _, err := d.image(p, 0); err != nil {
		return nil, fmt.Errorf("profile %s: %w", prof.ID, err)
	}
	return d, nil
}

// identify writes who the device says it is.
func (d *device) identify() error {
	serial := fmt.Sprint(d.meters[0].view.serial)
	for _, id := range d.profile.Identity {
		text := map[string]string{"serial": serial, "model": d.profile.Models[0], "maker": d.profile.Maker, "firmware": "1"}[id.What]
		if id.Type == profile.ASCII && len(text) > 2*id.Length {
			text = text[:2*id.Length]
		}
		if err := id.Put(text, d.fixed); err != nil {
			// A number that does not fit its register, a model that is no number:
			// the register stays at zero.
			if err := id.Put("0", d.fixed); err != nil {
				return fmt.Errorf("profile %s: %w", d.profile.ID, err)
			}
		}
	}
	for _, probe := range d.profile.Fingerprint {
		if err := probe.Put(d.fixed); err != nil {
			return fmt.Errorf("profile %s: fingerprint: %w", d.profile.ID, err)
		}
	}
	return nil
}

func newRegister(f *profile.Field, owner *installed, fixed profile.Image) (*register, error) {
	g := &register{field: f, owner: owner, counter: f.Quantity.Kind() == metering.Counter, unit: f.Unit}
	if owner == nil {
		g.constant = &metering.Decimal{}
	} else if f.Quantity == metering.SerialNumber {
		n := metering.Int(owner.view.serial)
		g.constant = &n
	} else if f.Quantity == metering.ErrorCode {
		g.constant = &metering.Decimal{}
	}
	// Companions take their defaults now and keep them.
	if err := f.Encode(metering.Decimal{}, fixed); err != nil {
		return nil, err
	}
	_, u, q := f.Decode(fixed)
	if q.Level != metering.Missing {
		g.unit = u
	}
	g.measure(fixed)
	return g, nil
}

// measure finds the size of one count and the capacity of the register.
func (g *register) measure(fixed profile.Image) {
	f := g.field
	capacity := map[profile.Type]float64{profile.U16: 1 << 16, profile.U32: 1 << 32, profile.U48: 1 << 48, profile.U64: 1 << 62,
		profile.I16: 1 << 15, profile.I32: 1 << 31, profile.I48: 1 << 47, profile.I64: 1 << 62, profile.S16: 1 << 15, profile.S32: 1 << 31,
		profile.BCD16: 1e4, profile.BCD32: 1e8, profile.BCD48: 1e12, profile.BCD64: 1e16,
		profile.Mod10k32: 1e8, profile.Mod10k48: 1e12, profile.Mod10k64: 1e16}[f.Type]
	g.modulus = int64(capacity)
	if f.Rollover != 0 {
		g.modulus = int64(min(f.Rollover, 1<<62))
	}
	if f.Offset.Coef != 0 || f.Range != nil || len(f.Terms) > 0 || f.Bits != nil {
		return
	}
	overlay := overlay{image: fixed, table: f.Table, address: f.Address, n: f.Words()}
	bits := uint64(1)
	switch f.Type {
	case profile.F32:
		g.float, bits = 32, uint64(math.Float32bits(1))
	case profile.F64:
		g.float, bits = 64, math.Float64bits(1)
	case profile.U16, profile.U32, profile.U48, profile.U64:
	case profile.I16, profile.I32, profile.I48, profile.I64:
		g.sign = true
	default:
		bits = 1
		if !overlay.put(f, bits) {
			return
		}
		g.one, _, _ = f.Decode(&overlay) // for the resolution only
		return
	}
	if !overlay.put(f, bits) {
		return
	}
	one, _, q := f.Decode(&overlay)
	if q.Level == metering.Missing || one.Coef <= 0 {
		return
	}
	g.one, g.quick, g.max = one, true, int64(capacity)-1
}

// wrap sets the counter of a meter so that it passes its capacity where its
// story says so.
func (p *Port) wrap(m *installed) {
	at := m.view.effects.wraps
	if at == 0 {
		return
	}
	for _, g := range m.fields {
		if g.owner != m || !g.counter || g.modulus == 0 || g.one.Coef == 0 || g.constant != nil {
			continue
		}
		// So many counts were there already: the capacity less those still to come.
		weight := g.one
		if m.Pulse != nil {
			weight = m.Pulse.Weight
		}
		full := float64(g.modulus) * weight.Float64() * perUnit(quanta[m.Meter.at])
		if full < 1<<62 {
			lastCount := int64(weight.Float64() * perUnit(quanta[m.Meter.at]))
			m.view.lives[0].start[0] = int64(full) - lastCount/2 - p.record.integral(m.Meter.at, at)
		}
		return
	}
}

// overlay is an image with the words of one register laid over it.
type overlay struct {
	image   profile.Image
	table   profile.Table
	address uint16
	n       int
	words   [4]uint16
}

// Word makes an overlay a profile.Reader.
func (o *overlay) Word(t profile.Table, address uint16) (uint16, bool) {
	if i := int(address) - int(o.address); i >= 0 && i < o.n && t == o.table {
		return o.words[i], true
	}
	return o.image.Word(t, address)
}

// put lays a number's bits out in the field's byte order; false for an order
// that is none.
func (o *overlay) put(f *profile.Field, bits uint64) bool {
	n := f.Words()
	if n > len(o.words) {
		return false
	}
	if f.Order == "" {
		for i := range n {
			o.words[i] = uint16(bits >> (16 * (n - 1 - i)))
		}
		return true
	}
	if len(f.Order) != 2*n {
		return false
	}
	at := func(i int) uint64 { return bits >> (8 * (2*n - 1 - int(f.Order[i]-'A'))) & 0xff }
	for i := range n {
		o.words[i] = uint16(at(2*i)<<8 | at(2*i+1))
	}
	return true
}

// counts turns a number into whole counts of the register: counters are rounded
// down, as a meter's works do, states to the nearest.
func (g *register) counts(d metering.Decimal) (int64, bool) {
	c, e := d.Coef, int(d.Exp)-int(g.one.Exp)
	for ; e > 0; e-- {
		if c > math.MaxInt64/10 || c < math.MinInt64/10 {
			return 0, false
		}
		c *= 10
	}
	div := g.one.Coef
	for ; e < 0; e++ {
		if div > math.MaxInt64/10 {
			return 0, true // far below one count
		}
		div *= 10
	}
	n, rest := c/div, c%div
	if !g.counter && 2*max(rest, -rest) >= div {
		if c < 0 {
			n--
		} else {
			n++
		}
	}
	return n, true
}

// bits is the quick way to a register's content.
func (g *register) bits(d metering.Decimal) (uint64, bool) {
	switch g.float {
	case 32:
		return uint64(math.Float32bits(float32(d.Float64() / g.one.Float64()))), true
	case 64:
		return math.Float64bits(d.Float64() / g.one.Float64()), true
	}
	n, ok := g.counts(d)
	switch {
	case !ok:
		return 0, false
	case g.counter && g.modulus > 0 && n >= 0:
		n %= g.modulus
	case n < 0 && g.field.Absolute:
		n = -n
	}
	low := int64(0)
	if g.sign {
		low = -g.max - 1
	}
	return uint64(max(low, min(n, g.max))), true
}

// round brings a number to the register's resolution and capacity, for the slow way.
func (g *register) round(d metering.Decimal) metering.Decimal {
	if g.float != 0 || g.one.Coef == 0 {
		return d
	}
	n, ok := g.counts(d)
	if !ok {
		return d
	}
	if g.counter && g.modulus > 0 && n >= 0 {
		n %= g.modulus
	}
	rounded, err := metering.Int(n).Mul(g.one)
	if err != nil {
		return d
	}
	return rounded
}

// fill puts the register's words for an instant on the overlay; the image under
// it is only written on the slow way.
func (g *register) fill(r *record, millis int64, o *overlay) error {
	f := g.field
	o.table, o.address, o.n = f.Table, f.Address, f.Words()
	d := metering.Decimal{}
	if g.constant != nil {
		d = *g.constant
	} else {
		v := g.owner.view
		replayed := v.played != nil && millis >= v.played.from
		if _, is := within(v.effects.broken, millis); is && !replayed && f.Quantity.Kind() == metering.Gauge {
			o.n = 0
			if f.EncodeMissing("sensor_break", o.image) {
				return nil
			}
			d, o.n = milli(900), f.Words() // an open sensor reads beyond the end of its scale
		} else if number, ok := v.number(r, f.Quantity, g.unit, millis); ok {
			d = number
		} else if f.Quantity == metering.OperatingTime {
			d = metering.Int(40_000_000 + millis/1000)
		} else {
			o.n = 0
			if f.EncodeMissing("not_available", o.image) {
				return nil
			}
			o.n = f.Words()
			if replayed {
				// Not in the file and no sentinel to say so: not a number, or no register.
				return g.absent(o)
			}
		}
	}
	if g.quick {
		if bits, ok := g.bits(d); ok && o.put(f, bits) {
			return nil
		}
	}
	o.n = 0
	return f.Encode(g.round(d), o.image)
}

// absent takes a register out of the device, or makes a float of it that is no number.
func (g *register) absent(o *overlay) error {
	switch g.field.Type {
	case profile.F32:
		o.put(g.field, uint64(math.Float32bits(float32(math.NaN()))))
	case profile.F64:
		o.put(g.field, math.Float64bits(math.NaN()))
	default:
		for i := range o.n {
			delete(o.image, profile.Cell{Table: o.table, Address: o.address + uint16(i)})
		}
		o.n = 0
	}
	return nil
}

// image is all registers of the device at an instant. The record must reach it.
func (d *device) image(p *Port, millis int64) (profile.Image, error) {
	millis = d.refreshed(millis)
	o := overlay{image: make(profile.Image, len(d.fixed)+64)}
	for c, w := range d.fixed {
		o.image[c] = w
	}
	for _, m := range d.meters {
		for _, g := range m.fields {
			if err := g.fill(p.record, millis, &o); err != nil {
				return nil, fmt.Errorf("meter %s: %w", m.ID, err)
			}
			if o.n > 0 {
				o.image.Put(o.table, o.address, o.words[:o.n]...)
			}
		}
	}
	return o.image, nil
}

// refreshed is the instant at which the device last renewed its registers.
func (d *device) refreshed(millis int64) int64 {
	if every := d.profile.Timing.Refresh.Milliseconds(); every > 0 {
		return millis - millis%every
	}
	return millis
}
