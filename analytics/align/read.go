package align

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/thermie/thermie/metering"
)

// Source says which series is read and what is known of its meter.
type Source struct {
	Series metering.SeriesID
	Unit   metering.Unit // of the points; "" for the usual unit of the quantity
	// Exchanges are those of the meter; those of other quantities are passed over.
	Exchanges []metering.Exchange
	// Rollover is the register's capacity in its own unit, where it is known. Powers
	// of ten and of two are recognised without it.
	Rollover *metering.Decimal
	// MaxGap is the longest time between two readings that counts as covered. Not
	// given: an hour, or two and a half times the usual distance if that is more.
	MaxGap time.Duration
}

// Track is a series that was read: its readings freed of what is no amount.
type Track struct {
	Source Source
	Kind   metering.Kind
	// First and Last are the instants of the first and last used readings; zero
	// when there is none.
	First, Last time.Time
	Used        int           // readings used
	Duplicates  int           // readings given twice for one instant; the later one counts
	PassedOver  int           // good readings that could not be true
	Cadence     time.Duration // usual distance of the readings
	Days        []Day         // civil days, first to last
	Events      []Event

	at []int64 // of knots, Unix milliseconds, ascending
	// A register: its unwrapped count at each knot, in units of 10^exp, and whether
	// the interval that ends at the knot is an estimate.
	exp  int8
	sum  []int64
	open []bool
	// A gauge: its numbers.
	number []float64
	holes  []window // in which a gauge is not to be believed
	maxGap int64
	last   metering.Quality // of the very last point
	lastAt int64
	since  int64 // of the last used reading, or of the first point
}

type window struct{ from, to int64 }

