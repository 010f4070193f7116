package server

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/assessment"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/pki"
	"github.com/thermie/thermie/registry"
)

// lookEvery is how often the loops of a server look whether there is something
// for them to do.
const lookEvery = 5 * time.Second

// assessedSetting remembers when the last assessment ended, so that a restart
// does not assess again what is fresh.
const assessedSetting = "assessed_at"

// Run runs the roles until ctx ends, which is no error, or one of them fails.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(what string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	if s.o.Roles.Ingest && s.ledger == nil {
		broker, err := s.o.Config.Broker.options()
		if err != nil {
			return err
		}
		start("ingest", func(ctx context.Context) error { return ingest.Work(ctx, s.ingestOptions(ctx, broker)) })
	}
	if s.ledger != nil {
		chains, err := ingest.OpenChains(ctx, s.ledger, filepath.Join(s.o.Config.Data, "chains.json"))
		if err != nil {
			return err
		}
		broker, err := s.o.Config.Broker.options()
		if err != nil {
			return err
		}
		start("ingest", func(ctx context.Context) error { return s.receive(ctx, chains, broker) })
		start("store", s.follow)
		start("sealing", s.sealClosedQuarters)
		start("audit trail", s.recordActs)
		start("commissioning records", s.recordCommissionings)
		if len(s.o.Config.Witnesses) > 0 {
			start("witnesses", s.cosign)
		}
	}
	if s.o.Roles.Serve {
		listener, err := s.webListener()
		if err != nil {
			return err
		}
		start("dashboard", func(ctx context.Context) error { return s.dashboard.Serve(ctx, listener) })
		start("assessment", s.assessDaily)
	}
	<-ctx.Done()
	cause := context.Cause(ctx)
	wg.Wait()
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return nil
	}
	return cause
}

