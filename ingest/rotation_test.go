package ingest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
)

// A gateway is enrolled, and later given another key, while ingest runs: what
// came too early waits in quarantine and is replayed, what is signed with the
// old key afterwards is refused, the chain goes on under the new one.
func TestEnrolmentAndRotation(t *testing.T) {
	var mu sync.Mutex
	var key ed25519.PublicKey
	enrol := func(k ed25519.PrivateKey) {
		mu.Lock()
		defer mu.Unlock()
		key = k.Public().(ed25519.PublicKey)
	}
	b := newBench(t, t.TempDir(), func(o *Options) {
		o.Keys = func(string) (ed25519.PublicKey, error) {
			mu.Lock()
			defer mu.Unlock()
			if key == nil {
				return nil, errors.New("gateway not enrolled")
			}
			return key, nil
		}
	})
	rejected := func(sealed []byte) string { // a replay may have two receipts
		for {
			if r := b.receipt(); r.Batch == batch.HashOf(sealed) {
				return r.Rejected
			}
		}
	}
	old, next := keyOf("gw-a"), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{77}, 32))
	g := newGateway(t, "gw-a")
	first := g.batch(2, nil)
	b.acks(b.send("gw-a", first)...)
	require.Contains(t, rejected(first), "not enrolled")
	held, err := b.o.Quarantine.List()
	require.NoError(t, err)
	require.Len(t, held, 1)
	require.Equal(t, "enrolment", held[0].Kind)

	enrol(old)
	require.NoError(t, b.o.Quarantine.Replay(held[0].ID))
	b.ticks()
	require.Empty(t, rejected(first))
	second := g.batch(2, nil)
	b.acks(b.send("gw-a", second)...)
	require.Empty(t, rejected(second))

	enrol(next)
	late := g.batch(2, nil)
	b.acks(b.send("gw-a", late)...)
	require.Contains(t, rejected(late), "does not verify")
	third, err := batch.Seal(&batch.Batch{Gateway: "gw-a", Number: 3, Previous: batch.HashOf(second), Origin: batch.Synthetic, ClosedAt: epoch.UnixMilli()}, next)
	require.NoError(t, err)
	b.acks(b.send("gw-a", third)...)
	require.Empty(t, rejected(third))
	requireLeaves(t, b.o.Ledger, first, second, third)
}
