package poll

import (
	"errors"
	"time"

	"github.com/thermie/thermie/gateway/modbus"
)

// tuning is how long a device is waited for, by how long it takes.
//
// The time-out is four times the slowest of its recent answers' times (as scanners
// for meters do), at least a floor and never more than the bus's own time-out. A
// time-out takes all of it back: the next questions have the bus's time again
// until the device has answered well for a while. So a dead meter costs its line
// tenths of a second in place of a whole one, and a meter that is slow now and
// then is waited for.
type tuning struct {
	answers int           // since the last time-out
	slowest time.Duration // of the answers, slowly forgotten; without the time of the frames
	set     time.Duration // 0: the bus's own
}

const (
	tuneAfter  = 16 // answers
	tuneTimes  = 4
	tuneFloor  = 100 * time.Millisecond // a meter that writes its memory is silent for so long
	tuneFloorN = 250 * time.Millisecond // over a network
)

// thought is the part of an answer's time in which the device thought: what the
// frames and silences of a serial line take is no patience.
func thought(e modbus.Endpoint, latency time.Duration, words int) time.Duration {
	if e.Serial() {
		latency -= time.Duration(13+2*words)*e.Character() + e.Gap()
	}
	return max(latency, time.Millisecond)
}

// observe takes the end of a question and returns the time-out to wait from now
// on; changed is false when it is as before.
func (t *tuning) observe(e modbus.Endpoint, latency time.Duration, words int, err error) (timeout time.Duration, changed bool) {
	if errors.Is(err, modbus.ErrTimeout) {
		t.answers = 0
		changed = t.set != 0
		t.set = 0
		return 0, changed
	}
	if err != nil {
		return t.set, false // a refusal comes sooner than numbers do
	}
	t.answers++
	t.slowest = max(thought(e, latency, words), t.slowest-t.slowest/64)
	if t.answers < tuneAfter {
		return t.set, false
	}
	floor := tuneFloor
	if e.Type != modbus.RTU {
		floor = tuneFloorN
	}
	want := min(max(tuneTimes*t.slowest, floor), e.Timeout)
	if t.set != 0 && want >= t.set-t.set/8 && want <= t.set+t.set/8 && tuneTimes*t.slowest <= t.set {
		return t.set, false
	}
	changed = want != t.set
	t.set = want
	return want, changed
}

func (w *Worker) tune(d *device, latency time.Duration, words int, err error) {
	w.mu.Lock()
	timeout, changed := d.tuning.observe(w.endpoint, latency, words, err)
	slowest := d.tuning.slowest
	w.mu.Unlock()
	if !changed {
		return
	}
	w.line.SetTimeout(d.unit, timeout)
	if timeout == 0 {
		timeout = w.endpoint.Timeout
	}
	w.log.Debug("time-out", "meter", d.members[0].ID, "unit", d.unit, "slowest_answer", slowest, "timeout", timeout)
}
