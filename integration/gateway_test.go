//go:build integration

package integration

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"crypto/ed25519"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

// counters are meters each of whose answers carries a number one higher than
// the answer before.
type counters struct {
	mu     sync.Mutex
	served map[byte][]time.Time // by unit: when number i+1 was read
}

// A register of 64 bits: the ABB meters' imported energy, in hundredths of a kWh.
const runningRegister = 0x5000

func (c *counters) answer(r slave.Request) ([]uint16, slave.Exception) {
	words := make([]uint16, r.Count)
	if r.Function == 3 && r.Address <= runningRegister && int(r.Address)+int(r.Count) >= runningRegister+4 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.served[r.Unit] = append(c.served[r.Unit], time.Now())
		n, at := uint64(len(c.served[r.Unit])), runningRegister-r.Address
		for i := range 4 {
			words[int(at)+i] = uint16(n >> (48 - 16*i))
		}
	}
	return words, 0
}

const runningProfile = `id: running-number
maker: Thermie
models: [test]
kind: electricity
trust: repository
sources:
  - {title: integration test, kind: repository, version: "1", at: integration/gateway_test.go, read: all}
limits: {max_registers: 125}
defaults: {table: holding, order: ABCD}
quantities:
  - {quantity: active_energy_import, register: 0x5000, type: u64, scale: "0.01", unit: kWh}
vectors:
  - from: computed
    registers: [{at: 0x5000, words: [0, 0, 1, 2]}]
    gives: [{quantity: active_energy_import, number: "655.38", unit: kWh}]
`

// TestGatewaySlack: all threads of a gateway with nothing but TCP buses have the
// slack that goes with its polls, under the process id that it was started with.
func TestGatewaySlack(t *testing.T) {
	const name = "gw-1"
	dir := t.TempDir()
	m := &counters{served: map[byte][]time.Time{}}
	bus, err := slave.ListenTCP("127.0.0.1:0", m.answer)
	require.NoError(t, err)
	t.Cleanup(func() { bus.Close() })
	broker := startMosquitto(t, name)
	config := writeGateway(t, dir, name, broker, bus.Addr(), 1, 100*time.Millisecond)
	gw := newProcess(t, "gateway", nil, nil, product(t, "thermie-gateway"), "run", "--config", config)
	gw.launch()
	pid := gw.cmd.Process.Pid
	require.Eventually(t, func() bool { // the key is made by the program that was started anew
		_, err := os.Stat(filepath.Join(dir, "data", "key"))
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	require.NoError(t, err)
	require.NotEmpty(t, threads)
	for _, thread := range threads {
		slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		require.NoError(t, err)
		require.Equal(t, "400000\n", string(slack))
	}
}

// The gateway as it is shipped reads meters whose answers are numbered, while it,
// the broker and ingest are killed. What it had read arrives exactly once; what a
// kill costs is at most the answer that was on its way.
func TestGatewayKilled(t *testing.T) {
	const name, meters, interval = "gw-1", 8, 100 * time.Millisecond
	dir := t.TempDir()
	m := &counters{served: map[byte][]time.Time{}}
	bus, err := slave.ListenTCP("127.0.0.1:0", m.answer)
	require.NoError(t, err)
	t.Cleanup(func() { bus.Close() })
	broker := startMosquitto(t, name, "ingest")

	config := writeGateway(t, dir, name, broker, bus.Addr(), meters, interval)
	data := filepath.Join(dir, "data")
	out, errs, code := runProduct(t, "", "thermie-gateway", "key", "--config", config)
	require.Zero(t, code, errs)
	key, err := base64.StdEncoding.DecodeString(lastField(out))
	require.NoError(t, err)

	in := &ingestRole{Dir: filepath.Join(dir, "ingest"), Gateways: map[string]ed25519.PublicKey{name: key}}
	ingestProcess := newRole(t, role{Broker: broker.url, Certs: broker.certs, Name: "ingest", Ingest: in})
	ingestProcess.launch()
	gw := newProcess(t, "gateway", nil, nil, product(t, "thermie-gateway"), "run", "--config", config)
	gw.launch()

	c := newChaos(t)
	var killed []time.Time
	for range 6 {
		time.Sleep(c.between(3*time.Second, 5*time.Second))
		other := c.next([]*process{broker.process, ingestProcess})
		other.kill()
		c.kills[other.name]++
		time.Sleep(c.between(0, c.maxDown))
		gw.kill()
		killed = append(killed, time.Now())
		c.kills[gw.name]++
		other.launch()
		time.Sleep(c.between(0, c.maxDown))
		gw.launch()
	}
	time.Sleep(3 * time.Second) // some more batches
	// Its last batch is closed when it is asked to end, and delivered then or
	// after the next start.
	last := drained(t, gw, data, name)
	ingestProcess.end(syscall.SIGTERM)
	require.Zerof(t, ingestProcess.exitCode(), "ingest: %s", ingestProcess.said())

	arrived := requireChain(t, in, name, last)
	total, lost := 0, 0
	for unit := byte(1); unit <= meters; unit++ {
		id := metering.Series(fmt.Sprintf("meter-%d", unit), metering.ActiveEnergyImport)
		got := arrived[id]
		require.Truef(t, slices.IsSorted(got), "%s: %v", id, got)
		require.Equalf(t, slices.Compact(slices.Clone(got)), got, "%s: a number twice", id)
		lost += requireOnlyInFlightLost(t, m.served[unit], got, killed)
		total += len(got)
	}
	t.Logf("%d readings in %d batches, each once; %d answers of the meters were on their way when the gateway was killed; killed with SIGKILL: %v",
		total, last, lost, c.kills)
	require.LessOrEqual(t, lost, len(killed), "one bus asks one question at a time")
	requireStoreHas(t, in, arrived, interval)
}

func writeGateway(t *testing.T, dir, name string, broker *mosquitto, address string, meters int, interval time.Duration) (config string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "profiles"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "profiles", "running-number.yaml"), []byte(runningProfile), 0o644))
	var b strings.Builder
	fmt.Fprintf(&b, "gateway: %s\nterritory: %s\norigin: synthetic\ndata: data\nprofiles: profiles\nbatch_interval: 1s\n", name, territory)
	fmt.Fprintf(&b, "broker: {url: %q, ca_file: %q, cert_file: %q, key_file: %q}\n", broker.url,
		filepath.Join(broker.certs, "ca.crt"), filepath.Join(broker.certs, name+".crt"), filepath.Join(broker.certs, name+".key"))
	fmt.Fprintf(&b, "ingest_key: %s\n", base64.StdEncoding.EncodeToString(publicOf("ingest")))
	fmt.Fprintf(&b, "buses:\n  - id: tcp-1\n    type: tcp\n    address: %s\n    timeout: 5s\n    meters:\n", address)
	for unit := 1; unit <= meters; unit++ {
		fmt.Fprintf(&b, "      - {id: meter-%d, unit: %d, profile: running-number, interval: %s}\n", unit, unit, interval)
	}
	config = filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(config, []byte(b.String()), 0o644))
	return config
}

