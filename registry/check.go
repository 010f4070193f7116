package registry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// Check refuses a programme that contradicts itself. The error lists what is
// wrong, one line each, and names the entries.
func (p *Programme) Check() error {
	c := &checker{companies: map[string]bool{}, gateways: map[string]Gateway{}, meters: map[string]bool{}, synergies: map[string]Synergy{}}
	c.territory(p.Territory)
	for _, x := range p.Companies {
		c.company(x)
	}
	for _, x := range p.Gateways {
		c.gateway(x)
	}
	for _, x := range p.Meters {
		c.meter(x)
	}
	for _, x := range p.Synergies {
		c.synergy(x)
	}
	for _, x := range p.Plans {
		c.known("plan of synergy", x.Synergy, c.has(x.Synergy))
		c.plan(x)
	}
	c.plansInOrder(p.Plans)
	for _, x := range p.Factors {
		c.factors(x)
	}
	for _, x := range p.Declarations {
		c.known("declaration for synergy", x.Synergy, c.has(x.Synergy))
		c.owner("declaration", x.ID, x.Company)
		c.add(x.check())
	}
	seen := map[string]bool{}
	for _, x := range p.Flows {
		c.flow(x, seen)
	}
	seen = map[string]bool{}
	for _, x := range p.Cards {
		c.card(x, seen)
	}
	for _, x := range p.Consents {
		c.known("consent of company", x.Company, c.companies[x.Company])
		c.add(x.check())
	}
	seen = map[string]bool{}
	for _, x := range p.People {
		c.person(x, seen)
	}
	return errors.Join(c.errs...)
}

// checker collects what is wrong, up to a bound that a person still reads.
type checker struct {
	errs      []error
	companies map[string]bool
	gateways  map[string]Gateway
	meters    map[string]bool
	synergies map[string]Synergy
}

func (c *checker) add(err error) {
	if err != nil && len(c.errs) < 20 {
		c.errs = append(c.errs, err)
	}
}

func (c *checker) fail(ok bool, format string, args ...any) {
	if !ok {
		c.add(fmt.Errorf(format, args...))
	}
}

func (c *checker) known(what, id string, ok bool) {
	c.fail(ok, "%s %q: not in the programme", what, id)
}

func (c *checker) has(synergy string) bool { _, ok := c.synergies[synergy]; return ok }

// id checks an identifier and that it is the first of its kind.
func (c *checker) id(kind, id string, taken bool) {
	if err := metering.CheckID(id); err != nil {
		c.add(fmt.Errorf("%s: %w", kind, err))
	}
	c.fail(!taken, "%s %q: named twice", kind, id)
}

func (c *checker) owner(kind, id, company string) {
	c.fail(company == "" || c.companies[company], "%s %q: unknown company %q", kind, id, company)
}

func (c *checker) territory(t Territory) {
	c.id("territory", t.ID, false)
	c.fail(t.Name.FR != "", "territory %q: no French name", t.ID)
	c.fail(t.Currency == "EUR", "territory %q: currency %q: only EUR", t.ID, t.Currency)
}

func (c *checker) company(x metering.Company) {
	c.id("company", x.ID, c.companies[x.ID])
	c.companies[x.ID] = true
	c.fail(x.Name != "", "company %q: no name", x.ID)
	c.fail(finite(x.XMetres) && finite(x.YMetres), "company %q: position is not a number", x.ID)
}

func (c *checker) gateway(x Gateway) {
	_, taken := c.gateways[x.ID]
	c.id("gateway", x.ID, taken)
	c.gateways[x.ID] = x
	c.owner("gateway", x.ID, x.Company)
	c.fail(len(x.PublicKey) == 0 || len(x.PublicKey) == 32, "gateway %q: public key of %d bytes, want 32", x.ID, len(x.PublicKey))
}

