package scan_test

import (
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/scan"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func library(t testing.TB) *profile.Library {
	l, err := profile.Builtin()
	require.NoError(t, err)
	return l
}

// image holds what a profile's device shows: its first vector, its fingerprint
// and readings as on a site.
func image(t testing.TB, id string, gives map[metering.Quantity]string) profile.Image {
	p, err := library(t).Get(id)
	require.NoError(t, err)
	m := profile.Image{}
	for _, q := range p.Fingerprint {
		require.NoError(t, q.Put(m))
	}
	for _, i := range p.Identity {
		if i.What == "model" {
			require.NoError(t, i.Put("PCD7H104SE", m))
		}
	}
	for q, n := range gives {
		f, ok := p.Field(q, min(p.Channels(), 1))
		require.True(t, ok, q)
		require.NoError(t, f.Encode(metering.MustDecimal(n), m))
	}
	return m
}

// site answers as the devices at unit ids.
type site struct {
	mu      sync.Mutex
	devices map[byte]profile.Image
	slow    map[byte]time.Duration
	asked   int
}

func (s *site) handle(r slave.Request) ([]uint16, slave.Exception) {
	s.mu.Lock()
	m, there := s.devices[r.Unit]
	slow := s.slow[r.Unit]
	s.asked++
	s.mu.Unlock()
	if !there {
		return nil, slave.Silence
	}
	time.Sleep(slow)
	table := profile.Holding
	if r.Function == 4 {
		table = profile.Input
	}
	words := make([]uint16, r.Count)
	for i := range words {
		w, ok := m.Word(table, r.Address+uint16(i))
		if !ok {
			return nil, slave.IllegalAddress
		}
		words[i] = w
	}
	return words, 0
}

var electricity = map[metering.Quantity]string{metering.ActiveEnergyImport: "12345", metering.VoltageL1: "231", metering.VoltageL2: "230",
	metering.VoltageL3: "229", metering.CurrentL1: "4", metering.ActivePower: "2.5", metering.Frequency: "50"}

func testSite(t testing.TB) *site {
	return &site{slow: map[byte]time.Duration{}, devices: map[byte]profile.Image{
		3: image(t, "schneider-iem3000", electricity),
		7: image(t, "saia-pcd7-h104d", map[metering.Quantity]string{metering.PulseCount: "12"}),
	}}
}

func units(from, to int) (list []byte) {
	for u := from; u <= to; u++ {
		list = append(list, byte(u))
	}
	return list
}

func serialLine(t testing.TB, baud int, h slave.Handler) modbus.Endpoint {
	l, err := slave.OpenLine(slave.LineOptions{Baud: baud, Parity: "even", StopBits: 1, Turnaround: 10 * time.Millisecond, Handler: h})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return modbus.Endpoint{Type: modbus.RTU, Device: l.Device, Baud: baud, Parity: "even", StopBits: 1}
}

func TestNamesTheDevicesOfALine(t *testing.T) {
	t.Parallel()
	s := testSite(t)
	done, total := 0, 0
	found, err := scan.Line(context.Background(), scan.Options{Endpoint: serialLine(t, 115200, s.handle), Units: units(1, 10), Wait: 60 * time.Millisecond,
		Patience: 300 * time.Millisecond, Library: library(t), Progress: func(d, n int) { done, total = d, n }})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, byte(3), found[0].Unit)
	require.NotEmpty(t, found[0].Candidates)
	require.Equal(t, "schneider-iem3000", found[0].Candidates[0].Profile.ID)
	require.GreaterOrEqual(t, found[0].Candidates[0].Believed, 7)
	require.Equal(t, byte(7), found[1].Unit)
	require.Equal(t, "saia-pcd7-h104d", found[1].Candidates[0].Profile.ID)
	require.True(t, found[1].Candidates[0].Sure)
	require.Contains(t, found[1].Candidates[0].Identity["model"], "PCD7H104")
	require.Equal(t, total, done)
	require.Less(t, found[0].Latency, 60*time.Millisecond)
}

// A device that answers later than it is waited for shows itself by its frame.
func TestFindsASlowDevice(t *testing.T) {
	t.Parallel()
	s := testSite(t)
	s.slow[3] = 120 * time.Millisecond
	found, err := scan.Line(context.Background(), scan.Options{Endpoint: serialLine(t, 115200, s.handle), Units: units(1, 8), Wait: 60 * time.Millisecond,
		Patience: 300 * time.Millisecond})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, byte(3), found[0].Unit)
	require.Equal(t, byte(7), found[1].Unit)
}

