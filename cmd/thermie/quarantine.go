package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/server"
)

func quarantineCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "Batches that were refused: list, show, try again after mending",
		Example: `  thermie quarantine list --config server.yaml
  thermie quarantine show --config server.yaml gw-fonderie/1764000000000-3f2a
  thermie quarantine replay --config server.yaml gw-fonderie/1764000000000-3f2a`,
	}
	c.PersistentFlags().StringVar(&path, "config", "", "the server's configuration file")
	with := func(do func(c *cobra.Command, q *ingest.Quarantine, args []string) error) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, args []string) error {
			conf, err := loadServerConfig(path)
			if err != nil {
				return err
			}
			return do(c, ingest.OpenQuarantine(server.QuarantineDir(conf)), args)
		}
	}
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "What waits, with its reason", Args: cobra.NoArgs, RunE: with(listQuarantine)},
		&cobra.Command{Use: "show ID", Short: "One batch, as far as it can be read", Args: cobra.ExactArgs(1), RunE: with(showQuarantine)},
		&cobra.Command{Use: "replay ID", Short: "Let the running ingest try it again", Args: cobra.ExactArgs(1), RunE: with(
			func(c *cobra.Command, q *ingest.Quarantine, args []string) error {
				if err := q.Replay(args[0]); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: the ingest tries it again within seconds\n", args[0])
				return nil
			})},
	)
	return c
}

func listQuarantine(c *cobra.Command, q *ingest.Quarantine, _ []string) error {
	all, err := q.List()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(c.OutOrStdout(), "nothing in quarantine")
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSINCE\tNUMBER\tBYTES\tREASON")
	for _, h := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", h.ID, h.At.UTC().Format(time.RFC3339), h.Number, h.Size, h.Reason)
	}
	return w.Flush()
}

func showQuarantine(c *cobra.Command, q *ingest.Quarantine, args []string) error {
	h, payload, err := q.Show(args[0])
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "%s\n  topic   %s\n  since   %s\n  reason  %s\n  SHA-256 %s, %d bytes\n", h.ID, h.Topic, h.At.UTC().Format(time.RFC3339), h.Reason, h.Hash, h.Size)
	b, err := batch.Parse(payload)
	if err != nil {
		fmt.Fprintf(out, "  not readable: %v\n", err)
		return nil
	}
	printBatch(out, b)
	return nil
}
