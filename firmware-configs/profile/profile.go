package profile

import (
	"fmt"
	"time"

	"github.com/thermie/thermie/metering"
)

// Kinds of device, in the order in which lists show them.
var Kinds = []string{"electricity", "heat", "cooling", "water", "flow", "gas", "pulse", "temperature", "analogue"}

// Levels of trust in a map, from the least to the greatest.
const (
	// TrustRepository: read in another project's code or an extract made from
	// the maker's document, not in the document itself.
	TrustRepository = "repository"
	// TrustDocument: read in the maker's document.
	TrustDocument = "document"
	// TrustSecondSource: two sources that do not copy each other agree.
	TrustSecondSource = "second_source"
	// TrustDevice: tried on the device by us.
	TrustDevice = "device"
)

// Profile is what is known of one family of meters that share a register map.
type Profile struct {
	ID       string // the file's name without ".yaml"
	Maker    string
	Models   []string
	Kind     string   // one of Kinds
	Accuracy []string // classes as the maker states them, "EN 50470-3 class B"
	Sources  []Source
	Trust    string
	Serial   Serial
	Limits   Limits
	Timing   Timing
	Behaviour
	Fingerprint []Probe
	Identity    []Identity
	Fields      []Field
	Vectors     []Vector
	Notes       []string // what an installer should know, in plain English
}

// Source is something that was read to make the profile.
type Source struct {
	Title   string // of the document, page or repository
	Kind    string // document, page, extract (made by machine from a document), repository
	ID      string // document number
	Version string // edition, date or commit
	At      string // where it can be found: URL, or "owner/name:path"
	Read    string // which pages or files were really read
}

// Serial is how the device talks on RS-485 when it leaves the factory.
type Serial struct {
	Baud     int
	Parity   string // none, even, odd
	StopBits int
	Unit     int // Modbus address; 0 when every device has its own (see Notes)
}

// Limits are what a master must respect when it cuts requests.
type Limits struct {
	MaxRegisters int    // per request; 125 where the maker states none
	Functions    []int  // 3, 4
	MaxGap       int    // registers of no field that a request may bridge; 0: none, -1: not known
	NoBatch      bool   // every field in a request of its own
	InFlight     int    // questions that the device's own Modbus TCP takes at once; 1 where no source says more
	Holes        []Span // never to be read
	Borders      []Cell // a request may begin here, not run across
}

// Timing is how fast the device answers and refreshes.
type Timing struct {
	Turnaround time.Duration // from request to reply; 0: not stated
	MinPoll    time.Duration // no use, or harm, in asking more often; 0: not stated
	Refresh    time.Duration // how often the registers change; 0: not stated
}

// Behaviour lists quirks that no register map shows.
type Behaviour struct {
	NoExceptions bool // stays silent where others answer with an exception
	StaleFirst   bool // a request triggers the reading: the first answer is the previous one
	VolatileAt   bool // counters start again from zero when the device loses power
}

// Identity is a text or number that names the device in front of us.
type Identity struct {
	What string // serial, model, firmware, maker
	Register
}

// Get returns the identity as text; ok is false when it was not read.
func (i Identity) Get(r Reader) (text string, ok bool) {
	if i.Type == ASCII {
		return i.Text(r)
	}
	bits, ok := i.Raw(r)
	if !ok {
		return "", false
	}
	d, why := i.number(bits)
	return d.String(), why == ""
}

// Put writes the identity, for the simulator.
func (i Identity) Put(text string, w Image) error {
	if i.Type == ASCII {
		return i.putText(text, w)
	}
	d, err := metering.ParseDecimal(text)
	if err != nil {
		return fmt.Errorf("identity %s: %w", i.What, err)
	}
	bits, err := i.bits(rat(d))
	if err != nil {
		return fmt.Errorf("identity %s: %w", i.What, err)
	}
	i.put(bits, w)
	return nil
}

// Probe is a register whose content tells this family from others.
type Probe struct {
	Register
	Equals []uint64 // any of these raw contents
	Prefix string   // of an ASCII register
	// Min and Max bound the number where there is no identity register: such a
	// probe says that the map is plausible, not that it is this device.
	Min, Max *metering.Decimal
}

// Plausible says that the probe only bounds a measurement.
func (p Probe) Plausible() bool { return p.Min != nil || p.Max != nil }

// Match says whether the registers are those of this family; ok is false when
// they were not read.
func (p Probe) Match(r Reader) (match, ok bool) {
	if p.Type == ASCII {
		text, ok := p.Text(r)
		return ok && len(text) >= len(p.Prefix) && text[:len(p.Prefix)] == p.Prefix, ok
	}
	bits, ok := p.Raw(r)
	if !ok {
		return false, false
	}
	if p.Plausible() {
		d, why := p.number(bits)
		return why == "" && (p.Min == nil || d.Cmp(*p.Min) >= 0) && (p.Max == nil || d.Cmp(*p.Max) <= 0), true
	}
	for _, e := range p.Equals {
		if bits == e {
			return true, true
		}
	}
	return false, true
}

// Put writes what the probe expects, for the simulator. A plausible probe
// writes nothing: its register belongs to a field.
func (p Probe) Put(w Image) error {
	switch {
	case p.Type == ASCII:
		return p.putText(p.Prefix, w)
	case !p.Plausible():
		p.put(p.Equals[0], w)
	}
	return nil
}

// Vector is a set of registers and the readings that they must give.
type Vector struct {
	From   string // example (printed in a source), device (captured) or computed (from the documented format)
	Note   string
	Image  Image
	Gives  []Expected
	OneWay bool // encoding does not give the registers back (rounding, alternatives)
}

// Expected is one reading of a vector.
type Expected struct {
	Quantity metering.Quantity
	Channel  int
	Number   metering.Decimal
	Unit     metering.Unit
	Quality  metering.Quality
}

// Field returns the field of a quantity on a channel; ok is false when the
// device does not have it.
func (p *Profile) Field(q metering.Quantity, channel int) (f *Field, ok bool) {
	for i := range p.Fields {
		if p.Fields[i].Quantity == q && p.Fields[i].Channel == channel {
			return &p.Fields[i], true
		}
	}
	return nil, false
}

// Channels is the highest input of a pulse or analogue module, 0 for a meter.
func (p *Profile) Channels() (n int) {
	for _, f := range p.Fields {
		n = max(n, f.Channel)
	}
	return n
}

// Readable says whether one request may ask for these registers: it explains
// which limit of the device forbids it. Values must not be cut; that is the
// caller's concern, see [Field.Spans].
func (p *Profile) Readable(s Span) error {
	l := p.Limits
	if s.Words < 1 || s.Words > l.MaxRegisters {
		return fmt.Errorf("profile %s: %d registers in a request, at most %d", p.ID, s.Words, l.MaxRegisters)
	}
	last := int(s.Address) + s.Words - 1
	for _, h := range l.Holes {
		if h.Table == s.Table && int(h.Address) <= last && int(h.Address)+h.Words > int(s.Address) {
			return fmt.Errorf("profile %s: %s registers %d to %d must not be read", p.ID, h.Table, h.Address, int(h.Address)+h.Words-1)
		}
	}
	for _, b := range l.Borders {
		if b.Table == s.Table && b.Address > s.Address && int(b.Address) <= last {
			return fmt.Errorf("profile %s: a request must not run across %s register %d", p.ID, b.Table, b.Address)
		}
	}
	return nil
}
