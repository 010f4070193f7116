package access_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	. "github.com/thermie/thermie/access"
)

func of(company string) Person {
	p := person(Company)
	p.Company = company
	return p
}

// pair is a programme with one contact of the foundry and the dairy.
func pair(foundry, dairy ContactSide) port {
	f := facts()
	foundry.Company, dairy.Company = "foundry", "dairy"
	f.contacts = map[string][]ContactSide{"k": {foundry, dairy}}
	return f
}

func TestPartsOfAContact(t *testing.T) {
	asked := ContactSide{Asked: true}
	bands := ContactSide{Asked: true, Agreed: true, Parts: []Part{BandsPart}}
	named := ContactSide{Asked: true, Agreed: true, Parts: []Part{NamePart}}
	lapsed := ContactSide{Asked: true, Parts: []Part{BandsPart, FiguresPart, NamePart}}
	foundry, dairy, network := of("foundry"), of("dairy"), of("network")
	for _, c := range []struct {
		name    string
		f       port
		p       Person
		company string
		want    []Part
	}{
		{"one's own, always", pair(asked, asked), foundry, "foundry", Parts},
		{"nothing before an answer", pair(asked, asked), foundry, "dairy", nil},
		{"what was consented, before both agreed", pair(bands, asked), dairy, "foundry", []Part{BandsPart}},
		{"one's own consent opens nothing of the other", pair(bands, asked), foundry, "dairy", nil},
		{"the name alone", pair(named, asked), dairy, "foundry", []Part{NamePart}},
		{"both agreed: the names", pair(bands, bands), dairy, "foundry", []Part{BandsPart, NamePart}},
		{"a consent that is not in force opens nothing", pair(lapsed, bands), dairy, "foundry", nil},
		{"who is not a party", pair(named, named), network, "foundry", nil},
		{"who was not asked yet", pair(ContactSide{}, bands), foundry, "dairy", nil},
		{"nor its own side", pair(ContactSide{}, bands), foundry, "foundry", nil},
		{"the animator, of whom opened to her: the foundry", pair(named, named), person(Animator), "foundry", Parts},
		{"the animator, of whom did not: the dairy's name, once introduced", pair(bands, bands), person(Animator), "dairy", []Part{NamePart}},
		{"the animator, before that", pair(asked, bands), person(Animator), "dairy", nil},
		{"the verifier", pair(asked, asked), person(Verifier), "dairy", Parts},
		{"the funder", pair(named, named), person(Funder), "dairy", nil},
		{"the installer", pair(named, named), person(Installer), "dairy", nil},
		{"the administrator", pair(named, named), person(Administrator), "dairy", nil},
	} {
		for _, part := range Parts {
			assert.Equal(t, slices.Contains(c.want, part), MaySeePart(c.p, c.f, "k", c.company, part), "%s: %s", c.name, part)
		}
		assert.False(t, MaySeePart(c.p, c.f, "k", "network", NamePart), "no party: %s", c.name)
		assert.False(t, MaySeePart(c.p, c.f, "none", c.company, NamePart), c.name)
	}
}

// TestTheAnimatorAndTheReserved: a pair of which one did not open its opportunities
// is known to the animator only where at least three companies did not.
func TestTheAnimatorAndTheReserved(t *testing.T) {
	f := facts()
	f.consents["network animator opportunities"] = true
	animator := person(Animator)
	assert.True(t, MayPropose(animator, f, "foundry", "network"))
	for reserved, want := range map[int]bool{1: false, 2: false, 3: true} {
		f.reserved = reserved
		assert.Equal(t, want, MayPropose(animator, f, "foundry", "dairy"), reserved)
		assert.Equal(t, want, May(animator, f, SeeContacts, "k1"), reserved)
		assert.False(t, MaySeePart(animator, f, "k1", "dairy", NamePart), "never its name")
	}
	for _, p := range []Person{of("foundry"), person(Verifier), person(Funder), person(Administrator), person(Installer), {}} {
		assert.False(t, MayPropose(p, f, "foundry", "network"), p.Role)
	}
	assert.False(t, MayPropose(animator, nil, "foundry", "network"))
}

// TestNoPartWithoutConsent: whatever the state, a company sees of the other one
// only parts that it gave, and the name beside those only when both agreed; looking
// with other eyes shows nothing more.
func TestNoPartWithoutConsent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := func(name string) ContactSide {
			s := ContactSide{Asked: rapid.Bool().Draw(t, name+" asked"), Agreed: rapid.Bool().Draw(t, name+" agreed")}
			for _, p := range Parts {
				if rapid.Bool().Draw(t, name+" "+string(p)) {
					s.Parts = append(s.Parts, p)
				}
			}
			return s
		}
		a, b := side("foundry"), side("dairy")
		f := pair(a, b)
		f.reserved = rapid.IntRange(0, 4).Draw(t, "reserved")
		part := rapid.SampledFrom(Parts).Draw(t, "part")
		given := a.Agreed && (slices.Contains(a.Parts, part) || part == NamePart && b.Agreed)
		if got := MaySeePart(of("dairy"), f, "k", "foundry", part); got != (given && b.Asked) {
			t.Fatalf("the dairy sees %s: %v; foundry %+v, dairy %+v", part, got, a, b)
		}
		both, err := As(of("dairy"), rapid.SampledFrom([]Role{Animator, Verifier, Funder}).Draw(t, "eyes"), "")
		require.NoError(t, err)
		if MaySeePart(both, f, "k", "foundry", part) && !(given && b.Asked) {
			t.Fatalf("more through the eyes of %s", both.Role)
		}
	})
}
