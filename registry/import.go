package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// importedSetting remembers the programme that was imported last.
const importedSetting = "programme_sha256"

// Import brings a programme into the registry, all of it or nothing. What is
// new is added, what changed is updated, nothing is deleted: a company that
// left stands in the results of past quarters. The same programme twice changes
// nothing, whatever was edited in between. Approved plans, factor sets and
// declarations that differ from the stored ones of the same version are
// refused with ErrLocked; a withdrawn consent stays withdrawn. People are left
// to registry/accounts.
func (r *Registry) Import(ctx context.Context, p Programme) error {
	if err := p.nameBodies(); err != nil {
		return wrap(err, "import")
	}
	if err := p.Check(); err != nil {
		return wrap(err, "import")
	}
	canonical, err := json.Marshal(p)
	if err != nil {
		return wrap(err, "import")
	}
	sum := sha256.Sum256(canonical)
	hash := hex.EncodeToString(sum[:])
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		last, err := one(ctx, tx, readString, "SELECT content FROM settings WHERE name = ?", importedSetting)
		if err == nil && last == hash {
			return nil
		}
		i := importer{ctx: ctx, tx: tx, now: r.now()}
		if err := i.all(p); err != nil {
			return err
		}
		if err := i.exec("INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content", importedSetting, hash); err != nil {
			return err
		}
		return audit(ctx, tx, Act{At: i.now, Who: "system", What: "import", Subject: p.Territory.ID, Detail: "programme sha256 " + hash})
	}), "import programme of %s", p.Territory.ID)
}

type importer struct {
	ctx context.Context
	tx  *sql.Tx
	now time.Time
}

func (i *importer) exec(query string, args ...any) error {
	_, err := i.tx.ExecContext(i.ctx, query, args...)
	return err
}

func (i *importer) all(p Programme) error {
	if err := i.territory(p.Territory); err != nil {
		return err
	}
	for n, x := range p.Companies {
		if err := i.company(n, x); err != nil {
			return fmt.Errorf("company %s: %w", x.ID, err)
		}
	}
	for n, x := range p.Gateways {
		if err := i.gateway(n, x); err != nil {
			return fmt.Errorf("gateway %s: %w", x.ID, err)
		}
	}
	for n, x := range p.Meters {
		if err := i.meter(n, x); err != nil {
			return fmt.Errorf("meter %s: %w", x.ID, err)
		}
	}
	for _, x := range p.Synergies {
		if err := i.synergy(x); err != nil {
			return fmt.Errorf("synergy %s: %w", x.ID, err)
		}
	}
	for _, x := range p.Plans {
		if err := putPlan(i.ctx, i.tx, x); err != nil {
			return fmt.Errorf("plan of %s v%d: %w", x.Synergy, x.Version, err)
		}
	}
	for _, x := range p.Factors {
		if err := putFactors(i.ctx, i.tx, x); err != nil {
			return fmt.Errorf("factor set %s: %w", x.Ref(), err)
		}
	}
	for _, x := range p.Declarations {
		if err := putDeclaration(i.ctx, i.tx, x); err != nil {
			return fmt.Errorf("declaration %s: %w", x.ID, err)
		}
	}
	return i.inventory(p)
}

func (i *importer) inventory(p Programme) error {
	for n, x := range p.Flows {
		err := i.exec(`INSERT INTO flows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
			position = excluded.position, company = excluded.company, resource = excluded.resource, direction = excluded.direction,
			amount = excluded.amount, unit = excluded.unit, quality_fr = excluded.quality_fr, quality_en = excluded.quality_en`,
			x.ID, n, x.Company, x.Resource, x.Direction, x.Amount.String(), x.Unit, x.Quality.FR, x.Quality.EN)
		if err != nil {
			return fmt.Errorf("flow %s: %w", x.ID, err)
		}
	}
	for n, x := range p.Cards {
		card, err := json.Marshal(x)
		if err != nil {
			return fmt.Errorf("card %s: %w", x.ID, err)
		}
		err = i.exec(`INSERT INTO cards VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
			position = excluded.position, company = excluded.company, card = excluded.card`, x.ID, n, x.Company, string(card))
		if err != nil {
			return fmt.Errorf("card %s: %w", x.ID, err)
		}
	}
	for _, x := range p.Consents {
		if err := putConsent(i.ctx, i.tx, x); err != nil {
			return fmt.Errorf("consent of %s to %s on %s: %w", x.Company, x.To, x.What, err)
		}
	}
	return nil
}

