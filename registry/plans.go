package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const selectPlans = "SELECT synergy, version, body, hash, valid_from, approved_by, approved_at FROM plans"

func readPlan(s scanner) (p Plan, err error) {
	return p, s.Scan(&p.Synergy, &p.Version, &p.Body, &p.Hash, instant{&p.ValidFrom}, text{&p.ApprovedBy}, instant{&p.ApprovedAt})
}

// Plans returns all versions of a synergy's plan, oldest first, drafts included.
func (r *Registry) Plans(ctx context.Context, synergy string) ([]Plan, error) {
	all, err := versions(ctx, r.db, synergy)
	return all, wrap(err, "plans of synergy %q", synergy)
}

// PlanOf returns the approved plan that figures of a moment follow: the highest
// version whose validity has begun by then.
func (r *Registry) PlanOf(ctx context.Context, synergy string, at time.Time) (Plan, error) {
	p, err := one(ctx, r.db, readPlan, selectPlans+` WHERE synergy = ? AND approved_at IS NOT NULL
		AND coalesce(valid_from, approved_at) <= ? ORDER BY version DESC LIMIT 1`, synergy, at.UnixMilli())
	return p, wrap(err, "approved plan of synergy %q at %s", synergy, at.UTC().Format(time.RFC3339))
}

// PlanByHash returns the plan that a result names.
func (r *Registry) PlanByHash(ctx context.Context, hash string) (Plan, error) {
	p, err := one(ctx, r.db, readPlan, selectPlans+" WHERE hash = ? ORDER BY version DESC LIMIT 1", hash)
	return p, wrap(err, "plan %q", hash)
}

// PutPlan stores a draft or an approved version. A version follows the last
// one; a draft may be overwritten, an approved one gives ErrLocked.
func (r *Registry) PutPlan(ctx context.Context, p Plan) error {
	err := p.check()
	if err == nil {
		_, err = r.Synergy(ctx, p.Synergy)
	}
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error { return putPlan(ctx, tx, p) })
	}
	return wrap(err, "plan of synergy %q, version %d", p.Synergy, p.Version)
}

// check is that of a programme, for a plan that comes alone.
func (p Plan) check() error {
	if err := (&Programme{Plans: []Plan{p}}).nameBodies(); err != nil {
		return err
	}
	c := checker{}
	c.plan(p)
	return errors.Join(c.errs...)
}

func versions(ctx context.Context, q querier, synergy string) ([]Plan, error) {
	return list(ctx, q, readPlan, selectPlans+" WHERE synergy = ? ORDER BY version", synergy)
}

func putPlan(ctx context.Context, q querier, p Plan) error {
	old, err := versions(ctx, q, p.Synergy)
	if err != nil {
		return err
	}
	hash := hashOf(p.Body)
	if p.Version > len(old)+1 {
		return fmt.Errorf("the last version is %d: versions follow one another", len(old))
	}
	if p.Version <= len(old) {
		was := old[p.Version-1]
		if was.Approved() {
			same := was.Hash == hash && sameInstant(was.ApprovedAt, p.ApprovedAt) && was.ApprovedBy == p.ApprovedBy && sameInstant(was.ValidFrom, p.ValidFrom)
			if same || !p.Approved() && was.Hash == hash {
				return nil // approved here since the file was written
			}
			return fmt.Errorf("approved by %s: a change is version %d: %w", was.ApprovedBy, len(old)+1, ErrLocked)
		}
	}
	_, err = q.ExecContext(ctx, `INSERT INTO plans (synergy, version, body, hash, valid_from, approved_by, approved_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (synergy, version) DO UPDATE SET body = excluded.body, hash = excluded.hash, valid_from = excluded.valid_from,
		approved_by = excluded.approved_by, approved_at = excluded.approved_at`,
		p.Synergy, p.Version, p.Body, hash, millis(p.ValidFrom), orNull(p.ApprovedBy), millis(p.ApprovedAt))
	return err
}

// ApprovePlan approves a draft, which locks it. hash says which body was read
// before approving, so that nobody approves what was changed meanwhile.
func (r *Registry) ApprovePlan(ctx context.Context, synergy string, version int, hash, by string) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		p, err := one(ctx, tx, readPlan, selectPlans+" WHERE synergy = ? AND version = ?", synergy, version)
		switch {
		case err != nil:
			return err
		case by == "":
			return errors.New("by whom?")
		case p.Approved():
			return fmt.Errorf("approved by %s already: %w", p.ApprovedBy, ErrLocked)
		case p.Hash != hash:
			return fmt.Errorf("it was changed since: its hash is %s", p.Hash)
		}
		_, err = tx.ExecContext(ctx, "UPDATE plans SET approved_by = ?, approved_at = ? WHERE synergy = ? AND version = ?", by, r.now().UnixMilli(), synergy, version)
		return err
	}), "approve plan of synergy %q, version %d", synergy, version)
}

const selectFactors = "SELECT id, version, valid_from, body, hash FROM factor_sets"

func readFactors(s scanner) (f FactorSet, err error) {
	return f, s.Scan(&f.ID, &f.Version, instant{&f.ValidFrom}, &f.Body, &f.Hash)
}

// Factors returns the set that figures of a moment use: the one whose validity
// began last before it, of equals the highest version.
func (r *Registry) Factors(ctx context.Context, at time.Time) (FactorSet, error) {
	f, err := one(ctx, r.db, readFactors, selectFactors+" WHERE valid_from <= ? ORDER BY valid_from DESC, version DESC, id LIMIT 1", at.UnixMilli())
	return f, wrap(err, "factor set at %s", at.UTC().Format(time.RFC3339))
}

// FactorSets returns all versions of all sets, in order of validity.
func (r *Registry) FactorSets(ctx context.Context) ([]FactorSet, error) {
	all, err := list(ctx, r.db, readFactors, selectFactors+" ORDER BY valid_from, version, id")
	return all, wrap(err, "factor sets")
}

// PutFactors stores a new version of a set; one that is stored gives ErrLocked,
// unless it is the same.
func (r *Registry) PutFactors(ctx context.Context, f FactorSet) error {
	c := checker{}
	c.factors(f)
	err := errors.Join(c.errs...)
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error { return putFactors(ctx, tx, f) })
	}
	return wrap(err, "factor set %s", f.Ref())
}

func putFactors(ctx context.Context, q querier, f FactorSet) error {
	hash := hashOf(f.Body)
	old, err := list(ctx, q, readFactors, selectFactors+" WHERE id = ? AND version = ?", f.ID, f.Version)
	if err != nil {
		return err
	}
	if len(old) > 0 {
		if old[0].Hash == hash && sameInstant(old[0].ValidFrom, f.ValidFrom) {
			return nil
		}
		return fmt.Errorf("stored with other content: a change is a new version: %w", ErrLocked)
	}
	_, err = q.ExecContext(ctx, "INSERT INTO factor_sets (id, version, valid_from, body, hash) VALUES (?, ?, ?, ?, ?)", f.ID, f.Version, f.ValidFrom.UnixMilli(), f.Body, hash)
	return err
}

// sameInstant compares as stored, to the millisecond.
func sameInstant(a, b time.Time) bool { return millis(a) == millis(b) }
