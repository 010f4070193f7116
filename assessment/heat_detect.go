package assessment

import (
	"context"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/detect"
	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// heatSteps is how many steps of the progress heat takes.
const heatSteps = 5

// tells are the quantities in which undeclared heat shows; of each group a meter's
// first is read.
var tells = [][]metering.Quantity{
	{metering.HeatPower, metering.HeatEnergy, metering.CoolingEnergy},
	{metering.ActivePower, metering.ActiveEnergyImport},
	{metering.VolumeFlow},
	{metering.FlowTemperature},
	{metering.ReturnTemperature},
	{metering.Temperature},
	{metering.GasVolume},
}

// channels are all readings of the last year that tell of heat, on the fine grid:
// those of the cards, and what else meters have.
func (r *run) channels(ctx context.Context) (*heat.Grid, error) {
	g := &heat.Grid{Start: r.fine.From, Step: r.fine.Step, Steps: r.fine.Steps, Channels: map[string][]float64{}}
	for id, x := range r.data {
		if x.fine != nil {
			g.Channels[string(id)] = channel(id, x.fine, r.fine.Step)
		}
	}
	var more []metering.SeriesID
	for _, m := range r.programme.meters {
		for _, group := range tells {
			for _, q := range group {
				if id := metering.Series(m.ID, q); r.known(id) {
					if g.Channels[string(id)] == nil {
						more = append(more, id)
					}
					break
				}
			}
		}
	}
	read := make([][]float64, len(more))
	both, ctx := errgroup.WithContext(ctx)
	both.SetLimit(2) // one reads while another computes
	for k, id := range more {
		both.Go(func() (err error) {
			read[k], err = r.lastYear(ctx, id)
			return err
		})
	}
	if err := both.Wait(); err != nil {
		return nil, err
	}
	for k, id := range more {
		g.Channels[string(id)] = read[k]
	}
	return g, nil
}

// lastYear reads a series of which only the last year is wanted.
func (r *run) lastYear(ctx context.Context, id metering.SeriesID) ([]float64, error) {
	source := align.Source{Series: id, Unit: r.infos[id].Unit, Exchanges: r.programme.meter[id.Meter()].Exchanges}
	t, err := align.Read(source, r.Series.Points(ctx, system(), id, r.fine.From, r.until.Add(time.Millisecond)))
	if err != nil {
		return nil, err
	}
	return channel(id, t.On(r.fine), r.fine.Step), nil
}

// sites are the companies of meters.
func (r *run) sites() map[string]string {
	out := make(map[string]string, len(r.programme.meters))
	for _, m := range r.programme.meters {
		out[m.ID] = m.Company
	}
	return out
}

// cooling are the meters that count cold: their flow is the colder side.
func (r *run) cooling() map[string]bool {
	out := map[string]bool{}
	for _, m := range r.programme.meters {
		out[m.ID] = m.Medium == "cooling"
	}
	return out
}

// withoutCooling drops the faults that are none: a meter of cold is no meter with
// exchanged sensors.
func (r *run) withoutCooling(faults []heat.Fault) []heat.Fault {
	cold := r.cooling()
	return slices.DeleteFunc(faults, func(f heat.Fault) bool {
		return f.Kind == heat.SensorsSwapped && len(f.Channels) > 0 && cold[metering.SeriesID(f.Channels[0]).Meter()]
	})
}

// declaredCards are the sources among the cards, as rules read them.
func declaredCards(all []registry.Card) []heat.Card {
	var out []heat.Card
	for _, c := range all {
		if c.Side != "source" {
			continue
		}
		x := heat.Card{ID: c.ID, Site: c.Company, Type: c.Type, THot: c.THot, TCold: c.TCold}
		for _, s := range c.Signals {
			x.Signals = append(x.Signals, string(s))
		}
		out = append(out, x)
	}
	return out
}

// propose looks for assets that nobody declared and stores what it found, to be
// confirmed. What a card reads, what a running synergy is measured by and the
// meters of the territory itself are no news.
func (r *run) propose(ctx context.Context, g *heat.Grid, faults []heat.Fault, in *worth.Input) error {
	weather, _ := r.weather()
	o := detect.Options{Weather: string(weather), Sites: r.sites(), Cooling: r.cooling(), Declared: declaredCards(r.programme.cards), OwnSiteOnly: true}
	taken := map[string]bool{}
	for _, c := range r.programme.cards {
		taken[c.ID] = true
		for _, s := range c.Signals {
			o.Apart = append(o.Apart, string(s))
		}
	}
	for _, plans := range r.programme.plans {
		for _, p := range plans {
			for _, s := range p.Series() {
				for name := range g.Channels { // all that such a meter reads
					if metering.SeriesID(name).Meter() == s.Meter() {
						o.Apart = append(o.Apart, name)
					}
				}
			}
		}
	}
	found, err := detect.Find(g, faults, o)
	if err != nil {
		return err
	}
	var out []metering.HeatProposal
	for i := range found {
		f := &found[i]
		m := r.programme.meter[f.Object]
		s := &f.Source
		hours := float64(s.Known) * g.Step.Hours()
		if m.Company == "" || time.Duration(hours*float64(time.Hour)) < leastDays*24*time.Hour {
			continue
		}
		year := 8760 / hours
		p := metering.HeatProposal{ID: f.Object, Company: m.Company, Meter: m.Name, Pattern: string(f.Pattern), Why: f.Why, Signs: f.Also, Type: f.Card.Type, Rule: f.Card.Rule,
			THot: f.Card.THot, TCold: f.Card.TCold, DTContribution: f.Card.DTContribution, Grade: string(s.Grade), MWhPerYear: s.MWh * year, Half90: s.HalfWidthMWh() * year,
			TypicalKW: s.P50KW, FirmKW: s.P90KW, LowC: s.LowC, HighC: s.HighC, Coverage: s.Coverage}
		if taken[p.ID] {
			p.ID += "-chaleur"
		}
		for _, c := range f.Card.Signals {
			p.Signals = append(p.Signals, metering.SeriesID(c))
		}
		if k := in.Kinds.Of(&f.Card); k != nil {
			p.Kind = k.Name
		}
		_, _, own := heat.InternalFirst(g, []heat.Source{*s}, in.Needs)
		for _, x := range own {
			p.InternalMWh += x.MWh * year
		}
		out = append(out, p)
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a].MWhPerYear > out[b].MWhPerYear })
	return r.Registry.PutHeatProposals(ctx, out)
}
