package api

import (
	"math"

	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// parties splits a synergy's parties into givers and takers.
func parties(s metering.Synergy) (donors, receivers, partners []string) {
	for _, p := range s.Parties {
		switch p.Role {
		case "donor":
			donors = append(donors, p.Company)
		case "receiver":
			receivers = append(receivers, p.Company)
		default:
			partners = append(partners, p.Company)
		}
	}
	return donors, receivers, partners
}

// flows draws who gives what to whom in a quarter. Energy is as wide as its
// MWh; what has no energy is a thread of constant width, which the caption says.
func (v *visit) flows(synergies []metering.Synergy, results []metering.Result, q calendar.Quarter) (*plot, error) {
	names, err := v.companyNames()
	if err != nil {
		return nil, err
	}
	byID := make(map[string]metering.Result)
	widest := 0.0
	for _, r := range results {
		byID[r.Synergy] = r
		if mwh, ok := energyOf(r); ok {
			widest = math.Max(widest, mwh)
		}
	}
	p := &plot{ID: "flows", Title: v.t("flows.title", v.lang.Quarter(q)), Caption: v.t("flows.caption"), Class: "tall", Empty: v.t("flows.empty"),
		Table: newTable("", v.head("flows.from"), v.head("flows.to"), v.head("flows.what"), v.headN("flows.amount")).cards()}
	model := chart.Sankey{}
	seen := make(map[string]bool)
	node := func(id, company string, depth int) string {
		if !seen[id] {
			seen[id] = true
			model.Nodes = append(model.Nodes, chart.Node{ID: id, Name: names[company], Depth: depth})
		}
		return id
	}
	for _, s := range synergies {
		r, ok := byID[s.ID]
		if !ok {
			continue
		}
		donors, receivers, partners := parties(s)
		f, known := mainIndicator(s.Resource, r)
		label := v.t("figure.none")
		if known {
			label = v.lang.Figure(f).String()
		}
		weight := math.Max(widest/60, 1)
		if mwh, ok := energyOf(r); ok {
			weight = math.Max(mwh, widest/200)
		}
		for _, d := range donors {
			for _, to := range receivers {
				model.Links = append(model.Links, chart.Link{Source: node("d "+d, d, 0), Target: node("r "+to, to, 1),
					Weight: weight / float64(len(donors)*len(receivers)), Label: v.lang.Of(s.Name) + "\n" + label, Colour: resourceColour(s.Resource)})
			}
		}
		from, to := joinNames(names, donors), joinNames(names, receivers)
		switch {
		case len(partners) == 1:
			from, to = joinNames(names, partners), v.t("flows.site")
		case len(partners) > 1:
			from, to = joinNames(names, partners), v.t("flows.together")
		}
		p.Table.add(txt(from), txt(to), link(v.lang.Of(s.Name), "/synergies/"+s.ID), right(label))
	}
	if len(model.Links) == 0 {
		return p, nil
	}
	return p.draw(model)
}

// energyOf is the energy that a synergy's flow carries, in MWh.
func energyOf(r metering.Result) (float64, bool) {
	for _, i := range []metering.Indicator{metering.HeatDeliveredMWh, metering.BiomethaneMWh} {
		if f, ok := r.Figure(i); ok && f.Amount > 0 {
			return f.Amount, true
		}
	}
	return 0, false
}

func joinNames(names map[string]string, ids []string) string {
	out := ""
	for i, id := range ids {
		if i > 0 {
			out += ", "
		}
		out += names[id]
	}
	return out
}
