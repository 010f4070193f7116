package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

const (
	anne   = "anne@port.example"
	dairy  = "marc@laiterie.example"
	smelts = "eva@fonderie.example"
)

var (
	marc = registry.ContactPerson{Name: "Marc Oberlin", Email: dairy, Phone: "+33 3 00 00 00 00"}
	eva  = registry.ContactPerson{Name: "Eva Roth", Email: smelts}
)

func proposal() registry.ContactProposal {
	return registry.ContactProposal{Resource: "heat",
		Giver: registry.ProposedSide{Company: "fonderie", Subject: "flue", Profile: registry.ContactProfile{PowerKW: 412, HighC: 260, Bands: registry.ContactBands{PowerKW: &registry.Band{From: 300, To: 1000}}}},
		Taker: registry.ProposedSide{Company: "laiterie", Subject: "hot-water", Profile: registry.ContactProfile{PowerKW: 633, HighC: 65}}}
}

// refs proposes a contact and returns its name and those of its sides.
func refs(t testing.TB, r *registry.Registry, p registry.ContactProposal) (id, giver, taker string) {
	t.Helper()
	c, err := r.ProposeContact(ctx, p, anne)
	require.NoError(t, err)
	return c.ID, c.Sides[0].Ref, c.Sides[1].Ref
}

func state(t testing.TB, r *registry.Registry, id string) registry.ContactState {
	t.Helper()
	c, err := r.Contact(ctx, id)
	require.NoError(t, err)
	return c.State
}

func sides(t testing.TB, r *registry.Registry, id string) []access.ContactSide {
	t.Helper()
	f, err := r.Facts(ctx)
	require.NoError(t, err)
	return f.ContactSides(id)
}

func TestContactFromProposalToSynergy(t *testing.T) {
	r, c := filled(t)
	id, giver, taker := refs(t, r, proposal())
	assert.Len(t, map[string]bool{id: true, giver: true, taker: true}, 3, "each knows it by another name")
	assert.Equal(t, registry.ContactProposed, state(t, r, id))
	got, i, err := r.ContactByRef(ctx, taker)
	require.NoError(t, err)
	assert.Equal(t, 1, i)
	assert.Equal(t, "laiterie", got.Sides[i].Company)
	assert.Equal(t, proposal().Giver.Profile, got.Sides[0].Profile)

	_, err = r.ProposeContact(ctx, proposal(), anne)
	var resting registry.RestingError
	require.ErrorAs(t, err, &resting)
	assert.True(t, resting.Until.IsZero(), "they are in contact")

	require.NoError(t, r.AgreeContact(ctx, taker, []access.Part{access.NamePart, access.BandsPart}, marc, dairy))
	assert.Equal(t, []access.ContactSide{{Company: "fonderie", Asked: true, Parts: []access.Part{}}, {Company: "laiterie", Asked: true, Agreed: true, Parts: []access.Part{access.BandsPart, access.NamePart}}}, sides(t, r, id))
	require.NoError(t, r.AgreeContact(ctx, taker, []access.Part{access.BandsPart}, marc, dairy), "taken back in part")
	assert.Equal(t, []access.Part{access.BandsPart}, sides(t, r, id)[1].Parts)
	assert.ErrorIs(t, r.WishCandidate(ctx, taker, true, dairy), registry.ErrAnswer, "not introduced yet")

	c.add(40 * 24 * time.Hour)
	require.NoError(t, r.AgreeContact(ctx, giver, nil, eva, smelts))
	assert.Equal(t, registry.ContactIntroduced, state(t, r, id))
	c.add(300 * 24 * time.Hour)
	assert.Equal(t, registry.ContactIntroduced, state(t, r, id), "an introduction does not expire")

	_, err = r.EnterCandidate(ctx, id, metering.Text{FR: "Chaleur", EN: "Heat"}, anne)
	assert.ErrorIs(t, err, registry.ErrAnswer, "nobody asked for it")
	require.NoError(t, r.WishCandidate(ctx, taker, true, dairy))
	_, err = r.EnterCandidate(ctx, id, metering.Text{FR: "Chaleur", EN: "Heat"}, anne)
	assert.ErrorIs(t, err, registry.ErrAnswer, "one of two is not enough")
	require.NoError(t, r.WishCandidate(ctx, giver, true, smelts))
	synergy, err := r.EnterCandidate(ctx, id, metering.Text{FR: "Chaleur", EN: "Heat"}, anne)
	require.NoError(t, err)
	s, err := r.Synergy(ctx, synergy)
	require.NoError(t, err)
	assert.Equal(t, metering.Identified, s.Status)
	assert.Equal(t, []metering.Party{{Company: "fonderie", Role: "donor"}, {Company: "laiterie", Role: "receiver"}}, s.Parties)
	assert.Equal(t, registry.ContactEntered, state(t, r, id))

	acts, err := r.AuditTrail(ctx, 20)
	require.NoError(t, err)
	var what []string
	for _, a := range acts {
		what = append(what, a.What)
		shown, _, _ := strings.Cut(a.Detail, "sha256")
		assert.NotContains(t, shown, "412", "no figure in the trail")
		if a.What == "contact.agree" {
			assert.NotEqual(t, id, a.Subject, "an answer is not tied to the other one's by a common name")
			assert.Contains(t, a.Detail, "sha256 ")
		}
	}
	assert.Equal(t, []string{"contact.enter", "contact.candidate", "contact.candidate", "contact.agree", "contact.agree", "contact.agree", "contact.propose", "import"}, what)
}

