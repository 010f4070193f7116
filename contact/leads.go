package contact

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/thermie/thermie/analytics/flows"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// Heat is the resource of leads that measurements gave.
const Heat = "heat"

// Programme is what leads are found in.
type Programme struct {
	Companies     []metering.Company
	Synergies     []metering.Synergy
	Opportunities []metering.Opportunity
	Needs         []metering.HeatNeed
	Flows         []registry.Flow
}

// Source is where a programme is read; a registry is one.
type Source interface {
	Companies(ctx context.Context) ([]metering.Company, error)
	Synergies(ctx context.Context) ([]metering.Synergy, error)
	Opportunities(ctx context.Context) ([]metering.Opportunity, error)
	HeatNeeds(ctx context.Context) ([]metering.HeatNeed, error)
	Flows(ctx context.Context) ([]registry.Flow, error)
}

// Read reads a programme.
func Read(ctx context.Context, s Source) (p Programme, err error) {
	if p.Companies, err = s.Companies(ctx); err != nil {
		return p, err
	}
	if p.Synergies, err = s.Synergies(ctx); err != nil {
		return p, err
	}
	if p.Opportunities, err = s.Opportunities(ctx); err != nil {
		return p, err
	}
	if p.Needs, err = s.HeatNeeds(ctx); err != nil {
		return p, err
	}
	p.Flows, err = s.Flows(ctx)
	return p, err
}

// Lead is a pair of companies that could exchange something.
type Lead struct {
	Resource string // of contacts: heat, or as the flow's inventory says
	Giver    registry.ProposedSide
	Taker    registry.ProposedSide
}

// Proposal is the lead as the registry takes it.
func (l Lead) Proposal() registry.ContactProposal {
	return registry.ContactProposal{Resource: l.Resource, Giver: l.Giver, Taker: l.Taker}
}

// standing is one company's side of one resource.
type standing struct {
	company, group, subject string
	resource                string
	gives                   bool
	profile                 registry.ContactProfile
}

// Leads finds the pairs, by resource and names: their order is no ranking. A pair
// that exchanges the resource already is left out, and so are two sides of one
// company.
func Leads(ctx context.Context, p Programme) ([]Lead, error) {
	f := &finder{p: p, groups: map[string]string{}, sides: map[string]*standing{}, found: map[[3]string]bool{}}
	for _, c := range p.Companies {
		f.groups[c.ID] = cmp.Or(c.Holding, c.ID)
	}
	f.heat()
	if err := f.declared(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(f.out, func(a, b Lead) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Giver.Subject, b.Giver.Subject), cmp.Compare(a.Taker.Subject, b.Taker.Subject))
	})
	return f.out, nil
}

type finder struct {
	p      Programme
	groups map[string]string
	sides  map[string]*standing // by subject and direction
	found  map[[3]string]bool   // resource and companies
	out    []Lead
}

func (f *finder) side(s standing) {
	if s.group = f.groups[s.company]; s.group != "" {
		f.sides[key(s.subject, s.resource == Heat, s.gives)] = &s
	}
}

// key tells sides apart; an asset and a declared flow may have one name.
func key(subject string, measured, gives bool) string {
	return fmt.Sprint(measured, gives, subject)
}

// heat makes leads of the uses of opportunities.
func (f *finder) heat() {
	need := map[string]metering.HeatNeed{} // the greatest of a company
	for _, n := range f.p.Needs {
		if n.MWhPerYear > need[n.Company].MWhPerYear {
			need[n.Company] = n
		}
		f.side(standing{company: n.Company, subject: n.ID, resource: Heat,
			profile: registry.ContactProfile{MWhPerYear: n.MWhPerYear, PowerKW: n.MaxKW, LowC: n.SupplyC, HighC: n.TargetC}})
	}
	for _, o := range f.p.Opportunities {
		f.side(standing{company: o.Company, subject: o.ID, resource: Heat, gives: true,
			profile: registry.ContactProfile{MWhPerYear: o.MWhPerYear, PowerKW: o.TypicalKW, LowC: o.LowC, HighC: o.HighC}})
	}
	for _, o := range f.p.Opportunities {
		for _, u := range o.Uses {
			taker := u.Need
			if taker == "" {
				taker = need[u.Company].ID
			}
			f.lead(Heat, o.Company, o.ID, u.Company, taker)
		}
	}
}

