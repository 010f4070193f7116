package batch

import (
	"errors"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"

	"github.com/thermie/thermie/metering"
)

// record is one SenML record; integer labels are those of RFC 8428, table 4.
type record struct {
	BaseName string          `cbor:"-2,keyasint,omitempty"`
	BaseTime any             `cbor:"-3,keyasint,omitempty"`
	Name     string          `cbor:"0,keyasint,omitempty"`
	Unit     string          `cbor:"1,keyasint,omitempty"`
	Value    cbor.RawMessage `cbor:"2,keyasint,omitempty"`
	Text     string          `cbor:"3,keyasint,omitempty"`
	Time     any             `cbor:"6,keyasint,omitempty"`
	Quality  string          `cbor:"q,omitempty"`
}

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		MaxArrayElements:  MaxReadings + 16,
		MaxMapPairs:       64,
		MaxNestedLevels:   8,
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options are constants
	}
	return v
}

// AppendPack appends readings, at most [MaxReadings], as a SenML pack. The base name is that of the
// meter and the base time that of the reading before, both resolved in order
// as RFC 8428 section 4.6 says. The form is the deterministic one of RFC 8949,
// section 4.2.1: the keys of a record in the order of their bytes.
func AppendPack(b []byte, readings []metering.Reading) []byte {
	b = appendHead(b, 0x80, uint64(len(readings)))
	var meter string
	var at int64 = math.MinInt64
	for i := range readings {
		r := &readings[i]
		name, quantity := r.Series.Meter(), string(r.Series.Quantity())
		var quality string
		missing := r.Quality.Level == metering.Missing
		if r.Quality.Level != metering.Good {
			quality = r.Quality.String()
		}
		pairs := 1 // the number, or why there is none
		for _, is := range [...]bool{quantity != "", r.Unit != "", quality != "" && !missing, name != meter, r.At != at} {
			if is {
				pairs++
			}
		}
		b = append(b, 0xa0|byte(pairs))
		b = appendPair(b, 0x00, quantity)
		b = appendPair(b, 0x01, string(r.Unit))
		if missing {
			b = appendPair(b, 0x03, quality)
		} else {
			b = appendNumber(append(b, 0x02), r.Number)
		}
		if name != meter {
			meter = name
			b = appendHead(append(b, 0x21), 0x60, uint64(len(name)+1))
			b = append(append(b, name...), '/')
		}
		if r.At != at {
			at = r.At
			b = appendSeconds(append(b, 0x22), at)
		}
		if quality != "" && !missing {
			b = appendHead(append(b, 0x61, 'q'), 0x60, uint64(len(quality)))
			b = append(b, quality...)
		}
	}
	return b
}

// appendPair writes a key of one byte and a text, nothing for an empty one.
func appendPair(b []byte, key byte, text string) []byte {
	if text == "" {
		return b
	}
	return append(appendHead(append(b, key), 0x60, uint64(len(text))), text...)
}

// appendSeconds writes a SenML time: whole seconds as an integer, else a decimal
// fraction.
func appendSeconds(b []byte, ms int64) []byte {
	if ms%1000 == 0 {
		return appendInt(b, ms/1000)
	}
	return appendNumber(b, metering.Decimal{Coef: ms, Exp: -3})
}

// appendNumber writes a number as a CBOR integer, or as a decimal fraction
// (RFC 8949 section 3.4.4: tag 4, array of exponent and mantissa).
func appendNumber(b []byte, d metering.Decimal) []byte {
	d = d.Normal()
	if d.Exp > 0 && d.Exp < 6 {
		if c, err := d.Rescale(0); err == nil {
			d = metering.Decimal{Coef: c}
		}
	}
	if d.Exp == 0 {
		return appendInt(b, d.Coef)
	}
	b = append(b, 0xc4, 0x82)
	b = appendInt(b, int64(d.Exp))
	return appendInt(b, d.Coef)
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, 0x20, uint64(-1-n))
	}
	return appendHead(b, 0x00, uint64(n))
}

// appendHead writes the head of a data item: its major type, in place, and its
// argument.
func appendHead(b []byte, major byte, u uint64) []byte {
	switch {
	case u < 24:
		return append(b, major|byte(u))
	case u <= math.MaxUint8:
		return append(b, major|24, byte(u))
	case u <= math.MaxUint16:
		return append(b, major|25, byte(u>>8), byte(u))
	case u <= math.MaxUint32:
		return append(b, major|26, byte(u>>24), byte(u>>16), byte(u>>8), byte(u))
	}
	return append(b, major|27, byte(u>>56), byte(u>>48), byte(u>>40), byte(u>>32),
		byte(u>>24), byte(u>>16), byte(u>>8), byte(u))
}

var errNumber = errors.New("want an integer, a float or a decimal fraction")

