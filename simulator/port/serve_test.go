package port

import (
	"encoding/binary"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/term"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// master is a Modbus master of a few lines, for TCP and for serial lines.
type master struct {
	t      *testing.T
	rw     io.ReadWriter
	serial bool
	number uint16
}

// read asks for registers and returns them, or the exception.
func (m *master) read(unit byte, table profile.Table, address uint16, count int) ([]uint16, byte) {
	m.t.Helper()
	pdu := []byte{table.Function()}
	pdu = binary.BigEndian.AppendUint16(pdu, address)
	pdu = binary.BigEndian.AppendUint16(pdu, uint16(count))
	var reply []byte
	if m.serial {
		frame := append([]byte{unit}, pdu...)
		_, err := m.rw.Write(binary.LittleEndian.AppendUint16(frame, crc(frame)))
		require.NoError(m.t, err)
		head := m.take(3)
		require.Equal(m.t, unit, head[0])
		rest := int(head[2]) + 2
		if head[1]&0x80 != 0 {
			rest = 2
		}
		reply = append(head[1:], m.take(rest)...)
		whole := append(head[:1:1], reply...)
		require.Equal(m.t, crc(whole[:len(whole)-2]), binary.LittleEndian.Uint16(whole[len(whole)-2:]))
		reply = reply[:len(reply)-2]
	} else {
		m.number++
		frame := binary.BigEndian.AppendUint16(nil, m.number)
		frame = append(frame, 0, 0, 0, byte(1+len(pdu)), unit)
		_, err := m.rw.Write(append(frame, pdu...))
		require.NoError(m.t, err)
		head := m.take(7)
		require.Equal(m.t, m.number, binary.BigEndian.Uint16(head))
		reply = m.take(int(binary.BigEndian.Uint16(head[4:])) - 1)
	}
	if reply[0]&0x80 != 0 {
		return nil, reply[1]
	}
	require.Equal(m.t, 2*count, int(reply[1]))
	words := make([]uint16, count)
	for i := range words {
		words[i] = binary.BigEndian.Uint16(reply[2+2*i:])
	}
	return words, 0
}

func (m *master) take(n int) []byte {
	m.t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(m.rw, b)
	require.NoError(m.t, err)
	return b
}

func crc(b []byte) uint16 {
	c := uint16(0xFFFF)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return c
}

// still is a clock that tests move.
type still struct {
	mu  sync.Mutex
	now time.Time
}

func (s *still) Now() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now }
func (s *still) move(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// TestServers asks every meter of the port over its own wire, by an
// independent master, and compares with what the meter must show.
func TestServers(t *testing.T) {
	p := demo(t)
	clock := &still{now: testEpoch}
	s, err := p.Serve(ServeOptions{Now: clock.Now})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	asked, serial := 0, 0
	for _, b := range s.Buses {
		m := &master{t: t}
		if b.Type == "rtu" {
			tty, err := os.OpenFile(b.Device, os.O_RDWR, 0)
			require.NoError(t, err)
			defer tty.Close()
			_, err = term.MakeRaw(int(tty.Fd()))
			require.NoError(t, err)
			m.rw, m.serial = tty, true
			require.GreaterOrEqual(t, len(b.Meters), 2, "a serial line is shared")
		} else {
			c, err := net.Dial("tcp", b.Address)
			require.NoError(t, err)
			defer c.Close()
			m.rw = c
		}
		for _, meter := range b.Meters {
			in := p.installed[meter.ID]
			if meter.ID == "beton-elec" {
				_, e := m.read(meter.Unit, profile.Holding, 0, 1)
				require.Equal(t, byte(0x0B), e, "a silent meter behind a TCP gateway")
				continue
			}
			for _, g := range in.fields {
				if g.owner != in || g.constant != nil {
					continue
				}
				got := readings{}
				for _, span := range g.field.Spans() {
					words, e := m.read(meter.Unit, span.Table, span.Address, span.Words)
					require.Zero(t, e, "%s %s", meter.ID, g.field.Quantity)
					got.put(span, words)
				}
				n, _, q := g.field.Decode(got)
				want, measured := in.view.number(p.record, g.field.Quantity, g.unit, p.millis(testEpoch))
				if !measured || q.Level != metering.Good {
					continue
				}
				if g.field.Absolute && want.Coef < 0 {
					want.Coef = -want.Coef
				}
				one := g.one.Float64()
				if g.float != 0 || one == 0 {
					one = 1e-6 * (1 + math.Abs(want.Float64()))
				}
				if g.counter && g.modulus > 0 && want.Float64() > float64(g.modulus)*g.one.Float64() && g.float == 0 {
					continue // rolled over
				}
				require.InDelta(t, want.Float64(), n.Float64(), one, "%s %s", meter.ID, g.field.Quantity)
				asked++
				if m.serial {
					serial++
				}
				if m.serial && serial > 25 {
					break // a line at 9600 baud takes its time
				}
			}
		}
	}
	require.Greater(t, asked, 300)
	require.Greater(t, serial, 20)
}

// TestServersRefuse: what a device does not have or does not take is refused as
// the real one would.
func TestServersRefuse(t *testing.T) {
	p := demo(t)
	s, err := p.Serve(ServeOptions{Now: func() time.Time { return testEpoch }, NoPTY: true})
	require.NoError(t, err)
	defer s.Close()
	on := func(company, id string) *master {
		for _, b := range s.Buses {
			if b.Company == company && b.ID == id {
				c, err := net.Dial("tcp", b.Address)
				require.NoError(t, err)
				t.Cleanup(func() { c.Close() })
				require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
				return &master{t: t, rw: c, serial: b.Type == "rtu-over-tcp"}
			}
		}
		t.Fatalf("no bus %s of %s", id, company)
		return nil
	}
	m := on("fonderie", "tcp-1")
	_, e := m.read(3, profile.Holding, 0x4000, 2) // ABB: nothing there
	require.Equal(t, byte(2), e)
	_, e = m.read(99, profile.Holding, 0, 2) // nobody there
	require.Equal(t, byte(0x0B), e)
	_, e = m.read(10, profile.Holding, 6, 21) // pulse module: 20 registers at most
	require.Equal(t, byte(3), e)
	_, e = m.read(3, profile.Holding, 0x5000, 126)
	require.Equal(t, byte(3), e)

	// A meter with an address of its own minds no unit id.
	own := on("fonderie", "tcp-2")
	a, e := own.read(1, profile.Holding, 0xC350, 4)
	require.Zero(t, e)
	require.Equal(t, []uint16{'S', 'O', 'C', 'O'}, a)
	b, e := own.read(255, profile.Holding, 0xC350, 4)
	require.Zero(t, e)
	require.Equal(t, a, b)

	// The serial line without pseudo-terminals: the same devices, serial frames.
	line := on("transports", "rtu-1")
	words, e := line.read(2, profile.Input, 0x0048, 2)
	require.Zero(t, e)
	require.Len(t, words, 2)
}

// TestStaleFirst: a device that reads its meter when asked answers one question late.
func TestStaleFirst(t *testing.T) {
	p := demo(t)
	in := p.installed["reseau-depart"]
	require.True(t, in.device.profile.StaleFirst)
	clock := &still{now: testEpoch}
	s, err := p.Serve(ServeOptions{Now: clock.Now})
	require.NoError(t, err)
	defer s.Close()
	in.device.asked.Store(0)
	for _, b := range s.Buses {
		if b.Company != "reseau" || b.ID != "tcp-1" {
			continue
		}
		c, err := net.Dial("tcp", b.Address)
		require.NoError(t, err)
		defer c.Close()
		m := &master{t: t, rw: c}
		energy := func() uint32 {
			w, e := m.read(in.Unit, profile.Holding, 14, 2)
			require.Zero(t, e)
			return uint32(w[0])<<16 | uint32(w[1])
		}
		first := energy()
		clock.move(time.Hour)
		require.Equal(t, first, energy())
		require.Greater(t, energy(), first)
	}
}

// BenchmarkAnswer is one question to a meter of twenty fields.
func BenchmarkAnswer(b *testing.B) {
	p := demo(b)
	d := p.installed["fonderie-compresseurs"].device
	for b.Loop() {
		if _, e := p.answer(d, slave.Request{Unit: 3, Function: 3, Address: 0x5000, Count: 4}, testEpoch, slave.Silence); e != 0 {
			b.Fatal(e)
		}
	}
}
