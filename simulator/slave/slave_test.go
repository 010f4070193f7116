package slave

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/term"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a device with unit 1 whose register r holds r+7, up to address 99; at
// most 20 registers at once. Unit 2 is dead behind the gateway, unit 3 is mute.
func toy(r Request) ([]uint16, Exception) {
	switch {
	case r.Unit == 2:
		return nil, TargetSilent
	case r.Unit != 1:
		return nil, Silence
	case r.Count > 20:
		return nil, IllegalValue
	case int(r.Address)+int(r.Count) > 100:
		return nil, IllegalAddress
	}
	words := make([]uint16, r.Count)
	for i := range words {
		words[i] = r.Address + uint16(i) + 7
	}
	return words, 0
}

// ask is an independent master: one request over TCP, written out by hand.
func ask(c net.Conn, transaction uint16, unit byte, pdu ...byte) ([]byte, error) {
	b := binary.BigEndian.AppendUint16(nil, transaction)
	b = append(b, 0, 0, 0, byte(1+len(pdu)), unit)
	if _, err := c.Write(append(b, pdu...)); err != nil {
		return nil, err
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	if got := binary.BigEndian.Uint16(head); got != transaction || head[6] != unit {
		return nil, fmt.Errorf("answer to transaction %d unit %d", got, head[6])
	}
	body := make([]byte, int(binary.BigEndian.Uint16(head[4:]))-1)
	_, err := io.ReadFull(c, body)
	return body, err
}

func dial(t *testing.T, address string) net.Conn {
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return c
}

func TestTCP(t *testing.T) {
	s, err := ListenTCP("127.0.0.1:0", toy)
	require.NoError(t, err)
	defer s.Close()
	c := dial(t, s.Addr())
	for i, w := range []struct {
		name  string
		unit  byte
		pdu   string
		reply string
	}{
		{"two holding registers", 1, "0300100002", "030400170018"},
		{"an input register", 1, "0400000001", "04020007"},
		{"unknown function", 1, "0800000000", "8801"},
		{"no registers", 1, "0300000000", "8303"},
		{"126 registers", 1, "030000007e", "8303"},
		{"more than this device gives", 1, "0300000015", "8303"},
		{"beyond the map", 1, "0300620003", "8302"},
		{"beyond 65535", 1, "03ffff0002", "8302"},
		{"short request", 1, "030000", "8303"},
		{"dead device behind the gateway", 2, "0300000001", "830b"},
	} {
		pdu, _ := hex.DecodeString(w.pdu)
		got, err := ask(c, uint16(i), w.unit, pdu...)
		require.NoError(t, err, w.name)
		require.Equal(t, w.reply, hex.EncodeToString(got), w.name)
	}
	// Silence: the next question is answered, the silent one never.
	b, _ := hex.DecodeString("00420000000603" + "0300000001")
	_, err = c.Write(b)
	require.NoError(t, err)
	got, err := ask(c, 0x43, 1, 3, 0, 0, 0, 1)
	require.NoError(t, err)
	require.Equal(t, "03020007", hex.EncodeToString(got))
}

func TestTCPHangsUpOnGarbage(t *testing.T) {
	s, err := ListenTCP("127.0.0.1:0", toy)
	require.NoError(t, err)
	defer s.Close()
	for _, garbage := range []string{"474554202f20485454502f312e31", "00010000ffff01", "00010000000101"} {
		c := dial(t, s.Addr())
		b, _ := hex.DecodeString(garbage)
		_, err := c.Write(b)
		require.NoError(t, err)
		// Hung up, maybe with a reset, since what it did not read is lost.
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err, garbage)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, garbage)
	}
}

