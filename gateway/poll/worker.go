package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/judge"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// line is what a worker needs of a [modbus.Line].
type line interface {
	Read(ctx context.Context, unit byte, table profile.Table, address uint16, count int) ([]uint16, error)
	ReadAll(ctx context.Context, unit byte, runs []profile.Span) ([][]uint16, error)
	SetTimeout(unit byte, d time.Duration)
	Timeout(unit byte) time.Duration
	Doubt(unit byte) time.Duration
	Listen(ctx context.Context, unit byte, d time.Duration) bool
	Rest(d time.Duration)
	Stats() modbus.Stats
	Close() error
}

// Worker reads the meters of one bus.
type Worker struct {
	id       string
	endpoint modbus.Endpoint
	line     line
	options  Options
	log      *slog.Logger
	devices  []*device
	order    []*member // as configured

	running sync.Mutex // held by Run or ReadOnce
	mu      sync.Mutex // guards what Status shows: health and load
	load    load

	timer    *time.Timer     // of idle
	verdicts []judge.Verdict // room for those of the next look
	skipped  int             // instants at which a busy bus did not read a meter that was due, since the last warning
	warned   time.Time
}

// errRunning says that a worker does one thing at a time.
var errRunning = errors.New("the bus is being read already")

// warnSeldom is how often the log says at most that the bus is too slow.
const warnSeldom = 10 * time.Minute

// longestSleep bounds how late a step of the system's clock is noticed.
const longestSleep = 5 * time.Second

// now is the time without its monotonic part: instants are compared by the clock.
func (w *Worker) now() time.Time { return w.options.Now().Round(0) }

// Run reads the meters until ctx ends, then gives the bus back and returns nil.
func (w *Worker) Run(ctx context.Context) error {
	if !w.running.TryLock() {
		return fmt.Errorf("bus %s: %w", w.id, errRunning)
	}
	defer w.running.Unlock()
	defer w.line.Close()
	if share := w.Forecast(); share > 1 {
		w.log.Warn("the bus is too slow for its meters: some will be read less often than they should", "load", fmt.Sprintf("%.0f %%", 100*share))
	} else {
		w.log.Info("reading", "endpoint", w.endpoint.String(), "devices", len(w.devices), "load", fmt.Sprintf("%.1f %%", 100*share))
	}
	w.timer = nil
	w.start()
	for ctx.Err() == nil {
		if w.begins() {
			w.begin(w.now())
		}
		if j := w.ready(); j != nil {
			w.step(ctx, j)
			if len(j.todo) == 0 && ctx.Err() == nil {
				w.finish(j)
			}
			continue
		}
		w.idle(ctx)
	}
	return nil
}

// Forecast is the share of the bus's time that reading its meters takes by the
// cost model; above 1 they cannot all be read as often as they should.
func (w *Worker) Forecast() (share float64) {
	for _, d := range w.devices {
		share += d.load()
	}
	return share
}

// start makes every meter due: at once, so that an installer sees it, except
// that the first answer of a device that answers one question late is no reading.
func (w *Worker) start() {
	now := w.now()
	for _, d := range w.devices {
		d.running = nil
		for _, m := range d.members {
			if d.profile.StaleFirst {
				m.due = next(now.Add(lead(d.profile)), m.Interval)
				d.prime = now
			} else {
				m.due = now
			}
		}
	}
}

// next is the first multiple of an interval on the clock after an instant.
func next(after time.Time, interval time.Duration) time.Time {
	return after.Truncate(interval).Add(interval)
}

// lead is how long before it is due a device that answers one question late is
// asked, so that its answer is no older.
func lead(p *profile.Profile) time.Duration { return p.Timing.MinPoll + time.Second }

