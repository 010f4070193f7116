package modbus

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/term"

	"github.com/thermie/thermie/firmware-configs/profile"
)

// truth is what register a of a unit holds: it names the register, so that an
// answer to any other question is seen.
func truth(unit byte, t profile.Table, a uint16) uint16 {
	return a*257 + uint16(unit)*31 + uint16(t)*7919
}

// nasty is a device that answers wrongly on purpose. It reads requests in order,
// one at a time, as devices do.
type nasty struct {
	serial bool
	// fault says what is wrong with the nth answer, counted from 0; "" for nothing.
	fault func(n int) string
	// late is how long a late answer takes.
	late func() time.Duration

	mu    sync.Mutex
	asked int
	story []string // what was asked and what was wrong with the answer
	held  []byte   // an answer held back, by the faults held and merged
	prior []byte   // the answer before
}

// last tells the end of the story.
func (s *nasty) last(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.story[max(0, len(s.story)-n):], "; ")
}

// forbidden registers are refused.
const forbidden = 60000

func (s *nasty) pdu(q question) []byte {
	if q.function != 3 && q.function != 4 || q.count < 1 || q.count > 125 {
		return []byte{q.function | 0x80, 1}
	}
	if int(q.address)+q.count > forbidden {
		return []byte{q.function | 0x80, 2}
	}
	b := []byte{q.function, byte(2 * q.count)}
	for i := range q.count {
		b = binary.BigEndian.AppendUint16(b, truth(q.unit, profile.Table(q.function-3), q.address+uint16(i)))
	}
	return b
}

func (s *nasty) frame(id uint16, unit byte, pdu []byte) []byte {
	if s.serial {
		b := append([]byte{unit}, pdu...)
		return binary.LittleEndian.AppendUint16(b, checksum(b))
	}
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 0, 0, 0, byte(1+len(pdu)), unit)
	return append(b, pdu...)
}

// answer writes what the device says to a question.
func (s *nasty) answer(w io.Writer, id uint16, q question) error {
	s.mu.Lock()
	n := s.asked
	s.asked++
	fault := s.fault(n)
	s.story = append(s.story, fmt.Sprintf("%d: unit %d, %d registers from %d: %s", n, q.unit, q.count, q.address, fault))
	s.mu.Unlock()
	right := s.frame(id, q.unit, s.pdu(q))
	shifted := q
	shifted.address += 1000
	send := func(parts ...[]byte) (err error) {
		for i, b := range parts {
			if i > 0 {
				time.Sleep(5 * time.Millisecond)
			}
			if _, failed := w.Write(b); failed != nil {
				err = failed
			}
		}
		return err
	}
	defer func() { s.prior = right }()
	if s.held != nil {
		held := s.held
		s.held = nil
		switch fault {
		case "held": // one answer behind for ever
			s.held = right
			return send(held)
		case "merged":
			return send(append(held, right...))
		}
	}
	switch fault {
	case "":
		return send(right)
	case "silent":
		return nil
	case "late":
		time.Sleep(s.late())
		return send(right)
	case "held", "merged":
		s.held = right
		return nil
	case "prior":
		if s.prior == nil {
			return nil
		}
		return send(s.prior)
	case "truncated":
		return send(right[:len(right)-3])
	case "in pieces":
		return send(right[:4], right[4:7], right[7:])
	case "head only":
		return send(right[:3])
	case "doubled":
		return send(append(right, right...))
	case "other unit":
		other := q
		other.unit++
		return send(s.frame(id, other.unit, s.pdu(other)))
	case "other unit first":
		other := q
		other.unit++
		return send(append(s.frame(id-1, other.unit, s.pdu(other)), right...))
	case "other function":
		other := q
		other.function = 7 - q.function
		return send(s.frame(id, q.unit, s.pdu(other)))
	case "short":
		less := shifted
		less.count--
		return send(s.frame(id, q.unit, s.pdu(less)))
	case "long":
		more := shifted
		more.count++
		return send(s.frame(id, q.unit, s.pdu(more)))
	case "wrong count":
		pdu := s.pdu(shifted)
		pdu[1] -= 2
		return send(s.frame(id, q.unit, pdu))
	case "bad checksum":
		if !s.serial {
			return send(s.frame(id+1, q.unit, s.pdu(shifted))) // TCP has none: a wrong transaction
		}
		b := s.frame(id, q.unit, s.pdu(shifted))
		b[len(b)-1] ^= 1
		return send(b)
	case "noise":
		return send([]byte{0x17, 0x03, 0xFE, 0x55, 0xAA})
	case "noise first":
		return send(append([]byte{0x00, 0xFF}, right...))
	case "exception in two pieces":
		b := s.frame(id, q.unit, []byte{q.function | 0x80, 2})
		right = b
		return send(b[:len(b)-2], b[len(b)-2:])
	case "hang up":
		send(right[:len(right)/2])
		return io.EOF
	case "echo":
		return send(append(q.serial(), right...))
	}
	panic(fault)
}

