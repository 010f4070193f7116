package registry

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// latest asks migrate for the newest schema.
const latest = -1

// migrate brings the schema to a version: migration N is the Nth file by name,
// and the database's user_version counts those that ran. Each runs in one
// transaction with its number, so that a crash leaves either schema, and two
// processes that open the same file do not run one twice.
func migrate(ctx context.Context, db *sql.DB, to int) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	if to == latest {
		to = len(names)
	}
	for {
		done, err := step(ctx, db, names, to)
		if err != nil || done {
			return err
		}
	}
}

func step(ctx context.Context, db *sql.DB, names []string, to int) (done bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("schema: %w", err)
	}
	defer tx.Rollback()
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return false, fmt.Errorf("schema version: %w", err)
	}
	if version > len(names) {
		return false, fmt.Errorf("schema version %d is newer than this program's %d: use the newer program", version, len(names))
	}
	if version >= to {
		return true, nil
	}
	name := names[version]
	text, err := migrations.ReadFile(name)
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return false, fmt.Errorf("schema: %s: %w", strings.TrimPrefix(name, "migrations/"), err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1)); err != nil {
		return false, fmt.Errorf("schema version %d: %w", version+1, err)
	}
	return false, tx.Commit()
}
