package scan

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	modbusPort = 502
	// largest network that is looked through: 4096 addresses.
	leastBits = 20
	// dialers look at once; each waits for dialWait.
	dialers  = 64
	dialWait = 700 * time.Millisecond
)

// Hosts lists the addresses of an IPv4 network, "192.0.2.0/24" or with a port
// "192.0.2.0/24:1502", that accept a TCP connection at the port of Modbus (502).
func Hosts(ctx context.Context, network string) ([]string, error) {
	text, port := network, modbusPort
	if i := strings.LastIndexByte(network, ':'); i > 0 {
		p, err := strconv.ParseUint(network[i+1:], 10, 16)
		if err != nil || p == 0 {
			return nil, fmt.Errorf("network %q: %q is not a port", network, network[i+1:])
		}
		text, port = network[:i], int(p)
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || !prefix.Addr().Is4() || prefix.Bits() < leastBits {
		return nil, fmt.Errorf("network %q is not like 192.0.2.0/24, of at most 4096 addresses", network)
	}
	var hosts []netip.Addr
	for a := prefix.Masked().Addr(); prefix.Contains(a); a = a.Next() {
		hosts = append(hosts, a)
	}
	there := make([]bool, len(hosts))
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(dialers, len(hosts)) {
		wait.Go(func() {
			for i := range next {
				d := net.Dialer{Timeout: dialWait}
				if c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(hosts[i], uint16(port)).String()); err == nil {
					c.Close()
					there[i] = true
				}
			}
		})
	}
	for i := range hosts {
		next <- i
	}
	close(next)
	wait.Wait()
	var out []string
	for i, h := range hosts {
		if there[i] {
			out = append(out, netip.AddrPortFrom(h, uint16(port)).String())
		}
	}
	return out, ctx.Err()
}
