package batch

import (
	"encoding/binary"
	"math"

	"github.com/thermie/thermie/metering"
)

// scanner walks over CBOR; ok turns false at the first byte that is not as
// expected.
type scanner struct {
	b  []byte
	ok bool

	// Of a pack:
	names    *names
	base     []byte
	at       int64
	haveTime bool
}

// head reads the head of a data item of a major type and returns its argument.
func (s *scanner) head(major byte) uint64 {
	if len(s.b) == 0 || s.b[0]>>5 != major {
		s.ok = false
		return 0
	}
	low := s.b[0] & 0x1f
	if low < 24 {
		s.b = s.b[1:]
		return uint64(low)
	}
	return s.argument(low)
}

// argument reads the argument that follows a head whose low bits are 24 or more.
func (s *scanner) argument(low byte) uint64 {
	b := s.b
	switch {
	case low == 24 && len(b) >= 2:
		s.b = b[2:]
		return uint64(b[1])
	case low == 25 && len(b) >= 3:
		s.b = b[3:]
		return uint64(binary.BigEndian.Uint16(b[1:]))
	case low == 26 && len(b) >= 5:
		s.b = b[5:]
		return uint64(binary.BigEndian.Uint32(b[1:]))
	case low == 27 && len(b) >= 9:
		s.b = b[9:]
		return binary.BigEndian.Uint64(b[1:])
	}
	s.ok = false
	return 0
}

// take reads n bytes.
func (s *scanner) take(n uint64) []byte {
	if !s.ok || n > uint64(len(s.b)) {
		s.ok = false
		return nil
	}
	t := s.b[:n]
	s.b = s.b[n:]
	return t
}

// text reads a string, which need not be UTF-8; the bytes are those scanned.
func (s *scanner) text() []byte { return s.take(s.head(3)) }

// ascii reads a string of ASCII.
func (s *scanner) ascii() []byte {
	t := s.text()
	for _, c := range t {
		if c >= 0x80 {
			s.ok = false
		}
	}
	return t
}

// bytes reads a byte string whose head is the shortest that there is.
func (s *scanner) bytes() []byte {
	before := len(s.b)
	n := s.head(2)
	if taken := before - len(s.b); taken > 1 && n < 24 || taken > 2 && n <= math.MaxUint8 || taken > 3 && n <= math.MaxUint16 {
		s.ok = false
	}
	return s.take(n)
}

// literal reads the very bytes given; false when others stand there.
func (s *scanner) literal(want string) bool {
	if len(s.b) < len(want) || string(s.b[:len(want)]) != want {
		return false
	}
	s.b = s.b[len(want):]
	return true
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
	ms, err := d.Coef, error(nil)
	if d.Exp != -3 {
		ms, err = d.Rescale(-3)
	}
	if err != nil || ms > math.MaxInt64/4 || ms < 0 {
		s.ok = false
	}
	return ms
}
