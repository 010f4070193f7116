package baseline

import (
	"fmt"
	"slices"
)

// The grid and the limits of CalTRACK 2.0, sections 3.2 and 3.4.
const (
	gridFromF     = 30 // degF
	gridToF       = 90
	minNonZero    = 10 // degree-days above zero, daily method
	minDegreeDays = 20 // degF day, in all
)

// CalTRACK are the options of the daily and the billing method.
type CalTRACK struct {
	// HeatingOnly leaves cooling out: for gas and heat.
	HeatingOnly bool
	// KeepAll keeps every model of the grid in the record, not the best of each
	// family only.
	KeepAll bool
}

// Names of the CalTRACK methods.
const (
	ModelCalTRACKDaily   = "CalTRACK 2.0 daily"
	ModelCalTRACKBilling = "CalTRACK 2.0 billing"
	ModelCalTRACKHourly  = "CalTRACK 2.0 hourly"
)

// CalTRACKDaily fits energy per day to heating and cooling degree-days. Balance
// points are searched from 30 to 90 degF by 1; of the models whose coefficients
// are not negative, the one with the greatest adjusted R² is taken. Sums are
// kept by order of temperature, so that each of the 2,014 models takes a few
// operations.
func CalTRACKDaily(frame *Frame, o CalTRACK) (*Fit, error) {
	if frame.Step != Day {
		return nil, fmt.Errorf("%s: intervals are of a %s, not of a day", ModelCalTRACKDaily, frame.Step)
	}
	return calTRACK(frame, Spec{Shape: FiveP}, o, ModelCalTRACKDaily)
}

// CalTRACKBilling is the same on energy per day of longer intervals, weighted
// with their days; degree-days are averaged over the days of frame.Daily.
func CalTRACKBilling(frame *Frame, o CalTRACK) (*Fit, error) {
	if frame.Step == Hour || frame.Step == Day || len(frame.Daily) == 0 {
		return nil, fmt.Errorf("%s: it takes intervals longer than a day, with the temperatures of their days", ModelCalTRACKBilling)
	}
	return calTRACK(frame, Spec{Shape: FiveP, PerDay: true}, o, ModelCalTRACKBilling)
}

// grid holds the moments of the degree-day columns at every balance point.
type grid struct {
	weight      float64                // sum of the weights
	mean, sst   float64                // of the energy per day
	heat, cool  []column               // by degF from gridFromF
	cross       func(h, c int) float64 // Σ w x z of a heating and a cooling column
	minNonZero  int
	heatingOnly bool
}

// column are the moments of one degree-day column with the centred energy.
type column struct {
	total  float64 // Σ w x
	xx, xy float64 // centred
	tooFew bool
	x      []float64 // rows of several days only
}

func balanceC(i int) float64 { return Fahrenheit(float64(gridFromF + i)) }

func calTRACK(frame *Frame, spec Spec, o CalTRACK, model string) (*Fit, error) {
	if err := frame.check(true); err != nil {
		return nil, err
	}
	d, err := newDesign(&spec, frame)
	if err != nil {
		return nil, err
	}
	rows, y, w := d.usable()
	if len(rows) < 4 {
		return nil, fmt.Errorf("%s: %d rows are known: too few", model, len(rows))
	}
	g := newGrid(d, rows, y, w)
	g.heatingOnly = o.HeatingOnly
	best, all := g.search(len(rows))
	if best < 0 {
		return nil, fmt.Errorf("%s: no model has an intercept and slopes that are not negative", model)
	}
	chosen := all[best]
	final := Spec{Shape: Shape(chosen.Model), PerDay: spec.PerDay}
	points := final.changePoints()
	for k := range points {
		points[k].C = chosen.HeatC
		if points[k].Name == CoolBalance {
			points[k].C = chosen.CoolC
		}
	}
	d.spec = &final
	f, err := d.solve(rows, y, w, model, points)
	if err != nil {
		return nil, err
	}
	// this method's adjusted R² does not count the balance points
	k := len(f.Terms)
	f.R2Adj = number(1 - (1-f.R2)*float64(f.N-1)/float64(f.N-k))
	f.Tried = len(all)
	f.Candidates = record(all, best, o.KeepAll)
	return f, nil
}