func TestTCPManyMasters(t *testing.T) {
	s, err := ListenTCP("127.0.0.1:0", toy)
	require.NoError(t, err)
	defer s.Close()
	var wait sync.WaitGroup
	for range 8 {
		c := dial(t, s.Addr())
		wait.Go(func() {
			for i := range 200 {
				if got, err := ask(c, uint16(i), 1, 3, 0, byte(i%80), 0, 2); err != nil || len(got) != 6 || got[3] != byte(i%80+7) {
					t.Errorf("answer %d: %x, %v", i, got, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestListenRefuses(t *testing.T) {
	s, err := ListenTCP("127.0.0.1:0", toy)
	require.NoError(t, err)
	defer s.Close()
	_, err = ListenTCP(s.Addr(), toy)
	require.ErrorContains(t, err, s.Addr())
}

// fakeClock is a clock whose sleepers do not sleep.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(0, d))
}

// exchange sends a serial frame and reads an answer of a known length.
func exchange(t *testing.T, rw io.ReadWriter, request []byte, want int) []byte {
	t.Helper()
	_, err := rw.Write(request)
	require.NoError(t, err)
	reply := make([]byte, want)
	_, err = io.ReadFull(rw, reply)
	require.NoError(t, err)
	return reply
}

// TestLine opens the line as a gateway does, by its path, and tries it as a
// device would be tried.
func TestLine(t *testing.T) {
	clock := &fakeClock{now: time.Unix(0, 0)}
	l, err := OpenLine(LineOptions{Baud: 9600, Parity: "even", StopBits: 1, Turnaround: 5 * time.Millisecond, Handler: toy, Clock: clock})
	require.NoError(t, err)
	defer l.Close()
	port, err := os.OpenFile(l.Device, os.O_RDWR, 0)
	require.NoError(t, err)
	defer port.Close()
	_, err = term.MakeRaw(int(port.Fd()))
	require.NoError(t, err)

	// 01 03 00 00 00 02 C4 0B is the standard's own kind of example: its CRC is
	// known from many sources.
	request, _ := hex.DecodeString("010300000002c40b")
	reply := exchange(t, port, request, 9)
	require.Equal(t, "01030400070008", hex.EncodeToString(reply[:7]))
	_, _, ok := unframe(reply)
	require.True(t, ok, "checksum of %x", reply)
	// 8 + 9 characters of 11 bits at 9600 baud, 3.5 characters of silence, 5 ms.
	want := 20*11*time.Second/9600 + 11*time.Second/9600/2 + 5*time.Millisecond
	require.InDelta(t, want.Seconds(), clock.Now().Sub(time.Unix(0, 0)).Seconds(), 1e-6)

	// Garbage before a frame, a frame for nobody, one with a wrong checksum: no
	// answer, and the line goes on.
	for _, noise := range []string{"ff00ff", hex.EncodeToString(frame(9, []byte{3, 0, 0, 0, 1})), "010300000002c40c", hex.EncodeToString(frame(0, []byte{3, 0, 0, 0, 1}))} {
		b, _ := hex.DecodeString(noise)
		_, err := port.Write(b)
		require.NoError(t, err)
		quietly(l)
		require.Equal(t, reply, exchange(t, port, request, 9), noise)
	}
	// An unknown function of another length.
	require.Equal(t, hex.EncodeToString(frame(1, []byte{0x90, 1})), hex.EncodeToString(exchange(t, port, frame(1, []byte{0x10, 0, 0, 0, 1, 2, 0, 0}), 5)))
}

// quietly waits until the line has surely taken a silence as a frame's end; the
// only real time in these tests, since it is the line's own timer that is tried.
func quietly(l *Line) {
	timer := time.NewTimer(4*l.o.character() + 60*time.Millisecond)
	<-timer.C
}

func TestLineOverTCP(t *testing.T) {
	clock := &fakeClock{now: time.Unix(0, 0)}
	l, err := OpenLineTCP("127.0.0.1:0", LineOptions{Baud: 19200, Parity: "none", StopBits: 2, Handler: toy, Clock: clock})
	require.NoError(t, err)
	defer l.Close()
	c := dial(t, l.Address)
	request, _ := hex.DecodeString("010300000002c40b")
	require.Len(t, exchange(t, c, request, 9), 9)
	want := 17*11*time.Second/19200 + 7*11*time.Second/19200/2
	require.InDelta(t, want.Seconds(), clock.Now().Sub(time.Unix(0, 0)).Seconds(), 1e-6)
}

func TestLineRefuses(t *testing.T) {
	good := LineOptions{Baud: 9600, Parity: "none", StopBits: 1, Handler: toy}
	for name, spoil := range map[string]func(*LineOptions){
		"baud": func(o *LineOptions) { o.Baud = 5 }, "parity": func(o *LineOptions) { o.Parity = "mark" },
		"stop bits": func(o *LineOptions) { o.StopBits = 3 }, "handler": func(o *LineOptions) { o.Handler = nil },
	} {
		o := good
		spoil(&o)
		_, err := OpenLine(o)
		require.ErrorContains(t, err, name)
		_, err = OpenLineTCP("127.0.0.1:0", o)
		require.ErrorContains(t, err, name)
	}
}

// TestFrame: framing and its inverse; a flipped bit is always found.
func TestFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.Byte().Draw(t, "unit")
		pdu := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "pdu")
		b := frame(unit, pdu)
		u, p, ok := unframe(b)
		if !ok || u != unit || string(p) != string(pdu) {
			t.Fatalf("%x", b)
		}
		bit := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, ok := unframe(b); ok {
			t.Fatal("a flipped bit was not noticed")
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(byte(1), []byte{3, 0, 0, 0, 2})
	f.Add(byte(1), []byte{0x10})
	f.Add(byte(0), []byte{})
	f.Fuzz(func(t *testing.T, unit byte, pdu []byte) {
		reply, ok := answer(toy, unit, pdu)
		if ok && (len(reply) < 2 || len(reply) > 253 || reply[0]&0x7f != pdu[0]&0x7f) {
			t.Fatalf("%x -> %x", pdu, reply)
		}
	})
}

func FuzzUnframe(f *testing.F) {
	f.Add(frame(1, []byte{3, 0, 0, 0, 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if unit, pdu, ok := unframe(b); ok && string(frame(unit, pdu)) != string(b) {
			t.Fatalf("%x", b)
		}
	})
}
