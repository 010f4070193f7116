package mqtt

import (
	"fmt"
	"strings"
	"sync"
)

// maxInbox bounds the bytes that wait for their handler. The broker's own limit
// on unacknowledged messages keeps the inbox far below.
const maxInbox = 128 << 20

// overhead is counted for each waiting message beside its bytes.
const overhead = 256

// Message is one message from the broker. Ack tells the broker that it need not
// be sent again; it may be called later and from any goroutine, and does
// nothing when the connection is gone.
type Message struct {
	Topic               string
	Payload             []byte
	Retained, Duplicate bool
	Ack                 func()
}

type subscription struct {
	filters [][]string
	handle  func(Message)
}

// inbox queues what arrives, so that a slow handler stops neither the keep-alive
// nor the acknowledgements that its own publishing waits for.
type inbox struct {
	mu    sync.Mutex
	queue []Message
	bytes int
	subs  []subscription
	wake  chan struct{} // capacity 1
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) push(m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := len(m.Topic) + len(m.Payload) + overhead
	if b.bytes+size > maxInbox {
		return fmt.Errorf("%d messages (%d bytes) wait for their handler: lower the broker's limit of messages in flight", len(b.queue), b.bytes)
	}
	b.queue = append(b.queue, m)
	b.bytes += size
	b.signal()
	return nil
}

func (b *inbox) add(topics []string, handle func(Message)) {
	s := subscription{handle: handle}
	for _, t := range topics {
		s.filters = append(s.filters, filter(t))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, s)
	b.signal()
}

// next takes the first message that has a handler. Those that have none yet
// keep their place: they belong to a subscription of the persistent session
// that is about to be renewed.
func (b *inbox) next() (Message, func(Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.queue {
		m := b.queue[i]
		levels := strings.Split(m.Topic, "/")
		for _, s := range b.subs {
			for _, f := range s.filters {
				if !matches(f, levels) {
					continue
				}
				if i == 0 {
					b.queue[0] = Message{}
					b.queue = b.queue[1:]
				} else {
					b.queue = append(b.queue[:i], b.queue[i+1:]...)
				}
				b.bytes -= len(m.Topic) + len(m.Payload) + overhead
				return m, s.handle
			}
		}
	}
	return Message{}, nil
}

func (b *inbox) run(gone <-chan struct{}, workers *sync.WaitGroup) {
	defer workers.Done()
	for {
		select {
		case <-gone:
			return
		case <-b.wake:
		}
		for m, handle := b.next(); handle != nil; m, handle = b.next() {
			select {
			case <-gone: // what remains comes again on the next connection
				return
			default:
			}
			handle(m)
		}
	}
}

// filter takes the levels of a topic filter, without the prefix of a shared
// subscription.
func filter(topic string) []string {
	levels := strings.Split(topic, "/")
	if levels[0] == "$share" && len(levels) > 2 {
		levels = levels[2:]
	}
	return levels
}

// matches is the rule of MQTT 3.1.1 section 4.7.
func matches(filter, topic []string) bool {
	for i, f := range filter {
		if f == "#" {
			return i > 0 || !strings.HasPrefix(topic[0], "$")
		}
		if i >= len(topic) {
			return false
		}
		if f == "+" {
			if i == 0 && strings.HasPrefix(topic[0], "$") {
				return false
			}
			continue
		}
		if f != topic[i] {
			return false
		}
	}
	return len(filter) == len(topic)
}
