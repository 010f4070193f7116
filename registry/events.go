package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Event is a non-routine event of a site that the data show and about which
// nobody has decided yet.
type Event struct {
	Synergy   string    `json:"synergy"`
	Energy    string    `json:"energy"`
	From      time.Time `json:"from"`        // first day of the new level
	KWhPerDay float64   `json:"kwh_per_day"` // positive: the site uses more than before
	Half90    float64   `json:"half90"`      // of KWhPerDay
	Share     float64   `json:"share"`       // of the mean daily use
}

// PutEvents stores the proposed events of a synergy in place of those stored.
func (r *Registry) PutEvents(ctx context.Context, synergy string, events []Event) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM events WHERE synergy = ?", synergy); err != nil {
			return err
		}
		for _, e := range events {
			if _, err := tx.ExecContext(ctx, "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", synergy, e.Energy, civilDay(e.From), e.KWhPerDay, e.Half90, e.Share); err != nil {
				return err
			}
		}
		return nil
	}), "put events of synergy %q", synergy)
}

func readEvent(s scanner) (e Event, err error) {
	var day string
	if err := s.Scan(&e.Synergy, &e.Energy, &day, &e.KWhPerDay, &e.Half90, &e.Share); err != nil {
		return e, err
	}
	e.From, err = parseDay(day)
	return e, err
}

// Events returns the proposed events of a synergy, by energy and day.
func (r *Registry) Events(ctx context.Context, synergy string) ([]Event, error) {
	all, err := list(ctx, r.db, readEvent, "SELECT synergy, energy, from_day, kwh_per_day, half90, share FROM events WHERE synergy = ? ORDER BY energy, from_day", synergy)
	return all, wrap(err, "events of synergy %q", synergy)
}

// DecideEvent takes the next version of a plan, which accepts or refuses a
// proposed event, as approved by the person who decided: all at once, with a line
// of the audit trail. ErrLocked says that a draft waits or that the plan has
// changed since; ErrNotFound that the event is proposed no more.
func (r *Registry) DecideEvent(ctx context.Context, e Event, next Plan, accepted bool, reason string) error {
	what := map[bool]string{true: "event.accept", false: "event.refuse"}[accepted]
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		if err := next.check(); err != nil {
			return err
		}
		old, err := versions(ctx, tx, e.Synergy)
		if err != nil {
			return err
		}
		if len(old) != next.Version-1 || len(old) == 0 || !old[len(old)-1].Approved() {
			return fmt.Errorf("its plan has version %d now: %w", len(old), ErrLocked)
		}
		res, err := tx.ExecContext(ctx, "DELETE FROM events WHERE synergy = ? AND energy = ? AND from_day = ?", e.Synergy, e.Energy, civilDay(e.From))
		if err := mustTouch(res, err); err != nil {
			return err
		}
		if err := putPlan(ctx, tx, next); err != nil {
			return err
		}
		return audit(ctx, tx, Act{At: r.now(), Who: next.ApprovedBy, What: what, Subject: e.Synergy,
			Detail: fmt.Sprintf("%s, %s, %.0f kWh a day, plan version %d: %s", e.Energy, civilDay(e.From), e.KWhPerDay, next.Version, reason)})
	}), "decide on the event of synergy %q", e.Synergy)
}
