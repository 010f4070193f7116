package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/importer"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/server"
)

func importCommand() *cobra.Command {
	var config, mapping, stamp string
	var asJSON bool
	var o server.ImportOptions
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Import historical data: CSV, Météo-France, Enedis, GRDF",
		Long: `Reads files of historical data and seals what they hold into batches signed with the
importer's own key, of origin "imported". The ingest that runs on the data folder takes them within
seconds: they are verified, in the ledger and in the store as any batch.

The importer is a gateway of the programme whose name begins with "import-"; the meters must be its
own, so that what is imported never stands among what was measured. Its key is made and enrolled at
its first import. The same file again does nothing; files that overlap do no harm.

Formats: csv (with --mapping), meteo-france (hourly stations, RR-T-Vent, .csv or .csv.gz), enedis (a
customer's load curve, registers or daily energy), grdf (a customer's JSON, XLSX or CSV).`,
		Example: `  thermie import --config server.yaml --importer import-meteo --format meteo-france --meter meteo-strasbourg --station 67124001 H_67_2020-2023.csv.gz
  thermie import --config server.yaml --importer import-enedis --format enedis --meter fonderie-pdl --dry-run courbe.csv
  thermie import --config server.yaml --importer import-site --format csv --mapping releves.yaml releves-*.csv`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := checkImport(&o, mapping, stamp); err != nil {
				return frame.Usage(err)
			}
			if o.Config, err = loadServerConfig(config); err != nil {
				return err
			}
			for _, f := range args {
				o.File, o.Now = f, time.Now()
				done, err := server.Import(c.Context(), o)
				if errors.Is(err, server.ErrImport) {
					return frame.Usage(err)
				}
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(c.OutOrStdout(), done)
				} else {
					_, err = fmt.Fprintln(c.OutOrStdout(), saidImport(done, o.DryRun))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&config, "config", "", "the server's configuration file")
	c.Flags().StringVar(&o.Importer, "importer", "", "gateway of the programme that imports, \"import-...\"")
	c.Flags().StringVar(&o.Format, "format", "", "csv, meteo-france, enedis or grdf")
	c.Flags().StringVar(&mapping, "mapping", "", "mapping file of csv")
	c.Flags().StringVar(&o.Meter, "meter", "", "meter that the file tells of (not for csv)")
	c.Flags().StringVar(&o.Station, "station", "", "station of a meteo-france file (NUM_POSTE)")
	c.Flags().StringVar(&stamp, "stamp", "", "of an enedis load curve: its times are the start or the end of intervals; default: found out")
	c.Flags().BoolVar(&o.Again, "again", false, "also files that were imported before")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "read and check, change nothing")
	c.Flags().BoolVar(&asJSON, "json", false, "print the outcome as JSON")
	return c
}

func checkImport(o *server.ImportOptions, mapping, stamp string) error {
	switch o.Format {
	case "csv":
		if mapping == "" {
			return errors.New("--mapping: csv needs a mapping file")
		}
		b, err := os.ReadFile(mapping)
		if err != nil {
			return fmt.Errorf("--mapping: %w", err)
		}
		if o.Mapping, err = importer.ParseMapping(mapping, b); err != nil {
			return err
		}
	case "meteo-france", "enedis", "grdf":
		if err := metering.CheckID(o.Meter); err != nil {
			return fmt.Errorf("--meter: %w", err)
		}
	default:
		return fmt.Errorf("--format: %q is not csv, meteo-france, enedis or grdf", o.Format)
	}
	switch o.Stamp = importer.Stamp(stamp); o.Stamp {
	case importer.StampFound, importer.StampStart, importer.StampEnd:
	default:
		return fmt.Errorf("--stamp: %q is neither start nor end", stamp)
	}
	if o.Importer == "" {
		return errors.New("--importer: name the gateway of the programme that imports")
	}
	return nil
}

func saidImport(d server.Imported, dry bool) string {
	if !d.Before.IsZero() {
		return fmt.Sprintf("%s: imported already on %s, nothing done", d.File, d.Before.In(calendar.Paris).Format("2006-01-02 15:04"))
	}
	s := fmt.Sprintf("%s: %d readings of %d series", d.File, d.Readings, d.Series)
	if d.Readings > 0 {
		s += fmt.Sprintf(", %s to %s", d.From.In(calendar.Paris).Format(time.RFC3339), d.To.In(calendar.Paris).Format(time.RFC3339))
	}
	if d.Known > 0 {
		s += fmt.Sprintf("; %d intervals were imported before", d.Known)
	}
	if dry {
		return s + "; nothing changed (--dry-run)"
	}
	return s + fmt.Sprintf("; %d batches left for the ingest", d.Batches)
}
