package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/thermie/thermie/metering"
)

const selectDeclarations = "SELECT id, declared_at, synergy, from_at, to_at, indicator, amount, half90, flow, evidence, company, declared_by FROM declarations d"

func readDeclaration(s scanner) (d Declaration, err error) {
	var amount, half, evidence string
	err = s.Scan(&d.ID, instant{&d.DeclaredAt}, &d.Synergy, instant{&d.From}, instant{&d.To}, &d.Indicator, &amount, &half, &d.Flow, &evidence, text{&d.Company}, &d.DeclaredBy)
	if err != nil {
		return d, err
	}
	if d.Amount, err = metering.ParseDecimal(amount); err != nil {
		return d, fmt.Errorf("declaration %s: %w", d.ID, err)
	}
	if d.Half90, err = metering.ParseDecimal(half); err != nil {
		return d, fmt.Errorf("declaration %s: %w", d.ID, err)
	}
	return d, json.Unmarshal([]byte(evidence), &d.Evidence)
}

// Declarations returns what counts for a synergy in [from, to): of the
// declarations with one id the latest, if its period overlaps; by beginning.
func (r *Registry) Declarations(ctx context.Context, synergy string, from, to time.Time) ([]Declaration, error) {
	all, err := list(ctx, r.db, readDeclaration, selectDeclarations+` WHERE synergy = ? AND from_at < ? AND to_at > ?
		AND declared_at = (SELECT max(declared_at) FROM declarations e WHERE e.id = d.id) ORDER BY from_at, id`, synergy, to.UnixMilli(), from.UnixMilli())
	return all, wrap(err, "declarations for synergy %q", synergy)
}

// DeclarationHistory returns every word that was given for a synergy,
// corrected ones included, in the order of entry.
func (r *Registry) DeclarationHistory(ctx context.Context, synergy string) ([]Declaration, error) {
	all, err := list(ctx, r.db, readDeclaration, selectDeclarations+" WHERE synergy = ? ORDER BY declared_at, id", synergy)
	return all, wrap(err, "declarations for synergy %q", synergy)
}

// Declare stores a declaration, or a correction under the same id with a later
// time.
func (r *Registry) Declare(ctx context.Context, d Declaration) error {
	err := d.check()
	if err == nil {
		_, err = r.Synergy(ctx, d.Synergy)
	}
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error { return putDeclaration(ctx, tx, d) })
	}
	return wrap(err, "declaration %q", d.ID)
}

func putDeclaration(ctx context.Context, q querier, d Declaration) error {
	evidence, err := json.Marshal(d.Evidence)
	if err != nil {
		return err
	}
	old, err := list(ctx, q, readDeclaration, selectDeclarations+" WHERE id = ? ORDER BY declared_at", d.ID)
	if err != nil {
		return err
	}
	for _, o := range old {
		if o.Synergy != d.Synergy {
			return fmt.Errorf("the id is taken by a declaration for synergy %s", o.Synergy)
		}
		if !sameInstant(o.DeclaredAt, d.DeclaredAt) {
			continue
		}
		was, err := json.Marshal(o.Evidence)
		if err != nil {
			return err
		}
		same := sameInstant(o.From, d.From) && sameInstant(o.To, d.To) && o.Indicator == d.Indicator && o.Amount.Equal(d.Amount) &&
			o.Half90.Equal(d.Half90) && o.Flow == d.Flow && o.Company == d.Company && o.DeclaredBy == d.DeclaredBy && len(was) == len(evidence)
		if same {
			return nil
		}
		return fmt.Errorf("declared at that time with other content: a correction needs a later declared_at: %w", ErrLocked)
	}
	// Two declarations of one indicator over overlapping periods would count twice.
	clash, err := list(ctx, q, readString, `SELECT id FROM declarations d WHERE synergy = ? AND indicator = ? AND id <> ? AND from_at < ? AND to_at > ?
		AND company IS ? AND declared_at = (SELECT max(declared_at) FROM declarations e WHERE e.id = d.id)`,
		d.Synergy, d.Indicator, d.ID, d.To.UnixMilli(), d.From.UnixMilli(), orNull(d.Company))
	if err != nil {
		return err
	}
	if len(clash) > 0 {
		return fmt.Errorf("its period overlaps that of declaration %s of the same indicator", clash[0])
	}
	_, err = q.ExecContext(ctx, `INSERT INTO declarations (id, declared_at, synergy, from_at, to_at, indicator, amount, half90, flow, evidence, company, declared_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, d.ID, d.DeclaredAt.UnixMilli(), d.Synergy, d.From.UnixMilli(), d.To.UnixMilli(), d.Indicator,
		d.Amount.String(), d.Half90.String(), d.Flow, string(evidence), orNull(d.Company), d.DeclaredBy)
	return err
}

func readFlow(s scanner) (f Flow, err error) {
	var amount string
	if err := s.Scan(&f.ID, &f.Company, &f.Resource, &f.Direction, &amount, &f.Unit, &f.Quality.FR, &f.Quality.EN); err != nil {
		return f, err
	}
	f.Amount, err = metering.ParseDecimal(amount)
	return f, err
}

// Flows returns the declared inventory in the order of the programme.
func (r *Registry) Flows(ctx context.Context) ([]Flow, error) {
	all, err := list(ctx, r.db, readFlow, "SELECT id, company, resource, direction, amount, unit, quality_fr, quality_en FROM flows ORDER BY position, id")
	return all, wrap(err, "flows")
}

// Cards returns the heat assets in the order of the programme.
func (r *Registry) Cards(ctx context.Context) ([]Card, error) {
	all, err := list(ctx, r.db, readJSON[Card], "SELECT card FROM cards ORDER BY position, id")
	return all, wrap(err, "cards")
}

// readJSON reads a row of one JSON column.
func readJSON[T any](s scanner) (x T, err error) {
	var b []byte
	if err := s.Scan(&b); err != nil {
		return x, err
	}
	return x, json.Unmarshal(b, &x)
}
