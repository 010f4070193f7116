package modbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// serialTransport carries questions in serial frames, on a port or over TCP.
type serialTransport struct {
	e      Endpoint
	char   time.Duration
	gap    time.Duration
	dialer dialer
	count  *counters

	wire   wire
	in     []byte    // received, not yet judged
	heard  time.Time // when the last byte came, or the line was opened
	calm   time.Time // until when the line is known to have been silent
	noisy  bool      // something came that was understood by nobody: wait for a longer silence
	missed int       // time-outs in a row
	doubts doubts
	last   map[byte]heard
	tuned  patience
	onLate func(unit byte)
	again  bool // the answer taken last is the one before it once more
	twice  twice
	first  map[byte]time.Time // when a unit answered for the first time
}

// heard is the last answer that came from a unit, taken or not. Of one that was
// not taken nobody knows the question; its unit is 0.
type heard struct {
	question
	frame []byte
	at    time.Time
}

// bridgeMissedMost is how many time-outs in a row a connection to a converter
// survives: it may be half open.
const bridgeMissedMost = 4

func newSerial(e Endpoint, c *counters) *serialTransport {
	s := &serialTransport{e: e, char: e.Character(), gap: e.Gap(), count: c, doubts: newDoubts(e), last: map[byte]heard{}, tuned: patience{}, twice: twice{}, first: map[byte]time.Time{}}
	s.dialer = dialer{count: c, open: func(ctx context.Context) (err error) {
		if e.Type == RTU {
			s.wire, err = openPort(e)
		} else if conn, failed := dialTCP(ctx, e); failed != nil {
			err = failed
		} else {
			s.wire = netWire{conn}
		}
		s.in, s.heard, s.calm, s.noisy = nil, time.Now(), time.Time{}, false
		return err
	}}
	return s
}

func (s *serialTransport) close() error {
	if s.wire == nil {
		return nil
	}
	err := s.wire.close()
	s.wire, s.missed = nil, 0
	return err
}

// owe notes that the answer to a question may come for a while yet.
func (s *serialTransport) owe(q question) {
	s.doubts.add(q, true, s.e.Timeout-s.tuned.of(q.unit, s.e.Timeout))
}

