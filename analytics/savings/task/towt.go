package task

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
)

// The numbers of LBNL's model of time of week and temperature, for days.
const (
	towtPrefix    = "temperature " // of the names of its columns
	towtSegments  = 6              // of equal count of days
	towtOccupied  = 0.65           // share of days above the regression on temperature
	towtColdestC  = 10.0           // 50 and 65 degF: the bends of that regression
	towtWarmestC  = (65.0 - 32) / 1.8
	towtFewestDay = 200
)

// towtDays adds to frames of days the columns of the model of time of week and
// temperature (Mathieu et al. 2011): the temperature in segments, one set for the days
// of the week that usually use more than the temperature lets expect, one for the
// others. It returns the names of the columns; nil when there are too few days.
func towtDays(base, rep *baseline.Frame) []string {
	if base.Temperature == nil {
		return nil
	}
	rows := knownDays(base)
	if len(rows) < towtFewestDay {
		return nil
	}
	occupied, ok := occupiedDays(base, rows)
	if !ok {
		return nil
	}
	var t []float64
	for _, i := range rows {
		t = append(t, base.Temperature[i])
	}
	slices.Sort(t)
	var knots []float64
	for k := 1; k < towtSegments; k++ {
		knots = append(knots, t[len(t)*k/towtSegments])
	}
	knots = slices.Compact(knots)
	var names []string
	for _, busy := range []bool{true, false} {
		days := 0
		for _, i := range rows {
			if occupied[base.Start[i].Weekday()] == busy {
				days++
			}
		}
		if days == 0 {
			continue
		}
		for k := range len(knots) + 1 {
			name := fmt.Sprintf(towtPrefix+"%d, %s", k+1, map[bool]string{true: "occupied", false: "unoccupied"}[busy])
			names = append(names, name)
			for _, f := range []*baseline.Frame{base, rep} {
				if f == nil || f.Temperature == nil {
					continue
				}
				x := make([]float64, f.Len())
				for i, at := range f.Start {
					if math.IsNaN(f.Temperature[i]) {
						x[i] = math.NaN()
					} else if occupied[at.Weekday()] == busy {
						x[i] = segment(f.Temperature[i], knots, k)
					}
				}
				drivers := maps.Clone(f.Drivers)
				if drivers == nil {
					drivers = map[string][]float64{}
				}
				drivers[name] = x
				f.Drivers = drivers
			}
		}
	}
	return names
}

func knownDays(f *baseline.Frame) []int {
	var rows []int
	for i := range f.Start {
		if !math.IsNaN(f.Energy[i]) && !math.IsNaN(f.Temperature[i]) {
			rows = append(rows, i)
		}
	}
	return rows
}

// segment is the part of a temperature that lies in segment k between knots.
func segment(t float64, knots []float64, k int) float64 {
	if k == 0 {
		return min(t, knots[0])
	}
	x := max(t-knots[k-1], 0)
	if k < len(knots) {
		x = min(x, knots[k]-knots[k-1])
	}
	return x
}

// occupiedDays says of each day of the week whether most of its days use more than a
// regression on cold and warmth lets expect.
func occupiedDays(f *baseline.Frame, rows []int) (map[time.Weekday]bool, bool) {
	g := &baseline.Frame{Step: f.Step, Start: f.Start, Energy: f.Energy, Drivers: map[string][]float64{"cold": nil, "warm": nil}}
	for _, t := range f.Temperature {
		g.Drivers["cold"] = append(g.Drivers["cold"], math.Max(towtColdestC-t, 0))
		g.Drivers["warm"] = append(g.Drivers["warm"], math.Max(t-towtWarmestC, 0))
	}
	var use []string
	for _, n := range []string{"cold", "warm"} {
		if slices.ContainsFunc(rows, func(i int) bool { return g.Drivers[n][i] > 0 }) {
			use = append(use, n)
		}
	}
	fit, err := baseline.Linear(g, baseline.Spec{Shape: baseline.Mean, Drivers: use})
	if err != nil {
		return nil, false
	}
	y, err := fit.Predict(g)
	if err != nil {
		return nil, false
	}
	above, all := map[time.Weekday]float64{}, map[time.Weekday]float64{}
	for _, i := range rows {
		day := f.Start[i].Weekday()
		all[day]++
		if f.Energy[i] > y[i] {
			above[day]++
		}
	}
	out := map[time.Weekday]bool{}
	for day, n := range all {
		out[day] = above[day] > towtOccupied*n
	}
	return out, true
}

// anySigns are the shapes with change points whose slopes may have any sign, least
// squares and nothing else, and 5P with a middle that may slope: they are in the
// record, and do not take part.
func anySigns(f *baseline.Frame) []named {
	var out []named
	if f.Temperature == nil {
		return nil
	}
	for _, s := range []baseline.Shape{baseline.ThreePHeat, baseline.ThreePCool, baseline.FourP, baseline.FiveP, baseline.SixP} {
		if fit, err := baseline.Linear(f, baseline.Spec{Shape: s, AnySign: true}); err == nil {
			out = append(out, named{string(s), fit})
		}
	}
	return out
}
