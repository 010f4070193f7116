package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/demo"
	"github.com/thermie/thermie/proof/offline"
)

func demoCommand() *cobra.Command {
	o := demo.Options{}
	logFile := ""
	c := &cobra.Command{
		Use:   "demo",
		Short: "A whole fictional port on this machine: simulated meters to dashboard",
		Long: `Starts a fictional port in one process: 15 companies with some 70 simulated meters that
answer over Modbus, a gateway for each company, a broker, the ledger, the store, the
analytics and the dashboard. All data are synthetic, and every page says so.

The first start tells a year and a half of history; the dashboard answers meanwhile. Ctrl-C
stops; a second start on the same folder goes on where the first one stopped.

--replay wants a CSV with a header, one column for each series, or one line for each reading:

  time,laiterie-chaleur/heat_energy,laiterie-chaleur/flow_temperature,laiterie-gaz/gas_volume
  2026-03-02T00:00:00+01:00,1204511,47.2,88120.4

  time,series,number
  2026-03-02T00:00:00+01:00,laiterie-chaleur/heat_energy,1204511

Times are RFC 3339 and ascend; counters are registers as read; an empty cell is a reading that
is not there. A number is in kWh, kW, m3, m3/h, Cel (degrees Celsius), V or A, or in the unit that
stands behind the series in brackets: "laiterie-chaleur/heat_energy [J]". Meters are those of the
port, under the names that their pages show; simulator/testdata/replay-sample.csv is an example.
The file is moved in time by whole weeks or days, so that its last part is still to come.`,
		Example: `  thermie demo
  thermie demo --listen 127.0.0.1:9090 --data /tmp/port --seed 7
  thermie demo --data replayed --replay readings.csv   measured readings instead of the physics`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			host, _, err := net.SplitHostPort(o.Listen)
			if err != nil {
				return frame.Usage(fmt.Errorf("--listen %q is not host:port", o.Listen))
			}
			if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return frame.Usage(fmt.Errorf("--listen %s: the demo prints its passwords and has no TLS, so it listens on loopback only (127.0.0.1)", o.Listen))
			}
			if o.Lang != "fr" && o.Lang != "en" {
				return frame.Usage(fmt.Errorf("--lang %q: want fr or en", o.Lang))
			}
			if o.Log, err = demoLog(o.Data, logFile); err != nil {
				return err
			}
			o.SeedGiven = c.Flags().Changed("seed")
			o.Out, o.Version = c.OutOrStdout(), version
			err = demo.Run(c.Context(), o)
			if errors.Is(err, demo.ErrUsage) {
				return frame.Usage(err)
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the dashboard, on loopback")
	f.StringVar(&o.Data, "data", "data/demo", "folder in which everything is kept")
	f.Uint64Var(&o.Seed, "seed", 1, "the port that is simulated; the same seed, the same port")
	f.StringVar(&o.Replay, "replay", "", "CSV file of measured readings that come out of the meters instead")
	f.StringVar(&o.Lang, "lang", offline.Language(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")), "language of what is printed: fr or en")
	f.StringVar(&logFile, "log", "", `where the log goes: a file, "-" for standard error (default: demo.log in the folder)`)
	return c
}

// demoLog opens the log; by default a file in the data folder, so that the
// terminal keeps what matters.
func demoLog(data, file string) (*slog.Logger, error) {
	var w io.Writer = os.Stderr
	if file != "-" {
		if file == "" {
			if err := os.MkdirAll(data, 0o700); err != nil {
				return nil, fmt.Errorf("demo folder: %w", err)
			}
			file = filepath.Join(data, "demo.log")
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("log: %w", err)
		}
		w = f
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo})), nil
}