func (i *importer) territory(t Territory) error {
	old, err := one(i.ctx, i.tx, readTerritory, "SELECT id, name_fr, name_en, synthetic, currency FROM territory")
	if err == nil && old.ID != t.ID {
		return fmt.Errorf("this registry is of territory %q: %w", old.ID, ErrLocked)
	}
	if err == nil && old.Synthetic != t.Synthetic {
		return fmt.Errorf("territory %q: synthetic and real data never share a registry: %w", t.ID, ErrLocked)
	}
	return i.exec(`INSERT INTO territory VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET
		name_fr = excluded.name_fr, name_en = excluded.name_en, currency = excluded.currency`,
		t.ID, t.Name.FR, t.Name.EN, t.Synthetic, t.Currency)
}

func (i *importer) company(n int, c metering.Company) error {
	return i.exec(`INSERT INTO companies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		position = excluded.position, name = excluded.name, holding = excluded.holding, activity_fr = excluded.activity_fr,
		activity_en = excluded.activity_en, quay = excluded.quay, x_m = excluded.x_m, y_m = excluded.y_m`,
		c.ID, n, c.Name, c.Holding, c.Activity.FR, c.Activity.EN, c.Quay, c.XMetres, c.YMetres)
}

func (i *importer) gateway(n int, g Gateway) error {
	err := i.exec(`INSERT INTO gateways VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		position = excluded.position, company = excluded.company, place_fr = excluded.place_fr, place_en = excluded.place_en`,
		g.ID, n, orNull(g.Company), g.Place.FR, g.Place.EN)
	if err != nil || len(g.PublicKey) == 0 {
		return err
	}
	// A key that the gateway once had is not made its current one again.
	known, err := one(i.ctx, i.tx, readInt, "SELECT count(*) FROM gateway_keys WHERE gateway = ? AND public_key = ?", g.ID, []byte(g.PublicKey))
	if err != nil || known > 0 {
		return err
	}
	return enrol(i.ctx, i.tx, g.ID, g.PublicKey, i.now)
}

func (i *importer) meter(n int, m Installation) error {
	interval := m.Interval
	if interval == 0 {
		interval = time.Minute
	}
	err := i.exec(`INSERT INTO meters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		position = excluded.position, company = excluded.company, gateway = excluded.gateway, profile = excluded.profile,
		name_fr = excluded.name_fr, name_en = excluded.name_en, serial = excluded.serial, accuracy_class = excluded.accuracy_class,
		medium = excluded.medium, interval_ms = excluded.interval_ms`,
		m.ID, n, orNull(m.Company), m.Gateway, m.Profile, m.Name.FR, m.Name.EN, m.Serial, m.AccuracyClass, m.Medium, interval.Milliseconds())
	if err != nil {
		return err
	}
	for _, e := range m.Exchanges {
		if err := putExchange(i.ctx, i.tx, m.ID, e); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) synergy(s Synergy) error {
	err := i.exec(`INSERT INTO synergies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
		number = excluded.number, name_fr = excluded.name_fr, name_en = excluded.name_en, kind = excluded.kind, resource = excluded.resource,
		status = excluded.status, since = excluded.since, about_fr = excluded.about_fr, about_en = excluded.about_en`,
		s.ID, s.Number, s.Name.FR, s.Name.EN, s.Kind, s.Resource, s.Status, s.Since.UnixMilli(), s.About.FR, s.About.EN)
	if err != nil {
		return err
	}
	for _, table := range []string{"parties", "shared_meters"} {
		if err := i.exec("DELETE FROM "+table+" WHERE synergy = ?", s.ID); err != nil {
			return err
		}
	}
	for n, p := range s.Parties {
		if err := i.exec("INSERT INTO parties VALUES (?, ?, ?, ?)", s.ID, n, p.Company, p.Role); err != nil {
			return err
		}
	}
	for _, m := range s.SharedMeters {
		if err := i.exec("INSERT INTO shared_meters VALUES (?, ?)", s.ID, m); err != nil {
			return err
		}
	}
	return nil
}

// hashOf is the SHA-256 of a body, as plans and factor sets are known by.
func hashOf(body string) string { return batch.HashOf([]byte(body)).String() }
