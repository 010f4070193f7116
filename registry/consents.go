package registry

import (
	"context"
	"database/sql"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

const selectConsents = "SELECT company, to_role, what, from_at, until_at, given_by FROM consents"

func readConsent(s scanner) (c Consent, err error) {
	return c, s.Scan(&c.Company, &c.To, &c.What, instant{&c.From}, instant{&c.Until}, &c.GivenBy)
}

// Consents returns all consents that were ever given, the withdrawn ones too;
// of one company, or of all with "".
func (r *Registry) Consents(ctx context.Context, company string) ([]Consent, error) {
	all, err := list(ctx, r.db, readConsent, selectConsents+" WHERE ? IN ('', company) ORDER BY company, to_role, what, from_at", company)
	return all, wrap(err, "consents of company %q", company)
}

// Consent gives a consent. One that lasts already is left as it is.
func (r *Registry) Consent(ctx context.Context, c Consent) error {
	err := c.check()
	if err == nil {
		_, err = r.Company(ctx, c.Company)
	}
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error {
			open, err := one(ctx, tx, readInt, "SELECT count(*) FROM consents WHERE company = ? AND to_role = ? AND what = ? AND from_at <= ? AND until_at IS NULL",
				c.Company, c.To, c.What, c.From.UnixMilli())
			if err != nil || open > 0 {
				return err
			}
			return putConsent(ctx, tx, c)
		})
	}
	return wrap(err, "consent of company %q", c.Company)
}

// putConsent stores a consent; one of the same beginning is only ever shortened.
func putConsent(ctx context.Context, q querier, c Consent) error {
	_, err := q.ExecContext(ctx, `INSERT INTO consents (company, to_role, what, from_at, until_at, given_by) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (company, to_role, what, from_at) DO UPDATE SET until_at = excluded.until_at
		WHERE excluded.until_at IS NOT NULL AND (consents.until_at IS NULL OR excluded.until_at < consents.until_at)`,
		c.Company, c.To, c.What, c.From.UnixMilli(), millis(c.Until), c.GivenBy)
	return err
}

// Withdraw ends a company's consent now; ErrNotFound when none is in force.
func (r *Registry) Withdraw(ctx context.Context, company string, to access.Role, what access.Matter) error {
	now := r.now().UnixMilli()
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE consents SET until_at = max(?, from_at) WHERE company = ? AND to_role = ? AND what = ?
			AND (until_at IS NULL OR until_at > ?)`, now, company, to, what, now)
		return mustTouch(res, err)
	}), "withdraw consent of company %q to %s on %s", company, to, what)
}

// Facts returns what access must know, as it is now: take it anew for each
// request, so that a withdrawn consent counts from the next one on.
func (r *Registry) Facts(ctx context.Context) (access.Facts, error) {
	f := &facts{owner: map[string]string{}, shared: map[string][]string{}, parties: map[string][]metering.Party{}, consents: map[consentKey]bool{}, contacts: map[string][]access.ContactSide{}}
	now := r.now().UnixMilli()
	err := r.view(ctx, func(tx *sql.Tx) error {
		if err := f.load(ctx, tx, now); err != nil {
			return err
		}
		return f.loadContacts(ctx, tx, r)
	})
	if err != nil {
		return nil, wrap(err, "facts")
	}
	return f, nil
}

// ConsentedAt says whether a consent was in force at a moment, for figures of
// closed quarters.
func (r *Registry) ConsentedAt(ctx context.Context, company string, to access.Role, what access.Matter, at time.Time) (bool, error) {
	n, err := one(ctx, r.db, readInt, `SELECT count(*) FROM consents WHERE company = ? AND to_role = ? AND what = ?
		AND from_at <= ? AND (until_at IS NULL OR until_at > ?)`, company, to, what, at.UnixMilli(), at.UnixMilli())
	return n > 0, wrap(err, "consent of company %q", company)
}

type consentKey struct {
	company string
	to      access.Role
	what    access.Matter
}

// facts is one state of the registry; it is not changed after load.
type facts struct {
	owner    map[string]string
	shared   map[string][]string
	parties  map[string][]metering.Party
	consents map[consentKey]bool
	contacts map[string][]access.ContactSide
	group    map[string]string // of a company: its holding, else itself
}

func (f *facts) load(ctx context.Context, q querier, now int64) error {
	pair := func(into func(a, b string)) func(scanner) (struct{}, error) {
		return func(s scanner) (none struct{}, err error) {
			var a, b string
			if err := s.Scan(text{&a}, text{&b}); err != nil {
				return none, err
			}
			into(a, b)
			return none, nil
		}
	}
	_, err := list(ctx, q, pair(func(meter, company string) { f.owner[meter] = company }), "SELECT id, company FROM meters")
	if err != nil {
		return err
	}
	_, err = list(ctx, q, pair(func(meter, synergy string) { f.shared[meter] = append(f.shared[meter], synergy) }), "SELECT meter, synergy FROM shared_meters ORDER BY synergy")
	if err != nil {
		return err
	}
	_, err = list(ctx, q, func(s scanner) (none struct{}, err error) {
		var synergy string
		var p metering.Party
		if err := s.Scan(&synergy, &p.Company, &p.Role); err != nil {
			return none, err
		}
		f.parties[synergy] = append(f.parties[synergy], p)
		return none, nil
	}, "SELECT synergy, company, role FROM parties ORDER BY synergy, position")
	if err != nil {
		return err
	}
	_, err = list(ctx, q, func(s scanner) (none struct{}, err error) {
		c, err := readConsent(s)
		if err == nil {
			f.consents[consentKey{c.Company, c.To, c.What}] = true
		}
		return none, err
	}, selectConsents+" WHERE from_at <= ? AND (until_at IS NULL OR until_at > ?)", now, now)
	return err
}

func (f *facts) MeterCompany(meter string) (string, bool)       { c, ok := f.owner[meter]; return c, ok }
func (f *facts) MeterSynergies(meter string) []string           { return f.shared[meter] }
func (f *facts) SynergyParties(synergy string) []metering.Party { return f.parties[synergy] }
func (f *facts) Consented(c string, to access.Role, what access.Matter) bool {
	return f.consents[consentKey{c, to, what}]
}
