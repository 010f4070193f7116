package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/thermie/thermie/metering"
)

func readString(s scanner) (v string, err error) { return v, s.Scan(&v) }
func readInt(s scanner) (v int64, err error)     { return v, s.Scan(&v) }

func readTerritory(s scanner) (t Territory, err error) {
	return t, s.Scan(&t.ID, &t.Name.FR, &t.Name.EN, &t.Synthetic, &t.Currency)
}

// Territory returns what the registry is of; ErrNotFound before an import.
func (r *Registry) Territory(ctx context.Context) (Territory, error) {
	t, err := one(ctx, r.db, readTerritory, "SELECT id, name_fr, name_en, synthetic, currency FROM territory")
	return t, wrap(err, "territory")
}

const selectCompanies = "SELECT id, name, holding, activity_fr, activity_en, quay, x_m, y_m FROM companies"

func readCompany(s scanner) (c metering.Company, err error) {
	return c, s.Scan(&c.ID, &c.Name, &c.Holding, &c.Activity.FR, &c.Activity.EN, &c.Quay, &c.XMetres, &c.YMetres)
}

// Companies returns all companies in the order of the programme.
func (r *Registry) Companies(ctx context.Context) ([]metering.Company, error) {
	all, err := list(ctx, r.db, readCompany, selectCompanies+" ORDER BY position, id")
	return all, wrap(err, "companies")
}

// Company returns one company.
func (r *Registry) Company(ctx context.Context, id string) (metering.Company, error) {
	c, err := one(ctx, r.db, readCompany, selectCompanies+" WHERE id = ?", id)
	return c, wrap(err, "company %q", id)
}

// The current key is the one enrolled last.
const selectGateways = `SELECT id, company, place_fr, place_en,
	(SELECT public_key FROM gateway_keys k WHERE k.gateway = gateways.id ORDER BY enrolled_at DESC, rowid DESC LIMIT 1) FROM gateways`

func readGateway(s scanner) (g metering.Gateway, err error) {
	return g, s.Scan(&g.ID, text{&g.Company}, &g.Place.FR, &g.Place.EN, &g.PublicKey)
}

// Gateways returns all gateways with their current keys, in the order of the programme.
func (r *Registry) Gateways(ctx context.Context) ([]metering.Gateway, error) {
	all, err := list(ctx, r.db, readGateway, selectGateways+" ORDER BY position, id")
	return all, wrap(err, "gateways")
}

// Gateway returns one gateway.
func (r *Registry) Gateway(ctx context.Context, id string) (metering.Gateway, error) {
	g, err := one(ctx, r.db, readGateway, selectGateways+" WHERE id = ?", id)
	return g, wrap(err, "gateway %q", id)
}

const selectMeters = "SELECT id, company, gateway, profile, name_fr, name_en, serial, accuracy_class, medium, interval_ms FROM meters"

func readMeter(s scanner) (m Installation, err error) {
	var ms int64
	err = s.Scan(&m.ID, text{&m.Company}, &m.Gateway, &m.Profile, &m.Name.FR, &m.Name.EN, &m.Serial, &m.AccuracyClass, &m.Medium, &ms)
	m.Interval = time.Duration(ms) * time.Millisecond
	return m, err
}

// meters runs a query for meters and adds their exchanges.
func (r *Registry) meters(ctx context.Context, query string, args ...any) (all []Installation, err error) {
	err = r.view(ctx, func(tx *sql.Tx) error {
		if all, err = list(ctx, tx, readMeter, query, args...); err != nil {
			return err
		}
		at := make(map[string]*Installation, len(all))
		for i := range all {
			at[all[i].ID] = &all[i]
		}
		_, err := list(ctx, tx, func(s scanner) (none struct{}, err error) {
			var id, oldFinal, newStart string
			var e metering.Exchange
			if err := s.Scan(&id, instant{&e.At}, &e.Quantity, &oldFinal, &newStart); err != nil {
				return none, err
			}
			m := at[id]
			if m == nil {
				return none, nil
			}
			if e.OldFinal, err = metering.ParseDecimal(oldFinal); err != nil {
				return none, fmt.Errorf("exchange of meter %s: %w", id, err)
			}
			if e.NewStart, err = metering.ParseDecimal(newStart); err != nil {
				return none, fmt.Errorf("exchange of meter %s: %w", id, err)
			}
			m.Exchanges = append(m.Exchanges, e)
			return none, nil
		}, "SELECT meter, at, quantity, old_final, new_start FROM meter_exchanges ORDER BY at, quantity")
		return err
	})
	return all, err
}

// Installations returns all meters with medium and interval, in the order of the programme.
func (r *Registry) Installations(ctx context.Context) ([]Installation, error) {
	all, err := r.meters(ctx, selectMeters+" ORDER BY position, id")
	return all, wrap(err, "meters")
}

// Installation returns one meter with medium and interval.
func (r *Registry) Installation(ctx context.Context, id string) (Installation, error) {
	all, err := r.meters(ctx, selectMeters+" WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Installation{}, wrap(err, "meter %q", id)
	}
	return all[0], nil
}

