package registry

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/thermie/thermie/metering"
)

// ImporterPrefix begins the names of gateways that are no devices: what imports
// historical data under a key of its own.
const ImporterPrefix = "import-"

// ImportedSpan is a stretch of a series whose points came from files, both ends
// included. It follows from the origin that batches are signed with, and stays when
// a meter is read by another gateway later.
type ImportedSpan struct {
	Series   metering.SeriesID
	By       string // the importer
	From, To time.Time
}

// near is how far apart two batches of one import may be to make one stretch: the
// meter is the importer's own at the time, nothing is measured between them.
const near = 24 * time.Hour

// MarkImported notes stretches; told again, nothing changes. Stretches of one series
// and importer that overlap or follow within a day become one.
func (r *Registry) MarkImported(ctx context.Context, spans []ImportedSpan) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		for _, s := range spans {
			if s.To.Before(s.From) || s.By == "" {
				return errors.New("an imported stretch needs an importer and a beginning before its end")
			}
			from, to := s.From.UnixMilli(), s.To.UnixMilli()
			touching := []any{s.Series, s.By, to + near.Milliseconds(), from - near.Milliseconds()}
			const where = " FROM imported_spans WHERE series = ? AND by_name = ? AND from_at <= ? AND to_at >= ?"
			old, err := list(ctx, tx, func(sc scanner) (x [2]int64, err error) { return x, sc.Scan(&x[0], &x[1]) }, "SELECT from_at, to_at"+where, touching...)
			if err != nil {
				return err
			}
			if len(old) == 1 && old[0][0] <= from && to <= old[0][1] {
				continue
			}
			for _, x := range old {
				from, to = min(from, x[0]), max(to, x[1])
			}
			if _, err := tx.ExecContext(ctx, "DELETE"+where, touching...); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO imported_spans VALUES (?, ?, ?, ?)", s.Series, from, to, s.By); err != nil {
				return err
			}
		}
		return nil
	}), "mark %d imported stretches", len(spans))
}

// ImportedSpans returns all stretches by series and time.
func (r *Registry) ImportedSpans(ctx context.Context) ([]ImportedSpan, error) {
	all, err := list(ctx, r.db, func(s scanner) (x ImportedSpan, err error) {
		return x, s.Scan(&x.Series, &x.By, instant{&x.From}, instant{&x.To})
	}, "SELECT series, by_name, from_at, to_at FROM imported_spans ORDER BY series, from_at, by_name")
	return all, wrap(err, "imported stretches")
}
