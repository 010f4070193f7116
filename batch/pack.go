package batch

import (
	"slices"

	"github.com/thermie/thermie/metering"
)

// Reading a pack is what ingest and the follower spend most of their time on, so
// packs as AppendPack writes them (definite lengths, ASCII, integers and decimal
// fractions) are read directly. Anything else, well-formed or not, is left to the
// general decoder, which alone says what is wrong. FuzzScanPack holds the two
// together.

// known is a series in a unit, as packs name it.
type known struct {
	base, name, unit string
	id               metering.SeriesID
	symbol           metering.Unit
	sound            bool   // its readings pass metering.Reading.Check if their instants do
	next             *known // what followed it last
}

// maxKnown bounds the series that a reader remembers; one more, and it begins
// anew.
const maxKnown = 1 << 15

// names remembers the series of the packs that went before. Gateways send the
// same series in the same order again and again, so that what follows is mostly
// found without looking for it, and each series has one string.
type names struct {
	series map[string]*known
	last   *known
	key    []byte
}

func (n *names) find(base, name, unit []byte) *known {
	if k := n.last; k != nil {
		if k = k.next; k != nil && k.name == string(name) && k.unit == string(unit) && k.base == string(base) {
			n.last = k
			return k
		}
	}
	n.key = append(append(append(append(append(n.key[:0], base...), 0), name...), 0), unit...)
	k, ok := n.series[string(n.key)]
	if !ok {
		if k = newKnown(string(base), string(name), string(unit)); k == nil {
			return nil
		}
		if n.series == nil || len(n.series) >= maxKnown {
			n.series, n.last = make(map[string]*known, 64), nil
		}
		n.series[string(n.key)] = k
	}
	if n.last != nil {
		n.last.next = k
	}
	n.last = k
	return k
}

// newKnown is nil for names that are not ASCII, that hold the zero byte, which
// parts them in the map, or that are longer than any that is allowed.
func newKnown(base, name, unit string) *known {
	if len(base)+len(name)+len(unit) > 256 {
		return nil
	}
	for _, s := range []string{base, name, unit} {
		for _, c := range []byte(s) {
			if c >= 0x80 || c == 0 {
				return nil
			}
		}
	}
	k := &known{base: base, name: name, unit: unit, id: metering.SeriesID(base + name), symbol: metering.Unit(unit)}
	k.sound = metering.Reading{Series: k.id, Unit: k.symbol, At: metering.EarliestMillis}.Check() == nil
	return k
}

// scanned is what scanning a pack tells of its readings.
type scanned struct {
	readings int
	newest   int64 // Unix milliseconds; 0 without readings
	sound    bool  // all pass metering.Reading.Check
}

// scanPack reads a pack of the usual form and appends its readings to out, or,
// unless keep, looks at them only; false for any other form.
func (n *names) scanPack(b []byte, out []metering.Reading, keep bool) ([]metering.Reading, scanned, bool) {
	s := &scanner{b: b, ok: true, names: n}
	count := s.head(4)
	// A record has at least its map's head and a name.
	if !s.ok || count > MaxReadings || count > uint64(len(s.b)) {
		return out, scanned{}, false
	}
	all := scanned{readings: int(count), sound: true}
	begin := len(out)
	if keep {
		out = slices.Grow(out, int(count))
	}
	var one metering.Reading
	r := &one
	for i := range int(count) {
		if keep {
			out = out[:begin+i+1]
			r = &out[begin+i]
		}
		*r = metering.Reading{}
		sound, ok := s.record(r)
		if !ok {
			return out[:begin], scanned{}, false
		}
		all.sound = all.sound && sound && r.At >= metering.EarliestMillis && r.At < metering.LatestMillis
		all.newest = max(all.newest, r.At)
	}
	return out, all, len(s.b) == 0
}

// Bits of the keys that a record has.
const (
	hasName = 1 << iota
	hasUnit
	hasValue
	hasText
	hasQuality
	hasBase
	hasBaseTime
)

// record reads one record. sound says that its series may be in its unit.
func (s *scanner) record(r *metering.Reading) (sound, ok bool) {
	pairs := s.head(5)
	if !s.ok || pairs > 8 {
		return false, false
	}
	var have int
	var name, unit, text, quality []byte
	for range pairs {
		if len(s.b) == 0 {
			return false, false
		}
		key, bit := s.b[0], 0
		s.b = s.b[1:]
		switch key {
		case 0x00:
			bit, name = hasName, s.text()
		case 0x01:
			bit, unit = hasUnit, s.text()
		case 0x02:
			bit, r.Number = hasValue, s.decimal()
			if r.Number.Exp != 0 {
				r.Number = r.Number.Normal()
			}
		case 0x03:
			bit, text = hasText, s.ascii()
		case 0x21:
			bit, s.base = hasBase, s.text()
			if len(s.base) == 0 {
				return false, false // it would leave the base as it was
			}
		case 0x22:
			bit, s.at, s.haveTime = hasBaseTime, s.millis(), true
		case 0x61:
			if len(s.b) == 0 || s.b[0] != 'q' {
				return false, false
			}
			s.b = s.b[1:]
			bit, quality = hasQuality, s.ascii()
		default:
			return false, false
		}
		if !s.ok || have&bit != 0 {
			return false, false
		}
		have |= bit
	}
	if !s.haveTime {
		return false, false
	}
	k := s.names.find(s.base, name, unit)
	if k == nil {
		return false, false
	}
	r.Series, r.At, r.Unit = k.id, s.at, k.symbol
	return k.sound, judge(r, have, text, quality)
}

// judge gives a record's reading its quality as decodeValue does; false where
// that would refuse it.
func judge(r *metering.Reading, have int, text, quality []byte) bool {
	said := quality
	if have&hasValue == 0 {
		said = text
	} else if len(quality) == 0 {
		return true
	}
	q, err := metering.ParseQuality(string(said))
	r.Quality = q
	return err == nil && (q.Level == metering.Missing) == (have&hasValue == 0)
}
