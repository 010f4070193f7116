package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/sqlite"
)

// Open opens or creates the store in dir. Only one process may have it open.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	path := filepath.Join(dir, "series.db")
	if o.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open series store: %w", err)
		}
	}
	db, err := sqlite.Open(ctx, path, sqlite.Normal)
	if err != nil {
		return nil, fmt.Errorf("open series store: %w", err)
	}
	s := &Store{path: path, db: db, log: o.Log, max: o.TailPoints, readOnly: o.ReadOnly,
		series: map[metering.SeriesID]*state{},
		wake:   make(chan struct{}, 1), room: make(chan struct{}), done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.max <= 0 {
		s.max = defaultTail
	}
	if err := s.load(ctx, o); err != nil {
		db.Close()
		return nil, fmt.Errorf("open series store %s: %w", path, err)
	}
	if o.ReadOnly {
		s.closed, s.stop = true, func() {} // nothing may write
		close(s.done)
		return s, nil
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.keep(work)
	s.nudge()
	return s, nil
}

func (s *Store) load(ctx context.Context, o Options) (err error) {
	s.db.SetMaxIdleConns(8)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if o.ReadOnly {
		if _, err := s.conn.ExecContext(ctx, "PRAGMA query_only = 1"); err != nil {
			return err
		}
		if err := s.known(ctx); err != nil {
			return err
		}
		// One state for series and tail: another process may be packing.
		if _, err := s.conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
			return err
		}
		return errors.Join(s.loadTail(ctx), end(ctx, s.conn))
	}
	if err := s.create(ctx); err != nil {
		return err
	}
	// Checkpoints are made beside the writing, see keep.
	for _, p := range []string{"wal_autocheckpoint = 0", "cache_size = -32768"} {
		if _, err := s.conn.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return err
		}
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	return s.loadTail(ctx)
}

// create lays out a new database and refuses one of another layout.
func (s *Store) create(ctx context.Context) error {
	var tables int
	if err := s.conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		// Large pages waste less at the ends of blocks; their size can only be
		// chosen outside the write-ahead mode.
		for _, p := range []string{"PRAGMA journal_mode = DELETE", fmt.Sprint("PRAGMA page_size = ", pageBytes), "VACUUM", "PRAGMA journal_mode = WAL"} {
			if _, err := s.conn.ExecContext(ctx, p); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
		}
		tx, err := s.conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		return tx.Commit()
	}
	return s.known(ctx)
}

// end ends a transaction that only read.
func end(ctx context.Context, c *sql.Conn) error {
	_, err := c.ExecContext(ctx, "COMMIT")
	return err
}

// known refuses a database of another layout.
func (s *Store) known(ctx context.Context) error {
	var have int
	err := s.conn.QueryRowContext(ctx, "SELECT number FROM meta WHERE name = 'layout'").Scan(&have)
	if err != nil {
		return fmt.Errorf("this is no series store: %w", err)
	}
	if have != layout {
		return fmt.Errorf("its layout is %d and this program knows %d: rebuild it from the ledger", have, layout)
	}
	return nil
}

func (s *Store) prepare(ctx context.Context) error {
	var errs []error
	stmt := func(q string) *sql.Stmt {
		st, err := s.conn.PrepareContext(ctx, q)
		errs = append(errs, err)
		return st
	}
	s.stmts = statements{
		addSeries:   stmt("INSERT INTO series (id, name, unit) VALUES (?, ?, ?)"),
		addTail:     stmt("INSERT OR REPLACE INTO tail (seq, data) VALUES (?, ?)"),
		setPosition: stmt("UPDATE meta SET number = ? WHERE name = 'position'"),
		addBlock:    stmt("INSERT INTO blocks (data) VALUES (?)"),
		setBlock:    stmt("UPDATE blocks SET data = ? WHERE id = ?"),
		setDay:      stmt("INSERT OR REPLACE INTO days (series, day, points, first_at, last_at, block, segments) VALUES (?, ?, ?, ?, ?, ?, ?)"),
		setTotals:   stmt("UPDATE series SET points = ?, first_at = ?, last_at = ? WHERE id = ?"),
		dropTail:    stmt("DELETE FROM tail WHERE seq <= ?"),
	}
	var err error
	s.stmts.getDay, err = s.db.PrepareContext(ctx,
		"SELECT d.points, d.block, b.data FROM days d JOIN blocks b ON b.id = d.block WHERE d.series = ? AND d.day = ?")
	return errors.Join(append(errs, err)...)
}

func (s *Store) loadTail(ctx context.Context) error {
	var position int64
	if err := s.conn.QueryRowContext(ctx, "SELECT number FROM meta WHERE name = 'position'").Scan(&position); err != nil {
		return fmt.Errorf("read the position: %w", err)
	}
	s.position = uint64(position)
	byID := map[int64]*state{}
	err := query(ctx, s.conn, "SELECT id, name, unit, points, first_at, last_at FROM series", nil, func(scan func(...any) error) error {
		st := &state{tail: map[int64]*chunk{}}
		if err := scan(&st.id, &st.name, &st.unit, &st.points, &st.first, &st.last); err != nil {
			return err
		}
		byID[st.id], s.series[st.name] = st, st
		s.lastID = max(s.lastID, st.id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the series: %w", err)
	}
	err = query(ctx, s.conn, "SELECT seq, data FROM tail ORDER BY seq", nil, func(scan func(...any) error) error {
		var data []byte
		if err := scan(&s.seq, &data); err != nil {
			return err
		}
		return eachTailPoint(data, func(id int64, p metering.Point) error {
			st := byID[id]
			if st == nil {
				return fmt.Errorf("series number %d is not known", id)
			}
			s.remember(st, p)
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("read the tail: %w", err)
	}
	return nil
}
