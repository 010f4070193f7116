package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/export"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
)

// ExportOptions say what is exported, and with whose rights.
type ExportOptions struct {
	Config   Config
	As       string // e-mail of an account: what that person may see
	Patterns []string
	From, To time.Time
	Step     export.Step
	Parquet  bool
	Style    export.Style // of CSV
	Now      time.Time
	Log      *slog.Logger
}

// ErrNothingToExport says that no series fits that the person may see.
var ErrNothingToExport = errors.New("no series fits that this person may see")

// Export writes a file of readings, and a line to the audit trail. The server
// may run beside it.
func Export(ctx context.Context, out io.Writer, o ExportOptions) (f export.File, err error) {
	person, err := findPerson(ctx, o.Config, o.As)
	if err != nil {
		return f, err
	}
	r, err := registry.Open(ctx, filepath.Join(o.Config.Data, "registry.db"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	facts, err := r.Facts(ctx)
	if err != nil {
		return f, err
	}
	territory, err := r.Territory(ctx)
	if err != nil {
		return f, err
	}
	meters, err := r.Installations(ctx)
	if err != nil {
		return f, err
	}
	imported, err := r.ImportedSpans(ctx)
	if err != nil {
		return f, err
	}
	store, err := OpenToRead(ctx, o.Config, o.Log)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	scope := access.ForSeries(person, facts)
	f = export.File{Territory: territory.Name.FR, Made: o.Now, For: scope.String(), From: o.From, To: o.To, Step: o.Step}
	if f.Series, err = export.Choose(ctx, store, scope, o.Patterns, export.Describe(meters, imported, territory.Synthetic, func(company string) bool { return access.May(person, facts, access.SeeMeters, company) })); err != nil {
		return f, err
	}
	f.Series = slices.DeleteFunc(f.Series, func(x export.Series) bool { return !access.May(person, facts, access.SeeHistory, x.ID.Meter()) })
	if len(f.Series) == 0 {
		return f, ErrNothingToExport
	}
	if err := r.Audit(ctx, registry.Act{At: o.Now, Who: o.As, What: "export", Subject: fmt.Sprintf("%d series, %s to %s", len(f.Series), o.From.UTC().Format(time.RFC3339), o.To.UTC().Format(time.RFC3339))}); err != nil {
		return f, err
	}
	if o.Parquet {
		return f, export.Parquet(ctx, out, store, scope, f)
	}
	return f, export.CSV(ctx, out, store, scope, f, o.Style)
}

func findPerson(ctx context.Context, c Config, email string) (p access.Person, err error) {
	a, err := accounts.Open(ctx, AccountsPath(c.Data))
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	all, err := a.List(ctx)
	if err != nil {
		return p, err
	}
	for _, x := range all {
		if strings.EqualFold(x.Email, email) && !x.Disabled {
			return x.Person, nil
		}
	}
	return p, fmt.Errorf("no account of %s, or it is disabled", email)
}

// OpenToRead opens the series store that a configuration names for reading
// only, beside a server that may be running.
func OpenToRead(ctx context.Context, c Config, log *slog.Logger) (series.Store, error) {
	if c.Store.Kind == "embedded" {
		return embedded.Open(ctx, filepath.Join(c.Data, "series"), embedded.Options{Log: log, ReadOnly: true})
	}
	return openStore(ctx, c, log)
}
