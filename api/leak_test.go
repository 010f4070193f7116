package api

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

var (
	hrefs     = regexp.MustCompile(`href="(/[^"#]*)`)
	addresses = regexp.MustCompile(`"(/(?:api|reports|dossiers)/[^"]*)"`)
	// inline finds what the content security policy would refuse.
	inline = regexp.MustCompile(`<script>|<script type="text|<style| style="| on[a-z]+="|javascript:`)
)

// walks are kept: a role's answers serve several tests, which run one by one.
var walks = map[access.Role]map[string]string{}

// maxCrawl bounds a walk; a person of the fixture reaches far fewer addresses.
const maxCrawl = 600

// crawl follows every address from the start page and the API on, and returns
// what a person can get by it: address and text.
func crawl(t *testing.T, role access.Role, lang string, more ...string) map[string]string {
	t.Helper()
	if done := walks[role]; done != nil {
		return done
	}
	w := fixture(t)
	v := w.signIn(t, w.server(t, sealed(t)), role, lang)
	queue := append([]string{home(w.people[role]), "/api/v1/me", "/api/v1/synergies", "/api/v1/opportunities", "/api/v1/contacts", "/api/v1/gateways", "/api/v1/series", "/api/v1/export?from=2026-11-20", "/api/v1/indicators", "/api/v1/reports"}, more...)
	walks[role] = wander(t, v, role, queue)
	return walks[role]
}

// wander follows every address from some on.
func wander(t *testing.T, v *visitor, role access.Role, queue []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	asked := map[string]bool{}
	for len(queue) > 0 {
		url := queue[0]
		queue = queue[1:]
		if asked[url] || strings.HasPrefix(url, "/assets/") || skipped(role, url) {
			continue
		}
		require.Less(t, len(asked), maxCrawl, "the walk does not end")
		asked[url] = true
		a := v.get(url)
		if a.StatusCode == 403 && strings.HasPrefix(url, "/api/") {
			continue // asked by this test, not named by a page
		}
		if a.StatusCode == 303 {
			queue = append(queue, a.Header.Get("Location"))
			continue
		}
		require.Equal(t, 200, a.StatusCode, "%s names %s as %s", "a page", url, role)
		out[url] = a.body
		kind := a.Header.Get("Content-Type")
		switch {
		case strings.HasPrefix(kind, "text/html") && !strings.HasPrefix(url, "/reports/"):
			assert.Empty(t, inline.FindAllString(a.body, 3), "%s has something inline", url)
			for _, m := range hrefs.FindAllStringSubmatch(a.body, -1) {
				next := html.UnescapeString(m[1])
				if strings.HasPrefix(next, "?") {
					next = url + next
				}
				queue = append(queue, next)
			}
		case strings.HasPrefix(kind, "application/json"):
			for _, m := range addresses.FindAllStringSubmatch(a.body, -1) {
				var next string
				require.NoError(t, json.Unmarshal([]byte(`"`+m[1]+`"`), &next))
				queue = append(queue, next)
			}
		}
	}
	return out
}

// skipped are addresses that would show the same in another way: other
// languages and periods, and for the installer, to whom every site is open, the
// sites beyond a few.
func skipped(role access.Role, url string) bool {
	if strings.Contains(url, "lang=") || strings.Contains(url, "days=1") || strings.Contains(url, "days=7") || strings.Contains(url, "days=31") || strings.Contains(url, "quarter=2025") {
		return true
	}
	one := strings.HasPrefix(url, "/meters/") || strings.HasPrefix(url, "/gateways/") || strings.HasPrefix(url, "/api/v1/series/")
	return role == access.Installer && one && !strings.Contains(url, "transports") && !strings.Contains(url, "beton")
}

// printed is what can be read in the answers of a walk, cut into names and
// numbers, each with an address where it stands.
type printed struct{ names, numbers map[string]string }

