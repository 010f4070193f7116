//go:build integration

package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/gateway/publish"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/pki"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/simulator/slave"
)

// BenchmarkModbusToStore reads meters over Modbus TCP as fast as they answer
// and takes every reading all the way: decoded, sealed on disk, over a real
// Mosquitto with TLS, verified, in the ledger, in the embedded store. Simulated
// meters, gateway, broker, ingest and store share this machine. One iteration
// reads 4 buses of 25 meters once.
func BenchmarkModbusToStore(b *testing.B) {
	const buses, meters = 4, 25
	const gateway = "gw-1"
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	library, err := profile.Builtin()
	require.NoError(b, err)
	prof, err := library.Get("eastron-sdm630")
	require.NoError(b, err)
	var workers []*poll.Worker
	for n := range buses {
		s, err := slave.ListenTCP("127.0.0.1:0", func(r slave.Request) ([]uint16, slave.Exception) {
			words := make([]uint16, r.Count)
			for i := range words {
				words[i] = 0x4248 // 50.07 as float32, whatever is asked
			}
			return words, 0
		})
		require.NoError(b, err)
		b.Cleanup(func() { s.Close() })
		bus := poll.Bus{ID: fmt.Sprintf("tcp-%d", n+1), Endpoint: modbus.Endpoint{Type: "tcp", Address: s.Addr(), Timeout: time.Second}}
		for u := range meters {
			bus.Meters = append(bus.Meters, poll.Meter{ID: fmt.Sprintf("meter-%d-%d", n, u), Unit: byte(u + 1), Profile: prof, Interval: time.Minute})
		}
		w, err := poll.New(bus, poll.Options{Emit: func([]metering.Reading) {}})
		require.NoError(b, err)
		workers = append(workers, w)
	}

	broker := startMosquitto(b, gateway, "ingest")
	options := func(name string) mqtt.Options {
		conf, err := pki.Client(filepath.Join(broker.certs, "ca.crt"), filepath.Join(broker.certs, name+".crt"), filepath.Join(broker.certs, name+".key"))
		require.NoError(b, err)
		return mqtt.Options{Broker: broker.url, TLS: conf}
	}
	dir := b.TempDir()
	l, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{Origin: ledgerOrigin, Signer: keyOf("ledger")})
	require.NoError(b, err)
	defer l.Close()
	store, err := embedded.Open(ctx, filepath.Join(dir, "series"), embedded.Options{})
	require.NoError(b, err)
	defer store.Close()
	box, err := outbox.Open(filepath.Join(dir, "spool"), outbox.Options{Gateway: gateway, Key: keyOf(gateway), Origin: batch.Synthetic})
	require.NoError(b, err)
	defer box.Close()
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return ingest.Run(gctx, ingest.Options{Territory: territory, Ledger: l, Keys: (&ingestRole{Gateways: publicKeys(gateway)}).keys, Key: keyOf("ingest"), Broker: options("ingest"),
			Quarantine: ingest.OpenQuarantine(filepath.Join(dir, "quarantine"))})
	})
	group.Go(func() error { return ingest.Follow(gctx, l, store, ingest.FollowOptions{}) })
	group.Go(func() error {
		return publish.Run(gctx, publish.Options{Territory: territory, Gateway: gateway, Outbox: box, Broker: options(gateway), IngestKey: publicOf("ingest")})
	})
	defer func() { cancel(); require.NoError(b, group.Wait()) }()

	sent := 0
	b.ResetTimer()
	for b.Loop() {
		lists := make([][]metering.Reading, len(workers))
		var polls errgroup.Group
		for i, w := range workers {
			polls.Go(func() error {
				for _, c := range w.ReadOnce(ctx) {
					if c.Err != nil {
						return c.Err
					}
					lists[i] = append(lists[i], c.Readings...)
				}
				return nil
			})
		}
		require.NoError(b, polls.Wait())
		parts := make([]outbox.Part, len(lists))
		for i, readings := range lists {
			parts[i] = outbox.Part{Clock: batch.Clock{Synchronised: true}, ClosedAt: time.Now().UnixMilli(), Readings: readings}
			sent += len(readings)
		}
		require.NoError(b, box.PutMany(parts))
		// No more than a few rounds on their way: what is measured is sustained.
		require.Eventually(b, func() bool { return box.Status().Batches < 40 }, time.Minute, time.Millisecond)
	}
	require.Eventually(b, func() bool {
		at, err := store.Position(ctx)
		return err == nil && box.Status().Batches == 0 && at == l.Size()
	}, time.Minute, time.Millisecond)
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(sent)/float64(b.N), "readings/op")
}