// Read reads the points of a series, ascending in time; points out of order are
// put in order first. It fails on an error of the points only.
func Read(s Source, points iter.Seq2[metering.Point, error]) (*Track, error) {
	t := &Track{Source: s, Kind: s.Series.Quantity().Kind()}
	buffer := buffers.Get().(*[]metering.Point)
	defer buffers.Put(buffer)
	raw, err := t.collect(points, buffer)
	if err != nil {
		return nil, fmt.Errorf("series %s: %w", s.Series, err)
	}
	used := t.use(raw)
	t.Used = len(used)
	if len(used) == 0 {
		return t, nil
	}
	t.First, t.Last = instant(used[0].At), instant(used[len(used)-1].At)
	t.since = used[len(used)-1].At
	t.Cadence = cadence(used)
	t.maxGap = s.MaxGap.Milliseconds()
	if t.maxGap <= 0 {
		t.maxGap = max(time.Hour.Milliseconds(), t.Cadence.Milliseconds()*5/2)
	}
	if t.Kind == metering.Counter {
		t.unwrap(used)
	} else {
		t.gauge(used)
	}
	t.gaps(raw)
	slices.SortStableFunc(t.Events, func(a, b Event) int { return a.From.Compare(b.From) })
	return t, nil
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// buffers are reused from series to series: a track keeps no point.
var buffers = sync.Pool{New: func() any { return new([]metering.Point) }}

func (t *Track) collect(points iter.Seq2[metering.Point, error], buffer *[]metering.Point) ([]metering.Point, error) {
	raw := (*buffer)[:0]
	defer func() { *buffer = raw[:0] }()
	sorted := true
	for p, err := range points {
		if err != nil {
			return nil, err
		}
		if n := len(raw); n > 0 && p.At <= raw[n-1].At {
			sorted = false
		}
		raw = append(raw, p)
	}
	if !sorted {
		slices.SortStableFunc(raw, func(a, b metering.Point) int {
			switch {
			case a.At < b.At:
				return -1
			case a.At > b.At:
				return 1
			}
			return 0
		})
		out := raw[:0]
		for _, p := range raw {
			if n := len(out); n > 0 && out[n-1].At == p.At {
				t.Duplicates++
				out[n-1] = p
				continue
			}
			out = append(out, p)
		}
		raw = out
	}
	if n := len(raw); n > 0 {
		t.last, t.lastAt, t.since = raw[n-1].Quality, raw[n-1].At, raw[0].At
	}
	t.count(raw)
	return raw, nil
}

// usable says whether a point's number is believed.
func usable(q metering.Quality) bool {
	return q.Level == metering.Good || q.Level == metering.Suspect && q.Reason == metering.Estimated
}

func (t *Track) use(raw []metering.Point) []metering.Point {
	n := 0
	for i := range raw {
		if usable(raw[i].Quality) {
			n++
		}
	}
	if n == len(raw) {
		return raw
	}
	out := make([]metering.Point, 0, n)
	for i := range raw {
		if usable(raw[i].Quality) {
			out = append(out, raw[i])
		}
	}
	return out
}

// cadence is the median distance between readings, to about 5 %: it is taken
// from a histogram with 16 classes an octave.
func cadence(ps []metering.Point) time.Duration {
	if len(ps) < 2 {
		return 0
	}
	var h histogram
	for i := 1; i < len(ps); i++ {
		h.add(float64(ps[i].At - ps[i-1].At))
	}
	return time.Duration(h.quantile(0.5)) * time.Millisecond
}

// histogram counts positive numbers in classes: sixteen for each power of two,
// found from the leading bits of the float.
type histogram struct {
	n     int
	class [128 * 16]int32
}

const histogramLow = (1023 - 64) * 16 // below 2^-64 all numbers are alike

func (h *histogram) add(x float64) {
	if x <= 0 {
		return
	}
	k := int(math.Float64bits(x)>>48) - histogramLow
	h.class[min(max(k, 0), len(h.class)-1)]++
	h.n++
}

// quantile is the upper end of the class that holds the q quantile.
func (h *histogram) quantile(q float64) float64 {
	want, seen := int32(math.Ceil(q*float64(h.n))), int32(0)
	for k, c := range h.class {
		if seen += c; seen >= want && c > 0 {
			return math.Float64frombits(uint64(k+1+histogramLow) << 48)
		}
	}
	return 0
}

// longGap is how long a series may be without a usable reading before that is an
// event of its own.
const longGap = 6 * time.Hour

// gaps records where nothing usable was received for long, and why.
func (t *Track) gaps(raw []metering.Point) {
	long := max(longGap.Milliseconds(), t.maxGap)
	last := int64(-1)
	why := map[metering.Reason]int{}
	for i := range raw {
		p := &raw[i]
		if !usable(p.Quality) {
			if last >= 0 {
				why[p.Quality.Reason]++
			}
			continue
		}
		if last >= 0 && p.At-last > long {
			w := because(most(why))
			from, to := instant(last), instant(p.At)
			s := span(from, to)
			t.Events = append(t.Events, Event{From: from, To: to, Kind: Gap, Text: metering.Text{
				FR: "Aucun relevé utilisable " + s.FR + w.FR + ".", EN: "No usable reading " + s.EN + w.EN + "."}})
		}
		last = p.At
		if len(why) > 0 {
			clear(why)
		}
	}
}

func most(why map[metering.Reason]int) (r metering.Reason) {
	n := 0
	for k, c := range why {
		if c > n || c == n && k < r {
			r, n = k, c
		}
	}
	return r
}

// SilentAt says whether the series has given nothing usable for long when it is
// looked at, and since when.
func (t *Track) SilentAt(now time.Time) (Event, bool) {
	if len(t.Days) == 0 || now.UnixMilli()-t.since <= max(longGap.Milliseconds(), t.maxGap) {
		return Event{}, false
	}
	e := Event{From: instant(t.since), To: now, Kind: Silent, Fault: true, Open: true}
	s := metering.Text{FR: "depuis le " + frMoment(e.From), EN: "since " + enMoment(e.From)}
	w := metering.Text{}
	if t.last.Level != metering.Good && t.lastAt > t.since {
		w = because(t.last.Reason)
		if t.last.Reason == metering.SensorBreak {
			e.Kind = string(metering.SensorBreak)
		}
	}
	e.Text = metering.Text{FR: "Aucun relevé utilisable " + s.FR + w.FR + ".", EN: "No usable reading " + s.EN + w.EN + "."}
	return e, true
}
