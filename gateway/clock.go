package gateway

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/batch"
)

// earliest is when no gateway was yet: a clock before it was never set (a
// device without a battery-backed clock starts in 1970).
var earliest = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// jumpTolerance is by how much the clock may differ from the monotonic one
// between two looks before it counts as a jump: adjtime slews far more slowly.
const jumpTolerance = 500 * time.Millisecond

// watchedClock knows the condition of the system's clock.
type watchedClock struct {
	now    func() time.Time
	system func() batch.Clock
	last   time.Time
	// progress is how far the wall clock and the monotonic clock went between two
	// looks.
	progress func(from, to time.Time) (wall, monotonic time.Duration)
}

func newClock(now func() time.Time) *watchedClock {
	return &watchedClock{now: now, system: systemClock, last: now(), progress: progress}
}

// look returns the time, and by how much the clock was set since the last look:
// the wall clock's progress less the monotonic clock's. A source of time without
// a monotonic part never jumps.
func (c *watchedClock) look() (now time.Time, jump time.Duration) {
	now = c.now()
	wall, monotonic := c.progress(c.last, now)
	c.last = now
	jump = wall - monotonic
	if jump.Abs() < jumpTolerance {
		jump = 0
	}
	return now, jump
}

func progress(from, to time.Time) (wall, monotonic time.Duration) {
	return to.Round(0).Sub(from.Round(0)), to.Sub(from)
}

// ClockSynchronised says whether the system holds its clock synchronised.
func ClockSynchronised() bool { return systemClock().Synchronised }

// systemClock asks the kernel (adjtimex(2), which needs no privilege to read):
// not synchronised while STA_UNSYNC stands, that is until NTP or PTP disciplines
// the clock, and again when that has been silent for hours.
func systemClock() batch.Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil || state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return batch.Clock{}
	}
	offset := int64(t.Offset) // microseconds, or nanoseconds with STA_NANO
	if t.Status&unix.STA_NANO != 0 {
		offset /= 1000
	}
	return batch.Clock{Synchronised: true, OffsetMillis: offset / 1000}
}
