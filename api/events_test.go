package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/registry"
)

// TestEventsAreDecidedByPersons: who may approve plans accepts or refuses a proposed
// event, with a reason; the decision is the plan's next version and stands in the
// audit trail.
func TestEventsAreDecidedByPersons(t *testing.T) {
	d := newDealings(t)
	const synergy = "s02-malterie-laiterie"
	first := calendar.Day(time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC))
	second := calendar.Day(time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC))
	require.NoError(t, d.registry.PutEvents(t.Context(), synergy, []registry.Event{
		{Synergy: synergy, Energy: "gas", From: first, KWhPerDay: 4000, Half90: 900, Share: 0.12},
		{Synergy: synergy, Energy: "gas", From: second, KWhPerDay: -700, Half90: 80, Share: -0.07}}))
	before, err := d.registry.Plans(t.Context(), synergy)
	require.NoError(t, err)
	n := len(before)
	page, one, two := "/synergies/"+synergy, "/synergies/"+synergy+"/events/gas-2026-05-20", "/synergies/"+synergy+"/events/gas-2026-09-01"
	accept := url.Values{"answer": {"accept"}, "reason": {"Deuxième ligne\nde séchage"}}

	partner := d.as(t, "laiterie")
	body := partner.get(page).body
	assert.Contains(t, body, "Événements à décider", "a party sees what is proposed")
	assert.NotContains(t, body, one)
	assert.Equal(t, http.StatusNotFound, partner.post(one, accept).StatusCode, "and does not decide")
	assert.Equal(t, http.StatusNotFound, d.as(t, "chimie").post(one, accept).StatusCode)
	assert.Equal(t, http.StatusNotFound, d.as(t, "verifier").post(one, accept).StatusCode)

	v := d.as(t, "animator")
	body = v.get(page).body
	for _, want := range []string{one, two, "&#43;4\u202f000\u00a0±\u00a0900 kWh par jour", "&#43;12\u202f%", "\u2212700"} {
		assert.Contains(t, body, want)
	}
	for _, bad := range []url.Values{{"answer": {"accept"}}, {"answer": {"accept"}, "reason": {" \n "}}, {"answer": {"perhaps"}, "reason": {"x"}},
		{"answer": {"refuse"}, "reason": {string(make([]byte, maxReason+1))}}} {
		assert.Equal(t, http.StatusBadRequest, v.post(one, bad).StatusCode, bad)
	}
	assert.Equal(t, http.StatusNotFound, v.post(page+"/events/gas-2026-05-21", accept).StatusCode)
	a := v.post(one, accept)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	body = v.get(page + "?said=accepted").body
	assert.Contains(t, body, "Événement accepté")
	assert.Contains(t, body, "Deuxième ligne de séchage")
	assert.NotContains(t, body, one)
	assert.Equal(t, http.StatusNotFound, v.post(one, accept).StatusCode, "decided once")
	a = v.post(two, url.Values{"answer": {"refuse"}, "reason": {"Arrêt d’été"}})
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	body = v.get(page).body
	assert.NotContains(t, body, "Événements à décider")
	assert.Contains(t, body, "refusé par")

	after, err := d.registry.Plans(t.Context(), synergy)
	require.NoError(t, err)
	require.Len(t, after, n+2)
	assert.Equal(t, before, after[:n], "approved versions do not change")
	plan, err := savings.ParsePlan([]byte(after[n+1].Body))
	require.NoError(t, err)
	require.Len(t, plan.Adjustments, 2)
	yes, no := plan.Adjustments[0], plan.Adjustments[1]
	assert.Equal(t, d.mail["animator"], yes.AcceptedBy)
	assert.Equal(t, 4000.0, yes.KWhPerDay)
	assert.Empty(t, yes.RefusedBy)
	assert.Equal(t, d.mail["animator"], no.RefusedBy)
	assert.Empty(t, no.AcceptedBy)
	assert.Equal(t, d.mail["animator"], after[n+1].ApprovedBy)
	was, err := d.registry.PlanOf(t.Context(), synergy, fixtureNow.AddDate(0, -3, 0))
	require.NoError(t, err)
	assert.LessOrEqual(t, was.Version, n, "what was closed before follows the version of then")
	acts, err := d.registry.AuditTrail(t.Context(), 100)
	require.NoError(t, err)
	var said []string
	for _, x := range acts {
		if x.Subject == synergy {
			said = append(said, x.What)
		}
	}
	assert.ElementsMatch(t, []string{"event.accept", "event.refuse"}, said)
}

// TestEventWaitsForADraft: a draft that somebody else wrote is not overwritten.
func TestEventWaitsForADraft(t *testing.T) {
	d := newDealings(t)
	const synergy = "s02-malterie-laiterie"
	e := registry.Event{Synergy: synergy, Energy: "gas", From: calendar.Day(fixtureNow.AddDate(0, -2, 0)), KWhPerDay: 400, Half90: 90, Share: 0.1}
	require.NoError(t, d.registry.PutEvents(t.Context(), synergy, []registry.Event{e}))
	plans, err := d.registry.Plans(t.Context(), synergy)
	require.NoError(t, err)
	draft := plans[len(plans)-1]
	draft.Version, draft.ApprovedBy, draft.ApprovedAt = draft.Version+1, "", time.Time{}
	draft.Body = strings.Replace(draft.Body, "version: 1", "version: 2", 1)
	require.NoError(t, d.registry.PutPlan(t.Context(), draft))
	a := d.as(t, "animator").post("/synergies/"+synergy+"/events/"+eventKey(e), url.Values{"answer": {"accept"}, "reason": {"x"}})
	assert.Equal(t, http.StatusConflict, a.StatusCode)
	left, err := d.registry.Events(t.Context(), synergy)
	require.NoError(t, err)
	assert.Equal(t, []registry.Event{e}, left)
}
