package publish

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/mqtt"
)

const (
	// flightBytesPerBatch bounds, with the window, the bytes under way: 256 KiB
	// by default, half a minute at 64 kbit/s, so that a live batch is not stuck
	// behind a minute of the past.
	flightBytesPerBatch = 4 << 10
	// unconfirmedWindows bounds the batches without receipt, in windows.
	unconfirmedWindows = 4
	// maxResend bounds the wait before the same batch is sent once more.
	maxResend = 16
)

// item is a batch that was sent and has no receipt yet.
type item struct {
	number uint64
	sent   time.Time
	tries  int
	acked  bool // by the broker
}

// flight is a message that the broker has not acknowledged yet.
type flight struct {
	sent  *mqtt.Sent
	bytes int
	item  *item // nil for a status
}

// session is what happens on one connection. Its run sends; collect waits for
// the broker's acknowledgements; receipts arrive on the connection's goroutine.
type session struct {
	o      *Options
	conn   *mqtt.Conn
	fail   func(error)
	queue  *queue
	ready  *outbox.Sealed // taken from the queue, waits for room
	again  []uint64       // to be sent again
	kick   chan struct{}  // room was made, or a receipt came
	flying chan flight    // in the order sent

	lastStatus time.Time
	wantStatus bool
	wantReport atomic.Bool
	unreadable bool // the outbox failed to read; tried again with the next tick

	mu           sync.Mutex
	flights      int
	flightBytes  int
	statusFlies  bool
	waiting      map[uint64]*item
	latestAnswer time.Time // when the latest batch with a receipt was sent
	answered     time.Time // when the last receipt came
	probes       int       // how often the oldest was tried since
}

func newSession(o *Options, conn *mqtt.Conn, fail func(error)) *session {
	s := &session{o: o, conn: conn, fail: fail, kick: make(chan struct{}, 1), waiting: make(map[uint64]*item),
		flying: make(chan flight, o.Window+1), wantStatus: o.Status != nil}
	s.wantReport.Store(o.Report != nil)
	s.queue = newQueue(o.Outbox, o.Window, o.InOrder, s.underWay)
	return s
}

func (s *session) underWay(number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting[number] != nil
}

// run sends until the connection or ctx ends.
func (s *session) run(ctx context.Context) error {
	for {
		if err := s.status(ctx); err != nil {
			return err
		}
		if err := s.report(ctx); err != nil {
			return err
		}
		if err := s.pump(ctx); err != nil {
			return err
		}
		select {
		case <-s.conn.Done():
			return s.conn.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.o.Outbox.Wake():
		case <-s.kick:
		case <-s.o.Changed:
			s.wantStatus = s.o.Status != nil
		case <-s.o.tick:
			s.unreadable = false
			s.overdue(s.o.Now())
			if s.o.Status != nil && s.o.Now().Sub(s.lastStatus) >= statusEvery {
				s.wantStatus = true
			}
		}
	}
}

// pump sends batches as long as there is room.
func (s *session) pump(ctx context.Context) error {
	for ctx.Err() == nil && !s.unreadable {
		b, err := s.pick()
		if err != nil {
			s.o.Log.Error("publish: outbox cannot be read", "gateway", s.o.Gateway, "error", err)
			s.unreadable = true
			return nil
		}
		if b == nil {
			return nil
		}
		if err := s.send(ctx, *b); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the batch to send now; nil when there is none or no room.
func (s *session) pick() (*outbox.Sealed, error) {
	if !s.room(0) {
		return nil, nil
	}
	for len(s.again) > 0 {
		list, err := s.o.Outbox.Unsent(s.again[0]-1, 1)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && list[0].Number == s.again[0] {
			if !s.room(len(list[0].Bytes)) {
				return nil, nil
			}
			s.again = s.again[1:]
			return &list[0], nil
		}
		s.again = s.again[1:] // its receipt came meanwhile
	}
	if s.ready == nil {
		b, ok, err := s.queue.next()
		if err != nil || !ok {
			return nil, err
		}
		s.ready = &b
	}
	s.mu.Lock()
	open := len(s.waiting) < unconfirmedWindows*s.o.Window
	s.mu.Unlock()
	if !open || !s.room(len(s.ready.Bytes)) {
		return nil, nil
	}
	b := s.ready
	s.ready = nil
	return b, nil
}

// room says whether n more bytes may be under way.
func (s *session) room(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flights < s.o.Window && (s.flights == 0 || s.flightBytes+n <= s.o.Window*flightBytesPerBatch)
}

func (s *session) send(ctx context.Context, b outbox.Sealed) error {
	s.mu.Lock()
	it := s.waiting[b.Number]
	if it == nil {
		it = &item{number: b.Number}
		s.waiting[b.Number] = it
	}
	it.sent = s.o.Now()
	it.tries++
	it.acked = false
	s.flights++
	s.flightBytes += len(b.Bytes)
	s.mu.Unlock()
	sent, err := s.conn.Send(ctx, s.o.topic(batch.TopicBatch), false, b.Bytes)
	if err != nil {
		return err
	}
	s.flying <- flight{sent: sent, bytes: len(b.Bytes), item: it}
	return nil
}

// collect takes the broker's acknowledgements, which come in the order sent.
func (s *session) collect(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-s.flying:
			if err := f.sent.Wait(ctx); err != nil {
				s.fail(err)
				return
			}
			s.landed(f)
		}
	}
}

