package assessment

import (
	"context"
	"fmt"
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// programme is what the registry declares, read once.
type programme struct {
	companies []metering.Company
	meters    []registry.Installation
	meter     map[string]metering.Meter
	synergies []metering.Synergy
	plans     map[string][]plan // approved ones by synergy, in order of version
	broken    map[string]error  // synergies whose plans cannot be read
	sets      []set
	cards     []registry.Card
}

// plan is an approved version and since when figures follow it.
type plan struct {
	*savings.Plan
	from time.Time
}

// set is a version of the factors and the instant that its periods begin at.
type set struct {
	*indicators.Set
	from time.Time
}

func (r *run) load(ctx context.Context) error {
	p := &programme{meter: map[string]metering.Meter{}, plans: map[string][]plan{}, broken: map[string]error{}}
	var err error
	if p.companies, err = r.Registry.Companies(ctx); err != nil {
		return err
	}
	if p.meters, err = r.Registry.Installations(ctx); err != nil {
		return err
	}
	for _, m := range p.meters {
		p.meter[m.ID] = m.Meter
	}
	if p.synergies, err = r.Registry.Synergies(ctx); err != nil {
		return err
	}
	for _, s := range p.synergies {
		if err := r.loadPlans(ctx, p, s.ID); err != nil {
			return err
		}
	}
	all, err := r.Registry.FactorSets(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		s, err := indicators.ParseSet([]byte(f.Body))
		if err != nil {
			return fmt.Errorf("factor set %s: %w", f.Ref(), err)
		}
		p.sets = append(p.sets, set{s, f.ValidFrom})
	}
	if p.cards, err = r.Registry.Cards(ctx); err != nil {
		return err
	}
	r.programme = p
	return nil
}

func (r *run) loadPlans(ctx context.Context, p *programme, synergy string) error {
	versions, err := r.Registry.Plans(ctx, synergy)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if !v.Approved() {
			continue
		}
		x, err := savings.ParsePlan([]byte(v.Body))
		if err != nil {
			p.broken[synergy] = fmt.Errorf("version %d: %w", v.Version, err)
			continue
		}
		from := v.ValidFrom
		if from.IsZero() {
			from = v.ApprovedAt
		}
		p.plans[synergy] = append(p.plans[synergy], plan{x, from})
	}
	return nil
}

// planAt is the plan that figures of a moment follow: the highest version whose
// validity has begun by then; before all of them, the first.
func (p *programme) planAt(synergy string, at time.Time) *savings.Plan {
	var out *savings.Plan
	for _, v := range p.plans[synergy] {
		if !v.from.After(at) || out == nil {
			out = v.Plan
		}
	}
	return out
}

// setAt is the set that figures of a period that begins at a moment use.
func (p *programme) setAt(at time.Time) *indicators.Set {
	var out *indicators.Set
	for _, s := range p.sets { // in order of validity
		if !s.from.After(at) || out == nil {
			out = s.Set
		}
	}
	return out
}

// declared brings what was declared into the form of plans.
func declared(all []registry.Declaration) []savings.Declared {
	var out []savings.Declared
	for _, d := range all {
		x := savings.Declared{ID: d.ID, Indicator: d.Indicator, Amount: d.Amount.Float64(), Half90: d.Half90.Float64(),
			Span: indicators.Span{From: indicators.DateOf(d.From), To: indicators.DateOf(d.To)},
			Flow: indicators.Flow(d.Flow), By: d.Company}
		for _, e := range d.Evidence {
			x.Evidence = append(x.Evidence, savings.Evidence{Kind: e.Kind, Reference: e.Reference, Date: dateOf(e.Date), SHA256: e.SHA256})
		}
		out = append(out, x)
	}
	return out
}

func dateOf(t time.Time) indicators.Date {
	if t.IsZero() {
		return indicators.Date{}
	}
	return indicators.DateOf(t)
}
