package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
)

// who may open what, apart from the code: i installer, c company (the dairy), a
// animator, v verifier, f funder, m administrator. "cav 404" means that the
// others get 404, as if it did not exist; with 403 they are told that the page is
// not for their role.
var rights = map[string]string{
	"/overview":                           "av 403",
	"/synergies":                          "cav 403",
	"/synergies/s02-malterie-laiterie":    "cav 404",
	"/synergies/s01-fonderie-reseau":      "av 404",
	"/synergies/s12-papeterie-hotte":      "av 404",
	"/opportunities":                      "cav 403",
	"/opportunities/laiterie-condenseur":  "cav 404",
	"/opportunities/papeterie-effluent":   "av 404",
	"/opportunities/fonderie-fumees":      "av 404",
	"/opportunities/huilerie-sans-accord": "v 404",
	"/contacts":                           "cav 403",
	"/contacts/none":                      " 404",
	"/heat":                               "cav 403",
	"/gateways":                           "icav 403",
	"/gateways/gw-laiterie":               "icav 404",
	"/gateways/gw-laiterie/live":          "icav 404",
	"/gateways/gw-fonderie":               "iav 404",
	"/meters/laiterie-gaz":                "icav 404",
	"/meters/fonderie-gaz":                "iav 404",
	"/companies":                          "cav 403",
	"/companies/laiterie":                 "cav 404",
	"/companies/fonderie":                 "av 404",
	"/companies/laiterie/seen":            "cav 404",
	"/companies/fonderie/seen":            "av 404",
	"/indicators":                         "cavf 403",
	"/reports":                            "cavf 403",
	"/verify":                             "cavf 403",
	"/methods":                            "cavf 403",
	"/people":                             "m 403",
	"/audit":                              "vm 403",
	"/api/v1/me":                          "icavfm 403",
	"/api/v1/synergies":                   "cav 403",
	"/api/v1/synergies/s02-malterie-laiterie/results": "cav 404",
	"/api/v1/synergies/s01-fonderie-reseau/results":   "av 404",
	"/api/v1/opportunities":                           "cav 403",
	"/api/v1/contacts":                                "cav 403",
	"/api/v1/export?every=day&from=2026-11-20":        "icav 403",
	"/api/v1/gateways":                                "icav 403",
	"/api/v1/series":                                  "icav 403",
	"/api/v1/indicators":                              "cavf 403",
	"/api/v1/reports":                                 "cavf 403",

	// Nothing there, for anybody.
	"/synergies/none": " 404", "/companies/none": " 404", "/gateways/none": " 404", "/meters/none": " 404", "/opportunities/none": " 404",
	"/nowhere": " 404", "/api/v1/nowhere": " 404", "/assets/none.js": " 404",
}

var initials = map[access.Role]string{access.Installer: "i", access.Company: "c", access.Animator: "a", access.Verifier: "v", access.Funder: "f", access.Administrator: "m"}

// elsewhere are routes that tests of their own ask: they need a report or a
// period, or change who is signed in.
var elsewhere = []string{"/", "/healthz", "/metrics", "/assets/*", "/sign-in", "/sign-out", "/reports/:quarter/:file", "/dossiers/:quarter", "/heat/proposals/:proposal",
	"/synergies/:synergy/events/:event", "/contacts/:contact/answer", "/contacts/:contact/synergy",
	"/api/v1/openapi.yaml", "/api/v1/series/:meter/:quantity/points"}

// TestRights asks every page as every role in both languages, and as nobody.
func TestRights(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	for _, role := range access.Roles {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			for _, lang := range words.Langs {
				v := w.signIn(t, s, role, string(lang))
				for path, rule := range rights {
					yes, _, _ := strings.Cut(rule, " ")
					// What is open in English, TestEveryLinkedPage walks through.
					if lang == words.FR || !strings.Contains(yes, initials[role]) {
						asks(t, v, role, lang, path, rule)
					}
				}
			}
		})
	}
	nobody := visitorOf(t, s)
	for path, rule := range rights {
		a := nobody.get(path)
		switch {
		case strings.HasPrefix(path, "/assets"), path == "/nowhere", path == "/api/v1/nowhere":
			assert.Equal(t, 404, a.StatusCode, path)
		case strings.HasPrefix(path, "/api/"):
			assert.Equal(t, 401, a.StatusCode, path)
			assert.Equal(t, "application/problem+json", a.Header.Get("Content-Type"), path)
		default:
			assert.Equal(t, http.StatusSeeOther, a.StatusCode, "%s %s", path, rule)
			assert.True(t, strings.HasPrefix(a.Header.Get("Location"), "/sign-in?next="), path)
		}
	}
}