func read(got map[string]string) printed {
	p := printed{map[string]string{}, map[string]string{}}
	name := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' }
	// A number in French has spaces and a comma inside, in JSON neither.
	exact := func(r rune) bool { return r >= '0' && r <= '9' || strings.ContainsRune(".eE-", r) }
	french := func(r rune) bool { return r >= '0' && r <= '9' || strings.ContainsRune(",\u202f\u00a0\u2212± ", r) }
	for url, body := range got {
		body = html.UnescapeString(body)
		cut(p.names, name, body, url)
		cut(p.numbers, exact, body, url)
		cut(p.numbers, french, body, url)
	}
	return p
}

func cut(into map[string]string, in func(rune) bool, body, url string) {
	for _, s := range strings.FieldsFunc(body, func(r rune) bool { return !in(r) }) {
		if s = trim(s); len(s) > 3 {
			into[s] = url
		}
	}
}

func trim(s string) string { return strings.Trim(s, ", .\u00a0\u202f±") }

// mustNotHold fails when one of the secrets can be read.
func mustNotHold(t *testing.T, in map[string]string, secrets map[string]string) {
	t.Helper()
	for s, what := range secrets {
		if url, ok := in[s]; ok {
			t.Errorf("%s gives away %s: %q", url, what, s)
		}
	}
}

