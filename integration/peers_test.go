//go:build integration

package integration

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

// peerValues is the meter of the comparison: 22 values in 58 registers between
// 0x0BB7 and 0x0DC8, 15 of them float32 and 7 int64, as a Schneider iEM3000 has
// them.
var peerValues = []struct {
	quantity metering.Quantity
	register uint16
	kind     string // f32, i64
	unit     string
}{
	{metering.CurrentL1, 0x0BB7, "f32", "A"}, {metering.CurrentL2, 0x0BB9, "f32", "A"}, {metering.CurrentL3, 0x0BBB, "f32", "A"}, {metering.CurrentN, 0x0BC1, "f32", "A"},
	{metering.VoltageL1, 0x0BD3, "f32", "V"}, {metering.VoltageL2, 0x0BD5, "f32", "V"}, {metering.VoltageL3, 0x0BD7, "f32", "V"},
	{metering.ActivePowerL1, 0x0BED, "f32", "kW"}, {metering.ActivePowerL2, 0x0BEF, "f32", "kW"}, {metering.ActivePowerL3, 0x0BF1, "f32", "kW"}, {metering.ActivePower, 0x0BF3, "f32", "kW"},
	{metering.ReactivePower, 0x0BFB, "f32", "kvar"}, {metering.ApparentPower, 0x0C03, "f32", "kVA"}, {metering.PowerFactor, 0x0C0B, "f32", "/"}, {metering.Frequency, 0x0C25, "f32", "Hz"},
	{metering.ActiveEnergyImport, 0x0C83, "i64", "Wh"}, {metering.ActiveEnergyExport, 0x0C87, "i64", "Wh"}, {metering.ReactiveEnergyImport, 0x0C93, "i64", "varh"},
	{metering.ReactiveEnergyExport, 0x0C97, "i64", "varh"}, {metering.ApparentEnergy, 0x0CA3, "i64", "VAh"}, {metering.OperatingTime, 0x0DC1, "i64", "s"}, {metering.Production, 0x0DC5, "i64", "count"},
}

// peerSite serves meters on connections of their own and counts.
type peerSite struct {
	addresses []string
	requests  atomic.Int64
	registers atomic.Int64
}

func newPeerSite(b *testing.B, meters int) *peerSite {
	s := &peerSite{}
	words := make([]uint16, 0x0DD0)
	for _, v := range peerValues {
		if v.kind == "f32" {
			bits := math.Float32bits(49.75)
			words[v.register], words[v.register+1] = uint16(bits>>16), uint16(bits)
		} else {
			words[v.register+2], words[v.register+3] = 1234, 56789
		}
	}
	volts := math.Float32bits(230.5)
	for _, r := range []uint16{0x0BD3, 0x0BD5, 0x0BD7} {
		words[r], words[r+1] = uint16(volts>>16), uint16(volts)
	}
	for range meters {
		l, err := slave.ListenTCP("127.0.0.1:0", func(r slave.Request) ([]uint16, slave.Exception) {
			s.requests.Add(1)
			s.registers.Add(int64(r.Count))
			if int(r.Address)+int(r.Count) > len(words) {
				return nil, slave.IllegalAddress
			}
			return words[r.Address : r.Address+r.Count], 0
		})
		require.NoError(b, err)
		b.Cleanup(func() { l.Close() })
		s.addresses = append(s.addresses, l.Addr())
	}
	return s
}

func peerProfile() string {
	var s strings.Builder
	s.WriteString("id: peer\nmaker: Thermie\nmodels: [test]\nkind: electricity\ntrust: repository\nsources:\n" +
		"  - {title: integration test, kind: repository, version: \"1\", at: integration/peers_test.go, read: all}\n" +
		"limits: {max_registers: 125}\ndefaults: {table: holding}\nquantities:\n")
	for _, v := range peerValues {
		fmt.Fprintf(&s, "  - {quantity: %s, register: %d, type: %s, unit: %q}\n", v.quantity, v.register, v.kind, v.unit)
	}
	s.WriteString("vectors:\n  - {from: computed, registers: [{at: 0x0C83, words: [0, 0, 0, 7]}], gives: [{quantity: active_energy_import, number: \"0.007\", unit: kWh}]}\n")
	return s.String()
}

