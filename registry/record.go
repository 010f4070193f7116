package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Report is a closed quarter. A correction is a further revision, with a reason.
type Report struct {
	Quarter     calendar.Quarter `json:"quarter"`
	Revision    int              `json:"revision"`     // 1, 2 ...
	Hash        string           `json:"hash"`         // SHA-256 of its manifest, hexadecimal
	LedgerIndex uint64           `json:"ledger_index"` // the leaf that seals it
	Path        string           `json:"path"`         // folder, relative to the data folder
	SealedBy    string           `json:"sealed_by"`
	SealedAt    time.Time        `json:"sealed_at"`
	Reason      string           `json:"reason,omitempty"` // why a revision was needed
}

const selectReports = "SELECT quarter, revision, hash, ledger_index, path, sealed_by, sealed_at, reason FROM reports"

func readReport(s scanner) (r Report, err error) {
	var quarter string
	if err := s.Scan(&quarter, &r.Revision, &r.Hash, &r.LedgerIndex, &r.Path, &r.SealedBy, instant{&r.SealedAt}, &r.Reason); err != nil {
		return r, err
	}
	r.Quarter, err = calendar.ParseQuarter(quarter)
	return r, err
}

// AddReport records a sealed report. Revisions follow one another, and every
// one after the first says why; a stored one gives ErrLocked, unless it is the same.
func (r *Registry) AddReport(ctx context.Context, x Report) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		old, err := list(ctx, tx, readReport, selectReports+" WHERE quarter = ? ORDER BY revision", x.Quarter.String())
		if err != nil {
			return err
		}
		switch {
		case x.Revision >= 1 && x.Revision <= len(old):
			if old[x.Revision-1].Hash == x.Hash {
				return nil
			}
			return fmt.Errorf("it is sealed: %w", ErrLocked)
		case x.Revision != len(old)+1:
			return fmt.Errorf("the last revision is %d: revisions follow one another", len(old))
		case x.Revision > 1 && x.Reason == "":
			return errors.New("a revision says why it was needed")
		case x.Hash == "" || x.SealedBy == "" || x.SealedAt.IsZero():
			return errors.New("needs hash, sealed_by and sealed_at")
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			x.Quarter.String(), x.Revision, x.Hash, int64(x.LedgerIndex), x.Path, x.SealedBy, x.SealedAt.UnixMilli(), x.Reason)
		return err
	}), "report of %s, revision %d", x.Quarter, x.Revision)
}

// Reports returns all revisions of all quarters, the latest quarter and its
// last revision first.
func (r *Registry) Reports(ctx context.Context) ([]Report, error) {
	all, err := list(ctx, r.db, readReport, selectReports+" ORDER BY quarter DESC, revision DESC")
	return all, wrap(err, "reports")
}

// Report returns a revision of a quarter's report; revision 0 asks for the last.
func (r *Registry) Report(ctx context.Context, q calendar.Quarter, revision int) (Report, error) {
	x, err := one(ctx, r.db, readReport, selectReports+" WHERE quarter = ? AND ? IN (0, revision) ORDER BY revision DESC LIMIT 1", q.String(), revision)
	return x, wrap(err, "report of %s, revision %d", q, revision)
}

// Act is one line of the audit trail.
type Act struct {
	At      time.Time `json:"at"` // zero: now
	Who     string    `json:"who"`
	What    string    `json:"what"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail,omitempty"`
}

// Audit appends to the audit trail; nothing is ever taken from it.
func (r *Registry) Audit(ctx context.Context, a Act) error {
	if a.At.IsZero() {
		a.At = r.now()
	}
	return wrap(r.change(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, a) }), "audit trail")
}

func audit(ctx context.Context, q querier, a Act) error {
	if a.Who == "" || a.What == "" {
		return fmt.Errorf("who %q did what %q?", a.Who, a.What)
	}
	_, err := q.ExecContext(ctx, "INSERT INTO audit (at, who, what, subject, detail) VALUES (?, ?, ?, ?, ?)", a.At.UnixMilli(), a.Who, a.What, a.Subject, a.Detail)
	return err
}

// AuditTrail returns the last acts, newest first, at most max.
func (r *Registry) AuditTrail(ctx context.Context, max int) ([]Act, error) {
	all, err := list(ctx, r.db, func(s scanner) (a Act, err error) {
		return a, s.Scan(instant{&a.At}, &a.Who, &a.What, &a.Subject, &a.Detail)
	}, "SELECT at, who, what, subject, detail FROM audit ORDER BY id DESC LIMIT ?", max)
	return all, wrap(err, "audit trail")
}

// NumberedAct is an act with its number in the audit trail: 1, 2, 3 ...
type NumberedAct struct {
	Number int64
	Act
}

// ActsAfter returns the acts with numbers above number, in their order, at most max.
func (r *Registry) ActsAfter(ctx context.Context, number int64, max int) ([]NumberedAct, error) {
	all, err := list(ctx, r.db, func(s scanner) (a NumberedAct, err error) {
		return a, s.Scan(&a.Number, instant{&a.At}, &a.Who, &a.What, &a.Subject, &a.Detail)
	}, "SELECT id, at, who, what, subject, detail FROM audit WHERE id > ? ORDER BY id LIMIT ?", number, max)
	return all, wrap(err, "audit trail after %d", number)
}
