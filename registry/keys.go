package registry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
)

// GatewayKey returns the key that a gateway signs with now; ErrNotFound for a
// gateway that is unknown or not enrolled.
func (r *Registry) GatewayKey(ctx context.Context, id string) (ed25519.PublicKey, error) {
	k, err := one(ctx, r.db, readKey, "SELECT public_key, enrolled_at FROM gateway_keys WHERE gateway = ? ORDER BY enrolled_at DESC, rowid DESC LIMIT 1", id)
	return k.Key, wrap(err, "key of gateway %q", id)
}

// Keys is GatewayKey in the form that batch.Open takes. It asks the registry
// each time, so that an enrolment counts from the next batch on.
func (r *Registry) Keys(ctx context.Context) batch.Keys {
	return func(gateway string) (ed25519.PublicKey, error) { return r.GatewayKey(ctx, gateway) }
}

// EnrolledKey is a key and since when it counts.
type EnrolledKey struct {
	Key        ed25519.PublicKey
	EnrolledAt time.Time
}

func readKey(s scanner) (k EnrolledKey, err error) {
	var b []byte
	err = s.Scan(&b, instant{&k.EnrolledAt})
	k.Key = b
	return k, err
}

// GatewayKeys returns every key that a gateway ever had, oldest first: old
// batches verify with old keys.
func (r *Registry) GatewayKeys(ctx context.Context, id string) ([]EnrolledKey, error) {
	all, err := list(ctx, r.db, readKey, "SELECT public_key, enrolled_at FROM gateway_keys WHERE gateway = ? ORDER BY enrolled_at, rowid", id)
	return all, wrap(err, "keys of gateway %q", id)
}

// EnrolGateway makes key the one that a known gateway signs with from now on.
// The current key again changes nothing; a key of another gateway is refused.
func (r *Registry) EnrolGateway(ctx context.Context, id string, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return wrap(fmt.Errorf("public key of %d bytes, want %d", len(key), ed25519.PublicKeySize), "enrol gateway %q", id)
	}
	if _, err := r.Gateway(ctx, id); err != nil {
		return wrap(err, "enrol")
	}
	return wrap(r.change(ctx, func(tx *sql.Tx) error { return enrol(ctx, tx, id, key, r.now()) }), "enrol gateway %q", id)
}

func enrol(ctx context.Context, q querier, id string, key []byte, now time.Time) error {
	others, err := list(ctx, q, readString, "SELECT gateway FROM gateway_keys WHERE public_key = ? AND gateway <> ?", key, id)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("the key is that of gateway %s: every gateway makes its own", others[0])
	}
	current, err := list(ctx, q, readKey, "SELECT public_key, enrolled_at FROM gateway_keys WHERE gateway = ? ORDER BY enrolled_at DESC, rowid DESC LIMIT 1", id)
	if err != nil || len(current) > 0 && bytes.Equal(current[0].Key, key) {
		return err
	}
	_, err = q.ExecContext(ctx, "INSERT INTO gateway_keys VALUES (?, ?, ?)", id, key, now.UnixMilli())
	return err
}
