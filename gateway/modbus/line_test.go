package modbus

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
)

func TestEndpoint(t *testing.T) {
	for _, w := range []struct {
		name string
		e    Endpoint
		err  string
	}{
		{"tcp", Endpoint{Type: TCP, Address: "10.0.0.7:502"}, ""},
		{"no port", Endpoint{Type: TCP, Address: "10.0.0.7"}, `address "10.0.0.7": want host:port`},
		{"tcp with a device", Endpoint{Type: TCP, Address: "a:1", Device: "/dev/ttyUSB0"}, `device "/dev/ttyUSB0": a bus of type tcp has an address`},
		{"rtu", Endpoint{Type: RTU, Device: "/dev/ttyUSB0", Baud: 9600, Parity: "none", StopBits: 2}, ""},
		{"rtu with an address", Endpoint{Type: RTU, Address: "a:1"}, "a bus of type rtu has a device and no address"},
		{"unknown type", Endpoint{Type: "udp", Address: "a:1"}, `type "udp" is none of tcp, rtu, rtu-over-tcp`},
		{"baud", Endpoint{Type: RTU, Device: "x", Baud: 30}, "baud 30 is not between"},
		{"parity", Endpoint{Type: RTU, Device: "x", Parity: "E"}, `parity "E" is none of`},
		{"stop bits", Endpoint{Type: RTU, Device: "x", StopBits: 3}, "3 stop bits"},
		{"seven bits", Endpoint{Type: RTUOverTCP, Address: "a:1", DataBits: 7}, "7 data bits"},
		{"timeout", Endpoint{Type: TCP, Address: "a:1", Timeout: time.Hour}, "timeout 1h0m0s is not between"},
		{"quiet", Endpoint{Type: TCP, Address: "a:1", Quiet: -1}, "quiet time"},
	} {
		l, err := New(w.e)
		if w.err != "" {
			require.ErrorContains(t, err, w.err, w.name)
			continue
		}
		require.NoError(t, err, w.name)
		require.Equal(t, time.Second, l.Endpoint().Timeout)
	}
	e := Endpoint{Type: RTU, Device: "x", Baud: 9600, Parity: "even"}
	require.Equal(t, 11*time.Second/9600, e.Character())
	require.Equal(t, 7*e.Character()/2, e.Gap())
	require.Equal(t, 1750*time.Microsecond, Endpoint{Type: RTU, Baud: 38400}.Gap())
	require.Zero(t, Endpoint{Type: TCP}.Gap())
	require.Zero(t, Endpoint{Type: TCP}.Character())
}

func well(int) string { return "" }

// TestReads takes both tables, several units and the largest request.
func TestReads(t *testing.T) {
	for _, m := range media {
		t.Run(string(m), func(t *testing.T) {
			l := m.line(t, &nasty{fault: well}, 2*time.Second, 0)
			for _, w := range []struct {
				unit    byte
				table   profile.Table
				address uint16
				count   int
			}{{1, profile.Holding, 0, 1}, {247, profile.Input, 1234, 125}, {2, profile.Holding, 40000, 2}} {
				words, err := l.Read(context.Background(), w.unit, w.table, w.address, w.count)
				require.NoError(t, err)
				require.NoError(t, check(words, w.unit, w.table, w.address, w.count))
			}
			for _, count := range []int{0, -1, 126} {
				_, err := l.Read(context.Background(), 1, profile.Holding, 0, count)
				require.ErrorContains(t, err, "cannot be asked for in one request")
			}
			_, err := l.Read(context.Background(), 1, profile.Holding, 65535, 2)
			require.ErrorContains(t, err, "cannot be asked for")
			s := l.Stats()
			require.Equal(t, [3]uint64{3, 3, 1}, [3]uint64{s.Requests, s.Answers, s.Connects})
			require.Positive(t, s.Busy)
		})
	}
}

