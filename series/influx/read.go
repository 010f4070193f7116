package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

const (
	pagePoints = 50_000        // about so many points are asked for at once
	shortSpan  = 2 * dayMillis // a span that is asked for without counting first
	minPage    = 60_000        // milliseconds
	tornTries  = 3
	seriesPerQ = 50 // series in one query of Latest
)

// isNumber selects the values of micro that are numbers.
var isNumber = ">= " + strconv.FormatInt(leastMicro, 10)

// errTorn says that a point was read while it was being corrected.
var errTorn = errors.New("the points change faster than they can be read")

// Points implements [series.Store]. It asks for a page of points at a time.
func (s *Store) Points(ctx context.Context, scope access.Scope, id metering.SeriesID, from, to time.Time) iter.Seq2[metering.Point, error] {
	return func(yield func(metering.Point, error) bool) {
		if err := series.Allowed(scope, id); err != nil {
			yield(metering.Point{}, err)
			return
		}
		for p, err := range s.points(ctx, id, within(series.Millis(from), series.Millis(to))) {
			if err != nil {
				yield(metering.Point{}, fmt.Errorf("points of series %s in %s: %w", id, s.place(), err))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *Store) points(ctx context.Context, id metering.SeriesID, r span) iter.Seq2[metering.Point, error] {
	return func(yield func(metering.Point, error) bool) {
		if r.empty() || id.Check() != nil {
			return
		}
		length := r.to - r.from
		if length > shortSpan {
			c, err := s.census(ctx, id, r)
			if err != nil {
				yield(metering.Point{}, err)
				return
			}
			if c.count == 0 {
				return
			}
			r = span{c.first, c.last + 1}
			length = max(minPage, int64(float64(r.to-r.from)*pagePoints/float64(c.count)))
		}
		for at := r.from; at < r.to; at += length {
			page, err := s.page(ctx, id, span{at, min(at+length, r.to)})
			if err != nil {
				yield(metering.Point{}, err)
				return
			}
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// census is how many points there are, and the instants of the first and last.
type census struct{ count, first, last int64 }

func (s *Store) census(ctx context.Context, id metering.SeriesID, r span) (c census, err error) {
	all := s.field(id, r, "micro", "")
	script := all + " |> count() |> yield(name: \"count\")\n" + all + " |> first() |> yield(name: \"first\")\n" + all + " |> last() |> yield(name: \"last\")"
	err = s.insist(ctx, func(ctx context.Context) error {
		c = census{}
		return s.query(ctx, script, func(r *row) error {
			switch r.result() {
			case "count":
				c.count += r.int("_value")
			case "first":
				c.first = r.millis("_time")
			case "last":
				c.last = r.millis("_time")
			}
			return r.err
		})
	})
	return c, err
}

// page reads the points of a span.
func (s *Store) page(ctx context.Context, id metering.SeriesID, r span) ([]metering.Point, error) {
	for try := 1; ; try++ {
		points, err := s.readPage(ctx, id, r)
		if !errors.Is(err, errTorn) || try == tornTries {
			return points, err
		}
	}
}

// stored is a value of an integer field.
type stored struct{ at, n int64 }

// readPage reads first micro, then what else there is to say of these points:
// all of it is then at least as new.
func (s *Store) readPage(ctx context.Context, id metering.SeriesID, r span) ([]metering.Point, error) {
	micros, err := s.integers(ctx, s.field(id, r, "micro", ""))
	if err != nil || len(micros) == 0 {
		return nil, err
	}
	r = span{micros[0].at, micros[len(micros)-1].at + 1}
	levels, err := s.integers(ctx, s.field(id, r, "level", "> 0"))
	if err != nil {
		return nil, err
	}
	var exact, reasons map[int64]string
	if len(levels) > 0 {
		if reasons, err = s.strings(ctx, s.field(id, span{levels[0].at, levels[len(levels)-1].at + 1}, "reason", "")); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(micros, func(m stored) bool { return m.n == markExact }) {
		if exact, err = s.strings(ctx, s.field(id, r, "exact", "")); err != nil {
			return nil, err
		}
	}
	points := make([]metering.Point, len(micros))
	for i, m := range micros {
		for len(levels) > 0 && levels[0].at < m.at {
			levels = levels[1:]
		}
		level := int64(metering.Good)
		if len(levels) > 0 && levels[0].at == m.at {
			level = levels[0].n
		}
		if points[i], err = assemble(m, level, exact[m.at], reasons[m.at]); err != nil {
			return nil, err
		}
	}
	return points, nil
}

// assemble makes a point of its fields; errTorn when they are not of one write.
func assemble(m stored, level int64, exact, reason string) (metering.Point, error) {
	p := metering.Point{At: m.at}
	switch {
	case level < 0 || level > int64(metering.Missing):
		return p, fmt.Errorf("%w: level %d", errFormat, level)
	case (m.n == markMissing) != (level == int64(metering.Missing)), m.n == markExact && exact == "":
		return p, errTorn
	case m.n == markMissing:
	case m.n == markExact:
		var err error
		if p.Number, err = parseExact(exact); err != nil {
			return p, err
		}
	default:
		p.Number = fromMicro(m.n)
	}
	if p.Quality.Level = metering.Level(level); level != int64(metering.Good) {
		p.Quality.Reason = reasonOf(reason)
	}
	return p, nil
}

func reasonOf(s string) metering.Reason {
	if s == noReason {
		return ""
	}
	return metering.Reason(s)
}

// integers reads the values of an integer field, ascending in time.
func (s *Store) integers(ctx context.Context, pipe string) (out []stored, err error) {
	err = s.insist(ctx, func(ctx context.Context) error {
		out = out[:0]
		return s.query(ctx, pipe+` |> keep(columns: ["_time", "_value"])`, func(r *row) error {
			out = append(out, stored{r.millis("_time"), r.int("_value")})
			return r.err
		})
	})
	slices.SortFunc(out, func(a, b stored) int { return cmp.Compare(a.at, b.at) })
	return out, err
}

// strings reads the values of a string field by instant.
func (s *Store) strings(ctx context.Context, pipe string) (out map[int64]string, err error) {
	err = s.insist(ctx, func(ctx context.Context) error {
		out = map[int64]string{}
		return s.query(ctx, pipe+` |> keep(columns: ["_time", "_value"])`, func(r *row) error {
			out[r.millis("_time")] = strings.Clone(r.text("_value"))
			return r.err
		})
	})
	return out, err
}

// Latest implements [series.Store].
func (s *Store) Latest(ctx context.Context, scope access.Scope, ids []metering.SeriesID) (map[metering.SeriesID]metering.Point, error) {
	known := make([]metering.SeriesID, 0, len(ids))
	for _, id := range ids {
		if err := series.Allowed(scope, id); err != nil {
			return nil, fmt.Errorf("latest: %w", err)
		}
		if id.Check() == nil {
			known = append(known, id)
		}
	}
	out := make(map[metering.SeriesID]metering.Point, len(ids))
	for some := range slices.Chunk(known, seriesPerQ) {
		for try := 1; ; try++ {
			err := s.latest(ctx, some, out)
			if errors.Is(err, errTorn) && try < tornTries {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("latest points in %s: %w", s.place(), err)
			}
			break
		}
	}
	return out, nil
}

func (s *Store) latest(ctx context.Context, ids []metering.SeriesID, out map[metering.SeriesID]metering.Point) error {
	var which strings.Builder
	for i, id := range ids {
		if i > 0 {
			which.WriteString(" or ")
		}
		which.WriteString("(r.meter == " + quote(id.Meter()) + " and r.quantity == " + quote(string(id.Quantity())) + ")")
	}
	last := func(field string) string {
		return s.from(always) + ` |> filter(fn: (r) => r._measurement == "reading" and r._field == ` + quote(field) + " and (" + which.String() +
			`)) |> last() |> keep(columns: ["_time", "_value", "meter", "quantity"]) |> yield(name: ` + quote(field) + ")\n"
	}
	micros := map[metering.SeriesID]stored{}
	err := s.insist(ctx, func(ctx context.Context) error {
		return s.query(ctx, last("micro"), func(r *row) error {
			micros[r.series()] = stored{r.millis("_time"), r.int("_value")}
			return r.err
		})
	})
	if err != nil || len(micros) == 0 {
		return err
	}
	levels := map[metering.SeriesID]stored{}
	texts := map[string]map[metering.SeriesID]string{}
	err = s.insist(ctx, func(ctx context.Context) error {
		texts["exact"], texts["reason"] = map[metering.SeriesID]string{}, map[metering.SeriesID]string{}
		return s.query(ctx, last("level")+last("exact")+last("reason"), func(r *row) error {
			id, at := r.series(), r.millis("_time")
			if r.result() == "level" {
				levels[id] = stored{at, r.int("_value")}
			} else if at == micros[id].at {
				texts[r.result()][id] = strings.Clone(r.text("_value"))
			}
			return r.err
		})
	})
	if err != nil {
		return err
	}
	for id, m := range micros {
		if levels[id].at != m.at {
			return errTorn
		}
		p, err := assemble(m, levels[id].n, texts["exact"][id], texts["reason"][id])
		if err != nil {
			return fmt.Errorf("series %s: %w", id, err)
		}
		out[id] = p
	}
	return nil
}

// List implements [series.Store].
func (s *Store) List(ctx context.Context, scope access.Scope) ([]series.Info, error) {
	all := s.from(always) + ` |> filter(fn: (r) => r._measurement == "reading" and r._field == "micro")`
	script := all + " |> count() |> yield(name: \"count\")\n" +
		all + ` |> first() |> keep(columns: ["_time", "meter", "quantity", "unit"]) |> yield(name: "first")` + "\n" +
		all + ` |> last() |> keep(columns: ["_time", "meter", "quantity"]) |> yield(name: "last")`
	var infos map[metering.SeriesID]series.Info
	err := s.insist(ctx, func(ctx context.Context) error {
		infos = map[metering.SeriesID]series.Info{}
		return s.query(ctx, script, func(r *row) error {
			id := r.series()
			i := infos[id]
			i.ID = id
			switch r.result() {
			case "count":
				i.Count += int(r.int("_value"))
			case "first":
				i.First, i.Unit = time.UnixMilli(r.millis("_time")).UTC(), metering.Unit(strings.Clone(r.text("unit")))
			case "last":
				i.Last = time.UnixMilli(r.millis("_time")).UTC()
			}
			infos[id] = i
			return r.err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list series in %s: %w", s.place(), err)
	}
	out := make([]series.Info, 0, len(infos))
	for id, i := range infos {
		if scope.Allows(id.Meter()) && i.Count > 0 && !i.First.IsZero() && !i.Last.IsZero() {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b series.Info) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}
