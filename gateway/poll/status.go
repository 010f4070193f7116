package poll

import (
	"context"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// watch remembers what a series gave last.
type watch struct {
	count   metering.Decimal // of a counter
	counted bool

	number metering.Decimal
	moved  time.Time // when the number was last another
	polls  int       // since then
	read   bool
}

// back says whether a counter went back although it had not reached its end,
// and takes the new count. From the last tenth of its digits to the first tenth
// it rolled over.
func (w *watch) back(n metering.Decimal, f *profile.Field, r profile.Reader) bool {
	last, had := w.count, w.counted
	w.count, w.counted = n, true
	if !had || n.Cmp(last) >= 0 {
		return false
	}
	if end, ok := f.Modulus(r); ok {
		tenth := end.Float64() / 10
		return last.Float64() < 9*tenth || n.Float64() > tenth
	}
	return true
}

func (w *watch) seen(n metering.Decimal, at time.Time, q metering.Quality) {
	if !w.read || !n.Equal(w.number) {
		w.moved, w.polls = at, 0
	}
	w.number, w.read = n, true
	w.polls++
}

// load tells the share of the last minute or two in which the bus was busy.
type load struct {
	was, is     time.Time
	busyWas, at time.Duration
}

func (l *load) ratio(now time.Time, busy time.Duration) float64 {
	if l.was.IsZero() {
		l.was, l.is, l.busyWas, l.at = now, now, busy, busy
	}
	if now.Sub(l.is) > time.Minute {
		l.was, l.busyWas = l.is, l.at
		l.is, l.at = now, busy
	}
	if span := now.Sub(l.was); span > 0 {
		return min(1, float64(busy-l.busyWas)/float64(span))
	}
	return 0
}

// Status tells how the bus and its meters do, in the order of the configuration.
// It may be called at any time.
func (w *Worker) Status() (batch.BusStatus, []batch.MeterStatus) {
	s := w.line.Stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	bus := batch.BusStatus{Bus: w.id, Requests: s.Requests, Answers: s.Answers, Timeouts: s.Timeouts, BadFrames: s.BadFrames,
		Refusals: s.Refusals, LoadRatio: w.load.ratio(time.Now(), s.Busy)}
	meters := make([]batch.MeterStatus, 0, len(w.order))
	for _, m := range w.order {
		d := w.deviceOf(m)
		t := d.tuning
		for _, part := range d.parts(m) {
			if part.fault != "" {
				m = part
				break
			}
		}
		meters = append(meters, batch.MeterStatus{Meter: m.ID, LastSeen: m.health.seen, Fault: string(m.fault), Detail: m.detail,
			LatencyMillis: t.slowest.Milliseconds(), TimeoutMillis: w.line.Timeout(m.Unit).Milliseconds()})
	}
	return bus, meters
}

// Check is one meter read once.
type Check struct {
	Meter    string
	Readings []metering.Reading
	Err      error         // the first request that failed; nil when all were answered
	Latency  time.Duration // mean time of a request
	// Fault names what ails the meter as far as one look can tell; Detail says it in
	// words. "" when nothing does.
	Fault  metering.Reason
	Detail string
}

// ReadOnce reads each meter once, now, in the order of the configuration, and
// gives the bus back. When ctx ends, or while Run is at work, the checks that
// could not be made say so.
func (w *Worker) ReadOnce(ctx context.Context) []Check {
	checks := make([]Check, 0, len(w.order))
	if !w.running.TryLock() {
		for _, m := range w.order {
			checks = append(checks, Check{Meter: m.ID, Err: fmt.Errorf("bus %s: %w", w.id, errRunning)})
		}
		return checks
	}
	defer w.running.Unlock()
	defer w.line.Close()
	for _, m := range w.order {
		checks = append(checks, w.check(ctx, m))
	}
	return checks
}

func (w *Worker) check(ctx context.Context, m *member) Check {
	d := w.deviceOf(m)
	parts := d.parts(m)
	j := &job{device: d, members: parts, due: w.now(), todo: d.plan(parts)}
	for len(j.todo) > 0 {
		if w.step(ctx, j); ctx.Err() != nil {
			return Check{Meter: m.ID, Err: ctx.Err()}
		}
	}
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	c := Check{Meter: m.ID, Readings: j.readings(nil, now), Err: j.err()}
	w.judge(j, c.Readings, now)
	for _, part := range parts {
		if part.fault != "" && c.Fault == "" {
			c.Fault, c.Detail = part.fault, part.detail
		}
	}
	if j.asked > 0 {
		c.Latency = j.took / time.Duration(j.asked)
	}
	if j.answers == j.asked && j.asked > 0 {
		d.priced(w.endpoint, c.Latency)
	}
	return c
}

// priced makes the cost model of a device of what it was just seen to take, for
// the forecast.
func (d *device) priced(e modbus.Endpoint, latency time.Duration) {
	if e.Serial() {
		latency = d.turnaround
	}
	if latency > 0 {
		d.cost, d.planned = CostOf(e, latency), latency
		clear(d.plans)
	}
}

func (w *Worker) deviceOf(m *member) *device {
	for _, d := range w.devices {
		if d.unit == m.Unit {
			return d
		}
	}
	return nil
}
