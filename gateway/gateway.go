package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/journal"
	"github.com/thermie/thermie/gateway/mirror"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/gateway/publish"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/pki"
)

// Options complete a configuration.
type Options struct {
	Log     *slog.Logger
	Now     func() time.Time // time.Now when nil
	Version string
	// Clock is the condition of the clock; nil asks the system.
	Clock func() batch.Clock
	// Remote takes desired configurations; nil: there are none.
	Remote Reconfigurer
}

// Reconfigurer is where desired configurations go; see gateway/remote.
type Reconfigurer interface {
	Desired(message []byte) (restart bool)
	Report() []byte
	Trial() (within time.Duration, trying bool)
	Reached()
	RollBack(why string)
}

// ErrReconfigured says that the gateway is to be made anew: its configuration
// became another.
var ErrReconfigured = errors.New("the configuration became another")

// Gateway is one that runs, or is ready to.
type Gateway struct {
	conf     Config
	o        Options
	log      *slog.Logger
	recent   *recent
	box      *outbox.Outbox
	batcher  *batcher
	journal  *journal.Journal // nil: there is none
	workers  []*poll.Worker
	mirror   *mirror.Mirror // nil for none
	publish  publish.Options
	stats    publish.Stats
	expiry   time.Time
	password string // of the page, "" for none
	started  time.Time
	changed  chan struct{}
	link     atomic.Pointer[link]
	ran      atomic.Bool
	running  atomic.Bool
}

// link is the connection to the broker as last seen.
type link struct {
	since time.Time
	err   string // "" when connected
}

const (
	// drainTime is how long a gateway that stops waits for the receipts of its
	// last batch. Without them it is delivered after the next start.
	drainTime = 2 * time.Second
	// changesEvery bounds how often the status is published for a change.
	changesEvery = 5 * time.Second
	watchEvery   = 5 * time.Second
)

// New puts a gateway together and takes its data folder. It reaches neither
// meters nor broker. Whoever does not call Run calls Close.
func New(conf Config, o Options) (*Gateway, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	seen := newRecent(o.Log.Handler())
	g := &Gateway{conf: conf, o: o, recent: seen, log: slog.New(seen).With("gateway", conf.Gateway), changed: make(chan struct{}, 1), started: o.Now()}
	g.link.Store(&link{since: g.started, err: "not connected yet"})
	if err := g.publisher(); err != nil {
		return nil, err
	}
	if f := conf.Page.PasswordFile; f != "" {
		var err error
		if g.password, err = readPassword(f); err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
	}
	for _, b := range conf.buses {
		w, err := poll.New(b, poll.Options{Emit: g.emit, Now: o.Now, Log: g.log})
		if err != nil {
			return nil, err
		}
		g.workers = append(g.workers, w)
	}
	why := lost(conf.Data)
	key, err := LoadKey(conf.Data)
	if err != nil {
		return nil, err
	}
	g.box, err = outbox.Open(SpoolDir(conf.Data), outbox.Options{Gateway: conf.Gateway, Key: key, Config: conf.hash, Origin: conf.Origin,
		MaxBytes: conf.Spool.MaxBytes, DropOldest: conf.Spool.WhenFull == "drop_oldest", Lost: why, Log: g.log, Now: o.Now})
	if err != nil {
		return nil, err
	}
	clock := newClock(o.Now)
	if o.Clock != nil {
		clock.system = o.Clock
	}
	g.batcher = newBatcher(g.box, conf.BatchInterval, clock, g.log)
	g.batcher.average = newAverager(conf.means)
	g.resume()
	return g, nil
}

// resume has what is read kept in a journal from now on, and takes what it kept
// of a process that was killed.
func (g *Gateway) resume() {
	boot, err := journal.Boot()
	var kept []metering.Reading
	if err == nil {
		g.journal, kept, err = journal.Open(filepath.Join(g.conf.Data, "journal"), boot, g.box.LastNumber)
	}
	if err != nil {
		g.log.Warn("readings of an open batch are lost if the gateway is killed", "error", err)
	}
	g.batcher.resume(g.journal, kept)
}

// emit takes what a bus gave; it does not block.
func (g *Gateway) emit(r []metering.Reading) {
	g.batcher.add(r)
	if g.mirror != nil {
		g.mirror.Emit(r)
	}
}

// publisher reads the secrets that the broker wants, and those of the mirror's.
func (g *Gateway) publisher() (err error) {
	g.publish = publish.Options{Territory: g.conf.Territory, Gateway: g.conf.Gateway, Stats: &g.stats, Changed: g.changed, Status: g.Status,
		Observed: g.observed, Now: g.o.Now, Log: g.log}
	if g.publish.IngestKey, err = g.conf.ingestKey(); err != nil {
		return fmt.Errorf("ingest_key: %w", err)
	}
	if g.publish.Broker, err = g.conf.Broker.options(); err != nil {
		return err
	}
	if f := g.conf.Broker.CertFile; f != "" {
		if g.expiry, err = pki.Expiry(f); err != nil {
			return err
		}
	}
	if m := g.conf.Mirror; m != nil {
		o := mirror.Options{Gateway: g.conf.Gateway, Topic: m.Topic, Discovery: m.HomeAssistant, Meters: g.mirrored(), Log: g.log}
		if o.Broker, err = m.Broker.options(); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
		g.mirror = mirror.New(o)
	}
	return nil
}

// options are those of a connection, with the secrets that it wants.
func (b Broker) options() (o mqtt.Options, err error) {
	o = mqtt.Options{Broker: b.URL, Username: b.Username}
	if b.PasswordFile != "" {
		text, err := os.ReadFile(b.PasswordFile)
		if err != nil {
			return o, fmt.Errorf("broker password: %w", err)
		}
		o.Password = strings.TrimRight(string(text), "\r\n")
	}
	if strings.HasPrefix(b.URL, "tls://") {
		if o.TLS, err = pki.Client(b.CAFile, b.CertFile, b.KeyFile); err != nil {
			return o, fmt.Errorf("broker %s: %w", b.URL, err)
		}
	}
	return o, nil
}

