package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// answerContact takes a company's answer.
func answerContact(v *visit) error {
	ctx, ref := v.Request().Context(), v.Param("contact")
	r, by := v.s.o.Registry, v.person.Email
	form, err := v.FormParams()
	if err != nil {
		return problem{http.StatusBadRequest, v.t("contact.refused")}
	}
	switch form.Get("answer") {
	case "agree":
		var parts []access.Part
		for _, p := range form["part"] {
			parts = append(parts, access.Part(p))
		}
		err = r.AgreeContact(ctx, ref, parts, registry.ContactPerson{Name: strings.TrimSpace(form.Get("name")), Email: strings.TrimSpace(form.Get("email")),
			Phone: strings.TrimSpace(form.Get("phone"))}, by)
	case "later":
		err = r.PostponeContact(ctx, ref, by)
	case "decline":
		err = r.DeclineContact(ctx, ref, form.Get("reason"), by)
	case "candidate":
		err = r.WishCandidate(ctx, ref, form.Get("wish") == "yes", by)
	default:
		err = registry.ErrAnswer
	}
	switch {
	case errors.Is(err, registry.ErrAnswer):
		return problem{http.StatusBadRequest, v.t("contact.refused")}
	case errors.Is(err, registry.ErrClosed):
		return problem{http.StatusConflict, v.t("contact.over")}
	case errors.Is(err, registry.ErrNotFound):
		return errNotFound
	case err != nil:
		return err
	}
	return v.Redirect(http.StatusSeeOther, "/contacts/"+ref+"?said=answered")
}

// candidateName names a synergy that begins as a contact.
func candidateName(c registry.Contact, names map[string]string) metering.Text {
	return metering.Text{
		FR: words.FR.T("contact.candidate_name", capital(words.FR.Or("resource."+c.Resource, c.Resource)), names[c.Sides[0].Company], names[c.Sides[1].Company]),
		EN: words.EN.T("contact.candidate_name", capital(words.EN.Or("resource."+c.Resource, c.Resource)), names[c.Sides[0].Company], names[c.Sides[1].Company]),
	}
}

// contactRequests counts the contacts that wait for an answer of the person's
// company.
func (v *visit) contactRequests() (int, error) {
	all, err := v.visibleContacts()
	n := 0
	for i := range all {
		if own := all[i].Side(v.person.Company); own >= 0 && all[i].Open() && all[i].Sides[own].Due(v.s.o.Clock()) {
			n++
		}
	}
	return n, err
}
