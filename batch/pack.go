package batch

import (
	"math"

	"github.com/thermie/thermie/metering"
)

// Reading a pack is what ingest and the follower spend most of their time on, so
// packs as appendPack writes them (definite lengths, ASCII, integers and decimal
// fractions) are read directly. Anything else, well-formed or not, is left to the
// general decoder, which alone says what is wrong. FuzzScanPack holds the two
// together.

// scanner walks over a pack; ok turns false at the first byte that is not as
// expected.
type scanner struct {
	b  []byte
	ok bool
}

// head reads the head of a data item of a major type and returns its argument.
func (s *scanner) head(major byte) uint64 {
	if !s.ok || len(s.b) == 0 || s.b[0]>>5 != major {
		s.ok = false
		return 0
	}
	low := s.b[0] & 0x1f
	if low < 24 {
		s.b = s.b[1:]
		return uint64(low)
	}
	size := 1 << (low - 24)
	if low > 27 || len(s.b) < 1+size {
		s.ok = false
		return 0
	}
	var u uint64
	for _, c := range s.b[1 : 1+size] {
		u = u<<8 | uint64(c)
	}
	s.b = s.b[1+size:]
	return u
}

// text reads a string of ASCII; the bytes are those of the pack.
func (s *scanner) text() []byte {
	n := s.head(3)
	if !s.ok || n > uint64(len(s.b)) {
		s.ok = false
		return nil
	}
	t := s.b[:n]
	s.b = s.b[n:]
	for _, c := range t {
		if c >= 0x80 {
			s.ok = false
		}
	}
	return t
}

// int reads an integer that fits in int64.
func (s *scanner) int() int64 {
	if len(s.b) == 0 {
		s.ok = false
		return 0
	}
	major := s.b[0] >> 5
	if major > 1 {
		s.ok = false
		return 0
	}
	u := s.head(major)
	if u > math.MaxInt64 {
		s.ok = false
	}
	if major == 1 {
		return -1 - int64(u)
	}
	return int64(u)
}

// decimal reads an integer or a decimal fraction.
func (s *scanner) decimal() metering.Decimal {
	if len(s.b) < 2 || s.b[0] != 0xc4 {
		return metering.Decimal{Coef: s.int()}
	}
	if s.b[1] != 0x82 {
		s.ok = false
		return metering.Decimal{}
	}
	s.b = s.b[2:]
	exp := s.int()
	if exp < -100 || exp > 100 {
		s.ok = false
	}
	return metering.Decimal{Coef: s.int(), Exp: int8(exp)}
}

// millis reads a time in seconds as milliseconds.
func (s *scanner) millis() int64 {
	d := s.decimal()
	if d.Exp < -3 || d.Exp > 3 {
		s.ok = false
	}
	ms, err := d.Rescale(-3)
	if err != nil || ms > math.MaxInt64/4 || ms < 0 {
		s.ok = false
	}
	return ms
}

// names keeps one string for each name and unit of a pack.
type names struct {
	series map[string]metering.SeriesID
	units  map[string]metering.Unit
	base   []byte
	whole  []byte
}

func (n *names) id(name []byte) metering.SeriesID {
	n.whole = append(append(n.whole[:0], n.base...), name...)
	id, ok := n.series[string(n.whole)]
	if !ok {
		id = metering.SeriesID(n.whole)
		n.series[string(id)] = id
	}
	return id
}

func (n *names) unit(b []byte) metering.Unit {
	u, ok := n.units[string(b)]
	if !ok {
		u = metering.Unit(b)
		n.units[string(u)] = u
	}
	return u
}

// scanPack reads a pack of the usual form; false for any other.
func scanPack(b []byte) ([]metering.Reading, bool) {
	s := &scanner{b: b, ok: true}
	n := s.head(4)
	// A record has at least its map's head and a name.
	if !s.ok || n > MaxReadings || n > uint64(len(s.b)) {
		return nil, false
	}
	out := make([]metering.Reading, n)
	known := names{series: make(map[string]metering.SeriesID, 64), units: make(map[string]metering.Unit, 8)}
	var at int64
	var haveTime bool
	for i := range out {
		if !s.record(&out[i], &known, &at, &haveTime) {
			return nil, false
		}
	}
	return out, len(s.b) == 0
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

func (s *scanner) record(r *metering.Reading, known *names, at *int64, haveTime *bool) bool {
	pairs := s.head(5)
	if !s.ok || pairs > 8 {
		return false
	}
	var have int
	var name, unit, text, quality []byte
	for range pairs {
		if len(s.b) == 0 {
			return false
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
			bit, text = hasText, s.text()
		case 0x21:
			bit, known.base = hasBase, s.text()
			if len(known.base) == 0 {
				return false // it would leave the base as it was
			}
		case 0x22:
			bit, *at, *haveTime = hasBaseTime, s.millis(), true
		case 0x61:
			if len(s.b) == 0 || s.b[0] != 'q' {
				return false
			}
			s.b = s.b[1:]
			bit, quality = hasQuality, s.text()
		default:
			return false
		}
		if !s.ok || have&bit != 0 {
			return false
		}
		have |= bit
	}
	if !*haveTime {
		return false
	}
	r.Series, r.At, r.Unit = known.id(name), *at, known.unit(unit)
	return judge(r, have, text, quality)
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
