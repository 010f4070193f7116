package batch

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDesired(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	want := Desired{Gateway: "gw-1", Number: 7, IssuedAt: 1, WithinSeconds: 60, Text: []byte("gateway: gw-1\n")}
	sealed, err := SealDesired(want, key)
	require.NoError(t, err)
	got, err := OpenDesired(sealed, public)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := OpenDesired(changed, public)
		require.Error(t, err, "byte %d", i)
	}
	receipt, err := SealReceipts([]Receipt{{Gateway: "gw-1", Number: 7}}, key)
	require.NoError(t, err)
	_, err = OpenDesired(receipt, public)
	require.ErrorIs(t, err, ErrFormat, "a receipt of the same key is no configuration")
	_, err = OpenDesired(make([]byte, MaxDesired+1), public)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = SealDesired(Desired{Text: make([]byte, MaxDesired)}, key)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = ParseConfigReport([]byte("{"))
	require.ErrorIs(t, err, ErrFormat)
	_, err = ParseConfigReport(make([]byte, 17<<10))
	require.ErrorIs(t, err, ErrTooLarge)
}

func FuzzOpenDesired(f *testing.F) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	sealed, err := SealDesired(Desired{Gateway: "gw-1", Number: 7, Text: []byte("x")}, key)
	require.NoError(f, err)
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = OpenDesired(b, key.Public().(ed25519.PublicKey))
		_, _ = ParseConfigReport(b)
	})
}
