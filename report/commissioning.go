package report

import (
	"context"
	"fmt"

	"github.com/thermie/thermie/proof"
)

// commissionings are the records that the ledger has among its first size leaves,
// each with its leaf and its proof.
func commissionings(ctx context.Context, in *Inputs, size uint64) (out []proof.Commissioning, err error) {
	all, err := in.Registry.Commissionings(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if !c.Entered || c.Index >= size {
			continue
		}
		x := proof.Commissioning{Record: c.Record}
		for e, err := range in.Ledger.Entries(ctx, c.Index, c.Index+1) {
			if err != nil {
				return nil, fmt.Errorf("commissioning record of %s: leaf %d: %w", c.Gateway, c.Index, err)
			}
			x.Leaf = e.Data
		}
		if x.Proof, err = in.Ledger.Prove(ctx, c.Index); err != nil {
			return nil, fmt.Errorf("commissioning record of %s: leaf %d: %w", c.Gateway, c.Index, err)
		}
		out = append(out, x)
	}
	return out, nil
}
