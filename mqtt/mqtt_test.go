package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, o Options) *Conn {
	t.Helper()
	if o.ClientID == "" {
		o.ClientID = "test"
	}
	c, err := Dial(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// Publish waits for the acknowledgement, not for the write.
func TestPublishWaitsForAck(t *testing.T) {
	got := make(chan *packets.PublishPacket, 1)
	var s *session
	b := &scripted{onPub: func(from *session, p *packets.PublishPacket) { s = from; got <- p }}
	c := dial(t, Options{Broker: startScripted(t, b), CleanSession: true})
	result := make(chan error, 1)
	go func() { result <- c.Publish(t.Context(), "a/b", true, []byte("x")) }()
	p := <-got
	require.Equal(t, []any{"a/b", true, byte(1), "x"}, []any{p.TopicName, p.Retain, p.Qos, string(p.Payload)})
	select {
	case err := <-result:
		t.Fatalf("returned before the acknowledgement: %v", err)
	default:
	}
	s.ack(p.MessageID)
	require.NoError(t, <-result)
}

// Whatever waits when the connection goes fails, and says that it was lost:
// also with a persistent session, where paho never completes the token.
func TestDropFailsWhatWaits(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean=", clean), func(t *testing.T) {
			const n = 20
			arrived := make(chan struct{}, n)
			b := &scripted{onPub: func(*session, *packets.PublishPacket) { arrived <- struct{}{} }}
			c := dial(t, Options{Broker: startScripted(t, b), CleanSession: clean})
			result := make(chan error, n)
			for range n {
				go func() { result <- c.Publish(context.Background(), "a", false, []byte("x")) }()
			}
			for range n {
				<-arrived
			}
			b.drop()
			for range n {
				require.Error(t, <-result)
			}
			<-c.Done()
			require.ErrorIs(t, c.Err(), ErrLost)
			require.ErrorIs(t, c.Publish(t.Context(), "a", false, nil), ErrLost)
			require.ErrorIs(t, c.Subscribe(t.Context(), []string{"a"}, func(Message) {}), ErrLost)
		})
	}
}

func TestPublishEndsWithContext(t *testing.T) {
	b := &scripted{onPub: func(*session, *packets.PublishPacket) {}}
	c := dial(t, Options{Broker: startScripted(t, b), CleanSession: true})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.Publish(ctx, "a", false, nil) }()
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
}

func TestRefusals(t *testing.T) {
	for code, word := range map[byte]string{4: "bad user name or password", 5: "not Authorized", 2: "identifier rejected"} {
		b := &scripted{code: code}
		url := startScripted(t, b)
		_, err := Dial(t.Context(), Options{Broker: url, ClientID: "gw-1", Username: "gw-1", Password: "secret"})
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, url)
		require.ErrorContains(t, err, `"gw-1"`)
		require.NotContains(t, err.Error(), "secret")
		require.Contains(t, strings.ToLower(err.Error()), strings.ToLower(word))
	}
	b := &scripted{grant: 0x80}
	c := dial(t, Options{Broker: startScripted(t, b), CleanSession: true})
	err := c.Subscribe(t.Context(), []string{"other/branch"}, func(Message) {})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "other/branch")
}

