package modbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/firmware-configs/profile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faults that a device may have, and on which media.
var faults = []struct {
	name string
	only medium
	free bool // costs no reading
}{
	{name: "silent"}, {name: "late"}, {name: "held"}, {name: "merged"}, {name: "prior"}, {name: "truncated"}, {name: "in pieces", free: true},
	{name: "head only"}, {name: "doubled"}, {name: "other unit"}, {name: "other unit first"}, {name: "other function"},
	{name: "short"}, {name: "long"}, {name: "wrong count"}, {name: "bad checksum"}, {name: "noise"}, {name: "exception in two pieces"},
	{name: "noise first", only: RTU, free: true}, {name: "echo", only: RTU, free: true}, {name: "hang up", only: TCP},
}

// A trial reads from a nasty device and counts.
type trial struct {
	name          string
	line          *Line
	device        *nasty
	reads, units  int
	seed          uint64
	right, failed int
	wrong         error // an answer that is not true
}

func (x *trial) run() {
	r := rand.New(rand.NewPCG(x.seed, 11))
	for range x.reads {
		unit, table, address, count := randomQuestion(r, x.units)
		words, err := x.line.Read(context.Background(), unit, table, address, count)
		if err != nil {
			x.failed++
			continue
		}
		x.right++
		if err := check(words, unit, table, address, count); err != nil && x.wrong == nil {
			x.wrong = fmt.Errorf("%w, after %s", err, x.device.last(8))
		}
	}
}

// runAll runs trials side by side: they wait most of the time.
func runAll(trials []*trial) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 64)
	for _, x := range trials {
		slots <- struct{}{}
		wait.Go(func() {
			x.run()
			<-slots
		})
	}
	wait.Wait()
}

func (x *trial) requireTrue(t *testing.T) {
	require.NoError(t, x.wrong)
	require.Equal(t, x.reads, x.right+x.failed)
	s := x.line.Stats()
	require.Equal(t, uint64(x.reads), s.Requests)
	require.Equal(t, s.Requests, s.Answers+s.Refusals+s.Timeouts+s.BadFrames)
	require.Equal(t, uint64(x.right), s.Answers)
	t.Logf("%d right, %d errors, %d late frames thrown away", x.right, x.failed, s.Late)
}

// between is a random time.
func between(r *rand.Rand, least, most time.Duration) func() time.Duration {
	return func() time.Duration { return least + time.Duration(r.Int64N(int64(most-least))) }
}

// TestNoWrongValue has devices go wrong in every way, always and one time in
// five. What is read is right or an error.
func TestNoWrongValue(t *testing.T) {
	const timeout, quiet = 30 * time.Millisecond, 70 * time.Millisecond
	var trials []*trial
	for _, m := range media {
		for _, f := range faults {
			if f.only != "" && f.only != m {
				continue
			}
			for _, every := range []int{1, 5} {
				s := &nasty{late: between(rand.New(rand.NewPCG(1, 2)), timeout+time.Millisecond, timeout+quiet-20*time.Millisecond),
					fault: func(n int) string {
						if n%every == every-1 {
							return f.name
						}
						return ""
					}}
				trials = append(trials, &trial{name: fmt.Sprintf("%s/%s/one in %d", m, f.name, every), device: s, line: m.line(t, s, timeout, quiet),
					reads: 10 * every, units: 2, seed: 7})
			}
		}
	}
	runAll(trials)
	for _, x := range trials {
		t.Run(x.name, x.requireTrue)
	}
}

// TestOneFaultOneReading has one answer of many go wrong: it costs one reading,
// and what comes after it is read rightly.
func TestOneFaultOneReading(t *testing.T) {
	const timeout, quiet = 400 * time.Millisecond, 700 * time.Millisecond
	var trials []*trial
	costs := map[*trial]int{}
	again := map[*trial]func() *trial{}
	for _, m := range media {
		for _, f := range faults {
			if f.only != "" && f.only != m {
				continue
			}
			begin := func() *trial {
				s := &nasty{late: between(rand.New(rand.NewPCG(3, 4)), timeout+10*time.Millisecond, timeout+200*time.Millisecond)}
				s.fault = func(n int) string {
					if n == 10 || f.name == "merged" && n == 11 {
						return f.name
					}
					return ""
				}
				return &trial{name: string(m) + "/" + f.name, device: s, line: m.line(t, s, timeout, quiet), reads: 30, units: 1, seed: 5}
			}
			x := begin()
			trials, again[x] = append(trials, x), begin
			switch {
			case f.name == "merged":
				costs[x] = 2 // it spoils two answers
			case !f.free:
				costs[x] = 1
			}
		}
	}
	runAll(trials)
	for _, x := range trials {
		t.Run(x.name, func(t *testing.T) {
			x.requireTrue(t)
			failed := x.failed
			// A machine that stands still for the time-out makes a healthy answer late,
			// too: what cost more is tried again, alone.
			for attempt := 0; failed > costs[x] && attempt < 3; attempt++ {
				y := again[x]()
				y.run()
				y.requireTrue(t)
				failed = y.failed
			}
			require.LessOrEqual(t, failed, costs[x])
		})
	}
}

