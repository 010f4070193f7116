package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/access"
)

// Lock-out: so many failures in a row are free; then the lock doubles.
const (
	freeFailures = 5
	firstLock    = time.Minute
	longestLock  = time.Hour
	forgetAfter  = 24 * time.Hour
)

// Check answers who signs in. A failure is ErrRefused, or ErrTooMany while the
// address is locked, even if the password is right.
func (a *Accounts) Check(ctx context.Context, email, password string) (access.Person, error) {
	email = normal(email)
	if len(email) > 254 || len(password) > maxPassword {
		return access.Person{}, ErrRefused // nobody has these; do not count or hash them
	}
	// The attempt counts as failed before the hash is computed, so that many at
	// once are not all let through.
	if err := a.attempt(ctx, email); err != nil {
		return access.Person{}, err
	}
	x, stored, err := read(a.db.QueryRowContext(ctx, selectAccounts+" WHERE email = ?", email))
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return access.Person{}, fmt.Errorf("check password: %w", err)
	}
	h := a.decoy
	if known {
		if h, err = parseHashed(stored); err != nil {
			return access.Person{}, fmt.Errorf("check password of account %s: %w", x.ID, err)
		}
	}
	ok, err := a.matches(ctx, password, h)
	if err != nil {
		return access.Person{}, fmt.Errorf("check password: %w", err)
	}
	if !ok || !known || x.Disabled {
		return access.Person{}, ErrRefused
	}
	if err := a.signedIn(ctx, x, password, h); err != nil {
		return access.Person{}, fmt.Errorf("check password of account %s: %w", x.ID, err)
	}
	return x.Person, nil
}

// attempt counts one more failure, or returns a LockedError.
func (a *Accounts) attempt(ctx context.Context, email string) error {
	now := a.now()
	return a.change(ctx, func(tx *sql.Tx) error {
		var failures int
		var last, lockedUntil int64
		err := tx.QueryRowContext(ctx, "SELECT failures, last_at, locked_until FROM attempts WHERE email_hash = ?", emailHash(email)).Scan(&failures, &last, &lockedUntil)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("count attempts: %w", err)
		}
		if now.UnixMilli() < lockedUntil {
			return &LockedError{Until: time.UnixMilli(lockedUntil).UTC()}
		}
		if now.Sub(time.UnixMilli(last)) >= forgetAfter {
			failures = 0
		}
		failures++
		until := int64(0)
		if failures >= freeFailures {
			until = now.Add(lockAfter(failures)).UnixMilli()
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO attempts VALUES (?, ?, ?, ?) ON CONFLICT (email_hash) DO UPDATE SET
			failures = excluded.failures, last_at = excluded.last_at, locked_until = excluded.locked_until`,
			emailHash(email), failures, now.UnixMilli(), until); err != nil {
			return fmt.Errorf("count attempts: %w", err)
		}
		// Addresses that somebody tried once do not stay for ever.
		_, err = tx.ExecContext(ctx, "DELETE FROM attempts WHERE last_at < ?", now.Add(-forgetAfter).UnixMilli())
		return err
	})
}

// lockAfter is how long an address is locked after so many failures in a row.
func lockAfter(failures int) time.Duration {
	d := firstLock
	for i := freeFailures; i < failures && d < longestLock; i++ {
		d *= 2
	}
	return min(d, longestLock)
}

// signedIn forgets the failures and, where the cost has changed, hashes anew.
func (a *Accounts) signedIn(ctx context.Context, x Account, password string, h hashed) error {
	fresh := ""
	if h.cost != a.cost {
		n, err := a.hash(ctx, password)
		if err != nil {
			return err
		}
		fresh = n.String()
	}
	return a.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE email_hash = ?", emailHash(x.Email)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET last_sign_in = ? WHERE id = ?", a.now().UnixMilli(), x.ID); err != nil {
			return err
		}
		if fresh == "" {
			return nil
		}
		// Only if the password was not changed meanwhile.
		_, err := tx.ExecContext(ctx, "UPDATE accounts SET password = ? WHERE id = ? AND password = ?", fresh, x.ID, h.String())
		return err
	})
}
