package poll

import (
	"context"
	"fmt"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/firmware-configs/profile"
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

// health is what is known of how a meter does.
type health struct {
	seen     time.Time
	fault    metering.Reason
	detail   string
	reset    string    // words on the last counter that went back
	resetAt  time.Time // when
	attempts int       // requests, lately
	damaged  int       // of which came back damaged
}

const (
	// frozenAfter and frozenPolls: how long nothing at all of a meter that measures
	// several things that fluctuate may stay the same.
	frozenAfter = 15 * time.Minute
	frozenPolls = 20
	// resetShown is how long a counter that went back stays in the status.
	resetShown = 24 * time.Hour
	// rateWindow is over how many requests the rate of damaged answers is taken.
	rateWindow = 200
)

// count notes the end of a request for the rate of damaged answers.
func (d *device) count(err error) {
	for _, m := range d.members {
		h := &m.health
		if h.attempts++; h.attempts > rateWindow {
			h.attempts, h.damaged = h.attempts/2, h.damaged/2
		}
		if err != nil && reasonOf(err) == metering.BadFrame {
			h.damaged++
		}
	}
}

// judge names what ails the meters of a job. The order is that of certainty and
// weight: one fault is shown.
func (w *Worker) judge(j *job, readings []metering.Reading, now time.Time) {
	for _, m := range j.members {
		mine := readings[:len(m.fields)]
		readings = readings[len(m.fields):]
		h := &m.health
		if len(j.got) > 0 {
			h.seen = j.got[len(j.got)-1].at
		}
		for i, r := range mine {
			if r.Quality == (metering.Quality{Level: metering.Suspect, Reason: metering.Reset}) {
				h.reset, h.resetAt = fmt.Sprintf("%s went back to %s %s at %s", m.fields[i].series.Quantity(), r.Number, r.Unit, r.Time().Format(time.RFC3339)), now
			}
		}
		h.fault, h.detail = w.diagnose(j, m, mine, now)
	}
}

func (w *Worker) diagnose(j *job, m *member, readings []metering.Reading, now time.Time) (metering.Reason, string) {
	h := &m.health
	if j.answers == 0 {
		detail := "no requests"
		if err := j.err(); err != nil {
			detail = err.Error()
			return j.failed[0].reason, detail
		}
		return metering.NoAnswer, detail
	}
	if h.attempts >= 20 && 20*h.damaged > h.attempts {
		return metering.BadFrame, fmt.Sprintf("%.0f %% of the last %d answers came damaged: check wiring, termination, baud and parity",
			100*float64(h.damaged)/float64(h.attempts), h.attempts)
	}
	if since, is := m.frozen(now); is {
		return metering.Frozen, "nothing that it measures has changed since " + since.UTC().Format(time.RFC3339)
	}
	for i, r := range readings {
		if r.Quality.Level == metering.Good || r.Quality.Reason == metering.NotAvailable || r.Quality.Reason == metering.Reset {
			continue
		}
		f := m.fields[i]
		detail := fmt.Sprintf("%s: %s", f.series.Quantity(), r.Quality)
		if x := j.failureOf(f.Span()); x != nil {
			detail += ": " + x.err.Error()
		} else if r.Quality.Level == metering.Suspect {
			detail += fmt.Sprintf(" (%s %s)", r.Number, r.Unit)
		}
		return r.Quality.Reason, detail
	}
	if h.reset != "" && now.Sub(h.resetAt) < resetShown {
		return metering.Reset, h.reset
	}
	return "", ""
}

// frozen says since when nothing of a meter has changed. It is sure only of a
// meter that measures at least three things in motion: voltages, currents,
// powers, flows, temperatures that are not zero.
func (m *member) frozen(now time.Time) (since time.Time, is bool) {
	moving := 0
	for _, f := range m.fields {
		w := &f.watch
		if !w.read {
			continue
		}
		if since.Before(w.moved) {
			since = w.moved
		}
		if w.polls < frozenPolls {
			return since, false
		}
		if q := f.series.Quantity(); q.Kind() == metering.Gauge && q != metering.ErrorCode && q != metering.SerialNumber && w.number.Coef != 0 {
			moving++
		}
	}
	return since, moving >= 3 && now.Sub(since) >= frozenAfter
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
		meters = append(meters, batch.MeterStatus{Meter: m.ID, LastSeen: m.health.seen, Fault: string(m.health.fault), Detail: m.health.detail})
	}
	return bus, meters
}

// Check is one meter read once.
type Check struct {
	Meter    string
	Readings []metering.Reading
	Err      error         // the first request that failed; nil when all were answered
	Latency  time.Duration // mean time of a request
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
	j := &job{device: d, members: []*member{m}, due: w.now(), todo: d.plan([]*member{m})}
	for len(j.todo) > 0 {
		if w.step(ctx, j); ctx.Err() != nil {
			return Check{Meter: m.ID, Err: ctx.Err()}
		}
	}
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	c := Check{Meter: m.ID, Readings: j.readings(now), Err: j.err()}
	w.judge(j, c.Readings, now)
	if j.asked > 0 {
		c.Latency = j.took / time.Duration(j.asked)
	}
	return c
}

func (w *Worker) deviceOf(m *member) *device {
	for _, d := range w.devices {
		if d.unit == m.Unit {
			return d
		}
	}
	return nil
}
