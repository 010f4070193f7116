package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
)

var threeRuns = []profile.Span{{Address: 100, Words: 20}, {Address: 300, Words: 4}, {Address: 500, Words: 125}}

// checkAll says whether words are what was asked for.
func checkAll(words [][]uint16, unit byte, runs []profile.Span) error {
	if len(words) != len(runs) {
		return fmt.Errorf("%d runs, want %d", len(words), len(runs))
	}
	for i, r := range runs {
		if err := check(words[i], unit, r.Table, r.Address, r.Words); err != nil {
			return err
		}
	}
	return nil
}

// crowd serves devices that read three questions before they answer them in their
// own way, until the other side is gone.
func crowd(t *testing.T, reply func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty)) string {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var devices sync.WaitGroup
	devices.Go(func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			devices.Go(func() {
				defer c.Close()
				b := make([]byte, 36)
				for {
					if _, err := io.ReadFull(c, b); err != nil {
						return
					}
					var ids [3]uint16
					var qs [3]question
					for i := range 3 {
						ids[i], qs[i] = binary.BigEndian.Uint16(b[12*i:]), ask(b[12*i:12*i+12], 7)
					}
					reply(c, ids, qs, &nasty{})
				}
			})
		}
	})
	t.Cleanup(func() {
		server.Close()
		devices.Wait()
	})
	return server.Addr().String()
}

// TestTogether: several questions at once are answered wholly or not at all, and a
// device that mixes them up in whatever way is never believed.
func TestTogether(t *testing.T) {
	frames := func(ids [3]uint16, qs [3]question, s *nasty) (b [3][]byte) {
		for i := range 3 {
			b[i] = s.frame(ids[i], qs[i].unit, s.pdu(qs[i]))
		}
		return b
	}
	for _, w := range []struct {
		name  string
		reply func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty)
		want  error // nil: the right words
	}{
		{"as asked", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, qs, s)
			w.Write(append(append(f[0], f[1]...), f[2]...))
		}, nil},
		{"in pieces", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, qs, s)
			all := append(append(f[0], f[1]...), f[2]...)
			for len(all) > 0 {
				n := min(len(all), 17)
				w.Write(all[:n])
				time.Sleep(time.Millisecond)
				all = all[n:]
			}
		}, nil},
		{"each within its time", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			for _, f := range frames(ids, qs, s) {
				time.Sleep(70 * time.Millisecond)
				w.Write(f)
			}
		}, nil},
		{"another order", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, qs, s)
			w.Write(append(append(f[1], f[0]...), f[2]...))
		}, ErrBadFrame},
		{"all with the last id", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			ids[0], ids[1] = ids[2], ids[2]
			f := frames(ids, qs, s)
			w.Write(append(append(f[0], f[1]...), f[2]...))
		}, ErrBadFrame},
		{"the first registers each time", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, [3]question{qs[0], qs[0], qs[0]}, s)
			w.Write(append(append(f[0], f[1]...), f[2]...))
		}, ErrBadFrame},
		{"the last registers each time", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, [3]question{qs[2], qs[2], qs[2]}, s)
			w.Write(append(append(f[0], f[1]...), f[2]...))
		}, ErrBadFrame},
		{"the first twice", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, qs, s)
			w.Write(append(append(append(f[0], f[0]...), f[1]...), f[2]...))
		}, ErrBadFrame},
		{"one more behind", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, qs, s)
			w.Write(append(append(append(f[0], f[1]...), f[2]...), f[2]...))
		}, ErrBadFrame},
		{"another unit in the middle", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			qs[1].unit++
			f := frames(ids, qs, s)
			w.Write(append(append(f[0], f[1]...), f[2]...))
		}, ErrWrongUnit},
		{"the first only", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			w.Write(frames(ids, qs, s)[0])
		}, ErrTimeout},
		{"the first and half", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			f := frames(ids, qs, s)
			w.Write(append(f[0], f[1][:20]...))
		}, ErrTimeout},
		{"nothing", func(io.Writer, [3]uint16, [3]question, *nasty) {}, ErrTimeout},
		{"hangs up", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			w.Write(frames(ids, qs, s)[0])
			w.(net.Conn).Close()
		}, ErrUnreachable},
		{"a refusal in the middle", func(w io.Writer, ids [3]uint16, qs [3]question, s *nasty) {
			qs[1].address = forbidden
			f := frames(ids, qs, s)
			w.Write(append(append(f[0], f[1]...), f[2]...))
		}, &Exception{Unit: 7, Function: 3, Code: IllegalAddress}},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			l, err := New(Endpoint{Type: TCP, Address: crowd(t, w.reply), Timeout: 150 * time.Millisecond, Quiet: time.Millisecond})
			require.NoError(t, err)
			defer l.Close()
			for range 3 {
				words, err := l.ReadAll(context.Background(), 7, threeRuns)
				if want, is := errors.AsType[*Exception](w.want); is {
					got, _ := errors.AsType[*Exception](err)
					require.Equal(t, want, got)
				} else if w.want != nil {
					require.ErrorIs(t, err, w.want)
				}
				if w.want != nil {
					require.Nil(t, words)
					continue
				}
				require.NoError(t, err)
				require.NoError(t, checkAll(words, 7, threeRuns))
			}
			s := l.Stats()
			require.Equal(t, uint64(9), s.Requests)
			require.Equal(t, s.Requests, s.Answers+s.Refusals+s.Timeouts+s.BadFrames)
			if _, refused := w.want.(*Exception); w.want == nil || refused {
				require.Equal(t, uint64(1), s.Connects)
			} else {
				require.Equal(t, uint64(3), s.Connects, "what is in doubt is closed")
			}
		})
	}
}

