package slave

import "time"

// saying is what is heard on a line, and how long after the line was free.
type saying struct {
	after time.Duration
	bytes []byte
}

// said is what a line carries in answer to a frame: nothing, an answer, or what
// two devices make of theirs.
func (l *Line) said(unit byte, pdu []byte) []saying {
	say := func(h Handler, after time.Duration) (all []saying) {
		if h == nil {
			return nil
		}
		if answered, ok := answer(h, unit, pdu); ok {
			all = []saying{{after, frame(unit, answered)}}
		}
		return all
	}
	first, second := say(l.o.Handler, l.o.Turnaround), say(l.o.Rival, l.o.RivalTurnaround)
	if len(first) == 0 || len(second) == 0 {
		return append(first, second...)
	}
	return collide(first[0], second[0], l.o.character())
}

// collide puts two sayings onto one line. While both drive it a bit is 0 as soon
// as one of them says so: what a receiver makes of them is neither.
func collide(a, b saying, char time.Duration) []saying {
	if b.after < a.after {
		a, b = b, a
	}
	shift := int((b.after - a.after) / char)
	if shift > len(a.bytes) {
		return []saying{a, b}
	}
	both := make([]byte, max(len(a.bytes), shift+len(b.bytes)))
	for i := range both {
		both[i] = 0xFF // the idle line
	}
	for i, x := range a.bytes {
		both[i] &= x
	}
	for i, x := range b.bytes {
		both[shift+i] &= x
	}
	return []saying{{a.after, both}}
}
