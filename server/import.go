package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thermie/thermie/importer"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// ImportOptions say what is imported, and as whom.
type ImportOptions struct {
	Config   Config
	Importer string // a gateway of the programme whose name begins with registry.ImporterPrefix
	File     string
	Format   string // csv, meteo-france, enedis, grdf
	Mapping  *importer.Mapping
	Meter    string // of the formats that tell of one
	Station  string
	Stamp    importer.Stamp
	Again    bool // also a file that was imported before
	DryRun   bool // read and check, seal nothing
	Now      time.Time
}

// Imported tells what came of it.
type Imported struct {
	File     string    `json:"file"`
	Readings int       `json:"readings"`
	Series   int       `json:"series"`
	Batches  int       `json:"batches"`
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Known    int       `json:"known_intervals"` // amounts that were imported before
	Before   time.Time `json:"before,omitzero"` // when the same file was; then nothing was done
	Notes    []string  `json:"notes,omitempty"`
}

// ErrImport marks what the caller can mend: a file that is not in its format, a
// meter that is not the importer's.
var ErrImport = errors.New("cannot be imported")

// Import reads a file of historical data and leaves it, sealed, for the ingest
// that runs on the data folder, or will.
func Import(ctx context.Context, o ImportOptions) (done Imported, err error) {
	done.File = o.File
	if !strings.HasPrefix(o.Importer, registry.ImporterPrefix) {
		return done, fmt.Errorf("%w: importer %q: its name must begin with %q, so that nobody takes it for a device", ErrImport, o.Importer, registry.ImporterPrefix)
	}
	sheet, sum, err := readSheet(o)
	if err != nil {
		return done, err
	}
	done.Notes = sheet.Notes
	r, err := registry.Open(ctx, filepath.Join(o.Config.Data, "registry.db"))
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := ownMeters(ctx, r, o.Importer, sheet); err != nil {
		return done, err
	}
	im, err := importer.Open(filepath.Join(o.Config.Data, "importers", o.Importer), o.Importer, ingest.OpenInbox(InboxDir(o.Config)))
	if err != nil {
		return done, err
	}
	if at, ok := im.Known(sum); ok && !o.Again {
		done.Before = at
		return done, nil
	}
	registers := im.Registers()
	list, known, err := sheet.Readings(registers)
	if err != nil {
		return done, fmt.Errorf("%w: %s: %w", ErrImport, o.File, err)
	}
	done.Known, done.Readings = known, len(list)
	seen := map[metering.SeriesID]bool{}
	for _, x := range list {
		seen[x.Series] = true
	}
	done.Series = len(seen)
	if len(list) > 0 {
		done.From, done.To = list[0].Time(), list[len(list)-1].Time()
	}
	if done.To.After(o.Now) {
		return done, fmt.Errorf("%w: %s: its last reading, %s, is in the future", ErrImport, o.File, done.To.Format(time.RFC3339))
	}
	if o.DryRun {
		return done, nil
	}
	if err := enrolImporter(ctx, r, o.Importer, im); err != nil {
		return done, err
	}
	if done.Batches, err = im.Import(list, registers, sum, o.Now); err != nil {
		return done, err
	}
	return done, r.Audit(ctx, registry.Act{At: o.Now, Who: o.Importer, What: "import", Subject: filepath.Base(o.File),
		Detail: fmt.Sprintf("SHA-256 %s, %d readings in %d batches", sum, done.Readings, done.Batches)})
}

func readSheet(o ImportOptions) (sheet *importer.Sheet, sum string, err error) {
	f, err := os.Open(o.File)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrImport, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, "", fmt.Errorf("%s: %w", o.File, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, "", fmt.Errorf("%s: %w", o.File, err)
	}
	switch o.Format {
	case "csv":
		sheet, err = importer.CSV(f, o.Mapping)
	case "meteo-france":
		sheet, err = importer.MeteoFrance(f, o.Meter, o.Station)
	case "enedis":
		sheet, err = importer.Enedis(f, o.Meter, o.Stamp)
	case "grdf":
		sheet, err = importer.GRDF(f, o.Meter)
	default:
		err = fmt.Errorf("format %q: want csv, meteo-france, enedis or grdf", o.Format)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrImport, o.File, err)
	}
	return sheet, hex.EncodeToString(h.Sum(nil)), nil
}

// ownMeters refuses readings of meters that are not the importer's own: what is
// imported never stands among what a gateway measured.
func ownMeters(ctx context.Context, r *registry.Registry, id string, sheet *importer.Sheet) error {
	meters := map[string]bool{}
	for _, p := range sheet.Points {
		meters[p.Series.Meter()] = true
	}
	for _, a := range sheet.Amounts {
		meters[a.Series.Meter()] = true
	}
	for m := range meters {
		x, err := r.Installation(ctx, m)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			return fmt.Errorf("%w: meter %s is not in the programme", ErrImport, m)
		case err != nil:
			return err
		case x.Gateway != id:
			return fmt.Errorf("%w: meter %s belongs to %s, not to %s: imported data have meters of their own", ErrImport, m, x.Gateway, id)
		}
	}
	return nil
}

// enrolImporter enrols the importer's key at its first import.
func enrolImporter(ctx context.Context, r *registry.Registry, id string, im *importer.Importer) error {
	have, err := r.GatewayKey(ctx, id)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return r.EnrolGateway(ctx, id, im.Key())
	case err != nil:
		return err
	case !have.Equal(im.Key()):
		return fmt.Errorf("importer %s: another key is enrolled under its name; enrol its own: thermie gateways enrol %s %s", id, id, base64.StdEncoding.EncodeToString(im.Key()))
	}
	return nil
}
