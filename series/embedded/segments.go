package embedded

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/thermie/thermie/metering"
)

// A day keeps aggregates of its segments beside its block, so that windows are
// mostly answered without unpacking: the roll-ups of the store. They are made
// with the block, so late and corrected readings are in them as soon as they are
// in the block, and before that the day is computed from its readings.
//
// Where there are readings every ten seconds or more, a segment is ten minutes;
// every minute or more, an hour. Else it would cost as much as the readings,
// and there are three segments, cut at 22:00 and 23:00 UTC: where a civil day
// of metropolitan France ends, in summer and in winter.
const (
	hourly     = 1
	midnight   = 2
	tenMinutes = 3

	worthSegments   = 48   // points of a day; below, its block is unpacked as fast
	worthHours      = 1440 // points of a day
	worthTenMinutes = 8640 // points of a day

	tenMinuteMillis = hourMillis / 6
)

// segmentStarts are the first instants of the segments of each kind, in
// milliseconds of their day.
var segmentStarts = map[byte][]int64{
	tenMinutes: every(tenMinuteMillis),
	hourly:     every(hourMillis),
	midnight:   {0, 22 * hourMillis, 23 * hourMillis},
}

func every(step int64) (starts []int64) {
	for at := int64(0); at < dayMillis; at += step {
		starts = append(starts, at)
	}
	return starts
}

// segment aggregates the points of a segment of a block.
type segment struct {
	good, suspect, missing int
	// Of the good and suspect points, at the block's common exponent:
	sum, min, max int64
	first, last   metering.Point
}

// encodeSegments writes the aggregates of a day, nil when they are not worth
// keeping or cannot be exact: the kind, the exponent and, per segment that has
// points, its index, the three counts, then of the good and suspect ones sum,
// minimum, maximum above it, first and last as milliseconds in the segment,
// integer above the minimum and quality.
func encodeSegments(day int64, points []metering.Point) []byte {
	kind := byte(midnight)
	switch {
	case len(points) < worthSegments:
		return nil
	case len(points) >= worthTenMinutes:
		kind = tenMinutes
	case len(points) >= worthHours:
		kind = hourly
	}
	ints := make([]int64, len(points))
	exp, ok := commonExponent(points, ints)
	if !ok {
		return nil
	}
	b := []byte{kind, byte(exp)}
	starts := segmentStarts[kind]
	i := 0
	for k := range starts {
		start, end := day*dayMillis+starts[k], (day+1)*dayMillis
		if k+1 < len(starts) {
			end = day*dayMillis + starts[k+1]
		}
		j := i
		for j < len(points) && points[j].At < end {
			j++
		}
		if i == j {
			continue
		}
		b = append(b, byte(k))
		if b, ok = appendSegment(b, start, points[i:j], ints[i:j]); !ok {
			return nil
		}
		i = j
	}
	return b
}

func appendSegment(b []byte, start int64, points []metering.Point, ints []int64) ([]byte, bool) {
	var a segment
	first, last := -1, -1
	for i, p := range points {
		switch p.Quality.Level {
		case metering.Missing:
			a.missing++
			continue
		case metering.Suspect:
			a.suspect++
		default:
			a.good++
		}
		v := ints[i]
		if first < 0 {
			first, a.min, a.max = i, v, v
		}
		last = i
		a.min, a.max = min(a.min, v), max(a.max, v)
		s := a.sum + v
		if (a.sum > 0 && v > 0 && s < 0) || (a.sum < 0 && v < 0 && s >= 0) {
			return nil, false
		}
		a.sum = s
	}
	if a.min < 0 && a.max > math.MaxInt64+a.min {
		return nil, false
	}
	for _, n := range [...]int{a.good, a.suspect, a.missing} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	if first < 0 {
		return b, true
	}
	b = binary.AppendVarint(b, a.sum)
	b = binary.AppendVarint(b, a.min)
	b = binary.AppendUvarint(b, uint64(a.max-a.min))
	for _, k := range [...]int{first, last} {
		b = binary.AppendUvarint(b, uint64(points[k].At-start))
		b = binary.AppendUvarint(b, uint64(ints[k]-a.min))
		b = appendQuality(b, points[k].Quality)
	}
	return b, true
}

// cutAt says whether the segments are cut at each of the instants of their day.
func cutAt(day int64, b []byte, instants []int64) bool {
	if len(b) == 0 {
		return false
	}
	for _, at := range instants {
		if _, cut := slices.BinarySearch(segmentStarts[b[0]], at-day*dayMillis); !cut {
			return false
		}
	}
	return true
}

// eachSegment reads what encodeSegments wrote and calls f with the first
// instant of each segment that has points, ascending.
func eachSegment(day int64, b []byte, f func(start int64, exp int8, a *segment)) error {
	r := &reader{b: b}
	starts := segmentStarts[r.byte()]
	exp := int8(r.byte())
	var a segment
	for prev := -1; len(r.b) > 0; {
		k := int(r.byte())
		if k <= prev || k >= len(starts) {
			r.fail("segments do not ascend")
			break
		}
		prev = k
		start := day*dayMillis + starts[k]
		a = segment{good: r.count(), suspect: r.count(), missing: r.count()}
		if a.good+a.suspect > 0 {
			a.sum, a.min = r.varint(), r.varint()
			a.max = a.min + int64(r.uvarint())
			a.first, a.last = r.edge(start, exp, a.min), r.edge(start, exp, a.min)
		}
		if r.err != nil {
			break
		}
		f(start, exp, &a)
	}
	return r.err
}

func (r *reader) count() int {
	n := r.uvarint()
	if n > dayMillis {
		r.fail("more points than milliseconds in a day")
		return 0
	}
	return int(n)
}

func (r *reader) edge(start int64, exp int8, low int64) metering.Point {
	p := metering.Point{At: start + int64(r.count())}
	p.Number = metering.Decimal{Coef: low + int64(r.uvarint()), Exp: exp}.Normal()
	p.Quality = r.quality()
	return p
}
