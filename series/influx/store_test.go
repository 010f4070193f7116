package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

var heat = metering.Series("foundry-heat", metering.HeatEnergy)

const base = int64(1736942400000)

func reading(at int64, number string) metering.Reading {
	return metering.Reading{Series: heat, At: at, Number: metering.MustDecimal(number), Unit: metering.KWh}
}

// fake answers as InfluxDB does, after the answers that a test put before.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	writes   []string // bodies that were taken, in order
	attempts int      // of writes
	before   []http.HandlerFunc
	query    string // the answer to every query
}

func newFake(t *testing.T) *fake {
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/v2/query" {
		io.WriteString(w, f.query)
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.attempts++
	var first http.HandlerFunc
	if len(f.before) > 0 {
		first, f.before = f.before[0], f.before[1:]
	}
	f.mu.Unlock()
	if first != nil {
		first(w, r)
		return
	}
	f.mu.Lock()
	f.writes = append(f.writes, string(body))
	f.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// next puts answers before the usual ones to writes.
func (f *fake) next(h ...http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.attempts = append(f.before, h...), 0
}

func (f *fake) taken() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.writes, "--\n")
}

func (f *fake) tries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts
}

func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		if strings.HasPrefix(body, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func options(url string) Options {
	return Options{URL: url, Token: "t", Org: "o", Bucket: "b", Timeout: 2 * time.Second, Patience: 3 * time.Second, Settle: 200 * time.Millisecond,
		Now: func() time.Time { return time.UnixMilli(base) }}
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

const (
	written = `reading,meter=foundry-heat,quantity=heat_energy,unit=kWh micro=12500000i,level=0i,number=12.5 1736942400000
`
	moved = `--
ledger position=1i 1736899200000`
)

func TestApplyOutlivesTrouble(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	}
	for _, c := range []struct {
		name   string
		before []http.HandlerFunc
		tries  int
	}{
		{"busy", []http.HandlerFunc{status(429, `{"code":"too many requests","message":"slow down"}`), status(429, "")}, 4},
		{"unavailable", []http.HandlerFunc{status(503, "", "Retry-After", "1")}, 3},
		{"in trouble", []http.HandlerFunc{status(500, `{"code":"internal error","message":"engine is closed"}`), status(502, "<html>"), status(504, "")}, 5},
		{"silent", []http.HandlerFunc{hang}, 3},
		{"hanging up", []http.HandlerFunc{hangUp, hangUp}, 4},
		{"unavailable for the position", []http.HandlerFunc{nil, status(503, "")}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := options(f.URL)
			o.Timeout = 300 * time.Millisecond
			s := open(t, o)
			f.next(c.before...)
			require.NoError(t, s.Apply(context.Background(), 1, []metering.Reading{reading(base, "12.50")}))
			require.Equal(t, written+moved, f.taken(), "the points, then the position, each once")
			require.Equal(t, c.tries, f.tries())
			position, err := s.Position(context.Background())
			require.NoError(t, err)
			require.EqualValues(t, 1, position)
		})
	}
}

func TestApplyGivesUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		before http.HandlerFunc
		tries  int // 0: more than one
		say    string
	}{
		{"a wait longer than its patience", status(429, "", "Retry-After", "3600"), 1, "429"},
		{"unavailable all along", status(503, "maintenance"), 0, "maintenance"},
		{"a token that may not write", status(401, `{"code":"unauthorized","message":"unauthorized access"}`), 1, "unauthorized access"},
		{"lines that the server cannot read", status(400, `{"code":"invalid","message":"unable to parse"}`), 1, "unable to parse"},
		{"another type of field", status(422, `{"code":"unprocessable entity","message":"field type conflict"}`), 1, "field type conflict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			o := options(f.URL)
			o.Patience = 400 * time.Millisecond
			s := open(t, o)
			many := make([]http.HandlerFunc, 50)
			for i := range many {
				many[i] = c.before
			}
			f.next(many...)
			err := s.Apply(context.Background(), 1, []metering.Reading{reading(base, "12.5")})
			require.ErrorContains(t, err, c.say)
			var refused *series.RefusedError
			require.False(t, errors.As(err, &refused))
			if c.tries != 0 {
				require.Equal(t, c.tries, f.tries())
			} else {
				require.Greater(t, f.tries(), 1)
			}
			position, err := s.Position(context.Background())
			require.NoError(t, err)
			require.Zero(t, position, "the position has not moved")
			f.mu.Lock()
			f.before = nil
			f.mu.Unlock()
			require.NoError(t, s.Apply(context.Background(), 1, []metering.Reading{reading(base, "12.5")}), "the server is mended")
			require.Equal(t, written+moved, f.taken())
		})
	}
}