func asks(t *testing.T, v *visitor, role access.Role, lang words.Lang, path, rule string) {
	yes, no, _ := strings.Cut(rule, " ")
	a := v.get(path)
	want := 200
	if !strings.Contains(yes, initials[role]) {
		want = map[string]int{"403": 403, "404": 404}[no]
	}
	assert.Equal(t, want, a.StatusCode, "%s as %s", path, role)
	if strings.HasPrefix(path, "/assets") || strings.HasPrefix(path, "/api") {
		return
	}
	page := strings.Contains(a.body, `<html lang="`+string(lang)+`"`) || strings.HasSuffix(path, "/live")
	assert.True(t, page, "%s as %s", path, role)
	assert.Equal(t, string(lang), a.Header.Get("Content-Language"))
}

// TestEveryRouteIsAsked holds the table above to the routes.
func TestEveryRouteIsAsked(t *testing.T) {
	for _, r := range routes {
		asked := slices.Contains(elsewhere, r.path)
		for path := range rights {
			asked = asked || matches(r.path, path)
		}
		assert.True(t, asked, "no test asks %s", r.path)
		assert.True(t, r.open || r.anyone || r.action != "", "%s: who may come?", r.path)
	}
}

func matches(pattern, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	return len(want) == len(have) && !slices.ContainsFunc(want, func(x string) bool {
		i := slices.Index(want, x)
		return !strings.HasPrefix(x, ":") && x != have[i]
	})
}

// TestOtherCompanyStaysUnseen: nothing that the dairy is not a party of shows
// figures of others, wherever the name of another company may stand.
func TestOtherCompanyStaysUnseen(t *testing.T) {
	v := fixture(t)
	s := v.server(t)
	dairy := v.signIn(t, s, access.Company, "fr")
	list := dairy.get("/synergies").body
	require.Contains(t, list, `href="/synergies/s02-malterie-laiterie"`)
	require.NotContains(t, list, `href="/synergies/s01-fonderie-reseau"`, "a page that answers 404 is not linked")
	foreign := dairy.get("/synergies/s01-fonderie-reseau")
	absent := dairy.get("/synergies/none")
	require.Equal(t, absent.StatusCode, foreign.StatusCode)
	clean := func(a answer, name string) string { return strings.ReplaceAll(a.body, name, "x") }
	require.Equal(t, clean(absent, "none"), clean(foreign, "s01-fonderie-reseau"), "refused looks exactly like absent")

	// The oil mill withdrew its consent: neither its waste heat nor its needs show.
	animator := v.signIn(t, s, access.Animator, "fr")
	require.NotContains(t, animator.get("/opportunities").body, "Gisement sans consentement")
	require.NotContains(t, animator.get("/opportunities/papeterie-effluent").body, "Huilerie")
	// What the foundry gives already stands beside what it could still give.
	running := animator.get("/opportunities/fonderie-fumees").body
	require.Contains(t, running, "annoncé, attendu, mesuré")
	require.Contains(t, running, `href="/synergies/s01-fonderie-reseau"`)
	require.Contains(t, running, `href="/synergies/s04-compresseurs-lavage"`)
	require.NotContains(t, running, `href="/synergies/s02-malterie-laiterie"`)
	verifier := v.signIn(t, s, access.Verifier, "fr")
	require.Contains(t, verifier.get("/opportunities").body, "Gisement sans consentement")
	require.Contains(t, verifier.get("/opportunities/papeterie-effluent").body, "Huilerie")
}
