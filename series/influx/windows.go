package influx

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// A stretch of windows of one length costs the server as much as sending so
// many points; with fewer points in the windows, they are sent.
const pointsPerStretch = 30_000

// Windows implements [series.Store]. Where there are many points, the server
// aggregates them, in the integers of micro and so exactly; windows for which
// that cannot be (a sum that would overflow, numbers finer than a millionth,
// points that arrive meanwhile) are made from their points.
func (s *Store) Windows(ctx context.Context, scope access.Scope, id metering.SeriesID, bounds []time.Time) ([]series.Window, error) {
	if err := series.Allowed(scope, id); err != nil {
		return nil, fmt.Errorf("windows: %w", err)
	}
	g, err := series.Gather(bounds)
	if err != nil {
		return nil, fmt.Errorf("series %s: %w", id, err)
	}
	r := within(g.Span())
	if r.empty() || id.Check() != nil {
		return g.Windows(), nil
	}
	windows, err := s.windows(ctx, id, bounds, r)
	if err != nil {
		return nil, fmt.Errorf("windows of series %s in %s: %w", id, s.place(), err)
	}
	return windows, nil
}

func (s *Store) windows(ctx context.Context, id metering.SeriesID, bounds []time.Time, r span) ([]series.Window, error) {
	if r.to-r.from <= shortSpan && s.sparse == 0 {
		return s.stream(ctx, id, bounds)
	}
	ms, err := series.CheckBounds(bounds)
	if err != nil {
		return nil, err
	}
	c, err := s.census(ctx, id, r)
	if err != nil {
		return nil, err
	}
	stretches := stretchesOf(ms)
	sparse := s.sparse
	if sparse == 0 {
		sparse = pointsPerStretch * len(stretches)
	}
	if c.count < int64(sparse) {
		return s.stream(ctx, id, bounds)
	}
	return s.aggregate(ctx, id, bounds, ms, stretches, span{max(r.from, c.first), min(r.to, c.last+1)})
}

// stream makes windows from their points.
func (s *Store) stream(ctx context.Context, id metering.SeriesID, bounds []time.Time) ([]series.Window, error) {
	g, err := series.Gather(bounds)
	if err != nil {
		return nil, err
	}
	for p, err := range s.points(ctx, id, within(g.Span())) {
		if err != nil {
			return nil, err
		}
		g.Add(p)
	}
	return g.Windows(), nil
}

// stretch is consecutive windows of one length, such as the civil days between
// two changes of the clock.
type stretch struct {
	span
	every int64
}

func stretchesOf(ms []int64) (out []stretch) {
	for i := 1; i < len(ms); i++ {
		every := ms[i] - ms[i-1]
		if n := len(out); n > 0 && out[n-1].every == every {
			out[n-1].to = ms[i]
		} else {
			out = append(out, stretch{span{ms[i-1], ms[i]}, every})
		}
	}
	return out
}

// aggregates of one window, as the server makes them of micro.
type aggregates struct {
	points, numbers, sum, min, max int64
	first, last                    stored
}

func (s *Store) aggregate(ctx context.Context, id metering.SeriesID, bounds []time.Time, ms []int64, stretches []stretch, r span) ([]series.Window, error) {
	sums := make([]aggregates, len(ms)-1)
	for some := range slices.Chunk(stretches, 8) {
		if err := s.aggregateStretches(ctx, id, ms, some, r, sums); err != nil {
			return nil, err
		}
	}
	levels, err := s.integers(ctx, s.field(id, r, "level", "> 0"))
	if err != nil {
		return nil, err
	}
	out := make([]series.Window, len(sums))
	var open []int // windows that the aggregates do not settle
	edges := span{r.to, r.from}
	for i := range out {
		out[i].From, out[i].To = bounds[i], bounds[i+1]
		n, _ := slices.BinarySearchFunc(levels, ms[i+1], func(l stored, at int64) int { return int(min(max(l.at-at, -1), 1)) })
		ok := fill(&out[i], sums[i], levels[:n])
		levels = levels[n:]
		if !ok {
			open = append(open, i)
			continue
		}
		for _, p := range []metering.Point{out[i].First, out[i].Last} {
			if p.Quality.Level == metering.Suspect {
				edges = span{min(edges.from, p.At), max(edges.to, p.At+1)}
			}
		}
	}
	if !edges.empty() {
		reasons, err := s.strings(ctx, s.field(id, edges, "reason", ""))
		if err != nil {
			return nil, err
		}
		for i := range out {
			for _, p := range []*metering.Point{&out[i].First, &out[i].Last} {
				if p.Quality.Level == metering.Suspect {
					p.Quality.Reason = reasonOf(reasons[p.At])
				}
			}
		}
	}
	for len(open) > 0 {
		i, j := open[0], open[0]+1
		for open = open[1:]; len(open) > 0 && open[0] == j; open = open[1:] {
			j++
		}
		made, err := s.stream(ctx, id, bounds[i:j+1])
		if err != nil {
			return nil, err
		}
		copy(out[i:j], made)
	}
	return out, nil
}

