package poll_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

// serves answers for every unit with the registers of a profile's first vector.
func serves(p *profile.Profile) slave.Handler {
	return func(r slave.Request) ([]uint16, slave.Exception) {
		t := profile.Holding
		if r.Function == 4 {
			t = profile.Input
		}
		words := make([]uint16, r.Count)
		for i := range words {
			words[i], _ = p.Vectors[0].Image.Word(t, r.Address+uint16(i))
		}
		return words, 0
	}
}

func meter(b *testing.B, id string) *profile.Profile {
	l, err := profile.Builtin()
	require.NoError(b, err)
	p, err := l.Get(id)
	require.NoError(b, err)
	return p
}

func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSite polls 150 meters on as many connections at 10 ms, which is more than
// two cores can do, as a gateway
// does, and tells what a request costs; client and server share the cores.
func BenchmarkSite(b *testing.B) {
	p := meter(b, "schneider-iem3000")
	s := make([]*slave.TCP, 150)
	workers := make([]*poll.Worker, len(s))
	var readings atomic.Int64
	for i := range s {
		var err error
		s[i], err = slave.ListenTCP("127.0.0.1:0", serves(p))
		require.NoError(b, err)
		defer s[i].Close()
		workers[i], err = poll.New(poll.Bus{ID: "b", Endpoint: modbus.Endpoint{Type: modbus.TCP, Address: s[i].Addr()},
			Meters: []poll.Meter{{ID: fmt.Sprint("m", i), Unit: 1, Profile: p, Interval: 10 * time.Millisecond}}},
			poll.Options{Emit: func(r []metering.Reading) { readings.Add(int64(len(r))) }})
		require.NoError(b, err)
	}
	for b.Loop() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		begin, spent := time.Now(), cpu(b)
		readings.Store(0)
		var before, after uint64
		done := make(chan struct{})
		for _, w := range workers {
			bus, _ := w.Status()
			before += bus.Requests
			go func() {
				w.Run(ctx)
				done <- struct{}{}
			}()
		}
		for range workers {
			<-done
		}
		cancel()
		for _, w := range workers {
			bus, _ := w.Status()
			after += bus.Requests
		}
		seconds := time.Since(begin).Seconds()
		b.ReportMetric(float64(after-before)/seconds, "requests/s")
		b.ReportMetric(float64(readings.Load())/seconds, "readings/s")
		b.ReportMetric((cpu(b)-spent).Seconds()*1e6/float64(after-before), "cpu-s/1e6requests")
	}
}

// BenchmarkSerialLine keeps a paced serial line busy and tells which part of its
// time the plan accounts for: the rest is lost between the requests.
func BenchmarkSerialLine(b *testing.B) {
	for _, baud := range []int{9600, 19200} {
		b.Run(fmt.Sprint(baud, " baud"), func(b *testing.B) {
			p := meter(b, "schneider-iem3000")
			const turnaround = 20 * time.Millisecond
			line, err := slave.OpenLine(slave.LineOptions{Baud: baud, Parity: "even", StopBits: 1, Turnaround: turnaround, Handler: serves(p)})
			require.NoError(b, err)
			defer line.Close()
			e := modbus.Endpoint{Type: modbus.RTU, Device: line.Device, Baud: baud, Parity: "even", StopBits: 1}
			var fields []*profile.Field
			for i := range p.Fields {
				fields = append(fields, &p.Fields[i])
			}
			cost := poll.CostOf(e, turnaround)
			planned := cost.Of(poll.Plan(p, fields, cost, poll.Learned{}))
			cycles := 0
			var first, last time.Time
			w, err := poll.New(poll.Bus{ID: "b", Endpoint: e, Meters: []poll.Meter{{ID: "m", Unit: 1, Profile: p, Interval: 10 * time.Millisecond}}},
				poll.Options{Emit: func([]metering.Reading) {
					if last = time.Now(); cycles == 0 {
						first = last
					}
					cycles++
				}})
			require.NoError(b, err)
			for b.Loop() {
				cycles = 0
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				require.NoError(b, w.Run(ctx))
				cancel()
				b.ReportMetric(100*float64(cycles-1)*planned.Seconds()/last.Sub(first).Seconds(), "%-of-plan")
			}
		})
	}
}
