package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// reading is one state of the store: a database snapshot and the tail that
// belongs to it.
type reading struct {
	tx       *sql.Tx
	getBlock *sql.Stmt // nil until needed
}

// begin takes a snapshot of the database and, by calling f while no commit
// can happen, of what f needs of the memory.
func (s *Store) begin(ctx context.Context, f func()) (*reading, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	// The first query, not BEGIN, fixes the snapshot.
	var position int64
	if err := tx.QueryRowContext(ctx, "SELECT number FROM meta WHERE name = 'position'").Scan(&position); err != nil {
		tx.Rollback()
		return nil, err
	}
	f()
	return &reading{tx: tx}, nil
}

func (r *reading) end() { r.tx.Rollback() }

// storedDay is a row of days.
type storedDay struct {
	day, block int64
	segments   []byte
}

func (r *reading) days(ctx context.Context, id, from, to int64, f func(storedDay) error) error {
	return query(ctx, r.tx, "SELECT day, block, segments FROM days WHERE series = ? AND day BETWEEN ? AND ? ORDER BY day", []any{id, from, to},
		func(scan func(...any) error) error {
			var d storedDay
			var segments sql.RawBytes
			if err := scan(&d.day, &d.block, &segments); err != nil {
				return err
			}
			d.segments = segments
			return f(d)
		})
}

func (r *reading) block(ctx context.Context, id int64) ([]metering.Point, error) {
	if r.getBlock == nil { // once: parsing it takes longer than reading a block
		var err error
		if r.getBlock, err = r.tx.PrepareContext(ctx, "SELECT data FROM blocks WHERE id = ?"); err != nil {
			return nil, err
		}
	}
	var data []byte
	if err := r.getBlock.QueryRowContext(ctx, id).Scan(&data); err != nil {
		return nil, err
	}
	return decodeBlock(data, dayMillis)
}

// tailDays are the chunks of one series, ascending by day.
func tailDays(st *state, from, to int64) []view {
	var out []view
	for d, c := range st.tail {
		if d >= from && d <= to {
			out = append(out, view{st, d, *c})
		}
	}
	slices.SortFunc(out, func(a, b view) int { return cmp.Compare(a.day, b.day) })
	return out
}

// span walks the days of a series in order. For a day it calls whole with the
// row of days when nothing of it is in the tail and whole takes it; else
// points with all points of the day.
func (s *Store) span(ctx context.Context, id metering.SeriesID, from, to int64, whole func(storedDay) (bool, error), points func([]metering.Point) error) error {
	if from >= to {
		return nil
	}
	d0, d1 := day(from), day(to-1)
	var number int64
	var tail []view
	r, err := s.begin(ctx, func() {
		if st := s.series[id]; st != nil {
			number, tail = st.id, tailDays(st, d0, d1)
		}
	})
	if err != nil {
		return err
	}
	defer r.end()
	if number == 0 {
		return nil
	}
	before := func(d int64) error { // the days of the tail before d
		for len(tail) > 0 && tail[0].day < d {
			v := tail[0]
			tail = tail[1:]
			if err := points(v.sorted()); err != nil {
				return err
			}
		}
		return nil
	}
	err = r.days(ctx, number, d0, d1, func(d storedDay) error {
		if err := before(d.day); err != nil {
			return err
		}
		var over []metering.Point
		if len(tail) > 0 && tail[0].day == d.day {
			over = tail[0].sorted()
			tail = tail[1:]
		} else if done, err := whole(d); done || err != nil {
			return err
		}
		old, err := r.block(ctx, d.block)
		if err != nil {
			return fmt.Errorf("day %s: %w", time.UnixMilli(d.day*dayMillis).UTC().Format(time.DateOnly), err)
		}
		return points(merge(old, over))
	})
	if err != nil {
		return err
	}
	return before(math.MaxInt64)
}

var errEnough = errors.New("enough")

