package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/ingest"
)

func gatewaysGapsCommand(config *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "gaps",
		Short: "Which batches of each gateway are missing, by their numbers",
		Long: `Gateways number their batches without gaps; what is missing before the last one is shown here,
as the running ingest knew it seconds ago, with what the gateway itself declared lost. A batch that comes late fills
its gap. Completeness is the share of the batches made that are in the ledger.`,
		Example: `  thermie gateways gaps --config server.yaml
  thermie gateways gaps --config server.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := loadServerConfig(*config)
			if err != nil {
				return err
			}
			chains, err := ingest.ReadChains(filepath.Join(conf.Data, "chains.json"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return printGaps(c.OutOrStdout(), chains, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// gatewayGaps is a gateway's completeness for programs.
type gatewayGaps struct {
	Gateway  string  `json:"gateway"`
	Last     uint64  `json:"last"`    // highest number
	Batches  uint64  `json:"batches"` // in the ledger
	Missing  uint64  `json:"missing"`
	Complete float64 `json:"complete"` // 0 to 1
	Gaps     []gap   `json:"gaps"`
}

type gap struct {
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Declared string `json:"declared,omitempty"` // by the gateway
	Unknown  bool   `json:"unknown,omitempty"`  // how many were lost, if any
}

func printGaps(out io.Writer, chains map[string]ingest.Chain, asJSON bool) error {
	all := []gatewayGaps{}
	for _, id := range slices.SortedFunc(maps.Keys(chains), cmp.Compare) {
		x := chains[id]
		g := gatewayGaps{Gateway: id, Last: x.Last, Batches: x.Count, Missing: x.Missing(), Complete: x.Complete(), Gaps: []gap{}}
		for _, y := range x.Gaps {
			g.Gaps = append(g.Gaps, gap{y.From, y.To, y.Declared, y.Unknown()})
		}
		all = append(all, g)
	}
	if asJSON {
		return printJSON(out, all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GATEWAY\tLAST\tIN LEDGER\tMISSING\tCOMPLETE\tGAPS")
	for _, g := range all {
		said := ""
		for _, y := range g.Gaps[max(0, len(g.Gaps)-5):] {
			said += fmt.Sprintf(" %d-%d", y.From, y.To)
			if y.Declared != "" {
				said += fmt.Sprintf(" (%s)", y.Declared)
			}
		}
		if n := len(g.Gaps); n > 5 {
			said = fmt.Sprintf(" ... of %d the last:", n) + said
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.3f %%\t%s\n", g.Gateway, g.Last, g.Batches, g.Missing, 100*g.Complete, said)
	}
	return w.Flush()
}
