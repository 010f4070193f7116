package poll

import (
	"context"
	"errors"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
)

// oddMost is how many cycles in a row a device may answer only when it is asked
// one question at a time, before it is asked so for good.
const oddMost = 3

// together is how many of todo are asked at once: of those that follow one
// another no two may be answered by frames of the same shape. A device that is not
// well, or that answered nothing to several, is asked one question at a time.
func (j *job) together() int {
	d := j.device
	if d.inFlight < 2 || d.fails > 0 || j.tries > 0 || j.odd != nil {
		return 1
	}
	n := 0
	for ; n < len(j.todo) && n < d.inFlight; n++ {
		for _, r := range j.todo[:n] {
			if r.Table == j.todo[n].Table && r.Words == j.todo[n].Words {
				return n
			}
		}
	}
	return n
}

// stepTogether asks the first n of todo at once. When that gives nothing, what is
// left of the job is asked one by one, which loses no reading and tells what is
// wrong.
func (w *Worker) stepTogether(ctx context.Context, j *job, n int) {
	d, requests := j.device, j.todo[:n]
	runs := make([]profile.Span, n)
	for i, r := range requests {
		runs[i] = r.Span
	}
	begin := time.Now()
	words, err := w.line.ReadAll(ctx, d.unit, runs)
	if ctx.Err() != nil {
		return
	}
	latency := time.Since(begin)
	w.tune(d, latency, 0, err)
	if err != nil {
		j.odd = err
		return
	}
	now := w.now()
	j.asked += n
	j.took += latency
	j.answers += n
	d.oddities = 0
	for i, r := range requests {
		d.count(nil, r.Words)
		j.keep(r.Span, words[i], now)
	}
}

// odd notes that a device answered one by one what it did not answer at once. A
// damaged or foreign answer is enough never to try that again until the next
// start; silence and refusals, which have other reasons too, are when they come again.
func (w *Worker) odd(d *device, err error) {
	if d.oddities++; d.oddities < oddMost && !errors.Is(err, modbus.ErrBadFrame) {
		return
	}
	d.inFlight = 1
	w.log.Warn("the meter answers one question at a time: it is asked so from now on, whatever its profile or in_flight says",
		"meter", d.members[0].ID, "profile", d.profile.ID, "error", err)
}
