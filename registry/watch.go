package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

const putAlarm = `INSERT INTO alarms (id, source, kind, subject, company, since, until_at, text_fr, text_en, cost_eur_per_year)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET source = excluded.source, kind = excluded.kind,
	subject = excluded.subject, company = excluded.company, since = excluded.since, until_at = excluded.until_at,
	text_fr = excluded.text_fr, text_en = excluded.text_en, cost_eur_per_year = excluded.cost_eur_per_year`

// PutAlarms stores what one source ("assessment", "ingest") finds wrong now. An
// alarm keeps its id while the trouble lasts; an open one of the same source
// that is not among them any more is closed now. What is closed stays in the list.
func (r *Registry) PutAlarms(ctx context.Context, source string, alarms []metering.Alarm) error {
	now := r.now()
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		seen := make(map[string]bool, len(alarms))
		for _, a := range alarms {
			seen[a.ID] = true
			if err := storeAlarm(ctx, tx, source, a); err != nil {
				return err
			}
		}
		open, err := list(ctx, tx, readString, "SELECT id FROM alarms WHERE source = ? AND until_at IS NULL", source)
		if err != nil {
			return err
		}
		for _, id := range open {
			if seen[id] {
				continue
			}
			if _, err := tx.ExecContext(ctx, "UPDATE alarms SET until_at = max(?, since) WHERE id = ?", now.UnixMilli(), id); err != nil {
				return fmt.Errorf("close alarm %s: %w", id, err)
			}
		}
		return nil
	}), "put alarms of %s", source)
}

// RaiseAlarm stores one alarm of a source that does not know all of its own at
// once; with Until it closes it.
func (r *Registry) RaiseAlarm(ctx context.Context, source string, a metering.Alarm) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error { return storeAlarm(ctx, tx, source, a) }), "raise alarm")
}

func storeAlarm(ctx context.Context, q querier, source string, a metering.Alarm) error {
	if a.ID == "" || source == "" || a.Since.IsZero() {
		return fmt.Errorf("alarm %q of %q since %s: want id, source and time", a.ID, source, a.Since.Format(time.RFC3339))
	}
	_, err := q.ExecContext(ctx, putAlarm, a.ID, source, a.Kind, a.Subject, a.Company, a.Since.UnixMilli(), millis(a.Until), a.Text.FR, a.Text.EN, a.CostEURPerYear)
	if err != nil {
		return fmt.Errorf("alarm %s: %w", a.ID, err)
	}
	return nil
}

// AlarmQuery selects alarms. What is left zero does not select.
type AlarmQuery struct {
	Open    bool // only those that last
	Subject string
	Company string
	From    time.Time // those that lasted at some time in [From, To)
	To      time.Time
}

// Alarms returns alarms, the most costly first, then the latest.
func (r *Registry) Alarms(ctx context.Context, q AlarmQuery) ([]metering.Alarm, error) {
	from, to := int64(0), int64(1<<62)
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		to = q.To.UnixMilli()
	}
	all, err := list(ctx, r.db, func(s scanner) (a metering.Alarm, err error) {
		return a, s.Scan(&a.ID, &a.Kind, &a.Subject, &a.Company, instant{&a.Since}, instant{&a.Until}, &a.Text.FR, &a.Text.EN, &a.CostEURPerYear)
	}, `SELECT id, kind, subject, company, since, until_at, text_fr, text_en, cost_eur_per_year FROM alarms
		WHERE (NOT ? OR until_at IS NULL) AND ? IN ('', subject) AND ? IN ('', company) AND since < ? AND (until_at IS NULL OR until_at > ?)
		ORDER BY cost_eur_per_year DESC, since DESC, id`, q.Open, q.Subject, q.Company, to, from)
	return all, wrap(err, "alarms")
}

// PutStatus keeps a gateway's status unless a later one is stored; ErrNotFound
// for a gateway that is not in the programme.
func (r *Registry) PutStatus(ctx context.Context, s batch.Status) error {
	b, err := json.Marshal(s)
	if err == nil {
		_, err = r.Gateway(ctx, s.Gateway)
	}
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO statuses VALUES (?, ?, ?) ON CONFLICT (gateway) DO UPDATE SET
				at = excluded.at, status = excluded.status WHERE excluded.at >= statuses.at`, s.Gateway, s.At.UnixMilli(), string(b))
			return err
		})
	}
	return wrap(err, "status of gateway %q", s.Gateway)
}

// Statuses returns the latest status of every gateway that sent one, in the
// order of the programme.
func (r *Registry) Statuses(ctx context.Context) ([]batch.Status, error) {
	all, err := list(ctx, r.db, readJSON[batch.Status], "SELECT status FROM statuses s JOIN gateways g ON g.id = s.gateway ORDER BY g.position, g.id")
	return all, wrap(err, "statuses")
}

// Status returns the latest status of one gateway.
func (r *Registry) Status(ctx context.Context, gateway string) (batch.Status, error) {
	s, err := one(ctx, r.db, readJSON[batch.Status], "SELECT status FROM statuses WHERE gateway = ?", gateway)
	return s, wrap(err, "status of gateway %q", gateway)
}

// Setting returns what was set under a name; ErrNotFound when nothing was.
func (r *Registry) Setting(ctx context.Context, name string) (string, error) {
	s, err := one(ctx, r.db, readString, "SELECT content FROM settings WHERE name = ?", name)
	return s, wrap(err, "setting %q", name)
}

// SetSetting sets it.
func (r *Registry) SetSetting(ctx context.Context, name, content string) error {
	if name == "" {
		return wrap(errors.New("no name"), "setting")
	}
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content", name, content)
		return err
	}), "setting %q", name)
}
