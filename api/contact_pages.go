package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/registry"
)

type contactsPage struct {
	Lead, Said string
	Own        bool // a company's own
	Table      *table
	Leads      []leadRow
	Start      bool
	Rules      []string
}

// leadRow is a pair that can be proposed, or why not now.
type leadRow struct {
	Key, Resource, Giver, Taker, Not string
}

func showContacts(v *visit) error {
	all, err := v.visibleContacts()
	if err != nil {
		return err
	}
	p := contactsPage{Own: v.person.Role == access.Company, Start: v.may(access.StartContact, ""), Said: v.saidOf("contact.said.", "proposed", "reserved")}
	p.Lead = v.t("contacts.lead_between")
	if p.Own {
		p.Lead = v.t("contacts.lead_own")
	}
	for i := range all {
		if p.Table == nil {
			p.Table = newTable("", v.head("contact.one"), v.head("contact.giver"), v.head("contact.taker"), v.head("contact.state"), v.head("contact.date")).cards()
		}
		if err := v.contactRow(p.Table, &all[i]); err != nil {
			return err
		}
	}
	if p.Start {
		if p.Leads, err = v.leadRows(func(lead) bool { return true }); err != nil {
			return err
		}
	}
	for _, k := range []string{"contact.rule_kind", "contact.rule_name", "contact.rule_never", "contact.rule_end"} {
		p.Rules = append(p.Rules, v.t(k))
	}
	return v.page(http.StatusOK, "contacts", v.t("nav.contacts"), p)
}

// saidOf reads back which of some outcomes the last form had, in the words with a prefix.
func (v *visit) saidOf(prefix string, known ...string) string {
	if said := v.QueryParam("said"); slices.Contains(known, said) {
		return v.t(prefix + said)
	}
	return ""
}

func (v *visit) resource(name string) string { return v.lang.Or("resource."+name, name) }

func (v *visit) contactRow(t *table, c *registry.Contact) error {
	own := c.Side(v.person.Company)
	href, date := "/contacts/"+c.ID, c.ProposedAt
	if own >= 0 {
		href, date = "/contacts/"+c.Sides[own].Ref, c.Sides[own].AskedAt
	}
	row := []cell{link(capital(v.resource(c.Resource)), href)}
	for i := range c.Sides {
		name, err := v.sideName(v.seen(c, i))
		if err != nil {
			return err
		}
		if own < 0 {
			row = append(row, noted(name, v.t("side."+string(c.Sides[i].State))))
			continue
		}
		row = append(row, txt(name))
	}
	t.add(append(row, txt(v.t("contact.state."+v.standing(c, own))), txt(v.lang.ShortDate(date)))...)
	return nil
}

// sideName is a company's name, or what stands for it.
func (v *visit) sideName(s seenSide) (string, error) {
	if s.Own {
		return v.t("contact.you"), nil
	}
	if s.Company == "" {
		return v.t("contact.unnamed"), nil
	}
	c, _, err := v.company(s.Company)
	return c.Name, err
}

// leadRows are the pairs that the person may propose.
func (v *visit) leadRows(want func(lead) bool) ([]leadRow, error) {
	if !v.may(access.StartContact, "") {
		return nil, nil
	}
	all, err := v.leads()
	if err != nil {
		return nil, err
	}
	contacts, err := v.s.o.Registry.Contacts(v.Request().Context(), "")
	if err != nil {
		return nil, err
	}
	var out []leadRow
	for _, l := range all {
		if !v.mayPropose(l) || !want(l) {
			continue
		}
		r := leadRow{Key: l.key, Resource: capital(v.resource(l.Resource))}
		for company, into := range map[string]*string{l.Giver.Company: &r.Giver, l.Taker.Company: &r.Taker} {
			s := seenSide{}
			if v.may(access.SeeOpportunities, company) {
				s.Company = company
			}
			if *into, err = v.sideName(s); err != nil {
				return nil, err
			}
		}
		if until, resting := registry.Resting(contacts, l.Resource, l.Giver.Company, l.Taker.Company, v.s.o.Clock()); resting {
			r.Not = v.resting(registry.RestingError{Until: until})
		}
		out = append(out, r)
	}
	// Those that can be started first, then by name.
	slices.SortStableFunc(out, func(a, b leadRow) int {
		return strings.Compare(a.Not+"\x00"+a.Giver+"\x00"+a.Taker, b.Not+"\x00"+b.Giver+"\x00"+b.Taker)
	})
	return out, nil
}

type contactPage struct {
	Title, Lead, State, Said string
	Own, Answer, Agreed      bool
	Sides                    []sideView
	Parts                    []partChoice
	Person                   registry.ContactPerson
	Post                     string
	AnswerBy                 string
	Later                    bool
	Reasons                  []choice
	Wish, Wished, Enter      bool
	Synergy                  string
}

// sideView is one company as the person may see it.
type sideView struct {
	Title, Name, State, Shows, Reason string
	Rows                              []pair
	Person                            *registry.ContactPerson
	Nothing                           bool
}

// partChoice is what a company can let the other one see, with just that.
type partChoice struct {
	Part, Name, Note  string
	Rows              []pair
	Chosen, Withhelds bool
}

