package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/server"
)

func serverCommand() *cobra.Command {
	return roleCommand("server", "The production server: ingest, analytics and dashboard in one process", server.Roles{Ingest: true, Serve: true})
}

func ingestCommand() *cobra.Command {
	return roleCommand("ingest", "Only what receives: broker to ledger to store, and the sealing of quarters", server.Roles{Ingest: true})
}

func serveCommand() *cobra.Command {
	return roleCommand("serve", "Only what people see: the daily assessment and the dashboard", server.Roles{Serve: true})
}

func roleCommand(name, short string, roles server.Roles) *cobra.Command {
	var path string
	var check bool
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `.

The configuration is a YAML file; deploy/server.example.yaml explains every key. The two
roles of "server" can run apart, as "ingest" and "serve" on the same data folder, when the
store is an InfluxDB.`,
		Example: fmt.Sprintf(`  thermie %[1]s --config /etc/thermie/server.yaml
  thermie %[1]s --config server.yaml --check      try the configuration, change nothing`, name),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if path == "" {
				return frame.Usage(fmt.Errorf("--config: name the configuration file (see: %s --help)", c.CommandPath()))
			}
			conf, err := server.LoadConfig(path)
			if err != nil {
				return frame.Usage(err)
			}
			log, err := serverLog(conf.Log)
			if err != nil {
				return frame.Usage(err)
			}
			o := server.Options{Config: conf, Roles: roles, Log: log, Version: version}
			if check {
				if err := server.Check(c.Context(), o); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: all good\n", path)
				return nil
			}
			return runServer(c.Context(), o)
		},
	}
	c.Flags().StringVar(&path, "config", "", "the configuration file")
	c.Flags().BoolVar(&check, "check", false, "try the configuration and the places that it names, change nothing")
	return c
}

// runServer opens and runs a server. Where several ingest processes share a
// territory and the one that owned the ledger is gone, it tries to take its place.
func runServer(ctx context.Context, o server.Options) error {
	const soon, late = 200 * time.Millisecond, 5 * time.Second
	for wait := soon; ; wait = min(2*wait, late) { // an owner that has just begun may take a while to listen
		began := time.Now()
		err := runOnce(ctx, o)
		if !errors.Is(err, ingest.ErrOwnerGone) {
			return err
		}
		if time.Since(began) > time.Minute {
			wait = soon
		}
		o.Log.Warn("the owner of the ledger is gone; trying to take its place", "cause", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

func runOnce(ctx context.Context, o server.Options) error {
	s, err := server.Open(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	if a := s.Address(); a != nil {
		o.Log.Info("dashboard listens", "address", a.String())
	}
	return s.Run(ctx)
}

func serverLog(c server.Log) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
}
