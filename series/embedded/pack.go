package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/thermie/thermie/metering"
)

const (
	packDays = 128      // blocks written in one transaction, between which writers get their turn
	walBytes = 16 << 20 // bytes written after which the write-ahead log is copied back
	// walFile is the size of the write-ahead log beyond which writers wait until it
	// is copied back whole and begun anew: while they write, it only grows.
	walFile = 64 << 20
)

// view is a snapshot of a chunk.
type view struct {
	st  *state
	day int64
	chunk
}

// snapshot takes the chunks of states, ordered by day and series so that
// blocks of one time lie together. The caller holds mu or write.
func snapshot(states []*state) []view {
	var out []view
	for _, st := range states {
		for d, c := range st.tail {
			out = append(out, view{st, d, *c})
		}
	}
	slices.SortFunc(out, func(a, b view) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.st.id, b.st.id)) })
	return out
}

// keep packs the tail and copies the write-ahead log back whenever woken.
func (s *Store) keep(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.RLock()
		due := s.points >= s.max
		s.mu.RUnlock()
		if due {
			err := s.pack(ctx, false)
			if err != nil && ctx.Err() == nil {
				s.log.Error("series store: packing the tail failed; it is tried again with the next readings", "file", s.path, "error", err)
			}
			s.mu.Lock()
			s.packErr = err
			close(s.room)
			s.room = make(chan struct{})
			s.mu.Unlock()
		}
		s.write.Lock()
		copyBack := s.wal >= walBytes
		s.write.Unlock()
		if copyBack {
			if err := s.checkpoint(ctx, s.db, "PASSIVE"); err != nil && ctx.Err() == nil {
				s.log.Error("series store: checkpoint failed", "file", s.path, "error", err)
			}
			if err := s.cutLog(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("series store: the write-ahead log was not cut", "file", s.path, "error", err)
			}
		}
	}
}

// cutLog begins the write-ahead log anew when it has grown large. Most of it is
// copied back already, so writers wait for little; while a reader still needs
// the old state it is left for the next time.
func (s *Store) cutLog(ctx context.Context) error {
	info, err := os.Stat(s.path + "-wal")
	if err != nil || info.Size() < walFile {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	if s.closed {
		return nil
	}
	return s.checkpoint(ctx, s.conn, "TRUNCATE")
}

// checkpoint copies the write-ahead log into the database. Passive, it makes
// nobody wait.
func (s *Store) checkpoint(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, mode string) error {
	var busy, frames, copied int
	if err := q.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &copied); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if mode == "PASSIVE" {
		s.write.Lock()
		s.wal = 0
		s.write.Unlock()
	}
	return nil
}

// Pack moves the whole tail into blocks now: after an import, or before the
// file is copied.
func (s *Store) Pack(ctx context.Context) error {
	if err := s.pack(ctx, true); err != nil {
		return fmt.Errorf("pack %s: %w", s.path, err)
	}
	return nil
}

// pack moves points from the tail into blocks: all of them, or, where that
// frees at least half of the tail, only the days that are over for their
// series. Writers wait only while a finished group of blocks is stored.
func (s *Store) pack(ctx context.Context, all bool) error {
	s.packing.Lock()
	defer s.packing.Unlock()
	s.write.Lock() // so that seq and chunks belong together
	if s.closed {
		s.write.Unlock()
		return errClosed
	}
	seq := s.seq
	states := make([]*state, 0, len(s.series))
	for _, st := range s.series {
		states = append(states, st)
	}
	views := snapshot(states)
	s.write.Unlock()

	chosen, rest := choose(views, all)
	for group := range slices.Chunk(chosen, packDays) {
		if err := s.packGroup(ctx, group); err != nil {
			return err
		}
	}
	s.write.Lock()
	defer s.write.Unlock()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.rewriteTail(ctx, seq, rest); err != nil {
		return err
	}
	return tx.Commit() // memory has changed with each group
}

