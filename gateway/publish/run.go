package publish

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

// Defaults of Options.
const (
	DefaultWindow = 64
	DefaultResend = time.Minute
)

// statusEvery is how often the status is published although nothing changed.
const statusEvery = time.Minute

// lookEvery is how often the session looks for what is overdue: patience is counted
// in minutes, and each look wakes a process that sleeps between polls.
const lookEvery = 5 * time.Second

// Options of Run.
type Options struct {
	Territory, Gateway string
	Outbox             *outbox.Outbox
	// Broker says where to connect. ClientID, when empty, is the gateway's id;
	// Will and CleanSession are set here: a session starts afresh, because what
	// has no receipt is sent again anyway.
	Broker    mqtt.Options
	IngestKey ed25519.PublicKey // verifies receipts

	// Status, when not nil, is published, retained, on each connection, each
	// minute and when Changed delivers a value; the last will and the clean end
	// are a status that is not online.
	Status  func() batch.Status
	Changed <-chan struct{}

	// Desired, when not nil, is given each message of the config topic; what Report
	// gives then, and on each connection, is published, retained, on the report topic.
	Desired func(message []byte)
	Report  func() []byte

	// Window bounds the batches that the broker has not acknowledged, and four
	// windows those that have no receipt; 0 means DefaultWindow.
	Window int
	// InOrder keeps strictly to the order of numbers, for history.
	InOrder bool
	Resend  time.Duration // a batch without receipt for so long is sent again; 0 means DefaultResend
	// Patient goes on when the broker refuses the very first sign-in, as it does
	// later; otherwise that is an error.
	Patient bool

	Stats    *Stats          // counts, when not nil
	Observed func(err error) // told nil when connected, else why there is no connection; may be nil
	Now      func() time.Time
	Log      *slog.Logger

	tick    <-chan time.Time // for tests; when nil, a ticker of lookEvery
	backoff *mqtt.Backoff
}

// Stats counts since the start.
type Stats struct {
	Published   atomic.Uint64 // batches sent and acknowledged by the broker
	Resent      atomic.Uint64 // of them for want of a receipt
	Receipts    atomic.Uint64 // batches that receipts let go
	Rejected    atomic.Uint64 // of them into ingest's quarantine
	BadReceipts atomic.Uint64 // receipts that do not verify or fit
	Connections atomic.Uint64
}

func (o *Options) complete() error {
	switch {
	case metering.CheckID(o.Territory) != nil:
		return fmt.Errorf("publish: territory: %w", metering.CheckID(o.Territory))
	case metering.CheckID(o.Gateway) != nil:
		return fmt.Errorf("publish: gateway: %w", metering.CheckID(o.Gateway))
	case o.Outbox == nil:
		return errors.New("publish: wants an outbox")
	case len(o.IngestKey) != ed25519.PublicKeySize:
		return fmt.Errorf("publish: key of ingest: %d bytes, want %d", len(o.IngestKey), ed25519.PublicKeySize)
	}
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	if o.Resend <= 0 {
		o.Resend = DefaultResend
	}
	if o.Stats == nil {
		o.Stats = &Stats{}
	}
	if o.Observed == nil {
		o.Observed = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Broker.Log == nil {
		o.Broker.Log = o.Log
	}
	if o.Broker.ClientID == "" {
		o.Broker.ClientID = strings.ReplaceAll(o.Gateway, ".", ":") // NATS takes no dots; no id has a colon
	}
	if o.backoff == nil {
		o.backoff = &mqtt.Backoff{}
	}
	o.Broker.CleanSession = true
	return nil
}

func (o *Options) topic(leaf batch.Leaf) string { return batch.Topic(o.Territory, o.Gateway, leaf) }

// Run publishes until ctx ends, which is no error. It dials again whenever the
// connection is lost; only a broker that refuses the very first sign-in or
// subscription is an error, unless Patient.
func Run(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	if o.tick == nil {
		t := time.NewTicker(lookEvery)
		defer t.Stop()
		o.tick = t.C
	}
	for first := true; ctx.Err() == nil; first = false {
		began, receipts := o.Now(), o.Stats.Receipts.Load()
		err := connect(ctx, &o)
		if ctx.Err() != nil {
			break
		}
		o.Observed(err)
		if first && !o.Patient && errors.Is(err, mqtt.ErrRefused) {
			return fmt.Errorf("publish: %w", err)
		}
		if o.Now().Sub(began) > time.Minute || o.Stats.Receipts.Load() != receipts {
			o.backoff.Reset()
		}
		wait := o.backoff.Next()
		o.Log.Warn("publish: connecting again", "in", wait, "cause", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

// connect is one connection to the broker.
func connect(ctx context.Context, o *Options) error {
	broker := o.Broker
	if o.Status != nil {
		will, err := encodeStatus(batch.Status{Gateway: o.Gateway, At: o.Now().UTC()})
		if err != nil {
			return err
		}
		broker.Will = &mqtt.Will{Topic: o.topic(batch.TopicStatus), Payload: will, Retained: true}
	}
	conn, err := mqtt.Dial(ctx, broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	sctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := newSession(o, conn, stop)
	topics := []string{o.topic(batch.TopicReceipt)}
	if o.Desired != nil {
		topics = append(topics, o.topic(batch.TopicConfig))
	}
	if err := conn.Subscribe(sctx, topics, s.received); err != nil {
		return err
	}
	o.Stats.Connections.Add(1)
	o.Observed(nil)
	o.Log.Info("publish: connected", "broker", broker.Broker, "gateway", o.Gateway, "waiting", o.Outbox.Status().Batches)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.collect(sctx)
	}()
	err = s.run(sctx)
	stop(nil)
	<-ended
	if ctx.Err() != nil && conn.Err() == nil {
		s.goodbye()
	}
	return err
}
