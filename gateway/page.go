package gateway

import (
	_ "embed"
	"fmt"
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

// pageTemplates hold the page with the figures of each language.
var pageTemplates = map[string]*template.Template{"fr": pageTemplate("fr"), "en": pageTemplate("en")}

func pageTemplate(lang string) *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"clock": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.UTC().Format("2006-01-02 15:04:05")
		},
		"percent": func(f float64) string { return figure(fmt.Sprintf("%.1f", 100*f), lang) + "\u202f%" },
		"number":  func(n any) string { return figure(fmt.Sprint(n), lang) },
		"bytes":   func(n int64) string { return size(n, lang) },
	}).Parse(pageText))
}

// figure sets a number: narrow spaces in thousands, in French a decimal comma.
func figure(text, lang string) string {
	digits, decimals, has := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	if !has {
		return sign + digits
	}
	if lang == "fr" {
		return sign + digits + "," + decimals
	}
	return sign + digits + "." + decimals
}

func size(n int64, lang string) string {
	unit := map[string]string{"fr": "o", "en": "B"}[lang]
	switch {
	case n >= 1<<30:
		return figure(fmt.Sprintf("%.1f", float64(n)/(1<<30)), lang) + "\u202fGi" + unit
	case n >= 1<<20:
		return figure(fmt.Sprintf("%.1f", float64(n)/(1<<20)), lang) + "\u202fMi" + unit
	case n >= 1<<10:
		return figure(fmt.Sprint(n>>10), lang) + "\u202fKi" + unit
	}
	return figure(fmt.Sprint(n), lang) + "\u202f" + unit
}

// pageData is what the page shows.
type pageData struct {
	T        map[string]string
	Lang     string
	Notice   string // what the data are, when they are not measured here
	Status   batch.Status
	MaxBytes int64
	Broker   string // "" when connected, else why not
	Since    time.Time
	Health   string
	Faults   int // meters with one
	Meters   []pageMeter
	Events   []event
	Desired  *batch.ConfigReport // nil when nobody may configure from afar
}

type pageMeter struct {
	batch.MeterStatus
	FaultName, Advice string
	Readings          []pageReading
}

type pageReading struct {
	Name, Number, Unit string
	Quality            string // "" when good
}

