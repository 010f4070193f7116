package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Alive says why the gateway is stuck, nil when it is not: it runs and closes its
// batches on time. Starting it anew may help one that is not alive; one that
// only cannot keep its readings would lose those in memory.
func (g *Gateway) Alive() error {
	if !g.running.Load() {
		return fmt.Errorf("gateway %s does not run", g.conf.Gateway)
	}
	_, _, closed := g.batcher.snapshot()
	if late := g.o.Now().Sub(closed); late > 2*g.conf.BatchInterval+10*time.Second {
		return fmt.Errorf("gateway %s: no batch closed for %s", g.conf.Gateway, late.Round(time.Second))
	}
	return nil
}

// Healthy says why the gateway does not do its work, nil when it does: it is
// alive and can keep its readings. A broker out of reach or a silent meter is no
// ill health of the gateway.
func (g *Gateway) Healthy() error {
	if err := g.Alive(); err != nil {
		return err
	}
	if fault, _, _ := g.batcher.snapshot(); fault != "" {
		return fmt.Errorf("gateway %s: %s", g.conf.Gateway, fault)
	}
	return nil
}

// Handler serves /healthz, /metrics and the status page; with a password, where
// there is one, all but /healthz, which says nothing of the site.
func (g *Gateway) Handler() http.Handler {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collector{g})
	inner := http.NewServeMux()
	inner.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	inner.HandleFunc("GET /{$}", g.page)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := g.Healthy(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	if g.password != "" {
		// A page that another name leads here (DNS rebinding) has no password.
		mux.Handle("/", newGuard(g.password, inner, g.o.Now))
		return mux
	}
	mux.Handle("/", inner)
	return onlyLoopback(mux)
}

// onlyLoopback refuses requests by another name, so that a page on the Internet
// cannot read this one through a visitor's browser (DNS rebinding).
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
			host = host[:i]
		}
		if !loopback(strings.Trim(host, "[]")) {
			http.Error(w, "this page answers to localhost only", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// collector makes metrics of the status, so that both always agree.
type collector struct{ g *Gateway }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("thermie_gateway_"+name, help, labels, nil)
}

var (
	descInfo       = describe("info", "The gateway, its version and the hash of its configuration.", "gateway", "version", "config")
	descConnected  = describe("broker_connected", "1 while connected to the broker.")
	descHealthy    = describe("healthy", "1 while readings are read and kept.")
	descClock      = describe("clock_synchronised", "1 while the operating system holds its clock synchronised.")
	descOffset     = describe("clock_offset_seconds", "Last known offset of the clock.")
	descBatches    = describe("spool_batches", "Batches that wait for a receipt.")
	descBytes      = describe("spool_bytes", "Their bytes.")
	descNumber     = describe("batches_total", "Number of the last batch.")
	descPublished  = describe("published_total", "Batches sent and acknowledged by the broker, resent ones included.")
	descResent     = describe("resent_total", "Batches sent again for want of a receipt.")
	descReceipts   = describe("receipts_total", "Batches that ingest has kept.")
	descRejected   = describe("rejected_total", "Of them, batches in ingest's quarantine.")
	descBad        = describe("bad_receipts_total", "Receipts that do not verify or fit.")
	descConnects   = describe("broker_connections_total", "Connections made to the broker.")
	descExpiry     = describe("certificate_expiry_timestamp_seconds", "When the client certificate ends.")
	descRequests   = describe("bus_requests_total", "Modbus requests by their end.", "bus", "end")
	descLoad       = describe("bus_load_ratio", "Share of time the bus was busy.", "bus")
	descMeterFault = describe("meter_fault", "1 while a meter has a fault.", "meter", "fault")
	descMeterWait  = describe("meter_timeout_seconds", "How long a meter is waited for, by how long it takes.", "meter")
	descMeterSeen  = describe("meter_last_seen_timestamp_seconds", "When a meter answered last.", "meter")
)

// Describe and Collect make a prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect sends the metrics of this moment.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	g, s := c.g, c.g.Status()
	gauge(descInfo, 1, s.Gateway, s.Version, s.Config)
	gauge(descConnected, one(g.link.Load().err == ""))
	gauge(descHealthy, one(g.Healthy() == nil))
	gauge(descClock, one(s.Clock.Synchronised))
	gauge(descOffset, float64(s.Clock.OffsetMillis)/1000)
	gauge(descBatches, float64(s.Spool.Batches))
	gauge(descBytes, float64(s.Spool.Bytes))
	count(descNumber, s.Spool.LastNumber)
	count(descPublished, g.stats.Published.Load())
	count(descResent, g.stats.Resent.Load())
	count(descReceipts, g.stats.Receipts.Load())
	count(descRejected, g.stats.Rejected.Load())
	count(descBad, g.stats.BadReceipts.Load())
	count(descConnects, g.stats.Connections.Load())
	if !s.CertExpiry.IsZero() {
		gauge(descExpiry, float64(s.CertExpiry.Unix()))
	}
	for _, b := range s.Buses {
		count(descRequests, b.Answers, b.Bus, "answer")
		count(descRequests, b.Timeouts, b.Bus, "timeout")
		count(descRequests, b.BadFrames, b.Bus, "bad_frame")
		count(descRequests, b.Refusals, b.Bus, "refusal")
		gauge(descLoad, b.LoadRatio, b.Bus)
	}
	for _, m := range s.Meters {
		if m.Fault != "" {
			gauge(descMeterFault, 1, m.Meter, m.Fault)
		}
		if m.TimeoutMillis > 0 {
			gauge(descMeterWait, float64(m.TimeoutMillis)/1000, m.Meter)
		}
		if !m.LastSeen.IsZero() {
			gauge(descMeterSeen, float64(m.LastSeen.UnixMilli())/1000, m.Meter)
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
