package registry_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/registry"
)

func sample(t testing.TB) registry.Programme {
	t.Helper()
	b, err := os.ReadFile("testdata/programme.yaml")
	require.NoError(t, err)
	p, err := registry.ParseProgramme("programme.yaml", b)
	require.NoError(t, err)
	return p
}

func TestParseProgramme(t *testing.T) {
	p := sample(t)
	require.Equal(t, "2024-12-31T23:00:00Z", p.Synergies[0].Since.UTC().Format("2006-01-02T15:04:05Z07:00"))
}
