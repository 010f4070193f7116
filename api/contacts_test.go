package api

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
	"github.com/thermie/thermie/series/embedded"
)

// dealings is a port of its own for contacts: the programme of the fixture without
// readings, heat that three and more companies have and need, and a person of
// several companies.
type dealings struct {
	*world
	s    *Server
	mail map[string]string // a person by company, or role
}

// Figures that stand nowhere else, by company.
var telling = map[string]float64{"laiterie": 431.7, "chimie": 617.3, "fonderie": 523.9, "papeterie": 389.1, "malterie": 771.9, "datacentre": 911.3, "huilerie": 457.7,
	"galvano": 643.1, "transports": 587.7}

func newDealings(t *testing.T) *dealings {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	var err error
	d := &dealings{world: &world{courses: new(Courses), people: map[access.Role]access.Person{}, programme: fixture(t).programme}, mail: map[string]string{}}
	d.registry, err = registry.Open(ctx, dir+"/registry.db", registry.WithClock(fixtureClock))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.registry.Close()) })
	require.NoError(t, d.registry.Import(ctx, d.programme))
	d.accounts, err = accounts.Open(ctx, dir+"/accounts.db", accounts.WithClock(fixtureClock), accounts.WithCost(accounts.Cost{MemoryKiB: 8, Passes: 1, Lanes: 1}))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.accounts.Close()) })
	d.store, err = embedded.Open(ctx, dir, embedded.Options{TailPoints: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.store.Close()) })
	for _, r := range access.Roles {
		if r != access.Company {
			d.open(t, string(r), access.Person{Role: r})
		}
	}
	for _, c := range []string{"laiterie", "chimie", "fonderie", "beton", "huilerie"} {
		d.open(t, c, access.Person{Role: access.Company, Company: c})
	}
	d.heat(t, "chimie", "laiterie")
	d.s, err = New(d.options())
	require.NoError(t, err)
	return d
}

func (d *dealings) open(t *testing.T, key string, p access.Person) {
	p.Email, p.Name, p.Language = key+"@port.example", "Personne "+key, "fr"
	made, err := d.accounts.Create(context.Background(), p, password)
	require.NoError(t, err)
	d.mail[key] = p.Email
	d.people[p.Role] = made
}

// heat puts opportunities of which one leads to one taker.
func (d *dealings) heat(t *testing.T, giver, taker string) {
	t.Helper()
	var all []metering.Opportunity
	for _, c := range []string{"chimie", "fonderie", "papeterie", "malterie", "datacentre", "huilerie"} {
		o := metering.Opportunity{ID: c + "-source", Company: c, Name: metering.Text{FR: "Gisement " + c, EN: "Source " + c}, Grade: "A", MWhPerYear: 11 * telling[c], TypicalKW: telling[c], LowC: 28, HighC: 38.4}
		if c == giver {
			o.Uses = []metering.Use{{Company: taker, Need: taker + "-besoin", MWhPerYear: 1234.5, DistanceM: 987.6, PaybackYears: 3.3, PaybackYearsH: 4.4}}
		}
		all = append(all, o)
	}
	require.NoError(t, d.registry.PutOpportunities(t.Context(), all))
	var needs []metering.HeatNeed
	for _, c := range []string{"laiterie", "galvano", "transports", "huilerie"} {
		needs = append(needs, metering.HeatNeed{ID: c + "-besoin", Company: c, MWhPerYear: 9 * telling[c], MaxKW: telling[c], SupplyC: 12, TargetC: 65})
	}
	require.NoError(t, d.registry.PutHeatNeeds(t.Context(), needs))
}

