package modbus

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// socket is a connection that is asked and answers in turn, with as few system
// calls as that takes. A net.Conn reads before it waits: after a question that
// finds nothing yet, each time. Here the question is written when the wait is
// prepared, and the connection is read when there is something.
type socket struct {
	net.Conn
	raw  syscall.RawConn
	turn func(fd uintptr) bool // askTurn
	look func(fd uintptr)      // lookTurn

	out  []byte // what is still to be written in this turn
	in   []byte // where to read
	got  int
	fail error
}

func newSocket(c net.Conn) (*socket, error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: c, raw: raw}
	s.turn, s.look = s.askTurn, s.lookTurn
	return s, nil
}

// ask writes a question and reads what comes after it, once, until the read
// deadline. What came before is not waited for: it is read along with what comes.
func (s *socket) ask(question, in []byte) (n int, err error) {
	s.out, s.in, s.got, s.fail = question, in, 0, nil
	if err := s.raw.Read(s.turn); err != nil {
		return 0, err
	}
	if len(s.out) > 0 && s.fail == nil { // no room to write: that is waited for
		if _, err := s.Write(s.out); err != nil {
			return 0, err
		}
		return s.Read(in)
	}
	return s.got, s.fail
}

// askTurn is called before the wait and after it; it returns whether it is over.
func (s *socket) askTurn(fd uintptr) bool {
	if len(s.out) > 0 {
		n, err := writeNow(int(fd), s.out)
		s.out = s.out[max(n, 0):]
		if err != nil && err != syscall.EAGAIN {
			s.fail = s.named("write", err)
		}
		return s.fail != nil || len(s.out) > 0
	}
	n, err := readNow(int(fd), s.in)
	if err == syscall.EAGAIN {
		return false
	}
	s.take(n, err)
	return true
}

// peek reads what is there without waiting, whatever the deadline: 0 for nothing,
// io.EOF when the other side has closed.
func (s *socket) peek(in []byte) (n int, err error) {
	s.in, s.got, s.fail = in, 0, nil
	if err := s.raw.Control(s.look); err != nil {
		return 0, err
	}
	return s.got, s.fail
}

func (s *socket) lookTurn(fd uintptr) {
	if n, err := readNow(int(fd), s.in); err != syscall.EAGAIN {
		s.take(n, err)
	}
}

func (s *socket) take(n int, err error) {
	switch {
	case err != nil:
		s.fail = s.named("read", err)
	case n == 0:
		s.fail = io.EOF
	}
	s.got = max(n, 0)
}

func (s *socket) named(call string, err error) error {
	return &net.OpError{Op: call, Net: "tcp", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: os.NewSyscallError(call, err)}
}

// dialSocket connects within the endpoint's time-out, at least a quarter second.
func dialSocket(ctx context.Context, e Endpoint) (*socket, error) {
	c, err := dialTCP(ctx, e)
	if err != nil {
		return nil, err
	}
	s, err := newSocket(c)
	if err != nil {
		c.Close()
	}
	return s, err
}

// fresh is for how long after its last answer a connection is taken to be open:
// after it, that is looked at before the next question.
const fresh = 2 * time.Second
