package api

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// pages holds the templates by language and name.
type pages map[words.Lang]map[string]*template.Template

func loadPages(a assets) (pages, error) {
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	all := make(pages)
	for _, l := range words.Langs {
		base, err := template.New("base").Funcs(functions(l, a)).Option("missingkey=error").
			ParseFS(templateFiles, "templates/_*.html")
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		all[l] = make(map[string]*template.Template)
		for _, f := range files {
			name := strings.TrimSuffix(f.Name(), ".html")
			if strings.HasPrefix(name, "_") {
				continue
			}
			t, err := base.Clone()
			if err != nil {
				return nil, err
			}
			if all[l][name], err = t.ParseFS(templateFiles, path.Join("templates", f.Name())); err != nil {
				return nil, fmt.Errorf("templates: %w", err)
			}
		}
	}
	return all, nil
}

// functions are what templates call; they speak the page's language.
func functions(l words.Lang, a assets) template.FuncMap {
	return template.FuncMap{
		"t": l.T, "n": l.N, "or": l.Or, "of": l.Of, "fig": l.Figure, "num": l.Number, "amount": l.Amount, "pct": l.Percent,
		"money": l.Money, "date": l.Date, "shortdate": l.ShortDate, "moment": l.Moment, "clock": l.Clock,
		"month": l.Month, "quarter": l.Quarter, "change": l.Change, "asset": a.address,
		"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"any":     func(b ...bool) bool { return anyTrue(b) },
		"percent": func(share float64) float64 { return 100 * share },
		"join":    strings.Join,
		"div":     func(a, b float64) float64 { return a / b },
	}
}

func anyTrue(b []bool) bool {
	for _, x := range b {
		if x {
			return true
		}
	}
	return false
}

// frame is what stands around every page.
type frame struct {
	Lang      words.Lang
	Title     string
	Person    access.Person
	Company   string // name of the person's company
	Nav       []navItem
	Languages []navItem
	Territory string
	Synthetic bool
	Loading   *loading
	Now       time.Time
	Version   string
	D         any
}

// Since says how long ago an instant was.
func (f frame) Since(t time.Time) string { return f.Lang.Since(t, f.Now) }

type navItem struct {
	Name, Href string
	Current    bool
}

type loading struct {
	Percent float64
	Text    string
}

// places are the entries of the navigation with the action that opens them.
var places = []struct {
	key, href string
	action    access.Action
}{
	{"nav.overview", "/overview", access.SeeSynergy},
	{"nav.synergies", "/synergies", access.SeeProgramme},
	{"nav.opportunities", "/opportunities", access.SeeOpportunities},
	{"nav.contacts", "/contacts", access.SeeContacts},
	{"nav.heat", "/heat", access.SeeOpportunities},
	{"nav.companies", "/companies", access.SeeProgramme},
	{"nav.gateways", "/gateways", access.SeeMeters},
	{"nav.indicators", "/indicators", access.SeeIndicators},
	{"nav.reports", "/reports", access.SeeReports},
	{"nav.methods", "/methods", access.SeeMethods},
	{"nav.people", "/people", access.Administer},
	{"nav.audit", "/audit", access.SeeAudit},
}

func (v *visit) nav() []navItem {
	if v.person.ID == "" {
		return nil
	}
	var items []navItem
	here := v.Request().URL.Path
	add := func(name, href string) {
		items = append(items, navItem{name, href, here == href || strings.HasPrefix(here, href+"/")})
	}
	own := ""
	if v.person.Role == access.Company {
		own = home(v.person)
		add(v.t("nav.own"), own)
	}
	for _, p := range places {
		if !v.may(p.action, "") || p.href == "/companies" && own != "" {
			continue
		}
		add(v.t(p.key), p.href)
	}
	return items
}

func (v *visit) languages() []navItem {
	var items []navItem
	for _, l := range words.Langs {
		q := v.Request().URL.Query()
		q.Set("lang", string(l))
		href := (&url.URL{Path: v.Request().URL.Path, RawQuery: q.Encode()}).String()
		if v.Request().Method != http.MethodGet {
			href = "/sign-in?lang=" + string(l)
		}
		items = append(items, navItem{string(l), href, l == v.lang})
	}
	return items
}

