package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/goburrow/serial"
)

// A wire carries bytes of serial frames.
type wire interface {
	write(ctx context.Context, b []byte, until time.Time) error
	// read waits for bytes until an instant: none is no error. It looks once even
	// when the instant has passed.
	read(ctx context.Context, b []byte, until time.Time) (int, error)
	close() error
}

// netWire is a converter between TCP and a serial line.
type netWire struct{ conn net.Conn }

func (w netWire) close() error { return w.conn.Close() }

func (w netWire) write(ctx context.Context, b []byte, until time.Time) error {
	if err := w.conn.SetWriteDeadline(until); err != nil {
		return err
	}
	defer interrupt(ctx, w.conn)()
	_, err := w.conn.Write(b)
	return err
}

func (w netWire) read(ctx context.Context, b []byte, until time.Time) (int, error) {
	// A deadline in the past would fail without looking.
	if least := time.Now().Add(200 * time.Microsecond); until.Before(least) {
		until = least
	}
	if err := w.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	defer interrupt(ctx, w.conn)()
	n, err := w.conn.Read(b)
	if n > 0 || err != nil && isTimeout(err) {
		return n, nil
	}
	return 0, err
}

// portWire is a serial port of this machine.
type portWire struct{ port serial.Port }

// slice is how long one look at a serial port lasts: goburrow's ports wait for a
// fixed time. A silence between frames ends up to a slice late.
const slice = time.Millisecond

func openPort(e Endpoint) (wire, error) {
	c := serial.Config{Address: e.Device, BaudRate: e.Baud, DataBits: e.DataBits, StopBits: e.StopBits, Timeout: slice,
		Parity: map[string]string{"none": "N", "even": "E", "odd": "O"}[e.Parity]}
	if r := e.RS485; r != nil {
		c.RS485 = serial.RS485Config{Enabled: true, RtsHighDuringSend: r.RTSHighDuringSend, RtsHighAfterSend: r.RTSHighAfterSend,
			RxDuringTx: r.ReceiveDuringSend, DelayRtsBeforeSend: r.DelayBeforeSend, DelayRtsAfterSend: r.DelayAfterSend}
	}
	p, err := serial.Open(&c)
	if err != nil && e.RS485 != nil && errors.Is(err, syscall.ENOTTY) {
		return nil, fmt.Errorf("open %s: this driver does not steer the line's direction: leave rs485 out, the adapter does it by itself (%w)", e.Device, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", e.Device, err)
	}
	return portWire{p}, nil
}

func (w portWire) close() error { return w.port.Close() }

// write gives a whole frame to the driver, which may take it in parts.
func (w portWire) write(ctx context.Context, b []byte, until time.Time) error {
	for len(b) > 0 {
		n, err := w.port.Write(b)
		b = b[max(n, 0):]
		switch {
		case err == nil && n > 0:
		case err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(until):
			return errors.New("the serial port takes no bytes")
		default:
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

func (w portWire) read(ctx context.Context, b []byte, until time.Time) (int, error) {
	for {
		n, err := w.look(b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF // readable and empty: the adapter was pulled out
		case !errors.Is(err, serial.ErrTimeout) && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR):
			return 0, err
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case !time.Now().Before(until):
			return 0, nil
		}
	}
}

// look waits one slice. goburrow's set of descriptors for select ends at 1024
// and panics beyond.
func (w portWire) look(b []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("serial port: too many open files for select: %v", p)
		}
	}()
	return w.port.Read(b)
}
