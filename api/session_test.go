package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
)

func form(email, pass, next string) url.Values {
	return url.Values{"email": {email}, "password": {pass}, "next": {next}}
}

// guest makes an account that only this test uses.
func guest(t *testing.T, role access.Role) access.Person {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	p, err := fixture(t).accounts.Create(context.Background(), access.Person{Email: name + "@port-fictif.example", Name: "Essai", Role: role, Language: "fr"}, password)
	require.NoError(t, err)
	return p
}

func TestSignInLeadsWhereOneWanted(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	email := w.people[access.Animator].Email
	for next, want := range map[string]string{
		"":                           "/overview",
		"/synergies?quarter=2026-Q3": "/synergies?quarter=2026-Q3",
		"https://elsewhere.example/": "/overview",
		"//elsewhere.example/":       "/overview",
		`/\elsewhere.example/`:       "/overview",
		"javascript:alert(1)":        "/overview",
		"/%2f/elsewhere.example":     "/overview",
		"synergies":                  "/overview",
	} {
		a := visitorOf(t, s).post("/sign-in", form(email, password, next))
		require.Equal(t, http.StatusSeeOther, a.StatusCode)
		require.Equal(t, want, a.Header.Get("Location"), next)
	}
	for role, want := range map[access.Role]string{access.Installer: "/gateways", access.Company: "/companies/laiterie", access.Animator: "/overview",
		access.Verifier: "/overview", access.Funder: "/indicators", access.Administrator: "/people"} {
		v := w.signIn(t, s, role, "fr")
		require.Equal(t, want, v.get("/").Header.Get("Location"))
		require.Equal(t, want, v.get("/sign-in").Header.Get("Location"))
		require.Equal(t, http.StatusOK, v.get(want).StatusCode)
	}
}

func TestSignInRefused(t *testing.T) {
	s := fixture(t).server(t)
	p := guest(t, access.Animator)
	v := visitorOf(t, s)
	for range 4 {
		a := v.post("/sign-in", form(p.Email, "faux", ""))
		require.Equal(t, http.StatusUnauthorized, a.StatusCode)
		require.Contains(t, a.body, "Adresse ou mot de passe incorrect")
		require.Contains(t, a.body, p.Email, "the address stays in the form")
		require.NotContains(t, a.body, "faux")
	}
	v.post("/sign-in", form(p.Email, "faux", "")) // the fifth locks
	a := v.post("/sign-in", form(p.Email, password, ""))
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode, "even the right password waits")
	require.Contains(t, a.body, "bloquée")
	unknown := v.post("/sign-in", form("personne@port-fictif.example", "faux", ""))
	require.Equal(t, http.StatusUnauthorized, unknown.StatusCode)
	require.Empty(t, v.cookies["thermie_session"])
}

func TestSessionEnds(t *testing.T) {
	ctx := context.Background()
	w := fixture(t)
	now := fixtureNow
	s := w.server(t, func(o *Options) { o.Clock = func() time.Time { return now } })
	p := guest(t, access.Verifier)
	enter := func() *visitor {
		v := visitorOf(t, s)
		require.Equal(t, http.StatusSeeOther, v.post("/sign-in", form(p.Email, password, "")).StatusCode)
		require.Equal(t, http.StatusOK, v.get("/methods").StatusCode)
		return v
	}
	out := func(v *visitor) { require.Equal(t, http.StatusSeeOther, v.get("/methods").StatusCode) }

	v := enter()
	old := *v.cookies["thermie_session"]
	require.Equal(t, "/sign-in", v.post("/sign-out", nil).Header.Get("Location"))
	v.cookies["thermie_session"] = &old
	out(v) // the token itself is dead

	v = enter()
	require.NoError(t, w.accounts.Disable(ctx, p.ID, true))
	out(v)
	require.NoError(t, w.accounts.Disable(ctx, p.ID, false))

	v = enter()
	p.Role = access.Funder
	require.NoError(t, w.accounts.Change(ctx, p))
	require.Equal(t, http.StatusForbidden, v.get("/overview").StatusCode, "a role taken away counts at once")

	now = fixtureNow.Add(-time.Hour) // signed in an hour before the password was set
	v = enterAs(t, s, p.Email)
	now = fixtureNow
	require.NoError(t, w.accounts.SetPassword(ctx, p.ID, "une autre phrase de passe"))
	out(v)
}

func enterAs(t *testing.T, s *Server, email string) *visitor {
	v := visitorOf(t, s)
	require.Equal(t, http.StatusSeeOther, v.post("/sign-in", form(email, password, "")).StatusCode)
	return v
}

// TestSessionsSurviveARestart: who is signed in stays so when a server that
// keeps sessions in a file is started again; the token itself is nowhere in it.
func TestSessionsSurviveARestart(t *testing.T) {
	w := fixture(t)
	path := filepath.Join(t.TempDir(), "sessions.db")
	start := func() (*Server, *FileSessions) {
		f, err := OpenSessions(t.Context(), path, nil)
		require.NoError(t, err)
		return w.server(t, func(o *Options) { o.Sessions = f }), f
	}
	s, f := start()
	v := w.signIn(t, s, access.Animator, "fr")
	require.NoError(t, f.Close())
	s, f = start()
	again := visitorOf(t, s)
	again.cookies = v.cookies
	require.Equal(t, http.StatusOK, again.get("/overview").StatusCode)
	token := v.cookies["thermie_session"].Value
	_, found, err := f.Find(token)
	require.NoError(t, err)
	require.False(t, found, "only the hash of a token is stored")
	require.NoError(t, f.Close())
	for _, name := range []string{path, path + "-wal"} {
		if b, err := os.ReadFile(name); err == nil {
			require.NotContains(t, string(b), token)
		}
	}
	forgetful := visitorOf(t, w.server(t))
	forgetful.cookies = v.cookies
	require.Equal(t, http.StatusSeeOther, forgetful.get("/overview").StatusCode)
}