func (c *checker) meter(x Installation) {
	c.id("meter", x.ID, c.meters[x.ID])
	c.meters[x.ID] = true
	c.owner("meter", x.ID, x.Company)
	_, ok := c.gateways[x.Gateway]
	c.fail(ok, "meter %q: unknown gateway %q", x.ID, x.Gateway)
	c.fail(x.Profile != "", "meter %q: no profile", x.ID)
	c.fail(slices.Contains(Media, x.Medium), "meter %q: medium %q: want one of %v", x.ID, x.Medium, Media)
	c.fail(x.Interval >= 0 && x.Interval <= 24*time.Hour, "meter %q: interval %s: want up to a day", x.ID, x.Interval)
	for _, e := range x.Exchanges {
		c.fail(e.Quantity.Kind() == metering.Counter, "meter %q: exchange of %q, which is no counter", x.ID, e.Quantity)
		c.fail(!e.At.IsZero(), "meter %q: exchange without a time", x.ID)
	}
}

func (c *checker) synergy(x Synergy) {
	c.id("synergy", x.ID, c.has(x.ID))
	c.synergies[x.ID] = x
	c.fail(x.Name.FR != "", "synergy %q: no French name", x.ID)
	c.fail(x.Kind == metering.Substitution || x.Kind == metering.Mutualisation, "synergy %q: kind %q: want substitution or mutualisation", x.ID, x.Kind)
	stages := []metering.Status{metering.Identified, metering.Studied, metering.Developed, metering.Implemented, metering.Perennial, metering.Stopped}
	c.fail(slices.Contains(stages, x.Status), "synergy %q: status %q: want one of %v", x.ID, x.Status, stages)
	c.fail(len(x.Parties) > 0, "synergy %q: no parties", x.ID)
	for i, p := range x.Parties {
		c.fail(c.companies[p.Company], "synergy %q: unknown company %q", x.ID, p.Company)
		c.fail(slices.Contains([]string{"donor", "receiver", "partner"}, p.Role), "synergy %q: role %q of %s: want donor, receiver or partner", x.ID, p.Role, p.Company)
		c.fail(!slices.ContainsFunc(x.Parties[:i], func(q metering.Party) bool { return q.Company == p.Company }), "synergy %q: company %q named twice", x.ID, p.Company)
	}
	for i, m := range x.SharedMeters {
		c.fail(c.meters[m], "synergy %q: unknown meter %q", x.ID, m)
		c.fail(!slices.Contains(x.SharedMeters[:i], m), "synergy %q: meter %q named twice", x.ID, m)
	}
}

func (c *checker) plan(x Plan) {
	c.fail(x.Version >= 1, "plan of %s: version %d: want 1, 2, 3 ...", x.Synergy, x.Version)
	c.fail(x.Body != "" && len(x.Body) <= maxBody, "plan of %s v%d: body of %d bytes, want 1 to %d", x.Synergy, x.Version, len(x.Body), maxBody)
	c.fail(x.Approved() == (x.ApprovedBy != ""), "plan of %s v%d: approved_by and approved_at belong together", x.Synergy, x.Version)
}

func (c *checker) plansInOrder(plans []Plan) {
	last := map[string]int{}
	for _, x := range plans {
		c.fail(x.Version == last[x.Synergy]+1, "plan of %s: version %d after %d: versions follow one another", x.Synergy, x.Version, last[x.Synergy])
		last[x.Synergy] = x.Version
	}
}

func (c *checker) factors(s FactorSet) {
	c.id("factor set", s.ID, false)
	c.fail(s.Version >= 1, "factor set %s: version %d: want 1, 2, 3 ...", s.ID, s.Version)
	c.fail(!s.ValidFrom.IsZero(), "factor set %s: no valid_from", s.Ref())
	c.fail(s.Body != "" && len(s.Body) <= maxBody, "factor set %s: body of %d bytes, want 1 to %d", s.Ref(), len(s.Body), maxBody)
}

