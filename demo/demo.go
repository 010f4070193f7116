package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/server"
	"github.com/thermie/thermie/simulator/port"
)

// Options of the demo.
type Options struct {
	Listen    string // of the dashboard
	Data      string // folder
	Seed      uint64
	SeedGiven bool   // a folder made with another seed is refused
	Replay    string // CSV file of measured readings; "": none
	Out       io.Writer
	Lang      string // "fr" or "en": what is printed
	Log       *slog.Logger
	Version   string
	Clock     func() time.Time // nil: time.Now
}

// ErrUsage marks what the caller can mend by another argument.
var ErrUsage = errors.New("wrong argument")

// demo is one running demo.
type demo struct {
	o        Options
	log      *slog.Logger
	state    *state
	port     *port.Port
	broker   *broker.Server
	server   *server.Server
	sites    []*site
	meters   *port.Servers     // while the gateways read them
	secrets  map[string]string // broker passwords by user
	progress progress
	failed   chan error // of anything that runs in the background
}

// Run runs a port until ctx ends, which is no error.
func Run(ctx context.Context, o Options) (err error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &demo{o: o, log: o.Log, failed: make(chan error, 64)}
	d.progress.say(opening)
	replay, sum, err := readReplay(o.Replay)
	if err != nil {
		return err
	}
	if d.state, err = openState(o.Data, o.Seed, o.SeedGiven, sum, o.Clock()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.state.close()) }()
	if err := d.open(ctx, replay); err != nil {
		return errors.Join(err, d.close())
	}
	err = d.run(ctx)
	return errors.Join(err, d.close())
}

func readReplay(path string) (*port.Replay, string, error) {
	if path == "" {
		return nil, "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("replay: %w: %w", ErrUsage, err)
	}
	x, err := port.ParseReplay(path, strings.NewReader(string(b)))
	if err != nil {
		return nil, "", fmt.Errorf("replay: %w: %w", ErrUsage, err)
	}
	h := sha256.Sum256(b)
	return x, hex.EncodeToString(h[:]), nil
}

// open opens everything that listens or writes, before anything runs.
func (d *demo) open(ctx context.Context, replay *port.Replay) (err error) {
	if d.port, err = port.New(port.Options{Seed: d.state.Seed, Epoch: d.state.Epoch, Replay: replay}); err != nil {
		return err
	}
	programme, err := d.port.Programme(d.o.Clock())
	if err != nil {
		return err
	}
	if err := d.openBroker(ctx, programme.Territory.ID); err != nil {
		return err
	}
	if err := d.openServer(ctx, programme); err != nil {
		return err
	}
	if err := d.enrol(ctx); err != nil {
		return err
	}
	return d.openAccounts(ctx, programme.People)
}

func (d *demo) openServer(ctx context.Context, programme registry.Programme) (err error) {
	secret := filepath.Join(d.o.Data, "ingest-password")
	if err := writeSecret(secret, d.secrets["ingest"]); err != nil {
		return err
	}
	data, err := filepath.Abs(filepath.Join(d.o.Data, "server"))
	if err != nil {
		return err
	}
	d.server, err = server.Open(ctx, server.Options{
		Config: server.Config{
			Data: data, Listen: d.o.Listen, AssessAt: "03:15", Store: server.Store{Kind: "embedded"},
			Broker: server.Broker{URL: d.broker.URL(), Username: "ingest", PasswordFile: secret},
		},
		Roles: server.Roles{Ingest: true, Serve: true}, Programme: &programme, Progress: &d.progress,
		AssessEvery: 15 * time.Minute, Clock: d.o.Clock, Log: d.log, Version: d.o.Version,
	})
	return err
}

// run tells the history and then lets the gateways read, until ctx ends or
// something fails.
func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		err := d.server.Run(ctx)
		if err == nil && ctx.Err() == nil {
			err = errors.New("the server stopped")
		}
		if err != nil {
			d.fail(err)
		}
		served <- err
	}()
	d.greet()
	stop := d.showProgress(ctx)
	err := d.live(ctx)
	stop()
	if err == nil {
		err = d.watch(ctx)
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	err = errors.Join(err, d.stopSites())
	cancel()
	<-served
	if err == nil {
		d.farewell()
	}
	return err
}

// watch notes now and then up to when the gateways have read, until ctx ends or
// something fails. The port's contacts begin when the assessment is through.
func (d *demo) watch(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	told := false
	for {
		var err error
		if !told {
			if told, err = contacts(ctx, d.server.Registry()); err != nil {
				return err
			}
		}
		select {
		case err = <-d.failed:
		case <-tick.C:
			d.state.Until = d.o.Clock().UTC()
			if err = d.state.save(); err == nil {
				continue
			}
		case <-ctx.Done():
		}
		d.state.Until = d.o.Clock().UTC()
		return errors.Join(err, d.state.save())
	}
}

// live tells the history, catches up, and starts the gateways.
func (d *demo) live(ctx context.Context) error {
	if err := d.startPublishers(ctx); err != nil {
		return err
	}
	if err := d.history(ctx); err != nil {
		return err
	}
	if err := d.catchUp(ctx, d.o.Clock()); err != nil {
		return err
	}
	if err := d.stopSites(); err != nil {
		return err
	}
	if err := d.startGateways(ctx); err != nil {
		return err
	}
	d.progress.end()
	return nil
}

func (d *demo) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
}

func (d *demo) close() error {
	var errs []error
	errs = append(errs, d.stopSites())
	if d.server != nil {
		errs = append(errs, d.server.Close())
	}
	if d.broker != nil {
		errs = append(errs, d.broker.Close())
	}
	return errors.Join(errs...)
}

func writeSecret(path, secret string) error {
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	return nil
}
