package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
)

// Query selects results. What is left zero does not select.
type Query struct {
	Synergy string
	Kind    metering.PeriodKind
	From    time.Time // results whose period overlaps [From, To)
	To      time.Time
}

// PutResults stores results; one of the same synergy, kind and beginning is
// replaced. The last twelve months begin anew each day: a synergy has one such
// result, and a newer one takes the older one's place.
func (r *Registry) PutResults(ctx context.Context, results []metering.Result) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT INTO results (synergy, kind, from_at, to_at, figures, notes, plan_hash, factor_set) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (synergy, kind, from_at) DO UPDATE SET to_at = excluded.to_at, figures = excluded.figures, notes = excluded.notes,
			plan_hash = excluded.plan_hash, factor_set = excluded.factor_set`)
		if err != nil {
			return err
		}
		defer put.Close()
		for _, x := range results {
			if x.Kind == metering.PeriodYear {
				if _, err := tx.ExecContext(ctx, "DELETE FROM results WHERE synergy = ? AND kind = ? AND to_at <= ?", x.Synergy, x.Kind, x.To.UnixMilli()); err != nil {
					return fmt.Errorf("synergy %s, last twelve months: %w", x.Synergy, err)
				}
			}
			figures, err := json.Marshal(x.Figures)
			if err != nil {
				return fmt.Errorf("synergy %s, %s from %s: %w", x.Synergy, x.Kind, x.From.Format(time.DateOnly), err)
			}
			notes, err := json.Marshal(x.Notes)
			if err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, x.Synergy, x.Kind, x.From.UnixMilli(), x.To.UnixMilli(), string(figures), string(notes), x.PlanHash, x.FactorSet); err != nil {
				return fmt.Errorf("synergy %s, %s from %s: %w", x.Synergy, x.Kind, x.From.Format(time.DateOnly), err)
			}
		}
		return nil
	}), "put %d results", len(results))
}

// Results returns the results of a query, by synergy number, kind and beginning.
func (r *Registry) Results(ctx context.Context, q Query) ([]metering.Result, error) {
	where, args := []string{"1"}, []any{}
	if q.Synergy != "" {
		where, args = append(where, "r.synergy = ?"), append(args, q.Synergy)
	}
	if q.Kind != "" {
		where, args = append(where, "r.kind = ?"), append(args, q.Kind)
	}
	if !q.From.IsZero() {
		where, args = append(where, "r.to_at > ?"), append(args, q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		where, args = append(where, "r.from_at < ?"), append(args, q.To.UnixMilli())
	}
	all, err := list(ctx, r.db, readResult, `SELECT r.synergy, r.kind, r.from_at, r.to_at, r.figures, r.notes, r.plan_hash, r.factor_set
		FROM results r JOIN synergies s ON s.id = r.synergy WHERE `+strings.Join(where, " AND ")+` ORDER BY s.number, r.synergy, r.kind, r.from_at`, args...)
	return all, wrap(err, "results")
}

func readResult(s scanner) (x metering.Result, err error) {
	var figures, notes []byte
	if err := s.Scan(&x.Synergy, &x.Kind, instant{&x.From}, instant{&x.To}, &figures, &notes, &x.PlanHash, &x.FactorSet); err != nil {
		return x, err
	}
	if err := json.Unmarshal(figures, &x.Figures); err != nil {
		return x, fmt.Errorf("figures of synergy %s: %w", x.Synergy, err)
	}
	if err := json.Unmarshal(notes, &x.Notes); err != nil {
		return x, fmt.Errorf("notes of synergy %s: %w", x.Synergy, err)
	}
	return x, nil
}

// PutOpportunities replaces the list of opportunities; the order is kept, best first.
func (r *Registry) PutOpportunities(ctx context.Context, all []metering.Opportunity) error {
	return replace(ctx, r, "opportunities", all, func(n int, o metering.Opportunity) []any { return []any{o.ID, n, o.Company} })
}

// Opportunities returns the list as it was put.
func (r *Registry) Opportunities(ctx context.Context) ([]metering.Opportunity, error) {
	all, err := list(ctx, r.db, readJSON[metering.Opportunity], "SELECT opportunity FROM opportunities ORDER BY position")
	return all, wrap(err, "opportunities")
}

// PutHeatNeeds replaces the list of needs of heat.
func (r *Registry) PutHeatNeeds(ctx context.Context, all []metering.HeatNeed) error {
	return replace(ctx, r, "heat_needs", all, func(n int, x metering.HeatNeed) []any { return []any{x.ID, n, x.Company} })
}

// HeatNeeds returns the list as it was put.
func (r *Registry) HeatNeeds(ctx context.Context) ([]metering.HeatNeed, error) {
	all, err := list(ctx, r.db, readJSON[metering.HeatNeed], "SELECT need FROM heat_needs ORDER BY position")
	return all, wrap(err, "needs of heat")
}

// PutAttributions replaces the attributions of all sites.
func (r *Registry) PutAttributions(ctx context.Context, all []metering.Attribution) error {
	return replace(ctx, r, "attributions", all, func(_ int, a metering.Attribution) []any { return []any{a.Site, a.Kind, a.From.UnixMilli()} })
}

// replace puts a list in place of all rows of a table: three columns by which they
// are found, and the whole as JSON.
func replace[T any](ctx context.Context, r *Registry, table string, all []T, keys func(n int, x T) []any) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return err
		}
		for n, x := range all {
			k := keys(n, x)
			b, err := json.Marshal(x)
			if err != nil {
				return fmt.Errorf("%v: %w", k[0], err)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO "+table+" VALUES (?, ?, ?, ?)", append(k, string(b))...); err != nil {
				return fmt.Errorf("%v: %w", k[0], err)
			}
		}
		return nil
	}), "put %s", table)
}

// Attributions returns those that a synergy has a part in, by site and beginning;
// "" for all.
func (r *Registry) Attributions(ctx context.Context, synergy string) ([]metering.Attribution, error) {
	all, err := list(ctx, r.db, readJSON[metering.Attribution], "SELECT attribution FROM attributions ORDER BY site, kind, from_at")
	if err != nil {
		return nil, wrap(err, "attributions")
	}
	return slices.DeleteFunc(all, func(a metering.Attribution) bool {
		return synergy != "" && a.Site != synergy && !slices.ContainsFunc(a.Parts, func(p metering.AttributionPart) bool { return p.Synergy == synergy })
	}), nil
}

// MeterDay counts a meter's readings of one civil day, and says what its
// register grew by.
type MeterDay struct {
	Meter    string    `json:"meter"`
	Day      time.Time `json:"day"` // the day's first instant, Europe/Paris
	Expected int       `json:"expected"`
	Good     int       `json:"good"`
	Suspect  int       `json:"suspect"`
	Missing  int       `json:"missing"`
	Increase *Increase `json:"increase,omitempty"` // nil for a gauge
}

// Increase is what a register grew by in a day: unwrapped, so that resets,
// exchanges and jumps of scale are no consumption, and exact, so that the days
// of a month add up to the month.
type Increase struct {
	Series  metering.SeriesID `json:"series"`
	Unit    metering.Unit     `json:"unit"`
	Amount  metering.Decimal  `json:"amount"`
	Covered float64           `json:"covered"` // share of the day, 0 to 1, between good readings close enough to each other
}

// Equal compares all of a day.
func (d MeterDay) Equal(o MeterDay) bool {
	same := d.Day.Equal(o.Day) && d.Increase.equal(o.Increase)
	d.Day, o.Day, d.Increase, o.Increase = time.Time{}, time.Time{}, nil, nil
	return same && d == o
}

func (i *Increase) equal(o *Increase) bool {
	if i == nil || o == nil {
		return i == o
	}
	return i.Series == o.Series && i.Unit == o.Unit && i.Covered == o.Covered && i.Amount.Equal(o.Amount)
}

// PutCompleteness stores counts; those of the same meter and day are replaced.
func (r *Registry) PutCompleteness(ctx context.Context, days []MeterDay) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO completeness (meter, day, expected, good, suspect, missing, series, unit, increase, covered)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer put.Close()
		for _, d := range days {
			var i Increase
			var amount string
			if d.Increase != nil {
				i, amount = *d.Increase, d.Increase.Amount.String()
			}
			if _, err := put.ExecContext(ctx, d.Meter, civilDay(d.Day), d.Expected, d.Good, d.Suspect, d.Missing, i.Series, i.Unit, amount, i.Covered); err != nil {
				return fmt.Errorf("meter %s, %s: %w", d.Meter, civilDay(d.Day), err)
			}
		}
		return nil
	}), "put completeness")
}

// CompletenessQuery selects days in [From, To), of one meter or of all with "".
type CompletenessQuery struct {
	Meter string
	From  time.Time
	To    time.Time
}

// Completeness returns counts by meter and day.
func (r *Registry) Completeness(ctx context.Context, q CompletenessQuery) ([]MeterDay, error) {
	from, to := "0000", "9999"
	if !q.From.IsZero() {
		from = civilDay(q.From)
	}
	if !q.To.IsZero() {
		// The day that holds To counts unless To is its first instant.
		to = civilDay(q.To.Add(-time.Millisecond)) + "~"
	}
	all, err := list(ctx, r.db, func(s scanner) (d MeterDay, err error) {
		var day, amount string
		var i Increase
		if err := s.Scan(&d.Meter, &day, &d.Expected, &d.Good, &d.Suspect, &d.Missing, &i.Series, &i.Unit, &amount, &i.Covered); err != nil {
			return d, err
		}
		if i.Series != "" {
			if i.Amount, err = metering.ParseDecimal(amount); err != nil {
				return d, fmt.Errorf("increase of meter %s, %s: %w", d.Meter, day, err)
			}
			d.Increase = &i
		}
		d.Day, err = parseDay(day)
		return d, err
	}, "SELECT meter, day, expected, good, suspect, missing, series, unit, increase, covered FROM completeness WHERE ? IN ('', meter) AND day >= ? AND day < ? ORDER BY meter, day", q.Meter, from, to)
	return all, wrap(err, "completeness")
}
