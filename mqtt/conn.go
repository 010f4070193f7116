package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	connectTimeout = 20 * time.Second
	// writeTimeout bounds one write to the network: 60 kB at 64 kbit/s fit.
	writeTimeout = 10 * time.Second
	pingTimeout  = 10 * time.Second
	// quiesce is how long a graceful goodbye may take.
	quiesce = 2 * time.Second
)

// Errors of a connection, wrapped with the broker's address and the topic.
var (
	ErrRefused = errors.New("refused by the broker") // sign-in or subscription
	ErrClosed  = errors.New("connection closed")
	ErrLost    = errors.New("connection lost")
)

// Options describe one connection.
type Options struct {
	Broker             string // tcp://host:1883 or tls://host:8883
	ClientID           string
	Username, Password string
	TLS                *tls.Config // for tls://; nil takes the system's authorities
	// CleanSession false keeps subscriptions and unacknowledged messages at the
	// broker under ClientID between connections.
	CleanSession bool
	Will         *Will
	KeepAlive    time.Duration // whole seconds; 30 s when zero
	Log          *slog.Logger
}

// Will is published by the broker when the connection is lost, with QoS 1.
type Will struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// Conn is one connection to a broker. It may be used from several goroutines.
type Conn struct {
	name   string // broker address for messages
	client paho.Client
	log    *slog.Logger
	inbox  *inbox
	sends  chan send

	closing sync.Once
	ending  sync.Once
	gone    chan struct{} // the network connection has ended
	done    chan struct{} // and so has everything that ran on it
	workers sync.WaitGroup
	mu      sync.Mutex
	err     error
}

// Dial makes one attempt to connect and sign in. A broker that refuses the
// sign-in gives an error that wraps ErrRefused and says why.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	u, err := url.Parse(o.Broker)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("broker address %q: want tcp://host:port or tls://host:port", o.Broker)
	}
	if u.Scheme != "tcp" && u.Scheme != "tls" {
		return nil, fmt.Errorf("broker address %q: scheme %q: want tcp or tls", o.Broker, u.Scheme)
	}
	if o.ClientID == "" {
		return nil, fmt.Errorf("broker %s: no client id", o.Broker)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Conn{
		name: u.Scheme + "://" + u.Host, log: o.Log, inbox: newInbox(),
		sends: make(chan send), gone: make(chan struct{}), done: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c.client = paho.NewClient(c.clientOptions(ctx, o, u))
	token := c.client.Connect()
	<-token.Done() // the connection's own deadline and ctx end it
	if err := token.Error(); err != nil {
		return nil, c.dialError(ctx, o, err)
	}
	c.workers.Add(2)
	go c.sendLoop()
	go c.inbox.run(c.gone, &c.workers)
	return c, nil
}

func (c *Conn) clientOptions(ctx context.Context, o Options, u *url.URL) *paho.ClientOptions {
	keepAlive := o.KeepAlive
	if keepAlive == 0 {
		keepAlive = 30 * time.Second
	}
	p := paho.NewClientOptions().
		AddBroker(c.name).SetClientID(o.ClientID).SetUsername(o.Username).SetPassword(o.Password).
		SetProtocolVersion(4).SetCleanSession(o.CleanSession).SetStore(noStore{}).
		SetAutoReconnect(false).SetConnectRetry(false).SetResumeSubs(false).
		SetOrderMatters(true).SetAutoAckDisabled(true).
		SetKeepAlive(max(keepAlive, time.Second)).SetPingTimeout(pingTimeout).
		SetConnectTimeout(connectTimeout).SetWriteTimeout(writeTimeout).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.receive(m) }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { c.end(fmt.Errorf("broker %s: %w: %w", c.name, ErrLost, err)) }).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return open(ctx, u, o.TLS) })
	if o.Will != nil {
		p.SetBinaryWill(o.Will.Topic, o.Will.Payload, 1, o.Will.Retained)
	}
	return p
}

// open dials and, until the sign-in is over, ends with ctx.
func open(ctx context.Context, u *url.URL, conf *tls.Config) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 30 * time.Second}
	if u.Scheme == "tcp" {
		conn, err := d.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return nil, err
		}
		return newBounded(ctx, conn), nil
	}
	if conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conn, err := (&tls.Dialer{NetDialer: &d, Config: conf}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	return newBounded(ctx, conn), nil
}

func (c *Conn) dialError(ctx context.Context, o Options, err error) error {
	for _, refusal := range []error{packets.ErrorRefusedBadUsernameOrPassword, packets.ErrorRefusedNotAuthorised,
		packets.ErrorRefusedIDRejected, packets.ErrorRefusedServerUnavailable, packets.ErrorRefusedBadProtocolVersion} {
		if errors.Is(err, refusal) {
			return fmt.Errorf("broker %s: sign-in of user %q as client %q %w: %v", c.name, o.Username, o.ClientID, ErrRefused, refusal)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("broker %s: connect: %w", c.name, context.Cause(ctx))
	}
	return fmt.Errorf("broker %s: connect: %w", c.name, plain(err))
}

// plain takes the cause out of paho's double wrapping.
func plain(err error) error {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		if list := many.Unwrap(); len(list) > 1 && list[1] != nil {
			return list[1]
		}
	}
	return err
}

