package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/thermie/thermie/mqtt"
)

// checkTimeout bounds each attempt to reach a place.
const checkTimeout = 10 * time.Second

// Check tries what a configuration names: the programme file, the data folder,
// the broker, the store, the dashboard's address and certificate. It changes
// nothing and returns everything that is wrong, not only the first.
func Check(ctx context.Context, o Options) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, log: o.Log}
	var errs []error
	for _, try := range []func(context.Context) error{s.checkProgramme, s.checkData, s.checkBroker, s.checkStore, s.checkListen} {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		errs = append(errs, try(ctx))
		cancel()
	}
	return errors.Join(errs...)
}

func (s *Server) checkProgramme(context.Context) error {
	_, err := readProgramme(s.o.Config.Programme)
	return err
}

// checkData wants a folder that exists, or one that could be made.
func (s *Server) checkData(context.Context) error {
	for dir := s.o.Config.Data; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
			continue
		}
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		if !info.IsDir() {
			return fmt.Errorf("data: %s is not a folder", dir)
		}
		if err := writable(dir); err != nil {
			return fmt.Errorf("data: %s: %w", dir, err)
		}
		return nil
	}
}

func (s *Server) checkBroker(ctx context.Context) error {
	if !s.o.Roles.Ingest {
		return nil
	}
	o, err := s.o.Config.Broker.options()
	if err != nil {
		return err
	}
	// A name of its own, so that a running ingest is not thrown out.
	o.ClientID, o.CleanSession = fmt.Sprintf("thermie-check-%d", os.Getpid()), true
	c, err := mqtt.Dial(ctx, o)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	return c.Close()
}

func (s *Server) checkStore(ctx context.Context) error {
	if s.o.Config.Store.Kind == "embedded" {
		return nil
	}
	store, err := openStore(ctx, s.o.Config, s.log)
	if err != nil {
		return err
	}
	_, err = store.Position(ctx)
	return errors.Join(err, store.Close())
}

func (s *Server) checkListen(context.Context) error {
	if !s.o.Roles.Serve {
		return nil
	}
	if c := s.o.Config.TLS; c != nil {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	l, err := net.Listen("tcp", s.o.Config.Listen)
	if err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	return l.Close()
}
