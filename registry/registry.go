package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/sqlite"
)

// Errors, wrapped with what was asked for.
var (
	// ErrNotFound: there is no such thing in the registry.
	ErrNotFound = errors.New("not found")
	// ErrLocked: it was approved, sealed or published, and does not change any more.
	ErrLocked = errors.New("locked")
)

// Registry is an open registry. It is safe for concurrent use.
type Registry struct {
	db  *sql.DB
	now func() time.Time
}

// Option changes how a registry is opened.
type Option func(*Registry)

// WithClock sets the clock; by default it is time.Now. Consents are in force,
// and alarms close, by it.
func WithClock(now func() time.Time) Option { return func(r *Registry) { r.now = now } }

// Open opens or creates the registry's file and brings its schema up to date.
// A file written by a newer version of Thermie is refused.
func Open(ctx context.Context, path string, options ...Option) (*Registry, error) {
	r := &Registry{now: time.Now}
	for _, o := range options {
		o(r)
	}
	db, err := sqlite.Open(ctx, path, sqlite.Full)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if err := migrate(ctx, db, latest); err != nil {
		db.Close()
		return nil, fmt.Errorf("open registry %s: %w", path, err)
	}
	r.db = db
	return r, nil
}

// Close closes the file.
func (r *Registry) Close() error { return r.db.Close() }

// change runs f in one transaction that takes the write lock at once.
func (r *Registry) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// view runs f on one consistent state of the registry.
func (r *Registry) view(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(tx)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// scanner is one row.
type scanner interface{ Scan(into ...any) error }

// list runs a query and collects what read makes of each row.
func list[T any](ctx context.Context, q querier, read func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		x, err := read(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// one is list for a query of at most one row; none is ErrNotFound.
func one[T any](ctx context.Context, q querier, read func(scanner) (T, error), query string, args ...any) (T, error) {
	all, err := list(ctx, q, read, query, args...)
	if err != nil || len(all) == 0 {
		var zero T
		if err == nil {
			err = ErrNotFound
		}
		return zero, err
	}
	return all[0], nil
}

// wrap says what was being done; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("registry: "+format+": %w", append(args, err)...)
}

// millis is an instant as it is stored; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// instant scans what millis stored.
type instant struct{ t *time.Time }

func (i instant) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*i.t = time.Time{}
	case int64:
		*i.t = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("instant: stored as %T", v)
	}
	return nil
}

// orNull stores "" as NULL, for references that may be absent.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// text scans a string that may be NULL.
type text struct{ s *string }

func (t text) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t.s = ""
	case string:
		*t.s = v
	default:
		return fmt.Errorf("text: stored as %T", v)
	}
	return nil
}
