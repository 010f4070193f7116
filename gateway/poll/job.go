package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// A job reads the meters of one device that are due together.
type job struct {
	device  *device
	members []*member // none: the request only wakes the device
	due     time.Time
	todo    []Request
	got     blocks
	failed  []failure
	tries   int // of the first of todo
	answers int // of the device, refusals included
	asked   int
	took    time.Duration // for all that was asked
	odd     error         // why several questions at once gave nothing: what is left is asked one by one
}

// block is a run of registers as read.
type block struct {
	profile.Span
	words []uint16
	at    time.Time // of the answer
}

// blocks make a [profile.Reader].
type blocks []block

func (b *blocks) Word(t profile.Table, address uint16) (uint16, bool) {
	for i := range *b {
		x := &(*b)[i]
		if k := int(address) - int(x.Address); x.Table == t && k >= 0 && k < len(x.words) {
			return x.words[k], true
		}
	}
	return 0, false
}

// holding is the block in which a run was read.
func (b blocks) holding(s profile.Span) *block {
	for i := range b {
		if k := int(s.Address) - int(b[i].Address); b[i].Table == s.Table && k >= 0 && k+s.Words <= len(b[i].words) {
			return &b[i]
		}
	}
	return nil
}

// failure is a request that gave nothing.
type failure struct {
	Request
	reason metering.Reason
	err    error
}

// reasonOf gives the word for the end of a request.
func reasonOf(err error) metering.Reason {
	if refusal, is := errors.AsType[*modbus.Exception](err); is && !refusal.Silent() {
		return metering.Refused
	}
	if errors.Is(err, modbus.ErrBadFrame) {
		return metering.BadFrame
	}
	return metering.NoAnswer
}

// maxTries is how often a request is made in one job.
const maxTries = 2

// step makes the job's next request. Afterwards the job is over when it has
// nothing more to do.
func (w *Worker) step(ctx context.Context, j *job) {
	if n := j.together(); n > 1 {
		w.stepTogether(ctx, j, n)
		return
	}
	d, r := j.device, j.todo[0]
	begin := time.Now()
	words, err := w.line.Read(ctx, d.unit, r.Table, r.Address, r.Words)
	if ctx.Err() != nil {
		return
	}
	latency := time.Since(begin)
	j.asked++
	j.took += latency
	j.tries++
	d.count(err, r.Words)
	w.tune(d, latency, r.Words, err)
	if err == nil {
		j.answers++
		d.measure(w.endpoint, latency, r.Words)
		delete(d.silentCuts, r.Span)
		j.keep(r.Span, words, w.now())
		return
	}
	refusal, refused := errors.AsType[*modbus.Exception](err)
	switch {
	case refused && !refusal.Silent():
		j.answers++
		w.refused(j, r, refusal, err)
	case errors.Is(err, modbus.ErrBadFrame):
		if j.tries >= maxTries || d.fails > 0 {
			j.give(err)
		}
	default:
		w.silent(j, r, err)
	}
}

// keep takes the answer to the first of todo.
func (j *job) keep(s profile.Span, words []uint16, at time.Time) {
	if j.got == nil {
		j.got = make(blocks, 0, len(j.todo))
	}
	j.got = append(j.got, block{s, words, at})
	j.next()
}

// refused handles an exception.
func (w *Worker) refused(j *job, r Request, refusal *modbus.Exception, err error) {
	d := j.device
	if refusal.Map() {
		if what := d.learned.learn(d.profile, r); what != "" {
			w.log.Info("the meter refuses a request for several quantities: "+what,
				"meter", d.members[0].ID, "profile", d.profile.ID, "table", r.Table.String(), "register", r.Address, "count", r.Words, "exception", refusal.Code)
			clear(d.plans)
			j.cut(d)
			return
		}
		j.fail(err)
		return
	}
	if refusal.Code == modbus.IllegalFunction || j.tries >= maxTries {
		j.fail(err)
	}
}

// silent handles no answer. A device that was well is asked again once.
func (w *Worker) silent(j *job, r Request, err error) {
	d := j.device
	if d.fails == 0 && j.tries < maxTries && !errors.Is(err, modbus.ErrUnreachable) {
		return
	}
	if j.answers == 0 {
		j.give(err)
		return
	}
	// It answers, but not to this. A device that makes no exceptions refuses so.
	if d.silentCuts[r.Span]++; d.profile.NoExceptions && d.silentCuts[r.Span] >= 3 {
		if what := d.learned.learn(d.profile, r); what != "" {
			w.log.Info("the meter stays silent to a request for several quantities: "+what,
				"meter", d.members[0].ID, "profile", d.profile.ID, "table", r.Table.String(), "register", r.Address, "count", r.Words)
			clear(d.plans)
		}
		delete(d.silentCuts, r.Span)
	}
	j.fail(err)
}

func (j *job) next() { j.todo, j.tries = j.todo[1:], 0 }

func (j *job) fail(err error) {
	j.failed = append(j.failed, failure{j.todo[0], reasonOf(err), err})
	j.next()
}

// give gives a request up, and the whole job when the device has answered
// nothing yet: it is not there, and the other requests would only wait.
func (j *job) give(err error) {
	j.fail(err)
	for j.answers == 0 && len(j.todo) > 0 {
		j.fail(err)
	}
}

// cut plans what is left of the job by what was just learned.
func (j *job) cut(d *device) {
	left := d.plan(j.members)
	j.todo = slices.DeleteFunc(slices.Clone(left), func(r Request) bool {
		for _, p := range r.parts {
			if j.got.holding(p) == nil && j.failureOf(p) == nil {
				return false
			}
		}
		return true
	})
	j.tries = 0
}

func (j *job) failureOf(s profile.Span) *failure {
	for i := range j.failed {
		if slices.Contains(j.failed[i].parts, s) {
			return &j.failed[i]
		}
	}
	return nil
}

// readings decodes what the job got, into out's room. now stands for what was not
// answered.
func (j *job) readings(out []metering.Reading, now time.Time) []metering.Reading {
	n := 0
	for _, m := range j.members {
		n += len(m.fields)
	}
	out = slices.Grow(out[:0], n)
	for _, m := range j.members {
		for _, f := range m.fields {
			out = append(out, j.read(f, now))
		}
	}
	return out
}

func (j *job) read(f *field, now time.Time) metering.Reading {
	r := metering.Reading{Series: f.series, At: now.UnixMilli(), Unit: f.unit}
	for _, s := range f.spans {
		if j.got.holding(s) == nil {
			r.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			if x := j.failureOf(s); x != nil {
				r.Quality.Reason = x.reason
			}
			return r
		}
	}
	at := j.got.holding(f.spans[0]).at
	r.At = at.UnixMilli()
	n, unit, q := f.Decode(&j.got)
	r.Quality = q
	if q.Level == metering.Missing {
		return r
	}
	if f.counts && q.Level == metering.Good && f.watch.back(n, f.Field, &j.got) {
		r.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Reset}
	}
	if f.pulse == nil {
		f.unit = unit
	} else {
		var err error
		if n, err = n.Mul(f.pulse.Weight); err != nil {
			r.Quality = metering.Quality{Level: metering.Missing, Reason: metering.OutOfBounds}
			return r
		}
	}
	r.Number, r.Unit = n, f.unit
	f.watch.seen(n, at, r.Quality)
	return r
}

// err is the first failure, nil when all requests were answered.
func (j *job) err() error {
	if len(j.failed) == 0 {
		return nil
	}
	x := j.failed[0]
	return fmt.Errorf("%s registers %d to %d: %w", x.Table, x.Address, int(x.Address)+x.Words-1, x.err)
}