func TestSessionsForget(t *testing.T) {
	now := fixtureNow
	clock := func() time.Time { return now }
	f, err := OpenSessions(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), clock)
	require.NoError(t, err)
	defer f.Close()
	for name, m := range map[string]Sessions{"memory": newMemorySessions(clock), "file": f} {
		now = fixtureNow
		find := func(token string) bool {
			_, found, err := m.Find(token)
			require.NoError(t, err, name)
			return found
		}
		require.NoError(t, m.Commit("a", []byte("1"), now.Add(time.Hour)), name)
		require.NoError(t, m.Commit("a", []byte("2"), now.Add(time.Hour)), name)
		b, found, err := m.Find("a")
		require.NoError(t, err, name)
		require.True(t, found, name)
		require.Equal(t, "2", string(b), name)
		now = now.Add(2 * time.Hour)
		require.False(t, find("a"), name)
		require.NoError(t, m.Commit("b", []byte("2"), now.Add(time.Hour)), name)
		now = fixtureNow
		require.False(t, find("a"), "%s: what ended is forgotten", name)
		require.NoError(t, m.Delete("b"), name)
		require.False(t, find("b"), name)
	}
	_, err = OpenSessions(t.Context(), t.TempDir(), clock)
	require.ErrorContains(t, err, "open sessions")
}

// TestOtherSitesCannotAct: a form on another site that posts here is refused.
func TestOtherSitesCannotAct(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t), access.Animator, "fr")
	r := httptest.NewRequest(http.MethodPost, "/sign-out", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, v.do(r).StatusCode)
	r = httptest.NewRequest(http.MethodPost, "/sign-out", nil)
	r.Header.Set("Origin", "https://elsewhere.example")
	require.Equal(t, http.StatusForbidden, v.do(r).StatusCode)
	require.Equal(t, http.StatusOK, v.get("/overview").StatusCode, "still signed in")
	require.Equal(t, http.StatusMethodNotAllowed, v.get("/sign-out").StatusCode)
}

func TestHeadersAndCookies(t *testing.T) {
	w := fixture(t)
	s := w.server(t, func(o *Options) { o.Secure = true })
	v := visitorOf(t, s)
	a := v.post("/sign-in", form(w.people[access.Animator].Email, password, ""))
	c := v.cookies["thermie_session"]
	require.True(t, c.HttpOnly && c.Secure && c.SameSite == http.SameSiteLaxMode)
	for _, x := range []answer{a, v.get("/overview"), v.get("/nowhere"), v.get("/api/v1/me")} {
		csp := x.Header.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'; script-src 'self'; style-src 'self'")
		require.NotContains(t, csp, "unsafe")
		require.Equal(t, "nosniff", x.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", x.Header.Get("Cache-Control"))
	}
}

func TestLanguage(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	v := visitorOf(t, s)
	for accept, want := range map[string]string{"": "fr", "de, en;q=0.5": "en", "fr-FR,fr;q=0.9,en;q=0.8": "fr", "EN-us": "en", "tlh": "fr"} {
		v.header = http.Header{"Accept-Language": {accept}}
		require.Equal(t, want, v.get("/sign-in").Header.Get("Content-Language"), accept)
	}
	v.header = http.Header{"Accept-Language": {"fr"}}
	a := v.get("/sign-in?lang=en&next=%2Fsynergies")
	require.Equal(t, "/sign-in?next=%2Fsynergies", a.Header.Get("Location"), "the rest of the address stays")
	require.Equal(t, "en", v.get("/sign-in").Header.Get("Content-Language"), "remembered")
	// Somebody who never chose gets the language of the account.
	v = visitorOf(t, s)
	v.header = http.Header{"Accept-Language": {"en"}}
	v.post("/sign-in", form(w.people[access.Verifier].Email, password, ""))
	require.Equal(t, "fr", v.get("/overview").Header.Get("Content-Language"))
}

func TestMetricsAndHealth(t *testing.T) {
	w := fixture(t)
	s := w.server(t, func(o *Options) { o.MetricsToken = "secret" })
	v := visitorOf(t, s)
	require.Equal(t, "ok\n", v.get("/healthz").body)
	ask := func(from, token, forwarded string) int {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = from
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return v.do(r).StatusCode
	}
	require.Equal(t, 404, ask("192.0.2.7:4000", "", ""))
	require.Equal(t, 404, ask("192.0.2.7:4000", "wrong", ""))
	require.Equal(t, 200, ask("192.0.2.7:4000", "secret", ""))
	require.Equal(t, 200, ask("127.0.0.1:4000", "", ""))
	require.Equal(t, 404, ask("127.0.0.1:4000", "", "192.0.2.7"), "a proxy on the same machine is not the machine")
	v.get("/nowhere")
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.RemoteAddr = "[::1]:4000"
	require.Contains(t, v.do(r).body, `thermie_http_requests_total{route="none",status="404"}`)
}

func TestForwardedFor(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.2:5000"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	require.Equal(t, "10.0.0.2", ipExtractor(nil)(r))
	require.Equal(t, "203.0.113.9", ipExtractor([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")})(r))
	require.Equal(t, "10.0.0.2", ipExtractor([]netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")})(r))
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	o := fixture(t).options()
	o.Series = nil
	_, err := New(o)
	require.ErrorContains(t, err, "Options.Series is missing")
}
