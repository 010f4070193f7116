package api

import (
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/registry/accounts"
)

const (
	sessionPerson  = "person"
	sessionSince   = "since" // Unix milliseconds of the sign-in
	languageCookie = "thermie_language"
)

func newSessions(o Options) *scs.SessionManager {
	m := scs.New()
	// Lifetimes are scs's, by the machine's clock.
	m.Store = newMemorySessions(time.Now)
	if o.Sessions != nil {
		m.Store = o.Sessions
	}
	m.Lifetime, m.IdleTimeout = sessionLife, sessionIdle
	m.HashTokenInStore = true
	m.Cookie.Name = "thermie_session"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Secure = o.Secure
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		o.Log.Error("dashboard: session store", "error", err)
		http.Error(w, words.FR.T("problem.500.title"), http.StatusInternalServerError)
	}
	return m
}

// visit is one request with what is known of it.
type visit struct {
	echo.Context
	s      *Server
	route  route
	person access.Person // zero before sign-in
	lang   words.Lang
	facts  access.Facts // nil before sign-in
	scope  access.Scope
	known  *members // read once a request, by members
}

// may asks access on behalf of the person who visits.
func (v *visit) may(a access.Action, subject string) bool {
	return access.May(v.person, v.facts, a, subject)
}

func (v *visit) t(key string, args ...any) string { return v.lang.T(key, args...) }

// visit finds out who asks. The session holds the person's ID only, so that a
// role that was changed or taken away counts from the next request on. A new
// password ends the sessions that began under the old one.
func (s *Server) visit(c echo.Context, r route) (*visit, error) {
	v := &visit{Context: c, s: s, route: r, lang: s.language(c)}
	id := s.sessions.GetString(c.Request().Context(), sessionPerson)
	if id == "" {
		return v, nil
	}
	account, err := s.o.Accounts.Get(c.Request().Context(), id)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return v, err
	}
	since := time.UnixMilli(s.sessions.GetInt64(c.Request().Context(), sessionSince))
	if err != nil || account.Disabled || since.Before(account.PasswordAt) {
		return v, s.sessions.Destroy(c.Request().Context())
	}
	p := account.Person
	v.person = p
	if v.facts, err = s.o.Registry.Facts(c.Request().Context()); err != nil {
		return v, err
	}
	v.scope = access.ForSeries(p, v.facts)
	if _, chosen := chosenLanguage(c); !chosen && p.Language != "" {
		v.lang = words.Parse(p.Language)
	}
	return v, nil
}

func chosenLanguage(c echo.Context) (words.Lang, bool) {
	if ck, err := c.Cookie(languageCookie); err == nil {
		return words.Parse(ck.Value), true
	}
	return words.FR, false
}

// language is the one chosen, else what the browser asks for, else French.
func (s *Server) language(c echo.Context) words.Lang {
	if l, ok := chosenLanguage(c); ok {
		return l
	}
	for part := range strings.SplitSeq(c.Request().Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch base, _, _ := strings.Cut(strings.ToLower(tag), "-"); base {
		case "fr":
			return words.FR
		case "en":
			return words.EN
		}
	}
	return words.FR
}

// chooseLanguage takes ?lang=en on any page, remembers it and shows the page again.
func (v *visit) chooseLanguage() (done bool, err error) {
	l := v.QueryParam("lang")
	if l == "" || v.Request().Method != http.MethodGet {
		return false, nil
	}
	v.SetCookie(&http.Cookie{Name: languageCookie, Value: string(words.Parse(l)), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.s.o.Secure})
	q := v.Request().URL.Query()
	q.Del("lang")
	return true, v.Redirect(http.StatusSeeOther, (&url.URL{Path: v.Request().URL.Path, RawQuery: q.Encode()}).String())
}

func showSignIn(v *visit) error {
	if v.person.ID != "" {
		return v.Redirect(http.StatusSeeOther, home(v.person))
	}
	return v.page(http.StatusOK, "sign-in", v.t("signin.title"), signInPage{Next: localPath(v.QueryParam("next"))})
}

type signInPage struct {
	Email, Next, Problem string
}

func signIn(v *visit) error {
	ctx := v.Request().Context()
	form := signInPage{Email: strings.TrimSpace(v.FormValue("email")), Next: localPath(v.FormValue("next"))}
	p, err := v.s.o.Accounts.Check(ctx, form.Email, v.FormValue("password"))
	if err != nil {
		status := http.StatusUnauthorized
		switch {
		case errors.Is(err, accounts.ErrTooMany):
			status, form.Problem = http.StatusTooManyRequests, v.t("signin.too_many")
		case errors.Is(err, accounts.ErrRefused):
			form.Problem = v.t("signin.refused")
		default:
			return err
		}
		v.s.gauges.refused.Inc()
		v.s.o.Log.Info("sign-in refused", "from", v.RealIP())
		return v.page(status, "sign-in", v.t("signin.title"), form)
	}
	if err := v.s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	v.s.sessions.Put(ctx, sessionPerson, p.ID)
	v.s.sessions.Put(ctx, sessionSince, v.s.o.Clock().UnixMilli())
	if form.Next != "" && form.Next != "/" {
		return v.Redirect(http.StatusSeeOther, form.Next)
	}
	return v.Redirect(http.StatusSeeOther, home(p))
}

func signOut(v *visit) error {
	if err := v.s.sessions.Destroy(v.Request().Context()); err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, "/sign-in")
}

// localPath keeps an address to return to only when it leads to this server.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(next, `\`) {
		return ""
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

// home is where a person of each role begins.
func home(p access.Person) string {
	switch p.Role {
	case access.Installer:
		return "/gateways"
	case access.Company:
		return "/companies/" + p.Company
	case access.Funder:
		return "/indicators"
	case access.Administrator:
		return "/people"
	}
	return "/overview"
}

func showHome(v *visit) error { return v.Redirect(http.StatusSeeOther, home(v.person)) }

func stack() string { return string(debug.Stack()) }
