package poll

import (
	"cmp"
	"slices"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
)

// Request asks one device for a run of registers.
type Request struct {
	profile.Span
	parts []profile.Span // the runs for which it is made, in order
}

// Cost is the time that a request takes on the bus: a part of its own and a
// part for each register.
type Cost struct {
	Request  time.Duration
	Register time.Duration
}

// What is taken where nothing is known yet.
const (
	usualTurnaround = 20 * time.Millisecond // of a meter on a serial line
	usualRoundTrip  = 4 * time.Millisecond  // over TCP
	tcpRegister     = 20 * time.Microsecond // what a device takes to fetch one more
)

// CostOf is the model of an endpoint. On a serial line a request of 8
// characters, the silence after it, the device's own turnaround, a reply of 5
// characters and two for each register, and the silence after that (V1.02,
// 2.5.1). turnaround 0 is not known.
func CostOf(e modbus.Endpoint, turnaround time.Duration) Cost {
	if !e.Serial() {
		return Cost{Request: cmp.Or(turnaround, usualRoundTrip), Register: tcpRegister}
	}
	c := e.Character()
	return Cost{Request: 13*c + 2*e.Gap() + cmp.Or(turnaround, usualTurnaround), Register: 2 * c}
}

// Of is the time that requests take.
func (c Cost) Of(requests []Request) (sum time.Duration) {
	for _, r := range requests {
		sum += c.of(r.Words)
	}
	return sum
}

func (c Cost) of(words int) time.Duration { return c.Request + time.Duration(words)*c.Register }

// Learned is what a device's refusals taught beyond its profile.
type Learned struct {
	// Holes are registers of no field that a request must not bridge.
	Holes map[profile.Cell]bool
	// Borders are registers at which a request may begin but not run across.
	Borders map[profile.Cell]bool
}

// Plan cuts the registers of fields into requests that take the least time by
// the cost model, within the profile's limits and what was learned. No number is
// cut. The result is in the order of tables and addresses; it is exact: dynamic
// programming over the runs of registers, in O(n^2).
func Plan(p *profile.Profile, fields []*profile.Field, c Cost, l Learned) []Request {
	parts := runs(fields)
	known := knownCells(p)
	// best[i] is the least time for the first i parts, begin[i] where the last of
	// its requests begins.
	best, begin := make([]time.Duration, len(parts)+1), make([]int, len(parts)+1)
	for i := 1; i <= len(parts); i++ {
		best[i] = -1
		end := 0
		for j := i - 1; j >= 0; j-- {
			if parts[j].Table != parts[i-1].Table {
				break
			}
			end = max(end, int(parts[j].Address)+parts[j].Words)
			s := profile.Span{Table: parts[j].Table, Address: parts[j].Address, Words: end - int(parts[j].Address)}
			alone := j == i-1
			if !alone && (s.Words > p.Limits.MaxRegisters || p.Limits.NoBatch) {
				break
			}
			if !alone && !allowed(p, s, known, l) {
				continue
			}
			if t := best[j] + c.of(s.Words); best[i] < 0 || t < best[i] {
				best[i], begin[i] = t, j
			}
		}
	}
	var requests []Request
	for i := len(parts); i > 0; i = begin[i] {
		requests = append(requests, cover(parts[begin[i]:i]))
	}
	slices.Reverse(requests)
	return requests
}

// cover is the one request for parts, which are sorted.
func cover(parts []profile.Span) Request {
	s := parts[0]
	for _, p := range parts[1:] {
		s.Words = max(s.Words, int(p.Address)+p.Words-int(s.Address))
	}
	return Request{Span: s, parts: slices.Clone(parts)}
}

// runs lists the different runs of registers of fields, sorted; a run inside
// another comes after it.
func runs(fields []*profile.Field) (out []profile.Span) {
	seen := map[profile.Span]bool{}
	for _, f := range fields {
		for _, s := range f.Spans() {
			if !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(a, b profile.Span) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Address, b.Address), cmp.Compare(b.Words, a.Words))
	})
	return out
}

// knownCells are the registers that the profile names: those it does not name
// may not exist.
func knownCells(p *profile.Profile) map[profile.Cell]bool {
	known := map[profile.Cell]bool{}
	add := func(s profile.Span) {
		for i := range s.Words {
			known[profile.Cell{Table: s.Table, Address: s.Address + uint16(i)}] = true
		}
	}
	for i := range p.Fields {
		for _, s := range p.Fields[i].Spans() {
			add(s)
		}
	}
	for _, i := range p.Identity {
		add(i.Span())
	}
	for _, i := range p.Fingerprint {
		add(i.Span())
	}
	return known
}

// allowed says whether one request may ask for a run that joins several.
func allowed(p *profile.Profile, s profile.Span, known map[profile.Cell]bool, l Learned) bool {
	if p.Readable(s) != nil {
		return false
	}
	most := p.Limits.MaxGap
	if most < 0 && !p.NoExceptions {
		most = s.Words // not known: try, and learn from the refusal
	}
	gap := 0
	for i := range s.Words {
		at := profile.Cell{Table: s.Table, Address: s.Address + uint16(i)}
		if i > 0 && l.Borders[at] || l.Holes[at] {
			return false
		}
		if known[at] {
			gap = 0
		} else if gap++; gap > max(most, 0) {
			return false
		}
	}
	return true
}

// learn draws the conclusion from a refusal of a request for more than one run:
// first that the registers in between do not exist, then that the runs are not
// to be had together (it is halved). It says what it learned; "" for nothing,
// when the request is for a single run.
func (l *Learned) learn(p *profile.Profile, r Request) string {
	if len(r.parts) < 2 {
		return ""
	}
	known := knownCells(p)
	bridged := false
	for i := range r.Words {
		at := profile.Cell{Table: r.Table, Address: r.Address + uint16(i)}
		if !known[at] && !l.Holes[at] {
			if l.Holes == nil {
				l.Holes = map[profile.Cell]bool{}
			}
			l.Holes[at], bridged = true, true
		}
	}
	if bridged {
		return "registers between its quantities are not bridged any more"
	}
	// Halve where no run is cut: overlapping runs begin in one request only if
	// they begin together, so take the first border that is none yet.
	middle := r.parts[len(r.parts)/2].Address
	if middle == r.Address {
		middle = r.parts[len(r.parts)-1].Address
	}
	at := profile.Cell{Table: r.Table, Address: middle}
	if middle == r.Address || l.Borders[at] {
		return ""
	}
	if l.Borders == nil {
		l.Borders = map[profile.Cell]bool{}
	}
	l.Borders[at] = true
	return "the request is cut in two"
}