func TestDialErrors(t *testing.T) {
	for _, bad := range []string{"", "localhost:1883", "http://x", "tcp://"} {
		_, err := Dial(t.Context(), Options{Broker: bad, ClientID: "x"})
		require.ErrorContains(t, err, "broker address", bad)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := "tcp://" + l.Addr().String()
	l.Close()
	_, err = Dial(t.Context(), Options{Broker: addr, ClientID: "x"})
	require.ErrorContains(t, err, "connection refused")
	require.ErrorContains(t, err, addr)

	silent := &scripted{mute: true}
	addr = startScripted(t, silent)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, Options{Broker: addr, ClientID: "x"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// What a persistent session delivers right after the sign-in waits for its
// handler; order holds; the handler may publish and be slow; what is not
// acknowledged is not acknowledged.
func TestQueuedMessages(t *testing.T) {
	const n = 500
	b := &scripted{}
	for i := range n {
		b.greet = append(b.greet, publication(uint16(i+1), "t/p/g/batch", fmt.Sprint(i)))
	}
	c := dial(t, Options{Broker: startScripted(t, b)})
	require.NoError(t, c.Subscribe(t.Context(), []string{"other/#"}, func(m Message) { t.Error("not mine", m.Topic) }))
	seen := make(chan string, n)
	require.NoError(t, c.Subscribe(t.Context(), []string{"$share/ingest/t/+/+/batch"}, func(m Message) {
		if err := c.Publish(t.Context(), "t/p/g/receipt", false, m.Payload); err != nil {
			t.Error(err)
		}
		seen <- string(m.Payload)
		if string(m.Payload) != "7" {
			m.Ack()
		}
	}))
	for i := range n {
		require.Equal(t, fmt.Sprint(i), <-seen)
	}
	for range n - 1 {
		<-b.ackedOne
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Len(t, b.acked, n-1)
	require.NotContains(t, b.acked, uint16(8))
}

func TestAckAfterTheEnd(t *testing.T) {
	b := &scripted{greet: []*packets.PublishPacket{publication(1, "a", "x")}}
	c := dial(t, Options{Broker: startScripted(t, b)})
	got := make(chan Message, 1)
	require.NoError(t, c.Subscribe(t.Context(), []string{"a"}, func(m Message) { got <- m }))
	m := <-got
	require.NoError(t, c.Close())
	m.Ack()
	require.ErrorIs(t, c.Err(), ErrClosed)
	require.ErrorIs(t, c.Publish(t.Context(), "a", false, nil), ErrClosed)
}

func TestWill(t *testing.T) {
	b := &scripted{}
	dial(t, Options{Broker: startScripted(t, b), CleanSession: true, KeepAlive: 7 * time.Second, Username: "u", Password: "p",
		Will: &Will{Topic: "s", Payload: []byte("gone"), Retained: true}})
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, []any{"s", "gone", true, byte(1), true, uint16(7), "u", "p", "test"},
		[]any{b.will.WillTopic, string(b.will.WillMessage), b.will.WillRetain, b.will.WillQos, b.will.CleanSession, b.will.Keepalive,
			b.will.Username, string(b.will.Password), b.will.ClientIdentifier})
}

// A broker that announces 200 MB is not believed.
func TestHugePacket(t *testing.T) {
	b := &scripted{raw: []byte{0x30, 0xff, 0xff, 0xff, 0x60}}
	c := dial(t, Options{Broker: startScripted(t, b), CleanSession: true})
	<-c.Done()
	require.ErrorContains(t, c.Err(), "limit")
}

func TestConcurrentPublish(t *testing.T) {
	b := &scripted{}
	c := dial(t, Options{Broker: startScripted(t, b), CleanSession: true})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if err := c.Publish(t.Context(), "a", false, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Messages that one goroutine sends arrive in that order, many on their way at
// once, and each is waited for by itself.
func TestSendKeepsOrder(t *testing.T) {
	const n = 200
	type arrival struct {
		s *session
		p *packets.PublishPacket
	}
	got := make(chan arrival, n)
	b := &scripted{onPub: func(s *session, p *packets.PublishPacket) { got <- arrival{s, p} }}
	c := dial(t, Options{Broker: startScripted(t, b), CleanSession: true})
	var sent []*Sent
	for i := range n {
		s, err := c.Send(t.Context(), "a", false, []byte(strconv.Itoa(i)))
		require.NoError(t, err)
		sent = append(sent, s)
	}
	for i := range n {
		a := <-got
		require.Equal(t, strconv.Itoa(i), string(a.p.Payload))
		if i < n/2 {
			a.s.ack(a.p.MessageID)
			require.NoError(t, sent[i].Wait(t.Context()))
		}
	}
	b.drop()
	for _, s := range sent[n/2:] {
		require.Error(t, s.Wait(t.Context()))
	}
	<-c.Done()
	_, err := c.Send(t.Context(), "a", false, nil)
	require.ErrorIs(t, err, ErrLost)
}

func TestInboxBound(t *testing.T) {
	b := newInbox()
	var err error
	n := 0
	for ; err == nil; n++ {
		err = b.push(Message{Topic: "a", Payload: make([]byte, 1<<20)})
	}
	require.ErrorContains(t, err, "in flight")
	require.Less(t, n, 130)
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/b/c", false}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/#", "a", true},
		{"a/#", "a/b/c", true}, {"#", "a/b", true}, {"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"+/+", "/b", true},
		{"$share/g/a/+", "a/b", true}, {"a", "b", false}, {"a/b", "a", false},
	} {
		require.Equal(t, c.want, matches(filter(c.filter), strings.Split(c.topic, "/")), "%s %s", c.filter, c.topic)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 10 * time.Second, Rand: func() float64 { return 0 }}
	for _, want := range []int{1, 2, 4, 8, 10, 10} {
		require.Equal(t, time.Duration(want)*time.Second, b.Next())
	}
	b.Reset()
	require.Equal(t, time.Second, b.Next())
	rapid.Check(t, func(t *rapid.T) {
		var b Backoff
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			d := b.Next()
			if d < 250*time.Millisecond || d > 30*time.Second {
				t.Fatal(d)
			}
		}
	})
}

// Whatever bytes a broker sends, following them neither panics nor lets a
// packet above the limit pass.
func FuzzFollow(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, p []byte) {
		var b bounded
		for i := range p {
			if err := b.follow(p[i : i+1]); err != nil {
				return
			}
			if b.left > maxPacket {
				t.Fatal(b.left)
			}
		}
	})
}

var errTest = errors.New("test")

func TestPlain(t *testing.T) {
	require.Equal(t, errTest, plain(fmt.Errorf("%w : %w", errors.New("network"), errTest)))
	require.Equal(t, errTest, plain(errTest))
}