// wake is when to ask such a device beforehand next; zero for others, and for
// one that is read so often that each reading wakes it for the next.
func (d *device) wake(now time.Time) (first time.Time) {
	l := lead(d.profile)
	for _, m := range d.members {
		if at := m.due.Add(-l); d.profile.StaleFirst && m.Interval > 2*l && at.After(now) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// begins says whether a device has no job yet.
func (w *Worker) begins() bool {
	return slices.ContainsFunc(w.devices, func(d *device) bool { return d.running == nil })
}

// begin makes jobs for the devices that are due.
func (w *Worker) begin(now time.Time) {
	for _, d := range w.devices {
		if d.running != nil || d.rests(now) > 0 {
			continue
		}
		if !d.prime.IsZero() && !now.Before(d.prime) {
			d.prime = d.wake(now)
			if all := d.plan(d.members); d.fails == 0 && len(all) > 0 {
				d.running = &job{device: d, due: now, todo: all[:1:1]}
				continue
			}
		}
		due := d.spare.members[:0]
		first := now
		for _, m := range d.members {
			if m.due.Sub(now) > m.Interval+max(m.Interval, lead(d.profile)) {
				m.due = next(now, m.Interval) // the clock was set back
			}
			if m.due.After(now) {
				continue
			}
			due = append(due, m)
			if m.due.Before(first) {
				first = m.due
			}
			w.slip(m, now)
			m.due = next(now, m.Interval)
		}
		if len(due) == 0 {
			continue
		}
		d.prime = d.wake(now)
		d.spare = job{device: d, members: due, due: first, todo: d.plan(due), got: d.spare.got[:0], failed: d.spare.failed[:0]}
		j := &d.spare
		if d.fails > 0 && now.Before(d.probe) {
			d.read = now
			w.absent(j, now)
			continue
		}
		if n := len(j.todo); d.fails > 0 && n > 1 {
			// Another question each time: one of them may be the one it cannot answer.
			k := d.fails % n
			j.todo = append(append(make([]Request, 0, n), j.todo[k:]...), j.todo[:k]...)
		}
		d.running = j
	}
}

// rests is how long a device is left alone yet after its last reading. A late
// answer may come when the next is due: that one is asked for in the next
// millisecond, for a series has one reading at an instant.
func (d *device) rests(now time.Time) time.Duration {
	rest := d.read.Truncate(time.Millisecond).Add(time.Millisecond).Sub(now)
	if rest > time.Millisecond {
		return 0 // the clock was set back
	}
	return rest
}

// slip counts the instants that a busy bus left out.
func (w *Worker) slip(m *member, now time.Time) {
	late := int(now.Sub(m.due) / m.Interval)
	if late < 1 {
		return
	}
	if w.skipped += late; now.Sub(w.warned) > warnSeldom {
		w.log.Warn("the bus is too slow for its meters: meters were not read when they were due",
			"meter", m.ID, "interval", m.Interval, "late", now.Sub(m.due), "left_out", w.skipped)
		w.warned, w.skipped = now, 0
	}
}

// ready is the job that is due first among those whose device may be asked.
func (w *Worker) ready() (first *job) {
	for _, d := range w.devices {
		if j := d.running; j != nil && (first == nil || j.due.Before(first.due)) && w.line.Doubt(d.unit) == 0 {
			first = j
		}
	}
	return first
}

// idle waits until something is due or a device in doubt may be asked.
func (w *Worker) idle(ctx context.Context) {
	now := w.now()
	wait := longestSleep
	var doubtful *device
	for _, d := range w.devices {
		if d.running != nil {
			if doubtful == nil || d.running.due.Before(doubtful.running.due) {
				doubtful = d
			}
			continue
		}
		for _, m := range d.members {
			wait = min(wait, max(m.due.Sub(now), d.rests(now)))
		}
		if !d.prime.IsZero() {
			wait = min(wait, max(d.prime.Sub(now), d.rests(now)))
		}
	}
	if wait <= 0 {
		return
	}
	if doubtful != nil {
		w.line.Listen(ctx, doubtful.unit, wait)
		return
	}
	w.line.Rest(wait)
	if w.timer == nil {
		w.timer = time.NewTimer(wait)
	} else {
		w.timer.Reset(wait)
	}
	select {
	case <-w.timer.C:
	case <-ctx.Done():
		w.timer.Stop()
	}
}

// Probing of a device that does not answer: after this many cycles it is asked
// no more often than every twenty time-outs, doubled each time, at most once a minute.
const (
	patience    = 3
	probeShare  = 20
	probeSeldom = time.Minute
)

// finish turns a job into readings.
func (w *Worker) finish(j *job) {
	d, now := j.device, w.now()
	d.running = nil
	if len(j.members) == 0 {
		return
	}
	d.read = now
	was := d.fails
	if j.odd != nil && j.answers > 0 {
		w.odd(d, j.odd)
	}
	if j.answers > 0 {
		d.fails, d.probe = 0, time.Time{}
	} else {
		d.fails++
		if extra := d.fails - patience; extra >= 0 && !cheap(j.err()) {
			d.probe = now.Add(min(probeShare*w.endpoint.Timeout<<min(extra, 6), probeSeldom))
		}
	}
	w.mu.Lock()
	readings := j.readings(d.room, now)
	d.room = readings[:0]
	w.judge(j, readings, now)
	w.mu.Unlock()
	switch {
	case was == 0 && d.fails > 0:
		w.log.Warn("the meter does not answer", "meter", d.members[0].ID, "unit", d.unit, "error", j.err())
	case was > 0 && d.fails == 0:
		w.log.Info("the meter answers again", "meter", d.members[0].ID, "unit", d.unit, "missed", was)
	}
	w.emit(readings)
}

// cheap says that a failure cost the line no time-out: there is no connection at
// all, or an answer came in time and was of no use.
func cheap(err error) bool {
	return errors.Is(err, modbus.ErrUnreachable) || errors.Is(err, modbus.ErrDamaged) || errors.Is(err, modbus.ErrTwoAnswers)
}

// absent gives the readings of a job that is not worth asking for.
func (w *Worker) absent(j *job, now time.Time) {
	w.mu.Lock()
	readings := j.readings(j.device.room, now)
	j.device.room = readings[:0]
	w.mu.Unlock()
	w.emit(readings)
}

func (w *Worker) emit(readings []metering.Reading) {
	if len(readings) > 0 {
		w.options.Emit(readings)
	}
}
