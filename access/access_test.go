package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	. "github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// port is a small programme: the foundry gives heat to the network through the
// meter "line", which hangs at the foundry; the dairy takes part in nothing.
type port struct {
	owner    map[string]string
	shared   map[string][]string
	parties  map[string][]metering.Party
	consents map[string]bool
	contacts map[string][]ContactSide
	reserved int
}

func (p port) MeterCompany(m string) (string, bool)     { c, ok := p.owner[m]; return c, ok }
func (p port) MeterSynergies(m string) []string         { return p.shared[m] }
func (p port) SynergyParties(s string) []metering.Party { return p.parties[s] }
func (p port) Consented(c string, to Role, what Matter) bool {
	return p.consents[c+" "+string(to)+" "+string(what)]
}

func (p port) Reserved(Role, Matter) int           { return p.reserved }
func (p port) ContactSides(c string) []ContactSide { return p.contacts[c] }

func facts() port {
	return port{
		contacts: map[string][]ContactSide{
			"k1": {{Company: "foundry", Asked: true}, {Company: "dairy", Asked: true}},
			"k2": {{Company: "network", Asked: true}, {Company: "dairy", Asked: true}},
			"k3": {{Company: "foundry"}, {Company: "network", Asked: true}}, // the foundry only after the network
			"k4": {{Company: "network", Asked: true, Agreed: true}, {Company: "dairy", Asked: true, Agreed: true}},
		},
		owner:  map[string]string{"line": "foundry", "furnace": "foundry", "substation": "network", "chiller": "dairy", "weather": ""},
		shared: map[string][]string{"line": {"s1"}},
		parties: map[string][]metering.Party{
			"s1": {{Company: "foundry", Role: "donor"}, {Company: "network", Role: "receiver"}},
			"s2": {{Company: "dairy", Role: "donor"}, {Company: "network", Role: "receiver"}},
		},
		consents: map[string]bool{
			"foundry animator series": true, "foundry animator figures": true, "foundry animator opportunities": true,
			"dairy company opportunities": true,
		},
	}
}

func person(r Role) Person {
	p := Person{ID: string(r), Email: string(r) + "@example.org", Role: r, Language: "fr"}
	if r == Company {
		p.Company = "foundry"
	}
	return p
}

// TestEveryRoleAndAction lists every role with every action on every kind of
// subject; what is not listed as allowed is asserted to be refused.
func TestEveryRoleAndAction(t *testing.T) {
	subjects := map[Action][]string{
		SeeSynergy: {"s1", "s2", "s9", ""}, SeeEvidence: {"s1", "s2"}, ApprovePlan: {"s1"}, Declare: {"s1", "s2"},
		SeeCompany: {"foundry", "network", "dairy", ""}, SeeOpportunities: {"foundry", "network", "dairy", ""},
		SeeHeatProposals: {"foundry", "network", "dairy", ""}, DecideHeat: {"foundry", "network", "dairy", ""},
		SeeMeters: {"foundry", "dairy", ""}, Consent: {"foundry", "dairy", ""}, Install: {"foundry", "dairy"},
		SeeHistory:  {"line", "furnace", "substation", "chiller", "weather", "unknown"},
		SeeContacts: {"k1", "k2", "k3", "k4", "k9", ""}, AnswerContact: {"k1", "k2", "k3", "k4", "k9", ""},
	}
	allowed := map[Role]string{
		Installer: `see_meters: foundry dairy *
			install: foundry dairy`,
		Company: `see_programme see_indicators see_reports see_methods see_as
			see_synergy: s1
			see_evidence: s1
			declare: s1
			see_company: foundry
			consent: foundry
			see_opportunities: foundry dairy *
			see_heat_proposals: foundry
			decide_heat: foundry
			see_meters: foundry *
			see_contacts: k1 *
			answer_contact: k1
			see_history: line furnace weather`,
		Animator: `see_programme see_indicators see_reports see_methods see_as edit_programme seal_report start_contact
			see_contacts: k4 *
			see_synergy: s1 s2 s9 *
			see_evidence: s1 s2
			approve_plan: s1
			declare: s1 s2
			see_company: foundry
			see_opportunities: foundry *
			see_heat_proposals: foundry
			decide_heat: foundry
			see_meters: foundry dairy *
			see_history: line furnace weather`,
		Verifier: `see_programme see_indicators see_reports see_methods see_dossier see_audit see_as
			see_synergy: s1 s2 s9 *
			see_evidence: s1 s2
			see_company: foundry network dairy *
			see_opportunities: foundry network dairy *
			see_contacts: k1 k2 k3 k4 *
			see_heat_proposals: foundry network dairy *
			see_meters: foundry dairy *
			see_history: line furnace substation chiller weather unknown`,
		Funder: `see_indicators see_reports see_methods`,
		Administrator: `see_audit administer
			install: foundry dairy`,
	}
	require.Len(t, allowed, len(Roles), "every role has a row")
	for _, role := range Roles {
		yes := map[string]bool{}
		for line := range strings.Lines(allowed[role]) {
			action, list, has := strings.Cut(strings.TrimSpace(line), ":")
			if !has {
				for _, a := range strings.Fields(action) {
					yes[a+" "] = true
				}
				continue
			}
			for _, s := range strings.Fields(list) {
				yes[action+" "+strings.ReplaceAll(s, "*", "")] = true
			}
		}
		used := 0
		for _, a := range Actions {
			list := subjects[a]
			if list == nil {
				list = []string{""}
			}
			for _, s := range list {
				want := yes[string(a)+" "+s]
				if want {
					used++
				}
				assert.Equal(t, want, May(person(role), facts(), a, s), "%s %s %q", role, a, s)
			}
		}
		assert.Equal(t, len(yes), used, "%s: a row names an action or subject that is not tried", role)
	}
}

