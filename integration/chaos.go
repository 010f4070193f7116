//go:build integration

package integration

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chaosVariable names the seed of the kills; without it each run has its own.
const chaosVariable = "THERMIE_CHAOS_SEED"

// chaos kills processes at random moments and starts them again.
type chaos struct {
	t    testing.TB
	rand *rand.Rand
	// Between two kills, and from a kill to the new start.
	minPause, maxPause, maxDown time.Duration
	kills                       map[string]int
	bag                         []*process // whose turn it is, so that each has its share
}

func newChaos(t testing.TB) *chaos {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(chaosVariable); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoErrorf(t, err, "%s=%q", chaosVariable, s)
	}
	t.Logf("kills are seeded: %s=%d repeats them", chaosVariable, seed)
	return &chaos{t: t, rand: rand.New(rand.NewPCG(seed, 1)), kills: map[string]int{},
		minPause: 200 * time.Millisecond, maxPause: 2 * time.Second, maxDown: 1500 * time.Millisecond}
}

func (c *chaos) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.rand.Int64N(int64(high-low)+1))
}

// run kills until every worker has ended by itself with success. A worker that
// has ended is left alone; a server that ends without being killed, or a worker
// that fails, fails the test.
func (c *chaos) run(servers, workers []*process, deadline time.Duration) {
	c.t.Helper()
	end := time.Now().Add(deadline)
	for {
		working := unfinished(c.t, workers)
		if len(working) == 0 {
			return
		}
		require.Truef(c.t, time.Now().Before(end), "not through within %s; killed so far: %v", deadline, c.kills)
		if !c.wait(c.between(c.minPause, c.maxPause), working, servers) {
			continue
		}
		p := c.next(append(append([]*process{}, servers...), working...))
		p.kill()
		c.kills[p.name]++
		time.Sleep(c.between(0, c.maxDown))
		p.launch()
	}
}

// wait returns false when a worker has ended meanwhile.
func (c *chaos) wait(d time.Duration, working, servers []*process) bool {
	c.t.Helper()
	end := time.After(d)
	for {
		for _, s := range servers {
			require.Falsef(c.t, s.ended(), "%s ended by itself: %s", s.name, s.said())
		}
		select {
		case <-end:
			return true
		case <-working[0].exited():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// next takes a process out of the bag, which is filled with all of them in
// random order when it is empty.
func (c *chaos) next(all []*process) *process {
	for {
		if len(c.bag) == 0 {
			c.bag = append(c.bag, all...)
			c.rand.Shuffle(len(c.bag), func(i, j int) { c.bag[i], c.bag[j] = c.bag[j], c.bag[i] })
		}
		p := c.bag[0]
		c.bag = c.bag[1:]
		for _, a := range all {
			if a == p && !p.ended() {
				return p
			}
		}
	}
}

// unfinished are the workers that still run; one that failed fails the test.
func unfinished(t testing.TB, workers []*process) (out []*process) {
	t.Helper()
	for _, w := range workers {
		if !w.ended() {
			out = append(out, w)
			continue
		}
		require.Zerof(t, w.exitCode(), "%s failed: %s", w.name, w.said())
	}
	return out
}