func (s *session) landed(f flight) {
	s.mu.Lock()
	if f.item != nil {
		f.item.acked = true
		s.flights--
		s.flightBytes -= f.bytes
		s.o.Stats.Published.Add(1)
		if f.item.tries > 1 {
			s.o.Stats.Resent.Add(1)
		}
	} else {
		s.statusFlies = false
	}
	s.mu.Unlock()
	s.nudge()
}

func (s *session) nudge() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// received takes a message by its topic.
func (s *session) received(m mqtt.Message) {
	if m.Topic != s.o.topic(batch.TopicConfig) {
		s.receipts(m)
		return
	}
	defer m.Ack()
	if len(m.Payload) == 0 || s.o.Desired == nil {
		return // taken back
	}
	s.o.Desired(m.Payload)
	s.wantReport.Store(s.o.Report != nil)
	s.nudge()
}

// receipts takes ingest's receipts, one or several under one signature.
func (s *session) receipts(m mqtt.Message) {
	defer m.Ack()
	all, err := batch.OpenReceipts(m.Payload, s.o.IngestKey)
	if err != nil {
		s.notTaken(err)
	}
	for _, r := range all {
		if err := s.o.Outbox.Delivered(r); err != nil {
			s.notTaken(err)
			continue
		}
		s.delivered(r)
	}
	s.nudge()
}

func (s *session) notTaken(err error) {
	if !errors.Is(err, outbox.ErrClosed) {
		s.o.Stats.BadReceipts.Add(1)
		s.o.Log.Error("publish: receipt not taken", "gateway", s.o.Gateway, "error", err)
	}
}

func (s *session) delivered(r batch.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered, s.probes = s.o.Now(), 0
	it := s.waiting[r.Number]
	if it == nil {
		return
	}
	delete(s.waiting, r.Number)
	if it.sent.After(s.latestAnswer) {
		s.latestAnswer = it.sent
	}
	s.o.Stats.Receipts.Add(1)
	if r.Rejected != "" {
		s.o.Stats.Rejected.Add(1)
		s.o.Log.Warn("publish: batch put in quarantine by ingest", "gateway", s.o.Gateway, "number", r.Number, "reason", r.Rejected)
	}
}

// overdue decides what is sent again for want of a receipt. What ingest passed
// over (a later batch has its receipt) comes again after a minute, then two, and
// so on. While nothing is answered at all, ingest is away: only the oldest batch
// is tried again, no flood; when that is answered, the others count as passed
// over.
func (s *session) overdue(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *item
	for _, it := range s.waiting {
		if oldest == nil || it.number < oldest.number {
			oldest = it
		}
		if it.acked && it.sent.Before(s.latestAnswer) && now.Sub(it.sent) >= s.patience(it.tries-1) {
			s.sendAgain(it)
		}
	}
	if oldest == nil || !oldest.acked {
		return
	}
	quiet := oldest.sent
	if s.answered.After(quiet) {
		quiet = s.answered
	}
	if now.Sub(quiet) >= s.patience(s.probes) {
		s.probes++
		s.sendAgain(oldest)
	}
	slices.Sort(s.again)
}

func (s *session) sendAgain(it *item) {
	if !slices.Contains(s.again, it.number) {
		s.again = append(s.again, it.number)
	}
}

// patience is how long a receipt may take after a batch was sent again n times.
func (s *session) patience(n int) time.Duration {
	return s.o.Resend * time.Duration(min(1<<min(n, 8), maxResend))
}