func TestForSeries(t *testing.T) {
	installerOf := person(Installer)
	installerOf.Company = "dairy"
	network := person(Company)
	network.Company = "network"
	cases := []struct {
		name string
		p    Person
		want string
	}{
		{"installer of all sites", person(Installer), "chiller furnace line substation weather"},
		{"installer of one site", installerOf, "chiller weather"},
		{"company and shared line of its own", person(Company), "furnace line weather"},
		{"partner sees the shared line, not the furnace", network, "line substation weather"},
		{"animator: what was consented", person(Animator), "furnace line weather"},
		{"verifier", person(Verifier), "chiller furnace line substation weather"},
		{"funder", person(Funder), ""},
		{"administrator", person(Administrator), ""},
		{"nobody", Person{}, ""},
		{"unknown role", Person{Role: "owner"}, ""},
		{"company without company", Person{Role: Company}, ""},
		{"funder who claims a company", Person{Role: Funder, Company: "foundry"}, ""},
	}
	for _, c := range cases {
		scope := ForSeries(c.p, facts())
		var got []string
		for _, m := range []string{"", "chiller", "furnace", "line", "substation", "unknown", "weather"} {
			if scope.Allows(m) {
				got = append(got, m)
			}
		}
		assert.Equal(t, c.want, strings.Join(got, " "), c.name)
	}
	assert.False(t, ForSeries(person(Verifier), nil).Allows("line"), "no facts, no readings")
}

func TestScopeOfNobodyAndOfTheSystem(t *testing.T) {
	assert.False(t, Scope{}.Allows("line"))
	assert.Equal(t, "nobody", Scope{}.String())
	assert.False(t, System("").Allows("line"), "a job that does not say why gets nothing")
	assert.True(t, System("follower").Allows("anything"))
	assert.Equal(t, "system: follower", System("follower").String())
	assert.Equal(t, "company foundry", ForSeries(person(Company), facts()).String())
}

func TestWithdrawnConsentClosesAScopeInUse(t *testing.T) {
	f := facts()
	scope := ForSeries(person(Animator), f)
	require.True(t, scope.Allows("furnace"))
	delete(f.consents, "foundry animator series")
	assert.False(t, scope.Allows("furnace"))
	assert.True(t, May(person(Animator), f, SeeCompany, "foundry"), "consents are apart: figures still stand")
}