func (d *dealings) as(t *testing.T, key string) *visitor {
	t.Helper()
	v := visitorOf(t, d.s)
	a := v.post("/sign-in", url.Values{"email": {d.mail[key]}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	return v
}

var leadKeys = regexp.MustCompile(`name="lead" value="([0-9a-f]{24})"`)

// propose starts every contact that the animator is offered.
func (d *dealings) propose(t *testing.T) {
	t.Helper()
	v := d.as(t, "animator")
	keys := leadKeys.FindAllStringSubmatch(v.get("/contacts").body, -1)
	require.NotEmpty(t, keys)
	for _, k := range keys {
		a := v.post("/contacts", url.Values{"lead": {k[1]}})
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	}
}

// ref is the name by which a company knows its one heat contact.
func (d *dealings) ref(t *testing.T, company string) string {
	t.Helper()
	all, err := d.registry.Contacts(t.Context(), company)
	require.NoError(t, err)
	for _, c := range all {
		if c.Resource == "heat" {
			return c.Sides[c.Side(company)].Ref
		}
	}
	t.Fatalf("no contact of %s", company)
	return ""
}

func (d *dealings) answer(t *testing.T, company string, form url.Values) answer {
	t.Helper()
	return d.as(t, company).post("/contacts/"+d.ref(t, company)+"/answer", form)
}

func agree(parts ...string) url.Values {
	return url.Values{"answer": {"agree"}, "part": parts, "name": {"Quelqu'un"}, "email": {"quelquun@ici.example"}}
}

// visible is what a person can read anywhere.
func (d *dealings) visible(t *testing.T, key string) map[string]string {
	t.Helper()
	role := access.Role(key)
	if _, err := access.ParseRole(key); err != nil {
		role = access.Company
	}
	start := []string{"/", "/contacts", "/api/v1/contacts", "/api/v1/me", "/api/v1/synergies", "/api/v1/opportunities"}
	if role != access.Company && role != access.Animator && role != access.Verifier {
		start = []string{"/"}
	}
	if role == access.Administrator {
		start = append(start, "/audit")
	}
	return wander(t, d.as(t, key), role, start)
}

// tokens by which a company is known, and its figures as pages and the API write them.
func (d *dealings) tokens(company string) []string {
	var out []string
	for _, c := range d.programme.Companies {
		if c.ID == company {
			out = append(out, c.Name, `"`+c.ID+`"`, c.ID+"-source", c.ID+"-besoin", "Gisement "+c.ID, d.mail[c.ID], "Personne "+c.ID)
		}
	}
	for _, x := range []float64{telling[company], 11 * telling[company], 9 * telling[company], 1234.5, 987.6} {
		out = append(out, fmt.Sprint(x), words.FR.Amount(rough(x)), fmt.Sprint(rough(x)))
	}
	return out
}

// hashes are random or look so: figures in them are chance.
var hashes = regexp.MustCompile(`[0-9a-f]{20,}`)

// gained are the tokens of a company that can be read now and could not before.
func (d *dealings) gained(company string, before, after map[string]string) map[string]string {
	out := map[string]string{}
	for address, body := range after {
		body, was := hashes.ReplaceAllString(html.UnescapeString(body), ""), hashes.ReplaceAllString(html.UnescapeString(before[address]), "")
		for _, token := range d.tokens(company) {
			if token != "" && strings.Count(body, token) > strings.Count(was, token) {
				out[token] = address
			}
		}
	}
	return out
}

// TestNothingOfTheOtherBeforeConsent walks everything that each of two companies,
// and those who have nothing to do with it, can read, after each answer: nothing of the
// other one is there that it did not consent to.
func TestNothingOfTheOtherBeforeConsent(t *testing.T) {
	d := newDealings(t)
	watchers := []string{"laiterie", "chimie", "beton", "funder", "installer", "administrator"}
	before := map[string]map[string]string{}
	for _, w := range watchers {
		before[w] = d.visible(t, w)
	}
	gains := func(watcher, of string) map[string]string {
		return d.gained(of, before[watcher], d.visible(t, watcher))
	}
	nothing := func(step string, pairs ...[2]string) {
		t.Helper()
		read := map[string]map[string]string{}
		for _, p := range pairs {
			if read[p[0]] == nil {
				read[p[0]] = d.visible(t, p[0])
			}
			got := d.gained(p[1], before[p[0]], read[p[0]])
			if p[0] == "administrator" {
				delete(got, d.mail[p[1]]) // who did something stands in the audit trail
			}
			assert.Empty(t, got, "%s: %s learns of %s", step, p[0], p[1])
		}
	}
	others := [][2]string{{"beton", "chimie"}, {"beton", "laiterie"}, {"funder", "chimie"}, {"funder", "laiterie"}, {"installer", "chimie"}, {"installer", "laiterie"},
		{"administrator", "chimie"}, {"administrator", "laiterie"}}

	d.propose(t)
	both := [][2]string{{"laiterie", "chimie"}, {"chimie", "laiterie"}}
	nothing("proposed", both...)
	assert.Contains(t, d.as(t, "laiterie").get("/companies/laiterie").body, "1 demande de contact")

	require.Equal(t, 303, d.answer(t, "chimie", agree("bands")).StatusCode)
	nothing("bands", both...)
	page := d.as(t, "laiterie").get("/contacts/" + d.ref(t, "laiterie")).body
	assert.Contains(t, spaces(page), "de 300 à 1 000 kW")
	assert.Contains(t, spaces(page), "moins de 40 °C")

	require.Equal(t, 303, d.answer(t, "chimie", agree("figures")).StatusCode)
	nothing("figures", append(others, [2]string{"chimie", "laiterie"})...)
	got := gains("laiterie", "chimie")
	assert.Contains(t, got, words.FR.Amount(rough(telling["chimie"])))
	assert.NotContains(t, got, "Chimie fine du Wacken")
	assert.NotContains(t, got, `"chimie"`)
	assert.NotContains(t, got, "987.6")

	require.Equal(t, 303, d.answer(t, "chimie", agree()).StatusCode)
	nothing("taken back", both...)

	require.Equal(t, 303, d.answer(t, "laiterie", agree("name")).StatusCode)
	nothing("introduced", others...)
	assert.Contains(t, gains("chimie", "laiterie"), "Laiterie du Bassin")
	got = gains("laiterie", "chimie")
	assert.Contains(t, got, "Chimie fine du Wacken")
	assert.NotContains(t, got, words.FR.Amount(rough(telling["chimie"])), "figures stay apart")
	assert.Contains(t, d.as(t, "laiterie").get("/contacts/"+d.ref(t, "laiterie")).body, "quelquun@ici.example")

	require.Equal(t, 303, d.answer(t, "chimie", url.Values{"answer": {"decline"}, "reason": {"not_now"}}).StatusCode)
	nothing("withdrawn", both...)
	page = d.as(t, "laiterie").get("/contacts/" + d.ref(t, "laiterie")).body
	assert.NotContains(t, page, "quelquun@ici.example")
	assert.NotContains(t, page, "pas le moment", "the reason is not for the other one")
	assert.Contains(t, d.as(t, "animator").get("/contacts").body, "a retiré son accord")
}

// spaces makes the spaces of typography plain ones.
func spaces(s string) string { return strings.NewReplacer("\u202f", " ", "\u00a0", " ").Replace(s) }

// TestAskedPagesTellNothingApart: before the other one consented, what a company
// reads is the same whoever the other one is and whatever it answered short of that.
func TestAskedPagesTellNothingApart(t *testing.T) {
	read := func(giver string, more func(*dealings)) map[string]string {
		d := newDealings(t)
		d.heat(t, giver, "laiterie")
		d.propose(t)
		if more != nil {
			more(d)
		}
		out := map[string]string{}
		v := d.as(t, "laiterie")
		ref := d.ref(t, "laiterie")
		for what, address := range map[string]string{"home": "/companies/laiterie", "list": "/contacts", "page": "/contacts/" + ref, "json": "/api/v1/contacts"} {
			a := v.get(address)
			require.Equal(t, 200, a.StatusCode)
			out[what] = hashes.ReplaceAllString(a.body, "REF")
		}
		return out
	}
	want := read("chimie", nil)
	assert.Equal(t, want, read("fonderie", nil), "another company")
	assert.Equal(t, want, read("chimie", func(d *dealings) { d.answer(t, "chimie", url.Values{"answer": {"later"}}) }), "put off")
	assert.Equal(t, want, read("chimie", func(d *dealings) { require.Equal(t, 303, d.answer(t, "chimie", agree()).StatusCode) }), "agreed and shows nothing")
}

// TestOthersCannotAnswer: a company's name of a contact opens nothing to anybody else,
// and nobody answers for it.
func TestOthersCannotAnswer(t *testing.T) {
	d := newDealings(t)
	d.propose(t)
	dairy, chem := d.ref(t, "laiterie"), d.ref(t, "chimie")
	all, err := d.registry.Contacts(t.Context(), "laiterie")
	require.NoError(t, err)
	for _, key := range []string{"chimie", "beton", "animator", "verifier", "funder", "installer", "administrator"} {
		v := d.as(t, key)
		assert.Equal(t, 404, v.get("/contacts/"+dairy).StatusCode, key)
		assert.Equal(t, 404, v.post("/contacts/"+dairy+"/answer", agree("name")).StatusCode, key)
	}
	v := d.as(t, "laiterie")
	assert.Equal(t, 404, v.get("/contacts/"+chem).StatusCode, "the other side's name")
	assert.Equal(t, 404, v.get("/contacts/"+all[0].ID).StatusCode, "the contact's own name")
	assert.Equal(t, 404, v.post("/contacts/"+dairy+"/synergy", nil).StatusCode)
	assert.Equal(t, 403, v.post("/contacts", url.Values{"lead": {"reserved"}}).StatusCode)
	for _, id := range []string{all[0].ID} {
		for _, key := range []string{"animator", "verifier"} {
			assert.Equal(t, 200, d.as(t, key).get("/contacts/"+id).StatusCode, key)
		}
		assert.Equal(t, 404, d.as(t, "verifier").post("/contacts/"+id+"/synergy", nil).StatusCode)
	}
	nobody := visitorOf(t, d.s)
	assert.Equal(t, "/sign-in", nobody.post("/contacts/"+dairy+"/answer", agree()).Header.Get("Location"))
	c, err := d.registry.Contact(t.Context(), all[0].ID)
	require.NoError(t, err)
	assert.Equal(t, registry.ContactProposed, c.State)
	cross := visitorOf(t, d.s)
	cross.cookies = v.cookies
	cross.header.Set("Sec-Fetch-Site", "cross-site")
	assert.Equal(t, 403, cross.post("/contacts/"+dairy+"/answer", agree()).StatusCode, "from another site")
}

// TestReservedCompanies: of a company that keeps its opportunities to itself the
// animator sees no pair, not even whether there is one, and can still have it asked.
func TestReservedCompanies(t *testing.T) {
	d := newDealings(t)
	ctx := t.Context()
	require.NoError(t, d.registry.Withdraw(ctx, "huilerie", access.Animator, access.OpportunitiesMatter))
	animator := d.as(t, "animator")
	secret := regexp.MustCompile(`value="[0-9a-f]{24}"`)
	look := func() string { return secret.ReplaceAllString(animator.get("/contacts").body, "KEY") }
	d.heat(t, "chimie", "chimie") // no pair but what is declared
	none := look()
	d.heat(t, "huilerie", "laiterie")
	assert.Equal(t, none, look(), "a pair of the oil mill does not show")
	said := animator.post("/contacts", url.Values{"lead": {"reserved"}})
	require.Equal(t, "/contacts?said=reserved", said.Header.Get("Location"))
	assert.Equal(t, none, look(), "nor does its contact")
	assert.NotContains(t, animator.get("/api/v1/contacts").body, "heat")
	require.Equal(t, 303, d.answer(t, "huilerie", agree()).StatusCode)
	assert.Equal(t, none, look())
	require.Equal(t, 303, d.answer(t, "laiterie", agree()).StatusCode)
	assert.Contains(t, look(), "Huilerie Sainte-Odile", "introduced: the animator learns both names")
	assert.NotContains(t, animator.get("/api/v1/contacts").body, "457", "and no figure")
}

func TestContactBecomesASynergy(t *testing.T) {
	d := newDealings(t)
	d.propose(t)
	require.Equal(t, 303, d.answer(t, "laiterie", agree()).StatusCode)
	wish := url.Values{"answer": {"candidate"}, "wish": {"yes"}}
	require.Equal(t, 400, d.answer(t, "laiterie", wish).StatusCode, "before the introduction")
	require.Equal(t, 303, d.answer(t, "chimie", agree()).StatusCode)
	require.Equal(t, 303, d.answer(t, "laiterie", wish).StatusCode)
	all, err := d.registry.Contacts(t.Context(), "chimie")
	require.NoError(t, err)
	id, animator := all[0].ID, d.as(t, "animator")
	require.Equal(t, 409, animator.post("/contacts/"+id+"/synergy", nil).StatusCode)
	require.Equal(t, 303, d.answer(t, "chimie", wish).StatusCode)
	assert.Contains(t, animator.get("/contacts/"+id).body, "/contacts/"+id+"/synergy")
	a := animator.post("/contacts/"+id+"/synergy", nil)
	require.Equal(t, 303, a.StatusCode, a.body)
	assert.Equal(t, 200, animator.get(a.Header.Get("Location")).StatusCode)
	assert.Contains(t, d.as(t, "beton").get("/synergies").body, "Chaleur", "all members see it")
	for _, page := range []string{"/overview", "/contacts", "/contacts/" + id, "/companies/laiterie", "/indicators"} {
		assert.Equal(t, 200, animator.get(page).StatusCode, page)
	}
}

func TestAnswersAreChecked(t *testing.T) {
	d := newDealings(t)
	d.propose(t)
	for name, form := range map[string]url.Values{
		"nothing":      {},
		"unknown":      {"answer": {"perhaps"}},
		"unknown part": agree("all"),
		"no address":   {"answer": {"agree"}, "name": {"Marc"}, "email": {"marc"}},
		"reason":       {"answer": {"decline"}, "reason": {"their prices"}},
	} {
		assert.Equal(t, 400, d.answer(t, "laiterie", form).StatusCode, name)
	}
	animator := d.as(t, "animator")
	assert.Equal(t, 400, animator.post("/contacts", url.Values{"lead": {strings.Repeat("0", 24)}}).StatusCode)
	require.Equal(t, 303, d.answer(t, "laiterie", url.Values{"answer": {"decline"}}).StatusCode)
	assert.Equal(t, 409, d.answer(t, "laiterie", agree()).StatusCode, "it has ended")
	assert.Contains(t, spaces(animator.get("/contacts").body), "à ne pas reproposer avant le 24 nov. 2027")
	var page struct {
		Items []contactJSON `json:"items"`
	}
	require.NoError(t, json.Unmarshal([]byte(d.as(t, "chimie").get("/api/v1/contacts").body), &page))
	require.Len(t, page.Items, 1)
	assert.Equal(t, "closed", page.Items[0].State, "not who ended it, nor how")
}
