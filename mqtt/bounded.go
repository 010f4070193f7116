package mqtt

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// maxPacket bounds a packet from the broker. Ours are below 64 kB; paho would
// allocate up to the protocol's 256 MB on the broker's word.
const maxPacket = 1 << 20

// bounded is a network connection that fails when the other side announces a
// packet above maxPacket, and that ctx can end during the sign-in.
type bounded struct {
	net.Conn
	in      *bufio.Reader
	release func() bool // stops watching ctx; called when the first packet is in

	left   int // bytes of the packet's body still to come
	header int // bytes of the fixed header seen; 0 between packets
	size   int

	writing sync.Mutex
	held    []byte // acknowledgements that wait for company
	flush   *time.Timer
}

func newBounded(ctx context.Context, conn net.Conn) *bounded {
	b := &bounded{Conn: conn, in: bufio.NewReaderSize(conn, 16<<10), release: context.AfterFunc(ctx, func() { conn.Close() })}
	b.flush = time.AfterFunc(time.Hour, b.flushHeld)
	b.flush.Stop()
	return b
}

// Acknowledgements are four bytes each, and hundreds are ready at once: held for
// up to ackDelay, or until heldBytes, they share a record of TLS and a system
// call. Whatever else is written takes them along.
const (
	ackDelay  = time.Millisecond
	heldBytes = 1024
)

// isPuback says that p is one whole acknowledgement (MQTT 3.1.1 section 3.4).
func isPuback(p []byte) bool { return len(p) == 4 && p[0] == 0x40 && p[1] == 2 }

// Write writes a packet, or holds it for a moment when it is an acknowledgement.
func (b *bounded) Write(p []byte) (int, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if isPuback(p) && len(b.held) < heldBytes {
		if len(b.held) == 0 {
			b.flush.Reset(ackDelay)
		}
		b.held = append(b.held, p...)
		return len(p), nil
	}
	if len(b.held) == 0 {
		return b.Conn.Write(p)
	}
	b.flush.Stop()
	b.held = append(b.held, p...)
	_, err := b.Conn.Write(b.held)
	b.held = b.held[:0]
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// flushHeld writes the acknowledgements that nothing took along. When that fails
// the connection is closed, as paho would: what is not acknowledged comes again.
func (b *bounded) flushHeld() {
	b.writing.Lock()
	defer b.writing.Unlock()
	if len(b.held) == 0 {
		return
	}
	_, err := b.Conn.Write(b.held)
	b.held = b.held[:0]
	if err != nil {
		b.Conn.Close()
	}
}

// Close closes the connection; acknowledgements that are still held are lost with it.
func (b *bounded) Close() error {
	b.flush.Stop()
	return b.Conn.Close()
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if n > 0 && b.release != nil {
		b.release()
		b.release = nil
	}
	if bad := b.follow(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// follow walks over the packets (MQTT 3.1.1 section 2.2): one byte of type, a
// length of one to four bytes of seven bits each, the body.
func (b *bounded) follow(p []byte) error {
	for len(p) > 0 {
		if b.left > 0 {
			n := min(b.left, len(p))
			b.left -= n
			p = p[n:]
			continue
		}
		c := p[0]
		p = p[1:]
		if b.header > 0 {
			b.size |= int(c&0x7f) << (7 * (b.header - 1))
			if b.size > maxPacket || b.header > 4 {
				return fmt.Errorf("the broker announces a packet of %d bytes or more: limit %d", b.size, maxPacket)
			}
			if c < 0x80 {
				b.left, b.header, b.size = b.size, 0, 0
				continue
			}
		}
		b.header++
	}
	return nil
}

// noStore keeps nothing: a message belongs to whoever publishes it, and what
// was received and not acknowledged to the broker.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
