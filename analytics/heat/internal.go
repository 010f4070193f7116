package heat

import (
	"math"
	"slices"

	"github.com/thermie/thermie/analytics/pinch"
)

// InternalFirst takes the heat that a site can use itself, without a machine,
// out of its sources and needs: what is left may be offered to others. Sources
// and needs of one site are served in the order given. Of a source, heat is
// taken evenly over its temperatures, which leaves others a little too much at
// the top.
//
// The pairs say what was taken; their indices are those of the arguments.
func InternalFirst(g *Grid, sources []Source, needs []*Need) (left []Source, open []*Need, taken []Pair) {
	left, open = slices.Clone(sources), make([]*Need, len(needs))
	for j, n := range needs {
		c := *n
		c.KW = slices.Clone(n.KW)
		open[j] = &c
	}
	for i := range left {
		s := &left[i]
		s.KW = slices.Clone(s.KW)
		for j, n := range open {
			if n.Demand.Site != s.Card.Site {
				continue
			}
			p := Pair{Source: i, Demand: j}
			ds, dd := s.Card.DTContribution, n.Demand.DTContribution
			for k := range s.KW {
				qh, qc := s.KW[k], n.KW[k]
				if !(qh > 0) || !(qc > 0) || math.IsNaN(n.TargetC[k]+n.SupplyC[k]+s.HotC[k]+s.ColdC[k]) {
					continue
				}
				q := pinch.Exchange(qh, max(s.HotC[k], s.ColdC[k])-ds, min(s.HotC[k], s.ColdC[k])-ds, qc, n.TargetC[k]+dd, n.SupplyC[k]+dd)
				if q <= 0 {
					continue
				}
				s.KW[k] -= q
				n.KW[k] -= q
				mwh := q * g.hours() / 1000
				s.MWh -= mwh
				n.MWh -= mwh
				p.MWh += mwh
				p.Hours += g.hours()
				p.PeakKW = max(p.PeakKW, q)
			}
			if p.MWh > 0 {
				p.Share = p.MWh / (p.MWh + n.MWh)
				taken = append(taken, p)
			}
		}
	}
	return left, open, taken
}
