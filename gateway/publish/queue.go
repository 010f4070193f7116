package publish

import (
	"math"

	"github.com/thermie/thermie/gateway/outbox"
)

// chunk is how many batches are read from the outbox at once.
const chunk = 32

// source is the part of an outbox that a queue reads.
type source interface {
	Unsent(after uint64, limit int) ([]outbox.Sealed, error)
	LastNumber() uint64
}

// stream reads the batches with numbers in (after, until] in order.
type stream struct {
	after, until uint64
	buf          []outbox.Sealed
}

func (s *stream) done() bool { return len(s.buf) == 0 && s.after >= s.until }

// fill reads a chunk when nothing is buffered. skip tells which batches are
// under way.
func (s *stream) fill(src source, skip func(uint64) bool) error {
	for len(s.buf) == 0 && s.after < s.until {
		list, err := src.Unsent(s.after, chunk)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if s.until != math.MaxUint64 {
				s.after = s.until
			}
			return nil
		}
		for _, b := range list {
			if b.Number > s.until {
				s.after = s.until
				return nil
			}
			s.after = b.Number
			if !skip(b.Number) {
				s.buf = append(s.buf, b)
			}
		}
	}
	return nil
}

func (s *stream) take() outbox.Sealed {
	b := s.buf[0]
	s.buf = s.buf[1:]
	return b
}

// queue decides which batch goes next: the live stream and, where there is a
// backlog, the backlog in turn with it.
type queue struct {
	src     source
	skip    func(number uint64) bool
	lag     uint64 // further behind, the live stream jumps to the newest batch
	inOrder bool   // it never does

	backlog, live stream
	liveTurn      bool
}

func newQueue(src source, lag int, inOrder bool, skip func(uint64) bool) *queue {
	return &queue{src: src, skip: skip, lag: uint64(lag), inOrder: inOrder, live: stream{until: math.MaxUint64}, liveTurn: true}
}

// next returns the batch to send next; ok is false when nothing waits.
func (q *queue) next() (b outbox.Sealed, ok bool, err error) {
	if err := q.split(); err != nil {
		return b, false, err
	}
	if err := q.live.fill(q.src, q.skip); err != nil {
		return b, false, err
	}
	if err := q.backlog.fill(q.src, q.skip); err != nil {
		return b, false, err
	}
	live, old := len(q.live.buf) > 0, len(q.backlog.buf) > 0
	q.liveTurn = live && (q.liveTurn || !old)
	switch {
	case q.liveTurn:
		q.liveTurn = false
		return q.live.take(), true, nil
	case old:
		q.liveTurn = true
		return q.backlog.take(), true, nil
	}
	return b, false, nil
}

// split lets the live stream jump to the newest batch when it is far behind,
// and leaves what it jumped over to the backlog.
func (q *queue) split() error {
	if q.inOrder || len(q.live.buf) > 0 {
		return nil
	}
	last := q.src.LastNumber()
	if last < q.live.after+q.lag+1 {
		return nil
	}
	// Numbers may be far apart (they jump after a loss): count what waits.
	waiting, err := q.src.Unsent(q.live.after, int(q.lag)+1)
	if err != nil {
		return err
	}
	if len(waiting) <= int(q.lag) {
		return nil
	}
	if q.backlog.done() {
		q.backlog = stream{after: q.live.after}
	}
	q.backlog.until, q.live.after = last-1, last-1
	return nil
}