// mirrored describes the meters for discovery.
func (g *Gateway) mirrored() (out []mirror.Meter) {
	for _, b := range g.conf.buses {
		for _, m := range b.Meters {
			x := mirror.Meter{ID: m.ID, Maker: m.Profile.Maker, Model: strings.Join(m.Profile.Models, ", "), Units: map[metering.SeriesID]metering.Unit{}}
			for _, s := range m.Series() {
				x.Series, x.Units[s.ID] = append(x.Series, s.ID), s.Unit
			}
			out = append(out, x)
		}
	}
	return out
}

func (g *Gateway) observed(err error) {
	l := &link{since: g.o.Now()}
	if err != nil {
		l.err = err.Error()
	} else if g.o.Remote != nil {
		g.o.Remote.Reached()
	}
	if old := g.link.Load(); old.err != "" && l.err != "" {
		l.since = old.since
	}
	g.link.Store(l)
}

// Close gives the data folder back. Run does it at its end.
func (g *Gateway) Close() error { return errors.Join(g.journal.Close(), g.box.Close()) }

// Run reads and delivers until ctx ends, then closes a last batch, and returns
// nil. A broker that refuses the sign-in of a gateway that has never delivered
// anything is an error, so that whoever installs it sees it.
func (g *Gateway) Run(ctx context.Context) error {
	if !g.ran.CompareAndSwap(false, true) {
		return errors.New("the gateway was run already")
	}
	g.running.Store(true)
	defer g.running.Store(false)
	defer g.Close()
	outer := ctx
	ctx, stop := context.WithCancelCause(outer)
	defer stop(nil)
	g.log.Info("gateway started", "version", g.o.Version, "config", g.conf.hash.String()[:12], "buses", len(g.workers), "waiting", g.box.Status().Batches)

	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	sent := make(chan struct{})
	g.publish.Outbox, g.publish.Patient = g.box, g.box.Reached()
	if r := g.o.Remote; r != nil {
		g.publish.Report = r.Report
		g.publish.Desired = func(m []byte) {
			if r.Desired(m) {
				stop(ErrReconfigured)
			}
		}
		defer g.trial(ctx, r, stop)()
	}
	go func() {
		defer close(sent)
		if err := publish.Run(sending, g.publish); err != nil {
			stop(err)
		}
	}()
	var reading sync.WaitGroup
	for _, w := range g.workers {
		reading.Go(func() {
			if err := w.Run(ctx); err != nil {
				stop(err)
			}
		})
	}
	reading.Go(func() { g.batcher.run(ctx) })
	if g.mirror != nil {
		reading.Go(func() { g.mirror.Run(ctx) })
	}
	reading.Go(func() { g.watch(ctx) })
	<-ctx.Done()
	reading.Wait()
	g.batcher.close(g.o.Now())
	if !errors.Is(context.Cause(ctx), ErrReconfigured) { // else the next one delivers it
		g.drain()
	}
	stopSending()
	<-sent
	fault, _, _ := g.batcher.snapshot()
	if fault != "" {
		g.log.Error("stopped with readings that could not be kept", "reason", fault)
	}
	if outer.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// trial goes back to the configuration before when the broker is not reached in
// time with one that is tried. The function that it returns ends the watch.
func (g *Gateway) trial(ctx context.Context, r Reconfigurer, stop func(error)) (end func()) {
	within, trying := r.Trial()
	if !trying {
		return func() {}
	}
	timer := time.AfterFunc(within, func() {
		if _, still := r.Trial(); still && ctx.Err() == nil {
			r.RollBack(fmt.Sprintf("the broker was not reached within %v: %s", within, g.link.Load().err))
			stop(ErrReconfigured)
		}
	})
	return func() { timer.Stop() }
}

// drain gives the last batch a moment to be delivered, if there is a connection
// and little to send.
func (g *Gateway) drain() {
	deadline := time.Now().Add(drainTime)
	for time.Now().Before(deadline) {
		if n := g.box.Status().Batches; n == 0 || n > publish.DefaultWindow || g.link.Load().err != "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// watch has the status published when something in it changes that a person
// should see.
func (g *Gateway) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var told time.Time
	last := g.signature()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := g.signature()
		if now == last || time.Since(told) < changesEvery {
			continue
		}
		last, told = now, time.Now()
		select {
		case g.changed <- struct{}{}:
		default:
		}
	}
}

// signature is the part of the status whose change is worth telling.
func (g *Gateway) signature() string {
	var b strings.Builder
	s := g.Status()
	fmt.Fprint(&b, s.Clock.Synchronised, s.Spool.Fault != "")
	for _, m := range s.Meters {
		fmt.Fprint(&b, m.Fault, ",")
	}
	return b.String()
}

// Status is what the gateway says of itself. It may be called at any time.
func (g *Gateway) Status() batch.Status {
	fault, clock, _ := g.batcher.snapshot()
	s := batch.Status{Gateway: g.conf.Gateway, At: g.o.Now().UTC(), Online: g.running.Load(), Version: g.o.Version, Config: g.conf.hash.String(),
		StartedAt: g.started.UTC(), Clock: clock, Spool: g.box.Status(), CertExpiry: g.expiry}
	s.Spool.Fault = fault
	for _, w := range g.workers {
		bus, meters := w.Status()
		s.Buses = append(s.Buses, bus)
		s.Meters = append(s.Meters, meters...)
	}
	return s
}
