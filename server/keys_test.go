package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/registry"
)

// Enrolment counts from the next batch on; a gateway that is not enrolled is
// refused, a registry that does not answer is asked again.
func TestEnrolledKeys(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: testConfig(t)})
	require.NoError(t, err)
	defer s.Close()
	keys := s.enrolledKeys(ctx)
	_, err = keys("gw-neudorf")
	require.ErrorIs(t, err, registry.ErrNotFound)
	require.NotErrorIs(t, err, ingest.ErrTryLater)
	for _, seed := range []byte{1, 2} {
		public := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)).Public().(ed25519.PublicKey)
		require.NoError(t, s.Registry().EnrolGateway(ctx, "gw-neudorf", public))
		got, err := keys("gw-neudorf")
		require.NoError(t, err)
		require.Equal(t, public, got)
	}
	require.NoError(t, s.Registry().Close())
	_, err = keys("gw-neudorf")
	require.ErrorIs(t, err, ingest.ErrTryLater)
}