// thermieConfig is a gateway of ours that signs, keeps and sends each second.
// inFlight questions of a meter go out at once; 1 is the default.
func (s *peerSite) thermieConfig(b *testing.B, dir, name string, broker *mosquitto, interval time.Duration, inFlight int) string {
	require.NoError(b, os.MkdirAll(filepath.Join(dir, "profiles"), 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(dir, "profiles", "peer.yaml"), []byte(peerProfile()), 0o644))
	var t strings.Builder
	fmt.Fprintf(&t, "gateway: %s\nterritory: %s\norigin: synthetic\ndata: data\nprofiles: profiles\nbatch_interval: 1s\nlog: {level: warn}\n", name, territory)
	fmt.Fprintf(&t, "broker: {url: %q, ca_file: %q, cert_file: %q, key_file: %q}\n", broker.url,
		filepath.Join(broker.certs, "ca.crt"), filepath.Join(broker.certs, name+".crt"), filepath.Join(broker.certs, name+".key"))
	fmt.Fprintf(&t, "ingest_key: %s\nbuses:\n", base64.StdEncoding.EncodeToString(publicOf("ingest")))
	for i, a := range s.addresses {
		fmt.Fprintf(&t, "  - {id: tcp-%[1]d, type: tcp, address: %[2]q, in_flight: %[4]d, meters: [{id: m-%[1]d, unit: 1, profile: peer, interval: %[3]v}]}\n", i+1, a, interval, inFlight)
	}
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(b, os.WriteFile(path, []byte(t.String()), 0o644))
	return path
}

// telegrafConfig is Telegraf with its best settings for reading: requests that
// bridge the gaps; QoS 1, flushed each second. Its layout "batch" puts many metrics
// into one message, as we do; "non-batch", its default, makes a message of each.
func (s *peerSite) telegrafConfig(b *testing.B, dir, name, layout string, broker *mosquitto, interval time.Duration) string {
	var t strings.Builder
	fmt.Fprintf(&t, "[agent]\n  interval = %q\n  flush_interval = \"1s\"\n  metric_batch_size = 100\n  metric_buffer_limit = 100000\n  omit_hostname = true\n", interval)
	fmt.Fprintf(&t, "[[outputs.mqtt]]\n  servers = [%q]\n  topic = \"thermie/v1/%s/%s/batch\"\n  qos = 1\n  layout = %q\n  data_format = \"influx\"\n"+
		"  tls_ca = %q\n  tls_cert = %q\n  tls_key = %q\n", strings.Replace(broker.url, "tls://", "ssl://", 1), territory, name, layout,
		filepath.Join(broker.certs, "ca.crt"), filepath.Join(broker.certs, name+".crt"), filepath.Join(broker.certs, name+".key"))
	for i, a := range s.addresses {
		fmt.Fprintf(&t, "[[inputs.modbus]]\n  name = \"m-%d\"\n  controller = \"tcp://%s\"\n  timeout = \"1s\"\n  configuration_type = \"request\"\n"+
			"  [[inputs.modbus.request]]\n    slave_id = 1\n    byte_order = \"ABCD\"\n    register = \"holding\"\n    optimization = \"max_insert\"\n    optimization_max_register_fill = 50\n    fields = [\n", i+1, a)
		for _, v := range peerValues {
			kind := map[string]string{"f32": "FLOAT32", "i64": "INT64"}[v.kind]
			fmt.Fprintf(&t, "      { name = %q, address = %d, type = %q },\n", v.quantity, v.register, kind)
		}
		fmt.Fprintf(&t, "    ]\n    [inputs.modbus.request.tags]\n      meter = \"m-%d\"\n", i+1)
	}
	path := filepath.Join(dir, "telegraf.conf")
	require.NoError(b, os.WriteFile(path, []byte(t.String()), 0o644))
	return path
}

// usage is what a process took so far.
type usage struct {
	cpu    time.Duration
	memory int64 // greatest resident, bytes
}

// ticks of the system's clock in a second, in which Linux counts processor time.
const ticks = 100

func used(b *testing.B, pid int) (u usage) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	for _, i := range []int{11, 12} { // utime, stime
		n, err := strconv.ParseInt(f[i], 10, 64)
		require.NoError(b, err)
		u.cpu += time.Duration(n) * time.Second / ticks
	}
	text, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, after, ok := strings.Cut(string(text), "VmHWM:")
	if !ok {
		_, after, ok = strings.Cut(string(text), "VmRSS:") // some sandboxes have no peak
	}
	require.True(b, ok, "memory of process %d", pid)
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	require.NoError(b, err)
	u.memory = kib << 10
	return u
}