func TestDeclinedIsLeftInPeace(t *testing.T) {
	r, c := filled(t)
	id, giver, taker := refs(t, r, proposal())
	require.NoError(t, r.AgreeContact(ctx, giver, []access.Part{access.FiguresPart, access.NamePart}, eva, smelts))
	assert.ErrorIs(t, r.DeclineContact(ctx, taker, "they stink", dairy), registry.ErrAnswer)
	require.NoError(t, r.DeclineContact(ctx, taker, "own_use", dairy))
	assert.Equal(t, registry.ContactDeclined, state(t, r, id))
	got, err := r.Contact(ctx, id)
	require.NoError(t, err)
	assert.Zero(t, got.Sides[0].Person, "whom to call is deleted")
	assert.Equal(t, []access.ContactSide{{Company: "fonderie", Asked: true}, {Company: "laiterie", Asked: true}}, sides(t, r, id), "the other one's consent ends too")
	assert.ErrorIs(t, r.AgreeContact(ctx, taker, nil, marc, dairy), registry.ErrClosed)

	swapped := proposal()
	swapped.Giver, swapped.Taker = swapped.Taker, swapped.Giver
	for _, p := range []registry.ContactProposal{proposal(), swapped} {
		_, err = r.ProposeContact(ctx, p, anne)
		var resting registry.RestingError
		require.ErrorAs(t, err, &resting)
		assert.Equal(t, c.now().Add(registry.RestDeclined), resting.Until)
	}
	other := proposal()
	other.Resource = "wood"
	refs(t, r, other)
	c.add(registry.RestDeclined)
	refs(t, r, proposal())
}

func TestWithdrawnAfterTheIntroduction(t *testing.T) {
	r, _ := filled(t)
	id, giver, taker := refs(t, r, proposal())
	require.NoError(t, r.AgreeContact(ctx, giver, []access.Part{access.FiguresPart}, eva, smelts))
	require.NoError(t, r.AgreeContact(ctx, taker, []access.Part{access.FiguresPart}, marc, dairy))
	require.NoError(t, r.DeclineContact(ctx, giver, "", smelts))
	assert.Equal(t, registry.ContactWithdrawn, state(t, r, id))
	for _, s := range sides(t, r, id) {
		assert.False(t, s.Agreed)
		assert.Empty(t, s.Parts)
	}
}