func bare(all []Installation) []metering.Meter {
	out := make([]metering.Meter, len(all))
	for i, m := range all {
		out[i] = m.Meter
	}
	return out
}

// Meters returns all meters in the order of the programme.
func (r *Registry) Meters(ctx context.Context) ([]metering.Meter, error) {
	all, err := r.Installations(ctx)
	return bare(all), err
}

// Meter returns one meter.
func (r *Registry) Meter(ctx context.Context, id string) (metering.Meter, error) {
	m, err := r.Installation(ctx, id)
	return m.Meter, err
}

// MetersOfCompany returns a company's meters; "" for the territory's own.
func (r *Registry) MetersOfCompany(ctx context.Context, company string) ([]metering.Meter, error) {
	all, err := r.meters(ctx, selectMeters+" WHERE company IS ? ORDER BY position, id", orNull(company))
	return bare(all), wrap(err, "meters of company %q", company)
}

// MetersOfGateway returns the meters that a gateway reads.
func (r *Registry) MetersOfGateway(ctx context.Context, gateway string) ([]metering.Meter, error) {
	all, err := r.meters(ctx, selectMeters+" WHERE gateway = ? ORDER BY position, id", gateway)
	return bare(all), wrap(err, "meters of gateway %q", gateway)
}

func putExchange(ctx context.Context, q querier, meter string, e metering.Exchange) error {
	_, err := q.ExecContext(ctx, `INSERT INTO meter_exchanges VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (meter, quantity, at) DO UPDATE SET old_final = excluded.old_final, new_start = excluded.new_start`,
		meter, e.At.UnixMilli(), e.Quantity, e.OldFinal.String(), e.NewStart.String())
	return err
}

// RecordExchange records that the device behind a meter was replaced.
func (r *Registry) RecordExchange(ctx context.Context, meter string, e metering.Exchange) error {
	if e.At.IsZero() || e.Quantity.Kind() != metering.Counter {
		return wrap(fmt.Errorf("want a time and a counter, not %q at %s", e.Quantity, e.At.Format(time.RFC3339)), "exchange of meter %q", meter)
	}
	if _, err := r.Meter(ctx, meter); err != nil {
		return err
	}
	return wrap(r.change(ctx, func(tx *sql.Tx) error { return putExchange(ctx, tx, meter, e) }), "exchange of meter %q", meter)
}

const selectSynergies = "SELECT id, number, name_fr, name_en, kind, resource, status, since, about_fr, about_en FROM synergies"

func readSynergy(s scanner) (x Synergy, err error) {
	return x, s.Scan(&x.ID, &x.Number, &x.Name.FR, &x.Name.EN, &x.Kind, &x.Resource, &x.Status, instant{&x.Since}, &x.About.FR, &x.About.EN)
}

// synergies runs a query for synergies and adds parties and shared meters.
func (r *Registry) synergies(ctx context.Context, query string, args ...any) (all []Synergy, err error) {
	err = r.view(ctx, func(tx *sql.Tx) error {
		if all, err = list(ctx, tx, readSynergy, query, args...); err != nil {
			return err
		}
		for i := range all {
			s := &all[i]
			if s.Parties, err = list(ctx, tx, readParty, "SELECT company, role FROM parties WHERE synergy = ? ORDER BY position", s.ID); err != nil {
				return err
			}
			if s.SharedMeters, err = list(ctx, tx, readString, "SELECT meter FROM shared_meters WHERE synergy = ? ORDER BY meter", s.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func readParty(s scanner) (p metering.Party, err error) { return p, s.Scan(&p.Company, &p.Role) }

// Synergies returns all synergies by number.
func (r *Registry) Synergies(ctx context.Context) ([]metering.Synergy, error) {
	all, err := r.synergies(ctx, selectSynergies+" ORDER BY number, id")
	out := make([]metering.Synergy, len(all))
	for i, s := range all {
		out[i] = s.Synergy
	}
	return out, wrap(err, "synergies")
}

// Synergy returns one synergy.
func (r *Registry) Synergy(ctx context.Context, id string) (metering.Synergy, error) {
	s, err := r.synergy(ctx, id)
	return s.Synergy, err
}

// SharedMeters returns the meters of a synergy's shared flow, by id.
func (r *Registry) SharedMeters(ctx context.Context, synergy string) ([]string, error) {
	s, err := r.synergy(ctx, synergy)
	return s.SharedMeters, err
}

func (r *Registry) synergy(ctx context.Context, id string) (Synergy, error) {
	all, err := r.synergies(ctx, selectSynergies+" WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Synergy{}, wrap(err, "synergy %q", id)
	}
	return all[0], nil
}

// SetSynergyStatus moves a synergy along its life cycle.
func (r *Registry) SetSynergyStatus(ctx context.Context, id string, s metering.Status) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE synergies SET status = ? WHERE id = ?", s, id)
		return mustTouch(res, err)
	}), "status of synergy %q", id)
}

// mustTouch turns a change of no row into ErrNotFound.
func mustTouch(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return ErrNotFound
	}
	return nil
}
