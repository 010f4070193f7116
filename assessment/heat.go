package assessment

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// cardFailed is the kind of the alarm of a heat card that cannot be computed.
const cardFailed = "card_failed"

// leastDays is how many days of good data a source needs before it is scaled to
// a year.
const leastDays = 28

// heat looks for waste heat in the last year: what the declared cards give, what
// nobody declared, and what all of it could serve together.
func (r *run) heat(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g, err := r.channels(ctx)
	if err != nil {
		return err
	}
	r.step()
	rules, err := worth.Builtin()
	if err != nil {
		return err
	}
	kinds, err := asset.Builtin()
	if err != nil {
		return err
	}
	faults := append(r.withoutCooling(heat.FindFaultsAt(g, r.sites(), declaredCards(r.programme.cards)...)), r.heatFaults(g)...)
	r.step()
	in := worth.Input{Grid: heat.Mend(g, faults), Places: map[string]heat.Place{}, Network: heat.DefaultNetwork, Kinds: kinds, Day: r.until, Faults: faults}
	for _, c := range r.programme.companies {
		in.Places[c.ID] = heat.Place{X: c.XMetres, Y: c.YMetres}
	}
	known := worth.Programme{Names: map[string]metering.Text{}, Connected: r.connected()}
	for _, c := range r.programme.cards {
		if err := ctx.Err(); err != nil {
			return err
		}
		known.Names[c.ID] = c.Name
		if c.NotASource {
			continue
		}
		if err := r.card(g, c, faults, &in); err != nil {
			r.failed(cardFailed, c.ID, c.Company, err, "La carte de chaleur n'a pas pu être évaluée", "The heat card could not be evaluated")
		}
	}
	served := r.serve(&in)
	found, notes, err := rules.Opportunities(in, known)
	if err != nil {
		return err
	}
	for _, n := range notes {
		r.Log.Warn("heat pair not looked at", "why", n)
	}
	r.step()
	if err := r.propose(ctx, g, faults, &in); err != nil {
		return err
	}
	r.step()
	plan, err := r.plan(ctx, rules, &in, known, served)
	if err != nil {
		return err
	}
	r.step()
	planned(found, plan)
	if err := r.Registry.PutHeatNeeds(ctx, r.heatNeeds(in, known.Names)); err != nil {
		return err
	}
	return r.Registry.PutOpportunities(ctx, found)
}

// channel is a series as rules read it: rates of registers an hour, NaN where
// nothing good was received.
func channel(id metering.SeriesID, s *align.Series, step time.Duration) []float64 {
	out := make([]float64, len(s.Amount))
	scale := 1.0
	if id.Quantity().Kind() == metering.Counter {
		scale = 1 / step.Hours()
	}
	for i, x := range s.Amount {
		out[i] = x * scale
		if s.Covered[i] == 0 {
			out[i] = math.NaN()
		}
	}
	return out
}

// card adds a source or a demand.
func (r *run) card(g *heat.Grid, c registry.Card, faults []heat.Fault, in *worth.Input) error {
	if len(c.Signals) == 0 {
		return nil // declared only: nothing is measured yet
	}
	if _, ok := in.Places[c.Company]; !ok {
		return fmt.Errorf("company %q has no place on the map", c.Company)
	}
	card := heat.Card{ID: c.ID, Site: c.Company, Type: c.Type, Rule: c.Rule, THot: c.THot, TCold: c.TCold, DTContribution: c.DTContribution}
	for _, s := range c.Signals {
		if _, ok := g.Channels[string(s)]; !ok {
			r.Log.Info("heat card waits for readings", "card", c.ID, "series", s)
			return nil
		}
		card.Signals = append(card.Signals, string(s))
	}
	if c.Side == "source" {
		card, err := in.Kinds.Complete(g, card)
		if err != nil {
			return err
		}
		found, err := heat.Sources(g, []heat.Card{card}, faults)
		if err != nil {
			return err
		}
		if time.Duration(found[0].Valid)*g.Step >= leastDays*24*time.Hour {
			in.Sources = append(in.Sources, found[0])
		}
		return nil
	}
	d := heat.Demand{ID: c.ID, Site: c.Company, Signal: card.Signals[0], TTarget: c.TTarget, TSupply: c.TSupply,
		DTContribution: c.DTContribution, EfficiencyPCS: c.Efficiency}
	if c.Rule != "" { // the need follows from other series, as a source's heat does
		card.THot, card.TCold = "1", "0"
		need, err := heat.Sources(g, []heat.Card{card}, faults)
		if err != nil {
			return err
		}
		d.Signal = "demand " + c.ID
		in.Grid.Channels[d.Signal] = need[0].KW
	}
	weather, _ := r.weather()
	n, err := d.On(in.Grid, string(weather))
	if err != nil {
		return err
	}
	in.Needs = append(in.Needs, n)
	return nil
}

// connected are the pairs of companies between which heat flows already.
func (r *run) connected() map[string]bool {
	out := map[string]bool{}
	for _, s := range r.programme.synergies {
		if s.Resource != "heat" || !s.Status.Running() {
			continue
		}
		for _, a := range s.Parties {
			for _, b := range s.Parties {
				if a.Role == "donor" && b.Role == "receiver" {
					out[a.Company+">"+b.Company] = true
				}
			}
		}
	}
	return out
}

// heatFaults are the windows in which a meter is not to be believed, for all of
// its channels.
func (r *run) heatFaults(g *heat.Grid) []heat.Fault {
	kinds := map[string]heat.FaultKind{align.Scale: heat.ScaleJump, align.SensorsSwapped: heat.SensorsSwapped, align.Frozen: heat.StuckReading}
	var out []heat.Fault
	for _, f := range r.events() {
		kind, ok := kinds[f.Kind]
		if !ok || !f.To.After(g.Start) {
			continue
		}
		x := heat.Fault{Kind: kind, From: f.From, To: f.To}
		for id := range r.data {
			if id.Meter() == f.series.Meter() && r.data[id].fine != nil && (f.Kind != align.Frozen || id == f.series) {
				x.Channels = append(x.Channels, string(id))
			}
		}
		if len(x.Channels) > 0 {
			out = append(out, x)
		}
	}
	return out
}
