package poll

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/gateway/modbus"
)

// hit answers a number of registers over a line that damages each byte with
// probability p, and after the beginning collides with probability q.
func hit(r *rand.Rand, words int, p, q float64) error {
	for i := range answerHead + 2*words + answerTail {
		switch {
		case r.Float64() >= p:
		case i < answerHead:
			return modbus.ErrBadFrame
		default:
			return modbus.ErrDamaged
		}
	}
	if r.Float64() < q {
		return modbus.ErrDamaged
	}
	return nil
}

// TestNoiseIsNotTwoDevices: of a thousand noisy lines of every sort hardly one is
// taken for two devices, and two devices are told as soon as short answers allow.
func TestNoiseIsNotTwoDevices(t *testing.T) {
	const lines = 1000
	for _, c := range []struct {
		name    string
		words   int
		noise   float64 // chance of a byte to be damaged
		collide float64 // chance of an answer to be one of two at once
		told    [2]int  // how many lines may be taken for two devices: at least, at most
	}{
		{"a quiet line", 2, 0.0001, 0, [2]int{0, 0}},
		{"some noise", 2, 0.05, 0, [2]int{0, 0}},
		{"much noise, short answers", 2, 0.15, 0, [2]int{0, 10}},
		{"much noise, usual answers", 20, 0.03, 0, [2]int{0, 10}},
		{"much noise, long answers", 120, 0.02, 0, [2]int{0, 10}},
		{"nothing but noise", 20, 0.9, 0, [2]int{0, 0}},
		{"two devices, short answers", 2, 0, 0.95, [2]int{lines, lines}},
		{"two devices, usual answers", 20, 0.001, 0.95, [2]int{lines - 10, lines}},
		{"two devices that seldom answer at once", 2, 0, 0.2, [2]int{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			told := 0
			for range lines {
				var x traffic
				is := false
				for range 150 {
					x.count(hit(r, c.words, c.noise, c.collide), c.words)
					_, now := x.collides()
					is = is || now
				}
				if is {
					told++
				}
			}
			require.GreaterOrEqual(t, told, c.told[0])
			require.LessOrEqual(t, told, c.told[1])
		})
	}
}

func TestTrafficForgets(t *testing.T) {
	var x traffic
	for range 150 {
		x.count(modbus.ErrTwoAnswers, 2)
	}
	require.Equal(t, 150, x.twice)
	for range 1000 {
		x.count(nil, 2)
	}
	require.Less(t, x.twice, enoughTwice)
	require.LessOrEqual(t, x.attempts, rateWindow)
	x.count(&modbus.Exception{Code: modbus.IllegalAddress}, 2)
	before := x.heard
	x.count(&modbus.Exception{Code: modbus.TargetSilent}, 2)
	x.count(errors.Join(modbus.ErrTimeout), 2)
	require.Equal(t, before, x.heard, "silence is not damage")
}
