package modbus

import (
	"bytes"
	"time"
)

// twice remembers the units from which a second answer came that nobody had
// asked for: two devices have one id, and one of them thinks longer.
type twice map[byte]slower

// slower is the device that answers second.
type slower struct {
	after time.Duration // the first answer
	quiet int           // questions since without a second answer
}

// forgetTwice is how many questions in a row must have one answer until a unit is
// believed to be one device again.
const forgetTwice = 50

// wait is how much longer than the usual silence to listen behind an answer of a
// unit, so that its second answer is not taken for the one to the next question.
func (t twice) wait(unit byte, most time.Duration) time.Duration {
	x, is := t[unit]
	if !is {
		return 0
	}
	if x.quiet++; x.quiet > forgetTwice {
		delete(t, unit)
		return 0
	}
	t[unit] = x
	return min(2*x.after, most)
}

// stray looks at a whole frame that nobody waits for. When nothing is owed by its
// unit and the question that it fits was answered before, it is the answer of
// another device of the same id, or a converter repeats itself: either way there
// may be such a one behind each answer.
func (s *serialTransport) stray(frame []byte) {
	unit := frame[0]
	old, is := s.last[unit]
	if !is || old.unit != unit || s.doubts.owed(unit) || !fits(old.question, old.frame) || !fits(old.question, frame) {
		return
	}
	if after := time.Since(old.at); after <= s.e.Timeout+s.e.Quiet {
		s.twice[unit] = slower{after: after}
	}
}

// begun is how long the rest of another answer may take that begins behind the n
// bytes of the first; 0 when none does.
func (s *serialTransport) begun(q question, n int) time.Duration {
	rest := s.in[n:]
	if len(rest) == 0 || rest[0] != q.unit {
		return 0
	}
	if v, _ := judgeSerial(rest, q); v != unfinished {
		return 0
	}
	return time.Duration(q.serialLength())*s.char + 4*s.gap
}

// second says that what follows an answer is another one to the same question: one
// that says something else, or, on a port of this machine, one at all, since no
// converter is there to repeat anything.
func (s *serialTransport) second(q question, first, rest []byte) bool {
	v, n := judgeSerial(rest, q)
	if v != answer || s.doubts.owed(q.unit) || s.e.Type != RTU && bytes.Equal(first, rest[:n]) {
		return false
	}
	s.twice[q.unit] = slower{after: s.twice[q.unit].after}
	return true
}

// fits says that a frame could answer a question: with registers or a refusal.
func fits(q question, frame []byte) bool {
	return frame[1]&0x7f == q.function && (frame[1]&0x80 != 0 || len(frame) == q.serialLength())
}

// probation is for how long a unit is left in peace after its very first answer,
// to hear whether a second one follows: questions that are alike follow each other
// so closely that each could be taken for the answer to the next.
const probation = 150 * time.Millisecond

// doubt is when a unit may be asked again: no answer of it is expected any more,
// and it is not on probation.
func (s *serialTransport) doubt(unit byte) time.Time {
	at := s.doubts.until(unit)
	if until := s.first[unit].Add(min(probation, s.e.Timeout)); until.After(at) && time.Now().Before(until) {
		return until
	}
	return at
}
