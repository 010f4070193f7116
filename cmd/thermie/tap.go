package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/server"
)

func tapCommand() *cobra.Command {
	var path, gateway string
	c := &cobra.Command{
		Use:   "tap",
		Short: "Print what gateways send, readably, as it arrives",
		Long: `Subscribes beside the ingest, with the same rights, and prints each batch. Nothing is
acknowledged in the ingest's name and nothing is changed. Ctrl-C ends it.`,
		Example: `  thermie tap --config server.yaml
  thermie tap --config server.yaml --gateway gw-fonderie`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := loadServerConfig(path)
			if err != nil {
				return err
			}
			o, territory, err := server.TapOptions(conf)
			if err != nil {
				return err
			}
			conn, err := mqtt.Dial(c.Context(), o)
			if err != nil {
				return err
			}
			defer conn.Close()
			err = conn.Subscribe(c.Context(), []string{batch.Topic(territory, gateway, batch.TopicBatch)}, func(m mqtt.Message) {
				m.Ack()
				b, err := batch.Parse(m.Payload)
				if err != nil {
					fmt.Fprintf(c.OutOrStdout(), "%s: not a batch: %v\n", m.Topic, err)
					return
				}
				printBatch(c.OutOrStdout(), b)
			})
			if err != nil {
				return err
			}
			select {
			case <-conn.Done():
				return conn.Err()
			case <-c.Context().Done():
				return nil
			}
		},
	}
	c.Flags().StringVar(&path, "config", "", "the server's configuration file")
	c.Flags().StringVar(&gateway, "gateway", "+", "one gateway only")
	return c
}

// printBatch prints a batch for people.
func printBatch(w io.Writer, b *batch.Batch) {
	fmt.Fprintf(w, "%s batch %d closed %s, %s, %d readings\n", b.Gateway, b.Number, time.UnixMilli(b.ClosedAt).UTC().Format(time.RFC3339), b.Origin, len(b.Readings))
	if b.Break != "" {
		fmt.Fprintf(w, "  break in the chain: %s\n", b.Break)
	}
	for _, r := range b.Readings {
		fmt.Fprintf(w, "  %s  %-44s %14s %-6s %s\n", r.Time().UTC().Format("15:04:05.000"), r.Series, r.Number, r.Unit, r.Quality)
	}
}
