package registry_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/registry"
)

// TestImportedSpans: batches of one import become one stretch, a hole of more than a
// day parts them, and hearing of one twice changes nothing.
func TestImportedSpans(t *testing.T) {
	r, _ := open(t)
	day := func(n float64) time.Time { return at("2024-01-01").Add(time.Duration(n * 24 * float64(time.Hour))) }
	span := func(by string, from, to float64) registry.ImportedSpan {
		return registry.ImportedSpan{Series: "pdl/active_energy_import", By: by, From: day(from), To: day(to)}
	}
	for range 2 {
		require.NoError(t, r.MarkImported(ctx, []registry.ImportedSpan{span("import-a", 0, 10), span("import-a", 20, 30)}))
		require.NoError(t, r.MarkImported(ctx, []registry.ImportedSpan{span("import-a", 10.5, 12), span("import-b", 11, 15)}))
		got, err := r.ImportedSpans(ctx)
		require.NoError(t, err)
		assert.Equal(t, []registry.ImportedSpan{span("import-a", 0, 12), span("import-b", 11, 15), span("import-a", 20, 30)}, got)
	}
	require.NoError(t, r.MarkImported(ctx, []registry.ImportedSpan{span("import-a", 12.5, 19.5)}))
	got, err := r.ImportedSpans(ctx)
	require.NoError(t, err)
	assert.Equal(t, []registry.ImportedSpan{span("import-a", 0, 30), span("import-b", 11, 15)}, got)
	assert.Error(t, r.MarkImported(ctx, []registry.ImportedSpan{span("import-a", 3, 2)}))
	assert.Error(t, r.MarkImported(ctx, []registry.ImportedSpan{span("", 1, 2)}))
}
