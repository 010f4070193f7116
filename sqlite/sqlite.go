// Package sqlite opens SQLite databases the way Thermie needs them: write-ahead
// log, foreign keys, one writer that waits its turn. It is the only package
// that imports the driver (pure Go, no C compiler needed).
package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Durability says what a commit survives.
type Durability string

// Full commits survive a power cut; Normal ones a crash of the process only
// (the last commits may be lost at a power cut, never corrupted). Use Normal
// where the ledger can rebuild what is lost.
const (
	Full   Durability = "FULL"
	Normal Durability = "NORMAL"
)

// Open opens or creates the database file at path, with its folder, both
// readable by their owner only.
func Open(ctx context.Context, path string, d Durability) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	f.Close()
	q := url.Values{}
	for _, p := range []string{"journal_mode(WAL)", "synchronous(" + string(d) + ")", "busy_timeout(10000)", "foreign_keys(1)"} {
		q.Add("_pragma", p)
	}
	q.Set("_txlock", "immediate")
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return db, nil
}