func TestNoAnswerExpires(t *testing.T) {
	r, c := filled(t)
	id, giver, taker := refs(t, r, proposal())
	require.NoError(t, r.AgreeContact(ctx, giver, []access.Part{access.NamePart}, eva, smelts))
	c.add(50 * 24 * time.Hour)
	require.NoError(t, r.PostponeContact(ctx, taker, dairy))
	c.add(30 * 24 * time.Hour)
	assert.Equal(t, registry.ContactProposed, state(t, r, id), "who asks to be reminded gets the time")
	require.NoError(t, r.PostponeContact(ctx, taker, dairy))
	assert.ErrorIs(t, r.PostponeContact(ctx, taker, dairy), registry.ErrAnswer, "not for ever")
	c.add(2 * registry.ReminderAfter)
	assert.Equal(t, registry.ContactExpired, state(t, r, id))
	assert.False(t, sides(t, r, id)[0].Agreed, "a consent ends with its contact")
	assert.ErrorIs(t, r.AgreeContact(ctx, taker, nil, marc, dairy), registry.ErrClosed)
	n, err := r.CloseExpired(ctx)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	n, err = r.CloseExpired(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
	all, err := r.Contacts(ctx, "")
	require.NoError(t, err)
	until, ok := registry.Resting(all, "heat", "laiterie", "fonderie", c.now())
	assert.True(t, ok)
	assert.Equal(t, c.now().Add(registry.RestUnanswered), until)
}

func TestWhoIsAskedAfterwards(t *testing.T) {
	r, c := filled(t)
	p := proposal()
	p.Taker.After = true
	id, giver, taker := refs(t, r, p)
	all, err := r.Contacts(ctx, "laiterie")
	require.NoError(t, err)
	assert.Empty(t, all, "it knows of nothing")
	assert.ErrorIs(t, r.AgreeContact(ctx, taker, nil, marc, dairy), registry.ErrNotFound)
	c.add(59 * 24 * time.Hour)
	require.NoError(t, r.AgreeContact(ctx, giver, nil, eva, smelts))
	all, err = r.Contacts(ctx, "laiterie")
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, c.now().Add(registry.ContactLasts), all[0].ExpiresAt, "it has the whole time to answer")
	require.NoError(t, r.AgreeContact(ctx, taker, nil, marc, dairy))
	assert.Equal(t, registry.ContactIntroduced, state(t, r, id))
}

func TestContactsRefuse(t *testing.T) {
	r, _ := filled(t)
	_, giver, _ := refs(t, r, proposal())
	for name, err := range map[string]error{
		"unknown company": func() error {
			p := proposal()
			p.Taker.Company = "nobody"
			_, err := r.ProposeContact(ctx, p, anne)
			return err
		}(),
		"itself": func() error {
			p := proposal()
			p.Taker.Company = "fonderie"
			_, err := r.ProposeContact(ctx, p, anne)
			return err
		}(),
		"each after the other": func() error {
			p := proposal()
			p.Giver.After, p.Taker.After = true, true
			_, err := r.ProposeContact(ctx, p, anne)
			return err
		}(),
		"no such contact":  r.DeclineContact(ctx, "none", "", dairy),
		"unknown part":     r.AgreeContact(ctx, giver, []access.Part{"all"}, eva, smelts),
		"part named twice": r.AgreeContact(ctx, giver, []access.Part{access.NamePart, access.NamePart}, eva, smelts),
		"no person":        r.AgreeContact(ctx, giver, nil, registry.ContactPerson{}, smelts),
		"no address":       r.AgreeContact(ctx, giver, nil, registry.ContactPerson{Name: "Eva", Email: "eva"}, smelts),
		"two lines":        r.AgreeContact(ctx, giver, nil, registry.ContactPerson{Name: "Eva\nRoth", Email: smelts}, smelts),
		"nobody":           r.AgreeContact(ctx, giver, nil, eva, ""),
	} {
		assert.Error(t, err, name)
	}
	_, _, err := r.ContactByRef(ctx, "none")
	assert.ErrorIs(t, err, registry.ErrNotFound)
}

func TestReservedCompanies(t *testing.T) {
	r, c := filled(t)
	f, err := r.Facts(ctx)
	require.NoError(t, err)
	before := f.Reserved(access.Animator, access.OpportunitiesMatter)
	require.NoError(t, r.Consent(ctx, registry.Consent{Company: "laiterie", To: access.Animator, What: access.OpportunitiesMatter, From: c.now(), GivenBy: dairy}))
	f, err = r.Facts(ctx)
	require.NoError(t, err)
	assert.Equal(t, before-1, f.Reserved(access.Animator, access.OpportunitiesMatter))
	require.NoError(t, r.Withdraw(ctx, "laiterie", access.Animator, access.OpportunitiesMatter))
	f, err = r.Facts(ctx)
	require.NoError(t, err)
	assert.Equal(t, before, f.Reserved(access.Animator, access.OpportunitiesMatter))
}

func TestHeatNeedsAreReplaced(t *testing.T) {
	r, _ := filled(t)
	want := []metering.HeatNeed{{ID: "hot-water", Company: "laiterie", MWhPerYear: 4400, MaxKW: 900, SupplyC: 12, TargetC: 65, Coverage: 0.98}}
	require.NoError(t, r.PutHeatNeeds(ctx, append(want, metering.HeatNeed{ID: "x", Company: "fonderie"})))
	require.NoError(t, r.PutHeatNeeds(ctx, want))
	got, err := r.HeatNeeds(ctx)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}
