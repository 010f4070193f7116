package registry

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Migrations are counted in the order of their names: each has the next number, so
// that a new one never comes before one that a registry has had already.
func TestMigrationNumbers(t *testing.T) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	require.NoError(t, err)
	for i, name := range names {
		require.True(t, strings.HasPrefix(name, fmt.Sprintf("migrations/%04d_", i+1)), "%s is migration %d", name, i+1)
	}
}
