package trial

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
)

// Origin names the ledger.
const Origin = "thermie/port-essai"

// World is the programme with its ledger, registry and store.
type World struct {
	Data     string
	Registry *registry.Registry
	Ledger   *ledger.Ledger
	Store    series.Store
	Keys     proof.Keys
	Signer   ed25519.PrivateKey
	Now      time.Time
	// Late holds batches that have not arrived yet.
	Late [][]byte
	// Sealed are all batches made, in order.
	Sealed [][]byte
}

// Key is a private key made of a name: for trials only.
func Key(name string) ed25519.PrivateKey {
	h := batch.HashOf([]byte("trial key " + name))
	return ed25519.NewKeyFromSeed(h[:])
}

// New makes the programme in an empty folder: readings up to [To] are in the
// ledger and in the store but for one late batch, and assessed.
func New(ctx context.Context, data string) (w *World, err error) {
	w = &World{Data: data, Signer: Key("server"), Now: time.Date(2026, 4, 20, 9, 0, 0, 0, calendar.Paris)}
	public := func(name string) ed25519.PublicKey { return Key(name).Public().(ed25519.PublicKey) }
	w.Keys = proof.Keys{Origin: Origin, Ledger: public("ledger"), Server: public("server")}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.Registry, err = registry.Open(ctx, filepath.Join(data, "registry.db"), registry.WithClock(w.clock)); err != nil {
		return nil, err
	}
	p, err := Programme()
	if err != nil {
		return nil, err
	}
	if err := w.Registry.Import(ctx, p); err != nil {
		return nil, err
	}
	for _, g := range gateways {
		if err := w.Registry.EnrolGateway(ctx, g.id, public(g.id)); err != nil {
			return nil, err
		}
	}
	if w.Ledger, err = ledger.Open(filepath.Join(data, "ledger"), ledger.Options{Origin: Origin, Signer: Key("ledger")}); err != nil {
		return nil, err
	}
	if w.Store, err = embedded.Open(ctx, filepath.Join(data, "series"), embedded.Options{}); err != nil {
		return nil, err
	}
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	return w, w.Assess(ctx)
}

func (w *World) clock() time.Time { return w.Now }

// Close closes what is open.
func (w *World) Close() error {
	var errs []error
	if w.Store != nil {
		errs = append(errs, w.Store.Close())
	}
	if w.Ledger != nil {
		errs = append(errs, w.Ledger.Close())
	}
	if w.Registry != nil {
		errs = append(errs, w.Registry.Close())
	}
	return errors.Join(errs...)
}

// read lets the gateways read, seal and deliver, one batch each second day, some of them
// in another order than made.
func (w *World) read(ctx context.Context) error {
	for _, g := range gateways {
		box, err := outbox.Open(filepath.Join(w.Data, "outbox", g.id), outbox.Options{Gateway: g.id, Key: Key(g.id), Origin: batch.Synthetic})
		if err != nil {
			return err
		}
		registers := map[metering.SeriesID][]int64{}
		for _, id := range g.series {
			registers[id] = register(id)
		}
		var parts []outbox.Part
		for from := From; from.Before(To); {
			to := calendar.NextDay(calendar.NextDay(from))
			parts = append(parts, outbox.Part{Clock: batch.Clock{Synchronised: true}, ClosedAt: to.UnixMilli(), Readings: readings(registers, g.series, from, to)})
			from = to
		}
		if err := box.PutMany(parts); err != nil {
			return errors.Join(err, box.Close())
		}
		sealed, err := all(box)
		if err := errors.Join(err, box.Close()); err != nil {
			return err
		}
		switch g.id {
		case "gw-malterie": // its disk failed in February: one batch lost, a break declared
			if sealed, err = broken(sealed); err != nil {
				return err
			}
		case "gw-fonderie": // a batch of March comes later than the first report
			k := int(time.Date(2026, 3, 14, 12, 0, 0, 0, calendar.Paris).Sub(From) / (48 * time.Hour))
			w.Late = append(w.Late, sealed[k])
			sealed = append(sealed[:k:k], sealed[k+1:]...)
		case "gw-beton": // two batches overtook each other
			sealed[100], sealed[101] = sealed[101], sealed[100]
		}
		w.Sealed = append(w.Sealed, sealed...)
	}
	return w.Deliver(ctx, w.Sealed)
}

func all(box *outbox.Outbox) (out [][]byte, err error) {
	after := uint64(0)
	for {
		some, err := box.Unsent(after, 100)
		if err != nil || len(some) == 0 {
			return out, err
		}
		for _, s := range some {
			out = append(out, s.Bytes)
			after = s.Number
		}
	}
}

