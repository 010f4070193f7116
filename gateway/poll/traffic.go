package poll

import (
	"errors"
	"fmt"
	"math"

	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// traffic counts how the latest requests to a unit ended.
type traffic struct {
	attempts  int // requests
	damaged   int // of which came back damaged
	strangers int // of which were answered by another unit
	twice     int // of which were answered twice
	heard     int // of which were answered, damaged answers included
	begun     int // damaged answers whose unit, function and length are right
	bytes     int // of the answers that were heard, as they should be
}

const (
	// rateWindow is over how many requests the rate of damaged answers is taken.
	rateWindow = 200
	// enoughTries is from how many requests on a rate says something.
	enoughTries = 20
	// enoughHeard is from how many answers on their damage may tell collisions; how
	// many it really takes depends on their length.
	enoughHeard = 10
	// enoughTwice is how many second answers are no accident.
	enoughTwice = 2
)

// count notes the end of a request for a number of registers.
func (d *device) count(err error, words int) {
	var last *health
	for _, m := range d.members {
		if h := m.health; h != last { // else another part of the same meter
			last = h
			h.traffic.count(err, words)
		}
	}
}

func (t *traffic) count(err error, words int) {
	if t.attempts++; t.attempts > rateWindow {
		for _, n := range []*int{&t.attempts, &t.damaged, &t.strangers, &t.twice, &t.heard, &t.begun, &t.bytes} {
			*n /= 2
		}
	}
	length := answerHead + 2*words + answerTail
	switch refusal, refused := errors.AsType[*modbus.Exception](err); {
	case errors.Is(err, modbus.ErrWrongUnit):
		t.strangers++
		return
	case err == nil:
	case refused && !refusal.Silent():
		length = refusalBytes
	case reasonOf(err) != metering.BadFrame:
		return
	default:
		t.damaged++
		if errors.Is(err, modbus.ErrDamaged) {
			t.begun++
		}
		if errors.Is(err, modbus.ErrTwoAnswers) {
			t.twice++
		}
	}
	t.heard++
	t.bytes += length
}

// Bytes of a serial frame (V1.02, 2.3): unit, function, length; checksum; a whole refusal.
const (
	answerHead   = 3
	answerTail   = 2
	refusalBytes = 5
)

func (t *traffic) suffers() bool { return t.attempts >= enoughTries && 20*t.damaged > t.attempts }

func (t *traffic) share() float64 { return float64(t.damaged) / float64(t.heard) }

// collides says that damage spares the beginning of answers and hardly ever their
// rest. Noise hits every byte alike: what it does to the first three bytes says
// how many answers of this length it may damage. Two devices that answer at
// once begin with the same bytes and differ afterwards. expected is the share of
// damaged answers that noise would leave at most.
//
// The chance p that noise damages a byte is bounded from k beginnings that were
// damaged among n: (k + 3 + 2 sqrt k) / 3n is above the upper end of a Poisson
// mean's 95 % interval (3.0 for k = 0). The share is then 1-(1-p)^bytes, and three
// standard deviations of its count are added, since it is looked at again and again.
func (t *traffic) collides() (expected float64, is bool) {
	if t.heard < enoughHeard || 2*t.damaged <= t.heard {
		return 0, false
	}
	n, k := float64(t.heard), float64(t.damaged-t.begun)
	p := math.Min(1, (k+3+2*math.Sqrt(k))/(answerHead*n))
	share := 1 - math.Pow(1-p, float64(t.bytes)/n)
	expected = share + 3*math.Sqrt(share*(1-share)/n)
	return expected, t.share() > expected
}

// doubled says in words why there must be two devices at a meter's unit id, ""
// when there is no sign of it or when the whole line suffers.
func (w *Worker) doubled(m *member) string {
	t := &m.health.traffic
	if t.twice >= enoughTwice {
		return fmt.Sprintf("%d of the last %d questions were answered twice: two devices at unit %d", t.twice, t.attempts, m.Unit)
	}
	well, suffer := w.others(m)
	if suffer {
		return ""
	}
	if t.attempts >= enoughTries && 2*t.damaged > t.attempts && well {
		return fmt.Sprintf("%.0f %% of the last %d answers came damaged while the other units of the line answer well: two devices at unit %d?",
			100*float64(t.damaged)/float64(t.attempts), t.attempts, m.Unit)
	}
	if expected, is := t.collides(); is {
		return fmt.Sprintf("%d of the last %d answers came damaged, and %d of these begin as they should: noise would spare the beginnings no more than the rest and damage %.0f %% at most; two devices at unit %d answer at once?",
			t.damaged, t.heard, t.begun, 100*math.Min(1, expected), m.Unit)
	}
	return ""
}

// others says whether another unit of the same line answers without damage, and
// whether another one suffers too, which makes it the line's fault.
func (w *Worker) others(m *member) (well, suffer bool) {
	for _, o := range w.order {
		if o.Unit == m.Unit {
			continue
		}
		well = well || o.attempts >= enoughTries && 50*o.damaged <= o.attempts && o.fault != metering.NoAnswer
		suffer = suffer || o.suffers()
	}
	return well, suffer
}
