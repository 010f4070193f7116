// Package accounts keeps who may sign in: people, their roles and their
// passwords, hashed with argon2id (RFC 9106).
//
// It has a file of its own, apart from the registry's, so that a copy of the
// registry handed to a verifier holds no password hash.
//
// Guessing is slowed in three ways: a check costs 19 MiB and some tens of
// milliseconds; from the fifth failure in a row an e-mail address is locked for
// a minute, then for twice as long at each further failure, up to an hour; and
// nothing tells whether an address exists: an unknown one costs as much, locks
// the same way and is refused with the same error. The count survives restarts.
package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	_ "embed" // the schema
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/sqlite"
)

//go:embed schema.sql
var schema string

// Errors of this package, wrapped with what was being done.
var (
	// ErrRefused: unknown e-mail address, wrong password or disabled account; it
	// is never said which.
	ErrRefused = errors.New("e-mail address or password is wrong")
	// ErrTooMany: too many failures in a row; see LockedError.
	ErrTooMany = errors.New("too many failed attempts")
	// ErrExists: there is an account with this e-mail address.
	ErrExists = errors.New("an account with this e-mail address exists")
	// ErrNotFound: there is no such account.
	ErrNotFound = errors.New("no such account")
)

// LockedError says until when an address is locked. It is ErrTooMany.
type LockedError struct{ Until time.Time }

