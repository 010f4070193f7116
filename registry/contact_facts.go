package registry

import (
	"context"

	"github.com/thermie/thermie/access"
)

// loadContacts adds what access must know of contacts.
func (f *facts) loadContacts(ctx context.Context, q querier, r *Registry) error {
	companies, err := list(ctx, q, readCompany, selectCompanies)
	if err != nil {
		return err
	}
	f.group = make(map[string]string, len(companies))
	for _, c := range companies {
		f.group[c.ID] = c.ID
		if c.Holding != "" {
			f.group[c.ID] = "holding " + c.Holding
		}
	}
	all, err := r.contacts(ctx, q, "")
	if err != nil {
		return err
	}
	for _, c := range all {
		for i, s := range c.Sides {
			f.contacts[c.ID] = append(f.contacts[c.ID], access.ContactSide{Company: s.Company, Asked: !s.AskedAt.IsZero(), Agreed: c.agreed(i), Parts: s.Parts})
		}
	}
	return nil
}

func (f *facts) ContactSides(contact string) []access.ContactSide { return f.contacts[contact] }

func (f *facts) Reserved(to access.Role, what access.Matter) int {
	groups := map[string]bool{}
	for company, group := range f.group {
		if !f.Consented(company, to, what) {
			groups[group] = true
		}
	}
	return len(groups)
}
