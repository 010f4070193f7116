//go:build soak

package modbus

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTenThousand makes ten thousand requests on each medium to devices with a
// time-out of 200 ms that go wrong one time in five, in any way, or answer 10 to
// 500 ms too late, one time in five or always. It takes about a minute:
//
//	go test -tags soak -run TenThousand -v ./gateway/modbus
func TestTenThousand(t *testing.T) {
	const timeout, quiet = 200 * time.Millisecond, 700 * time.Millisecond
	const lines, reads = 60, 170
	for _, m := range media {
		var trials []*trial
		for i := range lines {
			r := rand.New(rand.NewPCG(uint64(i), 77))
			fault := func(int) string {
				if i%20 != 0 && r.IntN(5) > 0 { // one in twenty is always late
					return ""
				}
				return "late"
			}
			if i%3 == 1 {
				fault = anyFault(r, m, 5)
			}
			s := &nasty{late: between(r, timeout+10*time.Millisecond, timeout+500*time.Millisecond), fault: fault}
			line := m.line(t, s, timeout, quiet)
			if i%2 == 1 {
				for u := range 3 {
					line.SetTimeout(byte(u), timeout/3) // as if tuned too short
				}
			}
			trials = append(trials, &trial{device: s, line: line, reads: reads, units: 2, seed: uint64(i)})
		}
		t.Run(string(m), func(t *testing.T) {
			begin := time.Now()
			runAll(trials)
			right, failed := 0, 0
			var late uint64
			for _, x := range trials {
				require.NoError(t, x.wrong)
				right, failed, late = right+x.right, failed+x.failed, late+x.line.Stats().Late
			}
			require.Equal(t, lines*reads, right+failed)
			t.Log(fmt.Sprintf("%d requests in %v: %d right, %d errors, 0 wrong; %d late frames thrown away", right+failed, time.Since(begin).Round(time.Second), right, failed, late))
		})
	}
}

// TestTenThousandTogether asks ten thousand groups of one to eight questions, and
// as many single ones in between, of devices that go wrong in every way:
//
//	go test -tags soak -run TenThousandTogether -v ./gateway/modbus
func TestTenThousandTogether(t *testing.T) {
	right, lost, begin := 0, 0, time.Now()
	for _, x := range swarms(t, 60, 170, 200*time.Millisecond, 300*time.Millisecond, 5, 20, 100) {
		require.NoError(t, x.wrong)
		right, lost = right+x.reads-x.lost, lost+x.lost
	}
	t.Logf("%d groups in %v: %d right, %d errors, 0 wrong", right+lost, time.Since(begin).Round(time.Second), right, lost)
}
