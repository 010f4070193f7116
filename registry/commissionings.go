package registry

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Commissioning is the record of how a gateway's meters were put into service.
type Commissioning struct {
	Digest   string // SHA-256 of Record
	Gateway  string
	SignedAt time.Time // on the gateway
	AddedAt  time.Time // here
	AddedBy  string
	Record   []byte // YAML, signed by the gateway
	// Entered says that the ledger has it, as leaf Index.
	Entered bool
	Index   uint64
}

// AddCommissioning keeps a record; one that is there already changes nothing, and
// added is false. ErrNotFound for a gateway that is not in the programme. Whether
// the record is what it says is for the caller to know.
func (r *Registry) AddCommissioning(ctx context.Context, c Commissioning) (added bool, err error) {
	if _, err = r.Gateway(ctx, c.Gateway); err == nil {
		err = r.change(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, "INSERT INTO commissionings VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (digest) DO NOTHING",
				c.Digest, c.Gateway, c.SignedAt.UnixMilli(), c.AddedAt.UnixMilli(), c.AddedBy, c.Record)
			if err == nil {
				err = mustTouch(res, nil)
			}
			added = err == nil
			if errors.Is(err, ErrNotFound) {
				err = nil // it is there
			}
			return err
		})
	}
	return added, wrap(err, "commissioning record of gateway %q", c.Gateway)
}

// CommissioningEntered notes the ledger's leaf of a record.
func (r *Registry) CommissioningEntered(ctx context.Context, digest string, index uint64) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE commissionings SET ledger_index = ? WHERE digest = ? AND ledger_index IS NULL", int64(index), digest)
		return mustTouch(res, err)
	}), "commissioning record %.12s", digest)
}

// Commissionings returns all records by gateway, the latest of each first.
func (r *Registry) Commissionings(ctx context.Context) ([]Commissioning, error) {
	all, err := list(ctx, r.db, func(s scanner) (c Commissioning, err error) {
		var index sql.NullInt64
		err = s.Scan(&c.Digest, &c.Gateway, instant{&c.SignedAt}, instant{&c.AddedAt}, &c.AddedBy, &c.Record, &index)
		c.Entered, c.Index = index.Valid, uint64(index.Int64)
		return c, err
	}, `SELECT digest, gateway, signed_at, added_at, added_by, record, ledger_index FROM commissionings ORDER BY gateway, signed_at DESC, digest`)
	return all, wrap(err, "commissioning records")
}
