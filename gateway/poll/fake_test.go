package poll

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// asked is one question that reached the fake line.
type asked struct {
	at    time.Time
	unit  byte
	table profile.Table
	from  int
	count int
	err   error
}

// fakeLine is a line in the time of a synctest bubble.
type fakeLine struct {
	// say answers a question; it may sleep.
	say   func(a asked) ([]uint16, error)
	quiet time.Duration // how long a unit is in doubt after a time-out
	// group says what several questions at once come to; nil: to their answers.
	group  func(runs []profile.Span) error
	groups int

	mu     sync.Mutex
	doubt  map[byte]time.Time
	log    []asked
	stats  modbus.Stats
	closed int
	tuned  map[byte]time.Duration
}

func (f *fakeLine) SetTimeout(unit byte, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tuned[unit] = d
}

func (f *fakeLine) Timeout(unit byte) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return cmp.Or(f.tuned[unit], time.Second)
}

func (f *fakeLine) Read(ctx context.Context, unit byte, table profile.Table, address uint16, count int) ([]uint16, error) {
	begin := time.Now()
	a := asked{at: begin, unit: unit, table: table, from: int(address), count: count}
	words, err := f.say(a)
	f.mu.Lock()
	defer f.mu.Unlock()
	a.err = err
	f.log = append(f.log, a)
	f.stats.Requests++
	f.stats.Busy += time.Since(begin)
	if err == modbus.ErrTimeout {
		f.doubt[unit] = time.Now().Add(f.quiet)
	}
	return words, err
}

func (f *fakeLine) ReadAll(ctx context.Context, unit byte, runs []profile.Span) (all [][]uint16, err error) {
	f.groups++
	if f.group != nil {
		if err := f.group(runs); err != nil {
			return nil, err
		}
	}
	for _, r := range runs {
		words, err := f.Read(ctx, unit, r.Table, r.Address, r.Words)
		if err != nil {
			return nil, err
		}
		all = append(all, words)
	}
	return all, nil
}

func (f *fakeLine) Doubt(unit byte) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(0, time.Until(f.doubt[unit]))
}

func (f *fakeLine) Listen(ctx context.Context, unit byte, d time.Duration) bool {
	wait := min(d, f.Doubt(unit))
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return f.Doubt(unit) == 0
}

func (f *fakeLine) Rest(time.Duration) {}

func (f *fakeLine) Stats() modbus.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *fakeLine) Close() error { f.closed++; return nil }

// questions are those that a unit was asked.
func (f *fakeLine) questions(unit byte) (out []asked) {
	for _, a := range f.log {
		if a.unit == unit {
			out = append(out, a)
		}
	}
	return out
}

// bench is a worker on a fake line in a bubble, and what it emits.
type bench struct {
	*Worker
	line *fakeLine
	logs *strings.Builder

	mu       sync.Mutex
	readings []metering.Reading
}

func newBench(t testing.TB, e modbus.Endpoint, say func(a asked) ([]uint16, error), meters ...Meter) *bench {
	t.Helper()
	b := &bench{line: &fakeLine{say: say, quiet: time.Second, doubt: map[byte]time.Time{}, tuned: map[byte]time.Duration{}}, logs: &strings.Builder{}}
	w, err := newWorker(Bus{ID: "bus", Endpoint: e, Meters: meters}, e, b.line, Options{
		Emit: func(r []metering.Reading) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.readings = append(b.readings, r...)
		},
		Log: slog.New(slog.NewTextHandler(b.logs, nil)),
	})
	require.NoError(t, err)
	b.Worker = w
	return b
}

// run lets the worker read for some time of the bubble.
func (b *bench) run(t testing.TB, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	require.NoError(t, b.Run(ctx))
}

// of are the readings of one series.
func (b *bench) of(id metering.SeriesID) (out []metering.Reading) {
	for _, r := range b.readings {
		if r.Series == id {
			out = append(out, r)
		}
	}
	return out
}

func (b *bench) status(t testing.TB, meter string) (fault, detail string) {
	_, meters := b.Status()
	for _, m := range meters {
		if m.Meter == meter {
			return m.Fault, m.Detail
		}
	}
	require.Fail(t, "no status", meter)
	return "", ""
}

// simple is a profile with n counters of two registers each, step apart.
func simple(n, step int) *profile.Profile {
	var at []int
	for i := range n {
		at = append(at, 100+i*step)
	}
	return simpleAt(at...)
}

// simpleAt is a profile with counters of two registers each at addresses from 100 on.
func simpleAt(addresses ...int) *profile.Profile {
	var s strings.Builder
	s.WriteString("id: simple\nmaker: Nobody\nmodels: [None]\nkind: electricity\ntrust: repository\n" +
		"sources: [{title: none, kind: repository, version: none, at: none, read: none}]\ndefaults: {table: holding}\nquantities:\n")
	quantities := []metering.Quantity{metering.ActiveEnergyImport, metering.ActiveEnergyExport, metering.ActivePower, metering.VoltageL1,
		metering.VoltageL2, metering.VoltageL3, metering.CurrentL1, metering.CurrentL2}
	units := []string{"kWh", "kWh", "W", "V", "V", "V", "A", "A"}
	for i, at := range addresses {
		fmt.Fprintf(&s, "  - {quantity: %s, register: %d, type: u32, unit: %s}\n", quantities[i], at, units[i])
	}
	s.WriteString("vectors:\n  - {from: computed, registers: [{at: 100, words: [0, 7]}], gives: [{quantity: active_energy_import, number: \"7\", unit: kWh}]}\n")
	p, err := profile.Parse("simple.yaml", []byte(s.String()))
	if err != nil {
		panic(err)
	}
	return p
}

// ramp is what the registers of simple hold: the low word is the address.
func ramp(a asked) ([]uint16, error) {
	words := make([]uint16, a.count)
	for i := range words {
		if (a.from+i)%2 == 1 {
			words[i] = uint16(a.from + i)
		}
	}
	return words, nil
}

// after answers like say once a device has thought for a time.
func after(d time.Duration, say func(a asked) ([]uint16, error)) func(a asked) ([]uint16, error) {
	return func(a asked) ([]uint16, error) {
		time.Sleep(d)
		return say(a)
	}
}

func silence(asked) ([]uint16, error) {
	time.Sleep(time.Second)
	return nil, modbus.ErrTimeout
}

var overTCP = modbus.Endpoint{Type: modbus.TCP, Address: "meter:502", Timeout: time.Second}

func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }
