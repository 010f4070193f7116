package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/export"
	"github.com/thermie/thermie/server"
)

func exportCommand() *cobra.Command {
	var config, from, to, quarter, step, format, output string
	var french bool
	var o server.ExportOptions
	c := &cobra.Command{
		Use:   "export [PATTERN]...",
		Short: "Write readings, or aggregates of them, to CSV or Parquet",
		Long: `Writes what one person may see (--as): the readings of the series that a pattern fits
("fonderie-*/heat_energy"; all without one), or with --every their aggregates by 10 minutes, hour
or civil day. The file says in its header what its numbers are: units, time zone, quality, source.
A date without a time is the beginning of that civil day in Europe/Paris. The server may run
beside it. Each export is in the audit trail.`,
		Example: `  thermie export --config server.yaml --as anne@port.example --from 2026-07-01 --to 2026-10-01 > q3.csv
  thermie export --config server.yaml --as anne@port.example --quarter 2026-Q3 --every day --french 'fonderie-*/*' -o fonderie.csv
  thermie export --config server.yaml --as anne@port.example --quarter 2026-Q3 --format parquet -o q3.parquet`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if o.As == "" {
				return frame.Usage(errors.New("--as: name the account whose rights count"))
			}
			if err := exportSpan(&o, from, to, quarter); err != nil {
				return frame.Usage(err)
			}
			if o.Step, err = export.ParseStep(step); err != nil {
				return frame.Usage(fmt.Errorf("--every: %w", err))
			}
			for _, p := range args {
				if _, err := path.Match(p, "x"); err != nil {
					return frame.Usage(fmt.Errorf("pattern %q: %w", p, err))
				}
			}
			switch {
			case format != "csv" && format != "parquet":
				return frame.Usage(fmt.Errorf("--format: %q is neither csv nor parquet", format))
			case format == "parquet" && output == "":
				return frame.Usage(errors.New("--format parquet: name a file with -o"))
			case format == "parquet" && french:
				return frame.Usage(errors.New("--french is for CSV"))
			}
			conf, err := loadServerConfig(config)
			if err != nil {
				return err
			}
			o.Config, o.Patterns, o.Parquet, o.Style, o.Now = conf, args, format == "parquet", export.International, time.Now()
			if french {
				o.Style = export.French
			}
			var f export.File
			err = writeTo(c.OutOrStdout(), output, func(w io.Writer) (err error) {
				f, err = server.Export(c.Context(), w, o)
				return err
			})
			if err == nil && output != "" {
				fmt.Fprintf(c.ErrOrStderr(), "%s: %d series, %s to %s\n", output, len(f.Series), f.From.In(calendar.Paris).Format(time.RFC3339), f.To.In(calendar.Paris).Format(time.RFC3339))
			}
			return err
		},
	}
	c.Flags().StringVar(&config, "config", "", "the server's configuration file")
	c.Flags().StringVar(&o.As, "as", "", "e-mail of the account whose rights count")
	c.Flags().StringVar(&from, "from", "", "first instant (2026-07-01 or RFC 3339)")
	c.Flags().StringVar(&to, "to", "", "end, not included; default: now")
	c.Flags().StringVar(&quarter, "quarter", "", "a quarter (2026-Q3) instead of --from and --to")
	c.Flags().StringVar(&step, "every", "readings", "readings, 10m, hour or day")
	c.Flags().StringVar(&format, "format", "csv", "csv or parquet")
	c.Flags().BoolVar(&french, "french", false, "CSV with semicolons and decimal commas, as French spreadsheets open it")
	c.Flags().StringVarP(&output, "output", "o", "", "file to write; default: standard output")
	return c
}

func exportSpan(o *server.ExportOptions, from, to, quarter string) (err error) {
	if quarter != "" {
		if from != "" || to != "" {
			return errors.New("--quarter stands instead of --from and --to")
		}
		q, err := calendar.ParseQuarter(quarter)
		if err != nil {
			return fmt.Errorf("--quarter: %w", err)
		}
		o.From, o.To = q.Start(), q.End()
		return nil
	}
	if from == "" {
		return errors.New("--from: name the first day, or a --quarter")
	}
	if o.From, err = parseInstant(from); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	o.To = time.Now()
	if to != "" {
		if o.To, err = parseInstant(to); err != nil {
			return fmt.Errorf("--to: %w", err)
		}
	}
	if !o.From.Before(o.To) {
		return fmt.Errorf("--from %s is not before --to", from)
	}
	return nil
}

// parseInstant reads a civil day of Europe/Paris or an RFC 3339 instant.
func parseInstant(s string) (time.Time, error) {
	if t, err := time.ParseInLocation(time.DateOnly, s, calendar.Paris); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is neither a day (2026-07-01) nor an instant (2026-07-01T00:00:00+02:00)", s)
	}
	return t, nil
}

// writeTo writes to a file, whole or not at all, or to out when there is none.
func writeTo(out io.Writer, name string, write func(io.Writer) error) error {
	if name == "" {
		b := bufio.NewWriter(out)
		return errors.Join(write(b), b.Flush())
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".thermie-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	b := bufio.NewWriterSize(f, 1<<16)
	if err := errors.Join(write(b), b.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