func newGrid(d *design, rows []int, y, w []float64) *grid {
	g := &grid{minNonZero: minNonZero}
	if d.spec.PerDay {
		g.minNonZero = 0
	}
	n := len(rows)
	for i, v := range y {
		wi := weightOf(w, i)
		g.weight += wi
		g.mean += float64(wi * v)
	}
	g.mean /= g.weight
	centred := make([]float64, n)
	for i, v := range y {
		centred[i] = v - g.mean
		g.sst += float64(weightOf(w, i) * float64(centred[i]*centred[i]))
	}
	points := gridToF - gridFromF + 1
	g.heat, g.cool = make([]column, points), make([]column, points)
	if len(d.frame.Daily) > 0 {
		for i := range points {
			g.heat[i] = g.direct(d, rows, centred, w, balanceC(i), -1)
			g.cool[i] = g.direct(d, rows, centred, w, balanceC(i), 1)
		}
		g.cross = func(h, c int) float64 {
			s := 0.0
			for i, v := range g.heat[h].x {
				s += float64(weightOf(w, i) * float64(v*g.cool[c].x[i]))
			}
			return s
		}
		return g
	}
	g.cross = func(h, c int) float64 { return 0 } // no day is below h and above c
	g.sorted(d, rows, centred)
	return g
}

func weightOf(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}

// sorted fills the columns from sums in order of temperature.
func (g *grid) sorted(d *design, rows []int, y []float64) {
	type day struct{ t, y float64 }
	n := len(rows)
	days := make([]day, n)
	centre := 0.0
	for k, i := range rows {
		days[k] = day{d.frame.Temperature[i], y[k]}
		centre += days[k].t
	}
	centre /= float64(n)
	slices.SortFunc(days, func(a, b day) int {
		switch {
		case a.t < b.t:
			return -1
		case a.t > b.t:
			return 1
		}
		return 0
	})
	type moments struct{ t, tt, y, ty float64 }
	sums := make([]moments, n+1)
	for k, v := range days {
		t := v.t - centre
		s := sums[k]
		sums[k+1] = moments{s.t + t, s.tt + float64(t*t), s.y + v.y, s.ty + float64(t*v.y)}
	}
	last := sums[n]
	for i := range g.heat {
		b := balanceC(i)
		k, _ := slices.BinarySearchFunc(days, b, func(a day, b float64) int { // days below b
			if a.t < b {
				return -1
			}
			return 1
		})
		above := k
		for above < n && days[above].t <= b {
			above++
		}
		c := b - centre
		s, m := sums[k], float64(k)
		g.heat[i] = g.column(k, float64(c*m)-s.t, float64(float64(c*c)*m)-float64(2*c*s.t)+s.tt, float64(c*s.y)-s.ty)
		s = moments{last.t - sums[above].t, last.tt - sums[above].tt, last.y - sums[above].y, last.ty - sums[above].ty}
		m = float64(n - above)
		g.cool[i] = g.column(n-above, s.t-float64(c*m), s.tt-float64(2*c*s.t)+float64(float64(c*c)*m), s.ty-float64(c*s.y))
	}
}

func (g *grid) column(nonZero int, total, xx, xy float64) column {
	return column{
		total: total, xx: xx - float64(total*total)/g.weight, xy: xy,
		tooFew: nonZero < g.minNonZero || total*9/5 < minDegreeDays,
	}
}

// direct makes the moments of a column of rows of several days.
func (g *grid) direct(d *design, rows []int, y, w []float64, c, sign float64) column {
	x := make([]float64, len(rows))
	var nonZero int
	var total, xx, xy float64
	for k, i := range rows {
		x[k], _ = d.degrees(i, c, sign)
		if x[k] > 0 {
			nonZero++
		}
		wx := float64(weightOf(w, k) * x[k])
		total += wx
		xx += float64(wx * x[k])
		xy += float64(wx * y[k])
	}
	out := g.column(nonZero, total, xx, xy)
	out.x = x
	return out
}

