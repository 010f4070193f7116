package poll

import (
	"fmt"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/judge"
	"github.com/thermie/thermie/metering"
)

// health is what is known of how a meter does, whatever of it is read.
type health struct {
	seen     time.Time
	reset    string // words on the last counters that went back, or another serial number
	resetFor metering.Reason
	resetAt  time.Time // when
	resets   [3]time.Time
	traffic
	serials []metering.Decimal            // the last two that differ, the newest first
	told    map[metering.Reason]time.Time // when the log named a fault last
	ails    metering.Reason               // the fault that it named last, "" when it is over
}

// symptoms are what ails a meter as of its last reading.
type symptoms struct {
	fault  metering.Reason
	detail string

	judged  time.Time
	ailment metering.Reason // what the judgement finds wrong
	words   string
	ailing  int // judgements in a row that find it
}

const (
	// frozenAfter and frozenPolls: how long nothing at all of a meter that measures
	// several things that fluctuate may stay the same.
	frozenAfter = 15 * time.Minute
	frozenPolls = 20
	// resetShown is how long a counter that went back stays in the status.
	resetShown = 24 * time.Hour
	// alternating: so many counters that went back within this time mean that two
	// devices answer in turn.
	alternating = 10 * time.Minute
	// judgeEvery is how often the readings of a meter are looked at together, and
	// ailingFor how often in a row they must look wrong: a plant that starts may
	// look odd for a moment.
	judgeEvery = 10 * time.Second
	ailingFor  = 5
	// tellAgain is how often at most the log repeats the same fault of a meter.
	tellAgain = 10 * time.Minute
)

// judge names what ails the meters of a job. The order is that of certainty and
// weight: one fault is shown.
func (w *Worker) judge(j *job, readings []metering.Reading, now time.Time) {
	for _, m := range j.members {
		mine := readings[:len(m.fields)]
		readings = readings[len(m.fields):]
		h := m.health
		if len(j.got) > 0 {
			h.seen = j.got[len(j.got)-1].at
		}
		h.counters(m, mine, now)
		m.fault, m.detail = w.diagnose(j, m, mine, now)
		w.tell(m, now)
	}
}

// counters notes those that went back, and a serial number that changed.
func (h *health) counters(m *member, readings []metering.Reading, now time.Time) {
	back := 0
	for i, r := range readings {
		q := m.fields[i].gives
		switch {
		case r.Quality == (metering.Quality{Level: metering.Suspect, Reason: metering.Reset}):
			if back++; back == 1 {
				h.reset = fmt.Sprintf("%s went back to %s %s at %s", q, r.Number, r.Unit, r.Time().Format(time.RFC3339))
				h.resetFor, h.resetAt = metering.Reset, now
				copy(h.resets[1:], h.resets[:])
				h.resets[0] = now
			} else {
				h.reset = fmt.Sprintf("%d counters went back at %s: another meter, or its memory was cleared", back, r.Time().Format(time.RFC3339))
				h.resetFor = metering.Exchanged
			}
		case q == metering.SerialNumber && r.Quality.Level == metering.Good:
			h.number(r, now)
		}
	}
	if first := h.resets[len(h.resets)-1]; !first.IsZero() && now.Sub(first) <= alternating && h.resetFor == metering.Reset {
		h.resetFor = metering.DuplicateUnit
		h.reset = fmt.Sprintf("counters go back again and again (%d times within %v): two devices answer in turn", len(h.resets), alternating)
	}
}

// number notes a serial number. A meter is exchanged once; one that changes back
// is two.
func (h *health) number(r metering.Reading, now time.Time) {
	if len(h.serials) > 0 && h.serials[0].Equal(r.Number) {
		return
	}
	h.serials = append([]metering.Decimal{r.Number}, h.serials...)
	switch n := len(h.serials); {
	case n == 1:
		return
	case n > 2 && h.serials[2].Equal(r.Number):
		h.reset = fmt.Sprintf("serial numbers %s and %s in turn: two devices answer", h.serials[1], r.Number)
		h.resetFor = metering.DuplicateUnit
	default:
		h.reset = fmt.Sprintf("serial number %s became %s at %s", h.serials[1], r.Number, r.Time().Format(time.RFC3339))
		h.resetFor = metering.Exchanged
	}
	h.resetAt, h.serials = now, h.serials[:2]
}

// tell has the log name a fault when it begins and when it ends.
func (w *Worker) tell(m *member, now time.Time) {
	h := m.health
	switch {
	case m.fault == metering.NoAnswer: // finish tells
	case m.fault != "" && m.fault != h.ails && now.Sub(h.told[m.fault]) >= tellAgain:
		w.log.Warn("fault", "meter", m.ID, "unit", m.Unit, "fault", string(m.fault), "detail", m.detail)
		if h.told == nil {
			h.told = map[metering.Reason]time.Time{}
		}
		h.ails, h.told[m.fault] = m.fault, now
	case m.fault == "" && h.ails != "" && w.faultOf(m) == "":
		w.log.Info("fault over", "meter", m.ID, "unit", m.Unit, "fault", string(h.ails))
		h.ails = ""
	}
}

