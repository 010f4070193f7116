package modbus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
)

// TestTunedTimeoutIsSafe: units that are waited for less long than the endpoint
// says, and answer up to its time-out and quiet time later, are never taken at
// the wrong word.
func TestTunedTimeoutIsSafe(t *testing.T) {
	const timeout, quiet, tuned = 40 * time.Millisecond, 40 * time.Millisecond, 8 * time.Millisecond
	var trials []*trial
	for _, m := range media {
		for _, every := range []int{1, 3} {
			s := &nasty{late: between(rand.New(rand.NewPCG(3, 4)), tuned+time.Millisecond, timeout+quiet-20*time.Millisecond),
				fault: func(n int) string {
					if n%every == every-1 {
						return "late"
					}
					return ""
				}}
			line := m.line(t, s, timeout, quiet)
			for u := range 3 {
				line.SetTimeout(byte(u), tuned)
			}
			trials = append(trials, &trial{name: fmt.Sprintf("%s/one in %d", m, every), device: s, line: line, reads: 12 * every, units: 2, seed: 9})
		}
	}
	runAll(trials)
	for _, x := range trials {
		t.Run(x.name, func(t *testing.T) {
			x.requireTrue(t)
			require.Positive(t, x.failed)
		})
	}
}

func TestSetTimeout(t *testing.T) {
	for _, m := range media {
		t.Run(string(m), func(t *testing.T) {
			s := &nasty{fault: func(int) string { return "silent" }}
			line := m.line(t, s, 200*time.Millisecond, time.Millisecond)
			require.Equal(t, 200*time.Millisecond, line.Timeout(1))
			line.SetTimeout(1, time.Hour)
			require.Equal(t, 200*time.Millisecond, line.Timeout(1), "never more than the endpoint's")
			line.SetTimeout(1, 20*time.Millisecond)
			begin := time.Now()
			_, err := line.Read(context.Background(), 1, profile.Holding, 0, 1)
			require.ErrorIs(t, err, ErrTimeout)
			require.Contains(t, err.Error(), "(20ms)")
			require.Less(t, time.Since(begin), 190*time.Millisecond)
			require.Greater(t, line.Doubt(1), time.Duration(0))
			line.SetTimeout(1, 0)
			require.Equal(t, 200*time.Millisecond, line.Timeout(1))
		})
	}
}

// A line at rest has no limits that end meanwhile, and sets them again when it is
// asked.
func TestRest(t *testing.T) {
	s := &nasty{fault: func(n int) string {
		if n == 2 {
			return "silent"
		}
		return ""
	}}
	line := medium(TCP).line(t, s, 200*time.Millisecond, time.Millisecond)
	limits := line.transport.(*tcpTransport)
	line.Rest(time.Hour) // not open yet
	_, err := line.Read(t.Context(), 1, profile.Holding, 0, 1)
	require.NoError(t, err)
	reads, writes := limits.reads, limits.writes
	require.Positive(t, time.Until(writes))
	line.Rest(0)
	require.Equal(t, []time.Time{reads, writes}, []time.Time{limits.reads, limits.writes})
	line.Rest(time.Second)
	require.Equal(t, []time.Time{{}, writes}, []time.Time{limits.reads, limits.writes})
	line.Rest(time.Hour)
	require.Equal(t, []time.Time{{}, {}}, []time.Time{limits.reads, limits.writes})
	_, err = line.Read(t.Context(), 1, profile.Holding, 0, 1)
	require.NoError(t, err)
	_, err = line.Read(t.Context(), 1, profile.Holding, 0, 1)
	require.ErrorIs(t, err, ErrTimeout)
}
