package api

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// gauges are what operators watch, under /metrics in the Prometheus format.
type gauges struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  prometheus.Counter
	handler  http.Handler
}

func newGauges() gauges {
	g := gauges{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "thermie_http_requests_total", Help: "Answers of the dashboard by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "thermie_http_request_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.005, .02, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"route"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "thermie_sign_in_refused_total", Help: "Sign-ins refused: wrong, unknown or locked."}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(g.requests, g.seconds, g.refused, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	g.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{})
	return g
}

// observe counts answers by route; addresses that lead nowhere are one route,
// so that a scanner does not fill the memory.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		route := c.Path()
		if route == "" {
			route = "none"
		}
		s.gauges.requests.WithLabelValues(route, strconv.Itoa(c.Response().Status)).Inc()
		s.gauges.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
		return nil
	}
}

// showHealth says that the server answers and that its registry can be read.
func showHealth(v *visit) error {
	if _, err := v.s.o.Registry.Companies(v.Request().Context()); err != nil {
		v.s.o.Log.Error("dashboard: health", "error", err)
		return v.String(http.StatusServiceUnavailable, "registry cannot be read\n")
	}
	return v.String(http.StatusOK, "ok\n")
}

// showMetrics answers the machine itself and whoever has the token; to anyone
// else the address does not exist.
func showMetrics(v *visit) error {
	if !v.mayWatch() {
		return errNotFound
	}
	v.s.gauges.handler.ServeHTTP(v.Response(), v.Request())
	return nil
}

func (v *visit) mayWatch() bool {
	sent, bearer := strings.CutPrefix(v.Request().Header.Get("Authorization"), "Bearer ")
	if want := v.s.o.MetricsToken; want != "" && bearer {
		return subtle.ConstantTimeCompare([]byte(sent), []byte(want)) == 1
	}
	// The connection's own address counts, not a header's: behind a proxy on the
	// same machine every request would seem to be the machine's own.
	from, err := netip.ParseAddrPort(v.Request().RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && v.Request().Header.Get(echo.HeaderXForwardedFor) == ""
}

// problemJSON answers an error of the JSON API in the form of RFC 9457.
func (v *visit) problemJSON(status int, title, detail string) error {
	b, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", title, status, detail})
	return errors.Join(err, v.Blob(status, "application/problem+json", b))
}