// TestSwitchedOff: a device that is not there when the line is made, or goes and
// comes back, stops nobody for long.
func TestSwitchedOff(t *testing.T) {
	for _, m := range []medium{TCP, RTUOverTCP} {
		t.Run(string(m), func(t *testing.T) {
			free, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			address := free.Addr().String()
			free.Close()
			l, err := New(Endpoint{Type: string(m), Address: address, Timeout: time.Second})
			require.NoError(t, err)
			defer l.Close()
			read := func() error {
				words, err := l.Read(context.Background(), 1, profile.Holding, 10, 2)
				if err == nil {
					err = check(words, 1, profile.Holding, 10, 2)
				}
				return err
			}
			require.ErrorIs(t, read(), ErrUnreachable)
			require.ErrorContains(t, read(), "tried a moment ago")

			for range 2 { // it comes, and comes again after a restart
				server, err := net.Listen("tcp", address)
				require.NoError(t, err)
				s := &nasty{serial: m != TCP, fault: well}
				var open atomic.Pointer[net.Conn]
				done := make(chan struct{})
				go func() {
					defer close(done)
					for {
						c, err := server.Accept()
						if err != nil {
							return
						}
						open.Store(&c)
						s.serve(c)
						c.Close()
					}
				}()
				require.Eventually(t, func() bool { return read() == nil }, 10*time.Second, 10*time.Millisecond)
				require.NoError(t, read())
				server.Close()
				(*open.Load()).Close()
				<-done
				require.ErrorIs(t, read(), ErrUnreachable)
			}
		})
	}
}

// TestIdleConnectionClosed: a device that closes connections between questions
// costs no reading.
func TestIdleConnectionClosed(t *testing.T) {
	for _, m := range []medium{TCP, RTUOverTCP} {
		t.Run(string(m), func(t *testing.T) {
			server, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			s := &nasty{serial: m != TCP, fault: well}
			done := make(chan struct{})
			size := 12
			if s.serial {
				size = 8
			}
			go func() {
				defer close(done)
				for {
					c, err := server.Accept()
					if err != nil {
						return
					}
					b := make([]byte, size)
					if _, err := c.Read(b); err == nil {
						at, id := 1, uint16(0)
						if !s.serial {
							at, id = 7, uint16(b[0])<<8|uint16(b[1])
						}
						s.answer(c, id, ask(b, at))
					}
					c.Close()
				}
			}()
			l, err := New(Endpoint{Type: string(m), Address: server.Addr().String(), Timeout: time.Second, Quiet: time.Millisecond})
			require.NoError(t, err)
			for i := range 5 {
				words, err := l.Read(context.Background(), 1, profile.Holding, uint16(i), 3)
				require.NoError(t, err)
				require.NoError(t, check(words, 1, profile.Holding, uint16(i), 3))
			}
			require.NoError(t, l.Close())
			server.Close()
			<-done
		})
	}
}

// TestHalfClosed: a device that ends its side of a connection and goes on taking
// questions costs no reading either, whether it is asked at once or later.
func TestHalfClosed(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &nasty{}
	var devices sync.WaitGroup
	devices.Go(func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			devices.Go(func() {
				defer c.Close()
				b := make([]byte, 12)
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				q := ask(b, 7)
				c.Write(s.frame(binary.BigEndian.Uint16(b), q.unit, s.pdu(q)))
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
			})
		}
	})
	l, err := New(Endpoint{Type: TCP, Address: server.Addr().String(), Timeout: 300 * time.Millisecond})
	require.NoError(t, err)
	for i := range 3 {
		begin := time.Now()
		words, err := l.Read(context.Background(), 1, profile.Holding, uint16(i), 3)
		require.NoError(t, err)
		require.NoError(t, check(words, 1, profile.Holding, uint16(i), 3))
		if i == 2 {
			require.Less(t, time.Since(begin), 250*time.Millisecond, "an old connection is looked at first")
		}
		l.transport.(*tcpTransport).spoke = time.Now().Add(-time.Duration(i) * time.Hour)
	}
	require.Equal(t, uint64(3), l.Stats().Connects)
	require.Zero(t, l.Stats().Timeouts)
	require.NoError(t, l.Close())
	server.Close()
	devices.Wait()
}

