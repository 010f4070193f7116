package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/thermie/thermie/api"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/pki"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/series"
)

// Roles are what a process does.
type Roles struct {
	Ingest bool // broker -> ledger -> series; seals closed quarters
	Serve  bool // assessment and dashboard
}

// Options of a server.
type Options struct {
	Config Config
	Roles  Roles
	// Programme replaces the file that Config names.
	Programme *registry.Programme
	Progress  api.Progress // loading of history; nil: none
	// AssessEvery, when not 0, replaces the daily assessment of the configuration.
	AssessEvery time.Duration
	Clock       func() time.Time
	Log         *slog.Logger
	Version     string
}

// Server is the open parts of one process.
type Server struct {
	o    Options
	log  *slog.Logger
	keys Keys

	registry  *registry.Registry
	accounts  *accounts.Accounts
	store     series.Store
	ledger    *ledger.Ledger // nil without the ingest role, and where another process has it
	dashboard *api.Server    // nil without the serve role
	courses   *api.Courses   // pictures that assessments keep for the dashboard
	listener  net.Listener
	territory registry.Territory

	assessing sync.Mutex
	assessed  time.Time // the last one, guarded by assessing
	sealing   sync.Mutex
	closers   []func() error
}

// Keys are the server's own signing keys.
type Keys struct {
	Server ed25519.PrivateKey // signs receipts and sealed documents
	Ledger ed25519.PrivateKey // signs checkpoints
}

// Origin names a territory's ledger in checkpoints and proofs.
func Origin(territory string) string { return "thermie/" + territory }

// Open opens everything that the roles need, and the listening socket, before
// anything runs: what is wrong is said at once and nothing is half-started.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{o: o, log: o.Log}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	c := s.o.Config
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if s.o.Roles.Serve {
		// The port first: it is what most often is taken.
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return fmt.Errorf("dashboard: %w", err)
		}
		s.listener = l
		s.closers = append(s.closers, func() error {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		})
	}
	var err error
	if s.keys, err = loadKeys(c.Data); err != nil {
		return err
	}
	if err := s.openRegistry(ctx); err != nil {
		return err
	}
	if err := s.openAccounts(ctx); err != nil {
		return err
	}
	if s.o.Roles.Ingest {
		if err := s.openLedger(); err != nil {
			return err
		}
	}
	if s.ledger != nil || s.o.Roles.Serve {
		if s.store, err = openStore(ctx, c, s.log); err != nil {
			return err
		}
		s.closers = append(s.closers, s.store.Close)
	}
	if err := report.PublishKeys(c.Data, s.PublicKeys()); err != nil {
		return err
	}
	if s.o.Roles.Serve {
		return s.openDashboard(ctx)
	}
	return nil
}

// openLedger takes the ledger, or leaves it to the process that has it already
// where several share the territory.
func (s *Server) openLedger() error {
	c := s.o.Config
	witnesses, err := c.witnesses()
	if err != nil {
		return err
	}
	l, err := ledger.Open(filepath.Join(c.Data, "ledger"), ledger.Options{
		Origin: Origin(s.territory.ID), Signer: s.keys.Ledger, Log: s.log, Witnesses: witnesses})
	if errors.Is(err, ledger.ErrLocked) && c.Broker.Shared && !s.o.Roles.Serve {
		s.log.Info("another process owns the ledger; this one receives and verifies for it")
		return nil
	}
	if err != nil {
		return err
	}
	s.ledger = l
	s.closers = append(s.closers, l.Close)
	return nil
}

func loadKeys(data string) (k Keys, err error) {
	dir := filepath.Join(data, "keys")
	if k.Server, err = pki.SigningKey(filepath.Join(dir, "server.key")); err != nil {
		return k, err
	}
	k.Ledger, err = pki.SigningKey(filepath.Join(dir, "ledger.key"))
	return k, err
}

func (s *Server) openRegistry(ctx context.Context) (err error) {
	c := s.o.Config
	p := s.o.Programme
	if p == nil {
		read, err := readProgramme(c.Programme)
		if err != nil {
			return err
		}
		p = &read
	}
	path := filepath.Join(c.Data, "registry.db")
	if s.registry, err = registry.Open(ctx, path, registry.WithClock(s.o.Clock)); err != nil {
		return err
	}
	s.closers = append(s.closers, s.registry.Close)
	if err := s.registry.Import(ctx, *p); err != nil {
		return err
	}
	s.territory = p.Territory
	return nil
}

func readProgramme(path string) (registry.Programme, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return registry.Programme{}, fmt.Errorf("programme: %w", err)
	}
	return registry.ParseProgramme(path, b)
}

func (s *Server) openDashboard(ctx context.Context) (err error) {
	c := s.o.Config
	sessions, err := api.OpenSessions(ctx, filepath.Join(c.Data, "sessions.db"), nil)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, sessions.Close)
	if s.courses, err = api.OpenCourses(filepath.Join(c.Data, "courses.json")); err != nil {
		return err
	}
	var watch string
	if c.MetricsTokenFile != "" {
		if watch, err = readSecret(c.MetricsTokenFile); err != nil {
			return fmt.Errorf("metrics_token_file: %w", err)
		}
	}
	s.dashboard, err = api.New(api.Options{
		Sessions:  sessions,
		Courses:   s.courses,
		Registry:  s.registry,
		Series:    s.store,
		Accounts:  s.accounts,
		Bundles:   report.Bundles{Data: c.Data},
		Clock:     s.o.Clock,
		Log:       s.log,
		Territory: s.territory.Name,
		Synthetic: s.territory.Synthetic,
		Progress:  s.o.Progress,
		Arrivals:  s.arrivals,
		Secure:    c.TLS != nil || c.BehindTLSProxy,
		Version:   s.o.Version,

		MetricsToken: watch,
	})
	return err
}

// arrivals is how many batches of a gateway are in the ledger and how many are
// missing, as the ingest on the data folder wrote it seconds ago.
func (s *Server) arrivals(gateway string) (kept, missing uint64, ok bool) {
	chains, err := ingest.ReadChains(filepath.Join(s.o.Config.Data, "chains.json"))
	if err != nil {
		return 0, 0, false
	}
	c, ok := chains[gateway]
	return c.Count, c.Missing(), ok
}

// PublicKeys are the keys that a programme publishes.
func (s *Server) PublicKeys() proof.Keys {
	return proof.Keys{Origin: Origin(s.territory.ID),
		Ledger: s.keys.Ledger.Public().(ed25519.PublicKey), Server: s.keys.Server.Public().(ed25519.PublicKey)}
}

// Registry, Accounts, Ledger and Store are the open parts, for the demo and tests.
func (s *Server) Registry() *registry.Registry { return s.registry }
func (s *Server) Accounts() *accounts.Accounts { return s.accounts }
func (s *Server) Ledger() *ledger.Ledger       { return s.ledger }
func (s *Server) Store() series.Store          { return s.store }

// Address is where the dashboard listens; nil without the serve role.
func (s *Server) Address() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Close closes what Open opened, last first.
func (s *Server) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}
