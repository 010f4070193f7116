package gateway

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// mostRecent is how many warnings and errors the page shows.
const mostRecent = 20

// event is a warning or an error as the page shows it.
type event struct {
	At    time.Time
	Error bool
	Words string
	Times int // in a row, with other details
	what  string
}

// recent remembers the last warnings and errors of a log, and passes all of it on.
type recent struct {
	slog.Handler
	prefix []string
	shared *events
}

type events struct {
	mu   sync.Mutex
	list []event // oldest first
}

func newRecent(h slog.Handler) *recent { return &recent{Handler: h, shared: &events{}} }

// Enabled says that warnings are always taken, whatever the log's level.
func (r *recent) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || r.Handler.Enabled(ctx, l)
}

// Handle remembers a record if it is a warning or worse.
func (r *recent) Handle(ctx context.Context, rec slog.Record) error {
	if rec.Level >= slog.LevelWarn {
		words := append([]string{rec.Message}, r.prefix...)
		rec.Attrs(func(a slog.Attr) bool {
			words = append(words, attr(a))
			return true
		})
		r.shared.add(event{At: rec.Time, Error: rec.Level >= slog.LevelError, Words: strings.Join(words, ", "), Times: 1,
			what: rec.Message + strings.Join(r.prefix, ", ")})
	}
	if !r.Handler.Enabled(ctx, rec.Level) {
		return nil
	}
	return r.Handler.Handle(ctx, rec)
}

// WithAttrs is slog.Handler's. The gateway's own name needs no repetition.
func (r *recent) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := &recent{Handler: r.Handler.WithAttrs(attrs), shared: r.shared, prefix: r.prefix[:len(r.prefix):len(r.prefix)]}
	for _, a := range attrs {
		if a.Key != "gateway" {
			c.prefix = append(c.prefix, attr(a))
		}
	}
	return c
}

// WithGroup is slog.Handler's.
func (r *recent) WithGroup(name string) slog.Handler {
	return &recent{Handler: r.Handler.WithGroup(name), prefix: r.prefix, shared: r.shared}
}

// maxWords bounds one part of an event.
const maxWords = 300

func attr(a slog.Attr) string {
	s := a.Value.Resolve().String()
	if len(s) > maxWords {
		s = s[:maxWords] + "…"
	}
	return a.Key + " " + strings.ToValidUTF8(s, "")
}

func (e *events) add(x event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.list); n > 0 && e.list[n-1].what == x.what {
		x.Times += e.list[n-1].Times
		e.list = e.list[:n-1]
	}
	if e.list = append(e.list, x); len(e.list) > mostRecent {
		e.list = append(e.list[:0], e.list[1:]...)
	}
}

// newest lists the events, the newest first.
func (e *events) newest() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]event, 0, len(e.list))
	for i := len(e.list) - 1; i >= 0; i-- {
		out = append(out, e.list[i])
	}
	return out
}
