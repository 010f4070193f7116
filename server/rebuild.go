package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/series/influx"
)

// ErrBucketInUse says that a bucket has readings already, so that it is not a
// place for a rebuilt store.
var ErrBucketInUse = errors.New("the bucket holds readings already")

// RebuildOptions say which store is made anew.
type RebuildOptions struct {
	Config Config
	// Empty lets an InfluxDB's bucket that holds readings be emptied first. While
	// it fills, pages see what is there so far. An embedded store needs no such
	// word: the old one stays in its place until the new one is whole.
	Empty    bool
	Progress func(done, total uint64) // leaves; nil: untold
	Log      *slog.Logger
}

// Rebuilt tells what a rebuilt store holds.
type Rebuilt struct {
	Leaves uint64 // of the ledger, all applied
	Series int
	Points int
	Left   []metering.Alarm // series with readings that the store refuses
}

// Rebuild makes the series store anew from the ledger's first leaf. No ingest
// may run: the ledger has one owner at a time. Interrupted, an embedded store
// goes on where it was when it is called again; an InfluxDB's bucket is then not
// empty any more, and the server's follower goes on with it.
func Rebuild(ctx context.Context, o RebuildOptions) (Rebuilt, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r, err := rebuild(ctx, o)
	if err != nil {
		return r, fmt.Errorf("rebuild the store: %w", err)
	}
	return r, nil
}

func rebuild(ctx context.Context, o RebuildOptions) (r Rebuilt, err error) {
	c := o.Config
	p, err := readProgramme(c.Programme)
	if err != nil {
		return r, err
	}
	dir := filepath.Join(c.Data, "ledger")
	if _, err := os.Stat(dir); err != nil {
		return r, fmt.Errorf("no ledger: %w", err) // ledger.Open would begin one
	}
	keys, err := loadKeys(c.Data)
	if err != nil {
		return r, err
	}
	l, err := ledger.Open(dir, ledger.Options{Origin: Origin(p.Territory.ID), Signer: keys.Ledger, Log: o.Log})
	if errors.Is(err, ledger.ErrLocked) {
		return r, fmt.Errorf("%w: stop the server first", err)
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if c.Store.Kind == "embedded" {
		return rebuildEmbedded(ctx, l, o)
	}
	return rebuildInflux(ctx, l, o)
}

// rebuildEmbedded fills a folder beside the store's and then puts it in its place.
func rebuildEmbedded(ctx context.Context, l *ledger.Ledger, o RebuildOptions) (r Rebuilt, err error) {
	place := filepath.Join(o.Config.Data, "series")
	fresh, old := place+".new", place+".old"
	store, err := embedded.Open(ctx, fresh, embedded.Options{Log: o.Log})
	if err != nil {
		return r, err
	}
	r, err = fill(ctx, l, store, o)
	if err == nil {
		err = store.Pack(ctx)
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return r, err
	}
	if err := os.RemoveAll(old); err != nil {
		return r, err
	}
	if err := os.Rename(place, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	if err := os.Rename(fresh, place); err != nil {
		return r, err
	}
	return r, os.RemoveAll(old)
}

func rebuildInflux(ctx context.Context, l *ledger.Ledger, o RebuildOptions) (r Rebuilt, err error) {
	opened, err := openStore(ctx, o.Config, o.Log)
	if err != nil {
		return r, err
	}
	store := opened.(*influx.Store)
	defer func() { err = errors.Join(err, store.Close()) }()
	position, err := store.Position(ctx)
	if err != nil {
		return r, err
	}
	if o.Empty {
		if err := store.Clear(ctx); err != nil {
			return r, err
		}
	} else if position > 0 {
		return r, fmt.Errorf("bucket %s, %d leaves: %w: name an empty one in the configuration, or let this one be emptied", o.Config.Store.Bucket, position, ErrBucketInUse)
	}
	return fill(ctx, l, store, o)
}

// fill applies the whole ledger.
func fill(ctx context.Context, l *ledger.Ledger, store series.Store, o RebuildOptions) (r Rebuilt, err error) {
	r.Leaves = l.Size()
	known, err := registry.Open(ctx, filepath.Join(o.Config.Data, "registry.db"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, known.Close()) }()
	gone, err := loadForgotten(ctx, known)
	if err != nil {
		return r, err
	}
	if r.Leaves > 0 {
		err := ingest.Follow(ctx, l, store, ingest.FollowOptions{LeaveOut: gone.leavesOut, OnImported: markImported(ctx, known), Until: r.Leaves, Progress: o.Progress, Log: o.Log,
			Alarm: func(a metering.Alarm) {
				if a.Kind == "reading" && a.Until.IsZero() {
					r.Left = append(r.Left, a)
				}
			}})
		if err := errors.Join(err, ctx.Err()); err != nil {
			return r, err
		}
	}
	list, err := store.List(ctx, access.System("rebuilt store"))
	for _, i := range list {
		r.Series, r.Points = r.Series+1, r.Points+i.Count
	}
	return r, err
}
