package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/contact"
	"github.com/thermie/thermie/registry"
)

// Contacts between companies (docs/decisions/0180-contacts-between-companies.md).
// What a company sees of the other one goes through seen, which asks access part
// by part; no page and no answer of the API takes it from elsewhere.

// theContact finds a contact by the name that the person knows it by: a company
// knows its own side's, whoever stands between them the contact's.
func theContact(v *visit) (string, bool, error) {
	c, _, err := v.contact()
	if errors.Is(err, registry.ErrNotFound) {
		return "", false, nil
	}
	return c.ID, err == nil, err
}

// contact is the contact of the address, and the person's side of it, -1 for none.
func (v *visit) contact() (registry.Contact, int, error) {
	ctx, name := v.Request().Context(), v.Param("contact")
	if v.person.Role != access.Company {
		c, err := v.s.o.Registry.Contact(ctx, name)
		return c, -1, err
	}
	c, side, err := v.s.o.Registry.ContactByRef(ctx, name)
	if err == nil && c.Sides[side].Company != v.person.Company {
		return registry.Contact{}, -1, registry.ErrNotFound
	}
	return c, side, err
}

// visibleContacts are those that the person may know of, the newest first.
func (v *visit) visibleContacts() ([]registry.Contact, error) {
	all, err := v.s.o.Registry.Contacts(v.Request().Context(), v.person.Company)
	return slices.DeleteFunc(all, func(c registry.Contact) bool { return !v.may(access.SeeContacts, c.ID) }), err
}

// seenSide is what the person may see of one company of a contact.
type seenSide struct {
	Gives   bool
	Own     bool
	Company string // "" unless its name may be seen
	Bands   *registry.ContactBands
	Figures *registry.ContactProfile // without bands
	Unit    string                   // of the amount in either
	Person  *registry.ContactPerson
}

// seen is the one door through which anything of a company in a contact passes.
func (v *visit) seen(c *registry.Contact, side int) seenSide {
	s := c.Sides[side]
	may := func(p access.Part) bool { return access.MaySeePart(v.person, v.facts, c.ID, s.Company, p) }
	out := seenSide{Gives: side == 0, Own: s.Company == v.person.Company}
	if may(access.NamePart) {
		out.Company = s.Company
		if s.Person != (registry.ContactPerson{}) && (out.Own || v.person.Role == access.Company) {
			out.Person = &s.Person
		}
	}
	if may(access.BandsPart) || may(access.FiguresPart) {
		out.Unit = s.Profile.Unit
	}
	if may(access.BandsPart) && s.Profile.Bands != (registry.ContactBands{}) {
		out.Bands = &s.Profile.Bands
	}
	if may(access.FiguresPart) {
		p := s.Profile
		p.Bands = registry.ContactBands{}
		p.MWhPerYear, p.PowerKW, p.Amount = rough(p.MWhPerYear), rough(p.PowerKW), rough(p.Amount)
		p.LowC, p.HighC = math.Round(p.LowC), math.Round(p.HighC)
		out.Figures = &p
	}
	return out
}

// standing is how far a contact is, as the person may know it: a company learns
// of the other one's answer only what follows from it.
func (v *visit) standing(c *registry.Contact, own int) string {
	if own < 0 {
		return string(c.State)
	}
	s := c.Sides[own]
	switch {
	case c.State == registry.ContactIntroduced || c.State == registry.ContactEntered:
		return string(c.State)
	case s.State == registry.SideDeclined || s.State == registry.SideWithdrawn:
		return string(s.State)
	case !c.Open():
		return "closed"
	}
	return string(s.State)
}

// lead is a pair that the animator may propose.
type lead struct {
	contact.Lead
	key string
}

// leads are all pairs of the programme with the names by which forms know them.
// The names are of this process only and cannot be guessed from the companies.
func (v *visit) leads() ([]lead, error) {
	ctx := v.Request().Context()
	p, err := contact.Read(ctx, v.s.o.Registry)
	if err != nil {
		return nil, err
	}
	all, err := contact.Leads(ctx, p)
	if err != nil {
		return nil, err
	}
	out := make([]lead, len(all))
	for i, l := range all {
		mac := hmac.New(sha256.New, v.s.leadKey[:])
		mac.Write([]byte(l.Resource + "\x00" + l.Giver.Subject + "\x00" + l.Taker.Subject))
		out[i] = lead{l, hex.EncodeToString(mac.Sum(nil)[:12])}
	}
	// By a name that tells nothing, so that the order of those without names tells nothing.
	slices.SortFunc(out, func(a, b lead) int { return strings.Compare(a.key, b.key) })
	return out, nil
}

// mayPropose asks access about a pair.
func (v *visit) mayPropose(l lead) bool {
	return access.MayPropose(v.person, v.facts, l.Giver.Company, l.Taker.Company)
}

// allReserved is the form's name for every pair that cannot be shown.
const allReserved = "reserved"

// startContact proposes a pair to its two companies, or every pair that the
// animator may not know of, whether there is any or not.
func startContact(v *visit) error {
	all, err := v.leads()
	if err != nil {
		return err
	}
	key := v.FormValue("lead")
	if key == allReserved {
		for _, l := range all {
			if v.mayPropose(l) {
				continue
			}
			var resting registry.RestingError
			if err := v.propose(l); err != nil && !errors.As(err, &resting) {
				return err
			}
		}
		return v.Redirect(http.StatusSeeOther, "/contacts?said=reserved")
	}
	i := slices.IndexFunc(all, func(l lead) bool { return l.key == key })
	if i < 0 || !v.mayPropose(all[i]) {
		return problem{http.StatusBadRequest, v.t("contact.stale")}
	}
	var resting registry.RestingError
	if err := v.propose(all[i]); errors.As(err, &resting) {
		return problem{http.StatusConflict, v.resting(resting)}
	} else if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, "/contacts?said=proposed")
}

func (v *visit) propose(l lead) error {
	_, err := v.s.o.Registry.ProposeContact(v.Request().Context(), l.Proposal(), v.person.Email)
	return err
}

func (v *visit) resting(e registry.RestingError) string {
	if e.Until.IsZero() {
		return v.t("contact.running")
	}
	return v.t("contact.resting", v.lang.ShortDate(e.Until))
}

// enterContact makes a candidate synergy of a contact whose companies want it.
func enterContact(v *visit) error {
	c, _, err := v.contact()
	if err != nil {
		return err
	}
	if !v.may(access.SeeContacts, c.ID) {
		return errNotFound
	}
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	synergy, err := v.s.o.Registry.EnterCandidate(v.Request().Context(), c.ID, candidateName(c, names), v.person.Email)
	if errors.Is(err, registry.ErrAnswer) {
		return problem{http.StatusConflict, v.t("contact.no_candidate")}
	}
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, "/synergies/"+synergy)
}
