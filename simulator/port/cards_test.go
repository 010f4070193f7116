package port

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	analysis "github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/metering"
)

// TestCards: every card of the programme runs over a year of the port, and the
// heat that the port's description tells of is found where it says.
func TestCards(t *testing.T) {
	p := demo(t)
	r, err := p.Programme(testEpoch)
	require.NoError(t, err)
	g := &analysis.Grid{Start: testEpoch.AddDate(-1, 0, 0), Step: time.Hour, Steps: 8760, Channels: map[string][]float64{}}
	fill := func(id metering.SeriesID) {
		m := p.installed[id.Meter()]
		c := m.Meter.at
		switch id.Quantity() {
		case metering.VolumeFlow:
			if m.sense != water {
				c++
			}
		case metering.FlowTemperature:
			c += 2
		case metering.ReturnTemperature:
			c += 3
		}
		x := make([]float64, g.Steps)
		for i := range x {
			at := p.millis(g.At(i))
			switch quanta[c] {
			case centiC:
				x[i] = float64(p.record.rate(c, at)) / 100
			case millilitres: // m3/h, of gas too
				x[i] = float64(p.record.integral(c, at+3600_000)-p.record.integral(c, at)) / perUnit(millilitres)
			default:
				x[i] = float64(p.record.integral(c, at+3600_000)-p.record.integral(c, at)) / perUnit(watts)
			}
		}
		g.Channels[string(id)] = x
	}
	fill("meteo/temperature")
	var cards []analysis.Card
	kinds, err := asset.Builtin()
	require.NoError(t, err)
	in := worth.Input{Grid: g, Places: map[string]analysis.Place{}, Network: analysis.DefaultNetwork, Kinds: kinds, Day: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	known := worth.Programme{Names: map[string]metering.Text{}}
	var demands []analysis.Demand
	for _, c := range r.Companies {
		in.Places[c.ID] = analysis.Place{X: c.XMetres, Y: c.YMetres}
	}
	for _, c := range r.Cards {
		known.Names[c.ID] = c.Name
		var signals []string
		for _, s := range c.Signals {
			fill(s)
			signals = append(signals, string(s))
		}
		switch {
		case c.NotASource:
		case c.Side == "source":
			cards = append(cards, analysis.Card{ID: c.ID, Site: c.Company, Type: c.Type, Signals: signals, Rule: c.Rule, THot: c.THot, TCold: c.TCold, DTContribution: c.DTContribution})
		case c.Rule == "":
			demands = append(demands, analysis.Demand{ID: c.ID, Site: c.Company, Signal: signals[0], TTarget: c.TTarget, TSupply: c.TSupply, DTContribution: c.DTContribution, EfficiencyPCS: c.Efficiency})
		}
	}
	sources, err := analysis.Sources(g, cards, nil)
	require.NoError(t, err)
	found := map[string]analysis.Source{}
	for _, s := range sources {
		t.Logf("%-24s %s %7.0f MWh  P50 %5.0f kW  P90 %5.0f kW  %.0f to %.0f degC", s.Card.ID, s.Grade, s.MWh, s.P50KW, s.P90KW, s.HighC, s.LowC)
		found[s.Card.ID] = s
	}
	for id, between := range map[string][2]float64{"fonderie-fumees": {1500, 6500}, "fonderie-compresseurs": {350, 900}, "laiterie-condenseur": {3000, 6000},
		"datacentre-boucle": {4500, 7000}, "papeterie-effluent": {1500, 4500}, "chimie-refroidissement": {2500, 4500}, "silos-air": {300, 1500}} {
		require.Greater(t, found[id].MWh, between[0], id)
		require.Less(t, found[id].MWh, between[1], id)
	}
	require.Greater(t, found["fonderie-fumees"].HighC, 200.0)
	in.Sources = sources
	for i := range demands {
		n, err := demands[i].On(g, "meteo/temperature")
		require.NoError(t, err)
		in.Needs = append(in.Needs, n)
	}
	rules, err := worth.Builtin()
	require.NoError(t, err)
	opportunities, _, err := rules.Opportunities(in, known)
	require.NoError(t, err)
	users := map[string]bool{}
	for _, o := range opportunities {
		for _, u := range o.Uses {
			t.Logf("%s -> %s: %.0f MWh, %.0f t, %.1f to %.1f years", o.ID, u.Company, u.MWhPerYear, u.CO2eTonnes, u.PaybackYears, u.PaybackYearsH)
			users[o.ID+">"+u.Company] = true
		}
	}
	require.True(t, users["chimie-refroidissement>laiterie"], "the chemistry's cooling water could serve the dairy")
	require.True(t, users["papeterie-effluent>laiterie"], "the mill's effluent could serve the dairy")
}
