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
		{"a converter that repeats itself", 13 * char, holds(5, 0), ErrBadFrame, ErrBadFrame},
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
				if c.then == ErrBadFrame {
					require.NotErrorIs(t, err, ErrTwoAnswers)
				}
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
