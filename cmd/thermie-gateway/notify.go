package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// notifier tells systemd how the service does (sd_notify(3)): datagrams on the
// socket that NOTIFY_SOCKET names. Without one it says nothing.
type notifier struct {
	conn *net.UnixConn
	// watchdog is how often systemd wants to hear that all is well; 0 for never.
	watchdog time.Duration
}

// readyAfter bounds how often the health is looked at until it is good.
const readyAfter = 50 * time.Millisecond

func newNotifier(getenv func(string) string) (*notifier, error) {
	n := &notifier{}
	name := getenv("NOTIFY_SOCKET")
	if name == "" {
		return n, nil
	}
	if name[0] == '@' {
		name = "\x00" + name[1:] // abstract socket
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return n, fmt.Errorf("NOTIFY_SOCKET %s: %w", getenv("NOTIFY_SOCKET"), err)
	}
	n.conn = conn
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n, nil
}

func (n *notifier) say(state string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(state)) // systemd is not needed to read meters
	}
}

// pulse says READY when the gateway is alive for the first time, WATCHDOG twice
// in the watchdog's time as long as it is, and STOPPING at the end. One that is
// stuck is let go: systemd starts it again.
func (n *notifier) pulse(ctx context.Context, alive, health func() error) {
	if n.conn == nil {
		return
	}
	defer n.say("STOPPING=1")
	tick := time.NewTicker(readyAfter)
	defer tick.Stop()
	for ready := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := alive(); err != nil {
			if ready {
				n.say("STATUS=" + err.Error())
			}
			continue
		}
		state := "WATCHDOG=1\nSTATUS=reading"
		if err := health(); err != nil {
			state = "WATCHDOG=1\nSTATUS=" + err.Error()
		}
		if !ready {
			ready = true
			state = "READY=1\n" + state
			tick.Reset(n.period())
		}
		n.say(state)
	}
}

// period is how often the state is told: twice in the watchdog's time.
func (n *notifier) period() time.Duration {
	if n.watchdog > 0 {
		return max(n.watchdog/2, time.Millisecond)
	}
	return 30 * time.Second
}

func (n *notifier) close() {
	if n.conn != nil {
		n.conn.Close()
	}
}
