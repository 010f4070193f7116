package pinch

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Utility is a level at which heat is bought, rejected, or passed from one zone
// to another.
type Utility struct {
	Name string
	// Give says that zones may take heat from it, Take that they may give heat to
	// it; both make it a level by which zones exchange heat.
	Give, Take bool
	Low, High  float64 // degC; equal for an isothermal level (steam)
	DTC        float64 // the utility's own contribution to the approach, K
}

// ZoneTargets are one zone's targets on its own, and the levels that serve it.
type ZoneTargets struct {
	Name string
	Targets
	Use      map[string]float64 // kW by utility: heat taken from it
	Generate map[string]float64 // kW by utility: heat given to it
	// Unserved is heat that no declared utility is hot enough for, kW; Unremoved
	// what none is cold enough for.
	Unserved, Unremoved float64
	Sink, Source        []Level // what a utility must bring or may take, pockets closed
}

// SiteTargets are those of zones together.
type SiteTargets struct {
	Zones                            []ZoneTargets
	SeparateHotKW, SeparateColdKW    float64 // each zone on its own
	DirectHotKW, DirectColdKW        float64 // all streams as one process: a bound
	ViaLevelsHotKW, ViaLevelsColdKW  float64 // heat passes between zones by levels only
	RecoveredByLevelsKW              float64
	Direct                           Targets
	UtilitiesUse, UtilitiesGenerated map[string]float64
}

// Site computes targets zone by zone and for the site. Each zone generates the
// hottest levels that it can below its pinch and uses the coldest that it can
// above (its grand composite curve with pockets closed); what levels receive may
// serve uses at the same or at colder levels. utilities may be empty: then only
// the separate and the direct targets are meant.
func Site(streams []Stream, utilities []Utility) (SiteTargets, error) {
	for _, u := range utilities {
		if math.IsNaN(u.Low) || u.Low < -273.15 || u.High > 5000 || !(u.DTC >= 0) || u.Low > u.High {
			return SiteTargets{}, fmt.Errorf("utility %q: impossible temperatures %v to %v degC, contribution %v K", u.Name, u.Low, u.High, u.DTC)
		}
	}
	var names []string
	byZone := map[string][]Stream{}
	for _, s := range streams {
		if _, ok := byZone[s.Zone]; !ok {
			names = append(names, s.Zone)
		}
		byZone[s.Zone] = append(byZone[s.Zone], s)
	}
	out := SiteTargets{UtilitiesUse: map[string]float64{}, UtilitiesGenerated: map[string]float64{}}
	var err error
	if out.Direct, err = Cascade(streams); err != nil {
		return out, err
	}
	out.DirectHotKW, out.DirectColdKW = out.Direct.HotUtilityKW, out.Direct.ColdUtilityKW
	for _, n := range names {
		z := ZoneTargets{Name: n}
		if z.Targets, err = Cascade(byZone[n]); err != nil {
			return out, fmt.Errorf("zone %q: %w", n, err)
		}
		z.Sink, z.Source = sinkProfile(z.GrandComposite), sourceProfile(z.GrandComposite)
		if len(utilities) > 0 {
			z.assign(utilities)
		}
		out.SeparateHotKW += z.HotUtilityKW
		out.SeparateColdKW += z.ColdUtilityKW
		out.Zones = append(out.Zones, z)
	}
	out.levels(utilities)
	return out, nil
}

// levels balances the utilities of all zones against each other.
func (t *SiteTargets) levels(utilities []Utility) {
	var cascade []Stream
	var outside, rejected float64
	for _, u := range utilities {
		for _, z := range t.Zones {
			t.UtilitiesUse[u.Name] += z.Use[u.Name]
			t.UtilitiesGenerated[u.Name] += z.Generate[u.Name]
		}
		if q := t.UtilitiesUse[u.Name]; q > 0 {
			cascade = append(cascade, Stream{Name: u.Name, TS: u.Low, TT: u.High, Q: q})
		}
		switch q := t.UtilitiesGenerated[u.Name]; {
		case q > 0 && u.Give:
			cascade = append(cascade, Stream{Name: u.Name, TS: u.High, TT: u.Low, Q: q, Hot: true})
		case q > 0:
			rejected += q // cooling water takes heat and gives none
		}
	}
	for _, z := range t.Zones {
		outside += z.Unserved
		rejected += z.Unremoved
	}
	var balance Targets
	if len(cascade) > 0 {
		balance, _ = Cascade(cascade) // never empty here
	}
	t.ViaLevelsHotKW = balance.HotUtilityKW + outside
	t.ViaLevelsColdKW = balance.ColdUtilityKW + rejected
	t.RecoveredByLevelsKW = balance.RecoveryKW
}

// assign serves a zone: the coldest level that can heat it first, the hottest
// that it can generate first.
func (z *ZoneTargets) assign(utilities []Utility) {
	z.Use, z.Unserved = allocate(z.Sink, utilities, func(u Utility) (low, high float64, ok bool) {
		return u.Low - u.DTC, u.High - u.DTC, u.Give
	})
	// Seen upside down, cooling is heating.
	mirrored := make([]Level, 0, len(z.Source))
	for _, l := range slices.Backward(z.Source) {
		mirrored = append(mirrored, Level{-l.TShifted, l.KW})
	}
	z.Generate, z.Unremoved = allocate(mirrored, utilities, func(u Utility) (low, high float64, ok bool) {
		return -(u.High + u.DTC), -(u.Low + u.DTC), u.Take
	})
}