func TestReadingsOutsideRetentionAreLeftOut(t *testing.T) {
	f := newFake(t)
	s := open(t, options(f.URL))
	f.next(status(422, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=1"}`))
	require.NoError(t, s.Apply(context.Background(), 1, []metering.Reading{reading(base, "12.5")}))
	require.Equal(t, strings.TrimPrefix(moved, "--\n"), f.taken())
}

// TestServerThatComesLater opens a store before its server listens.
func TestServerThatComesLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	o := options("http://" + address)
	o.Patience = 300 * time.Millisecond
	s := open(t, o)
	_, err = s.Position(context.Background())
	require.ErrorContains(t, err, "refused")
	require.ErrorContains(t, s.Apply(context.Background(), 1, nil), "refused")
	f := &fake{}
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	f.Server = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(f.serve)}}
	f.Start()
	defer f.Close()
	require.NoError(t, s.Apply(context.Background(), 1, []metering.Reading{reading(base, "12.5")}))
	require.Equal(t, written+moved, f.taken())
}

func TestOpenRefuses(t *testing.T) {
	f := newFake(t)
	o := options(f.URL)
	for name, spoil := range map[string]func(*Options){
		"no token":        func(o *Options) { o.Token = "" },
		"no bucket":       func(o *Options) { o.Bucket = "" },
		"no organisation": func(o *Options) { o.Org = "" },
		"no URL":          func(o *Options) { o.URL = "" },
		"a path":          func(o *Options) { o.URL = "/var/lib/influx" },
		"another scheme":  func(o *Options) { o.URL = "ftp://host" },
	} {
		bad := o
		spoil(&bad)
		_, err := Open(context.Background(), bad)
		require.Error(t, err, name)
	}
	for code, body := range map[int]string{401: `{"code":"unauthorized","message":"unauthorized access"}`, 404: `{"code":"not found","message":"could not find bucket"}`} {
		srv := httptest.NewServer(status(code, body))
		_, err := Open(context.Background(), options(srv.URL))
		require.Error(t, err)
		srv.Close()
	}
	f.query = "error,reference\nfailed to initialize execute state: could not find bucket,\n"
	_, err := Open(context.Background(), o)
	require.ErrorContains(t, err, "could not find bucket")
}

// TestUnansweredWriteIsSettledFirst has a server that takes a write and does
// not answer: it may carry it out late, so a correction has to wait.
func TestUnansweredWriteIsSettledFirst(t *testing.T) {
	f := newFake(t)
	o := options(f.URL)
	o.Timeout = 100 * time.Millisecond
	s := open(t, o)
	f.next(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	require.NoError(t, s.Apply(context.Background(), 1, []metering.Reading{reading(base, "12.5")}))
	settled := s.doubt.until
	require.False(t, settled.IsZero())
	require.NoError(t, s.Apply(context.Background(), 2, []metering.Reading{reading(base, "13")}))
	require.False(t, time.Now().Before(settled), "the correction waited")
	began := time.Now()
	require.NoError(t, s.Apply(context.Background(), 3, []metering.Reading{reading(base, "14")}))
	require.Less(t, time.Since(began), o.Settle, "and later ones do not")

	// Also when the first Apply failed altogether and another one comes.
	o.Patience = 50 * time.Millisecond
	s = open(t, o)
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	f.next(hang)
	require.Error(t, s.Apply(context.Background(), 4, []metering.Reading{reading(base, "15")}))
	began = time.Now()
	require.NoError(t, s.Apply(context.Background(), 4, []metering.Reading{reading(base, "15")}), "the same again")
	require.Less(t, time.Since(began), o.Settle)
	f.next(hang)
	require.Error(t, s.Apply(context.Background(), 5, []metering.Reading{reading(base, "16")}))
	began = time.Now()
	require.NoError(t, s.Apply(context.Background(), 6, []metering.Reading{reading(base, "16"), reading(base, "17")}))
	require.GreaterOrEqual(t, time.Since(began), o.Settle)
}

func TestReadsOutliveTrouble(t *testing.T) {
	answers := []http.HandlerFunc{status(503, ""), status(429, ""), nil}
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		var h http.HandlerFunc
		if len(answers) > 0 {
			h, answers = answers[0], answers[1:]
		}
		mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		switch {
		case h != nil:
			h(w, r)
		case strings.Contains(string(body), `\"level\"`):
		default:
			fmt.Fprintf(w, ",result,table,_time,_value\r\n,_result,0,%s,12500000\r\n", time.UnixMilli(base).UTC().Format(time.RFC3339Nano))
		}
	}))
	defer srv.Close()
	s := &Store{o: options(srv.URL), log: open(t, options(newFake(t).URL)).log}
	s.client, s.http = connect(srv.URL, "t", nil)
	defer s.Close()
	var got []metering.Point
	for p, err := range s.Points(context.Background(), access.System("test"), heat, time.UnixMilli(base), time.UnixMilli(base+1)) {
		require.NoError(t, err)
		got = append(got, p)
	}
	require.Equal(t, []metering.Point{{At: base, Number: metering.MustDecimal("12.5")}}, got)
}
