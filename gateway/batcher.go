package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/journal"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
)

const (
	// maxHeld bounds the readings in memory while the outbox takes none: 16 MB,
	// some hours of a site.
	maxHeld = 200_000
	// putReadings bounds what is put at once, so that what was held goes into the
	// room that there is.
	putReadings = 10_000
	// spareTimes bounds the room that is kept, by what was just needed.
	spareTimes = 4
	// lookEvery is how often the clock is looked at, at most.
	lookEvery = time.Second
)

// putter is the part of an outbox that a batcher fills. It does not keep the
// readings: their room is used again.
type putter interface {
	Put(clock batch.Clock, closedAt int64, readings []metering.Reading) error
}

// batcher collects readings and puts them into the outbox each interval of the
// clock. Workers that add never wait for the disk.
type batcher struct {
	box      putter
	interval time.Duration
	clock    *watchedClock
	log      *slog.Logger
	max      int
	average  *averager
	journal  *journal.Journal // of what is held, for when the process is killed; guarded by mu

	mu       sync.Mutex
	held     []metering.Reading
	spare    []metering.Reading               // room for the next held
	latest   map[metering.SeriesID][]emission // by the first of their series
	turn     uint64                           // of the last emission
	lost     uint64                           // readings given up for want of memory
	fault    string                           // why the outbox takes none
	state    batch.Clock
	closedAt time.Time // last batch
	jumped   time.Duration
	exposed  bool // the journal was full
}

// emission is the latest of what a worker gives at once, again and again: readings
// of the same series of a device. They are kept whole, which costs less than
// putting each in the place of its series.
type emission struct {
	turn     uint64
	readings []metering.Reading
}

// sameSeries says whether both are readings of the same series in the same order.
func sameSeries(a, b []metering.Reading) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Series != b[i].Series {
			return false
		}
	}
	return true
}

func newBatcher(box putter, interval time.Duration, clock *watchedClock, log *slog.Logger) *batcher {
	return &batcher{box: box, interval: interval, clock: clock, log: log, max: maxHeld, average: newAverager(nil),
		latest: map[metering.SeriesID][]emission{}, state: clock.system(), closedAt: clock.last}
}

// add takes a copy of readings; it does not block. When memory is full the oldest
// go.
func (b *batcher) add(readings []metering.Reading) {
	if len(readings) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.journal.Add(readings) && !b.exposed {
		b.exposed = true
		b.log.Warn("the journal is full: readings that come now are lost if the gateway is killed before its next batch")
	}
	b.hold(b.average.take(readings))
	b.turn++
	first := readings[0].Series
	for i := range b.latest[first] {
		if e := &b.latest[first][i]; sameSeries(e.readings, readings) {
			e.turn, e.readings = b.turn, append(e.readings[:0], readings...)
			return
		}
	}
	b.latest[first] = append(b.latest[first], emission{b.turn, slices.Clone(readings)})
}

// resume takes what the journal kept of a process that was killed. What was read
// before the clock was set for the first time has no time that could be known.
func (b *batcher) resume(j *journal.Journal, kept []metering.Reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.journal = j
	sound := slices.DeleteFunc(kept, func(r metering.Reading) bool { return r.At < earliest.UnixMilli() || r.Check() != nil })
	b.hold(b.average.take(sound))
	if len(kept) > 0 {
		b.log.Info("the gateway was killed: what it had read since its last batch was kept", "readings", len(sound), "left_out", len(kept)-len(sound))
	}
}

// hold keeps readings for the next batch; the caller holds the lock.
func (b *batcher) hold(readings []metering.Reading) {
	b.held = append(b.held, readings...)
	if over := len(b.held) - b.max; over > 0 {
		if b.lost == 0 {
			b.log.Error("readings lost: the disk takes none and memory is full", "held", b.max)
		}
		b.lost += uint64(over)
		b.held = append(b.held[:0], b.held[over:]...)
	}
}

// run closes batches until ctx ends. The last one is closed by whoever calls
// close afterwards, when nothing is added any more.
func (b *batcher) run(ctx context.Context) {
	due := next(b.clock.last, b.interval)
	for {
		wait := min(max(due.Sub(b.clock.now()), 0), lookEvery)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		due = b.tick(due)
	}
}

// next is the first multiple of an interval on the clock after an instant.
func next(after time.Time, interval time.Duration) time.Time {
	return after.Truncate(interval).Add(interval)
}

