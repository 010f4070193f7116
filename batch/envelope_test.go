package batch

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/veraison/go-cose"

	"github.com/thermie/thermie/metering"
)

// captor is a verifier that keeps what it is to verify.
type captor struct{ content, signature []byte }

func (*captor) Algorithm() cose.Algorithm { return cose.AlgorithmEdDSA }
func (c *captor) Verify(content, signature []byte) error {
	c.content, c.signature = bytes.Clone(content), bytes.Clone(signature)
	return nil
}

// requireEnvelope holds what was read directly against what go-cose makes of it.
func requireEnvelope(t *testing.T, sealed []byte, e *envelope, b *Batch) {
	t.Helper()
	any, want, err := parseAny(sealed)
	require.NoError(t, err)
	require.Equal(t, want, b)
	require.Equal(t, any.payload, e.payload)
	require.Equal(t, any.encoding, e.encoding)
	var c captor
	require.NoError(t, any.msg.Verify(nil, &c))
	require.Equal(t, c.content, e.toBeSigned(nil))
	require.Equal(t, c.signature, e.signature)
}

// envelopes are sealed batches of every form that Seal writes.
func envelopes(t testing.TB) (all [][]byte) {
	for _, change := range []func(*Batch){
		func(*Batch) {},
		func(b *Batch) { b.Number, b.Previous, b.Break = 1<<40, Hash{}, "power cut" },
		func(b *Batch) { b.Readings, b.Clock = nil, Clock{Synchronised: true, OffsetMillis: -70_000} },
		func(b *Batch) { b.Readings, b.Origin = b.Readings[:1], Measured },
		func(b *Batch) { *b = *benchBatch() },
		func(b *Batch) {
			for i := range 900 {
				b.Readings = append(b.Readings, metering.Reading{Series: "x/heat_energy", Unit: metering.KWh, At: 1767225600000 + int64(i*i*7919%1_000_003), Number: metering.Int(int64(i*i) * 104729 % 1_000_000_007)})
			}
		},
	} {
		b := sample()
		change(b)
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
		sealed, err := Seal(b, key)
		require.NoError(t, err)
		all = append(all, sealed)
	}
	return all
}

// Every envelope that Seal writes is read directly.
func TestEnvelopesAreScanned(t *testing.T) {
	for i, sealed := range envelopes(t) {
		e, b := scanEnvelope(sealed)
		require.NotNil(t, e, i)
		requireEnvelope(t, sealed, e, b)
	}
}

// Whatever envelope is read directly is one that go-cose reads, in the same way.
func FuzzScanEnvelope(f *testing.F) {
	for _, sealed := range envelopes(f) {
		f.Add(sealed)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if e, b := scanEnvelope(sealed); e != nil {
			requireEnvelope(t, bytes.Clone(sealed), e, b)
		}
	})
}

// Verify says of every batch, whole or altered, what Open says.
func TestVerifyIsOpenWithoutReadings(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	keys := func(string) (ed25519.PublicKey, error) { return key.Public().(ed25519.PublicKey), nil }
	verifier := NewVerifier() // soon it knows the key well
	for _, sealed := range envelopes(t) {
		for i := -1; i < len(sealed); i += 1 + len(sealed)/199 {
			sealed := bytes.Clone(sealed)
			if i >= 0 {
				sealed[i] ^= 0x10
			}
			want, errOpen := Open(sealed, keys)
			got, newest, errVerify := verifier.Verify(sealed, keys)
			require.Equal(t, i < 0, errOpen == nil)
			if errOpen != nil {
				require.EqualError(t, errVerify, errOpen.Error())
				require.Equal(t, errors.Is(errOpen, ErrSignature), errors.Is(errVerify, ErrSignature))
				continue
			}
			require.NoError(t, errVerify)
			latest := int64(0)
			for _, r := range want.Readings {
				latest = max(latest, r.At)
			}
			require.Equal(t, latest, newest)
			before := []metering.Reading{{Series: "first/heat_energy"}}
			head, all, err := ParseTo(before, sealed)
			require.NoError(t, err)
			require.Equal(t, got, head)
			require.Equal(t, before[0], all[0])
			require.Equal(t, len(want.Readings), len(all)-1)
			for i := range want.Readings {
				require.Equal(t, want.Readings[i], all[1+i])
			}
			want.Readings = nil
			require.Equal(t, want, got)
		}
	}
}

// What the readings break is said in the same words, however the pack is read.
func TestVerifyRefusesUnsoundReadings(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	keys := func(string) (ed25519.PublicKey, error) { return key.Public().(ed25519.PublicKey), nil }
	for _, bad := range []metering.Reading{
		{Series: "a/heat_energy", Unit: metering.KW, At: 1767225600000},
		{Series: "a/heat_energy", Unit: metering.KWh, At: 1000},
		{Series: "a/heat_energy", Unit: metering.KWh, At: metering.LatestMillis},
		{Series: "A/heat_energy", Unit: metering.KWh, At: 1767225600000},
		{Series: "a/nothing", Unit: metering.KWh, At: 1767225600000},
	} {
		pack := AppendPack(nil, []metering.Reading{bad})
		sealed, err := sign(protectedOf(sample()), pack, key)
		require.NoError(t, err)
		_, errOpen := Open(sealed, keys)
		require.ErrorIs(t, errOpen, ErrFormat)
		require.ErrorContains(t, errOpen, "reading 0: series ")
		_, _, errVerify := NewVerifier().Verify(sealed, keys)
		require.EqualError(t, errVerify, errOpen.Error())
	}
}