func (c *checker) flow(x Flow, seen map[string]bool) {
	c.id("flow", x.ID, seen[x.ID])
	seen[x.ID] = true
	c.fail(c.companies[x.Company], "flow %q: unknown company %q", x.ID, x.Company)
	c.fail(x.Direction == "has" || x.Direction == "needs", "flow %q: direction %q: want has or needs", x.ID, x.Direction)
	c.fail(x.Resource != "" && x.Unit != "", "flow %q: needs a resource and a unit", x.ID)
	c.fail(x.Amount.Coef >= 0, "flow %q: amount %s is negative", x.ID, x.Amount)
}

func (c *checker) card(x Card, seen map[string]bool) {
	c.id("card", x.ID, seen[x.ID])
	seen[x.ID] = true
	c.fail(c.companies[x.Company], "card %q: unknown company %q", x.ID, x.Company)
	c.fail(x.Side == "source" || x.Side == "demand", "card %q: side %q: want source or demand", x.ID, x.Side)
	for _, s := range x.Signals {
		if err := s.Check(); err != nil {
			c.add(fmt.Errorf("card %q: %w", x.ID, err))
			continue
		}
		c.fail(c.meters[s.Meter()], "card %q: unknown meter %q", x.ID, s.Meter())
	}
	c.fail(finite(x.DTContribution) && x.DTContribution >= 0, "card %q: dt_contribution_k is negative", x.ID)
	c.fail(x.Efficiency >= 0 && x.Efficiency <= 1.1, "card %q: efficiency %g: want 0 to 1.1", x.ID, x.Efficiency)
}

func (c *checker) person(x Person, seen map[string]bool) {
	c.fail(x.Email != "" && !seen[x.Email], "person %q: no e-mail, or named twice", x.Email)
	seen[x.Email] = true
	c.add(access.Person{Email: x.Email, Role: x.Role, Company: x.Company, Language: x.Language}.Check())
	c.owner("person", x.Email, x.Company)
}

// check refuses a declaration that says nothing or rests on nothing.
func (d Declaration) check() error {
	name := fmt.Sprintf("declaration %q for synergy %s", d.ID, d.Synergy)
	switch {
	case metering.CheckID(d.ID) != nil:
		return fmt.Errorf("%s: %w", name, metering.CheckID(d.ID))
	case !slices.Contains(metering.Indicators, d.Indicator):
		return fmt.Errorf("%s: unknown indicator %q", name, d.Indicator)
	case d.From.IsZero() || !d.From.Before(d.To):
		return fmt.Errorf("%s: the period %s to %s is empty", name, d.From.Format(time.DateOnly), d.To.Format(time.DateOnly))
	case d.Half90.Coef < 0:
		return fmt.Errorf("%s: half90 is negative", name)
	case d.DeclaredBy == "" || d.DeclaredAt.IsZero():
		return fmt.Errorf("%s: needs declared_by and declared_at", name)
	case len(d.Evidence) == 0:
		return fmt.Errorf("%s: rests on no evidence", name)
	}
	for _, e := range d.Evidence {
		if !slices.Contains(EvidenceKinds, e.Kind) || e.Reference == "" {
			return fmt.Errorf("%s: evidence of kind %q with reference %q: want a reference and one of %v", name, e.Kind, e.Reference, EvidenceKinds)
		}
	}
	return nil
}

// check refuses a consent to nobody or to nothing.
func (x Consent) check() error {
	name := fmt.Sprintf("consent of %s to %s on %s", x.Company, x.To, x.What)
	if _, err := access.ParseRole(string(x.To)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case !slices.Contains(access.Matters, x.What):
		return fmt.Errorf("%s: matter %q: want one of %v", name, x.What, access.Matters)
	case x.From.IsZero():
		return fmt.Errorf("%s: from when?", name)
	case !x.Until.IsZero() && x.Until.Before(x.From):
		return fmt.Errorf("%s: withdrawn before it was given", name)
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
