package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// Windows implements [series.Store].
func (s *Store) Windows(ctx context.Context, scope access.Scope, id metering.SeriesID, bounds []time.Time) ([]series.Window, error) {
	if err := series.Allowed(scope, id); err != nil {
		return nil, fmt.Errorf("windows: %w", err)
	}
	g, err := series.Gather(bounds)
	if err != nil {
		return nil, fmt.Errorf("series %s: %w", id, err)
	}
	from, to := g.Span()
	err = s.span(ctx, id, from, to,
		func(d storedDay) (bool, error) { return gatherSegments(g, d) },
		func(points []metering.Point) error {
			for _, p := range points {
				g.Add(p)
			}
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("windows of series %s: %w", id, err)
	}
	return g.Windows(), nil
}

// gatherSegments fills windows from a day's kept aggregates; false when there
// are none or a bound lies within a segment.
func gatherSegments(g *series.Gatherer, d storedDay) (bool, error) {
	start := d.day * dayMillis
	if !cutAt(d.day, d.segments, g.Inside(start, start+dayMillis)) {
		return false, nil
	}
	from, to := g.Span()
	return true, eachSegment(d.day, d.segments, func(start int64, exp int8, a *segment) {
		if start < from || start >= to {
			return
		}
		w, sum := g.At(start)
		before := w.Numbers()
		w.Good += a.good
		w.Suspect += a.suspect
		w.Missing += a.missing
		if a.good+a.suspect == 0 {
			return
		}
		low, high := metering.Decimal{Coef: a.min, Exp: exp}.Float64(), metering.Decimal{Coef: a.max, Exp: exp}.Float64()
		if before == 0 {
			w.First, w.Min, w.Max = a.first, low, high
		}
		w.Last = a.last
		w.Min, w.Max = min(w.Min, low), max(w.Max, high)
		sum.Add(metering.Decimal{Coef: a.sum, Exp: exp})
	})
}