// parseNumber reads one CBOR number: integer, decimal fraction, or float (which
// other SenML senders use; taken by its shortest decimal).
func parseNumber(b []byte) (metering.Decimal, error) {
	if len(b) == 0 {
		return metering.Decimal{}, errNumber
	}
	if b[0] == 0xfa || b[0] == 0xfb || b[0] == 0xf9 {
		var f float64
		if err := decMode.Unmarshal(b, &f); err != nil {
			return metering.Decimal{}, err
		}
		if b[0] == 0xfa {
			return metering.Float32(float32(f))
		}
		return metering.Float(f)
	}
	if b[0] != 0xc4 {
		n, rest, err := parseInt(b)
		if err != nil || len(rest) != 0 {
			return metering.Decimal{}, errNumber
		}
		return metering.Int(n), nil
	}
	if len(b) < 4 || b[1] != 0x82 {
		return metering.Decimal{}, errNumber
	}
	exp, rest, err := parseInt(b[2:])
	if err != nil || exp < -100 || exp > 100 {
		return metering.Decimal{}, errNumber
	}
	coef, rest, err := parseInt(rest)
	if err != nil || len(rest) != 0 {
		return metering.Decimal{}, errNumber
	}
	return metering.Decimal{Coef: coef, Exp: int8(exp)}.Normal(), nil
}

func parseInt(b []byte) (n int64, rest []byte, err error) {
	if len(b) == 0 || b[0]>>5 > 1 {
		return 0, nil, errNumber
	}
	size := 0
	switch low := b[0] & 0x1f; {
	case low < 24:
		n = int64(low)
	case low <= 27:
		size = 1 << (low - 24)
	default:
		return 0, nil, errNumber
	}
	if len(b) < 1+size {
		return 0, nil, errNumber
	}
	var u uint64
	for _, c := range b[1 : 1+size] {
		u = u<<8 | uint64(c)
	}
	if size > 0 {
		if u > math.MaxInt64 {
			return 0, nil, errNumber
		}
		n = int64(u)
	}
	if b[0]>>5 == 1 {
		n = -1 - n
	}
	return n, b[1+size:], nil
}

// millis reads a SenML time as Unix milliseconds; relative times are refused,
// a gateway always knows when it read.
func millis(v any) (int64, error) {
	var d metering.Decimal
	switch v := v.(type) {
	case uint64:
		d = metering.Int(int64(v))
	case int64:
		d = metering.Int(v)
	case cbor.Tag:
		a, ok := v.Content.([]any)
		if v.Number != 4 || !ok || len(a) != 2 {
			return 0, errors.New("time: want seconds")
		}
		exp, ok1 := asInt(a[0])
		coef, ok2 := asInt(a[1])
		if !ok1 || !ok2 || exp < -3 || exp > 3 {
			return 0, errors.New("time: want seconds to the millisecond")
		}
		d = metering.Decimal{Coef: coef, Exp: int8(exp)}
	case float64:
		var err error
		if d, err = metering.Float(math.Round(v*1000) / 1000); err != nil {
			return 0, err
		}
	default:
		return 0, errors.New("time: want seconds")
	}
	return d.Rescale(-3)
}

func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, true
	}
	return 0, false
}

// ReadPack reads whatever SenML pack, or says what is wrong with it. It does not check
// the readings.
func ReadPack(b []byte) ([]metering.Reading, error) {
	var pack []record
	if err := decMode.Unmarshal(b, &pack); err != nil {
		return nil, fmt.Errorf("%w: SenML: %v", ErrFormat, err)
	}
	if len(pack) > MaxReadings {
		return nil, fmt.Errorf("%d records: %w", len(pack), ErrTooLarge)
	}
	out := make([]metering.Reading, len(pack))
	names := make(map[string]metering.SeriesID, 64) // one string for each series, not for each record
	var base string
	var baseTime int64
	var haveTime bool
	for i := range pack {
		rec, r := &pack[i], &out[i]
		if rec.BaseName != "" {
			base = rec.BaseName
		}
		if rec.BaseTime != nil {
			t, err := millis(rec.BaseTime)
			if err != nil {
				return nil, fmt.Errorf("%w: record %d: base %v", ErrFormat, i, err)
			}
			baseTime, haveTime = t, true
		}
		at := baseTime
		if rec.Time != nil {
			t, err := millis(rec.Time)
			if err != nil {
				return nil, fmt.Errorf("%w: record %d: %v", ErrFormat, i, err)
			}
			if haveTime && (t > math.MaxInt64/4 || baseTime > math.MaxInt64/4) {
				return nil, fmt.Errorf("%w: record %d: time", ErrFormat, i)
			}
			at += t
		} else if !haveTime {
			return nil, fmt.Errorf("%w: record %d has no time", ErrFormat, i)
		}
		full := base + rec.Name
		id, ok := names[full]
		if !ok {
			id = metering.SeriesID(full)
			names[full] = id
		}
		r.Series, r.At, r.Unit = id, at, metering.Unit(rec.Unit)
		if err := decodeValue(rec, r); err != nil {
			return nil, fmt.Errorf("%w: record %d (%s): %v", ErrFormat, i, full, err)
		}
	}
	return out, nil
}

func decodeValue(rec *record, r *metering.Reading) (err error) {
	if rec.Value == nil {
		r.Quality, err = metering.ParseQuality(rec.Text)
		if err == nil && r.Quality.Level != metering.Missing {
			err = errors.New("a record without a value must say missing:<reason>")
		}
		return err
	}
	if r.Number, err = parseNumber(rec.Value); err != nil {
		return err
	}
	if rec.Quality != "" {
		r.Quality, err = metering.ParseQuality(rec.Quality)
		if err == nil && r.Quality.Level == metering.Missing {
			err = errors.New("a missing reading has no value")
		}
	}
	return err
}
