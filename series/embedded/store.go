// Package embedded is the series store that needs no server: one SQLite file.
//
// Readings first land in the tail: one durable row for each Apply, and the
// same points in memory by series and day. A background worker packs the tail
// into blocks, one for each series and UTC day, compressed to a few bytes a
// reading, with aggregates of parts of the day beside it, so that windows
// of civil days (of 23 or 25 hours too) are answered without unpacking.
// Late and corrected readings are merged into the blocks they belong to.
//
// A commit survives a crash of the process. After a power cut the last
// commits may be gone, position and readings together, and the follower
// applies them again from the ledger.
package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

var (
	_ series.Store   = (*Store)(nil)
	_ series.Deleter = (*Store)(nil)
)

const (
	layout    = 2 // of the database; another one is refused
	pageBytes = 16384
	// pagesOfApply are the pages that the smallest Apply writes to the log: the
	// last leaf of the tail, the position, the root.
	pagesOfApply = 3

	defaultTail = 500_000
)

const schema = `
CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE series (
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	unit     TEXT NOT NULL,
	points   INTEGER NOT NULL DEFAULT 0, -- in blocks
	first_at INTEGER NOT NULL DEFAULT 0, -- of them, Unix milliseconds
	last_at  INTEGER NOT NULL DEFAULT 0);
CREATE TABLE days (
	series INTEGER NOT NULL, day INTEGER NOT NULL, -- UTC, days since 1970
	points INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
	block  INTEGER NOT NULL, -- in blocks
	segments BLOB,           -- aggregates, NULL where not kept
	PRIMARY KEY (series, day)) WITHOUT ROWID;
CREATE TABLE blocks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE tail (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
INSERT INTO meta VALUES ('layout', 2), ('position', 0);`

// Options tune a store; the zero value is right for almost everyone.
type Options struct {
	Log *slog.Logger // nil: no log
	// TailPoints is how many points the tail gathers before they are packed
	// into blocks, 500,000 when 0. Memory is about 30 bytes a point, and
	// three times as much while blocks are being written.
	TailPoints int
	// ReadOnly opens a store that another process may be writing to, as it is at
	// this moment: what comes later is not seen. Apply, Delete and Pack fail.
	ReadOnly bool
}

// Store is a series store in one SQLite file.
type Store struct {
	path string
	db   *sql.DB
	log  *slog.Logger
	max  int // points in the tail that start the packing

	readOnly bool

	// write serialises all that changes the database. It is taken before mu.
	write  sync.Mutex
	conn   *sql.Conn // of the holder of write
	stmts  statements
	lastID int64 // of a series
	seq    int64 // of the last row of the tail
	wal    int   // bytes written since the last checkpoint

	// mu guards the memory below. A commit and the change of memory that
	// belongs to it happen under its write lock; a reader that takes its
	// snapshot of both under the read lock sees one state.
	mu       sync.RWMutex
	position uint64
	series   map[metering.SeriesID]*state
	points   int // in the tail
	packErr  error

	packing sync.Mutex    // held while blocks are made
	wake    chan struct{} // there may be something to pack
	room    chan struct{} // closed and renewed when the tail has shrunk
	stop    context.CancelFunc
	done    chan struct{}
	closed  bool
}

// state is what memory knows of a series.
type state struct {
	id   int64
	name metering.SeriesID
	unit metering.Unit
	// In blocks:
	points      int
	first, last int64
	tail        map[int64]*chunk // by day
	newest      metering.Point   // valid when haveNewest
	haveNewest  bool
}

// statements run on conn, except getDay. They are used as they are within its
// transactions: binding them to each transaction would parse them again.
type statements struct {
	addSeries, addTail, setPosition *sql.Stmt
	getDay, addBlock, setBlock      *sql.Stmt
	setDay, setTotals               *sql.Stmt
	dropTail                        *sql.Stmt
}