// serve reads requests until the other side is gone.
func (s *nasty) serve(rw io.ReadWriter) {
	head, body := 6, 6
	if s.serial {
		head, body = 1, 7
	}
	b := make([]byte, head+body)
	for {
		if _, err := io.ReadFull(rw, b); err != nil {
			return
		}
		id, at := uint16(0), 1
		if !s.serial {
			id, at = binary.BigEndian.Uint16(b), 7
		}
		if err := s.answer(rw, id, ask(b, at)); err != nil {
			return
		}
	}
}

// listen serves on a loopback port, connection after connection.
func (s *nasty) listen(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			s.serve(c)
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	return l.Addr().String()
}

// terminal serves on a pseudo-terminal and returns the path of its other side.
func (s *nasty) terminal(t testing.TB) string {
	master, tty, err := pty.Open()
	require.NoError(t, err)
	_, err = term.MakeRaw(int(tty.Fd()))
	require.NoError(t, err)
	var wait sync.WaitGroup
	wait.Go(func() {
		s.serve(struct {
			io.Reader
			io.Writer
		}{master, master})
	})
	t.Cleanup(func() {
		master.Close()
		tty.Close()
		wait.Wait()
	})
	return tty.Name()
}

// medium is a way on which the nasty device is reached.
type medium string

var media = []medium{TCP, RTU, RTUOverTCP}

// line connects a nasty device and a line with short times.
func (m medium) line(t testing.TB, s *nasty, timeout, quiet time.Duration) *Line {
	s.serial = m != TCP
	e := Endpoint{Type: string(m), Timeout: timeout, Quiet: quiet}
	if s.serial {
		e.Baud = 115200
	}
	if m == RTU {
		e.Device = s.terminal(t)
	} else {
		e.Address = s.listen(t)
	}
	l, err := New(e)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// randomQuestion is mostly of one shape, so that one answer could stand for another.
func randomQuestion(r *rand.Rand, units int) (unit byte, table profile.Table, address uint16, count int) {
	count = 4
	if r.IntN(4) == 0 {
		count = 1 + r.IntN(20)
	}
	unit = 1
	if r.IntN(4) == 0 {
		unit += byte(r.IntN(units))
	}
	return unit, profile.Table(r.IntN(8) / 7), uint16(r.IntN(50000)), count
}

// check says whether words are what was asked for.
func check(words []uint16, unit byte, table profile.Table, address uint16, count int) error {
	if len(words) != count {
		return fmt.Errorf("%d words, want %d", len(words), count)
	}
	for i, w := range words {
		if want := truth(unit, table, address+uint16(i)); w != want {
			return fmt.Errorf("unit %d, %s register %d is %#04x, want %#04x", unit, table, int(address)+i, w, want)
		}
	}
	return nil
}
