package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// maxReason is how long a reason may be, in characters.
const maxReason = 300

// proposedEvent is a non-routine event about which a person is to decide.
type proposedEvent struct {
	Post, Since, Size, Share string
}

// proposedEvents are the events of a synergy's site that wait for a decision, with
// the address that takes it; without one for who may not decide.
func (v *visit) proposedEvents(synergy string) ([]proposedEvent, error) {
	events, err := v.s.o.Registry.Events(v.Request().Context(), synergy)
	if err != nil {
		return nil, err
	}
	var out []proposedEvent
	for _, e := range events {
		amount, half := v.lang.PlusMinus(e.KWhPerDay, e.Half90)
		share := v.lang.Percent(e.Share, 0)
		if e.KWhPerDay > 0 {
			amount, share = "+"+amount, "+"+share
		}
		x := proposedEvent{Since: v.lang.Date(e.From), Share: share,
			Size: v.t("event.size", v.t("flow."+e.Energy), strings.TrimSuffix(amount+"\u00a0±\u00a0"+half, "\u00a0±\u00a0"))}
		if v.may(access.ApprovePlan, synergy) {
			x.Post = "/synergies/" + synergy + "/events/" + eventKey(e)
		}
		out = append(out, x)
	}
	return out, nil
}

// eventKey names an event within its synergy: "gas-2026-05-20".
func eventKey(e registry.Event) string {
	return e.Energy + "-" + e.From.In(calendar.Paris).Format("2006-01-02")
}

// decideEvent accepts or refuses a proposed event. Either makes the plan's next
// version, approved by who decides: an approved version never changes, and a
// quarter that is closed keeps the one that it was closed with.
func decideEvent(v *visit) error {
	ctx, r := v.Request().Context(), v.s.o.Registry
	s, _, err := v.synergy(v.Param("synergy"))
	if err != nil {
		return err
	}
	events, err := r.Events(ctx, s.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(events, func(e registry.Event) bool { return eventKey(e) == v.Param("event") })
	if i < 0 {
		return errNotFound
	}
	accepted := v.FormValue("answer") == "accept"
	reason := strings.Join(strings.Fields(v.FormValue("reason")), " ")
	if !accepted && v.FormValue("answer") != "refuse" || reason == "" || utf8.RuneCountInString(reason) > maxReason {
		return problem{http.StatusBadRequest, v.t("event.needs_reason", maxReason)}
	}
	plans, err := r.Plans(ctx, s.ID)
	if err != nil {
		return err
	}
	if len(plans) == 0 || !plans[len(plans)-1].Approved() {
		return problem{http.StatusConflict, v.t("event.draft")}
	}
	now := v.s.o.Clock()
	next, err := nextPlan(plans[len(plans)-1], events[i], accepted, reason, v.person.Email, now)
	if err != nil {
		return fmt.Errorf("event of synergy %s: %w", s.ID, err)
	}
	switch err = r.DecideEvent(ctx, events[i], next, accepted, reason); {
	case errors.Is(err, registry.ErrLocked):
		return problem{http.StatusConflict, v.t("event.draft")}
	case errors.Is(err, registry.ErrNotFound):
		return errNotFound
	case err != nil:
		return err
	}
	return v.Redirect(http.StatusSeeOther, "/synergies/"+s.ID+"?said="+map[bool]string{true: "accepted", false: "refused"}[accepted]+"#events")
}

// nextPlan is the version of a plan that holds the decision, in force from today.
func nextPlan(last registry.Plan, e registry.Event, accepted bool, reason, by string, now time.Time) (registry.Plan, error) {
	a := savings.Adjustment{ID: "event-" + eventKey(e), Energy: indicators.Flow(e.Energy), KWhPerDay: e.KWhPerDay, Half90: e.Half90, Reason: metering.Text{FR: reason, EN: reason}}
	a.From = indicators.DateOf(e.From)
	at := now.UTC().Truncate(time.Second)
	if accepted {
		a.AcceptedBy, a.AcceptedAt = by, at
	} else {
		a.RefusedBy, a.RefusedAt = by, at
	}
	body, err := savings.WithAdjustment([]byte(last.Body), a)
	if err != nil {
		return registry.Plan{}, err
	}
	next := registry.Plan{Synergy: last.Synergy, Version: last.Version + 1, Body: string(body), ValidFrom: calendar.Day(now), ApprovedBy: by, ApprovedAt: at}
	if last.ValidFrom.After(next.ValidFrom) {
		next.ValidFrom = last.ValidFrom
	}
	return next, nil
}
