package mqtt

import (
	"math/rand/v2"
	"time"
)

// Backoff tells how long to wait before the next attempt: twice as long each
// time, from Min to Max, less a random part of up to half, so that a thousand
// gateways do not come back in step when a broker has restarted. The zero
// Backoff goes from 500 ms to 30 s.
type Backoff struct {
	Min, Max time.Duration
	Rand     func() float64 // in [0, 1); nil takes math/rand

	next time.Duration
}

// Next returns the wait before the next attempt.
func (b *Backoff) Next() time.Duration {
	low, high := b.Min, b.Max
	if low <= 0 {
		low = 500 * time.Millisecond
	}
	if high <= 0 {
		high = 30 * time.Second
	}
	d := min(max(b.next, low), high)
	b.next = min(2*d, high)
	random := b.Rand
	if random == nil {
		random = rand.Float64
	}
	return d - time.Duration(random()*float64(d)/2)
}

// Reset starts from Min again, after a success.
func (b *Backoff) Reset() { b.next = 0 }
