// Package influx is the series store over InfluxDB 2, for territories that have
// one already or that outgrow one machine. It is the only package that imports
// the InfluxDB client.
//
// Readings are points of the measurement "reading":
//
//	tags    meter, quantity, unit
//	micro   integer  the number times 10^6; or one of two marks, see below
//	level   integer  0 good, 1 suspect, 2 missing
//	number  float    the number, for Flux and Grafana; not for exact use
//	exact   string   "coefficient e exponent" of a number that is no whole
//	                 number of millionths or does not fit: micro is markExact
//	reason  string   of a suspect or missing point
//
// micro alone says whether a point is missing (markMissing) and what its number
// is, so that a read during a correction never sees halves of two numbers.
// exact and reason count only where micro and level say so: InfluxDB cannot
// take a field away from a point that is corrected.
//
// The position in the ledger is the greatest "position" of the measurement
// "ledger"; it is written after the readings. InfluxDB has no transactions, so
// after a failed Apply some of its readings may be seen before the position
// says so. Applying them again writes the same points over them.
package influx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

var (
	_ series.Store   = (*Store)(nil)
	_ series.Deleter = (*Store)(nil)
)

// Options of a store. URL, Token, Org and Bucket are required.
type Options struct {
	URL    string // http://host:8086
	Token  string // may read and write the bucket; reading is enough for a store that is never applied to
	Org    string
	Bucket string
	TLS    *tls.Config  // nil: the system's authorities
	Log    *slog.Logger // nil: no log

	// Timeout of one request, 30 s when 0.
	Timeout time.Duration
	// Patience is for how long Apply and reads try again while the server is
	// down, busy or silent, 20 s when 0; then they fail.
	Patience time.Duration
	// Settle is how long to wait, after a write whose outcome is unknown, before
	// writing anything else, 15 s when 0. A server that stalled may still work
	// off the request that was given up; InfluxDB ends each write after 10 s
	// (storage-write-timeout), and so it cannot overtake a later correction.
	Settle time.Duration
	// Now is the clock, time.Now when nil.
	Now func() time.Time
}

// Store is a series store in one bucket. One process at a time may apply to
// it; any number may read.
type Store struct {
	o      Options
	log    *slog.Logger
	client influxdb2.Client
	http   *http.Client
	sparse int // points below which a range is streamed rather than aggregated by the server; 0 means that it depends on the windows

	writing sync.Mutex // held by Apply and Delete; taken before mu
	doubt   doubt
	courses courses
	lines   []byte // memory of the last request

	mu       sync.Mutex // guards what follows; held for long only while loading
	loaded   bool
	closed   bool
	position uint64
	units    map[metering.SeriesID]metering.Unit
}

// Open returns the store in a bucket. A server that cannot be reached is no
// error, it may come later; one that refuses the token or has no such bucket is.
func Open(ctx context.Context, o Options) (*Store, error) {
	for name, v := range map[string]string{"URL": o.URL, "token": o.Token, "organisation": o.Org, "bucket": o.Bucket} {
		if v == "" {
			return nil, fmt.Errorf("open InfluxDB store: no %s given", name)
		}
	}
	if u, err := url.Parse(o.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("open InfluxDB store: %q is no http or https URL", o.URL)
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 20 * time.Second
	}
	if o.Settle <= 0 {
		o.Settle = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, log: o.Log, units: map[metering.SeriesID]metering.Unit{}}
	s.client, s.http = connect(o.URL, o.Token, o.TLS)
	if err := once(ctx, o.Timeout, s.load); err != nil {
		if !temporary(err) || ctx.Err() != nil {
			s.Close()
			return nil, fmt.Errorf("open InfluxDB store %s: %w", s.place(), err)
		}
		s.log.Warn("InfluxDB does not answer yet; the store goes on trying", "store", s.place(), "error", err)
	}
	return s, nil
}

// connect makes a client whose requests are bounded by their contexts.
func connect(url, token string, t *tls.Config) (influxdb2.Client, *http.Client) {
	h := &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		TLSClientConfig:     t,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // the server would spend more on it than the network
	}}
	options := influxdb2.DefaultOptions().SetHTTPClient(h).SetPrecision(time.Millisecond).SetApplicationName("thermie")
	return influxdb2.NewClientWithOptions(url, token, options), h
}

// place names the store in errors.
func (s *Store) place() string { return s.o.URL + " " + s.o.Org + "/" + s.o.Bucket }

// load reads the position and the units of the series. Nobody else knows of
// the store yet, or the caller holds mu.
func (s *Store) load(ctx context.Context) error {
	position, units, err := s.stored(ctx)
	if err != nil {
		return err
	}
	s.position, s.units, s.loaded = position, units, true
	return nil
}

func (s *Store) stored(ctx context.Context) (position uint64, units map[metering.SeriesID]metering.Unit, err error) {
	units = map[metering.SeriesID]metering.Unit{}
	first := map[metering.SeriesID]int64{}
	script := s.from(always) + ` |> filter(fn: (r) => r._measurement == "ledger" and r._field == "position") |> group() |> max() |> yield(name: "position")
` + s.from(always) + ` |> filter(fn: (r) => r._measurement == "reading" and r._field == "micro") |> first() |> keep(columns: ["_time", "meter", "quantity", "unit"]) |> yield(name: "series")`
	err = s.query(ctx, script, func(r *row) error {
		if r.result() == "position" {
			position = uint64(r.int("_value"))
			return r.err
		}
		id, unit, at := r.series(), metering.Unit(strings.Clone(r.text("unit"))), r.millis("_time")
		if have, ok := units[id]; ok && have != unit {
			s.log.Error("InfluxDB holds a series in two units; the one that began earlier stands", "store", s.place(), "series", id, "units", []metering.Unit{have, unit})
			if first[id] <= at {
				return r.err
			}
		}
		units[id], first[id] = unit, at
		return r.err
	})
	return position, units, err
}

var errClosed = errors.New("the series store is closed")

// Position implements [series.Store].
func (s *Store) Position(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, fmt.Errorf("position of %s: %w", s.place(), err)
	}
	return s.position, nil
}

// ready loads what Apply must know, unless that was done. The caller holds mu.
func (s *Store) ready(ctx context.Context) error {
	if s.closed {
		return errClosed
	}
	if s.loaded {
		return nil
	}
	return s.insist(ctx, s.load)
}

// Close ends the idle connections; what is under way may end.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.client.Close()
	s.http.CloseIdleConnections()
	return nil
}
