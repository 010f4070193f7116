package poll_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// busOf is a bus of the port as gateway.yaml describes it.
func busOf(t *testing.T, b port.Bus) poll.Bus {
	l, err := profile.Builtin()
	require.NoError(t, err)
	out := poll.Bus{ID: b.ID, Endpoint: modbus.Endpoint{Type: b.Type, Address: b.Address, Device: b.Device, Baud: b.Baud, Parity: b.Parity, StopBits: b.StopBits, Timeout: time.Second}}
	if b.Type == modbus.RTU {
		out.Endpoint.Address = ""
	}
	for _, m := range b.Meters {
		p, err := l.Get(m.Profile)
		require.NoError(t, err)
		x := poll.Meter{ID: m.ID, Unit: m.Unit, Profile: p, Interval: m.Interval(), Channel: m.Channel}
		if m.Pulse != nil {
			x.Pulse = &poll.Pulse{Quantity: m.Pulse.Quantity, Weight: m.Pulse.Weight, Unit: m.Pulse.Unit}
		}
		out.Meters = append(out.Meters, x)
	}
	return out
}

// TestPort reads every meter of the simulated port once, over TCP and over its
// serial lines.
func TestPort(t *testing.T) {
	p, err := port.New(port.Options{Seed: 1, Epoch: time.Now()})
	require.NoError(t, err)
	s, err := p.Serve(port.ServeOptions{})
	require.NoError(t, err)
	defer s.Close()

	var mu sync.Mutex
	meters := 0
	var wait sync.WaitGroup
	for _, b := range s.Buses {
		w, err := poll.New(busOf(t, b), poll.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		require.NoError(t, err)
		wait.Go(func() {
			for _, c := range w.ReadOnce(context.Background()) {
				if c.Meter == "beton-elec" { // its cable is out
					require.Error(t, c.Err)
					require.Equal(t, metering.Missing, c.Readings[0].Quality.Level)
					continue
				}
				require.NoError(t, c.Err, c.Meter)
				require.Positive(t, c.Latency)
				for _, r := range c.Readings {
					require.NoError(t, r.Check())
					if r.Quality.Level == metering.Missing {
						require.Contains(t, []metering.Reason{metering.NotAvailable, metering.SensorBreak}, r.Quality.Reason, "%v", r)
					}
				}
			}
			bus, status := w.Status()
			t.Log(bus, w.Forecast())
			mu.Lock()
			defer mu.Unlock()
			meters += len(status)
		})
	}
	wait.Wait()
	require.Len(t, p.Meters(), meters)
}

// TestPortStatus reads the port's TCP meters for half an hour of its own time:
// the meters with a trouble have a fault, the others have none.
func TestPortStatus(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC) // a Sunday night: little moves
	clock := func() time.Time { return now }
	p, err := port.New(port.Options{Seed: 1, Epoch: now})
	require.NoError(t, err)
	s, err := p.Serve(port.ServeOptions{Now: clock})
	require.NoError(t, err)
	defer s.Close()
	var workers []*poll.Worker
	for _, b := range s.Buses {
		if b.Type == modbus.TCP {
			w, err := poll.New(busOf(t, b), poll.Options{Now: clock})
			require.NoError(t, err)
			workers = append(workers, w)
		}
	}
	for range 31 {
		for _, w := range workers {
			w.ReadOnce(context.Background())
		}
		now = now.Add(time.Minute)
	}
	faults := map[string]string{}
	for _, w := range workers {
		_, meters := w.Status()
		for _, m := range meters {
			if m.Fault != "" {
				faults[m.Meter] = m.Fault
			} else {
				require.WithinDuration(t, now, m.LastSeen, 2*time.Minute)
			}
		}
	}
	require.Equal(t, map[string]string{"beton-elec": "no_answer", "papeterie-effluent-temp": "out_of_bounds"}, faults)
}
