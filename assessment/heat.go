package assessment

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// cardFailed is the kind of the alarm of a heat card that cannot be computed.
const cardFailed = "card_failed"

// leastDays is how many days of good data a source needs before it is scaled to
// a year.
const leastDays = 28

// heat looks for waste heat in the last year.
func (r *run) heat(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := &heat.Grid{Start: r.fine.From, Step: r.fine.Step, Steps: r.fine.Steps, Channels: map[string][]float64{}}
	for id, x := range r.data {
		if x.fine != nil {
			g.Channels[string(id)] = channel(id, x.fine, r.fine.Step)
		}
	}
	where := heat.Context{Places: map[string]heat.Place{}, Names: map[string]metering.Text{}, Companies: map[string]string{},
		Network: heat.DefaultNetwork, Economics: heat.DefaultEconomics, Connected: r.connected()}
	for _, c := range r.programme.companies {
		where.Places[c.ID], where.Companies[c.ID] = heat.Place{X: c.XMetres, Y: c.YMetres}, c.Name
	}
	if id, ok := r.weather(); ok {
		where.Weather = string(id)
	}
	faults := append(heat.FindFaults(g), r.heatFaults(g)...)
	var sources []heat.Source
	for _, c := range r.programme.cards {
		if err := ctx.Err(); err != nil {
			return err
		}
		where.Names[c.ID] = c.Name
		if c.NotASource {
			continue
		}
		if err := r.card(g, c, faults, &sources, &where); err != nil {
			r.failed(cardFailed, c.ID, c.Company, err, "La carte de chaleur n'a pas pu être évaluée", "The heat card could not be evaluated")
		}
	}
	found, err := heat.Opportunities(g, sources, where)
	if err != nil {
		return err
	}
	r.step()
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
func (r *run) card(g *heat.Grid, c registry.Card, faults []heat.Fault, sources *[]heat.Source, where *heat.Context) error {
	if len(c.Signals) == 0 {
		return nil // declared only: nothing is measured yet
	}
	if _, ok := where.Places[c.Company]; !ok {
		return fmt.Errorf("company %q has no place on the map", c.Company)
	}
	asset := heat.Card{ID: c.ID, Site: c.Company, Type: c.Type, Rule: c.Rule, THot: c.THot, TCold: c.TCold, DTContribution: c.DTContribution}
	for _, s := range c.Signals {
		if _, ok := g.Channels[string(s)]; !ok {
			r.Log.Info("heat card waits for readings", "card", c.ID, "series", s)
			return nil
		}
		asset.Signals = append(asset.Signals, string(s))
	}
	if c.Side == "source" {
		found, err := heat.Sources(g, []heat.Card{asset}, faults)
		if err != nil {
			return err
		}
		if time.Duration(found[0].Valid)*g.Step >= leastDays*24*time.Hour {
			*sources = append(*sources, found[0])
		}
		return nil
	}
	d := heat.Demand{ID: c.ID, Site: c.Company, Signal: asset.Signals[0], TTarget: c.TTarget, TSupply: c.TSupply,
		DTContribution: c.DTContribution, EfficiencyPCS: c.Efficiency}
	if c.Rule != "" { // the need follows from other series, as a source's heat does
		asset.THot, asset.TCold = "1", "0"
		need, err := heat.Sources(g, []heat.Card{asset}, faults)
		if err != nil {
			return err
		}
		d.Signal = "demand " + c.ID
		g.Channels[d.Signal] = need[0].KW
	}
	// A demand that cannot be computed must fail alone.
	if _, err := heat.Pairs(g, nil, []heat.Demand{d}, where.Places, where.Network, where.Weather); err != nil {
		return err
	}
	where.Demands = append(where.Demands, d)
	return nil
}

// connected are the pairs of companies between which heat flows already.
func (r *run) connected() map[string]bool {
	out := map[string]bool{}
	for _, s := range r.programme.synergies {
		if s.Resource != "heat" || s.Status != metering.Implemented && s.Status != metering.Perennial {
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
