package heat

import (
	"math"
	"strings"
)

// Simultaneous is the heat that each site takes for its own needs while it
// cools something, in MWh: at each step the smaller of all it cools and all it
// heats. It is the bound of what the site could recover itself, before anything
// is offered to others. What is cooled is the chilled water where a card has it
// (a heat or cooling meter beside the power of a machine), else the heat that the
// asset rejects. Only sites with both appear.
func Simultaneous(g *Grid, sources []Source, needs []*Need) map[string]float64 {
	cools, heats := map[string][]float64{}, map[string][]float64{}
	add := func(to map[string][]float64, site string, x []float64) {
		if to[site] == nil {
			to[site] = make([]float64, g.Steps)
		}
		for i, v := range x {
			if v > 0 {
				to[site][i] += v
			}
		}
	}
	for i := range sources {
		add(cools, sources[i].Card.Site, cooled(g, &sources[i]))
	}
	for _, n := range needs {
		add(heats, n.Demand.Site, n.KW)
	}
	out := map[string]float64{}
	for site, h := range heats {
		c := cools[site]
		if c == nil {
			continue
		}
		sum := 0.0
		for i := range h {
			sum += math.Min(h[i], c[i])
		}
		out[site] = sum * g.hours() / 1000
	}
	return out
}

// cooled is what a source takes from the process, kW.
func cooled(g *Grid, s *Source) []float64 {
	heat, power := "", false
	for _, name := range s.Card.Signals {
		switch parseSignal(name).letter() {
		case "Q":
			heat = name
		case "P":
			power = true
		}
	}
	x, ok := g.Channels[heat]
	if !ok || !power || strings.Contains(s.Card.Rule, "-") {
		return s.KW
	}
	out := append([]float64(nil), x...)
	for i, v := range out {
		if math.IsNaN(v) { // estimated steps: in the proportion of the heat rejected
			out[i] = s.KW[i] * 0.75
		}
	}
	return out
}