// drained stops a gateway when everything that it sealed has its receipt, and
// returns the number of its last batch.
func drained(t *testing.T, gw *process, data, name string) (last uint64) {
	t.Helper()
	for range 10 {
		gw.end(syscall.SIGTERM)
		require.Zerof(t, gw.exitCode(), "gateway: %s", gw.said())
		key, err := gateway.LoadKey(data)
		require.NoError(t, err)
		box, err := outbox.Open(gateway.SpoolDir(data), outbox.Options{Gateway: name, Key: key})
		require.NoError(t, err)
		waiting := box.Status().Batches
		last = box.LastNumber()
		require.NoError(t, box.Close())
		if waiting == 0 {
			return last
		}
		gw.launch()
		time.Sleep(5 * time.Second) // broker or ingest may just have come back
	}
	require.Failf(t, "not delivered", "gateway: %s", gw.said())
	return 0
}

// requireChain finds batches 1 to last, each once and chained, and returns the
// running numbers in them by series, in the order read.
func requireChain(t *testing.T, in *ingestRole, name string, last uint64) map[metering.SeriesID][]int64 {
	t.Helper()
	l, err := openLedger(in.Dir, nil)
	require.NoError(t, err)
	batches, hashes := map[uint64]*batch.Batch{}, map[uint64]batch.Hash{}
	for e, err := range l.Entries(t.Context(), 0, l.Size()) {
		require.NoError(t, err)
		b, err := batch.Open(e.Data, in.keys)
		require.NoError(t, err)
		require.NotContains(t, batches, b.Number)
		batches[b.Number], hashes[b.Number] = b, batch.HashOf(e.Data)
	}
	require.NoError(t, l.Close())
	require.Len(t, batches, int(last))
	numbers := map[metering.SeriesID][]int64{}
	for n := uint64(1); n <= last; n++ {
		b := batches[n]
		require.NotNilf(t, b, "batch %d", n)
		require.Equal(t, hashes[n-1], b.Previous, "chain at batch %d", n)
		for _, r := range b.Readings {
			require.Equal(t, metering.Good, r.Quality.Level, "%+v", r)
			number, err := r.Number.Rescale(-2)
			require.NoError(t, err)
			numbers[r.Series] = append(numbers[r.Series], number)
		}
	}
	_, err = ledger.Check(t.Context(), filepath.Join(in.Dir, "ledger"), ledgerOrigin, publicOf("ledger"), nil)
	require.NoError(t, err)
	return numbers
}

// requireOnlyInFlightLost allows an answer to be missing only when the gateway
// was killed before it can have read it; it returns how many are.
func requireOnlyInFlightLost(t *testing.T, served []time.Time, got []int64, killed []time.Time) (lost int) {
	t.Helper()
	const reading = time.Second // of a busy machine
	have := map[int64]bool{}
	for _, n := range got {
		have[n] = true
		require.LessOrEqual(t, n, int64(len(served)), "a number that no meter gave")
	}
	for i, at := range served {
		if have[int64(i+1)] {
			continue
		}
		lost++
		require.Truef(t, slices.ContainsFunc(killed, func(k time.Time) bool { return !at.After(k) && k.Sub(at) < reading }),
			"number %d, read at %s, is lost, and no kill explains it: %v", i+1, at, killed)
	}
	return lost
}

// requireStoreHas finds exactly the numbers that arrived in the store, and a
// day that is known to be incomplete.
func requireStoreHas(t *testing.T, in *ingestRole, arrived map[metering.SeriesID][]int64, interval time.Duration) {
	t.Helper()
	store, err := in.store(t.Context(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer store.Close()
	scope := access.System("integration test")
	for id, numbers := range arrived {
		points := store.Points(t.Context(), scope, id, time.UnixMilli(0), time.UnixMilli(1<<42))
		var got []int64
		for p, err := range points {
			require.NoError(t, err)
			n, err := p.Number.Rescale(-2)
			require.NoError(t, err)
			got = append(got, n)
		}
		require.Equal(t, numbers, got, id)
		track, err := align.Read(align.Source{Series: id}, points)
		require.NoError(t, err)
		expected, counted := 0, 0
		for _, d := range track.Days {
			d.From = later(d.From, track.First)
			expected += d.Expected(interval, track.Last)
			counted += d.Good + d.Suspect + d.Missing
		}
		require.Lessf(t, counted, expected, "%s: the time when the gateway was down is missing", id)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
