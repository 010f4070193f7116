package modbus

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// tcpTransport carries questions over Modbus TCP.
//
// After a time-out with nothing received the connection is kept once: the late
// answer is known by its transaction id and dropped. Everything that leaves the
// stream in doubt (half a frame, a foreign frame, a second time-out in a row)
// closes it.
type tcpTransport struct {
	e      Endpoint
	dialer dialer
	count  *counters

	conn   *socket
	asked  uint16 // questions on this connection, at most history
	last   uint16 // transaction id of the last of them, as counted
	missed int    // time-outs in a row
	behind map[byte]overdue
	tuned  patience
	watch  watch
	reads  time.Time // until when a read may take, as last set
	writes time.Time // and a write
	spoke  time.Time // when the device was last heard
	buf    [4 * maxFrame]byte
	have   int // bytes in buf
	frame  [maxFrame]byte
}

// overdue is a question whose answer did not come in time. Until it comes, or for
// the quiet time, its unit is not asked: it is busy, and would be late again.
type overdue struct {
	id    uint16
	until time.Time
}

// history is how many questions back a late answer is still known.
const history = 64

// writeSlack is by how much longer than an answer a question that finds no room
// in the connection may take.
const writeSlack = 5 * time.Second

// readShare of a wait is how much longer than it has to a question may wait, so that
// one limit serves those that follow at once as well.
const readShare = 16

// missedMost is how many time-outs in a row a connection survives, less one.
const missedMost = 2

func newTCP(e Endpoint, c *counters) *tcpTransport {
	t := &tcpTransport{e: e, count: c, behind: map[byte]overdue{}, tuned: patience{}}
	t.dialer = dialer{count: c, open: func(ctx context.Context) (err error) {
		t.conn, err = dialSocket(ctx, e)
		return err
	}}
	return t
}

func (t *tcpTransport) doubt(unit byte) time.Time {
	if len(t.behind) == 0 {
		return time.Time{}
	}
	o, is := t.behind[unit]
	if is && !time.Now().Before(o.until) {
		delete(t.behind, unit)
		return time.Time{}
	}
	return o.until
}

// settle listens until a unit is no more behind.
func (t *tcpTransport) settle(ctx context.Context, unit byte, until time.Time) bool {
	for {
		end := t.doubt(unit)
		if end.IsZero() {
			return true
		}
		if ctx.Err() != nil || !time.Now().Before(until) {
			return false
		}
		if end.After(until) {
			end = until
		}
		if t.conn == nil {
			pause(ctx, time.Until(end))
			continue
		}
		if !t.listen(ctx, end) {
			t.close()
		}
	}
}

// listen takes what comes out of a question, once, until an instant; false when
// the connection is of no more use.
func (t *tcpTransport) listen(ctx context.Context, until time.Time) bool {
	if t.watch.over(ctx, t.conn.Conn) != nil || t.conn.SetReadDeadline(until) != nil {
		return false
	}
	t.reads = until
	n, err := t.conn.Read(t.buf[t.have:])
	t.have += n
	return ctx.Err() == nil && (err == nil || isTimeout(err)) && t.clean()
}

// rest takes the limits back that end before an instant.
func (t *tcpTransport) rest(until time.Time) {
	if t.conn == nil {
		return
	}
	if !t.reads.IsZero() && t.reads.Before(until) {
		t.reads = time.Time{}
		t.conn.SetReadDeadline(t.reads)
	}
	if !t.writes.IsZero() && t.writes.Before(until) {
		t.writes = time.Time{}
		t.conn.SetWriteDeadline(t.writes)
	}
}

func (t *tcpTransport) close() error {
	if t.conn == nil {
		return nil
	}
	t.watch.end()
	err := t.conn.Close()
	t.conn, t.have, t.asked, t.missed, t.reads, t.writes, t.spoke = nil, 0, 0, 0, time.Time{}, time.Time{}, time.Time{}
	clear(t.behind)
	return err
}

// Transaction ids on the wire are goburrow's count times an odd number, which
// leads to every id once and back: a device that counts on by itself does not
// arrive at our next id.
const (
	spread  = 40503
	inverse = 30599 // spread * inverse = 1 modulo 2^16
)

func (t *tcpTransport) exchange(ctx context.Context, adu []byte) ([]byte, error) {
	count := binary.BigEndian.Uint16(adu)
	binary.BigEndian.PutUint16(adu, count*spread)
	for {
		reused, err := t.ready(ctx)
		if err != nil {
			return nil, err
		}
		t.last, t.asked = count, min(t.asked+1, history)
		reply, err := t.ask(ctx, adu)
		if err == nil {
			t.missed = 0
			return reply, nil
		}
		if again, err := t.broke(ctx, err, reused); !again {
			return nil, err
		}
	}
}

// ready sees to it that there is a connection that can be asked; reused says that
// it is not a new one.
func (t *tcpTransport) ready(ctx context.Context) (reused bool, err error) {
	reused = t.conn != nil
	if reused && !t.open() {
		t.close()
		reused = false
	}
	if t.conn == nil {
		return false, t.dialer.dial(ctx)
	}
	return reused, nil
}

// broke closes a connection that failed. again says that its device closed it
// while it was idle: a read may be asked again.
func (t *tcpTransport) broke(ctx context.Context, err error, reused bool) (again bool, _ error) {
	if _, is := err.(broken); !is {
		return false, err
	}
	t.close()
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case reused:
		return true, nil
	}
	return false, fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// open says whether the connection can be asked: the device may have closed it
