package registry

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/metering"
)

// Decision is what was decided of a proposal; "" while it is to be confirmed.
type Decision string

// The decisions.
const (
	ToConfirm Decision = ""
	Accepted  Decision = "accepted"
	Refused   Decision = "refused"
)

// Proposal is a heat asset that detection proposes, with what was decided of it.
type Proposal struct {
	metering.HeatProposal
	First     time.Time // the night that found it
	Last      time.Time // the last night that did
	Decision  Decision
	Reason    string
	DecidedBy string // e-mail
	DecidedAt time.Time
}

const selectProposals = "SELECT proposal, first_at, last_at, decision, reason, decided_by, decided_at FROM heat_proposals"

func readProposal(s scanner) (p Proposal, err error) {
	var body []byte
	if err := s.Scan(&body, instant{&p.First}, instant{&p.Last}, &p.Decision, &p.Reason, &p.DecidedBy, instant{&p.DecidedAt}); err != nil {
		return p, err
	}
	return p, json.Unmarshal(body, &p.HeatProposal)
}

// PutHeatProposals stores what a night's detection found: figures of known
// proposals follow, decisions stay. What is to be confirmed and was not found
// again is dropped.
func (r *Registry) PutHeatProposals(ctx context.Context, found []metering.HeatProposal) error {
	now := r.now().UnixMilli()
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		for _, p := range found {
			b, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO heat_proposals (id, company, proposal, first_at, last_at) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET company = excluded.company, proposal = excluded.proposal, last_at = excluded.last_at`, p.ID, p.Company, string(b), now, now)
			if err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM heat_proposals WHERE decision = '' AND last_at < ?", now)
		return err
	}), "put heat proposals")
}

// HeatProposals returns all proposals, those to confirm first, the largest first.
func (r *Registry) HeatProposals(ctx context.Context) ([]Proposal, error) {
	all, err := list(ctx, r.db, readProposal, selectProposals+" ORDER BY id")
	slices.SortStableFunc(all, func(a, b Proposal) int {
		open := func(p Proposal) int {
			if p.Decision == ToConfirm {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(open(a), open(b)), cmp.Compare(b.MWhPerYear, a.MWhPerYear))
	})
	return all, wrap(err, "heat proposals")
}

// maxReason bounds what is said of a decision, in bytes: 2,000 characters.
const maxReason = 8000

// DecideHeatProposal accepts or refuses a proposal, or puts it back to be
// confirmed; who gives the e-mail of the person, reason why. An accepted one
// becomes a card, and loses it again when the decision is taken back. The audit
// trail keeps the act.
func (r *Registry) DecideHeatProposal(ctx context.Context, id string, d Decision, who, reason string) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		switch {
		case d != Accepted && d != Refused && d != ToConfirm:
			return fmt.Errorf("decision %q: want accepted, refused or none", d)
		case who == "":
			return errors.New("nobody decided it")
		case d == Refused && reason == "":
			return errors.New("a refusal says why")
		case len(reason) > maxReason:
			return fmt.Errorf("a reason of %d bytes: want %d at most", len(reason), maxReason)
		}
		p, err := one(ctx, tx, readProposal, selectProposals+" WHERE id = ?", id)
		if err != nil {
			return err
		}
		if p.Decision == d {
			return nil
		}
		if d == Accepted {
			if err := putCard(ctx, tx, p.card()); err != nil {
				return err
			}
		} else if p.Decision == Accepted {
			if _, err := tx.ExecContext(ctx, "DELETE FROM cards WHERE id = ?", id); err != nil {
				return err
			}
		}
		at := r.now()
		if _, err := tx.ExecContext(ctx, "UPDATE heat_proposals SET decision = ?, reason = ?, decided_by = ?, decided_at = ? WHERE id = ?", d, reason, who, decidedAt(d, at), id); err != nil {
			return err
		}
		what := map[Decision]string{Accepted: "accept_heat_asset", Refused: "refuse_heat_asset", ToConfirm: "reopen_heat_asset"}[d]
		return audit(ctx, tx, Act{At: at, Who: who, What: what, Subject: id, Detail: reason})
	}), "decide on heat proposal %q", id)
}

func decidedAt(d Decision, at time.Time) any {
	if d == ToConfirm {
		return nil
	}
	return at.UnixMilli()
}

// card is what an accepted proposal becomes.
func (p *Proposal) card() Card {
	name := p.Meter
	return Card{ID: p.ID, Company: p.Company, Side: "source", Name: name, Type: p.Type, Signals: p.Signals, Rule: p.Rule, THot: p.THot, TCold: p.TCold, DTContribution: p.DTContribution}
}

// putCard adds a card after those of the programme.
func putCard(ctx context.Context, q querier, c Card) error {
	taken, err := one(ctx, q, readInt, "SELECT count(*) FROM cards WHERE id = ?", c.ID)
	if err != nil {
		return err
	}
	if taken > 0 {
		return fmt.Errorf("a card %s exists already: %w", c.ID, ErrLocked)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, "INSERT INTO cards SELECT ?, coalesce(max(position), 0) + 1, ?, ? FROM cards", c.ID, c.Company, string(body))
	return err
}

// PutHeatPlan stores the joint plan of the last night.
func (r *Registry) PutHeatPlan(ctx context.Context, p metering.HeatPlan) error {
	b, err := json.Marshal(p)
	if err != nil {
		return wrap(err, "put heat plan")
	}
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO heat_plan VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET plan = excluded.plan", string(b))
		return err
	}), "put heat plan")
}

// HeatPlan returns the joint plan; ErrNotFound before the first night.
func (r *Registry) HeatPlan(ctx context.Context) (metering.HeatPlan, error) {
	p, err := one(ctx, r.db, readJSON[metering.HeatPlan], "SELECT plan FROM heat_plan")
	return p, wrap(err, "heat plan")
}
