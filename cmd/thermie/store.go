package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/server"
)

func rebuildCommand() *cobra.Command {
	var path string
	var empty, asJSON bool
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the series store anew from the ledger",
		Long: `Applies every leaf of the ledger, from the first, to a new series store. The ledger is the
truth and the store an index over it: the new one holds the same readings as the old one.

The server must be stopped. An embedded store is built beside the old one, which stays in its
place until the new one is whole; an interrupted rebuild goes on where it was. With InfluxDB,
name an empty bucket in the configuration, or say --empty; what was interrupted there the server
goes on with when it starts.`,
		Example: `  systemctl stop thermie
  thermie rebuild --config /etc/thermie/server.yaml
  thermie rebuild --config server.yaml --empty       an InfluxDB's bucket is emptied first`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := loadServerConfig(path)
			if err != nil {
				return err
			}
			log, err := serverLog(conf.Log)
			if err != nil {
				return frame.Usage(err)
			}
			b := newBar(c.ErrOrStderr())
			began := time.Now()
			r, err := server.Rebuild(c.Context(), server.RebuildOptions{Config: conf, Empty: empty, Progress: b.show, Log: log})
			b.end()
			if errors.Is(err, server.ErrBucketInUse) || errors.Is(err, ledger.ErrLocked) {
				return frame.Usage(err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"leaves": r.Leaves, "series": r.Series, "points": r.Points,
					"series_with_refused_readings": len(r.Left), "seconds": time.Since(began).Seconds()})
			}
			for _, a := range r.Left {
				fmt.Fprintln(c.OutOrStdout(), a.Text.EN)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "store rebuilt from %d leaves: %d series, %d points, in %s\n", r.Leaves, r.Series, r.Points, time.Since(began).Round(time.Millisecond))
			return err
		},
	}
	c.Flags().StringVar(&path, "config", "", "the server's configuration file")
	c.Flags().BoolVar(&empty, "empty", false, "empty the InfluxDB's bucket first")
	c.Flags().BoolVar(&asJSON, "json", false, "print the outcome as JSON")
	return c
}

func storeCommand() *cobra.Command {
	c := &cobra.Command{Use: "store", Short: "The series store: make an InfluxDB ready"}
	var path string
	var years int
	var o server.SetupOptions
	setup := &cobra.Command{
		Use:   "setup",
		Short: "Make organisation, bucket, roll-ups and tokens in the InfluxDB that the configuration names",
		Long: `Makes what is missing in the InfluxDB of store.url: the organisation, the bucket, with
--rollups coarser buckets and the server's tasks that fill them (10 minutes, hours, civil days),
and tokens that may do what they are for and nothing else. They are written to files of mode 0600:
store.token_file (reads and writes the bucket), beside it ".read" (reads it) and ".rollups".
Doing it again changes nothing.

A new server wants --user and --password-file for its first administrator, whose token is
written to --admin-token; any other one wants that file.`,
		Example: `  thermie store setup --config server.yaml --user admin --password-file pw --admin-token influx-admin-token
  thermie store setup --config server.yaml --admin-token influx-admin-token --retention-years 10 --rollups`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.AdminTokenFile == "":
				return frame.Usage(errors.New("--admin-token: name the file of the administrator's token"))
			case (o.User == "") != (o.PasswordFile == ""):
				return frame.Usage(errors.New("--user and --password-file go together"))
			case years < 0 || years > 200:
				return frame.Usage(fmt.Errorf("--retention-years: %d is not between 0 (for ever) and 200", years))
			}
			conf, err := loadServerConfig(path)
			if err != nil {
				return err
			}
			if conf.Store.Kind != "influx" {
				return frame.Usage(fmt.Errorf("%s: store.kind is %q: only an InfluxDB is set up", path, conf.Store.Kind))
			}
			o.Config, o.Retention = conf, time.Duration(years)*366*24*time.Hour
			files, err := server.SetupStore(c.Context(), o)
			for _, f := range files {
				fmt.Fprintf(c.OutOrStdout(), "token written: %s\n", f)
			}
			return err
		},
	}
	setup.Flags().StringVar(&path, "config", "", "the server's configuration file")
	setup.Flags().StringVar(&o.AdminTokenFile, "admin-token", "", "file of the administrator's token")
	setup.Flags().StringVar(&o.User, "user", "", "first administrator of a new server")
	setup.Flags().StringVar(&o.PasswordFile, "password-file", "", "file of that administrator's password")
	setup.Flags().IntVar(&years, "retention-years", 0, "how long readings are kept; 0: for ever")
	setup.Flags().BoolVar(&o.Rollups, "rollups", false, "make coarser buckets too, for Grafana and the like")
	c.AddCommand(setup, forgetCommand())
	return c
}

func forgetCommand() *cobra.Command {
	var path string
	var o server.ForgetOptions
	c := &cobra.Command{
		Use:   "forget METER...",
		Short: "Delete the readings of meters from the store, as their company may demand",
		Long: `Deletes every reading of the meters from the series store and keeps them out of it: neither
the server nor "thermie rebuild" brings them back from the ledger. Readings from now on are kept. The
ledger itself keeps the signed batches, without which it would prove nothing. The server must be
stopped. It is in the audit trail.`,
		Example: `  thermie store forget --config server.yaml --by anne@port.example fonderie-heat fonderie-gas`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.By == "" {
				return frame.Usage(errors.New("--by: name who asked for it"))
			}
			if o.Config, err = loadServerConfig(path); err != nil {
				return err
			}
			o.Meters, o.Until = args, time.Now()
			err = server.Forget(c.Context(), o)
			if errors.Is(err, ledger.ErrLocked) || errors.Is(err, registry.ErrNotFound) {
				return frame.Usage(err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "readings of %d meters deleted from the store\n", len(args))
			return err
		},
	}
	c.Flags().StringVar(&path, "config", "", "the server's configuration file")
	c.Flags().StringVar(&o.By, "by", "", "who asked for it")
	return c
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