// Points implements [series.Store]. While it yields, the store can be written;
// what is yielded is the state at the start.
func (s *Store) Points(ctx context.Context, scope access.Scope, id metering.SeriesID, from, to time.Time) iter.Seq2[metering.Point, error] {
	return func(yield func(metering.Point, error) bool) {
		if err := series.Allowed(scope, id); err != nil {
			yield(metering.Point{}, err)
			return
		}
		a, b := series.Millis(from), series.Millis(to)
		never := func(storedDay) (bool, error) { return false, nil }
		err := s.span(ctx, id, a, b, never, func(points []metering.Point) error {
			for _, p := range points {
				if p.At >= a && p.At < b && !yield(p, nil) {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(metering.Point{}, fmt.Errorf("points of series %s: %w", id, err))
		}
	}
}

// Latest implements [series.Store].
func (s *Store) Latest(ctx context.Context, scope access.Scope, ids []metering.SeriesID) (map[metering.SeriesID]metering.Point, error) {
	out := make(map[metering.SeriesID]metering.Point, len(ids))
	var asleep []metering.SeriesID
	for _, id := range ids {
		if err := series.Allowed(scope, id); err != nil {
			return nil, fmt.Errorf("latest: %w", err)
		}
	}
	s.mu.RLock()
	for _, id := range ids {
		switch st := s.series[id]; {
		case st == nil:
		case st.haveNewest:
			out[id] = st.newest
		default:
			asleep = append(asleep, id)
		}
	}
	s.mu.RUnlock()
	for _, id := range asleep { // silent since the store was opened
		p, ok, err := s.wakeNewest(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("latest point of series %s: %w", id, err)
		}
		if ok {
			out[id] = p
		}
	}
	return out, nil
}

// wakeNewest finds the newest point of a series and remembers it.
func (s *Store) wakeNewest(ctx context.Context, id metering.SeriesID) (p metering.Point, ok bool, err error) {
	var last int64
	s.mu.RLock()
	st := s.series[id]
	if st != nil {
		last = st.last
	}
	s.mu.RUnlock()
	if st == nil {
		return p, false, nil
	}
	never := func(storedDay) (bool, error) { return false, nil }
	err = s.span(ctx, id, day(last)*dayMillis, math.MaxInt64, never, func(points []metering.Point) error {
		p, ok = points[len(points)-1], true
		return nil
	})
	if err != nil || !ok {
		return p, ok, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.haveNewest { // a reading came meanwhile
		return st.newest, true, nil
	}
	// A correction of that very instant would have set newest: it is not older.
	st.newest, st.haveNewest = p, true
	return p, true, nil
}

// List implements [series.Store].
func (s *Store) List(ctx context.Context, scope access.Scope) ([]series.Info, error) {
	type entry struct {
		info        series.Info
		number      int64
		first, last int64 // in blocks
		tail        []view
	}
	var all []entry
	r, err := s.begin(ctx, func() {
		for _, st := range s.series {
			if scope.Allows(st.name.Meter()) {
				all = append(all, entry{series.Info{ID: st.name, Unit: st.unit, Count: st.points}, st.id, st.first, st.last,
					tailDays(st, math.MinInt64, math.MaxInt64)})
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list series: %w", err)
	}
	defer r.end()
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.info.ID, b.info.ID) })
	out := make([]series.Info, 0, len(all))
	for _, e := range all {
		for _, v := range e.tail {
			points := v.sorted()
			first, last := points[0].At, points[len(points)-1].At
			again := 0
			if e.info.Count > 0 && first <= e.last { // it may correct points in a block
				if again, err = r.repeated(ctx, e.number, v.day, points); err != nil {
					return nil, fmt.Errorf("list series %s: %w", e.info.ID, err)
				}
			}
			if e.info.Count == 0 {
				e.first, e.last = first, last
			}
			e.first, e.last = min(e.first, first), max(e.last, last)
			e.info.Count += len(points) - again
		}
		if e.info.Count == 0 {
			continue
		}
		e.info.First, e.info.Last = time.UnixMilli(e.first).UTC(), time.UnixMilli(e.last).UTC()
		out = append(out, e.info)
	}
	return out, nil
}

// repeated counts the points whose instants are in a block too.
func (r *reading) repeated(ctx context.Context, number, day int64, points []metering.Point) (n int, err error) {
	err = r.days(ctx, number, day, day, func(d storedDay) error {
		old, err := r.block(ctx, d.block)
		if err != nil {
			return err
		}
		n = len(old) + len(points) - len(merge(old, points))
		return nil
	})
	return n, err
}
