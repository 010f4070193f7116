package proof

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
)

// need is a series and the windows in which its readings are used.
type need struct {
	series  metering.SeriesID
	windows []span
}

// needs are all series that the plans use for the quarter, by id.
func (p *Papers) needs() []need {
	q := p.Contents.Quarter
	all := map[metering.SeriesID][]span{}
	for _, id := range slices.Sorted(maps.Keys(p.plans)) {
		series, windows := p.plans[id].Needs(q.Start(), q.End())
		for _, s := range series {
			for _, w := range windows {
				all[s] = append(all[s], span{w.From.UnixMilli(), w.To.UnixMilli()})
			}
		}
	}
	var out []need
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, need{id, all[id]})
	}
	return out
}

// Compute computes the quarter's figures of a synergy from the readings, as
// assessment does: same plan, factors, readings and declarations, same digits.
func (p *Papers) Compute(e *Evidence, synergy string) (metering.Result, error) {
	q := p.Contents.Quarter
	i := slices.IndexFunc(p.Results, func(r metering.Result) bool { return r.Synergy == synergy })
	if i < 0 {
		return metering.Result{}, fmt.Errorf("synergy %s: %w", synergy, errNotGiven)
	}
	meters := map[string]metering.Meter{}
	for _, m := range p.Programme.Meters {
		meters[m.ID] = m
	}
	ev, err := savings.Compute(savings.Inputs{Plan: p.plans[synergy], Set: p.sets[p.Results[i].FactorSet], Points: e.points,
		Meters: meters, Declarations: p.Programme.Declarations[synergy], From: q.Start(), Until: q.End()})
	if err != nil {
		return metering.Result{}, err
	}
	return ev.Result(metering.PeriodQuarter, q.Start(), q.End()), nil
}

// same says where two results of a synergy differ, to the last digit.
func same(sealed, now metering.Result) error {
	if !sealed.From.Equal(now.From) || !sealed.To.Equal(now.To) || sealed.Kind != now.Kind {
		return fmt.Errorf("the period is from %s to %s, not from %s to %s", now.From, now.To, sealed.From, sealed.To)
	}
	var errs []error
	for _, i := range metering.Indicators {
		a, had := sealed.Figure(i)
		b, has := now.Figure(i)
		switch {
		case had != has:
			errs = append(errs, fmt.Errorf("%s: stated %v, computed %v", i, had, has))
		case a != b:
			errs = append(errs, faultf("%s : les relevés donnent %v ± %v (couverture %v, %s), le dossier dit %v ± %v (couverture %v, %s)",
				"%s: the readings give %v ± %v (coverage %v, %s), the dossier says %v ± %v (coverage %v, %s)", i, b.Amount, b.Half90, b.Coverage, b.Class, a.Amount, a.Half90, a.Coverage, a.Class))
		}
	}
	if len(errs) == 0 && len(sealed.Figures) != len(now.Figures) {
		errs = append(errs, fmt.Errorf("%d figures are stated, %d computed", len(sealed.Figures), len(now.Figures)))
	}
	return errors.Join(errs...)
}

// figures sums the results by indicator and theme.
func (p *Papers) figures() []disclosure.Figure {
	who := disclosure.Companies{Holdings: map[string]string{}, Waived: map[string]bool{}}
	for _, c := range p.Programme.Companies {
		who.Holdings[c.ID] = c.Holding
	}
	for _, id := range p.Programme.Waived {
		who.Waived[id] = true
	}
	var all []disclosure.Synergy
	for _, r := range p.Results {
		i := slices.IndexFunc(p.Programme.Synergies, func(s metering.Synergy) bool { return s.ID == r.Synergy })
		s := p.Programme.Synergies[i] // parse has seen it
		x := disclosure.Synergy{ID: s.ID, Theme: s.Resource, Parties: s.Parties, Result: r, Shares: map[string]float64{}}
		for _, share := range p.plans[s.ID].Shares {
			x.Shares[share.Company] = share.Share
		}
		all = append(all, x)
	}
	out := disclosure.Figures(p.Contents.Quarter.String(), all, who)
	for _, e := range p.Programme.Earlier {
		for i := range out {
			for _, c := range e.Figures {
				if c.Indicator == out[i].Key.Indicator && c.Theme == out[i].Key.Theme {
					out[i].Earlier = append(out[i].Earlier, disclosure.Earlier{Shown: c.Shown, Contributions: c.Contributions})
				}
			}
		}
	}
	return out
}

// Cells are the report's cells: the results summed by indicator and theme, after
// disclosure control.
func (p *Papers) Cells() []Cell {
	var out []Cell
	for _, f := range disclosure.Show(p.figures(), p.Programme.Rules, nil) {
		out = append(out, Cell{Indicator: f.Key.Indicator, Theme: f.Key.Theme, Suppressed: string(f.Suppressed), Contributors: f.Contributors,
			Amount: f.Amount, Half90: f.Half90, Coverage: f.Coverage, Measured: f.Measured, Calculated: f.Calculated, Declared: f.Declared})
	}
	return out
}

// Shown is what a later revision must know of this one.
func (p *Papers) Shown() Earlier {
	e := Earlier{Revision: p.Contents.Revision}
	all := p.figures()
	for i, c := range p.Cells() {
		e.Figures = append(e.Figures, EarlierCell{c.Indicator, c.Theme, c.Suppressed == "", all[i].Contributions})
	}
	return e
}

// Population counts the synergies that were in operation in the quarter and the
// companies that take part in them.
func (p *Papers) Population() (synergies, companies int) {
	parties := map[string]bool{}
	for _, s := range p.Programme.Synergies {
		if s.Status != metering.Implemented && s.Status != metering.Perennial || !s.Since.Before(p.Contents.Quarter.End()) {
			continue
		}
		synergies++
		for _, x := range s.Parties {
			parties[x.Company] = true
		}
	}
	return synergies, len(parties)
}

// sameGaps compares the gaps found with those that are admitted.
func sameGaps(admitted, found []Gap) error {
	for _, g := range found {
		if !slices.Contains(admitted, g) {
			return faultf("%s : des lots manquent entre %d et %d, ce que le dossier ne dit pas", "%s: batches between %d and %d are missing, which the dossier does not say", g.Gateway, g.After, g.Before)
		}
	}
	for _, g := range admitted {
		if !slices.Contains(found, g) {
			return faultf("%s : le dossier avoue un manque après le lot %d, qui n’existe pas", "%s: the dossier admits a gap after batch %d that is not there", g.Gateway, g.After)
		}
	}
	return nil
}
