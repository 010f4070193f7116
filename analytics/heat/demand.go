package heat

import (
	"math"
	"slices"
	"time"
)

// NeedFigures are what an engineer asks about a need for heat.
type NeedFigures struct {
	MWh, MaxKW, P50KW float64
	Hours             float64 // with a need above 5 % of its greatest
	TargetC, SupplyC  float64 // heat-weighted means
	HighestTargetC    float64
	// Heating is the line of daily means against the cold, where there is one.
	Heating *HeatingLine
	// Night is the mean at night and on week-ends over that of working hours.
	Night    float64
	Fuel     string  // what it burns today
	FuelMWh  float64 // gross calorific value, in the grid's time
	Coverage float64
}

// HeatingLine is daily heat against daily outdoor temperature: a base that does
// not depend on it, and a slope below the heating limit.
type HeatingLine struct {
	BaseKW, SlopeKWPerK, LimitC, R2 float64
	// Curve is the flow temperature asked for, degC, and its slope against the
	// outdoor temperature (K/K), where the target varies with it.
	TargetAtZeroC, TargetSlope float64
}

// Figures sums a need up; weather is the channel of outdoor temperature.
func (n *Need) Figures(g *Grid, weather string) NeedFigures {
	f := NeedFigures{MWh: n.MWh, MaxKW: n.MaxKW, Fuel: n.Demand.Fuel, Coverage: n.Coverage, HighestTargetC: math.Inf(-1)}
	if f.Fuel == "" {
		f.Fuel = "natural_gas"
	}
	f.FuelMWh = n.MWh / n.Demand.Efficiency()
	var kw []float64
	weight, night, day, nights, days := 0.0, 0.0, 0.0, 0, 0
	for i, q := range n.KW {
		if math.IsNaN(q) {
			continue
		}
		kw = append(kw, q)
		if q > 0.05*n.MaxKW {
			f.Hours += g.hours()
		}
		t := g.At(i)
		if w := t.Weekday(); w == time.Saturday || w == time.Sunday || t.Hour() < 5 || t.Hour() >= 21 {
			night += q
			nights++
		} else {
			day += q
			days++
		}
		if q > 0 && !math.IsNaN(n.TargetC[i]+n.SupplyC[i]) {
			weight += q
			f.TargetC += q * n.TargetC[i]
			f.SupplyC += q * n.SupplyC[i]
			f.HighestTargetC = max(f.HighestTargetC, n.TargetC[i])
		}
	}
	if weight > 0 {
		f.TargetC /= weight
		f.SupplyC /= weight
	}
	if day > 0 && nights > 0 {
		f.Night = night / float64(nights) / (day / float64(days))
	}
	if len(kw) > 0 {
		slices.Sort(kw)
		f.P50KW = quantile(kw, 0.5)
	}
	if out := g.Channels[weather]; out != nil {
		f.Heating = heatingLine(g, n, out)
	}
	return f
}

// Efficiency is useful heat for each unit of gross calorific value burnt today.
func (d *Demand) Efficiency() float64 {
	if d.EfficiencyPCS > 0 {
		return d.EfficiencyPCS
	}
	return 0.81 // a boiler of 0.90 on the net value, natural gas
}

// heatingLine fits base + slope max(limit - T, 0) to daily means, the limit by
// trial from 8 to 22 degC in half degrees; nil where the cold explains less than
// half of the variance.
func heatingLine(g *Grid, n *Need, outdoor []float64) *HeatingLine {
	perDay := max(1, int(24*time.Hour/g.Step))
	var t, q, target []float64
	for d := 0; (d+1)*perDay <= g.Steps; d++ {
		a, b := d*perDay, (d+1)*perDay
		x, y := knownMean(outdoor[a:b]), knownMean(n.KW[a:b])
		if !math.IsNaN(x + y) {
			t, q, target = append(t, x), append(q, y), append(target, knownMean(n.TargetC[a:b]))
		}
	}
	if len(t) < 20 {
		return nil
	}
	var best *HeatingLine
	x := make([]float64, len(t))
	for limit := 8.0; limit <= 22; limit += 0.5 {
		for i := range t {
			x[i] = max(0, limit-t[i])
		}
		base, slope, r2 := fit(x, q)
		if slope > 0 && base > -0.05*n.MaxKW && (best == nil || r2 > best.R2) {
			best = &HeatingLine{BaseKW: max(0, base), SlopeKWPerK: slope, LimitC: limit, R2: r2}
		}
	}
	if best == nil || best.R2 < 0.5 {
		return nil
	}
	if at, slope, r2 := fit(t, target); r2 > 0.5 {
		best.TargetAtZeroC, best.TargetSlope = at, slope
	}
	return best
}

func knownMean(x []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range x {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if 2*n < len(x) {
		return math.NaN()
	}
	return sum / float64(n)
}

// fit is least squares of y = a + b x, with the share of variance explained.
func fit(x, y []float64) (a, b, r2 float64) {
	n := float64(len(x))
	var sx, sy, sxx, sxy, syy float64
	for i := range x {
		sx += x[i]
		sy += y[i]
		sxx += float64(x[i] * x[i])
		sxy += float64(x[i] * y[i])
		syy += float64(y[i] * y[i])
	}
	vx, vy, c := sxx-sx*sx/n, syy-sy*sy/n, sxy-sx*sy/n
	if vx <= 1e-9*(1+sxx) || vy <= 1e-9*(1+syy) {
		return sy / n, 0, 0
	}
	b = c / vx
	return (sy - b*sx) / n, b, c * c / (vx * vy)
}
