package api

import (
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/registry"
)

type bandJSON struct {
	From float64  `json:"from"`
	To   *float64 `json:"to,omitempty"` // open above without it
}

type contactBandsJSON struct {
	PowerKW     *bandJSON `json:"power_kw,omitempty"`
	Temperature *bandJSON `json:"temperature_celsius,omitempty"`
	Amount      *bandJSON `json:"amount_per_year,omitempty"`
	Unit        string    `json:"unit,omitempty"`
}

type contactFiguresJSON struct {
	PowerKW     float64 `json:"power_kw,omitempty"`
	MWhPerYear  float64 `json:"mwh_per_year,omitempty"`
	LowCelsius  float64 `json:"low_celsius,omitempty"`
	HighCelsius float64 `json:"high_celsius,omitempty"`
	Amount      float64 `json:"amount_per_year,omitempty"`
	Unit        string  `json:"unit,omitempty"`
}

type contactPersonJSON struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone,omitempty"`
}

type contactSideJSON struct {
	Role    string              `json:"role"` // giver, taker
	Own     bool                `json:"own,omitempty"`
	Company string              `json:"company,omitempty"`
	State   string              `json:"state,omitempty"`
	Shows   []access.Part       `json:"shows,omitempty"`
	Bands   *contactBandsJSON   `json:"bands,omitempty"`
	Figures *contactFiguresJSON `json:"figures,omitempty"`
	Person  *contactPersonJSON  `json:"person,omitempty"`
}

type contactJSON struct {
	ID       string            `json:"id"`
	Resource string            `json:"resource"`
	State    string            `json:"state"`
	Since    time.Time         `json:"since"`
	AnswerBy *time.Time        `json:"answer_by,omitempty"`
	Sides    []contactSideJSON `json:"sides"`
}

func jsonContacts(v *visit) error {
	all, err := v.visibleContacts()
	if err != nil {
		return err
	}
	var out []contactJSON
	for i := range all {
		out = append(out, v.contactJSON(&all[i]))
	}
	page, err := pageOf(v, out)
	if err != nil {
		return err
	}
	return v.answerJSON(page)
}

func (v *visit) contactJSON(c *registry.Contact) contactJSON {
	own := c.Side(v.person.Company)
	x := contactJSON{ID: c.ID, Resource: c.Resource, State: v.standing(c, own), Since: c.ProposedAt.UTC()}
	if own >= 0 {
		s := &c.Sides[own]
		x.ID, x.Since = s.Ref, s.AskedAt.UTC()
		if c.Open() && s.State != registry.SideAgreed {
			x.AnswerBy = known(s.AnswerBy())
		}
	}
	for i := range c.Sides {
		x.Sides = append(x.Sides, v.contactSideJSON(c, i, own))
	}
	return x
}

func (v *visit) contactSideJSON(c *registry.Contact, i, own int) contactSideJSON {
	seen := v.seen(c, i)
	x := contactSideJSON{Role: "taker", Own: seen.Own, Company: seen.Company}
	if seen.Gives {
		x.Role = "giver"
	}
	if own < 0 || seen.Own {
		x.State, x.Shows = string(c.Sides[i].State), c.Sides[i].Parts
	}
	if b := seen.Bands; b != nil {
		x.Bands = &contactBandsJSON{PowerKW: bandOf(b.PowerKW), Temperature: bandOf(b.Temperature), Amount: bandOf(b.Amount), Unit: seen.Unit}
	}
	if f := seen.Figures; f != nil {
		x.Figures = &contactFiguresJSON{f.PowerKW, f.MWhPerYear, f.LowC, f.HighC, f.Amount, seen.Unit}
	}
	if p := seen.Person; p != nil {
		x.Person = &contactPersonJSON{p.Name, p.Email, p.Phone}
	}
	return x
}

func bandOf(b *registry.Band) *bandJSON {
	if b == nil {
		return nil
	}
	x := &bandJSON{From: b.From}
	if b.To > 0 {
		x.To = &b.To
	}
	return x
}