func TestSeeAs(t *testing.T) {
	f := facts()
	foundry := person(Company)

	asAnimator, err := As(foundry, Animator, "")
	require.NoError(t, err)
	assert.True(t, May(asAnimator, f, SeeCompany, "foundry"))
	assert.True(t, May(asAnimator, f, SeeSynergy, "s1"))
	assert.False(t, May(asAnimator, f, SeeSynergy, "s2"), "the animator sees it, the foundry does not")
	assert.False(t, May(asAnimator, f, SealReport, ""), "nothing is changed while looking so")
	assert.False(t, May(asAnimator, f, Consent, "foundry"))
	assert.True(t, ForSeries(asAnimator, f).Allows("furnace"))
	assert.Equal(t, "company foundry seeing as animator", ForSeries(asAnimator, f).String())
	v, ok := asAnimator.Viewer()
	assert.True(t, ok)
	assert.Equal(t, foundry, v)

	asPartner, err := As(foundry, Company, "network")
	require.NoError(t, err)
	assert.True(t, ForSeries(asPartner, f).Allows("line"))
	assert.False(t, ForSeries(asPartner, f).Allows("furnace"), "the partner does not see it")
	assert.False(t, ForSeries(asPartner, f).Allows("substation"), "the foundry does not see the partner's rest")

	asFunder, err := As(foundry, Funder, "")
	require.NoError(t, err)
	assert.True(t, May(asFunder, f, SeeIndicators, ""))
	assert.False(t, May(asFunder, f, SeeSynergy, "s1"))
	assert.False(t, May(asFunder, f, SeeCompany, "foundry"))

	for name, try := range map[string]func() error{
		"funder":        func() error { _, err := As(person(Funder), Company, "foundry"); return err },
		"installer":     func() error { _, err := As(person(Installer), Verifier, ""); return err },
		"administrator": func() error { _, err := As(person(Administrator), Animator, ""); return err },
		"nobody":        func() error { _, err := As(Person{}, Animator, ""); return err },
		"twice":         func() error { _, err := As(asPartner, Animator, ""); return err },
	} {
		assert.ErrorIs(t, try(), ErrNotPermitted, name)
	}
	_, err = As(foundry, Company, "")
	assert.ErrorContains(t, err, "needs a company")
	_, err = As(foundry, "king", "")
	assert.ErrorContains(t, err, `role "king"`)
}

// TestSeeAsNeverShowsMore: whatever the programme looks like, looking as
// somebody else allows nothing that the viewer is refused, and nothing that the
// other is refused.
func TestSeeAsNeverShowsMore(t *testing.T) {
	companies := []string{"foundry", "network", "dairy"}
	rapid.Check(t, func(t *rapid.T) {
		f := facts()
		f.consents = map[string]bool{}
		for _, c := range companies {
			for _, r := range Roles {
				for _, m := range Matters {
					f.consents[c+" "+string(r)+" "+string(m)] = rapid.Bool().Draw(t, "consent")
				}
			}
		}
		draw := func(name string) Person {
			p := Person{Role: rapid.SampledFrom(Roles).Draw(t, name)}
			if p.Role == Company {
				p.Company = rapid.SampledFrom(companies).Draw(t, name+" of")
			}
			return p
		}
		viewer, other := draw("viewer"), draw("other")
		both, err := As(viewer, other.Role, other.Company)
		if err != nil {
			return
		}
		for _, a := range Actions {
			for _, s := range append([]string{"", "s1", "s2", "line", "furnace", "chiller"}, companies...) {
				got := May(both, f, a, s)
				if got && !(May(viewer, f, a, s) && May(other, f, a, s)) {
					t.Fatalf("%s seeing as %s is allowed %s %q", viewer.Role, other.Role, a, s)
				}
				if got && slices.Index(Actions, a) >= slices.Index(Actions, EditProgramme) {
					t.Fatalf("%s changes something while seeing as %s", a, other.Role)
				}
			}
		}
		for m := range f.owner {
			if ForSeries(both, f).Allows(m) != (ForSeries(viewer, f).Allows(m) && ForSeries(other, f).Allows(m)) {
				t.Fatalf("scope of %s seeing as %s differs on %s", viewer.Role, other.Role, m)
			}
		}
	})
}

func TestUnknownActionIsRefused(t *testing.T) {
	for _, r := range Roles {
		assert.False(t, May(person(r), facts(), "see_everything", ""))
		assert.False(t, May(person(r), facts(), "", ""))
		assert.False(t, May(person(r), nil, SeeEvidence, "s1") && r == Company, "without facts a company is a party of nothing")
	}
}

func TestPersonCheck(t *testing.T) {
	for _, c := range []struct {
		p    Person
		want string
	}{
		{Person{Role: Company, Company: "foundry", Language: "en"}, ""},
		{Person{Role: Installer, Company: "foundry"}, ""},
		{Person{Role: "chef"}, `role "chef"`},
		{Person{Role: Company}, "needs a company"},
		{Person{Role: Verifier, Company: "foundry"}, "belongs to no company"},
		{Person{Role: Verifier, Language: "de"}, `language "de"`},
	} {
		err := c.p.Check()
		if c.want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, c.want)
		}
	}
}