// meanwhile, or said what nobody asked.
func (t *tcpTransport) open() bool {
	return (time.Since(t.spoke) < fresh || t.peek() == nil) && t.clean()
}

// peek takes what has come.
func (t *tcpTransport) peek() error {
	n, err := t.conn.peek(t.buf[t.have:])
	t.have += n
	return err
}

// broken is the error of a connection that failed.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// known says whether an id is that of an earlier question of this connection.
func (t *tcpTransport) known(id uint16) bool {
	back := t.last - id*inverse
	return back >= 1 && back < t.asked
}

// clean drops what is left in the buffer of answers to earlier questions; false
// when there is something else.
func (t *tcpTransport) clean() bool {
	for t.have > 0 {
		// No question is open: the last one counts as an earlier one.
		v, n := judgeTCP(t.buf[:t.have], t.last*spread, question{}, t.known)
		switch v {
		case unfinished:
			return true // the rest is judged when it comes
		case garbage:
			return false
		}
		t.stale(n)
	}
	return true
}

func (t *tcpTransport) drop(n int) { t.have = copy(t.buf[:], t.buf[n:t.have]) }

// stale drops a frame that answers an earlier question.
func (t *tcpTransport) stale(n int) {
	id := binary.BigEndian.Uint16(t.buf[:])
	for unit, o := range t.behind {
		if o.id == id {
			delete(t.behind, unit)
		}
	}
	t.drop(n)
	t.count.late.Add(1)
}

// prepare sets how long the next wait for a unit may take.
func (t *tcpTransport) prepare(ctx context.Context, unit byte) (now time.Time, err error) {
	now = time.Now()
	deadline := now.Add(t.tuned.of(unit, t.e.Timeout))
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	if err := t.watch.over(ctx, t.conn.Conn); err != nil {
		return now, broken{err}
	}
	if most := deadline.Add(deadline.Sub(now) / readShare); t.reads.Before(deadline) || t.reads.After(most) {
		if err := t.conn.SetReadDeadline(most); err != nil {
			return now, broken{err}
		}
		t.reads = most
	}
	if t.writes.Before(deadline) { // twelve bytes find room: that is looked after now and then
		t.writes = deadline.Add(writeSlack)
		if err := t.conn.SetWriteDeadline(t.writes); err != nil {
			return now, broken{err}
		}
	}
	return now, nil
}

// came takes the end of a read: silent when nothing came in time, an error when
// the connection is broken.
func (t *tcpTransport) came(ctx context.Context, got int, err error) (silent bool, _ error) {
	t.have += got
	if got > 0 || err == nil {
		return false, nil
	}
	if !isTimeout(err) {
		return false, broken{err}
	}
	if ctx.Err() != nil {
		return true, nil
	}
	// What came in the last moment, or before the question, was not read yet.
	had := t.have
	if err := t.peek(); err != nil {
		return false, broken{err}
	}
	return t.have == had, nil
}

// ask sends one question and waits for its answer.
func (t *tcpTransport) ask(ctx context.Context, adu []byte) ([]byte, error) {
	q, id := ask(adu, 7), binary.BigEndian.Uint16(adu)
	now, err := t.prepare(ctx, q.unit)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ctx.Err() != nil {
			t.close()
		}
	}()
	got, err := t.conn.ask(adu, t.buf[t.have:])
	for {
		if silent, err := t.came(ctx, got, err); err != nil {
			return nil, err
		} else if silent {
			return nil, t.late(ctx, q.unit, id)
		}
		for more := true; more; {
			switch v, n := judgeTCP(t.buf[:t.have], id, q, t.known); v {
			case answer:
				t.spoke = now
				reply := t.frame[:copy(t.frame[:], t.buf[:n])]
				t.drop(n)
				return reply, nil
			case unfinished:
				more = false
			case foreign:
				t.stale(n)
			default:
				err := t.explain(v, q)
				t.close()
				return nil, err
			}
		}
		got, err = t.conn.Read(t.buf[t.have:])
	}
}

// late ends a question that was not answered in time.
func (t *tcpTransport) late(ctx context.Context, unit byte, id uint16) error {
	t.missed++
	half := t.have
	waited := t.tuned.of(unit, t.e.Timeout)
	if t.e.Quiet > 0 {
		t.behind[unit] = overdue{id, time.Now().Add(t.e.Timeout - waited + t.e.Quiet)}
	}
	if half > 0 || t.missed >= missedMost {
		t.close()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case half > 0:
		return fmt.Errorf("only %d bytes of an answer within %v: %w", half, waited, ErrBadFrame)
	}
	return fmt.Errorf("%w (%v)", ErrTimeout, waited)
}

func (t *tcpTransport) explain(v verdict, q question) error {
	b := t.buf[:t.have]
	switch {
	case v == garbage:
		return fmt.Errorf("% x is no answer to any question of this connection: %w", b[:min(len(b), 12)], ErrBadFrame)
	case v == wrongSize:
		return fmt.Errorf("an answer of %d bytes to a question for %d registers: %w", int(binary.BigEndian.Uint16(b[4:])), q.count, ErrBadFrame)
	case b[6] != q.unit:
		return fmt.Errorf("an answer of unit %d: %w", b[6], ErrWrongUnit)
	}
	return fmt.Errorf("an answer with function %d to one with function %d: %w", b[7], q.function, ErrBadFrame)
}
