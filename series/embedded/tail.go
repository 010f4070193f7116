package embedded

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/thermie/thermie/metering"
)

// The tail holds the points that are not in blocks yet: in memory by series
// and day, on disk as rows of the table tail, one for each Apply, in order.

// tailPoint is a point of the tail; its quality stands in the runs beside it.
type tailPoint struct {
	at, coef int64
	exp      int8
}

// qualityRun says that the points from index from on have quality q.
type qualityRun struct {
	from int
	q    metering.Quality
}

// chunk is what the tail holds of one series and day, in the order of
// arrival. Elements are only ever appended, so a copy of the two slice headers
// is a snapshot that later writes do not touch.
type chunk struct {
	points []tailPoint
	runs   []qualityRun
}

func (c *chunk) add(p metering.Point) {
	q := metering.Quality{}
	if len(c.runs) > 0 {
		q = c.runs[len(c.runs)-1].q
	}
	if p.Quality != q {
		c.runs = append(c.runs, qualityRun{len(c.points), p.Quality})
	}
	c.points = append(c.points, tailPoint{p.At, p.Number.Coef, p.Number.Exp})
}

// arrived returns the points in the order of arrival.
func (c chunk) arrived() []metering.Point {
	out := make([]metering.Point, len(c.points))
	q, run := metering.Quality{}, 0
	for i, t := range c.points {
		for run < len(c.runs) && c.runs[run].from <= i {
			q = c.runs[run].q
			run++
		}
		out[i] = metering.Point{At: t.at, Number: metering.Decimal{Coef: t.coef, Exp: t.exp}, Quality: q}
	}
	return out
}

// sorted returns the points ascending in time, of equal instants the one that
// arrived last.
func (c chunk) sorted() []metering.Point {
	out := c.arrived()
	if !slices.IsSortedFunc(out, byInstant) {
		slices.SortStableFunc(out, byInstant)
	}
	kept := out[:0]
	for i, p := range out {
		if i+1 < len(out) && out[i+1].At == p.At {
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

func byInstant(a, b metering.Point) int { return cmp.Compare(a.At, b.At) }

// after returns what arrived after the first n points.
func (c *chunk) after(n int) *chunk {
	rest := &chunk{}
	for _, p := range c.arrived()[n:] {
		rest.add(p)
	}
	return rest
}

// merge lays newer over older, both ascending: at equal instants newer stands.
func merge(older, newer []metering.Point) []metering.Point {
	if len(older) == 0 {
		return newer
	}
	if len(newer) == 0 {
		return older
	}
	out := make([]metering.Point, 0, len(older)+len(newer))
	i := 0
	for _, p := range newer {
		for i < len(older) && older[i].At < p.At {
			out = append(out, older[i])
			i++
		}
		if i < len(older) && older[i].At == p.At {
			i++
		}
		out = append(out, p)
	}
	return append(out, older[i:]...)
}

// day is the UTC day of an instant, in days since 1970.
func day(at int64) int64 {
	d := at / dayMillis
	if at%dayMillis < 0 {
		d--
	}
	return d
}

// tailRow writes and reads rows of the table tail: per point the number of its
// series, the time since the point before, the number and the quality.
type tailRow struct {
	b    []byte
	prev int64
}

func (t *tailRow) add(series int64, p metering.Point) {
	t.b = binary.AppendUvarint(t.b, uint64(series))
	t.b = binary.AppendVarint(t.b, p.At-t.prev)
	t.prev = p.At
	t.b = binary.AppendVarint(t.b, p.Number.Coef)
	t.b = append(t.b, byte(p.Number.Exp))
	t.b = appendQuality(t.b, p.Quality)
}

func eachTailPoint(b []byte, f func(series int64, p metering.Point) error) error {
	r := &reader{b: b}
	prev := int64(0)
	for len(r.b) > 0 {
		id := int64(r.uvarint())
		p := metering.Point{At: prev + r.varint()}
		prev = p.At
		p.Number = metering.Decimal{Coef: r.varint(), Exp: int8(r.byte())}
		p.Quality = r.quality()
		if r.err != nil {
			break
		}
		if err := f(id, p); err != nil {
			return err
		}
	}
	if r.err != nil {
		return fmt.Errorf("row of the tail: %w", r.err)
	}
	return nil
}
