package gateway

import (
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"clock": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.UTC().Format("2006-01-02 15:04:05")
	},
	"percent": func(f float64) float64 { return 100 * f },
}).Parse(pageText))

// pageData is what the page shows.
type pageData struct {
	T      map[string]string
	Lang   string
	Notice string // what the data are, when they are not measured here
	Status batch.Status
	Broker string // "" when connected, else why not
	Since  time.Time
	Health string
	Meters []pageMeter
}

type pageMeter struct {
	batch.MeterStatus
	Readings []metering.Reading
}

// page shows live values, buses, spool and faults to whoever stands before the
// device. It is plain HTML without scripts and reloads itself.
func (g *Gateway) page(w http.ResponseWriter, r *http.Request) {
	d := pageData{Lang: "fr", Status: g.Status(), Broker: g.link.Load().err, Since: g.link.Load().since}
	if english(r.Header.Get("Accept-Language")) {
		d.Lang = "en"
	}
	d.T = pageWords[d.Lang]
	d.Notice = d.T[string(g.conf.Origin)]
	if err := g.Healthy(); err != nil {
		d.Health = err.Error()
	}
	latest := g.batcher.readings()
	byMeter := make(map[string][]metering.Reading)
	for _, id := range slices.Sorted(maps.Keys(latest)) {
		byMeter[id.Meter()] = append(byMeter[id.Meter()], latest[id])
	}
	for _, m := range d.Status.Meters {
		d.Meters = append(d.Meters, pageMeter{m, byMeter[m.Meter]})
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err := pageTemplate.Execute(w, d); err != nil {
		g.log.Warn("status page", "error", err)
	}
}

// english says whether a browser prefers English to French.
func english(accept string) bool {
	for part := range strings.SplitSeq(strings.ToLower(accept), ",") {
		switch tag := strings.TrimSpace(part); {
		case strings.HasPrefix(tag, "fr"):
			return false
		case strings.HasPrefix(tag, "en"):
			return true
		}
	}
	return false
}

var pageWords = map[string]map[string]string{
	"fr": {
		"gateway": "Passerelle", "version": "version", "started": "démarrée le", "synthetic": "Données synthétiques, issues d’un simulateur.",
		"replayed": "Données mesurées ailleurs et rejouées.",
		"works":    "Tout fonctionne.", "fails": "La passerelle ne fait pas son travail :", "broker": "Serveur", "connected": "connecté depuis",
		"unreachable": "hors d’atteinte depuis", "waiting": "lots en attente", "bytes": "octets", "last": "dernier lot n°",
		"clock": "Horloge", "synchronised": "synchronisée", "loose": "non synchronisée : vérifiez le serveur de temps (NTP)",
		"certificate": "Certificat valable jusqu’au", "buses": "Bus", "requests": "Demandes", "answers": "Réponses", "timeouts": "Sans réponse",
		"bad_frames": "Trames altérées", "refusals": "Refus", "load": "Charge", "meters": "Compteurs", "meter": "Compteur", "quantity": "Grandeur",
		"reading": "Relevé", "unit": "Unité", "quality": "Qualité", "seen": "Vu le (UTC)", "fault": "Panne", "none": "aucune", "spool": "File d’envoi",
	},
	"en": {
		"gateway": "Gateway", "version": "version", "started": "started", "synthetic": "Synthetic data, made by a simulator.",
		"replayed": "Data measured elsewhere and replayed.",
		"works":    "Everything works.", "fails": "The gateway does not do its work:", "broker": "Server", "connected": "connected since",
		"unreachable": "out of reach since", "waiting": "batches wait", "bytes": "bytes", "last": "last batch no.",
		"clock": "Clock", "synchronised": "synchronised", "loose": "not synchronised: check the time server (NTP)",
		"certificate": "Certificate valid until", "buses": "Buses", "requests": "Requests", "answers": "Answers", "timeouts": "No answer",
		"bad_frames": "Damaged frames", "refusals": "Refusals", "load": "Load", "meters": "Meters", "meter": "Meter", "quantity": "Quantity",
		"reading": "Reading", "unit": "Unit", "quality": "Quality", "seen": "Seen (UTC)", "fault": "Fault", "none": "none", "spool": "Spool",
	},
}
