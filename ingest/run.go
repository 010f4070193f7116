package ingest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

// Options of Run.
type Options struct {
	Territory string
	Ledger    *ledger.Ledger
	// Chains, when not nil, are used and kept up to date; otherwise Run reads
	// them from the whole ledger at its start. Whoever opened them saves them;
	// Run does so now and then, and at its end.
	Chains *Chains
	// Keys finds the public key of an enrolled gateway. It is asked for every
	// batch, so that enrolment and rotation need no restart.
	Keys batch.Keys
	Key  ed25519.PrivateKey // signs receipts
	// Broker says where to connect. CleanSession is ignored: the session is
	// persistent. ClientID, when empty, is made from the territory; with Shared
	// each process needs one of its own.
	Broker mqtt.Options
	// Shared lets several processes share the batches of a territory
	// ("$share/thermie-ingest/..."); the broker must know shared subscriptions.
	// One of them owns the ledger and calls Run, the others call Work.
	Shared bool
	// Socket is where, with Shared, the owner of the ledger listens for the others.
	Socket     string
	Quarantine *Quarantine
	Inbox      *Inbox             // of batches that importers leave; nil: none
	OnStatus   func(batch.Status) // one at a time; nil to ignore
	// OnReport is told what gateways say of their configuration, one at a time; nil to ignore.
	OnReport func(batch.ConfigReport)
	Alarm    func(metering.Alarm) // one at a time; the same trouble keeps its ID; nil to ignore
	Lasting  []metering.Alarm     // raised by an earlier Run and not ended yet; others are passed over
	// Window bounds the batches that are received and not yet acknowledged; 0
	// means 512.
	Window int
	Now    func() time.Time // time.Now when nil
	Log    *slog.Logger

	tick    <-chan time.Time // for tests; when nil, a ticker of tickEvery
	backoff *mqtt.Backoff
}

// tickEvery is how often the quarantine is asked for replays and the chains are
// saved.
const tickEvery = 5 * time.Second

const sharedGroup = "thermie-ingest"

func (o *Options) complete() error {
	switch {
	case metering.CheckID(o.Territory) != nil:
		return fmt.Errorf("ingest: territory: %w", metering.CheckID(o.Territory))
	case o.Keys == nil:
		return errors.New("ingest: wants keys")
	case len(o.Key) != ed25519.PrivateKeySize:
		return fmt.Errorf("ingest: key for receipts: %d bytes, want %d", len(o.Key), ed25519.PrivateKeySize)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Window <= 0 {
		o.Window = 512
	}
	if o.Broker.ClientID == "" {
		o.Broker.ClientID = "thermie-ingest-" + strings.ReplaceAll(o.Territory, ".", "-")
	}
	if o.Broker.Log == nil {
		o.Broker.Log = o.Log
	}
	if o.backoff == nil {
		o.backoff = &mqtt.Backoff{}
	}
	o.Broker.CleanSession = false
	return nil
}

// Run receives batches until ctx ends, which is no error, or the ledger has
// failed. It dials again whenever the connection is lost; only a broker that
// refuses the very first sign-in or subscription is an error.
func Run(ctx context.Context, o Options) (err error) {
	if o.Ledger == nil || o.Quarantine == nil {
		return errors.New("ingest: wants a ledger and a quarantine")
	}
	if err := o.complete(); err != nil {
		return err
	}
	if o.Chains == nil {
		if o.Chains, err = OpenChains(ctx, o.Ledger, ""); err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
	}
	if o.tick == nil {
		t := time.NewTicker(tickEvery)
		defer t.Stop()
		o.tick = t.C
	}
	p := newPipeline(o, runtime.GOMAXPROCS(0))
	defer func() { err = errors.Join(err, o.Chains.Save()) }()
	if o.Shared && o.Socket != "" {
		close, err := p.serve(ctx)
		if err != nil {
			return fmt.Errorf("ingest: %w", err)
		}
		defer close()
	}
	return p.sessions(ctx)
}

// sessions are one connection to the broker after another.
func (p *pipeline) sessions(ctx context.Context) error {
	defer func() { p.o.Log.Info("ingest: ended", "acknowledged", p.done.Load()) }()
	for first := true; ctx.Err() == nil; first = false {
		began, done := p.o.Now(), p.done.Load()
		err := p.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if fatal(err) || first && errors.Is(err, mqtt.ErrRefused) {
			return fmt.Errorf("ingest: %w", err)
		}
		if p.o.Now().Sub(began) > time.Minute || p.done.Load() != done {
			p.o.backoff.Reset()
		}
		wait := p.o.backoff.Next()
		p.o.Log.Warn("ingest: connecting again", "in", wait, "cause", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

// fatal says that trying again with the same ledger is of no use.
func fatal(err error) bool {
	return errors.Is(err, ledger.ErrFailed) || errors.Is(err, ledger.ErrClosed) || errors.Is(err, ledger.ErrDamaged) || errors.Is(err, ErrOwnerGone)
}

// session is one connection to the broker.
func (p *pipeline) session(ctx context.Context) error {
	conn, err := mqtt.Dial(ctx, p.o.Broker)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := p.start(ctx, stop, conn.Publish)
	defer func() {
		stop(nil) // lets a waiting handler go
		<-ended
		conn.Close()
	}()
	receive := func(m mqtt.Message) { p.receive(ctx, m) }
	if err := conn.Subscribe(ctx, p.topics(), receive); err != nil {
		return err
	}
	if p.owner == nil {
		err := conn.Subscribe(ctx, []string{batch.Topic(p.o.Territory, "+", batch.TopicReport)}, receive)
		if errors.Is(err, mqtt.ErrRefused) {
			p.o.Log.Warn("ingest: the broker's access rules hide what gateways say of their configuration", "error", err)
		} else if err != nil {
			return err
		}
	}
	p.o.Log.Info("ingest: connected", "broker", p.o.Broker.Broker, "territory", p.o.Territory)
	select {
	case <-conn.Done():
		return conn.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// topics are what to subscribe to. Statuses are retained and go to everyone; so are reports,
// which are asked for apart: no batch shall wait for a rule that lacks them.
func (p *pipeline) topics() []string {
	batches := batch.Topic(p.o.Territory, "+", batch.TopicBatch)
	if p.o.Shared {
		batches = "$share/" + sharedGroup + "/" + batches
	}
	if p.owner != nil {
		return []string{batches} // the owner of the ledger keeps the statuses
	}
	return []string{batches, batch.Topic(p.o.Territory, "+", batch.TopicStatus)}
}
