package slave

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// LineOptions describe a serial line and the devices on it.
type LineOptions struct {
	Baud       int    // 1200 to 115200
	Parity     string // none, even, odd
	StopBits   int    // 1 or 2
	Turnaround time.Duration
	Handler    Handler
	// Rival, when not nil, are other devices on the line: where both answer one
	// request, two devices have the same unit id and talk at once.
	Rival           Handler
	RivalTurnaround time.Duration
	// Clock paces the line; nil: the real one.
	Clock Clock
}

// Clock is time as a line needs it.
type Clock interface {
	Now() time.Time
	Sleep(time.Duration)
}

type realClock struct{}

func (realClock) Now() time.Time        { return time.Now() }
func (realClock) Sleep(d time.Duration) { time.Sleep(d) }

// Line is a serial line with meters on it. The master opens Device like any
// serial port; what goes over it takes as long as it would on copper.
type Line struct {
	// Device is the path of the pseudo-terminal that the master opens; "" where
	// the system has none.
	Device string
	// Address is where the same line is served with serial framing over TCP,
	// when there is no pseudo-terminal.
	Address string

	o      LineOptions
	master io.ReadWriteCloser
	tty    *os.File // our own handle on the far side: the line outlives a master
	server *TCP
	wait   sync.WaitGroup
	stop   chan struct{}
	once   sync.Once
}

// character is the time that one character takes: a start bit, eight data bits,
// the parity bit if any, and the stop bits.
func (o LineOptions) character() time.Duration {
	bits := 9 + o.StopBits
	if o.Parity == "even" || o.Parity == "odd" {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(o.Baud)
}

func (o *LineOptions) check() error {
	switch {
	case o.Baud < 1200 || o.Baud > 115200:
		return fmt.Errorf("serial line: %d baud is not between 1200 and 115200", o.Baud)
	case o.Parity != "none" && o.Parity != "even" && o.Parity != "odd":
		return fmt.Errorf("serial line: parity %q: want none, even or odd", o.Parity)
	case o.StopBits != 1 && o.StopBits != 2:
		return fmt.Errorf("serial line: %d stop bits: want 1 or 2", o.StopBits)
	case o.Handler == nil:
		return errors.New("serial line: no handler")
	}
	if o.Clock == nil {
		o.Clock = realClock{}
	}
	return nil
}

// ErrNoPTY says that the system gives no pseudo-terminals; OpenLineTCP serves
// the line another way.
var ErrNoPTY = errors.New("no pseudo-terminal on this system")

// OpenLine makes a line on a pseudo-terminal. Where there is none the error is
// ErrNoPTY, wrapped.
func OpenLine(o LineOptions) (*Line, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	master, tty, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("serial line: %w: %v", ErrNoPTY, err)
	}
	if _, err := term.MakeRaw(int(tty.Fd())); err != nil {
		master.Close()
		tty.Close()
		return nil, fmt.Errorf("serial line %s: raw mode: %w: %v", tty.Name(), ErrNoPTY, err)
	}
	l := &Line{Device: tty.Name(), o: o, master: master, tty: tty, stop: make(chan struct{})}
	l.wait.Add(1)
	go func() {
		defer l.wait.Done()
		l.serve(master)
	}()
	return l, nil
}

// OpenLineTCP makes the same line with serial framing over TCP, paced alike.
func OpenLineTCP(address string, o LineOptions) (*Line, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serial line on %s: %w", address, err)
	}
	l := &Line{Address: listener.Addr().String(), o: o, stop: make(chan struct{})}
	l.server = &TCP{listener: listener, open: map[net.Conn]bool{}}
	var one sync.Mutex // a line carries one conversation at a time
	l.server.wait.Add(1)
	go l.server.accept(func(c net.Conn) {
		one.Lock()
		defer one.Unlock()
		l.serve(c)
	})
	return l, nil
}

// Close ends the line.
func (l *Line) Close() error {
	var err error
	l.once.Do(func() {
		close(l.stop)
		if l.server != nil {
			err = l.server.Close()
			return
		}
		err = errors.Join(l.master.Close(), l.tty.Close())
		l.wait.Wait()
	})
	return err
}

// serve listens to the line. A request is a frame of eight bytes with a right
// checksum; anything else is dropped when the line has been quiet.
func (l *Line) serve(rw io.ReadWriter) {
	chunks := make(chan []byte)
	done := make(chan struct{})
	defer close(done)
	go listen(rw, chunks, done)

	var buffer []byte
	// A pseudo-terminal has no timing of its own: give a slow sender some room
	// beyond the 3.5 characters of the standard.
	quiet := 4*l.o.character() + 15*time.Millisecond
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			return
		case b, ok := <-chunks:
			if !ok {
				return
			}
			buffer = append(buffer, b...)
			for len(buffer) >= 8 {
				unit, pdu, ok := unframe(buffer[:8])
				if !ok {
					break
				}
				if !l.reply(rw, unit, pdu, 8) {
					return
				}
				buffer = buffer[8:]
			}
			if len(buffer) > 512 {
				buffer = nil
			}
			timer.Reset(quiet)
		case <-timer.C:
			// Silence ends a frame: one of another length may be a function that
			// no meter here knows.
			if unit, pdu, ok := unframe(buffer); ok && !l.reply(rw, unit, pdu, len(buffer)) {
				return
			}
			buffer = nil
		}
	}
}

func listen(r io.Reader, chunks chan<- []byte, done <-chan struct{}) {
	defer close(chunks)
	for {
		b := make([]byte, 256)
		n, err := r.Read(b)
		if err != nil {
			return
		}
		select {
		case chunks <- b[:n]:
		case <-done:
			return
		}
	}
}

// reply answers one frame at the speed of the line; false when it is gone.
func (l *Line) reply(w io.Writer, unit byte, pdu []byte, asked int) bool {
	begin := l.o.Clock.Now()
	char := l.o.character()
	// The pseudo-terminal gave us the request at once: on copper it would only
	// be complete now.
	free := begin.Add(time.Duration(asked)*char + gap(char))
	if unit == 0 {
		return true // broadcast: done, never answered
	}
	for _, s := range l.said(unit, pdu) {
		due := free.Add(s.after)
		for out := s.bytes; len(out) > 0; {
			n := min(8, len(out))
			due = due.Add(time.Duration(n) * char)
			l.o.Clock.Sleep(due.Sub(l.o.Clock.Now()))
			if _, err := w.Write(out[:n]); err != nil {
				return false
			}
			out = out[n:]
		}
	}
	return true
}

// gap is the silence that ends a frame: 3.5 characters, 1.75 ms above 19200 baud.
func gap(char time.Duration) time.Duration {
	return max(7*char/2, 1750*time.Microsecond)
}