// TestMixed has devices go wrong one time in three, each time in another way.
func TestMixed(t *testing.T) {
	const timeout, quiet = 20 * time.Millisecond, 60 * time.Millisecond
	var trials []*trial
	for _, m := range media {
		for i := range 20 {
			r := rand.New(rand.NewPCG(uint64(i), 13))
			s := &nasty{late: between(r, timeout, 2*timeout+quiet), fault: anyFault(r, m, 3)}
			trials = append(trials, &trial{name: fmt.Sprint(m, " ", i), device: s, line: m.line(t, s, timeout, quiet), reads: 60, units: 2, seed: uint64(i)})
		}
	}
	runAll(trials)
	for _, x := range trials {
		t.Run(x.name, x.requireTrue)
	}
}

// anyFault draws a fault one time in so many.
func anyFault(r *rand.Rand, m medium, every int) func(int) string {
	return func(int) string {
		for r.IntN(every) == 0 {
			if f := faults[r.IntN(len(faults))]; f.only == "" || f.only == m {
				return f.name
			}
		}
		return ""
	}
}

// TestLaterThanQuiet has answers that come long after the quiet time: nothing
// wrong is taken then either, because the unit must first show that it is in step.
func TestLaterThanQuiet(t *testing.T) {
	const timeout = 25 * time.Millisecond
	var trials []*trial
	for _, m := range media {
		for _, times := range []int{2, 3, 5, 8} {
			r := rand.New(rand.NewPCG(5, uint64(times)))
			s := &nasty{late: func() time.Duration { return time.Duration(times) * timeout }, fault: func(int) string {
				if r.IntN(3) == 0 {
					return "late"
				}
				return ""
			}}
			trials = append(trials, &trial{name: fmt.Sprint(m, " ", times, " time-outs"), device: s, line: m.line(t, s, timeout, timeout/5), reads: 60, units: 2, seed: 9})
		}
	}
	runAll(trials)
	for _, x := range trials {
		t.Run(x.name, x.requireTrue)
	}
}

// TestErrors names what a caller tells apart.
func TestErrors(t *testing.T) {
	const timeout = 150 * time.Millisecond
	for _, w := range []struct {
		fault string
		want  error
	}{
		{"silent", ErrTimeout}, {"truncated", ErrBadFrame}, {"other unit", ErrBadFrame}, {"other function", ErrBadFrame},
		{"short", ErrBadFrame}, {"bad checksum", ErrBadFrame}, {"noise", ErrBadFrame},
		{"doubled", ErrBadFrame},
	} {
		for _, m := range media {
			if m == TCP && w.fault == "doubled" {
				continue // the copy is known by its transaction id
			}
			t.Run(string(m)+"/"+w.fault, func(t *testing.T) {
				t.Parallel()
				l := m.line(t, &nasty{fault: func(int) string { return w.fault }}, timeout, 0)
				_, err := l.Read(context.Background(), 1, profile.Holding, 100, 4)
				require.ErrorIs(t, err, w.want)
				require.ErrorContains(t, err, "unit 1 at ")
			})
		}
	}
	for _, m := range media {
		t.Run(string(m)+"/refusal", func(t *testing.T) {
			t.Parallel()
			l := m.line(t, &nasty{fault: func(int) string { return "exception in two pieces" }}, 2*time.Second, 0)
			_, err := l.Read(context.Background(), 1, profile.Input, 100, 4)
			refusal, is := errors.AsType[*Exception](err)
			require.True(t, is, "%v", err)
			require.Equal(t, &Exception{Unit: 1, Function: 4, Code: IllegalAddress}, refusal)
			require.EqualError(t, err, "input registers 100 to 103: unit 1 refuses function 4: illegal data address")
		})
	}
}
