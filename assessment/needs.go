package assessment

import (
	"math"

	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/metering"
)

// heatNeeds sums up each need of heat over the year that was looked at. A use in an
// opportunity is made of both sides' figures; what a company lets another see of its
// need must be its own.
func (r *run) heatNeeds(in worth.Input, names map[string]metering.Text) []metering.HeatNeed {
	weather, _ := r.weather()
	var out []metering.HeatNeed
	for _, n := range in.Needs {
		known := 0
		for _, kw := range n.KW {
			if !math.IsNaN(kw) {
				known++
			}
		}
		if known == 0 {
			continue
		}
		f := n.Figures(in.Grid, string(weather))
		x := metering.HeatNeed{ID: n.Demand.ID, Company: n.Demand.Site, Name: names[n.Demand.ID], MWhPerYear: f.MWh * 8760 / (float64(known) * in.Grid.Step.Hours()),
			MaxKW: f.MaxKW, SupplyC: f.SupplyC, TargetC: f.TargetC, Coverage: f.Coverage}
		if finite(x.MWhPerYear, x.MaxKW, x.SupplyC, x.TargetC, x.Coverage) {
			out = append(out, x)
		}
	}
	return out
}

func finite(all ...float64) bool {
	for _, x := range all {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