const (
	peerWarm   = 5 * time.Second
	peerWindow = 20 * time.Second
)

// measure lets a gateway run and reports what it took for each reading.
func (s *peerSite) measure(b *testing.B, p *process) {
	p.launch()
	time.Sleep(peerWarm)
	require.False(b, p.ended(), p.said())
	before, requests, registers, begin := used(b, p.cmd.Process.Pid), s.requests.Load(), s.registers.Load(), time.Now()
	time.Sleep(peerWindow)
	after := used(b, p.cmd.Process.Pid)
	seconds := time.Since(begin).Seconds()
	requests, registers = s.requests.Load()-requests, s.registers.Load()-registers
	p.stop()
	cpu := (after.cpu - before.cpu).Seconds()
	polls := float64(requests) / perPoll(requests, registers)
	b.ReportMetric(float64(requests)/seconds, "requests/s")
	b.ReportMetric(perPoll(requests, registers), "requests/poll")
	b.ReportMetric(polls*float64(len(peerValues))/seconds, "readings/s")
	b.ReportMetric(1e6*cpu/(polls*float64(len(peerValues))), "cpu-µs/reading")
	b.ReportMetric(1e6*cpu/float64(requests), "cpu-s/1e6requests")
	b.ReportMetric(100*cpu/seconds, "cpu-%")
	b.ReportMetric(float64(after.memory)/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op")
}

// perPoll is how many requests read a meter once: the plans of both programs ask
// for a known number of registers.
func perPoll(requests, registers int64) float64 {
	mean := float64(registers) / float64(requests)
	best, off := 1.0, math.Inf(1)
	for n, total := range peerPlans {
		if d := math.Abs(float64(total)/float64(n) - mean); d < off {
			best, off = float64(n), d
		}
	}
	return best
}

// peerPlans are the registers that n requests ask for, gaps bridged where that
// takes the fewest.
var peerPlans = func() map[int]int {
	spans := map[int]int{}
	type run struct{ from, to int }
	var runs []run
	for _, v := range peerValues {
		words := map[string]int{"f32": 2, "i64": 4}[v.kind]
		if n := len(runs); n > 0 && runs[n-1].to == int(v.register) {
			runs[n-1].to += words
			continue
		}
		runs = append(runs, run{int(v.register), int(v.register) + words})
	}
	for n := len(runs); n >= 1; n-- {
		total, fits := 0, true
		for _, r := range runs {
			total += r.to - r.from
			fits = fits && r.to-r.from <= 125
		}
		if fits {
			spans[n] = total
		}
		if n == 1 {
			break
		}
		least := 1 // join the two that are nearest and fit in a request
		found := false
		for i := 1; i < len(runs); i++ {
			if runs[i].to-runs[i-1].from > 125 {
				continue
			}
			if !found || runs[i].from-runs[i-1].to < runs[least].from-runs[least-1].to {
				least, found = i, true
			}
		}
		if !found {
			break
		}
		runs[least-1].to = runs[least].to
		runs = append(runs[:least], runs[least+1:]...)
	}
	return spans
}()

// BenchmarkPeers reads the same simulated site with the gateway as it is shipped
// and with Telegraf, each in a process of its own, into the same Mosquitto over
// TLS 1.3, and tells what each takes. Ours decodes exactly, signs, chains and
// fsyncs each second and has receipts from an ingest; Telegraf sends line protocol.
// Simulator, broker and ingest are processes of their own and do not count, but
// share the processors. It takes a while: run it with -benchtime 1x.
func BenchmarkPeers(b *testing.B) {
	for _, c := range []struct {
		name     string
		meters   int
		interval time.Duration
		peer     bool // Telegraf as well
	}{{"50 meters at 1 s", 50, time.Second, true}, {"50 meters at 100 ms", 50, 100 * time.Millisecond, true}, {"150 meters flat out", 150, 10 * time.Millisecond, false}} {
		b.Run("thermie-gateway/"+c.name, func(b *testing.B) {
			for b.Loop() {
				site, p := launchable(b, "gw-1", c.meters, c.interval, 1)
				site.measure(b, p)
			}
		})
		if !c.peer {
			continue
		}
		for _, layout := range []string{"batch", "non-batch"} {
			b.Run("telegraf-"+layout+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					site, p := telegraf(b, layout, c.meters, c.interval)
					site.measure(b, p)
				}
			})
		}
	}
}

