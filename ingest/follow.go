package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/series"
)

// A chunk is what is applied to the store at once.
const (
	chunkLeaves   = 512
	chunkReadings = 50_000
	chunkBytes    = 4 << 20 // of leaves; readings take some twenty times as much
)

// FollowOptions of Follow. All may be left out.
type FollowOptions struct {
	// OnBatch is told of each batch that was applied, in the order of the log;
	// after a crash of the last ones again.
	OnBatch func(Applied)
	// OnImported is told, before they are applied, between which instants batches of
	// the origin imported have readings of a series; after a crash again. An error ends
	// Follow.
	OnImported func([]Imported) error
	// Progress is told after each chunk how many leaves of how many are applied.
	Progress func(position, size uint64)
	Alarm    func(metering.Alarm)
	Lasting  []metering.Alarm // raised by an earlier Follow and not ended yet; others are passed over
	// LeaveOut says of a reading that it stays out of the store although the ledger
	// has it: its company had it deleted. nil: none does.
	LeaveOut func(metering.Reading) bool
	// Until, when not 0, ends Follow when so many leaves are applied.
	Until uint64
	Log   *slog.Logger
	Now   func() time.Time
}

// Applied is a batch whose readings are in the store.
type Applied struct {
	Gateway  string
	Number   uint64
	Index    uint64 // leaf
	ClosedAt time.Time
	Origin   batch.Origin
	Readings int
}

// Imported is where an imported batch has readings of a series: from the first to the
// last, both included, Unix milliseconds.
type Imported struct {
	Gateway  string // the importer
	Series   metering.SeriesID
	From, To int64
}

// Follow applies the ledger to the store, from the store's position on, until
// ctx ends (which is no error) or Until is reached. Leaves that are no
// batches are passed over. While the store does not answer, Follow waits and
// tries again; a reading that the store refuses, because its series is in
// another unit, say, stays out of it with an alarm.
//
// Readings are applied in the order of the log and together with the position,
// so an interrupted Follow goes on where it was, and a new store ends up the
// same as the old one.
func Follow(ctx context.Context, l *ledger.Ledger, store series.Store, o FollowOptions) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &follower{ledger: l, store: store, o: o, alarms: newAlarms(o.Alarm, o.Now, o.Lasting), units: make(map[metering.SeriesID]metering.Unit), free: make(chan []metering.Reading, 2)}
	err := f.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type follower struct {
	ledger *ledger.Ledger
	store  series.Store
	o      FollowOptions
	alarms *alarms
	free   chan []metering.Reading             // memory of chunks that were applied
	units  map[metering.SeriesID]metering.Unit // of series that some meter sends in another unit
}

// chunk is a stretch of leaves, decoded.
type chunk struct {
	upTo     uint64
	readings []metering.Reading
	batches  []Applied
	imported []Imported
	err      error
}

func (f *follower) run(ctx context.Context) error {
	var position uint64
	err := f.insist(ctx, func() (err error) {
		position, err = f.store.Position(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if size := f.ledger.Size(); position > size {
		return fmt.Errorf("follow: the store has applied %d leaves, the ledger has %d: they do not belong together", position, size)
	}
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chunk) // the next one is decoded while one is applied
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(chunks)
		f.read(ctx, position, chunks)
	})
	defer wg.Wait()
	defer cancel()
	for c := range chunks {
		if c.err != nil {
			return c.err
		}
		if err := f.apply(ctx, c); err != nil {
			return err
		}
		if f.o.Until != 0 && c.upTo >= f.o.Until {
			return nil
		}
	}
	return ctx.Err()
}

// insist tries again while the store fails, as it may for hours.
func (f *follower) insist(ctx context.Context, do func() error) error {
	var wait mqtt.Backoff
	for {
		err := do()
		var refused *series.RefusedError
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) {
			f.alarms.off("store", "store")
			return errors.Join(err, ctx.Err())
		}
		f.alarms.on("store", "store", textStore(err))
		f.o.Log.Error("follow: the store does not answer, trying again", "error", err)
		if !sleep(ctx, wait.Next()) {
			return ctx.Err()
		}
	}
}

// read sends chunks from a position on, waiting for new leaves at the end.
func (f *follower) read(ctx context.Context, at uint64, chunks chan<- chunk) {
	for ctx.Err() == nil && (f.o.Until == 0 || at < f.o.Until) {
		err := f.ledger.Wait(ctx, at+1)
		c := chunk{upTo: at, err: err}
		if err == nil {
			c = f.decode(ctx, at)
		}
		select {
		case chunks <- c:
			at = c.upTo
		case <-ctx.Done():
		}
		if c.err != nil {
			return
		}
	}
}

