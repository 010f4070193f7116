package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/thermie/thermie/batch"
)

// PutConfigReport keeps what a gateway says of its configuration unless a later
// word is stored; ErrNotFound for a gateway that is not in the programme.
func (r *Registry) PutConfigReport(ctx context.Context, c batch.ConfigReport) error {
	b, err := json.Marshal(c)
	if err == nil {
		_, err = r.Gateway(ctx, c.Gateway)
	}
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO config_reports VALUES (?, ?, ?) ON CONFLICT (gateway) DO UPDATE SET
				at = excluded.at, report = excluded.report WHERE excluded.at >= config_reports.at`, c.Gateway, c.At.UnixMilli(), string(b))
			return err
		})
	}
	return wrap(err, "configuration report of gateway %q", c.Gateway)
}

// ConfigReport returns the latest word of a gateway on its configuration.
func (r *Registry) ConfigReport(ctx context.Context, gateway string) (batch.ConfigReport, error) {
	c, err := one(ctx, r.db, readJSON[batch.ConfigReport], "SELECT report FROM config_reports WHERE gateway = ?", gateway)
	return c, wrap(err, "configuration report of gateway %q", gateway)
}

// Desired is a configuration that a gateway was asked to run.
type Desired struct {
	Gateway string
	Number  uint64
	SentAt  time.Time
	SentBy  string
	Body    string // gateway.yaml
}

// PutDesired keeps a configuration that was sent; the same number again replaces
// it. ErrNotFound for a gateway that is not in the programme.
func (r *Registry) PutDesired(ctx context.Context, d Desired) error {
	if d.Number == 0 || d.Number > math.MaxInt64 {
		return wrap(fmt.Errorf("number %d", d.Number), "desired configuration of gateway %q", d.Gateway)
	}
	_, err := r.Gateway(ctx, d.Gateway)
	if err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO desired_configs VALUES (?, ?, ?, ?, ?) ON CONFLICT (gateway, number) DO UPDATE SET
				sent_at = excluded.sent_at, sent_by = excluded.sent_by, body = excluded.body`, d.Gateway, int64(d.Number), d.SentAt.UnixMilli(), d.SentBy, d.Body)
			return err
		})
	}
	return wrap(err, "desired configuration of gateway %q", d.Gateway)
}

// Desired returns the configuration of the highest number that a gateway was
// asked to run; ErrNotFound when it never was.
func (r *Registry) Desired(ctx context.Context, gateway string) (Desired, error) {
	d, err := one(ctx, r.db, func(s scanner) (d Desired, err error) {
		var number int64
		err = s.Scan(&d.Gateway, &number, instant{&d.SentAt}, &d.SentBy, &d.Body)
		d.Number = uint64(number)
		return d, err
	}, "SELECT gateway, number, sent_at, sent_by, body FROM desired_configs WHERE gateway = ? ORDER BY number DESC LIMIT 1", gateway)
	return d, wrap(err, "desired configuration of gateway %q", gateway)
}