type send struct {
	topic    string
	retained bool
	payload  []byte
	token    chan paho.Token
}

// sendLoop is the only caller of paho's Publish: that call blocks for up to
// writeTimeout when the connection goes at the wrong moment, and here nobody
// waits with it.
func (c *Conn) sendLoop() {
	defer c.workers.Done()
	for {
		select {
		case <-c.gone:
			return
		case s := <-c.sends:
			s.token <- c.client.Publish(s.topic, 1, s.retained, s.payload)
		}
	}
}

// Publish sends a message with QoS 1 and returns nil only after the broker has
// acknowledged it on this connection. On any error the message may or may not
// have arrived; send it again on the next connection.
func (c *Conn) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	s, err := c.Send(ctx, topic, retained, payload)
	if err != nil {
		return err
	}
	return s.Wait(ctx)
}

// Sent is a message on its way to the broker.
type Sent struct {
	conn  *Conn
	topic string
	token chan paho.Token
}

// Send is Publish without the wait: it returns when the message is handed to the
// connection. Messages that one goroutine sends travel in that order, so that a
// window of them can be under way without overtaking each other.
func (c *Conn) Send(ctx context.Context, topic string, retained bool, payload []byte) (*Sent, error) {
	s := send{topic: topic, retained: retained, payload: payload, token: make(chan paho.Token, 1)}
	select {
	case c.sends <- s:
		return &Sent{c, topic, s.token}, nil
	case <-c.gone:
		return nil, c.failed("publish to "+topic, c.Err())
	case <-ctx.Done():
		return nil, c.failed("publish to "+topic, ctx.Err())
	}
}

// Wait returns what Publish would have; it is called once.
func (s *Sent) Wait(ctx context.Context) error {
	what := "publish to " + s.topic
	select {
	case token := <-s.token:
		return s.conn.await(ctx, token, what)
	case <-s.conn.gone:
		return s.conn.failed(what, s.conn.Err())
	case <-ctx.Done():
		return s.conn.failed(what, ctx.Err())
	}
}

// await waits for a token that paho may never complete.
func (c *Conn) await(ctx context.Context, token paho.Token, what string) error {
	select {
	case <-token.Done():
	case <-c.gone:
		select { // acknowledged just before the end is acknowledged
		case <-token.Done():
		default:
			return c.failed(what, c.Err())
		}
	case <-ctx.Done():
		return c.failed(what, ctx.Err())
	}
	if err := token.Error(); err != nil {
		return c.failed(what, err)
	}
	return nil
}

func (c *Conn) failed(what string, err error) error {
	if strings.HasPrefix(err.Error(), "broker ") {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("broker %s: %s: %w", c.name, what, err)
}

// Subscribe asks for topics with QoS 1 and names their handler, which is called
// for one message at a time, in the order of arrival, and must acknowledge each
// in the end (Message.Ack, from any goroutine). Messages not acknowledged come
// again on the next connection when the session is persistent. Topics may be
// shared ("$share/group/filter"). A topic that the broker refuses gives an
// error that wraps ErrRefused.
func (c *Conn) Subscribe(ctx context.Context, topics []string, handle func(Message)) error {
	if len(topics) == 0 {
		return fmt.Errorf("broker %s: subscribe to no topic", c.name)
	}
	c.inbox.add(topics, handle)
	filters := make(map[string]byte, len(topics))
	for _, t := range topics {
		filters[t] = 1
	}
	what := "subscribe to " + strings.Join(topics, ", ")
	result := make(chan paho.Token, 1)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.failed(what, c.err)
	}
	c.workers.Add(1)
	c.mu.Unlock()
	go func() {
		defer c.workers.Done()
		result <- c.client.SubscribeMultiple(filters, nil)
	}()
	var token paho.Token
	select {
	case token = <-result:
	case <-c.gone:
		return c.failed(what, c.Err())
	case <-ctx.Done():
		return c.failed(what, ctx.Err())
	}
	if err := c.await(ctx, token, what); err != nil {
		return err
	}
	for topic, code := range token.(*paho.SubscribeToken).Result() {
		if code == 0x80 {
			return c.failed("subscribe to "+topic, ErrRefused)
		}
	}
	return nil
}

func (c *Conn) receive(m paho.Message) {
	err := c.inbox.push(Message{
		Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained(), Duplicate: m.Duplicate(), Ack: m.Ack,
	})
	if err != nil {
		c.log.Error("connection given up", "broker", c.name, "err", err)
		c.end(fmt.Errorf("broker %s: %w", c.name, err))
		go c.Close()
	}
}

// end records why the connection is no more; the first reason stays.
func (c *Conn) end(err error) {
	c.ending.Do(func() {
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		close(c.gone)
	})
}

// Done is closed when the connection has ended; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.gone }

// Err is nil while the connection lives, wraps ErrLost when it was lost and
// ErrClosed after Close.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close says goodbye to the broker, so that it does not publish the will, and
// returns when every goroutine of the connection has ended. A handler that is
// running is waited for: do not call Close from it.
func (c *Conn) Close() error {
	c.closing.Do(func() {
		defer close(c.done)
		c.client.Disconnect(uint(quiesce.Milliseconds()))
		c.end(fmt.Errorf("broker %s: %w", c.name, ErrClosed))
		c.workers.Wait()
	})
	<-c.done
	return nil
}