func TestFindsDevicesThatMakeNoExceptions(t *testing.T) {
	t.Parallel()
	s := testSite(t)
	shy := func(r slave.Request) ([]uint16, slave.Exception) {
		words, e := s.handle(r)
		if e != 0 {
			e = slave.Silence
		}
		return words, e
	}
	for _, thorough := range []bool{false, true} {
		own, err := profile.LoadDir(shyFolder(t))
		require.NoError(t, err)
		found, err := scan.Line(context.Background(), scan.Options{Endpoint: serialLine(t, 115200, shy), Units: units(2, 4), Wait: 60 * time.Millisecond,
			Patience: 80 * time.Millisecond, Thorough: thorough, Library: own})
		require.NoError(t, err)
		if !thorough {
			require.Empty(t, found)
			continue
		}
		require.Len(t, found, 1)
		require.Equal(t, "shy", found[0].Candidates[0].Profile.ID)
	}
}

// overTCP serves a line whose answers are made by hand: say is told each request
// and writes what is heard.
func overTCP(t *testing.T, say func(unit byte, write func([]byte))) modbus.Endpoint {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 8)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					break
				}
				unit := b[0]
				wait.Go(func() { say(unit, func(b []byte) { c.Write(b) }) })
			}
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wait.Wait() })
	return modbus.Endpoint{Type: modbus.RTUOverTCP, Address: l.Addr().String()}
}

// An answer that comes while a later id is asked may meet that question on the
// wire: what is left of it says nothing, but that somebody before is slow.
func TestFindsASlowDeviceWhoseAnswerCollides(t *testing.T) {
	for _, c := range []struct {
		name string
		says []byte // of the late answer, the first time
	}{
		{"damaged", []byte{3, 3, 2, 0x13, 0x88, 0xAA, 0xBB}},
		{"cut at its beginning", []byte{0x13, 0x88, 0xAA, 0xBB}},
		{"a few bytes", []byte{0x13}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var first sync.Once
			e := overTCP(t, func(unit byte, write func([]byte)) {
				if unit != 3 {
					return
				}
				time.Sleep(170 * time.Millisecond)
				answer := []byte{3, 3, 2, 0x13, 0x88, 0xCC, 0xD2}
				first.Do(func() { answer = c.says })
				write(answer)
			})
			found, err := scan.Line(context.Background(), scan.Options{Endpoint: e, Units: units(1, 9), Wait: 60 * time.Millisecond, Patience: 300 * time.Millisecond})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, byte(3), found[0].Unit, "and no other id")
			require.False(t, found[0].Duplicate)
		})
	}
}

// Two devices at one id leave damaged frames, or two answers.
func TestSuspectsTwoDevicesAtOneUnit(t *testing.T) {
	for _, later := range []time.Duration{0, 2 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond} {
		t.Run(later.String(), func(t *testing.T) {
			t.Parallel()
			of := func(unit byte, word uint16) slave.Handler {
				return func(r slave.Request) ([]uint16, slave.Exception) {
					if r.Unit != unit {
						return nil, slave.Silence
					}
					return slices.Repeat([]uint16{word}, int(r.Count)), 0
				}
			}
			l, err := slave.OpenLine(slave.LineOptions{Baud: 19200, Parity: "even", StopBits: 1, Turnaround: 10 * time.Millisecond,
				Handler: of(5, 0x1234), Rival: of(5, 0x2341), RivalTurnaround: 10*time.Millisecond + later})
			require.NoError(t, err)
			defer l.Close()
			found, err := scan.Line(context.Background(), scan.Options{Endpoint: modbus.Endpoint{Type: modbus.RTU, Device: l.Device, Baud: 19200, Parity: "even", StopBits: 1},
				Units: units(4, 7), Wait: 60 * time.Millisecond, Patience: 120 * time.Millisecond, Library: library(t)})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, byte(5), found[0].Unit)
			require.True(t, found[0].Duplicate)
		})
	}
}