func choose(views []view, all bool) (chosen, rest []view) {
	newest := map[*state]int64{}
	total, over := 0, 0
	for _, v := range views {
		newest[v.st] = max(newest[v.st], v.day)
		total += len(v.points)
	}
	for _, v := range views {
		if v.day < newest[v.st] {
			over += len(v.points)
		}
	}
	if all || over < total/2 {
		return views, nil
	}
	for _, v := range views {
		if v.day < newest[v.st] {
			chosen = append(chosen, v)
		} else {
			rest = append(rest, v)
		}
	}
	return chosen, rest
}

// rewriteTail replaces the rows of the tail up to seq by one that holds views,
// within the transaction of conn.
func (s *Store) rewriteTail(ctx context.Context, seq int64, views []view) error {
	if _, err := s.stmts.dropTail.ExecContext(ctx, seq); err != nil {
		return err
	}
	row := tailRow{}
	for _, v := range views {
		for _, p := range v.arrived() {
			row.add(v.st.id, p)
		}
	}
	if len(row.b) == 0 {
		return nil
	}
	_, err := s.stmts.addTail.ExecContext(ctx, seq, row.b)
	return err
}

// packed is a block made and not yet stored.
type packed struct {
	view
	points         int
	first, last    int64
	had            int // points of the block it replaces
	block          int64
	data, segments []byte
}

func (s *Store) packGroup(ctx context.Context, group []view) error {
	made := make([]packed, 0, len(group))
	for _, v := range group {
		p, err := s.packDay(ctx, v)
		if err != nil {
			return fmt.Errorf("series %s, day %d: %w", v.st.name, v.day, err)
		}
		made = append(made, p)
	}
	s.write.Lock()
	defer s.write.Unlock()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	type totals struct {
		points      int
		first, last int64
	}
	changed := map[*state]totals{}
	for _, p := range made {
		if err := s.storeDay(ctx, &p); err != nil {
			return fmt.Errorf("series %s, day %d: %w", p.st.name, p.day, err)
		}
		t, ok := changed[p.st]
		if !ok {
			t = totals{p.st.points, p.st.first, p.st.last}
		}
		if t.points == 0 {
			t.first, t.last = p.first, p.last
		}
		changed[p.st] = totals{t.points + p.points - p.had, min(t.first, p.first), max(t.last, p.last)}
	}
	for st, t := range changed {
		if _, err := s.stmts.setTotals.ExecContext(ctx, t.points, t.first, t.last, st.id); err != nil {
			return fmt.Errorf("series %s: %w", st.name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := tx.Commit(); err != nil {
		return err
	}
	for st, t := range changed {
		st.points, st.first, st.last = t.points, t.first, t.last
	}
	for _, p := range made {
		n := len(p.view.chunk.points)
		s.points -= n
		if c := p.st.tail[p.day]; len(c.points) == n {
			delete(p.st.tail, p.day)
		} else {
			p.st.tail[p.day] = c.after(n)
		}
		s.wal += len(p.data) + len(p.segments)
	}
	return nil
}

// packDay merges a chunk with the block of its day, if there is one. Only the
// holder of packing changes blocks.
func (s *Store) packDay(ctx context.Context, v view) (packed, error) {
	p := packed{view: v}
	var data []byte
	err := s.stmts.getDay.QueryRowContext(ctx, v.st.id, v.day).Scan(&p.had, &p.block, &data)
	var old []metering.Point
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return p, err
	default:
		if old, err = decodeBlock(data, dayMillis); err != nil {
			return p, err
		}
	}
	points := merge(old, v.sorted())
	p.points, p.first, p.last = len(points), points[0].At, points[len(points)-1].At
	p.data, p.segments = encodeBlock(points), encodeSegments(v.day, points)
	return p, nil
}

func (s *Store) storeDay(ctx context.Context, p *packed) error {
	if p.block != 0 {
		if _, err := s.stmts.setBlock.ExecContext(ctx, p.data, p.block); err != nil {
			return err
		}
	} else {
		res, err := s.stmts.addBlock.ExecContext(ctx, p.data)
		if err != nil {
			return err
		}
		if p.block, err = res.LastInsertId(); err != nil {
			return err
		}
	}
	_, err := s.stmts.setDay.ExecContext(ctx, p.st.id, p.day, p.points, p.first, p.last, p.block, p.segments)
	return err
}
