package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// A dialer opens a connection or a port, and after a failure not again at once:
// while it holds back, questions fail with the failure it had.
type dialer struct {
	count *counters
	open  func(ctx context.Context) error

	failed error
	wait   time.Duration
	next   time.Time
}

const (
	firstHold = 250 * time.Millisecond
	lastHold  = 5 * time.Second
)

func (d *dialer) dial(ctx context.Context) error {
	if d.failed != nil && time.Now().Before(d.next) {
		return fmt.Errorf("%w: %w (tried a moment ago)", ErrUnreachable, d.failed)
	}
	err := d.open(ctx)
	if err == nil {
		d.count.connects.Add(1)
		d.failed, d.wait = nil, 0
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.failed = err
	d.wait = min(max(firstHold, 2*d.wait), lastHold)
	d.next = time.Now().Add(d.wait)
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// dialTCP connects within the endpoint's time-out, at least a quarter second.
func dialTCP(ctx context.Context, e Endpoint) (net.Conn, error) {
	d := net.Dialer{Timeout: max(e.Timeout, 250*time.Millisecond)}
	return d.DialContext(ctx, "tcp", e.Address)
}

// interrupt makes ctx's end break the reads and writes of a connection. The
// function it returns ends that; it says whether the connection is untouched.
func interrupt(ctx context.Context, c net.Conn) func() bool {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
}

// watch makes the end of a context break the reads and writes of a connection, as
// interrupt does, for many questions in a row under the same context.
type watch struct {
	ctx  context.Context
	conn net.Conn
	stop func() bool
}

// errTouched says that the context before has ended, and with it the connection.
var errTouched = errors.New("the connection was interrupted")

func (w *watch) over(ctx context.Context, c net.Conn) error {
	if w.ctx == ctx && w.conn == c {
		return nil
	}
	if !w.end() {
		return errTouched
	}
	if ctx.Done() == nil {
		return nil
	}
	w.ctx, w.conn = ctx, c
	w.stop = context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	return nil
}

// end ends it; false when the connection may be touched already.
func (w *watch) end() bool {
	untouched := w.stop == nil || w.stop()
	*w = watch{}
	return untouched
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