func (w *Worker) diagnose(j *job, m *member, readings []metering.Reading, now time.Time) (metering.Reason, string) {
	h := m.health
	if h.strangers > 0 && (j.answers == 0 || h.attempts >= enoughTries && 20*h.strangers > h.attempts) {
		return metering.WrongUnit, fmt.Sprintf("asked at unit %d, another unit answers: wrong unit id, or a converter that changes it", m.Unit)
	}
	if words := w.doubled(m); words != "" {
		return metering.DuplicateUnit, words
	}
	if j.answers == 0 {
		if err := j.err(); err != nil {
			return j.failed[0].reason, err.Error()
		}
		return metering.NoAnswer, "no requests"
	}
	if h.attempts >= enoughTries && 20*h.damaged > h.attempts {
		return metering.BadFrame, fmt.Sprintf("%.0f %% of the last %d answers came damaged: check wiring, termination, baud and parity",
			100*float64(h.damaged)/float64(h.attempts), h.attempts)
	}
	if since, is := m.frozen(now); is {
		return metering.Frozen, "nothing that it measures has changed since " + since.UTC().Format(time.RFC3339)
	}
	w.look(j, m, readings, now)
	if m.ailment == metering.WordOrder {
		return m.ailment, m.words
	}
	for i, r := range readings {
		if r.Quality.Level == metering.Good || r.Quality.Reason == metering.NotAvailable || r.Quality.Reason == metering.Reset {
			continue
		}
		f := m.fields[i]
		detail := fmt.Sprintf("%s: %s", f.gives, r.Quality)
		if x := j.failureOf(f.Span()); x != nil {
			detail += ": " + x.err.Error()
		} else if r.Quality.Level == metering.Suspect {
			detail += fmt.Sprintf(" (%s %s)", r.Number, r.Unit)
		}
		return r.Quality.Reason, detail
	}
	if h.reset != "" && now.Sub(h.resetAt) < resetShown {
		return h.resetFor, h.reset
	}
	if m.ailing >= ailingFor {
		return m.ailment, m.words
	}
	return "", ""
}

// look judges the readings of a meter together, now and then.
func (w *Worker) look(j *job, m *member, readings []metering.Reading, now time.Time) {
	if since := now.Sub(m.judged); since >= 0 && since < judgeEvery {
		return
	}
	m.judged = now
	fault, words := metering.Reason(""), ""
	verdicts := judge.Append(w.verdicts[:0], readings)
	w.verdicts = verdicts
	for _, v := range verdicts {
		if lasting(v.Fault) {
			fault, words = v.Fault, fmt.Sprintf("%s %s %s: %s", v.Reading.Series.Quantity(), v.Reading.Number, v.Reading.Unit, v.Words)
			break
		}
	}
	if order, ok := m.otherOrder(j, verdicts); ok {
		m.ailment, m.words, m.ailing = metering.WordOrder, order, ailingFor
		return
	}
	switch {
	case fault == "" || fault == metering.WordOrder:
		m.ailment, m.words, m.ailing = "", "", 0
	case fault != m.ailment:
		m.ailment, m.words, m.ailing = fault, words, 1
	default:
		m.words = words
		m.ailing++
	}
}

// lasting are the faults that only several judgements in a row prove.
func lasting(r metering.Reason) bool {
	return r == metering.TransformersSwap || r == metering.SensorsSwap || r == metering.ClockOff || r == metering.ScaleJump
}

// otherOrder looks for another order of words and bytes that makes plausible
// what is not: at least two numbers, and all but a fifth of them.
func (m *member) otherOrder(j *job, verdicts []judge.Verdict) (words string, found bool) {
	var wrong []*field
	for i, v := range verdicts {
		f := m.fields[i]
		odd := v.Fault == metering.WordOrder || v.Fault == metering.OutOfBounds
		if odd && f.Words() > 1 && f.Type != profile.ASCII && judge.Bounded(f.gives) && j.got.holding(f.Span()) != nil {
			wrong = append(wrong, f)
		}
	}
	if len(wrong) < 2 {
		return "", false
	}
	for _, name := range []string{"CDAB", "ABCD", "BADC", "DCBA"} {
		mended := 0
		for _, f := range wrong {
			other := *f.Field
			order, err := profile.ParseOrder(name, f.Type)
			if err != nil || order == f.Order {
				continue
			}
			other.Order = order
			n, unit, q := other.Decode(&j.got)
			if q.Level != metering.Good || n.Coef == 0 {
				continue
			}
			if judge.Readings([]metering.Reading{{Series: f.series, Number: n, Unit: unit}})[0].OK {
				mended++
			}
		}
		if mended >= 2 && 5*mended >= 4*len(wrong) {
			return fmt.Sprintf("%d of %d numbers are implausible and would be plausible in the order %s: wrong word or byte order", len(wrong), len(verdicts), name), true
		}
	}
	return "", false
}

// frozen says since when nothing of a meter has changed. It is sure only of a
// meter that measures at least three things in motion: voltages, currents,
// powers, flows, temperatures that are not zero.
func (m *member) frozen(now time.Time) (since time.Time, is bool) {
	for _, f := range m.fields {
		w := &f.watch
		if !w.read {
			continue
		}
		if since.Before(w.moved) {
			since = w.moved
		}
		if w.polls < frozenPolls || now.Sub(since) < frozenAfter {
			return since, false
		}
	}
	moving := 0
	for _, f := range m.fields {
		w := &f.watch
		if q := f.gives; w.read && q.Kind() == metering.Gauge && q != metering.ErrorCode && q != metering.SerialNumber && w.number.Coef != 0 {
			moving++
		}
	}
	return since, moving >= 3
}

// faultOf is the fault of a meter: that of its first part which has one.
func (w *Worker) faultOf(m *member) metering.Reason {
	for _, x := range w.deviceOf(m).parts(m) {
		if x.fault != "" {
			return x.fault
		}
	}
	return ""
}
