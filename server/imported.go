package server

import (
	"context"
	"time"

	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/registry"
)

// markImported notes in the registry which stretches of series the ledger has in
// imported batches, so that exports and pages tell their points from measured ones.
func markImported(ctx context.Context, r *registry.Registry) func([]ingest.Imported) error {
	return func(all []ingest.Imported) error {
		spans := make([]registry.ImportedSpan, len(all))
		for i, x := range all {
			spans[i] = registry.ImportedSpan{Series: x.Series, By: x.Gateway, From: time.UnixMilli(x.From), To: time.UnixMilli(x.To)}
		}
		return r.MarkImported(ctx, spans)
	}
}