// tick looks at the clock, closes the batch that is due and returns when the
// next one is.
func (b *batcher) tick(due time.Time) time.Time {
	now, jump := b.clock.look()
	if jump != 0 {
		b.jump(now, jump)
		due = next(now, b.interval)
	}
	if now.Before(due) {
		b.mu.Lock()
		b.state = b.clock.system()
		b.mu.Unlock()
		return due
	}
	b.close(now)
	return next(now, b.interval)
}

// jump takes notice that somebody set the clock. Readings of before the clock
// was set for the first time get the time that it should have been, and say so.
func (b *batcher) jump(now time.Time, by time.Duration) {
	b.log.Warn("the clock was set", "by", by, "now", now.UTC())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jumped += by
	b.hold(b.average.close())
	for i := range b.held {
		r := &b.held[i]
		if r.At >= earliest.UnixMilli() {
			continue
		}
		r.At += by.Milliseconds()
		if r.Quality.Level == metering.Good {
			r.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.ClockOff}
		}
	}
}

// close puts what is held into the outbox. What the outbox does not take stays.
func (b *batcher) close(now time.Time) {
	b.mu.Lock()
	batchClock := b.clock.system()
	b.state = batchClock
	if b.jumped != 0 {
		batchClock = batch.Clock{OffsetMillis: b.jumped.Milliseconds()}
	}
	b.hold(b.average.close())
	readings := b.held
	marks := b.marks(readings)
	b.held, b.spare = b.spare, nil
	b.mu.Unlock()

	put, err := b.put(batchClock, now, readings, marks)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closedAt = now
	if err == nil {
		if b.fault != "" {
			b.log.Info("readings are kept on disk again", "lost", b.lost)
		}
		b.fault, b.jumped, b.lost, b.exposed = "", 0, 0, false
		if cap(readings) <= spareTimes*len(readings) { // else much was held, once
			b.spare = readings[:0]
		}
		return
	}
	b.held = append(readings[put:], b.held...)
	fault := err.Error()
	if errors.Is(err, outbox.ErrFull) {
		fault = "disk full: " + fault
	}
	if b.fault == "" {
		b.log.Error("readings are held in memory, the outbox takes none", "held", len(b.held), "error", err)
	}
	b.fault = fault
}

// marks says where in the journal each of the groups ends that are put at once.
// The caller holds the lock.
func (b *batcher) marks(readings []metering.Reading) []uint64 {
	if len(readings) <= putReadings {
		return []uint64{b.journal.Mark()}
	}
	return b.journal.Replace(slices.Collect(slices.Chunk(readings, putReadings)))
}

// safely puts a group into the outbox and takes it out of the journal.
func (b *batcher) safely(mark uint64, put func() error) error {
	b.mu.Lock()
	b.journal.Sealing(mark)
	b.mu.Unlock()
	if err := put(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.journal.Sealed()
	return nil
}

func (b *batcher) put(clock batch.Clock, now time.Time, readings []metering.Reading, marks []uint64) (put int, err error) {
	if now.Before(earliest) {
		return 0, fmt.Errorf("the clock was never set, it shows %s: readings wait in memory for the time", now.UTC().Format(time.DateTime))
	}
	for put < len(readings) {
		n := min(len(readings)-put, putReadings)
		seal := func() error { return b.box.Put(clock, now.UnixMilli(), readings[put:put+n]) }
		if at := put / putReadings; at < len(marks) {
			err = b.safely(marks[at], seal)
		} else {
			err = seal() // they found no room in the journal
		}
		if err != nil {
			return put, err
		}
		put += n
	}
	return put, nil
}

// snapshot tells what ails the batcher, the clock, and the latest readings.
func (b *batcher) snapshot() (fault string, clock batch.Clock, closed time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fault = b.fault
	if fault != "" {
		fault = fmt.Sprintf("%s; %d readings in memory", fault, len(b.held))
	}
	if b.lost > 0 {
		fault = fmt.Sprintf("%s, %d lost", fault, b.lost)
	}
	return fault, b.state, b.closedAt
}

// readings are the latest of each series.
func (b *batcher) readings() map[metering.SeriesID]metering.Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[metering.SeriesID]metering.Reading{}
	emissions := slices.Concat(slices.Collect(maps.Values(b.latest))...)
	slices.SortFunc(emissions, func(x, y emission) int { return cmp.Compare(x.turn, y.turn) })
	for _, e := range emissions {
		for _, r := range e.readings {
			out[r.Series] = r
		}
	}
	return out
}