// secrets are what a person may not read: newest registers of meters outside
// their scope and figures of synergies that they may not see, as pages and the
// API write them. Short numbers are left out: they may stand anywhere.
func (w *world) secrets(t *testing.T, p access.Person, lang words.Lang) (meters, numbers map[string]string) {
	t.Helper()
	ctx := t.Context()
	facts, err := w.registry.Facts(ctx)
	require.NoError(t, err)
	scope := access.ForSeries(p, facts)
	meters, numbers = map[string]string{}, map[string]string{}
	for _, m := range w.programme.Meters {
		if !scope.Allows(m.ID) && !access.May(p, facts, access.SeeMeters, m.Company) {
			meters[m.ID] = "the meter " + m.ID
		}
	}
	infos, err := w.store.List(ctx, access.System("test"))
	require.NoError(t, err)
	var ids []metering.SeriesID
	for _, i := range infos {
		if !scope.Allows(i.ID.Meter()) && i.ID.Quantity().Kind() == metering.Counter {
			ids = append(ids, i.ID)
		}
	}
	points, err := w.store.Latest(ctx, access.System("test"), ids)
	require.NoError(t, err)
	for id, pt := range points {
		if len(pt.Number.Normal().String()) >= 6 {
			numbers[pt.Number.String()] = "a reading of " + string(id)
			numbers[(&visit{lang: lang}).reading(pt.Number)] = "a reading of " + string(id)
		}
	}
	results, err := w.registry.Results(ctx, registry.Query{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range results {
		for _, f := range r.Figures {
			b, err := json.Marshal(f.Amount)
			require.NoError(t, err)
			figure := lang.Figure(f)
			figure.Unit = ""
			exact, printed := string(b), trim(figure.String())
			mine := access.May(p, facts, access.SeeSynergy, r.Synergy)
			for _, s := range []string{exact, printed} {
				switch {
				case mine || len(s) < 9:
					seen[s] = true
				case r.Kind != metering.PeriodDay:
					numbers[s] = "a figure of " + r.Synergy
				}
			}
		}
	}
	for s := range public(t, calendar.QuarterOf(results[0].From), lang) {
		seen[s] = true
	}
	for s := range seen {
		delete(numbers, s)
	}
	return meters, numbers
}

var published map[string]bool

// public is what disclosure control lets through, which is no secret: of three
// partners of one synergy the sum may be shown. All tests ask in one language.
func public(t *testing.T, first calendar.Quarter, lang words.Lang) map[string]bool {
	t.Helper()
	if published != nil {
		return published
	}
	published = map[string]bool{}
	for q := first; q.Before(calendar.QuarterOf(fixtureNow)); q = q.Next() {
		for _, c := range cells(t, q) {
			if c.Suppressed != "" {
				continue
			}
			for _, x := range []float64{c.Amount, c.Measured, c.Calculated, c.Declared} {
				b, err := json.Marshal(x)
				require.NoError(t, err)
				published[string(b)] = true
			}
			figure := lang.Figure(cellFigure(c))
			figure.Unit = ""
			published[trim(figure.String())] = true
		}
	}
	return published
}

func TestCompanySeesNothingOfOthers(t *testing.T) {
	w := fixture(t)
	dairy := w.people[access.Company]
	require.Equal(t, "laiterie", dairy.Company)
	got := crawl(t, access.Company, "fr", "/companies", "/companies/laiterie/seen?viewer=animator", "/companies/laiterie/seen?viewer=malterie", "/companies/laiterie/seen?viewer=other", "/companies/laiterie?by=day")
	require.Greater(t, len(got), 40)
	meters, numbers := w.secrets(t, dairy, words.FR)
	require.Greater(t, len(meters), 30)
	require.Greater(t, len(numbers), 60)
	for _, g := range w.programme.Gateways {
		if g.Company != "laiterie" && g.Company != "" {
			meters[g.ID] = "the gateway " + g.ID
		}
	}
	p := read(got)
	mustNotHold(t, p.names, meters)
	mustNotHold(t, p.numbers, numbers)
}

// TestTheWalkFindsWhatIsThere: the same search finds the dairy's own readings
// and figures, so that finding nothing of others means something.
func TestTheWalkFindsWhatIsThere(t *testing.T) {
	w := fixture(t)
	got := crawl(t, access.Company, "fr")
	_, numbers := w.secrets(t, access.Person{Role: access.Company, Company: "chimie"}, words.FR)
	found, p := map[string]bool{}, read(got)
	for s, what := range numbers {
		if _, ok := p.numbers[s]; ok {
			found[what] = true
		}
	}
	assert.True(t, found["a reading of laiterie-electricite/active_energy_import"] || found["a reading of laiterie-gaz/gas_volume"], "readings: %v", found)
	assert.True(t, found["a figure of s02-malterie-laiterie"], "figures: %v", found)
	assert.False(t, found["a figure of s01-fonderie-reseau"])
}

// TestFunderSeesNoCompany: indicators, reports, methods; no name of a company,
// of a synergy or of a meter on any of them, nor a figure of one synergy.
func TestFunderSeesNoCompany(t *testing.T) {
	w := fixture(t)
	got := crawl(t, access.Funder, "fr", "/verify", "/methods")
	require.Greater(t, len(got), 12)
	meters, numbers := w.secrets(t, w.people[access.Funder], words.FR)
	for url, body := range got {
		for _, c := range w.programme.Companies {
			assert.NotContains(t, body, c.Name, url)
		}
		for _, s := range w.programme.Synergies {
			meters[s.ID] = "the synergy " + s.ID
			assert.NotContains(t, body, words.FR.Of(s.Name), url)
		}
	}
	p := read(got)
	mustNotHold(t, p.names, meters)
	mustNotHold(t, p.numbers, numbers)
	for _, path := range []string{"/", "/overview", "/companies", "/synergies", "/gateways", "/people", "/dossiers/2026-Q3"} {
		for url := range got {
			assert.False(t, path != "/" && strings.HasPrefix(url, path), "a page leads the funder to %s", url)
		}
	}
}

// TestInstallerSeesNoMoney: health and live readings of all sites, and neither
// savings nor prices.
func TestInstallerSeesNoMoney(t *testing.T) {
	got := crawl(t, access.Installer, "fr")
	require.Greater(t, len(got), 15)
	for url, body := range got {
		assert.NotContains(t, body, "€", url)
		assert.NotContains(t, body, "CO₂", url)
		assert.NotContains(t, body, "days=31", "%s offers more than the last days", url)
		assert.False(t, strings.HasPrefix(url, "/companies") || strings.HasPrefix(url, "/synergies"), url)
	}
}

// TestAdministratorSeesNoFigures: people and acts only.
func TestAdministratorSeesNoFigures(t *testing.T) {
	w := fixture(t)
	got := crawl(t, access.Administrator, "fr", "/audit")
	require.Len(t, got, 3, "people, audit trail, me: %v", got)
	_, numbers := w.secrets(t, w.people[access.Administrator], words.FR)
	mustNotHold(t, read(got).numbers, numbers)
	for url, body := range got {
		assert.NotContains(t, body, "MWh", url)
	}
}
