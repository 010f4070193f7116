package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/gateway"
)

const (
	// slackShare and slackMost bound how late polls may begin: by a 250th of the
	// shortest interval, 4 ms at a poll a second.
	slackShare = 250
	slackMost  = 4 * time.Millisecond
)

// slackened tells the program that it was started anew, so that it is only once.
const slackened = "THERMIE_GATEWAY_SLACK"

// slacken has the kernel end this process's waits up to slack late. Go's watcher
// thread sleeps for 20 µs again and again while anything else runs, which at a
// poll a second costs more than a tenth of all processor time; with slack it
// sleeps longer. That thread is there before any code of ours and has the slack of
// whoever started it, so the program is started anew, under the same process id.
// It returns when nothing is to be done (systemd's TimerSlackNSec= does as much),
// or with an error.
func slacken(slack time.Duration) error {
	if os.Getenv(slackened) != "" {
		return nil
	}
	runtime.LockOSThread() // slack is a thread's
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("read the timer slack: %w", err)
	}
	if time.Duration(now) >= slack {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0); err != nil {
		return fmt.Errorf("set the timer slack: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := unix.Exec(program, os.Args, append(os.Environ(), slackened+"="+slack.String())); err != nil {
		return fmt.Errorf("start %s anew: %w", program, err)
	}
	return nil
}

// slackOf is how late the waits of a gateway may end: 0 where a line's silences
// are timed, which is on all buses but TCP.
func slackOf(buses []gateway.Bus) time.Duration {
	if !bursts(buses) {
		return 0
	}
	shortest := gateway.DefaultInterval
	for _, b := range buses {
		for _, m := range b.Meters {
			shortest = min(shortest, cmp.Or(m.Interval, gateway.DefaultInterval))
			for _, q := range m.Quantities {
				shortest = min(shortest, cmp.Or(q.Interval, gateway.DefaultInterval))
			}
		}
	}
	return min(shortest/slackShare, slackMost)
}

// bursts says whether all that a gateway does is a short burst at each poll, with
// nothing to time in between: so it is where all buses are TCP.
func bursts(buses []gateway.Bus) bool {
	return !slices.ContainsFunc(buses, func(b gateway.Bus) bool { return b.Type != "tcp" })
}

// processors is how many of the machine's processors are used: one for bursts,
// since waking a second thread for each costs more than it brings. GOMAXPROCS in
// the environment counts first.
func processors(buses []gateway.Bus, all int) int {
	if bursts(buses) {
		return 1
	}
	return all
}