// page renders a page in the visitor's language. It is rendered whole before
// the first byte leaves, so that a failure becomes an error page.
func (v *visit) page(status int, name, title string, data any) error {
	f := frame{Lang: v.lang, Title: title, Person: v.person, Nav: v.nav(), Languages: v.languages(),
		Territory: v.lang.Of(v.s.o.Territory), Synthetic: v.s.o.Synthetic, Now: v.s.o.Clock(), Version: v.s.o.Version, D: data}
	if v.person.Company != "" {
		c, _, err := v.company(v.person.Company)
		if err != nil {
			return err
		}
		f.Company = c.Name
	}
	if v.s.o.Progress != nil {
		if share, text := v.s.o.Progress.Progress(); share < 1 {
			f.Loading = &loading{100 * share, v.lang.Of(text)}
		}
	}
	return v.render(status, name, "page", f)
}

// fragment renders only the content of a page, for one that refreshes itself.
func (v *visit) fragment(name, block string, data any) error {
	return v.render(http.StatusOK, name, block, frame{Lang: v.lang, Person: v.person, Now: v.s.o.Clock(), D: data})
}

func (v *visit) render(status int, name, block string, f frame) error {
	t := v.s.pages[v.lang][name]
	if t == nil {
		return fmt.Errorf("page %s: there is no template", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, block, f); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := v.Response().Header()
	h.Set("Content-Language", string(v.lang))
	h.Add("Vary", "Cookie, Accept-Language")
	return v.Blob(status, "text/html; charset=utf-8", b.Bytes())
}

// answerError turns an error into a page that says what happened and what to
// do, or into problem JSON (RFC 9457) for the API.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		s.o.Log.Warn("dashboard: answer cut off", "path", c.Request().URL.Path, "error", err)
		return
	}
	status := http.StatusInternalServerError
	var known *echo.HTTPError
	if errors.As(err, &known) {
		status = known.Code
	}
	if status >= 500 {
		s.o.Log.Error("dashboard: request failed", "path", c.Request().URL.Path, "error", err)
	}
	key := fmt.Sprintf("problem.%d", status)
	if !words.Has(key + ".title") {
		key = "problem.500"
		if status < 500 {
			key = "problem.400"
		}
	}
	detail := ""
	var said problem
	if errors.As(err, &said) {
		detail = said.text
	}
	v, verr := s.visit(c, route{path: c.Request().URL.Path})
	if verr != nil {
		v = &visit{Context: c, s: s, lang: s.language(c)}
	}
	if strings.HasPrefix(c.Request().URL.Path, "/api/") {
		s.logIf(v.problemJSON(status, v.t(key+".title"), detail))
		return
	}
	if c.Request().Method == http.MethodHead {
		s.logIf(c.NoContent(status))
		return
	}
	data := problemPage{Status: status, What: v.t(key + ".what"), Do: v.t(key + ".do"), Detail: detail, Home: v.person.ID != ""}
	if err := v.page(status, "problem", v.t(key+".title"), data); err != nil {
		s.o.Log.Error("dashboard: error page", "error", err)
		s.logIf(c.String(status, v.t(key+".title")))
	}
}

func (s *Server) logIf(err error) {
	if err != nil {
		s.o.Log.Debug("dashboard: answer not sent", "error", err)
	}
}

type problemPage struct {
	Status           int
	What, Do, Detail string
	Home             bool
}

// problem is an error whose text may be shown.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

// Unwrap makes it an HTTP error of its status.
func (p problem) Unwrap() error { return echo.NewHTTPError(p.status) }

func queryEscape(s string) string { return url.QueryEscape(s) }

// chosenQuarter is the quarter of ?quarter=, else the one that runs.
func (v *visit) chosenQuarter() (calendar.Quarter, error) {
	now := calendar.QuarterOf(v.s.o.Clock())
	text := v.QueryParam("quarter")
	if text == "" {
		return now, nil
	}
	q, err := calendar.ParseQuarter(text)
	if err != nil {
		return q, problem{http.StatusBadRequest, v.t("problem.quarter", text)}
	}
	return q, nil
}

var _ = metering.Text{}