// launchable is a gateway of ours with a site, a broker and an ingest of its own.
func launchable(b *testing.B, name string, meters int, interval time.Duration, inFlight int) (*peerSite, *process) {
	dir := b.TempDir()
	site, broker := newPeerSite(b, meters), startMosquitto(b, name, "ingest")
	config := site.thermieConfig(b, dir, name, broker, interval, inFlight)
	out, errs, code := runProduct(b, "", "thermie-gateway", "key", "--config", config)
	require.Zero(b, code, errs)
	key, err := base64.StdEncoding.DecodeString(lastField(out))
	require.NoError(b, err)
	newRole(b, role{Broker: broker.url, Certs: broker.certs, Name: "ingest",
		Ingest: &ingestRole{Dir: filepath.Join(dir, "ingest"), Gateways: map[string]ed25519.PublicKey{name: key}}}).launch()
	return site, newProcess(b, "gateway", nil, nil, product(b, "thermie-gateway"), "run", "--config", config)
}

// telegraf is one with a site and a broker of its own.
func telegraf(b *testing.B, layout string, meters int, interval time.Duration) (*peerSite, *process) {
	const name = "telegraf"
	site, broker := newPeerSite(b, meters), startMosquitto(b, name)
	config := site.telegrafConfig(b, b.TempDir(), name, layout, broker, interval)
	return site, newProcess(b, "telegraf", nil, nil, program(b, "THERMIE_TELEGRAF"), "--quiet", "--config", config)
}

// sideWindow is long, so that what happens once a minute counts.
const sideWindow = time.Minute

// BenchmarkPeersSideBySide has four programs read sites of 50 meters at the same time,
// so that whatever else the machine does costs all alike: our gateway as it is by
// default, with four questions of a meter at once (in_flight: 4), and Telegraf
// with both layouts. Processor time is the scheduler's, exact to the nanosecond.
func BenchmarkPeersSideBySide(b *testing.B) {
	for _, interval := range []time.Duration{100 * time.Millisecond, time.Second} {
		b.Run(interval.String(), func(b *testing.B) {
			for b.Loop() {
				type side struct {
					name     string
					site     *peerSite
					process  *process
					cpu      time.Duration
					requests int64
				}
				add := func(name string) func(*peerSite, *process) *side {
					return func(s *peerSite, p *process) *side { return &side{name: name, site: s, process: p} }
				}
				sides := []*side{
					add("thermie")(launchable(b, "gw-1", 50, interval, 1)), add("thermie-in_flight-4")(launchable(b, "gw-2", 50, interval, 4)),
					add("telegraf-batch")(telegraf(b, "batch", 50, interval)), add("telegraf-non-batch")(telegraf(b, "non-batch", 50, interval)),
				}
				for _, s := range sides {
					s.process.launch()
				}
				time.Sleep(peerWarm)
				for _, s := range sides {
					require.False(b, s.process.ended(), s.process.said())
					s.cpu, s.requests = scheduled(b, s.process.cmd.Process.Pid), s.site.requests.Load()
				}
				time.Sleep(sideWindow)
				for _, s := range sides {
					pid := s.process.cmd.Process.Pid
					cpu, requests, registers := scheduled(b, pid)-s.cpu, s.site.requests.Load()-s.requests, s.site.registers.Load()
					readings := float64(requests) / perPoll(s.site.requests.Load(), registers) * float64(len(peerValues))
					b.ReportMetric(float64(cpu.Nanoseconds())/1e3/readings, s.name+"-µs/reading")
					b.ReportMetric(float64(used(b, pid).memory)/(1<<20), s.name+"-MiB")
				}
				for _, s := range sides {
					s.process.stop()
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// scheduled is the time that the threads of a process have run.
func scheduled(b *testing.B, pid int) (sum time.Duration) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	require.NoError(b, err)
	require.NotEmpty(b, threads)
	for _, f := range threads {
		text, err := os.ReadFile(f)
		require.NoError(b, err)
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		require.NoError(b, err)
		sum += time.Duration(n)
	}
	return sum
}

// The meter of the comparison is the one that is described.
func TestPeerMeter(t *testing.T) {
	registers := map[string]int{"f32": 2, "i64": 4}
	sum := 0
	for _, v := range peerValues {
		sum += registers[v.kind]
	}
	require.Len(t, peerValues, 22)
	require.Equal(t, 58, sum)
	_, err := profile.Parse("peer.yaml", []byte(peerProfile()))
	require.NoError(t, err)
	require.Contains(t, peerPlans, 3)
}