// webListener is the dashboard's listener, with TLS when the configuration
// names a certificate.
func (s *Server) webListener() (net.Listener, error) {
	c := s.o.Config.TLS
	if c == nil {
		return s.listener, nil
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("dashboard certificate: %w", err)
	}
	return tls.NewListener(s.listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// options are those of a connection to the broker.
func (b *Broker) options() (mqtt.Options, error) {
	o := mqtt.Options{Broker: b.URL, ClientID: b.ClientID, Username: b.Username}
	if b.PasswordFile != "" {
		password, err := readSecret(b.PasswordFile)
		if err != nil {
			return o, fmt.Errorf("broker password: %w", err)
		}
		o.Password = password
	}
	if strings.HasPrefix(b.URL, "tls://") {
		conf, err := pki.Client(b.CAFile, b.CertFile, b.KeyFile)
		if err != nil {
			return o, fmt.Errorf("broker: %w", err)
		}
		o.TLS = conf
	}
	return o, nil
}

// lasting are the alarms that ingest and the follower raised before this start,
// so that they end when their trouble has.
func (s *Server) lasting(ctx context.Context) ([]metering.Alarm, error) {
	return s.registry.Alarms(ctx, registry.AlarmQuery{Open: true})
}

func (s *Server) receive(ctx context.Context, chains *ingest.Chains, broker mqtt.Options) error {
	lasting, err := s.lasting(ctx)
	if err != nil {
		return err
	}
	o := s.ingestOptions(ctx, broker)
	o.Ledger, o.Chains, o.Quarantine = s.ledger, chains, ingest.OpenQuarantine(QuarantineDir(s.o.Config))
	o.Inbox = ingest.OpenInbox(InboxDir(s.o.Config))
	o.OnStatus = func(st batch.Status) {
		if err := s.registry.PutStatus(ctx, st); err != nil && ctx.Err() == nil {
			s.log.Warn("status of a gateway not kept", "gateway", st.Gateway, "error", err)
		}
	}
	o.OnReport = func(c batch.ConfigReport) {
		if err := s.registry.PutConfigReport(ctx, c); err != nil && ctx.Err() == nil {
			s.log.Warn("what a gateway runs is not kept", "gateway", c.Gateway, "error", err)
		}
	}
	o.Alarm, o.Lasting = s.alarm(ctx), lasting
	return ingest.Run(ctx, o)
}

// ingestOptions are those that the owner of the ledger and the processes that
// help it have in common.
func (s *Server) ingestOptions(ctx context.Context, broker mqtt.Options) ingest.Options {
	return ingest.Options{Territory: s.territory.ID, Keys: s.enrolledKeys(ctx), Key: s.keys.Server, Broker: broker,
		Shared: s.o.Config.Broker.Shared, Socket: filepath.Join(s.o.Config.Data, "ledger.sock"), Now: s.o.Clock, Log: s.log}
}

// enrolledKeys finds the keys of gateways. A registry that cannot be asked (it is
// busy, the disk is full) is no reason to put batches in quarantine.
func (s *Server) enrolledKeys(ctx context.Context) batch.Keys {
	keys := s.registry.Keys(ctx)
	return func(gateway string) (ed25519.PublicKey, error) {
		key, err := keys(gateway)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			err = fmt.Errorf("%w: %w", ingest.ErrTryLater, err)
		}
		return key, err
	}
}

// cosignEvery is how often witnesses are asked to co-sign the ledger.
const cosignEvery = 10 * time.Minute

// cosign has the ledger co-signed now and then. A witness that does not answer
// is a warning: the ledger goes on without it.
func (s *Server) cosign(ctx context.Context) error {
	client := &http.Client{Timeout: 30 * time.Second}
	tick := time.NewTicker(cosignEvery)
	defer tick.Stop()
	for {
		if s.ledger.Size() > 0 {
			list, err := s.ledger.Cosign(ctx, client)
			if err != nil && ctx.Err() == nil {
				s.log.Warn("the ledger was not co-signed by every witness", "error", err)
			}
			for _, w := range list {
				s.log.Info("ledger co-signed", "witness", w.Name, "leaves", w.Size)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			client.CloseIdleConnections()
			return nil
		}
	}
}

// QuarantineDir is where a server's refused batches wait for a person.
func QuarantineDir(c Config) string { return filepath.Join(c.Data, "quarantine") }

// InboxDir is where importers leave their batches for the ingest.
func InboxDir(c Config) string { return filepath.Join(c.Data, "inbox") }

// TapOptions are those of a second connection with the ingest's rights, and the
// territory whose batches it may see.
func TapOptions(c Config) (o mqtt.Options, territory string, err error) {
	p, err := readProgramme(c.Programme)
	if err != nil {
		return o, "", err
	}
	if o, err = c.Broker.options(); err != nil {
		return o, "", err
	}
	o.ClientID, o.CleanSession = fmt.Sprintf("thermie-tap-%d", os.Getpid()), true
	return o, p.Territory.ID, nil
}

// alarm keeps what ingest and the follower report.
func (s *Server) alarm(ctx context.Context) func(metering.Alarm) {
	return func(a metering.Alarm) {
		if err := s.registry.RaiseAlarm(ctx, "ingest", a); err != nil && ctx.Err() == nil {
			s.log.Warn("alarm not kept", "alarm", a.ID, "error", err)
		}
	}
}

func (s *Server) follow(ctx context.Context) error {
	lasting, err := s.lasting(ctx)
	if err != nil {
		return err
	}
	gone, err := loadForgotten(ctx, s.registry)
	if err != nil {
		return err
	}
	return ingest.Follow(ctx, s.ledger, s.store, ingest.FollowOptions{LeaveOut: gone.leavesOut, OnImported: markImported(ctx, s.registry), Alarm: s.alarm(ctx), Lasting: lasting, Log: s.log, Now: s.o.Clock})
}

// AssessFigures computes results and alarms anew, as of an instant: what closing
// a quarter needs. Waste heat and its plan stay as they are, and the assessment of
// the day is still due.
func (s *Server) AssessFigures(ctx context.Context, at time.Time) error {
	s.assessing.Lock()
	defer s.assessing.Unlock()
	return assessment.Run(ctx, assessment.Inputs{Registry: s.registry, Series: s.store, Now: at, Log: s.log, Evaluated: s.keep, WithoutHeat: true})
}

// Assess computes every result, opportunity and alarm anew from the store, as
// of an instant. Only one assessment runs at a time.
func (s *Server) Assess(ctx context.Context, now time.Time) error {
	s.assessing.Lock()
	defer s.assessing.Unlock()
	began := time.Now()
	err := assessment.Run(ctx, assessment.Inputs{Registry: s.registry, Series: s.store, Now: now, Log: s.log, Evaluated: s.keep})
	if err != nil {
		return err
	}
	if n, err := s.registry.CloseExpired(ctx); err != nil {
		return err
	} else if n > 0 {
		s.log.Info("contacts ended without an answer", "contacts", n)
	}
	s.log.Info("assessment done", "took", time.Since(began).Round(time.Millisecond))
	s.assessed = now
	return s.registry.SetSetting(ctx, assessedSetting, now.UTC().Format(time.RFC3339))
}

// keep lets the dashboard take its pictures of an evaluation.
func (s *Server) keep(e *savings.Evaluation) {
	if s.courses == nil {
		return
	}
	if err := s.courses.Keep(e); err != nil {
		s.log.Warn("pictures of a synergy not kept", "error", err)
	}
}

// assessDaily assesses at the configured time of day, or every so often when
// Options say so, and at the start when that is overdue. A failure is logged and
// tried again at the next time.
func (s *Server) assessDaily(ctx context.Context) error {
	tried := s.lastAssessment(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if done := s.lastAssessment(ctx); done.After(tried) {
			tried = done // somebody else asked for it
		}
		if now := s.o.Clock(); s.ready() && !now.Before(s.nextAssessment(tried)) {
			if err := s.Assess(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Error("assessment failed, it is tried again later", "error", err)
			}
			tried = now
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// lastAssessment is when the last one ended, in this process or before; zero
// when none did.
func (s *Server) lastAssessment(ctx context.Context) time.Time {
	s.assessing.Lock()
	defer s.assessing.Unlock()
	if s.assessed.IsZero() {
		if text, err := s.registry.Setting(ctx, assessedSetting); err == nil {
			s.assessed, _ = time.Parse(time.RFC3339, text) // unreadable: assess anew
		}
	}
	return s.assessed
}

// ready says that history is not being loaded.
func (s *Server) ready() bool {
	if s.o.Progress == nil {
		return true
	}
	share, _ := s.o.Progress.Progress()
	return share >= 1
}

// nextAssessment is when to assess after the last one.
func (s *Server) nextAssessment(last time.Time) time.Time {
	if last.IsZero() {
		return last
	}
	if s.o.AssessEvery > 0 {
		return last.Add(s.o.AssessEvery)
	}
	clock, _ := time.Parse("15:04", s.o.Config.AssessAt) // checked when loaded
	day := last.In(calendar.Paris)
	next := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), 0, 0, calendar.Paris)
	if !next.After(last) {
		next = time.Date(day.Year(), day.Month(), day.Day()+1, clock.Hour(), clock.Minute(), 0, 0, calendar.Paris)
	}
	return next
}