// page shows live values, buses, spool, faults and the last errors to whoever
// stands before the device. It is plain HTML without scripts and reloads itself.
func (g *Gateway) page(w http.ResponseWriter, r *http.Request) {
	d := pageData{Lang: language(r), Status: g.Status(), MaxBytes: g.conf.Spool.MaxBytes, Broker: g.link.Load().err, Since: g.link.Load().since,
		Events: g.recent.shared.newest()}
	d.T = pageWords[d.Lang]
	if g.o.Remote != nil {
		if report, err := batch.ParseConfigReport(g.o.Remote.Report()); err == nil {
			d.Desired = &report
		}
	}
	d.Notice = d.T[string(g.conf.Origin)]
	if err := g.Healthy(); err != nil {
		d.Health = err.Error()
	}
	latest := g.batcher.readings()
	byMeter := make(map[string][]pageReading)
	for _, id := range slices.SortedFunc(maps.Keys(latest), inOrder) {
		byMeter[id.Meter()] = append(byMeter[id.Meter()], shown(latest[id], d.Lang))
	}
	for _, m := range d.Status.Meters {
		p := pageMeter{MeterStatus: m, Readings: byMeter[m.Meter]}
		if !slices.ContainsFunc(p.Readings, func(r pageReading) bool { return r.Number != none }) {
			p.Readings = nil // the fault says it
		}
		if m.Fault != "" {
			d.Faults++
			p.FaultName, p.Advice = metering.Reason(m.Fault).Name().In(d.Lang), metering.Reason(m.Fault).Advice().In(d.Lang)
		}
		d.Meters = append(d.Meters, p)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if err := pageTemplates[d.Lang].Execute(w, d); err != nil {
		g.log.Warn("status page", "error", err)
	}
}

// places are where quantities stand in lists.
var places = func() map[metering.Quantity]int {
	m := make(map[metering.Quantity]int, len(metering.Quantities))
	for i, q := range metering.Quantities {
		m[q.Quantity] = i
	}
	return m
}()

func inOrder(a, b metering.SeriesID) int {
	if c := strings.Compare(a.Meter(), b.Meter()); c != 0 {
		return c
	}
	return places[a.Quantity()] - places[b.Quantity()]
}

// none stands for a number that is not there.
const none = "–"

func shown(r metering.Reading, lang string) pageReading {
	p := pageReading{Name: r.Series.Quantity().Name().In(lang), Number: none}
	if r.Quality.Level != metering.Missing {
		p.Number, p.Unit = figure(r.Number.String(), lang), displayed(r.Unit)
	}
	if r.Quality.Level != metering.Good {
		p.Quality = r.Quality.Reason.Name().In(lang)
	}
	return p
}

// displayed is a unit as people write it.
func displayed(u metering.Unit) string {
	switch u {
	case metering.Celsius:
		return "°C"
	case metering.CubicM:
		return "m³"
	case metering.CubicMPH:
		return "m³/h"
	case metering.Ratio, metering.Count:
		return ""
	}
	return string(u)
}

// language is the one that was asked for, else the browser's, else French.
func language(r *http.Request) string {
	if l := r.URL.Query().Get("lang"); l == "fr" || l == "en" {
		return l
	}
	if english(r.Header.Get("Accept-Language")) {
		return "en"
	}
	return "fr"
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
		"gateway": "Passerelle", "started": "démarrée le", "synthetic": "Données synthétiques, issues d’un simulateur.",
		"replayed": "Données mesurées ailleurs et rejouées.", "of": "sur",
		"works": "La passerelle lit et conserve les relevés.", "faulty": "Compteurs en panne\u202f: %d sur %d.", "fails": "La passerelle ne fait pas son travail\u202f:",
		"broker": "Serveur", "connected": "connecté", "unreachable": "hors d’atteinte", "since": "depuis le", "waiting": "lots en attente", "last": "dernier lot n°",
		"clock": "Horloge", "synchronised": "synchronisée", "loose": "non synchronisée", "ntp": "Vérifiez le serveur de temps (NTP)\u202f; chaque lot le signale.",
		"certificate": "Certificat valable jusqu’au", "buses": "Bus", "requests": "Demandes", "answers": "Réponses", "timeouts": "Sans réponse",
		"bad_frames": "Trames altérées", "refusals": "Refus", "load": "Charge", "meters": "Compteurs", "seen": "vu le", "never": "jamais vu", "latency": "réponse en", "patience": "attendue",
		"config": "Configuration", "state.local": "celle de l’appareil", "state.trying": "reçue du serveur, à l’essai", "state.running": "reçue du serveur",
		"state.refused": "la dernière reçue a été refusée", "state.rolled_back": "la dernière reçue a été retirée", "state.superseded": "celle de l’appareil, modifiée depuis", "number": "n°",
		"spool": "File d’envoi", "nothing": "Rien de lu pour l’instant.", "events": "Derniers avertissements et erreurs", "none": "Aucun.", "time": "Heure (UTC)", "what": "Message (du journal, en anglais)",
	},
	"en": {
		"gateway": "Gateway", "started": "started", "synthetic": "Synthetic data, made by a simulator.",
		"replayed": "Data measured elsewhere and replayed.", "of": "of",
		"works": "The gateway reads and keeps readings.", "faulty": "Meters with a fault: %d of %d.", "fails": "The gateway does not do its work:",
		"broker": "Server", "connected": "connected", "unreachable": "out of reach", "since": "since", "waiting": "batches wait", "last": "last batch no.",
		"clock": "Clock", "synchronised": "synchronised", "loose": "not synchronised", "ntp": "Check the time server (NTP); each batch says so.",
		"certificate": "Certificate valid until", "buses": "Buses", "requests": "Requests", "answers": "Answers", "timeouts": "No answer",
		"bad_frames": "Damaged frames", "refusals": "Refusals", "load": "Load", "meters": "Meters", "seen": "seen", "never": "never seen", "latency": "answers in", "patience": "waited for",
		"config": "Configuration", "state.local": "the device’s own", "state.trying": "from the server, on trial", "state.running": "from the server",
		"state.refused": "the last one sent was refused", "state.rolled_back": "the last one sent was taken back", "state.superseded": "the device’s own, changed since", "number": "no.",
		"spool": "Spool", "nothing": "Nothing was read yet.", "events": "Last warnings and errors", "none": "None.", "time": "Time (UTC)", "what": "Message",
	},
}