// settle listens until a unit is out of doubt.
func (s *serialTransport) settle(ctx context.Context, unit byte, until time.Time) bool {
	for {
		end := s.doubt(unit)
		if end.IsZero() {
			return true
		}
		if ctx.Err() != nil || !time.Now().Before(until) {
			return false
		}
		if end.After(until) {
			end = until
		}
		if s.wire == nil {
			pause(ctx, time.Until(end))
			continue
		}
		if _, err := s.listen(ctx, end); err != nil {
			s.close()
		}
		s.sort()
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// listen takes what comes, once, until an instant.
func (s *serialTransport) listen(ctx context.Context, until time.Time) (int, error) {
	var b [maxFrame]byte
	n, err := s.wire.read(ctx, b[:], until)
	if n > 0 {
		s.in = append(s.in, b[:n]...)
		s.heard = time.Now()
	}
	return n, err
}

// sort throws away what came outside a question, and strikes out the questions
// that it answers.
func (s *serialTransport) sort() {
	for len(s.in) > 0 {
		n := s.late(s.in)
		if n == 0 {
			break
		}
		s.in = s.in[n:]
	}
	if len(s.in) > 2*maxFrame {
		s.in, s.noisy = nil, true
	}
}

// late notes the frame at the beginning of b, which answers no open question, and
// returns its length; 0 when there is no whole frame.
func (s *serialTransport) late(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	q := question{unit: b[0], function: b[1] & 0x7f, count: int(b[2]) / 2}
	v, n := judgeSerial(b, q)
	if v != answer && v != foreign && v != wrongSize {
		return 0
	}
	s.count.late.Add(1)
	if s.onLate != nil {
		s.onLate(q.unit)
	}
	s.stray(b[:n])
	s.doubts.late(q.unit, q.function, q.count, b[1]&0x80 != 0)
	s.hear(q.unit, question{function: q.function, count: q.count}, b[:n])
	return n
}

// hush waits until the line has been silent for as long as there must be between
// frames, so that what comes next is an answer to what is asked next.
func (s *serialTransport) hush(ctx context.Context) error {
	need := s.gap
	if s.noisy {
		need = max(5*s.gap, 20*time.Millisecond)
	}
	if !s.noisy && len(s.in) == 0 && time.Since(s.calm) < s.gap {
		return nil
	}
	limit := time.Now().Add(s.e.Timeout + need)
	if _, err := s.listen(ctx, time.Now()); err != nil {
		return err
	}
	for {
		s.sort()
		silence := s.heard.Add(need)
		if !time.Now().Before(silence) {
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the line is never silent: %w", ErrBadFrame)
		}
		if _, err := s.listen(ctx, silence); err != nil {
			return err
		}
	}
	if len(s.in) > 0 && s.onLate != nil {
		s.onLate(0)
	}
	s.in, s.noisy = s.in[:0], false
	return nil
}

func (s *serialTransport) exchange(ctx context.Context, adu []byte) ([]byte, error) {
	q := ask(adu, 1)
	for {
		reused := s.wire != nil
		if !reused {
			if err := s.dialer.dial(ctx); err != nil {
				return nil, err
			}
		}
		reply, err := s.ask(ctx, adu, q)
		if err == nil {
			reply, err = s.fresh(ctx, adu, q, reply)
		}
		switch {
		case err == nil:
			s.missed = 0
			return reply, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrTimeout):
			if s.tuned.of(q.unit, s.e.Timeout) < s.e.Timeout {
				return nil, err // it was hardly waited for; its answer may come yet
			}
			if s.missed++; s.e.Type == RTUOverTCP && s.missed >= bridgeMissedMost {
				s.close()
			}
			return nil, err
		case errors.Is(err, ErrBadFrame):
			return nil, err
		}
		s.close()
		if !reused {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		// The other side closed an idle connection, or the adapter was put back. The
		// question is asked again on a new one: the same, so that either answer is right.
		defer s.owe(q)
	}
}

// fresh makes sure that an answer is not the one before once more: when it is
// the same, bit for bit, though other registers were asked for, the unit is asked
// for another number of them, and then again.
func (s *serialTransport) fresh(ctx context.Context, adu []byte, q question, reply []byte) (_ []byte, err error) {
	if s.again {
		p := s.doubts.probe(q)
		if _, err = s.ask(ctx, p.serial(), p); err != nil {
			return nil, fmt.Errorf("trying whether the unit repeats itself: %w", err)
		}
		if reply, err = s.ask(ctx, adu, q); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// hear notes a frame of a unit.
func (s *serialTransport) hear(unit byte, q question, frame []byte) {
	old, is := s.last[unit]
	s.again = is && frame[1]&0x80 == 0 && old.alike(q) && old.question != q && bytes.Equal(old.frame, frame)
	s.last[unit] = heard{q, bytes.Clone(frame), time.Now()}
}

// prove makes sure that a unit whose answer to an earlier question was never
// seen is not one answer behind, when that answer could be taken for the one to
// q: it is asked for another number of registers first. A unit that is behind
// shows itself by the length of what it says.
func (s *serialTransport) prove(ctx context.Context, q question) error {
	if !s.doubts.ambiguous(q) {
		return nil
	}
	p := s.doubts.probe(q)
	if p == q {
		return fmt.Errorf("unit %d did not answer too many questions: %w", q.unit, ErrTimeout)
	}
	if _, err := s.ask(ctx, p.serial(), p); err != nil {
		return fmt.Errorf("trying whether the unit is in step: %w", err)
	}
	return nil
}

// ask sends one question and waits for its answer and the silence behind it.
func (s *serialTransport) ask(ctx context.Context, adu []byte, q question) ([]byte, error) {
	if err := s.prove(ctx, q); err != nil {
		return nil, err
	}
	if err := s.hush(ctx); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(time.Duration(len(adu)+q.serialLength())*s.char + s.tuned.of(q.unit, s.e.Timeout) + s.gap)
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	if err := s.wire.write(ctx, adu, deadline); err != nil {
		s.owe(q)
		return nil, err
	}
	var other error // what came instead
	echo := adu     // some adapters hear themselves
	for {
		if len(echo) > 0 && bytes.HasPrefix(s.in, echo) {
			s.in, echo = s.in[len(echo):], nil
		}
		v, n := judgeSerial(s.in, q)
		switch v {
		case answer:
			return s.finish(ctx, q, n)
		case foreign:
			other = s.strange(s.in, q)
			s.late(s.in)
			s.in = s.in[n:]
			continue
		case wrongSize:
			s.stray(s.in[:n])
			s.owe(q)
			s.hear(q.unit, question{function: q.function, count: (n - 5) / 2}, s.in[:n])
			return nil, fmt.Errorf("an answer with %d registers to a question for %d: %w", (n-5)/2, q.count, ErrBadFrame)
		case damaged:
			s.noisy = true
			s.doubts.add(q, false, 0) // it may not have been the answer
			return nil, fmt.Errorf("wrong checksum: %w", ErrDamaged)
		case garbage:
			if s.in[0] == 0x00 || s.in[0] == 0xFF {
				// A driver that is switched on sends such bytes; no unit has these ids.
				s.in = s.in[1:]
				continue
			}
			if !bytes.HasPrefix(echo, s.in) {
				other = fmt.Errorf("% x is no frame: %w", s.in[:min(len(s.in), 12)], ErrBadFrame)
				s.noisy = true
			}
			if len(s.in) > 2*maxFrame {
				s.in = s.in[:0]
			}
		}
		n, err := s.listen(ctx, deadline)
		if err != nil {
			s.owe(q)
			return nil, err
		}
		if n == 0 {
			return nil, s.silent(q, other)
		}
	}
}

// silent ends a question whose time is over.
func (s *serialTransport) silent(q question, other error) error {
	s.owe(q)
	if len(s.in) > 0 {
		s.noisy = true
		if other == nil {
			other = fmt.Errorf("only %d bytes of an answer: %w", len(s.in), ErrBadFrame)
		}
	}
	s.in = s.in[:0]
	if other != nil {
		return other
	}
	return fmt.Errorf("%w (%v)", ErrTimeout, s.tuned.of(q.unit, s.e.Timeout))
}

// finish takes a frame of n bytes once the line is silent behind it.
func (s *serialTransport) finish(ctx context.Context, q question, n int) ([]byte, error) {
	calm := s.gap + s.twice.wait(q.unit, s.e.Timeout)
	for {
		silence := s.heard.Add(calm)
		got, err := s.listen(ctx, silence)
		if err != nil && ctx.Err() != nil {
			s.owe(q)
			return nil, err
		}
		if err != nil { // gone after its last word: nothing will follow
			s.close()
			break
		}
		if got == 0 {
			if more := s.begun(q, n); more > calm {
				calm = more // which adapters deliver in pieces
				continue
			}
			s.calm = time.Now()
			break
		}
		if len(s.in) > 2*maxFrame {
			break
		}
	}
	// Only late answers of other units may follow.
	rest := s.in[n:]
	for len(rest) > 0 {
		if rest[0] == q.unit || len(s.doubts.of(rest[0])) == 0 {
			break
		}
		m := s.late(rest)
		if m == 0 {
			break
		}
		rest = rest[m:]
	}
	if len(rest) > 0 {
		first := bytes.Clone(s.in[:n])
		second := s.second(q, first, rest)
		s.in, s.noisy = s.in[:0], true
		if second {
			// Nothing more is to come; should the same come once more, it is known.
			s.hear(q.unit, q, first)
			return nil, ErrTwoAnswers
		}
		s.owe(q)
		return nil, fmt.Errorf("%d bytes too many behind an answer: %w", len(rest), ErrBadFrame)
	}
	reply := s.in[:n:n]
	s.in = nil
	s.doubts.answered(q, reply[1]&0x80 != 0)
	s.hear(q.unit, q, reply)
	if _, known := s.first[q.unit]; !known {
		s.first[q.unit] = time.Now()
	}
	return reply, nil
}

// strange describes a frame that is not the answer.
func (s *serialTransport) strange(b []byte, q question) error {
	if b[0] != q.unit && len(s.doubts.of(b[0])) > 0 {
		return nil // late, and explained
	}
	if b[0] != q.unit {
		return fmt.Errorf("an answer of unit %d: %w", b[0], ErrWrongUnit)
	}
	return fmt.Errorf("an answer with function %d to one with function %d: %w", b[1], q.function, ErrBadFrame)
}
