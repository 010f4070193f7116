package modbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	goburrow "github.com/goburrow/modbus"

	"github.com/thermie/thermie/firmware-configs/profile"
)

// Stats count what happened on a line since it was made. Every question ends in
// one of Answers, Refusals, Timeouts and BadFrames; a device that could not be
// reached counts among the Timeouts.
type Stats struct {
	Requests  uint64
	Answers   uint64
	Refusals  uint64
	Timeouts  uint64
	BadFrames uint64
	// Late frames came after their question was given up, and were thrown away.
	Late uint64
	// Connects count connections made and serial ports opened.
	Connects uint64
	// Busy is the time spent on questions, from the first byte to the answer and
	// the silence after it, or to the time-out.
	Busy time.Duration
}

type counters struct {
	requests, answers, refusals, timeouts, badFrames, late, connects atomic.Uint64
	busy                                                             atomic.Int64
}

// A transport carries one question at a time to a device and its answer back.
type transport interface {
	// exchange sends a frame and returns the one frame that answers it, whole and
	// checked. The frame is valid until the next call.
	exchange(ctx context.Context, adu []byte) ([]byte, error)
	// settle waits until a unit may be asked, at most until an instant; it says
	// whether it may.
	settle(ctx context.Context, unit byte, until time.Time) bool
	// doubt is when a unit may be asked again, zero for at once.
	doubt(unit byte) time.Time
	patience() patience
	close() error
}

// Line is a connection to the devices of one bus. It is opened by the first
// read and again after every doubt, so a device that is switched off stops
// nobody. Reads from several goroutines are made one after the other.
type Line struct {
	endpoint Endpoint
	count    counters

	mu        sync.Mutex
	client    goburrow.Client
	packager  goburrow.Packager
	unit      *byte // of goburrow's packager
	transport transport
	ctx       context.Context // of the read under way, for Send
}

// New makes a line; it refuses an endpoint that cannot be, and opens nothing.
func New(e Endpoint) (*Line, error) {
	e, err := e.complete()
	if err != nil {
		return nil, fmt.Errorf("modbus: %w", err)
	}
	l := &Line{endpoint: e}
	switch e.Type {
	case TCP:
		packager := goburrow.NewTCPClientHandler(e.Address)
		l.unit, l.transport = &packager.SlaveId, newTCP(e, &l.count)
		l.client, l.packager = goburrow.NewClient2(packager, l), packager
	default:
		packager := goburrow.NewRTUClientHandler(e.Device)
		l.unit, l.transport = &packager.SlaveId, newSerial(e, &l.count)
		l.client, l.packager = goburrow.NewClient2(packager, l), packager
	}
	return l, nil
}

// Endpoint is the line's, with the defaults filled in.
func (l *Line) Endpoint() Endpoint { return l.endpoint }

// Send is goburrow's Transporter.
func (l *Line) Send(adu []byte) ([]byte, error) { return l.transport.exchange(l.ctx, adu) }

// Read asks a device for registers. It returns exactly count words, or an error
// that is, or wraps, [ErrTimeout], [ErrBadFrame], [ErrUnreachable], an
// [*Exception] or the context's. A unit in doubt is waited for first.
func (l *Line) Read(ctx context.Context, unit byte, table profile.Table, address uint16, count int) ([]uint16, error) {
	if err := oneRequest(address, count); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.await(ctx, unit); err != nil {
		return nil, err
	}
	begin := time.Now()
	l.ctx, *l.unit = ctx, unit
	var b []byte
	var err error
	if table == profile.Input {
		b, err = l.client.ReadInputRegisters(address, uint16(count))
	} else {
		b, err = l.client.ReadHoldingRegisters(address, uint16(count))
	}
	l.ctx = nil
	l.count.busy.Add(int64(time.Since(begin)))
	if err == nil && len(b) != 2*count {
		err = fmt.Errorf("%d bytes in place of %d: %w", len(b), 2*count, ErrBadFrame)
	}
	if err = l.account(err, unit); err != nil {
		if _, refused := errors.AsType[*Exception](err); refused {
			return nil, fmt.Errorf("%s registers %d to %d: %w", table, address, int(address)+count-1, err)
		}
		return nil, fmt.Errorf("unit %d at %s: %w", unit, l.endpoint, err)
	}
	return registers(b), nil
}

// oneRequest says whether registers can be asked for in one request.
func oneRequest(address uint16, count int) error {
	if count < 1 || count > 125 || int(address)+count > 1<<16 {
		return fmt.Errorf("modbus: %d registers from %d on cannot be asked for in one request", count, address)
	}
	return nil
}

// await waits until a unit may be asked.
func (l *Line) await(ctx context.Context, unit byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.transport.doubt(unit).IsZero() {
		return nil
	}
	for !l.transport.settle(ctx, unit, time.Now().Add(l.endpoint.Quiet)) {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// account counts a question by its end, and gives goburrow's errors our names.
func (l *Line) account(err error, unit byte) error {
	l.count.requests.Add(1)
	if refusal, is := errors.AsType[*goburrow.ModbusError](err); is {
		err = &Exception{Unit: unit, Function: refusal.FunctionCode &^ 0x80, Code: refusal.ExceptionCode}
	}
	_, refused := errors.AsType[*Exception](err)
	switch {
	case err == nil:
		l.count.answers.Add(1)
	case refused:
		l.count.refusals.Add(1)
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrUnreachable),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		l.count.timeouts.Add(1)
	case errors.Is(err, ErrBadFrame):
		l.count.badFrames.Add(1)
	default: // goburrow's own checks
		l.count.badFrames.Add(1)
		err = fmt.Errorf("%w: %v", ErrBadFrame, err)
	}
	return err
}

// Doubt is how long a unit must still be left in peace because an answer of it
// may be on its way; 0 when it may be asked.
func (l *Line) Doubt(unit byte) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.transport.doubt(unit)
	if until.IsZero() {
		return 0
	}
	return max(0, time.Until(until))
}

// Rest tells the line that it will not be asked for a time d. What a question over
// TCP had as a limit would end meanwhile, and wake the process for nothing.
func (l *Line) Rest(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, is := l.transport.(*tcpTransport); is {
		t.rest(time.Now().Add(d))
	}
}

// Listen waits until a unit may be asked, but no longer than d, and throws late
// answers away as they come. It says whether the unit may be asked.
func (l *Line) Listen(ctx context.Context, unit byte, d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transport.settle(ctx, unit, time.Now().Add(d))
}

// Stats are the line's counters. It may be called at any time.
func (l *Line) Stats() Stats {
	c := &l.count
	return Stats{Requests: c.requests.Load(), Answers: c.answers.Load(), Refusals: c.refusals.Load(), Timeouts: c.timeouts.Load(),
		BadFrames: c.badFrames.Load(), Late: c.late.Load(), Connects: c.connects.Load(), Busy: time.Duration(c.busy.Load())}
}

// Close gives the connection or the port back. A later read opens it again.
func (l *Line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transport.close()
}

// Once reads registers over a connection of its own, for a tool that asks one
// question.
func Once(ctx context.Context, e Endpoint, unit byte, table profile.Table, address uint16, count int) ([]uint16, error) {
	l, err := New(e)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Read(ctx, unit, table, address, count)
}