// query calls each with the Scan of every row.
func query(ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, text string, args []any, each func(scan func(...any) error) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// remember puts a point into the memory of the tail.
func (s *Store) remember(st *state, p metering.Point) {
	d := day(p.At)
	c := st.tail[d]
	if c == nil {
		c = &chunk{}
		st.tail[d] = c
	}
	c.add(p)
	s.points++
	if st.haveNewest && p.At >= st.newest.At || !st.haveNewest && (st.points == 0 || p.At >= st.last) {
		st.newest, st.haveNewest = p, true
	}
}

var errClosed = errors.New("the series store is closed")

// Apply implements [series.Store].
func (s *Store) Apply(ctx context.Context, upTo uint64, readings []metering.Reading) error {
	if upTo > math.MaxInt64 {
		return fmt.Errorf("apply: position %d is beyond what can be stored", upTo)
	}
	if err := s.waitForRoom(ctx); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed {
		return fmt.Errorf("apply: %w", errClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	ctx = context.WithoutCancel(ctx) // from here on it is done or fails, never in between
	if upTo <= s.position {          // written under write and mu: may be read under either
		return nil
	}
	points := make([]metering.Point, len(readings))
	states := make([]*state, len(readings))
	fresh, err := s.resolve(readings, states, points)
	if err != nil {
		return err
	}
	row := tailRow{b: make([]byte, 0, 12*len(readings))}
	for i, p := range points {
		row.add(states[i].id, p)
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	defer tx.Rollback()
	for _, st := range fresh {
		if _, err := s.stmts.addSeries.ExecContext(ctx, st.id, string(st.name), string(st.unit)); err != nil {
			return fmt.Errorf("apply: series %s: %w", st.name, err)
		}
	}
	if len(row.b) > 0 {
		if _, err := s.stmts.addTail.ExecContext(ctx, s.seq+1, row.b); err != nil {
			return fmt.Errorf("apply: %w", err)
		}
	}
	if _, err := s.stmts.setPosition.ExecContext(ctx, int64(upTo)); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	s.position = upTo
	s.wal += len(row.b) + pagesOfApply*pageBytes
	if len(row.b) > 0 {
		s.seq++
	}
	for _, st := range fresh {
		s.series[st.name] = st
		s.lastID = max(s.lastID, st.id)
	}
	for i, p := range points {
		s.remember(states[i], p)
	}
	if s.points >= s.max || s.wal >= walBytes {
		s.nudge()
	}
	return nil
}

// resolve checks the readings, finds their series, new ones included, and
// makes points of them. It changes nothing.
func (s *Store) resolve(readings []metering.Reading, states []*state, points []metering.Point) (fresh []*state, err error) {
	byName := map[metering.SeriesID]*state{}
	for i, r := range readings {
		st := s.series[r.Series] // writers hold write, so reading needs no mu
		if st == nil {
			st = byName[r.Series]
		}
		if err := series.Check(r); err != nil {
			return nil, &series.RefusedError{Index: i, Reading: r, Err: err}
		}
		if st == nil {
			st = &state{id: s.lastID + 1 + int64(len(fresh)), name: metering.SeriesID(strings.Clone(string(r.Series))),
				unit: metering.Unit(strings.Clone(string(r.Unit))), tail: map[int64]*chunk{}}
			byName[st.name] = st
			fresh = append(fresh, st)
		}
		if st.unit != r.Unit {
			return nil, &series.RefusedError{Index: i, Reading: r, Err: &series.UnitError{Series: r.Series, Have: st.unit, Got: r.Unit}}
		}
		states[i], points[i] = st, series.Point(r)
	}
	return fresh, nil
}

// waitForRoom holds writers back while the tail is three times too long, so
// that memory stays bounded when packing cannot follow.
func (s *Store) waitForRoom(ctx context.Context) error {
	for {
		s.mu.RLock()
		full, room, err := s.points >= 3*s.max, s.room, s.packErr
		s.mu.RUnlock()
		if !full {
			return nil
		}
		s.nudge()
		if err != nil {
			return fmt.Errorf("the tail is full and cannot be packed: %w", err)
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return errClosed
		}
	}
}

func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Position implements [series.Store].
func (s *Store) Position(context.Context) (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.position, nil
}

// Delete implements [series.Deleter]: it removes all series of the meters
// and rewrites the file without their bytes, which takes its time.
func (s *Store) Delete(ctx context.Context, meters []string) error {
	s.packing.Lock()
	defer s.packing.Unlock()
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed {
		return fmt.Errorf("delete: %w", errClosed)
	}
	var gone, kept []*state
	for _, st := range s.series {
		if slices.Contains(meters, st.name.Meter()) {
			gone = append(gone, st)
		} else {
			kept = append(kept, st)
		}
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	defer tx.Rollback()
	for _, st := range gone {
		for _, q := range []string{
			"DELETE FROM blocks WHERE id IN (SELECT block FROM days WHERE series = ?)",
			"DELETE FROM days WHERE series = ?", "DELETE FROM series WHERE id = ?"} {
			if _, err := tx.ExecContext(ctx, q, st.id); err != nil {
				return fmt.Errorf("delete series %s: %w", st.name, err)
			}
		}
	}
	if err := s.rewriteTail(ctx, s.seq, snapshot(kept)); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	s.mu.Lock()
	err = tx.Commit()
	if err == nil {
		for _, st := range gone {
			delete(s.series, st.name)
			for _, c := range st.tail {
				s.points -= len(c.points)
			}
		}
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if len(gone) == 0 {
		return nil
	}
	// Free pages and the write-ahead log still hold their bytes.
	if _, err := s.conn.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("delete: the series are gone, their bytes not yet: %w", err)
	}
	if err := s.checkpoint(ctx, s.conn, "TRUNCATE"); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// Close stops the packing and closes the file. The tail stays for the next Open.
func (s *Store) Close() error {
	s.write.Lock()
	if s.closed {
		s.write.Unlock()
		if s.readOnly {
			return errors.Join(s.conn.Close(), s.db.Close())
		}
		return nil
	}
	s.closed = true
	s.write.Unlock()
	s.stop()
	<-s.done
	s.packing.Lock() // a Pack under way ends first
	defer s.packing.Unlock()
	s.write.Lock()
	defer s.write.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.checkpoint(ctx, s.conn, "TRUNCATE")
	return errors.Join(err, s.conn.Close(), s.db.Close())
}
