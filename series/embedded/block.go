package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/thermie/thermie/metering"
)

// A block holds the points of one series in one UTC day. Its first byte says
// how the rest is written: plain or as one zstd frame. The rest is
//
//	uvarint   n, the number of points
//	varint    instant of the first point, Unix milliseconds
//	qualities uvarint number of runs; each: uvarint length, level, reason
//	residuals of the instants: second differences (n-1 of them)
//	exponent  int8, or ownExponents followed by n int8
//	order     0, 1 or 2: of the differences taken of the numbers
//	varint    first difference(s), one for each order
//	residuals of the numbers (n-order of them)
//
// Numbers are the integers at the smallest exponent of the day; where one of
// them does not fit there, each keeps its own exponent. Residuals are zigzag
// integers in byte planes: the width in bytes, then all lowest bytes, then all
// next ones, so that zstd finds noise and zeros apart. A missing point repeats
// the integer before it, which costs nothing. All differences wrap around and
// are therefore exact for any int64.
const (
	plainBlock   = 0
	zstdBlock    = 1
	ownExponents = -128

	dayMillis   = 24 * 3600 * 1000
	hourMillis  = 3600 * 1000
	maxBlockLen = 1 << 30 // bytes unpacked; a day of milliseconds stays below
)

var errBlock = errors.New("damaged block")

var (
	packer = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(true), zstd.WithSingleSegment(true))
		if err != nil {
			panic(err) // cannot happen: the options are constant
		}
		return e
	})
	unpacker = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBlockLen), zstd.WithDecoderConcurrency(0))
		if err != nil {
			panic(err) // cannot happen: the options are constant
		}
		return d
	})
)

// encodeBlock writes points that ascend strictly in time, numbers in normal form.
func encodeBlock(points []metering.Point) []byte {
	n := len(points)
	b := make([]byte, 0, 64+8*n)
	b = binary.AppendUvarint(b, uint64(n))
	if n > 0 {
		b = binary.AppendVarint(b, points[0].At)
		b = appendQualities(b, points)
		work := make([]int64, n)
		b = appendInstants(b, points, work)
		b = appendNumbers(b, points, work)
	}
	out := packer().EncodeAll(b, append(make([]byte, 0, len(b)/2+32), zstdBlock))
	if len(out) > len(b) {
		return append([]byte{plainBlock}, b...)
	}
	return out
}

func appendQualities(b []byte, points []metering.Point) []byte {
	runs := 1
	for i := 1; i < len(points); i++ {
		if points[i].Quality != points[i-1].Quality {
			runs++
		}
	}
	b = binary.AppendUvarint(b, uint64(runs))
	for i := 0; i < len(points); {
		j := i + 1
		for j < len(points) && points[j].Quality == points[i].Quality {
			j++
		}
		b = binary.AppendUvarint(b, uint64(j-i))
		b = appendQuality(b, points[i].Quality)
		i = j
	}
	return b
}

func appendQuality(b []byte, q metering.Quality) []byte {
	b = append(b, byte(q.Level))
	if q.Level == metering.Good {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(q.Reason)))
	return append(b, q.Reason...)
}

func appendInstants(b []byte, points []metering.Point, work []int64) []byte {
	step := int64(0)
	for i := 1; i < len(points); i++ {
		d := points[i].At - points[i-1].At
		work[i-1] = d - step
		step = d
	}
	return appendPlanes(b, work[:len(points)-1])
}

func appendNumbers(b []byte, points []metering.Point, ints []int64) []byte {
	if exp, ok := commonExponent(points, ints); ok {
		b = append(b, byte(exp))
	} else {
		minus := int8(ownExponents)
		b = append(b, byte(minus))
		for i, p := range points {
			b = append(b, byte(p.Number.Exp))
			ints[i] = p.Number.Coef
		}
	}
	for i := range points {
		if points[i].Quality.Level == metering.Missing {
			ints[i] = 0
			if i > 0 {
				ints[i] = ints[i-1]
			}
		}
	}
	order := bestOrder(ints)
	b = append(b, byte(order))
	for o := 0; o < order; o++ {
		b = binary.AppendVarint(b, ints[o])
		for i := len(ints) - 1; i > o; i-- {
			ints[i] -= ints[i-1]
		}
	}
	return appendPlanes(b, ints[order:])
}

// commonExponent fills ints with the numbers at their smallest exponent.
func commonExponent(points []metering.Point, ints []int64) (exp int8, ok bool) {
	exp = math.MaxInt8
	for _, p := range points {
		if p.Number.Coef != 0 {
			exp = min(exp, p.Number.Exp)
		}
	}
	if exp == math.MaxInt8 {
		exp = 0
	}
	if exp == ownExponents {
		return 0, false
	}
	for i, p := range points {
		c, err := p.Number.Rescale(exp)
		if err != nil {
			return 0, false
		}
		ints[i] = c
	}
	return exp, true
}

