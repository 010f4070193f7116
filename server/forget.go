package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

// forgottenSetting holds the meters whose readings were deleted on request, and
// from which instant on they are kept again.
const forgottenSetting = "forgotten_meters"

// forgotten is until when (Unix milliseconds) the readings of a meter stay out of
// the store.
type forgotten map[string]int64

// leaves out says whether a reading stays out.
func (f forgotten) leavesOut(r metering.Reading) bool {
	until, ok := f[r.Series.Meter()]
	return ok && r.At < until
}

func loadForgotten(ctx context.Context, r *registry.Registry) (forgotten, error) {
	text, err := r.Setting(ctx, forgottenSetting)
	if errors.Is(err, registry.ErrNotFound) {
		return forgotten{}, nil
	}
	if err != nil {
		return nil, err
	}
	f := forgotten{}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return nil, fmt.Errorf("setting %s: %w", forgottenSetting, err)
	}
	return f, nil
}

// ForgetOptions say what is deleted.
type ForgetOptions struct {
	Config Config
	Meters []string
	By     string    // who asked, for the audit trail
	Until  time.Time // readings from here on are kept
	Log    *slog.Logger
}

// Forget deletes the readings of meters from the store, as a company may demand,
// and remembers it, so that neither the follower nor a rebuild brings them back. No
// ingest may run. The ledger keeps the signed batches: what it proves would fall
// with them.
func Forget(ctx context.Context, o ForgetOptions) (err error) {
	r, err := registry.Open(ctx, filepath.Join(o.Config.Data, "registry.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, m := range o.Meters {
		if _, err := r.Installation(ctx, m); err != nil {
			return fmt.Errorf("forget: %w", err)
		}
	}
	territory, err := r.Territory(ctx)
	if err != nil {
		return err
	}
	keys, err := loadKeys(o.Config.Data)
	if err != nil {
		return err
	}
	// Whoever has the ledger open is following it into the store.
	l, err := ledger.Open(filepath.Join(o.Config.Data, "ledger"), ledger.Options{Origin: Origin(territory.ID), Signer: keys.Ledger})
	if errors.Is(err, ledger.ErrLocked) {
		return fmt.Errorf("forget: %w: stop the server first", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	// What was not applied yet would come after the deletion: it is remembered first.
	f, err := loadForgotten(ctx, r)
	if err != nil {
		return err
	}
	for _, m := range o.Meters {
		f[m] = max(f[m], o.Until.UnixMilli())
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := r.SetSetting(ctx, forgottenSetting, string(text)); err != nil {
		return err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	store, err := openStore(ctx, o.Config, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.(series.Deleter).Delete(ctx, o.Meters); err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	for _, m := range slices.Sorted(slices.Values(o.Meters)) {
		if err := r.Audit(ctx, registry.Act{Who: o.By, What: "meter.forget", Subject: m, Detail: "until " + o.Until.UTC().Format(time.RFC3339)}); err != nil {
			return err
		}
	}
	return nil
}
