package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/remote"
)

func runCommand(slacken func(time.Duration) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "Read the meters and deliver their readings until stopped",
		Long: `Run reads the meters of every bus, closes a signed batch each interval, keeps it on
disk and delivers it when there is a network. Stop it with Ctrl-C or SIGTERM: it
closes a last batch. Nothing is lost when it is killed instead.`,
		Args: cobra.NoArgs,
	}
	load := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		debug.SetGCPercent(startPercent)
		conf, err := load()
		if err != nil {
			return err
		}
		log := newLog(c.ErrOrStderr(), conf.Log)
		if slack := slackOf(conf.Buses); slack > 0 {
			if err := slacken(slack); err != nil {
				log.Warn("the gateway takes a little more processor time than it needs to", "error", err)
			}
		}
		var page net.Listener
		if conf.Listen != "" {
			if page, err = net.Listen("tcp", conf.Listen); err != nil {
				return fmt.Errorf("status page (listen: %s): %w", conf.Listen, err)
			}
			defer page.Close()
		}
		n, err := newNotifier(os.Getenv)
		if err != nil {
			log.Warn("systemd is not told of the state", "error", err)
		}
		defer n.close()
		return (&runner{path: c.Flag("config").Value.String(), page: page, notifier: n, log: log}).run(c.Context())
	}
	return c
}

// Reading the profiles and the configuration takes more memory than all that
// comes after it: what it leaves behind is collected more often, then given back.
const (
	startPercent = 25
	runPercent   = 40 // little is left behind from poll to poll, so this costs next to nothing
)

// runner runs a gateway, and another in its place when its configuration becomes
// another. The page and the watchdog's pulse go on meanwhile.
type runner struct {
	path     string
	page     net.Listener
	notifier *notifier
	log      *slog.Logger

	gateway atomic.Pointer[gateway.Gateway]
	handler atomic.Pointer[http.Handler]
}

// errStarting is the state between two gateways.
var errStarting = errors.New("the gateway starts")

func (r *runner) alive() error {
	if g := r.gateway.Load(); g != nil {
		return g.Alive()
	}
	return errStarting
}

func (r *runner) healthy() error {
	if g := r.gateway.Load(); g != nil {
		return g.Healthy()
	}
	return errStarting
}

func (r *runner) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if h := r.handler.Load(); h != nil {
		(*h).ServeHTTP(w, q)
		return
	}
	http.Error(w, errStarting.Error(), http.StatusServiceUnavailable)
}

func (r *runner) run(ctx context.Context) error {
	g, source, err := r.open() // what is wrong at once is said before anything runs
	if err != nil {
		return err
	}
	debug.SetGCPercent(runPercent)
	debug.FreeOSMemory()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error // of the page; read when it has ended
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelWarn)}
	served, pulsed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(served)
		if r.page == nil {
			return
		}
		r.log.Info("status page", "address", "http://"+r.page.Addr().String()+"/")
		if err := server.Serve(r.page); !errors.Is(err, http.ErrServerClosed) {
			failed = fmt.Errorf("status page %s: %w", r.page.Addr(), err)
			stop()
		}
	}()
	go func() {
		defer close(pulsed)
		r.notifier.pulse(ctx, r.alive, r.healthy)
	}()
	err = r.generations(ctx, g, source)
	stop()
	server.Close()
	<-served
	<-pulsed
	return errors.Join(err, failed)
}

// generations runs one gateway after the other. One whose configuration is on
// trial and that cannot run is followed by one with the configuration before.
func (r *runner) generations(ctx context.Context, g *gateway.Gateway, source *remote.Source) (err error) {
	for {
		h := g.Handler()
		r.gateway.Store(g)
		r.handler.Store(&h)
		err = g.Run(ctx)
		if ctx.Err() != nil {
			return err
		}
		if _, trying := source.Trial(); trying && !errors.Is(err, gateway.ErrReconfigured) && err != nil {
			source.RollBack(err.Error())
			err = gateway.ErrReconfigured
		}
		if !errors.Is(err, gateway.ErrReconfigured) {
			return err
		}
		r.log.Info("starting anew with another configuration")
		if g, source, err = r.open(); err != nil {
			return err
		}
	}
}

// open makes the gateway that is to run. A configuration on trial that cannot be
// opened is rolled back.
func (r *runner) open() (*gateway.Gateway, *remote.Source, error) {
	for {
		source, err := remote.Open(r.path, r.log, time.Now)
		if err != nil {
			return nil, nil, frame.Usage(err)
		}
		o := gateway.Options{Log: r.log, Version: version}
		if source.Enabled() {
			o.Remote = source
		}
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.GOMAXPROCS(processors(source.Config().Buses, runtime.NumCPU()))
		}
		g, err := gateway.New(source.Config(), o)
		if err == nil {
			return g, source, nil
		}
		if _, trying := source.Trial(); !trying {
			return nil, nil, err
		}
		source.RollBack(err.Error())
	}
}

func newLog(w io.Writer, l gateway.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // checked with the configuration
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
