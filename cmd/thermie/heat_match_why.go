package main

import (
	"fmt"
	"math"
)

// noPair says why no source may serve any need, or "".
func (a *matchAnswer) noPair() string {
	near := false
	for _, row := range a.routes {
		for _, r := range row {
			if r.Allowed {
				return ""
			}
			near = near || r.KM <= a.site.Network.MaxKM
		}
	}
	if near {
		return fmt.Sprintf("infeasible network: with %g lost on a kilometre (loss_fraction_per_km) no heat arrives on any way", a.site.Network.LossPerKM)
	}
	return fmt.Sprintf("infeasible network: no pair lies within %g km (max_length_km)", a.site.Network.MaxKM)
}

// nothing says why a plan over allowed pairs delivers nothing.
func (a *matchAnswer) nothing() string {
	if a.plan.DeliveredMWh > 0 || a.noPair() != "" {
		return ""
	}
	p := a.problem
	hot, cold, together := math.Inf(-1), math.Inf(1), false
	for i := range p.Steps {
		source, sink := false, false
		for _, s := range p.Sources {
			if s.KW[i] > 0 && !math.IsNaN(s.HighC[i]+s.LowC[i]) {
				hot, source = max(hot, s.HighC[i]), true
			}
		}
		for _, s := range p.Sinks {
			if s.KW[i] > 0 && !math.IsNaN(s.HighC[i]+s.LowC[i]) {
				cold, sink = min(cold, s.LowC[i]), true
			}
		}
		together = together || source && sink
	}
	switch {
	case math.IsInf(hot, 0):
		return "nothing to exchange: no source has heat of known temperature"
	case math.IsInf(cold, 0):
		return "nothing to exchange: no need wants heat"
	case !together:
		return "nothing to exchange directly: no source has heat while a need wants some"
	case hot < cold:
		return fmt.Sprintf("infeasible temperatures: no source is hotter than %.1f degC, no need colder than %.1f degC, approach included", hot, cold)
	}
	return "nothing to exchange directly: whenever a need is cold enough for a source, one of them does not run"
}