// TestContext: the end of a context ends a read at once, and the next is right.
func TestContext(t *testing.T) {
	for _, m := range media {
		t.Run(string(m), func(t *testing.T) {
			s := &nasty{fault: func(n int) string {
				if n == 0 {
					return "silent"
				}
				return ""
			}}
			l := m.line(t, s, 30*time.Second, 50*time.Millisecond)
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(30*time.Millisecond, cancel)
			begin := time.Now()
			_, err := l.Read(ctx, 1, profile.Holding, 5, 2)
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, time.Since(begin), 10*time.Second)
			_, err = l.Read(ctx, 1, profile.Holding, 5, 2)
			require.ErrorIs(t, err, context.Canceled)

			words, err := l.Read(context.Background(), 1, profile.Holding, 6, 2)
			require.NoError(t, err)
			require.NoError(t, check(words, 1, profile.Holding, 6, 2))
		})
	}
}

// TestDoubt: after a time-out the unit is left in peace, the others are not.
func TestDoubt(t *testing.T) {
	for _, m := range media {
		t.Run(string(m), func(t *testing.T) {
			s := &nasty{fault: func(n int) string {
				if n == 0 {
					return "silent"
				}
				return ""
			}}
			l := m.line(t, s, 100*time.Millisecond, 20*time.Second)
			_, err := l.Read(context.Background(), 1, profile.Holding, 5, 2)
			require.ErrorIs(t, err, ErrTimeout)
			require.Greater(t, l.Doubt(1), 10*time.Second)
			require.Zero(t, l.Doubt(2))
			require.False(t, l.Listen(context.Background(), 1, 5*time.Millisecond))
			words, err := l.Read(context.Background(), 2, profile.Holding, 6, 2)
			require.NoError(t, err)
			require.NoError(t, check(words, 2, profile.Holding, 6, 2))
		})
	}
}

func TestOnce(t *testing.T) {
	s := &nasty{fault: well}
	e := Endpoint{Type: TCP, Address: s.listen(t)}
	words, err := Once(context.Background(), e, 3, profile.Input, 77, 6)
	require.NoError(t, err)
	require.NoError(t, check(words, 3, profile.Input, 77, 6))
	_, err = Once(context.Background(), Endpoint{}, 3, profile.Input, 77, 6)
	require.Error(t, err)
	_, err = Once(context.Background(), Endpoint{Type: RTU, Device: "/dev/no-such-port"}, 3, profile.Input, 77, 6)
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, "/dev/no-such-port")
}

// BenchmarkTCP asks one device over loopback, question after question.
func BenchmarkTCP(b *testing.B) {
	for _, count := range []int{2, 60, 125} {
		b.Run(map[int]string{2: "2 registers", 60: "60 registers", 125: "125 registers"}[count], func(b *testing.B) {
			pdu := append([]byte{3, byte(2 * count)}, make([]byte, 2*count)...)
			l, stop := quick(b, pdu)
			defer stop()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Read(context.Background(), 1, profile.Holding, 0, count); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// BenchmarkTCPLines asks sixteen devices side by side, as a gateway does.
func BenchmarkTCPLines(b *testing.B) {
	pdu := append([]byte{3, 120}, make([]byte, 120)...)
	lines := make(chan *Line, 16)
	for range cap(lines) {
		l, stop := quick(b, pdu)
		defer stop()
		lines <- l
	}
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		l := <-lines
		defer func() { lines <- l }()
		for pb.Next() {
			if _, err := l.Read(context.Background(), 1, profile.Holding, 0, 60); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// quick serves one fixed answer, as fast as it can.
func quick(b *testing.B, pdu []byte) (*Line, func()) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := server.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in, out := make([]byte, 12), (&nasty{}).frame(0, 1, pdu)
		for {
			if n, err := c.Read(in); err != nil || n != 12 {
				return
			}
			copy(out, in[:2])
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}()
	l, err := New(Endpoint{Type: TCP, Address: server.Addr().String()})
	require.NoError(b, err)
	return l, func() {
		l.Close()
		server.Close()
		<-done
	}
}
