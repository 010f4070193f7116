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
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/gateway"
)

func runCommand() *cobra.Command {
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
		conf, err := load()
		if err != nil {
			return err
		}
		log := newLog(c.ErrOrStderr(), conf.Log)
		var page net.Listener
		if conf.Listen != "" {
			if page, err = net.Listen("tcp", conf.Listen); err != nil {
				return fmt.Errorf("status page (listen: %s): %w", conf.Listen, err)
			}
			defer page.Close()
		}
		g, err := gateway.New(conf, gateway.Options{Log: log, Version: version})
		if err != nil {
			return err
		}
		n, err := newNotifier(os.Getenv)
		if err != nil {
			log.Warn("systemd is not told of the state", "error", err)
		}
		defer n.close()
		return serve(c.Context(), g, page, n, log)
	}
	return c
}

// serve runs the gateway, its page and the watchdog's pulse until ctx ends.
func serve(ctx context.Context, g *gateway.Gateway, page net.Listener, n *notifier, log *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failed error // of the page; read when it has ended
	server := &http.Server{Handler: g.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	served, pulsed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(served)
		if page == nil {
			return
		}
		log.Info("status page", "address", "http://"+page.Addr().String()+"/")
		if err := server.Serve(page); !errors.Is(err, http.ErrServerClosed) {
			failed = fmt.Errorf("status page %s: %w", page.Addr(), err)
			stop()
		}
	}()
	go func() {
		defer close(pulsed)
		n.pulse(ctx, g.Alive, g.Healthy)
	}()
	err := g.Run(ctx)
	stop()
	server.Close()
	<-served
	<-pulsed
	return errors.Join(err, failed)
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