// broken seals the batches from one on anew, as a gateway does that lost its
// last batch and declares it.
func broken(sealed [][]byte) ([][]byte, error) {
	k := int(time.Date(2026, 2, 20, 12, 0, 0, 0, calendar.Paris).Sub(From) / (48 * time.Hour))
	out := append([][]byte{}, sealed[:k]...)
	previous := batch.Hash{}
	for i, s := range sealed[k+1:] {
		b, err := batch.Parse(s)
		if err != nil {
			return nil, err
		}
		b.Previous = previous
		if i == 0 {
			b.Break = "disk replaced"
		}
		again, err := batch.Seal(b, Key(b.Gateway))
		if err != nil {
			return nil, err
		}
		previous = batch.HashOf(again)
		out = append(out, again)
	}
	return out, nil
}

// Deliver appends batches to the ledger and applies them to the store.
func (w *World) Deliver(ctx context.Context, sealed [][]byte) error {
	if _, err := w.Ledger.AppendAll(ctx, sealed); err != nil {
		return err
	}
	from, err := w.Store.Position(ctx)
	if err != nil {
		return err
	}
	var readings []metering.Reading
	for e, err := range w.Ledger.Entries(ctx, from, w.Ledger.Size()) {
		if err != nil {
			return err
		}
		b, err := batch.Parse(e.Data)
		if errors.Is(err, batch.ErrFormat) {
			continue // a sealed document
		}
		if err != nil {
			return err
		}
		readings = append(readings, b.Readings...)
	}
	return w.Store.Apply(ctx, w.Ledger.Size(), readings)
}

// Assess computes the quarter's results from the store, with the newest factors,
// and puts them into the registry.
func (w *World) Assess(ctx context.Context) error {
	synergies, err := w.Registry.Synergies(ctx)
	if err != nil {
		return err
	}
	sets, err := w.Registry.FactorSets(ctx)
	if err != nil {
		return err
	}
	set, err := indicators.ParseSet([]byte(sets[len(sets)-1].Body))
	if err != nil {
		return err
	}
	meters := map[string]metering.Meter{}
	list, err := w.Registry.Meters(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		meters[m.ID] = m
	}
	var results []metering.Result
	for _, s := range synergies {
		p, err := w.Registry.PlanOf(ctx, s.ID, Quarter.Start())
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		plan, err := savings.ParsePlan([]byte(p.Body))
		if err != nil {
			return err
		}
		ds, err := w.Registry.Declarations(ctx, s.ID, Quarter.Start(), Quarter.End())
		if err != nil {
			return err
		}
		var declared []savings.Declared
		for _, d := range ds {
			declared = append(declared, report.Declared(d))
		}
		e, err := savings.Compute(savings.Inputs{Plan: plan, Set: set, Points: w.points(ctx), Meters: meters, Declarations: declared, Until: calendar.Day(To)})
		if err != nil {
			return fmt.Errorf("assess %s: %w", s.ID, err)
		}
		results = append(results, e.Result(metering.PeriodQuarter, Quarter.Start(), Quarter.End()))
	}
	return w.Registry.PutResults(ctx, results)
}

func (w *World) points(ctx context.Context) savings.Points {
	return func(id metering.SeriesID, from, to time.Time) (metering.Unit, iter.Seq2[metering.Point, error]) {
		return units[id.Quantity()], w.Store.Points(ctx, access.System("trial"), id, from, to)
	}
}

// PublishFactors publishes the second version of the factors, valid from the
// beginning.
func (w *World) PublishFactors(ctx context.Context) error {
	return w.Registry.PutFactors(ctx, registry.FactorSet{ID: "fr-essai", Version: 2, ValidFrom: time.Date(2025, 1, 1, 0, 0, 0, 0, calendar.Paris), Body: factorBody(2, "0.43")})
}

// Inputs of a sealing at this moment.
func (w *World) Inputs(reason string) report.Inputs {
	return report.Inputs{Registry: w.Registry, Ledger: w.Ledger, Keys: w.Keys, Signer: w.Signer, Data: w.Data, Quarter: Quarter,
		By: "Ada Animatrice", Reason: reason, Version: "trial", Clock: w.clock}
}

// Read opens what was sealed, as a verifier gets it.
func (w *World) Read(ctx context.Context, r registry.Report) (proof.Files, *proof.Dossier, error) {
	b := report.Bundles{Data: w.Data}
	files, err := b.Bundle(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	f, err := proof.Load(files)
	if err != nil {
		return nil, nil, err
	}
	dossier, err := b.Dossier(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	d, err := proof.LoadDossier(dossier)
	return f, d, err
}

// Zips are a report and its dossier as zips.
func Zips(f proof.Files, d *proof.Dossier) (report, dossier []byte, err error) {
	var a, b bytes.Buffer
	if err := f.Zip(&a, From); err != nil {
		return nil, nil, err
	}
	batches, err := d.Batches()
	if err != nil {
		return nil, nil, err
	}
	err = proof.ZipDossier(&b, d.Files, batches, From)
	return a.Bytes(), b.Bytes(), errors.Join(err, batches.Close())
}