// aggregateStretches asks for the aggregates of stretches in one script.
func (s *Store) aggregateStretches(ctx context.Context, id metering.SeriesID, ms []int64, some []stretch, r span, sums []aggregates) error {
	var script strings.Builder
	for i, st := range some {
		part := span{max(st.from, r.from), min(st.to, r.to)}
		if part.empty() {
			continue
		}
		window := fmt.Sprintf(" |> window(every: %dms, offset: %dms)", st.every, st.from%st.every)
		for _, f := range []string{"count", "sum", "min", "max", "first", "last"} {
			script.WriteString(s.field(id, part, "micro", isNumber) + window + " |> " + f + `() |> group() |> yield(name: "` + f + strconv.Itoa(i) + "\")\n")
		}
		script.WriteString(s.field(id, part, "micro", "") + window + ` |> count() |> group() |> yield(name: "points` + strconv.Itoa(i) + "\")\n")
	}
	if script.Len() == 0 {
		return nil
	}
	return s.insist(ctx, func(ctx context.Context) error {
		return s.query(ctx, script.String(), func(r *row) error {
			at, n := r.millis("_start"), r.int("_value")
			i, found := slices.BinarySearch(ms, at)
			if !found {
				i--
			}
			if r.err != nil || i < 0 || i >= len(sums) {
				return r.err
			}
			a := &sums[i]
			switch strings.TrimRight(r.result(), "0123456789") {
			case "points":
				a.points = n
			case "count":
				a.numbers = n
			case "sum":
				a.sum = n
			case "min":
				a.min = n
			case "max":
				a.max = n
			case "first":
				a.first = stored{r.millis("_time"), n}
			case "last":
				a.last = stored{r.millis("_time"), n}
			}
			return r.err
		})
	})
}

// fill makes a window of its aggregates and of its points that are not good;
// false when they do not settle it.
func fill(w *series.Window, a aggregates, levels []stored) bool {
	level := func(at int64) metering.Level {
		for _, l := range levels {
			if l.at == at {
				return metering.Level(l.n)
			}
		}
		return metering.Good
	}
	for _, l := range levels {
		switch metering.Level(l.n) {
		case metering.Suspect:
			w.Suspect++
		case metering.Missing:
			w.Missing++
		}
	}
	w.Good = int(a.numbers) - w.Suspect
	if a.points != a.numbers+int64(w.Missing) || w.Good < 0 {
		return false
	}
	if a.numbers == 0 {
		return true
	}
	// Would the server's sum have overflowed?
	if high, low := bits.Mul64(max(magnitude(a.min), magnitude(a.max)), uint64(a.numbers)); high != 0 || low >= 1<<63 {
		return false
	}
	w.First = metering.Point{At: a.first.at, Number: fromMicro(a.first.n), Quality: metering.Quality{Level: level(a.first.at)}}
	w.Last = metering.Point{At: a.last.at, Number: fromMicro(a.last.n), Quality: metering.Quality{Level: level(a.last.at)}}
	if w.First.Quality.Level == metering.Missing || w.Last.Quality.Level == metering.Missing {
		return false
	}
	w.Mean = fromMicro(a.sum).Float64() / float64(a.numbers)
	w.Min, w.Max = fromMicro(a.min).Float64(), fromMicro(a.max).Float64()
	return true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return uint64(-n)
	}
	return uint64(n)
}