// TestTogetherRefuses what cannot be asked at once.
func TestTogetherRefuses(t *testing.T) {
	l, err := New(Endpoint{Type: TCP, Address: "127.0.0.1:1"})
	require.NoError(t, err)
	serial, err := New(Endpoint{Type: RTU, Device: "/dev/no-such-port"})
	require.NoError(t, err)
	for _, w := range []struct {
		line *Line
		runs []profile.Span
		says string
	}{
		{serial, threeRuns, "over Modbus TCP only"},
		{l, nil, "0 questions"},
		{l, make([]profile.Span, MostTogether+1), "9 questions"},
		{l, []profile.Span{{Address: 1, Words: 3}, {Address: 9, Words: 3}}, "cannot be told apart"},
		{l, []profile.Span{{Address: 1, Words: 3}, {Address: 65535, Words: 2}}, "cannot be asked for"},
		{l, []profile.Span{{Address: 1, Words: 0}}, "cannot be asked for"},
		{l, []profile.Span{{Address: 1, Words: 3}, {Table: profile.Input, Address: 1, Words: 3}}, "unreachable"},
	} {
		_, err := w.line.ReadAll(context.Background(), 1, w.runs)
		require.ErrorContains(t, err, w.says)
	}
}

// A swarm reads groups from a nasty device, and single questions in between.
type swarm struct {
	trial
	lost int // groups
}

func (x *swarm) run() {
	r := rand.New(rand.NewPCG(x.seed, 21))
	for range x.reads {
		unit := byte(1 + r.IntN(x.units))
		counts := r.Perm(20)
		runs := make([]profile.Span, 1+r.IntN(MostTogether))
		for i := range runs {
			runs[i] = profile.Span{Table: profile.Table(r.IntN(8) / 7), Address: uint16(r.IntN(50000)), Words: 1 + counts[i]}
		}
		words, err := x.line.ReadAll(context.Background(), unit, runs)
		if err != nil {
			x.lost++
		} else if err := checkAll(words, unit, runs); err != nil && x.wrong == nil {
			x.wrong = fmt.Errorf("%w, after %s", err, x.device.last(12))
		}
		unit, table, address, count := randomQuestion(r, x.units)
		single, err := x.line.Read(context.Background(), unit, table, address, count)
		if err != nil {
			x.failed++
			continue
		}
		x.right++
		if err := check(single, unit, table, address, count); err != nil && x.wrong == nil {
			x.wrong = fmt.Errorf("%w, after %s", err, x.device.last(12))
		}
	}
}

// swarms have devices go wrong one time in so many, each time in another way.
func swarms(t *testing.T, n, reads int, timeout, quiet time.Duration, everies ...int) (out []*swarm) {
	for i := range n {
		r := rand.New(rand.NewPCG(uint64(i), 33))
		s := &nasty{late: between(r, timeout, 2*timeout+quiet), fault: anyFault(r, TCP, everies[i%len(everies)])}
		x := &swarm{}
		x.trial = trial{device: s, line: medium(TCP).line(t, s, timeout, quiet), reads: reads, units: 2, seed: uint64(i)}
		out = append(out, x)
	}
	var wait sync.WaitGroup
	for _, x := range out {
		wait.Go(x.run)
	}
	wait.Wait()
	return out
}

// TestTogetherMixed: no group and no single question after one is answered wrongly
// by devices that go wrong in every way.
func TestTogetherMixed(t *testing.T) {
	right, lost := 0, 0
	for _, x := range swarms(t, 20, 40, 20*time.Millisecond, 60*time.Millisecond, 3, 20) {
		require.NoError(t, x.wrong)
		s := x.line.Stats()
		require.Equal(t, s.Requests, s.Answers+s.Refusals+s.Timeouts+s.BadFrames)
		right, lost = right+x.reads-x.lost, lost+x.lost
	}
	require.Positive(t, right)
	require.Positive(t, lost)
	t.Logf("%d groups right, %d lost", right, lost)
}
