package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/series/embedded"
)

// sustainedVariable changes how many readings BenchmarkSustained takes.
const sustainedVariable = "THERMIE_SUSTAINED_READINGS"

// BenchmarkSustained takes signed batches (three gateways, 20 meters each, six
// quantities, every ten seconds, a batch a minute: 720 readings) from a file
// through all that ingest does but the broker: verified, placed, in the ledger
// with its fsyncs, receipts signed, followed into the embedded store. It reports
// the rate until the last reading is in the store, the processor time, and the
// most memory that the process had resident meanwhile.
func BenchmarkSustained(b *testing.B) {
	total := 6_000_000
	if s := os.Getenv(sustainedVariable); s != "" {
		var err error
		total, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	dir := b.TempDir()
	file := filepath.Join(dir, "batches")
	readings := writeSustained(b, file, total)
	for b.Loop() {
		run := b.TempDir()
		store, err := embedded.Open(ctx, filepath.Join(run, "series"), embedded.Options{})
		require.NoError(b, err)
		p := newBench(b, run, func(o *Options) { o.Window = 0; o.Alarm = nil })
		p.p.publish = nil
		p.end()
		p.ctx, p.stop = context.WithCancel(ctx)
		p.ended = p.p.start(p.ctx, func(err error) { b.Error(err) }, func(context.Context, string, bool, []byte) error { return nil })
		followed := make(chan error, 1)
		follow, unfollow := context.WithCancel(ctx)
		go func() { followed <- Follow(follow, p.o.Ledger, store, FollowOptions{}) }()
		os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak begins anew
		before, began := processorTime(), time.Now()
		batches := uint64(0)
		eachSealed(b, file, func(gateway string, sealed []byte) {
			batches++
			p.p.receive(p.ctx, mqtt.Message{Topic: batch.Topic(testTerritory, gateway, batch.TopicBatch), Payload: sealed, Ack: func() {}})
		})
		for {
			at, err := store.Position(ctx)
			require.NoError(b, err)
			if at == batches {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		took, cpu := time.Since(began), processorTime()-before
		unfollow()
		require.NoError(b, <-followed)
		require.NoError(b, store.Close())
		b.ReportMetric(float64(readings)/took.Seconds(), "readings/s")
		b.ReportMetric(float64(readings)/cpu.Seconds()/1e6, "M-readings/cpu-s")
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(peakResident(b), "MB-resident")
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakResident is VmHWM, the most memory resident since it was reset.
func peakResident(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "VmHWM:" {
			kB, err := strconv.ParseFloat(f[1], 64)
			require.NoError(b, err)
			return kB / 1000
		}
	}
	return 0
}

// writeSustained seals batches of at least total readings into a file.
func writeSustained(b *testing.B, file string, total int) (readings int) {
	f, err := os.Create(file)
	require.NoError(b, err)
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"gw-a", "gw-b", "gw-c"}
	numbers, last, registers := map[string]uint64{}, map[string]batch.Hash{}, map[metering.SeriesID]int64{}
	quantities := []metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.Volume, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature}
	for minute := int64(0); readings < total; minute++ {
		for _, g := range names {
			numbers[g]++
			x := &batch.Batch{Gateway: g, Number: numbers[g], Previous: last[g], Origin: batch.Synthetic, ClosedAt: epoch.UnixMilli() - 90*24*3600_000 + (minute+1)*60_000}
			for ten := range int64(6) {
				for m := range 20 {
					for k, q := range quantities {
						id := metering.Series(fmt.Sprintf("%s-m%02d", g, m), q)
						info, _ := q.Info()
						n := metering.Decimal{Coef: 250_000 + int64(r.NormFloat64()*2000), Exp: -3}
						if k == 0 || k == 2 {
							registers[id] += 40 + r.Int64N(9)
							n = metering.Decimal{Coef: 1_000_000 + registers[id], Exp: -2}
						}
						x.Readings = append(x.Readings, metering.Reading{Series: id, Unit: info.Units[0], At: x.ClosedAt - 60_000 + ten*10_000 + r.Int64N(40), Number: n})
					}
				}
			}
			sealed, err := batch.Seal(x, keyOf(g))
			require.NoError(b, err)
			last[g] = batch.HashOf(sealed)
			readings += len(x.Readings)
			require.NoError(b, binary.Write(w, binary.BigEndian, uint32(len(sealed))))
			w.WriteString(g)
			w.Write(sealed)
		}
	}
	require.NoError(b, w.Flush())
	return readings
}

func eachSealed(b *testing.B, file string, do func(gateway string, sealed []byte)) {
	f, err := os.Open(file)
	require.NoError(b, err)
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		var n uint32
		if err := binary.Read(r, binary.BigEndian, &n); err == io.EOF {
			return
		}
		name, sealed := make([]byte, 4), make([]byte, n)
		_, err := io.ReadFull(r, name)
		require.NoError(b, err)
		_, err = io.ReadFull(r, sealed)
		require.NoError(b, err)
		do(string(name), sealed)
	}
}
