package publish

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/gateway/outbox"
)

// shelf is an outbox of numbers.
type shelf struct {
	last      uint64
	delivered map[uint64]bool
}

func (s *shelf) LastNumber() uint64 { return s.last }

func (s *shelf) Unsent(after uint64, limit int) (out []outbox.Sealed, err error) {
	for n := after + 1; n <= s.last && len(out) < limit; n++ {
		if !s.delivered[n] {
			out = append(out, outbox.Sealed{Number: n, Bytes: []byte{1}})
		}
	}
	return out, nil
}

// drain takes n batches, all when n is 0, and tells each of them.
func drain(t require.TestingT, q *queue, n int, tell ...func(uint64)) (numbers []uint64) {
	for n == 0 || len(numbers) < n {
		b, ok, err := q.next()
		require.NoError(t, err)
		if !ok {
			break
		}
		numbers = append(numbers, b.Number)
		for _, f := range tell {
			f(b.Number)
		}
	}
	return numbers
}

func never(uint64) bool { return false }

func TestQueueInOrder(t *testing.T) {
	s := &shelf{last: 8}
	q := newQueue(s, 8, false, never)
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, drain(t, q, 0), "a short backlog goes in order")
	s.last = 10
	require.Equal(t, []uint64{9, 10}, drain(t, q, 0))
	s.last = 1000
	q = newQueue(s, 8, true, never)
	require.Equal(t, []uint64{1, 2, 3}, drain(t, q, 3), "history always does")
	require.Len(t, drain(t, q, 0), 997)
}

// TestQueueLiveBesideBacklog: behind a long backlog the newest batch goes first,
// and so does each new one, while the backlog drains oldest first.
func TestQueueLiveBesideBacklog(t *testing.T) {
	s := &shelf{last: 100}
	q := newQueue(s, 8, false, never)
	require.Equal(t, []uint64{100, 1, 2, 3}, drain(t, q, 4))
	s.last = 101
	require.Equal(t, []uint64{101, 4, 5}, drain(t, q, 3))
	s.last = 103
	require.Equal(t, []uint64{102, 6, 103, 7}, drain(t, q, 4))
	rest := drain(t, q, 0)
	require.Equal(t, uint64(8), rest[0])
	require.Equal(t, uint64(99), rest[len(rest)-1])
	require.Len(t, rest, 92)
}

// TestQueueJumpsAgain: when the live stream itself falls behind (ingest was
// away), it jumps to the newest batch and leaves the rest to the backlog.
func TestQueueJumpsAgain(t *testing.T) {
	s := &shelf{last: 20, delivered: map[uint64]bool{}}
	sent := map[uint64]bool{}
	q := newQueue(s, 8, false, func(n uint64) bool { return sent[n] })
	mark := func(n uint64) { sent[n] = true }
	require.Equal(t, []uint64{20, 1, 2, 3}, drain(t, q, 4, mark))
	s.last = 50
	got := drain(t, q, 0, mark)
	require.Equal(t, []uint64{50, 4, 5}, got[:3])
	seen := map[uint64]int{}
	for _, n := range got {
		seen[n]++
	}
	require.Len(t, seen, 50-4)
	for n, times := range seen {
		require.Equal(t, 1, times, "batch %d", n)
	}
}

// TestQueueMissesNothing: whatever is put and delivered while a queue drains,
// every batch is sent, the backlog in order.
func TestQueueMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &shelf{last: rapid.Uint64Range(0, 60).Draw(t, "at first"), delivered: map[uint64]bool{}}
		sent := map[uint64]bool{}
		take := func(n uint64) {
			require.False(t, sent[n], "batch %d twice", n)
			sent[n] = true
			s.delivered[n] = rapid.Bool().Draw(t, "receipt")
		}
		q := newQueue(s, rapid.IntRange(1, 12).Draw(t, "lag"), rapid.Bool().Draw(t, "in order"), func(n uint64) bool { return sent[n] })
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			drain(t, q, rapid.IntRange(1, 10).Draw(t, "take"), take)
			s.last += rapid.Uint64Range(0, 20).Draw(t, "new")
		}
		drain(t, q, 0, take)
		for n := uint64(1); n <= s.last; n++ {
			require.True(t, sent[n], "batch %d", n)
		}
	})
}