// Why a model of the grid lost.
const (
	whyFewDegrees = "too few degree-days"
	whyNegative   = "a coefficient is negative"
	whyR2Adj      = "its adjusted R² is lower"
)

// search tries every model and gives the index of the best, -1 for none.
func (g *grid) search(n int) (best int, all []Candidate) {
	all = make([]Candidate, 0, 2+2*len(g.heat)+len(g.heat)*(len(g.heat)+1)/2)
	best = -1
	take := func(shape Shape, h, c, slopes int, sse float64, why string) {
		cand := Candidate{Model: string(shape), SSE: sse, P: 2*slopes + 1, Why: why}
		if h >= 0 {
			cand.HeatC = balanceC(h)
		}
		if c >= 0 {
			cand.CoolC = balanceC(c)
		}
		if why == "" {
			if slopes > 0 && g.sst > 0 {
				cand.R2Adj = 1 - (sse/float64(n-slopes-1))/(g.sst/float64(n-1))
			}
			cand.Criterion = -cand.R2Adj
			if best < 0 || cand.R2Adj > all[best].R2Adj {
				best = len(all)
			}
		}
		all = append(all, cand)
	}
	why := ""
	if g.mean < 0 {
		why = whyNegative
	}
	take(Mean, -1, -1, 0, g.sst, why)
	single := func(shape Shape, columns []column) {
		for i := range columns {
			x := &columns[i]
			h, c := i, -1
			if shape == ThreePCool {
				h, c = -1, i
			}
			if x.tooFew || x.xx <= 0 {
				take(shape, h, c, 1, g.sst, whyFewDegrees)
				continue
			}
			b := x.xy / x.xx
			why := ""
			if b < 0 || g.mean-float64(b*x.total)/g.weight < 0 {
				why = whyNegative
			}
			take(shape, h, c, 1, g.sst-float64(b*x.xy), why)
		}
	}
	single(ThreePHeat, g.heat)
	if g.heatingOnly {
		return best, all
	}
	single(ThreePCool, g.cool)
	for c := range g.cool {
		for h := 0; h <= c; h++ {
			sse, why := g.both(&g.heat[h], &g.cool[c], h, c)
			take(FiveP, h, c, 2, sse, why)
		}
	}
	return best, all
}

// both fits one heating and one cooling column.
func (g *grid) both(x, z *column, h, c int) (sse float64, why string) {
	if x.tooFew || z.tooFew {
		return g.sst, whyFewDegrees
	}
	cross := g.cross(h, c) - float64(x.total*z.total)/g.weight
	det := float64(x.xx*z.xx) - float64(cross*cross)
	if det <= rounding*float64(x.xx*z.xx) {
		return g.sst, whyFewDegrees
	}
	bx := (float64(x.xy*z.xx) - float64(z.xy*cross)) / det
	bz := (float64(z.xy*x.xx) - float64(x.xy*cross)) / det
	if bx < 0 || bz < 0 || g.mean-(float64(bx*x.total)+float64(bz*z.total))/g.weight < 0 {
		why = whyNegative
	}
	return g.sst - float64(bx*x.xy) - float64(bz*z.xy), why
}

// record puts the chosen model first and then, unless everything is kept, the
// best of each other family.
func record(all []Candidate, best int, everything bool) []Candidate {
	chosen := all[best]
	out := []Candidate{chosen}
	lost := func(c Candidate) Candidate {
		if c.Why == "" {
			c.Why = whyR2Adj
		}
		return c
	}
	if everything {
		for i, c := range all {
			if i != best {
				out = append(out, lost(c))
			}
		}
		return out
	}
	for _, shape := range Shapes {
		if string(shape) == chosen.Model {
			continue
		}
		at := -1
		for i, c := range all {
			if c.Model != string(shape) {
				continue
			}
			if at < 0 || all[at].Why != "" && c.Why == "" || (all[at].Why == "") == (c.Why == "") && c.SSE < all[at].SSE {
				at = i
			}
		}
		if at >= 0 {
			out = append(out, lost(all[at]))
		}
	}
	return out
}