func (e *LockedError) Error() string {
	return fmt.Sprintf("%v: locked until %s", ErrTooMany, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap makes it ErrTooMany.
func (e *LockedError) Unwrap() error { return ErrTooMany }

// Account is a person with what administers need to know.
type Account struct {
	access.Person
	Disabled   bool
	CreatedAt  time.Time
	PasswordAt time.Time // sessions older than this are no longer good
	LastSignIn time.Time // zero: never
}

// Accounts is an open file of accounts. It is safe for concurrent use.
type Accounts struct {
	db      *sql.DB
	now     func() time.Time
	cost    Cost
	decoy   hashed // stands in for the hash of an unknown address
	places  chan struct{}
	derived atomic.Int64 // derivations so far; tests compare costs by it
}

// Option changes how accounts are opened.
type Option func(*Accounts)

// WithClock sets the clock; by default it is time.Now.
func WithClock(now func() time.Time) Option { return func(a *Accounts) { a.now = now } }

// WithCost sets the cost of new hashes. When it differs from that of a stored
// one, the next successful sign-in hashes anew.
func WithCost(c Cost) Option { return func(a *Accounts) { a.cost = c } }

// Open opens or creates the file.
func Open(ctx context.Context, path string, options ...Option) (*Accounts, error) {
	a := &Accounts{now: time.Now, cost: DefaultCost, places: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
	for _, o := range options {
		o(a)
	}
	if err := a.cost.check(); err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	db, err := sqlite.Open(ctx, path, sqlite.Full)
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	a.db = db
	if err := a.prepare(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open accounts %s: %w", path, err)
	}
	return a, nil
}

// prepare makes the tables in a new file and a decoy that no password matches.
func (a *Accounts) prepare(ctx context.Context) error {
	err := a.change(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch version {
		case 1:
			return nil
		case 0:
			_, err := tx.ExecContext(ctx, schema+"; PRAGMA user_version = 1;")
			return err
		}
		return fmt.Errorf("schema version %d is newer than this program's 1: use the newer program", version)
	})
	if err != nil {
		return err
	}
	a.decoy = hashed{cost: a.cost, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	if _, err := rand.Read(a.decoy.salt); err != nil {
		return err
	}
	_, err = rand.Read(a.decoy.key)
	return err
}

// Close closes the file.
func (a *Accounts) Close() error { return a.db.Close() }

func (a *Accounts) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// normal is an address as it is stored and compared.
func normal(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func checkEmail(email string) error {
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > 254 {
		return fmt.Errorf("e-mail address %q: not an address", email)
	}
	return nil
}

// Create makes an account. The person's ID is given here.
func (a *Accounts) Create(ctx context.Context, p access.Person, password string) (access.Person, error) {
	p.Email = normal(p.Email)
	if err := errors.Join(checkEmail(p.Email), p.Check(), checkPassword(password, p.Email)); err != nil {
		return access.Person{}, fmt.Errorf("create account: %w", err)
	}
	if p.Language == "" {
		p.Language = "fr"
	}
	id := make([]byte, 12)
	if _, err := rand.Read(id); err != nil {
		return access.Person{}, fmt.Errorf("create account: %w", err)
	}
	p.ID = hex.EncodeToString(id)
	h, err := a.hash(ctx, password)
	if err != nil {
		return access.Person{}, fmt.Errorf("create account %s: %w", p.Email, err)
	}
	now := a.now().UnixMilli()
	err = a.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO accounts (id, email, name, role, company, language, password, created_at, password_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING`,
			p.ID, p.Email, p.Name, p.Role, p.Company, p.Language, h.String(), now, now)
		return touched(res, err, ErrExists)
	})
	if err != nil {
		return access.Person{}, fmt.Errorf("create account %s: %w", p.Email, err)
	}
	return p, nil
}

// touched turns a change of no row into none.
func touched(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return none
	}
	return nil
}

const selectAccounts = "SELECT id, email, name, role, company, language, disabled, created_at, password_at, last_sign_in, password FROM accounts"

func read(s interface{ Scan(...any) error }) (x Account, password string, err error) {
	var created, changed int64
	var signIn sql.NullInt64
	err = s.Scan(&x.ID, &x.Email, &x.Name, &x.Role, &x.Company, &x.Language, &x.Disabled, &created, &changed, &signIn, &password)
	x.CreatedAt, x.PasswordAt = time.UnixMilli(created).UTC(), time.UnixMilli(changed).UTC()
	if signIn.Valid {
		x.LastSignIn = time.UnixMilli(signIn.Int64).UTC()
	}
	return x, password, err
}

// Get returns an account by its id; a handler asks it for every request of a
// session, so that a disabled account is out at once.
func (a *Accounts) Get(ctx context.Context, id string) (Account, error) {
	x, _, err := read(a.db.QueryRowContext(ctx, selectAccounts+" WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Account{}, fmt.Errorf("account %q: %w", id, err)
	}
	return x, nil
}

// List returns all accounts by e-mail address.
func (a *Accounts) List(ctx context.Context) ([]Account, error) {
	rows, err := a.db.QueryContext(ctx, selectAccounts+" ORDER BY email")
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		x, _, err := read(rows)
		if err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		all = append(all, x)
	}
	return all, rows.Err()
}

// Change updates name, role, company and language of the account with p's ID.
func (a *Accounts) Change(ctx context.Context, p access.Person) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("change account: %w", err)
	}
	res, err := a.db.ExecContext(ctx, "UPDATE accounts SET name = ?, role = ?, company = ?, language = ? WHERE id = ?", p.Name, p.Role, p.Company, p.Language, p.ID)
	if err := touched(res, err, ErrNotFound); err != nil {
		return fmt.Errorf("change account %q: %w", p.ID, err)
	}
	return nil
}

// SetPassword sets a new password, which also lifts a lock-out. Sessions that
// began before are to be ended, see Account.PasswordAt.
func (a *Accounts) SetPassword(ctx context.Context, id, password string) error {
	x, err := a.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if err := checkPassword(password, x.Email); err != nil {
		return fmt.Errorf("set password of %s: %w", x.Email, err)
	}
	h, err := a.hash(ctx, password)
	if err != nil {
		return fmt.Errorf("set password of %s: %w", x.Email, err)
	}
	err = a.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE accounts SET password = ?, password_at = ? WHERE id = ?", h.String(), a.now().UnixMilli(), id)
		if err := touched(res, err, ErrNotFound); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM attempts WHERE email_hash = ?", emailHash(x.Email))
		return err
	})
	if err != nil {
		return fmt.Errorf("set password of %s: %w", x.Email, err)
	}
	return nil
}

// Disable refuses an account from now on, or lets it in again.
func (a *Accounts) Disable(ctx context.Context, id string, disabled bool) error {
	res, err := a.db.ExecContext(ctx, "UPDATE accounts SET disabled = ? WHERE id = ?", disabled, id)
	if err := touched(res, err, ErrNotFound); err != nil {
		return fmt.Errorf("disable account %q: %w", id, err)
	}
	return nil
}

func emailHash(email string) []byte { h := sha256.Sum256([]byte(email)); return h[:] }