func showContact(v *visit) error {
	c, own, err := v.contact()
	if err != nil {
		return err
	}
	p := contactPage{Own: own >= 0, State: v.t("contact.state." + v.standing(&c, own)), Said: v.saidOf("contact.said.", "answered"), Post: "/contacts/" + v.Param("contact")}
	p.Title = v.t("contact.title", v.resource(c.Resource))
	switch own {
	case 0:
		p.Lead = v.t("contact.you_have", v.resource(c.Resource))
	case 1:
		p.Lead = v.t("contact.you_need", v.resource(c.Resource))
	default:
		p.Lead = v.t("contact.between")
		p.Enter = v.may(access.StartContact, "") && c.State == registry.ContactIntroduced && c.Sides[0].Candidate && c.Sides[1].Candidate
	}
	for i := range c.Sides {
		if i == own {
			continue
		}
		s, err := v.sideView(&c, i, own)
		if err != nil {
			return err
		}
		p.Sides = append(p.Sides, s)
	}
	if c.Synergy != "" && v.may(access.SeeProgramme, "") {
		p.Synergy = "/synergies/" + c.Synergy
	}
	if own >= 0 && v.may(access.AnswerContact, c.ID) {
		v.answerForm(&p, &c, own)
	}
	return v.page(http.StatusOK, "contact", p.Title, p)
}

// answerForm offers the answers that a company can give now.
func (v *visit) answerForm(p *contactPage, c *registry.Contact, own int) {
	s := c.Sides[own]
	if !c.Open() {
		return
	}
	p.Agreed = s.State == registry.SideAgreed
	p.Answer = c.State != registry.ContactEntered
	if !p.Agreed {
		p.AnswerBy, p.Later = v.lang.ShortDate(s.AnswerBy()), s.Postponed < registry.MaxPostponed
	}
	p.Wish, p.Wished = c.State == registry.ContactIntroduced, s.Candidate
	if p.Person = s.Person; p.Person == (registry.ContactPerson{}) {
		p.Person = registry.ContactPerson{Name: v.person.Name, Email: v.person.Email}
	}
	seen := v.seen(c, own)
	for _, part := range access.Parts {
		x := partChoice{Part: string(part), Name: capital(v.t("contact.part." + string(part))), Note: v.t("contact.part_note." + string(part)), Chosen: slices.Contains(s.Parts, part)}
		switch part {
		case access.BandsPart:
			if x.Rows = v.bandRows(seen); len(x.Rows) == 0 {
				x.Note, x.Withhelds = v.t("contact.band_rare"), true
			}
		case access.FiguresPart:
			x.Rows = v.figureRows(seen)
		}
		p.Parts = append(p.Parts, x)
	}
	for _, r := range append([]string{""}, registry.ContactReasons...) {
		p.Reasons = append(p.Reasons, choice{Key: r, Name: v.reason(r)})
	}
}

func (v *visit) sideView(c *registry.Contact, i, own int) (out sideView, err error) {
	s, seen := c.Sides[i], v.seen(c, i)
	out = sideView{Title: v.t("contact.the_taker")}
	if seen.Gives {
		out.Title = v.t("contact.the_giver")
	}
	if out.Name, err = v.sideName(seen); err != nil {
		return out, err
	}
	out.Name = capital(out.Name)
	if own < 0 { // who stands between them sees how far each is
		out.State = v.t("side." + string(s.State))
		if s.Reason != "" {
			out.Reason = v.reason(s.Reason)
		}
		var shows []string
		for _, p := range s.Parts {
			shows = append(shows, v.t("contact.part."+string(p)))
		}
		if s.State == registry.SideAgreed {
			out.Shows = joinOr(shows, v.t("contact.part.none"))
		}
	}
	out.Rows = append(v.bandRows(seen), v.figureRows(seen)...)
	out.Person = seen.Person
	out.Nothing = own >= 0 && len(out.Rows) == 0 && seen.Company == ""
	return out, nil
}

func (v *visit) reason(r string) string {
	return v.t("contact.reason." + cmp.Or(r, "none"))
}

// bandRows words orders of magnitude.
func (v *visit) bandRows(s seenSide) (out []pair) {
	if s.Bands == nil {
		return nil
	}
	for _, x := range []struct {
		key, unit string
		band      *registry.Band
	}{{"contact.power", "kW", s.Bands.PowerKW}, {"contact.temperature", "°C", s.Bands.Temperature}, {"contact.amount", s.Unit, s.Bands.Amount}} {
		if x.band == nil {
			continue
		}
		text := v.t("contact.band", v.lang.Number(x.band.From, 0), v.lang.Number(x.band.To, 0), x.unit)
		switch {
		case x.band.To == 0:
			text = v.t("contact.band_above", v.lang.Number(x.band.From, 0), x.unit)
		case x.band.From == 0:
			text = v.t("contact.band_below", v.lang.Number(x.band.To, 0), x.unit)
		}
		out = append(out, pair{v.t(x.key), text})
	}
	return out
}

// figureRows words figures.
func (v *visit) figureRows(s seenSide) (out []pair) {
	f := s.Figures
	if f == nil {
		return nil
	}
	add := func(key, amount, unit string) { out = append(out, pair{v.t(key), amount + "\u00a0" + unit}) }
	if f.PowerKW > 0 && s.Gives {
		add("contact.power_typical", v.lang.Amount(f.PowerKW), "kW")
	} else if f.PowerKW > 0 {
		add("contact.power_greatest", v.lang.Amount(f.PowerKW), "kW")
	}
	if f.MWhPerYear > 0 {
		add("contact.heat_a_year", v.lang.Amount(f.MWhPerYear), "MWh")
	}
	if f.HighC != 0 {
		add("contact.temperatures", v.t("opportunity.between", v.lang.Number(f.LowC, 0), v.lang.Number(f.HighC, 0)), "°C")
	}
	if f.Amount > 0 {
		add("contact.amount_a_year", v.lang.Amount(f.Amount), s.Unit)
	}
	if q := v.lang.Of(f.Quality); q != "" {
		out = append(out, pair{v.t("contact.quality"), q})
	}
	return out
}
