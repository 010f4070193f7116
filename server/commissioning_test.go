package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/commissioning"
)

// A record of a gateway enters the ledger once, by its hash; one that another key
// signed, or of elsewhere, does not.
func TestCommissioningInLedger(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: testConfig(t)})
	require.NoError(t, err)
	defer s.Close()
	r := s.Registry()
	all, err := r.Gateways(ctx)
	require.NoError(t, err)
	gateway := all[0].ID
	meters, err := r.MetersOfGateway(ctx, gateway)
	require.NoError(t, err)
	now := time.Date(2026, 11, 28, 12, 0, 0, 123456, time.UTC)
	old, key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
	record := commissioning.Record{Gateway: gateway, Territory: s.territory.ID, Signed: now.Truncate(time.Second), Installer: "Jean Valjean",
		Meters: []commissioning.Meter{{ID: "elsewhere", Accepted: true}}}
	seal := func(r commissioning.Record, k ed25519.PrivateKey) []byte {
		b, err := commissioning.Seal(r, k)
		require.NoError(t, err)
		return b
	}
	good := seal(record, old)
	_, _, _, err = AddCommissioning(ctx, r, good, "anne", now)
	require.ErrorContains(t, err, "was never enrolled for gateway "+gateway)
	for _, k := range []ed25519.PrivateKey{old, key} { // a record that an earlier key signed counts
		require.NoError(t, r.EnrolGateway(ctx, gateway, k.Public().(ed25519.PublicKey)))
	}
	got, added, warnings, err := AddCommissioning(ctx, r, good, "anne", now)
	require.NoError(t, err)
	require.True(t, added)
	require.Equal(t, "Jean Valjean", got.Installer)
	require.Contains(t, warnings, "meter elsewhere is not one of this gateway in the programme")
	require.Contains(t, warnings, "the gateway's clock was not synchronised: the times in the record are to be checked")
	require.Len(t, warnings, 2+len(meters), "and those of the programme that it does not know")
	_, added, _, err = AddCommissioning(ctx, r, good, "anne", now.Add(time.Hour))
	require.NoError(t, err)
	require.False(t, added)

	for want, bad := range map[string][]byte{
		"the signature does not fit": bytes.Replace(good, []byte("Valjean"), []byte("Valjoan"), 1),
		"territory nowhere":          seal(commissioning.Record{Gateway: gateway, Territory: "nowhere"}, key),
		"not found":                  seal(commissioning.Record{Gateway: "gw-nowhere", Territory: s.territory.ID}, key),
		"no signature at its end":    []byte("x"),
	} {
		_, _, _, err := AddCommissioning(ctx, r, bad, "anne", now)
		require.ErrorContains(t, err, want)
	}

	size := s.Ledger().Size()
	for range 2 {
		require.NoError(t, s.recordNewCommissionings(ctx))
		require.Equal(t, size+1, s.Ledger().Size())
	}
	records, err := r.Commissionings(ctx)
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.True(t, records[0].Entered)
	require.Equal(t, size, records[0].Index)
	for e, err := range s.Ledger().Entries(ctx, size, size+1) {
		require.NoError(t, err)
		require.NotContains(t, string(e.Data), "Valjean", "a ledger forgets nothing: it holds no names")
		d, err := batch.OpenDocument(e.Data, s.keys.Server.Public().(ed25519.PublicKey))
		require.NoError(t, err)
		require.NoError(t, commissioning.Names(d, good))
		require.Error(t, commissioning.Names(d, seal(record, key)))
	}
}