// decode reads leaves and decodes them.
func (f *follower) decode(ctx context.Context, at uint64) chunk {
	var leaves []ledger.Entry
	bytes := 0
	end := at + chunkLeaves
	if f.o.Until != 0 {
		end = min(end, f.o.Until)
	}
	for e, err := range f.ledger.Entries(ctx, at, end) {
		if err != nil {
			return chunk{upTo: at, err: fmt.Errorf("follow: %w", err)}
		}
		leaves = append(leaves, e)
		if bytes += len(e.Data); bytes >= chunkBytes {
			break
		}
	}
	c := chunk{upTo: at}
	select {
	case c.readings = <-f.free:
	default:
	}
	for _, e := range leaves {
		// The readings themselves are counted, so that highly compressed batches
		// cannot fill the memory.
		if len(c.readings) >= chunkReadings {
			break
		}
		f.take(&c, e)
	}
	return c
}

// take decodes a leaf and adds it to a chunk.
func (f *follower) take(c *chunk, e ledger.Entry) {
	c.upTo = e.Index + 1
	begin := len(c.readings)
	b, all, err := batch.ParseTo(c.readings, e.Data)
	if err != nil {
		if _, derr := batch.OpenDocument(e.Data, nil); derr != nil {
			f.o.Log.Warn("follow: leaf is neither a batch nor a document", "index", e.Index, "error", err)
		}
		return
	}
	if f.o.LeaveOut != nil {
		kept := slices.DeleteFunc(all[begin:], f.o.LeaveOut)
		all = all[:begin+len(kept)]
	}
	c.readings = all
	if b.Origin == batch.Imported {
		c.imported = append(c.imported, importedBy(b.Gateway, all[begin:])...)
	}
	c.batches = append(c.batches, Applied{b.Gateway, b.Number, e.Index, time.UnixMilli(b.ClosedAt).UTC(), b.Origin, len(all) - begin})
}

// importedBy says of each series where its first and its last reading lie.
func importedBy(gateway string, readings []metering.Reading) (out []Imported) {
	at := map[metering.SeriesID]int{}
	for _, r := range readings {
		i, ok := at[r.Series]
		if !ok {
			i, at[r.Series] = len(out), len(out)
			out = append(out, Imported{gateway, r.Series, r.At, r.At})
		}
		out[i].From, out[i].To = min(out[i].From, r.At), max(out[i].To, r.At)
	}
	return out
}

// apply brings a chunk into the store, without the readings that it refuses.
func (f *follower) apply(ctx context.Context, c chunk) error {
	if len(c.imported) > 0 && f.o.OnImported != nil {
		if err := f.o.OnImported(c.imported); err != nil {
			return fmt.Errorf("follow: imported readings: %w", err)
		}
	}
	memory := c.readings[:0]
	c.readings = f.inUnit(c.readings)
	for {
		err := f.insist(ctx, func() error { return f.store.Apply(ctx, c.upTo, c.readings) })
		var refused *series.RefusedError
		if errors.As(err, &refused) && refused.Index >= 0 && refused.Index < len(c.readings) {
			c.readings = f.without(c.readings, refused)
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	select { // no store keeps the readings that it is given
	case f.free <- memory:
	default:
	}
	if f.o.OnBatch != nil {
		for _, b := range c.batches {
			f.o.OnBatch(b)
		}
	}
	if f.o.Progress != nil {
		f.o.Progress(c.upTo, f.ledger.Size())
	}
	return nil
}

// without leaves out a refused reading. When its series is in another unit, all
// that are like it go with it, now and later; else all that no store should
// hold, so that a batch full of them costs one attempt.
func (f *follower) without(readings []metering.Reading, refused *series.RefusedError) []metering.Reading {
	r := readings[refused.Index]
	f.alarms.on("reading", string(r.Series), textReading(r.Series, refused.Err))
	f.o.Log.Warn("follow: reading left out of the store", "series", r.Series, "at", r.Time(), "error", refused.Err)
	var unit *series.UnitError
	if errors.As(refused.Err, &unit) && unit.Have != r.Unit {
		f.units[r.Series] = unit.Have
		return f.inUnit(readings)
	}
	kept := make([]metering.Reading, 0, len(readings)-1)
	for i, r := range readings {
		if i != refused.Index && series.Check(r) == nil {
			kept = append(kept, r)
		}
	}
	return kept
}

// inUnit leaves out readings in a unit other than that of their series.
func (f *follower) inUnit(readings []metering.Reading) []metering.Reading {
	if len(f.units) == 0 {
		return readings
	}
	kept := make([]metering.Reading, 0, len(readings))
	for _, r := range readings {
		if u, ok := f.units[r.Series]; !ok || u == r.Unit {
			kept = append(kept, r)
		}
	}
	return kept
}
