package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/contact"
	"github.com/thermie/thermie/registry"
)

// The demo's people bring companies together as soon as the assessment has found
// who could meet: one contact waits for the dairy's answer, one led to an introduction,
// one was declined.
const (
	demoAnimator = "animatrice@port-fictif.example"
	demoCompany  = "laiterie" // the one that somebody can sign in for
)

// contacts tells the three contacts once there is something to tell; done is
// false until then.
func contacts(ctx context.Context, r *registry.Registry) (done bool, err error) {
	all, err := r.Contacts(ctx, "")
	if err != nil || len(all) > 0 {
		return len(all) > 0, err
	}
	p, err := contact.Read(ctx, r)
	if err != nil || len(p.Opportunities) == 0 {
		return false, err
	}
	leads, err := contact.Leads(ctx, p)
	if err != nil {
		return false, err
	}
	own := func(l contact.Lead) bool { return l.Giver.Company == demoCompany || l.Taker.Company == demoCompany }
	waiting, leads := take(leads, own)
	introduced, leads := take(leads, own)
	if introduced == nil {
		introduced, leads = take(leads, func(contact.Lead) bool { return true })
	}
	declined, _ := take(leads, func(l contact.Lead) bool { return !own(l) })
	for _, x := range []struct {
		lead   *contact.Lead
		answer func(ctx context.Context, r *registry.Registry, c registry.Contact) error
	}{{declined, refuse}, {introduced, meet}, {waiting, ask}} {
		if x.lead == nil {
			continue
		}
		c, err := r.ProposeContact(ctx, x.lead.Proposal(), demoAnimator)
		if err != nil {
			return false, fmt.Errorf("contact of the demo: %w", err)
		}
		if err := x.answer(ctx, r, c); err != nil {
			return false, fmt.Errorf("contact of the demo: %w", err)
		}
	}
	return true, nil
}

// take finds a lead and returns it with those of other companies.
func take(leads []contact.Lead, is func(contact.Lead) bool) (*contact.Lead, []contact.Lead) {
	i := slices.IndexFunc(leads, is)
	if i < 0 {
		return nil, leads
	}
	l := leads[i]
	return &l, slices.DeleteFunc(slices.Clone(leads), func(x contact.Lead) bool {
		return x.Giver.Company == l.Giver.Company && x.Taker.Company == l.Taker.Company
	})
}

// director is whom a company of the port names, and who answers for it.
func director(company string) registry.ContactPerson {
	return registry.ContactPerson{Name: "Direction (" + company + ")", Email: "direction@" + company + ".example"}
}

func agree(ctx context.Context, r *registry.Registry, s registry.ContactSide, parts ...access.Part) error {
	return r.AgreeContact(ctx, s.Ref, parts, director(s.Company), director(s.Company).Email)
}

// first is the side that is asked before the other, or that does not wait.
func first(c registry.Contact) int {
	if c.Sides[0].AskedAt.IsZero() {
		return 1
	}
	return 0
}

// ask leaves the dairy's answer open; whoever is asked before it agrees, and so does
// the other one where both are asked.
func ask(ctx context.Context, r *registry.Registry, c registry.Contact) error {
	own := c.Side(demoCompany)
	other := c.Sides[1-own]
	if other.AskedAt.IsZero() {
		return nil
	}
	return agree(ctx, r, other, access.BandsPart)
}

// meet lets both agree.
func meet(ctx context.Context, r *registry.Registry, c registry.Contact) error {
	i := first(c)
	if err := agree(ctx, r, c.Sides[i], access.BandsPart, access.FiguresPart); err != nil {
		return err
	}
	return agree(ctx, r, c.Sides[1-i], access.BandsPart)
}

// refuse declines for the first that is asked.
func refuse(ctx context.Context, r *registry.Registry, c registry.Contact) error {
	s := c.Sides[first(c)]
	return r.DeclineContact(ctx, s.Ref, "own_use", director(s.Company).Email)
}