// declared makes leads of the flows of the inventory. Heat that is measured is not
// taken from declarations.
func (f *finder) declared(ctx context.Context) error {
	inv := &flows.Inventory{}
	for i := range f.p.Companies {
		c := &f.p.Companies[i]
		inv.Companies = append(inv.Companies, flows.Company{ID: c.ID, Name: c.Name, XMetre: &c.XMetres, YMetre: &c.YMetres})
	}
	for _, x := range f.p.Flows {
		resource, ok := flows.ResourceOf(x.Resource)
		if !ok || resource == "waste heat" {
			continue
		}
		amount := x.Amount.Float64()
		inv.Flows = append(inv.Flows, flows.Flow{ID: x.ID, Company: x.Company, Resource: x.Resource, Direction: x.Direction, Amount: amount, Unit: x.Unit,
			Quality: flows.Words(x.Quality)})
		f.side(standing{company: x.Company, subject: x.ID, resource: string(resource), gives: x.Direction == "has",
			profile: registry.ContactProfile{Amount: amount, Unit: x.Unit, Quality: x.Quality}})
	}
	proposals, err := flows.Match(ctx, inv, flows.DefaultOptions)
	if err != nil {
		return err
	}
	for _, s := range proposals.Substitutions {
		if s.Verdict != flows.Unsuitable {
			f.lead(string(s.Resource), s.Giver, s.From, s.Taker, s.To)
		}
	}
	return nil
}

// lead adds a pair once, with its bands.
func (f *finder) lead(resource, giver, from, taker, to string) {
	pair := [3]string{resource, giver, taker}
	a, b := f.sides[key(from, resource == Heat, true)], f.sides[key(to, resource == Heat, false)]
	if a == nil || b == nil || giver == taker || f.found[pair] || f.exchanging(resource, giver, taker) {
		return
	}
	f.found[pair] = true
	givers, takers := f.peers(a), f.peers(b)
	l := Lead{Resource: resource, Giver: a.propose(givers), Taker: b.propose(takers)}
	// Where few could be the other one, its consent comes first: being asked at all
	// would tell this one who it is.
	switch fewGivers, fewTakers := crowd(givers) < Crowd, crowd(takers) < Crowd; {
	case fewGivers:
		l.Taker.After = true
	case fewTakers:
		l.Giver.After = true
	}
	f.out = append(f.out, l)
}

func (s *standing) propose(peers []*standing) registry.ProposedSide {
	profile := s.profile
	profile.Bands = widen(s, peers)
	return registry.ProposedSide{Company: s.company, Subject: s.subject, Profile: profile}
}

// peers are all who stand where a side stands, itself among them.
func (f *finder) peers(like *standing) (out []*standing) {
	for _, s := range f.sides {
		if s.resource == like.resource && s.gives == like.gives {
			out = append(out, s)
		}
	}
	return out
}

func crowd(all []*standing) int {
	groups := map[string]bool{}
	for _, s := range all {
		groups[s.group] = true
	}
	return len(groups)
}

// exchanging says whether a synergy of the programme is about this already. The
// inventory's resources are finer than a synergy's, so beside heat any exchange in
// this direction counts.
func (f *finder) exchanging(resource, giver, taker string) bool {
	return slices.ContainsFunc(f.p.Synergies, func(s metering.Synergy) bool {
		if s.Status == metering.Stopped || (s.Resource == Heat) != (resource == Heat) {
			return false
		}
		is := func(company, role string) bool {
			return slices.ContainsFunc(s.Parties, func(p metering.Party) bool { return p.Company == company && p.Role == role })
		}
		return is(giver, "donor") && is(taker, "receiver")
	})
}