// allocate shares a need among utilities, the coldest first, each as much as
// temperatures allow. need is the heat wanted below each temperature, hottest
// first.
func allocate(need []Level, utilities []Utility, of func(Utility) (low, high float64, ok bool)) (map[string]float64, float64) {
	type served struct {
		name         string
		low, high, q float64
	}
	var order []served
	at := make([]float64, 0, len(need)+2*len(utilities))
	for _, u := range utilities {
		if low, high, ok := of(u); ok {
			order = append(order, served{u.Name, low, high, 0})
			at = append(at, low, high)
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return order[i].low+order[i].high < order[j].low+order[j].high })
	for _, l := range need {
		at = append(at, l.TShifted)
	}
	// below is the share of a utility's heat that it gives below t, seen from just
	// above or just under t.
	below := func(s served, t float64, above bool) float64 {
		if s.high-s.low < 1e-9 {
			if t > s.low || t == s.low && above {
				return 1
			}
			return 0
		}
		return min(max((t-s.low)/(s.high-s.low), 0), 1)
	}
	total := need[0].KW
	left := total
	out := map[string]float64{}
	for i := range order {
		q := left
		for _, t := range at {
			for _, above := range [...]bool{false, true} {
				share := below(order[i], t, above)
				if share <= 1e-12 {
					continue
				}
				free := valueAt(need, t, above)
				for _, s := range order[:i] {
					free -= s.q * below(s, t, above)
				}
				q = min(q, free/share)
			}
		}
		if q > 1e-9*(total+1) {
			order[i].q = q
			out[order[i].name] += q
			left -= q
		}
	}
	if left < 1e-9*(total+1) {
		left = 0
	}
	return out, left
}

// valueAt reads a profile (hottest first) at t, just above or just under it.
func valueAt(p []Level, t float64, above bool) float64 {
	last := len(p) - 1
	switch {
	case t > p[0].TShifted, t == p[0].TShifted && above:
		return p[0].KW
	case t < p[last].TShifted, t == p[last].TShifted && !above:
		return p[last].KW
	}
	for i := 1; i <= last; i++ {
		a, b := p[i-1], p[i]
		switch {
		case above && t == a.TShifted, !above && t == a.TShifted && b.TShifted < t:
			return a.KW
		case above && t == b.TShifted && a.TShifted > t:
			return b.KW
		case t < a.TShifted && t > b.TShifted:
			return b.KW + float64((a.KW-b.KW)*((t-b.TShifted)/(a.TShifted-b.TShifted)))
		}
	}
	return p[last].KW
}

// sinkProfile is the heat that utilities must bring below each shifted
// temperature when they bring it as cold as possible: the least net flow of the
// grand composite curve at or above it.
func sinkProfile(curve []Level) []Level { return runningMin(curve) }

// sourceProfile is the heat that utilities may take above each shifted
// temperature: the least net flow at or below it.
func sourceProfile(curve []Level) []Level {
	back := make([]Level, 0, len(curve))
	for _, l := range slices.Backward(curve) {
		back = append(back, l)
	}
	out := runningMin(back)
	slices.Reverse(out)
	return out
}

// runningMin follows a polyline and stays level wherever it rises above what was
// reached before: pockets are closed.
func runningMin(curve []Level) []Level {
	out := []Level{curve[0]}
	least := curve[0].KW
	for i := 1; i < len(curve); i++ {
		a, b := curve[i-1], curve[i]
		if b.KW < least {
			if a.KW > least { // the pocket ends inside this segment
				t := a.TShifted + (b.TShifted-a.TShifted)*(a.KW-least)/(a.KW-b.KW)
				out = append(out, Level{t, least})
			}
			least = b.KW
		}
		out = append(out, Level{b.TShifted, least})
	}
	return out
}

// SiteProfiles adds the zones' needs for cooling and heating into the total site
// source and sink profiles, on the shifted scale, hottest first.
func SiteProfiles(zones []ZoneTargets) (source, sink []Level) {
	sum := func(of func(ZoneTargets) []Level) []Level {
		var at []float64
		for _, z := range zones {
			for _, l := range of(z) {
				at = append(at, l.TShifted)
			}
		}
		slices.Sort(at)
		at = slices.Compact(at)
		slices.Reverse(at)
		var out []Level
		for _, t := range at {
			for _, above := range [...]bool{true, false} {
				l := Level{TShifted: t}
				for _, z := range zones {
					l.KW += valueAt(of(z), t, above)
				}
				if len(out) == 0 || out[len(out)-1] != l {
					out = append(out, l)
				}
			}
		}
		return out
	}
	return sum(func(z ZoneTargets) []Level { return z.Source }), sum(func(z ZoneTargets) []Level { return z.Sink })
}
