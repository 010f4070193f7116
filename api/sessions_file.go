package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/sqlite"
)

// FileSessions keeps sessions in a SQLite file, so that a restart signs nobody
// out. It holds hashes of tokens and who is signed in: no password, no token.
type FileSessions struct {
	db    *sql.DB
	clock func() time.Time
}

// OpenSessions opens or creates the file; clock nil is time.Now,
// which is what the lifetimes of sessions follow.
func OpenSessions(ctx context.Context, path string, clock func() time.Time) (*FileSessions, error) {
	if clock == nil {
		clock = time.Now
	}
	db, err := sqlite.Open(ctx, path, sqlite.Normal)
	if err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	f := &FileSessions{db: db, clock: clock}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry INTEGER NOT NULL) STRICT`)
	if err == nil {
		_, err = db.ExecContext(ctx, "DELETE FROM sessions WHERE expiry <= ?", clock().UnixMilli())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open sessions %s: %w", path, err), db.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *FileSessions) Close() error { return f.db.Close() }

// Find returns what was committed under a token, unless it has ended.
func (f *FileSessions) Find(token string) (data []byte, found bool, err error) {
	err = f.db.QueryRow("SELECT data FROM sessions WHERE token = ? AND expiry > ?", token, f.clock().UnixMilli()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	return data, true, nil
}

// Commit stores a session and forgets those that have ended.
func (f *FileSessions) Commit(token string, b []byte, expiry time.Time) error {
	if _, err := f.db.Exec("INSERT INTO sessions VALUES (?, ?, ?) ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry",
		token, b, expiry.UnixMilli()); err != nil {
		return fmt.Errorf("commit session: %w", err)
	}
	if _, err := f.db.Exec("DELETE FROM sessions WHERE expiry <= ?", f.clock().UnixMilli()); err != nil {
		return fmt.Errorf("forget sessions: %w", err)
	}
	return nil
}

// Delete ends a session.
func (f *FileSessions) Delete(token string) error {
	if _, err := f.db.Exec("DELETE FROM sessions WHERE token = ?", token); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
