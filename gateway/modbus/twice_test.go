package modbus

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/simulator/slave"
)

// holds answers as a device whose registers are their address plus something.
func holds(unit byte, plus uint16) slave.Handler {
	return func(r slave.Request) ([]uint16, slave.Exception) {
		if r.Unit != unit && r.Unit != 9 {
			return nil, slave.Silence
		}
		if r.Address >= forbidden {
			return nil, slave.IllegalAddress
		}
		words := make([]uint16, r.Count)
		for i := range words {
			words[i] = r.Address + uint16(i) + plus
		}
		return words, 0
	}
}

// only lets a handler have one unit.
func only(unit byte, h slave.Handler) slave.Handler {
	return func(r slave.Request) ([]uint16, slave.Exception) {
		if r.Unit != unit {
			return nil, slave.Silence
		}
		return h(r)
	}
}

// TestTwoDevicesAtOneUnit: what two devices with one unit id say is never taken
// for a reading once they were heard, and their errors tell what they are.
func TestTwoDevicesAtOneUnit(t *testing.T) {
	const baud = 38400
	char := Endpoint{Type: RTU, Baud: baud}.Character()
	for _, c := range []struct {
		name  string
		later time.Duration // the second device's answer, after the first's beginning
		rival slave.Handler
		first error // what the first question ends in; nil: it may be a reading
		then  error
	}{
		{"at once", 0, holds(5, 0x1200), ErrDamaged, ErrDamaged},
		{"a little later", 5 * char, holds(5, 0x1200), ErrDamaged, ErrDamaged},
		{"one behind the other", 13 * char, holds(5, 0x1200), ErrTwoAnswers, ErrTwoAnswers},
		{"after a silence", 40 * time.Millisecond, holds(5, 0x1200), nil, ErrTwoAnswers},
		{"the second refuses", 40 * time.Millisecond, func(slave.Request) ([]uint16, slave.Exception) { return nil, slave.IllegalAddress }, nil, ErrTwoAnswers},
		{"two that say the same", 13 * char, holds(5, 0), ErrTwoAnswers, ErrTwoAnswers},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			line, err := slave.OpenLine(slave.LineOptions{Baud: baud, Parity: "even", StopBits: 1, Turnaround: 5 * time.Millisecond,
				Handler: holds(5, 0), Rival: only(5, c.rival), RivalTurnaround: 5*time.Millisecond + c.later})
			require.NoError(t, err)
			defer line.Close()
			l, err := New(Endpoint{Type: RTU, Device: line.Device, Baud: baud, Timeout: 200 * time.Millisecond, Quiet: 50 * time.Millisecond})
			require.NoError(t, err)
			defer l.Close()
			read := func(unit byte, address uint16) error {
				words, err := l.Read(context.Background(), unit, profile.Holding, address, 4)
				if err == nil {
					require.Equal(t, []uint16{address, address + 1, address + 2, address + 3}, words)
				}
				return err
			}
			err = read(5, 0x0100)
			if c.first == nil {
				require.NoError(t, err)
				time.Sleep(60 * time.Millisecond) // the second answer comes when nobody listens
			} else {
				require.ErrorIs(t, err, c.first)
			}
			for i := range uint16(5) {
				err := read(5, 0x0200+4*i)
				require.ErrorIs(t, err, c.then)
				require.NoError(t, read(9, 0x0300+4*i), "the other unit of the line is well")
			}
		})
	}
}

// TestTwiceIsForgotten: a device whose rival was taken away costs no more time than others.
func TestTwiceIsForgotten(t *testing.T) {
	x := twice{5: {after: 40 * time.Millisecond}}
	require.Zero(t, x.wait(6, time.Second))
	for range forgetTwice {
		require.Equal(t, 80*time.Millisecond, x.wait(5, time.Second))
	}
	require.Zero(t, x.wait(5, time.Second))
	require.Empty(t, x)
	x[5] = slower{after: time.Second}
	require.Equal(t, 300*time.Millisecond, x.wait(5, 300*time.Millisecond), "the bus's time-out bounds it")
}

// Two questions alike, one close behind the other: the second one's answer of the
// slow device could be taken for that of the next. A unit is on probation until it
// is known to be one.
func TestQuestionsAlikeOfTwoDevices(t *testing.T) {
	line, err := slave.OpenLine(slave.LineOptions{Baud: 38400, Parity: "even", StopBits: 1, Turnaround: 5 * time.Millisecond,
		Handler: holds(5, 0), Rival: only(5, holds(5, 0x1200)), RivalTurnaround: 25 * time.Millisecond})
	require.NoError(t, err)
	defer line.Close()
	l, err := New(Endpoint{Type: RTU, Device: line.Device, Baud: 38400, Timeout: 300 * time.Millisecond})
	require.NoError(t, err)
	defer l.Close()
	for i := range uint16(20) {
		words, err := l.Read(context.Background(), 5, profile.Holding, 4*i, 2)
		if i > 0 || err != nil { // a machine under load may hear both at once
			require.ErrorIs(t, err, ErrTwoAnswers)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []uint16{0, 1}, words)
		require.Positive(t, l.Doubt(5))
		require.Zero(t, l.Doubt(9), "the line is free for others")
	}
}

// A converter that repeats itself is no second device.
func TestConverterThatRepeatsItself(t *testing.T) {
	l := medium(RTUOverTCP).line(t, &nasty{fault: func(int) string { return "doubled" }}, 200*time.Millisecond, 0)
	for range 5 {
		_, err := l.Read(context.Background(), 1, profile.Holding, 100, 4)
		require.ErrorIs(t, err, ErrBadFrame)
		require.NotErrorIs(t, err, ErrTwoAnswers)
	}
}

// An answer that came twice and then once more, to another question, is no reading.
func TestAnswerThatComesThreeTimes(t *testing.T) {
	for _, m := range media {
		faults := []string{"doubled", "prior", ""}
		l := m.line(t, &nasty{fault: func(n int) string { return faults[min(n, len(faults)-1)] }}, 200*time.Millisecond, 0)
		for i := range uint16(3) {
			words, err := l.Read(context.Background(), 1, profile.Holding, 100+10*i, 4)
			if err == nil {
				require.NoError(t, check(words, 1, profile.Holding, 100+10*i, 4), m)
			}
		}
	}
}