// One answer that gets lost while a device is named costs no name.
func TestNamesInSpiteOfALostAnswer(t *testing.T) {
	t.Parallel()
	s := testSite(t)
	saia, err := library(t).Get("saia-pcd7-h104d")
	require.NoError(t, err)
	telling := saia.ProbeSpans()[0]
	n := 0
	loses := func(r slave.Request) ([]uint16, slave.Exception) {
		words, e := s.handle(r)
		if r.Address == telling.Address && int(r.Count) == telling.Words {
			if n++; n == 1 {
				return nil, slave.Silence
			}
		}
		return words, e
	}
	found, err := scan.Line(context.Background(), scan.Options{Endpoint: serialLine(t, 115200, loses), Units: []byte{7}, Wait: 60 * time.Millisecond,
		Patience: 300 * time.Millisecond, Library: library(t)})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NotEmpty(t, found[0].Candidates)
	require.Equal(t, "saia-pcd7-h104d", found[0].Candidates[0].Profile.ID)
	require.Positive(t, n)
}

// Two meters of one model with one address say the same of what they are asked
// first; what they count differs.
func TestSuspectsTwoOfOneModel(t *testing.T) {
	t.Parallel()
	first, second := testSite(t), testSite(t)
	other := maps.Clone(electricity)
	other[metering.ActiveEnergyImport], other[metering.ActivePower] = "777", "1.25"
	second.devices = map[byte]profile.Image{3: image(t, "schneider-iem3000", other)}
	l, err := slave.OpenLine(slave.LineOptions{Baud: 38400, Parity: "even", StopBits: 1, Turnaround: 5 * time.Millisecond,
		Handler: first.handle, Rival: second.handle, RivalTurnaround: 25 * time.Millisecond})
	require.NoError(t, err)
	defer l.Close()
	found, err := scan.Line(context.Background(), scan.Options{Endpoint: modbus.Endpoint{Type: modbus.RTU, Device: l.Device, Baud: 38400, Parity: "even", StopBits: 1},
		Units: []byte{3, 7}, Wait: 100 * time.Millisecond, Patience: 200 * time.Millisecond, Library: library(t)})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.True(t, found[0].Duplicate)
	require.False(t, found[1].Duplicate)
}

func TestTCP(t *testing.T) {
	s := testSite(t)
	gateway, err := slave.ListenTCP("127.0.0.1:0", func(r slave.Request) ([]uint16, slave.Exception) {
		words, e := s.handle(r)
		if e == slave.Silence {
			e = slave.TargetSilent
		}
		return words, e
	})
	require.NoError(t, err)
	defer gateway.Close()
	found, err := scan.Line(context.Background(), scan.Options{Endpoint: modbus.Endpoint{Type: modbus.TCP, Address: gateway.Addr()}, Library: library(t)})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, "schneider-iem3000", found[0].Candidates[0].Profile.ID)

	every, err := slave.ListenTCP("127.0.0.1:0", func(r slave.Request) ([]uint16, slave.Exception) {
		r.Unit = 3
		return s.handle(r)
	})
	require.NoError(t, err)
	defer every.Close()
	found, err = scan.Line(context.Background(), scan.Options{Endpoint: modbus.Endpoint{Type: modbus.TCP, Address: every.Addr()}, Library: library(t)})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.True(t, found[0].EveryUnit)

	_, err = scan.Line(context.Background(), scan.Options{Endpoint: modbus.Endpoint{Type: modbus.TCP, Address: "127.0.0.1:1"}})
	require.ErrorIs(t, err, modbus.ErrUnreachable)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = scan.Line(ctx, scan.Options{Endpoint: modbus.Endpoint{Type: modbus.TCP, Address: gateway.Addr()}})
	require.ErrorIs(t, err, context.Canceled)
}

// BenchmarkWholeLine asks all 247 unit ids of a line with two devices.
func BenchmarkWholeLine(b *testing.B) {
	for _, baud := range []int{9600, 19200} {
		b.Run(map[int]string{9600: "9600 baud", 19200: "19200 baud"}[baud], func(b *testing.B) {
			s := testSite(b)
			e := serialLine(b, baud, s.handle)
			for b.Loop() {
				found, err := scan.Line(context.Background(), scan.Options{Endpoint: e, Library: library(b)})
				require.NoError(b, err)
				require.Len(b, found, 2)
			}
		})
	}
}

// BenchmarkSlowDevices finds, among all 247 unit ids, two quick devices and six
// that think 200 to 800 ms.
func BenchmarkSlowDevices(b *testing.B) {
	s := testSite(b)
	for i, u := range []byte{20, 60, 61, 120, 200, 246} {
		s.devices[u], s.slow[u] = s.devices[3], time.Duration(200+120*i)*time.Millisecond
	}
	e := serialLine(b, 9600, s.handle)
	for b.Loop() {
		found, err := scan.Line(context.Background(), scan.Options{Endpoint: e})
		require.NoError(b, err)
		require.Len(b, found, 8)
	}
}
