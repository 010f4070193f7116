package pinch

import (
	"errors"
	"slices"
)

// Targets are the least utilities that a set of streams needs when heat is
// recovered as well as temperatures allow.
type Targets struct {
	HotUtilityKW  float64
	ColdUtilityKW float64
	RecoveryKW    float64
	// Pinches are the shifted temperatures where no heat may pass, descending; none
	// in a threshold problem.
	Pinches []float64
	// Threshold is "threshold-no-hot" or "threshold-no-cold" when one utility is
	// not needed at all.
	Threshold string
	// GrandComposite is the net heat flow down the cascade, kW, at each shifted
	// temperature, hottest first; at a latent load it has two points.
	GrandComposite []Level
}

// Level is a point of a composite curve.
type Level struct{ TShifted, KW float64 }

// PinchHotC and PinchColdC are the real temperatures of the hottest pinch where
// every stream has half of dtMin as its contribution.
func (t *Targets) PinchHotC(dtMin float64) float64  { return t.Pinches[0] + dtMin/2 }
func (t *Targets) PinchColdC(dtMin float64) float64 { return t.Pinches[0] - dtMin/2 }

// Cascade computes the targets by the problem table (Linnhoff and Flower, AIChE
// Journal 24, 1978): heat surplus of each interval between shifted temperatures,
// passed on downwards; the largest deficit is the hot utility.
func Cascade(streams []Stream) (Targets, error) {
	if len(streams) == 0 {
		return Targets{}, errors.New("heat cascade: no streams")
	}
	type edge struct {
		t, slope, jump float64
		stream         int
	}
	edges := make([]edge, 0, 2*len(streams))
	var hot, cold float64
	for i := range streams {
		s := &streams[i]
		up, low := s.shifted()
		sign := -1.0
		if s.Hot {
			sign = 1
			hot += s.Q
		} else {
			cold += s.Q
		}
		if up-low < 1e-9 {
			edges = append(edges, edge{t: up, jump: sign * s.Q, stream: i})
			continue
		}
		cp := sign * s.Q / (up - low)
		edges = append(edges, edge{t: up, slope: cp, stream: i}, edge{t: low, stream: i})
	}
	slices.SortStableFunc(edges, func(a, b edge) int {
		switch {
		case a.t > b.t:
			return -1
		case a.t < b.t:
			return 1
		}
		return 0
	})
	var out Targets
	flow, least := 0.0, 0.0
	// The slope of an interval is summed over its streams anew: to add and subtract
	// would leave the rounding of a steep stream in all that lies below it.
	active := make([]float64, len(streams))
	slope := func() (sum float64) {
		for _, x := range active {
			sum += x
		}
		return sum
	}
	curve := make([]Level, 0, len(edges)+4)
	at := edges[0].t
	put := func() {
		curve = append(curve, Level{at, flow})
		least = min(least, flow)
	}
	put()
	for i := 0; i < len(edges); {
		if t := edges[i].t; t < at {
			flow += slope() * (at - t)
			at = t
			put()
		}
		// At one temperature the heat given off serves what is taken there.
		jump := 0.0
		for ; i < len(edges) && edges[i].t == at; i++ {
			active[edges[i].stream] = edges[i].slope
			jump += edges[i].jump
		}
		if jump != 0 {
			flow += jump
			put()
		}
	}
	out.HotUtilityKW = -least
	out.ColdUtilityKW = flow - least
	out.RecoveryKW = cold - out.HotUtilityKW
	eps := 1e-9 * (hot + cold + 1)
	for i := range curve {
		curve[i].KW -= least
		if curve[i].KW < eps {
			curve[i].KW = 0
		}
	}
	out.GrandComposite = curve
	if out.HotUtilityKW < eps {
		out.HotUtilityKW = 0
	}
	if out.ColdUtilityKW < eps {
		out.ColdUtilityKW = 0
	}
	switch {
	case out.HotUtilityKW == 0:
		out.Threshold = "threshold-no-hot"
	case out.ColdUtilityKW == 0:
		out.Threshold = "threshold-no-cold"
	}
	if out.Threshold == "" {
		for _, l := range curve {
			if l.KW == 0 && (len(out.Pinches) == 0 || out.Pinches[len(out.Pinches)-1] != l.TShifted) {
				out.Pinches = append(out.Pinches, l.TShifted)
			}
		}
	}
	return out, nil
}
