package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/server"
)

func reportCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "report",
		Short: "Closed quarters: list them, seal one, make a revision",
		Example: `  thermie report list --config server.yaml
  thermie report seal --config server.yaml --by anne@port.example 2026-Q3
  thermie report seal --config server.yaml --by anne@port.example --reason "relevés tardifs" 2026-Q3

A sealed quarter never changes: sealing it again makes a revision, which says why.`,
	}
	c.PersistentFlags().StringVar(&path, "config", "", "the server's configuration file")
	c.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "Every sealed report",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withRegistry(c.Context(), path, func(r *registry.Registry) error { return listReports(c, r) })
		},
	}, sealCommand(&path))
	return c
}

func listReports(c *cobra.Command, r *registry.Registry) error {
	all, err := r.Reports(c.Context())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUARTER\tREVISION\tSEALED\tBY\tLEDGER\tFOLDER\tREASON")
	for _, x := range all {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\t%s\n", x.Quarter, x.Revision, x.SealedAt.UTC().Format(time.RFC3339), x.SealedBy, x.LedgerIndex, x.Path, x.Reason)
	}
	return w.Flush()
}

func sealCommand(path *string) *cobra.Command {
	var by, reason string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "seal QUARTER",
		Short: "Ask the running server to seal a quarter, and wait for it",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			conf, err := loadServerConfig(*path)
			if err != nil {
				return err
			}
			q, err := calendar.ParseQuarter(args[0])
			if err != nil {
				return frame.Usage(err)
			}
			if by == "" {
				return frame.Usage(errors.New("--by: say who seals"))
			}
			ctx, cancel := context.WithTimeout(c.Context(), wait)
			defer cancel()
			a, err := server.AskToSeal(ctx, conf.Data, server.SealRequest{Quarter: q, By: by, Reason: reason})
			if err != nil {
				return err
			}
			if a.Error != "" {
				return errors.New(a.Error)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s revision %d sealed, ledger leaf %d, in %s\n", a.Report.Quarter, a.Report.Revision, a.Report.LedgerIndex, a.Report.Path)
			return nil
		},
	}
	c.Flags().StringVar(&by, "by", "", "who seals, as it stands in the report")
	c.Flags().StringVar(&reason, "reason", "", "why a revision is needed")
	c.Flags().DurationVar(&wait, "wait", 3*time.Minute, "how long to wait for the server")
	return c
}