// bestOrder chooses how often to take differences: the order whose residuals
// have the fewest bits.
func bestOrder(ints []int64) int {
	if len(ints) < 3 {
		return 0
	}
	var cost [3]int
	for i := 2; i < len(ints); i++ {
		d := ints[i] - ints[i-1]
		cost[0] += bits.Len64(zigzag(ints[i]))
		cost[1] += bits.Len64(zigzag(d))
		cost[2] += bits.Len64(zigzag(d - (ints[i-1] - ints[i-2])))
	}
	best := 0
	for o := 1; o < 3; o++ {
		if cost[o] < cost[best] {
			best = o
		}
	}
	return best
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func appendPlanes(b []byte, residuals []int64) []byte {
	all := uint64(0)
	for _, r := range residuals {
		all |= zigzag(r)
	}
	width := (bits.Len64(all) + 7) / 8
	b = append(b, byte(width))
	for w := 0; w < width; w++ {
		for _, r := range residuals {
			b = append(b, byte(zigzag(r)>>(8*w)))
		}
	}
	return b
}

// decodeBlock reads what encodeBlock wrote, up to limit points.
func decodeBlock(data []byte, limit uint64) ([]metering.Point, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty", errBlock)
	}
	body := data[1:]
	switch data[0] {
	case plainBlock:
	case zstdBlock:
		var err error
		if body, err = unpacker().DecodeAll(body, nil); err != nil {
			return nil, fmt.Errorf("%w: %w", errBlock, err)
		}
	default:
		return nil, fmt.Errorf("%w: kind %d", errBlock, data[0])
	}
	r := &reader{b: body}
	points := r.points(limit)
	if r.err != nil {
		return nil, r.err
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errBlock, len(r.b))
	}
	return points, nil
}

// reader takes fields off the front of b; after an error all fields are zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errBlock, what)
	}
	r.b = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("cut short")
		return nil
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

func (r *reader) byte() byte {
	t := r.take(1)
	if t == nil {
		return 0
	}
	return t[0]
}

func (r *reader) quality() metering.Quality {
	l := metering.Level(r.byte())
	switch l {
	case metering.Good:
		return metering.Quality{}
	case metering.Suspect, metering.Missing:
		return metering.Quality{Level: l, Reason: metering.Reason(r.take(r.uvarint()))}
	}
	r.fail("unknown quality")
	return metering.Quality{}
}

// points reads the body of a block. The count is trusted only when the runs of
// quality and the planes bear it out.
func (r *reader) points(limit uint64) []metering.Point {
	n := r.uvarint()
	if n == 0 || r.err != nil {
		return nil
	}
	if n > limit {
		r.fail("more points than a day may hold")
		return nil
	}
	at := r.varint()
	type run struct {
		length uint64
		q      metering.Quality
	}
	var runs []run
	total := uint64(0)
	for k := r.uvarint(); k > 0 && r.err == nil; k-- {
		u := run{r.uvarint(), r.quality()}
		if u.length == 0 || u.length > n-total {
			r.fail("runs of quality do not add up")
			return nil
		}
		total += u.length
		runs = append(runs, u)
	}
	if total != n {
		r.fail("runs of quality do not add up")
		return nil
	}
	// Neither planes of width 0 nor runs hold n bytes: a small block may
	// claim, rightly, a day of equal points a millisecond apart.
	steps := r.planes(n - 1)
	exp, exps := int8(r.byte()), []byte(nil)
	if exp == ownExponents {
		exps = r.take(n)
	}
	order := uint64(r.byte())
	if order > 2 || order > n {
		r.fail("order of differences")
		return nil
	}
	var heads [2]int64
	for o := range order {
		heads[o] = r.varint()
	}
	rest := r.planes(n - order)
	if r.err != nil {
		return nil
	}
	points := make([]metering.Point, n)
	step, head, slope := int64(0), int64(0), int64(0)
	i := uint64(0)
	for _, u := range runs {
		for end := i + u.length; i < end; i++ {
			if i > 0 {
				step += steps.at(i - 1)
				if at+step <= at {
					r.fail("instants do not ascend")
					return nil
				}
				at += step
			}
			switch order {
			case 0:
				head = rest.at(i)
			case 1:
				if i == 0 {
					head = heads[0]
				} else {
					head += rest.at(i - 1)
				}
			case 2:
				switch i {
				case 0:
					head = heads[0]
				case 1:
					slope = heads[1]
					head += slope
				default:
					slope += rest.at(i - 2)
					head += slope
				}
			}
			p := metering.Point{At: at, Quality: u.q}
			if u.q.Level != metering.Missing {
				e := exp
				if exps != nil {
					e = int8(exps[i])
				}
				p.Number = metering.Decimal{Coef: head, Exp: e}.Normal()
			}
			points[i] = p
		}
	}
	return points
}

// planes are residuals as they stand in a block.
type planes struct {
	b     []byte
	n     uint64
	width uint64
}

func (r *reader) planes(n uint64) planes {
	w := uint64(r.byte())
	if w > 8 {
		r.fail("width of residuals")
		return planes{}
	}
	return planes{r.take(n * w), n, w}
}

func (p planes) at(i uint64) int64 {
	u := uint64(0)
	for w := uint64(0); w < p.width; w++ {
		u |= uint64(p.b[w*p.n+i]) << (8 * w)
	}
	return unzigzag(u)
}
