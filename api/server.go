package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/thermie/thermie/metering"
)

// Options is what a server stands on. Registry, Accounts and Series are required.
type Options struct {
	Registry Registry
	Series   Series
	Accounts Accounts
	Bundles  Bundles // nil: reports are listed and cannot be downloaded
	// Courses are the pictures that the assessment keeps for the pages; nil: the
	// charts of drift and adjusted baselines are absent, which pages say.
	Courses *Courses
	// Sessions keeps who is signed in; nil keeps it in memory, so that a
	// restart signs everyone out.
	Sessions Sessions
	Clock    func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
	// Territory is the programme's name, as on the pages.
	Territory metering.Text
	// Synthetic says that the data are invented, on every page.
	Synthetic bool
	// Progress is the loading of history; nil: there is none.
	Progress Progress
	// Arrivals says how many of a gateway's batches are in the ledger and how many
	// never came; ok is false when nobody knows. nil: pages say nothing of it.
	Arrivals func(gateway string) (kept, missing uint64, ok bool)
	// Secure marks cookies for TLS only: set it behind TLS, own or a proxy's.
	Secure bool
	// TrustedProxies may say whose request they pass on (X-Forwarded-For).
	TrustedProxies []netip.Prefix
	// MetricsToken opens /metrics to whoever sends it as a bearer token. The
	// machine itself needs none.
	MetricsToken string
	Version      string
}

// Sessions stores sessions; the interface is that of scs.
type Sessions interface {
	Delete(token string) error
	Find(token string) (b []byte, found bool, err error)
	Commit(token string, b []byte, expiry time.Time) error
}

// Server answers requests.
type Server struct {
	o        Options
	echo     *echo.Echo
	handler  http.Handler
	sessions *scs.SessionManager
	pages    pages
	assets   assets
	gauges   gauges
	leadKey  [32]byte // names pairs in forms
	exports  chan struct{}
	plans    sync.Map // hash of a body -> *savings.Plan, read once; it never changes
}

// Limits of what a request may cost.
const (
	maxBody       = "64K"
	sessionIdle   = 12 * time.Hour
	sessionLife   = 7 * 24 * time.Hour
	shutdownGrace = 5 * time.Second
)

// New puts a server together. It refuses options without which pages could
// not be answered, and templates that do not parse.
func New(o Options) (*Server, error) {
	for name, missing := range map[string]bool{"Registry": o.Registry == nil, "Series": o.Series == nil, "Accounts": o.Accounts == nil} {
		if missing {
			return nil, fmt.Errorf("dashboard: Options.%s is missing", name)
		}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, exports: make(chan struct{}, exportsAtOnce)}
	if _, err := rand.Read(s.leadKey[:]); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	var err error
	if s.assets, err = packedAssets(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	if s.pages, err = loadPages(s.assets); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	s.sessions = newSessions(o)
	s.gauges = newGauges()
	s.echo = s.newEcho()
	s.handler = http.NewCrossOriginProtection().Handler(s.echo)
	return s, nil
}

func (s *Server) newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = ipExtractor(s.o.TrustedProxies)
	e.HTTPErrorHandler = s.answerError
	e.Use(s.observe, secureHeaders, s.recoverPanic, middleware.BodyLimit(maxBody),
		middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1024, Skipper: alreadyPacked}),
		echo.WrapMiddleware(s.sessions.LoadAndSave))
	for _, r := range routes {
		e.Add(r.method, r.path, s.guard(r))
	}
	return e
}

// Handler answers everything, for tests and for servers of one's own.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on a listener until ctx ends, then lets running answers finish
// for a few seconds.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("dashboard on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		err = errors.Join(err, srv.Close())
		s.o.Log.Warn("dashboard: some answers were cut off", "error", err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("dashboard on %s: %w", l.Addr(), err)
	}
	return nil
}

// ipExtractor takes the address of a request from its connection, or from
// X-Forwarded-For when the connection is a trusted proxy's.
func ipExtractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		_, ipnet, err := net.ParseCIDR(p.Masked().String())
		if err == nil {
			options = append(options, echo.TrustIPRange(ipnet))
		}
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// secureHeaders says to the browser what a page may do: nothing but show
// itself with this server's own styles and scripts.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// alreadyPacked says which answers are not worth compressing again.
func alreadyPacked(c echo.Context) bool {
	return c.Path() == exportPath && c.QueryParam("format") == "parquet" || c.Path() == "/assets/*" || c.Path() == "/reports/:quarter/:file"
}

// recoverPanic turns a defect into an error page and a log line with its place.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				err = fmt.Errorf("defect: %v", p)
				s.o.Log.Error("dashboard: defect", "path", c.Path(), "panic", p, "stack", stack())
			}
		}()
		return next(c)
	}
}
