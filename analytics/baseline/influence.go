package baseline

import (
	"fmt"
	"math"
)

// Influence says how much the sum of the predictions of a frame moves when the
// energy of a row of the baseline moves by one: S = Σ a_i y_i (for given change
// points, end points and occupancy; for searched change points to first order).
// It serves the uncertainty of a sum for scatter of any covariance Ω, since
//
//	Var(S) = aᵀ Ω a
//
// which is gᵀ C g with the sandwich C = (JᵀJ)⁻¹JᵀΩJ(JᵀJ)⁻¹ and g the sum of the
// derivatives, and takes n operations for a first-order autoregressive Ω. The
// baseline must be the frame of the fit. Rows that the fit did not use have
// zero; rows of the other frame whose variables are not known are left out.
func (f *Fit) Influence(base, frame *Frame) ([]float64, error) {
	of, err := f.Influencer(base)
	if err != nil {
		return nil, err
	}
	return of(frame)
}

// Influencer is [Fit.Influence] on many frames of one baseline: what they share is
// made once.
func (f *Fit) Influencer(base *Frame) (func(frame *Frame) ([]float64, error), error) {
	if err := base.check(true); err != nil {
		return nil, err
	}
	if f.Hourly != nil {
		return f.hourlyInfluencer(base)
	}
	used, columns, moves, err := f.levers(base)
	if err != nil {
		return nil, err
	}
	return func(frame *Frame) ([]float64, error) {
		rows, err := f.Jacobian(frame)
		if err != nil {
			return nil, err
		}
		g := make([]float64, len(f.Parameters()))
		for _, r := range rows {
			if !math.IsNaN(dot(r, r)) {
				for j, v := range r {
					g[j] += v
				}
			}
		}
		h := make([]float64, len(g)) // (JᵀWJ)⁻¹ g
		for j := range h {
			h[j] = dot(f.Inverse[j], g)
		}
		a := make([]float64, base.Len())
		for k, i := range used {
			s := 0.0
			for j := range columns {
				s += float64(columns[j][i] * h[j])
			}
			a[i] = moves(k, s)
		}
		return a, nil
	}, nil
}

// ParameterInfluence says how much each parameter, in the order of [Fit.Parameters],
// moves when the energy of a row of the baseline moves by one: the rows of
// (JᵀWJ)⁻¹JᵀW. Rows that the fit did not use have zero.
func (f *Fit) ParameterInfluence(base *Frame) ([][]float64, error) {
	used, columns, moves, err := f.levers(base)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(f.Inverse))
	for k := range out {
		out[k] = make([]float64, base.Len())
		for n, i := range used {
			s := 0.0
			for j := range columns {
				s += float64(f.Inverse[k][j] * columns[j][i])
			}
			out[k][i] = moves(n, s)
		}
	}
	return out, nil
}

// levers are the rows of the baseline that the fit used and the columns of the
// derivatives; moves gives the n-th of these rows the weight of its energy.
func (f *Fit) levers(base *Frame) (used []int, columns [][]float64, moves func(n int, s float64) float64, err error) {
	if f.Inverse == nil {
		return nil, nil, nil, fmt.Errorf("%s has no inverse of its columns: what moves it is not known", f.Model)
	}
	d, err := newDesign(&f.Spec, base)
	if err != nil {
		return nil, nil, nil, err
	}
	used, _, w := d.usable()
	if len(used) != f.N {
		return nil, nil, nil, fmt.Errorf("%s was made from %d rows: the given baseline has %d", f.Model, f.N, len(used))
	}
	return used, d.jacobian(f), func(n int, s float64) float64 {
		s *= weightOf(w, n)
		if f.Spec.PerDay {
			s /= base.days(used[n]) // the fit is of energy per day
		}
		return s
	}, nil
}

// classOfHours is one class of one segment, ready to say what moves it.
type classOfHours struct {
	class
	segment  int
	ends     []float64
	busy     []bool
	occupied bool
	rows     []int
	w        []float64
	inverse  [][]float64
}

func (f *Fit) hourlyInfluencer(base *Frame) (func(frame *Frame) ([]float64, error), error) {
	h := f.Hourly
	p := &hourProblem{options: HourlyOptions{Drivers: h.Drivers, HolidaysAsSunday: h.HolidaysAsSunday, TimeScaleDays: h.TimeScaleDays, Single: !h.ByMonth}, model: f.Model}
	if err := p.prepare(base); err != nil {
		return nil, err
	}
	var classes []*classOfHours
	for k := range h.Segments {
		s := &h.Segments[k]
		rows, w := p.members(h.weight(k, p))
		busy := s.occupancy()
		for _, occupied := range []bool{true, false} {
			c := &classOfHours{segment: k, busy: busy, occupied: occupied, ends: s.Idle.EndsC}
			if occupied {
				c.ends = s.Warm.EndsC
			}
			for n, i := range rows {
				if c.in(p.clocks[i].how) {
					c.rows, c.w = append(c.rows, i), append(c.w, w[n])
				}
			}
			p.gather(&c.class, c.ends, c.rows, c.w, c.in)
			c.inverse, _ = c.invert()
			classes = append(classes, c)
		}
	}
	return func(frame *Frame) ([]float64, error) {
		predicted, err := f.Predict(frame)
		if err != nil {
			return nil, err
		}
		clocks := h.clocks(frame)
		a := make([]float64, base.Len())
		for _, c := range classes {
			p.addInfluence(a, c, frame, clocks, func(i int) float64 {
				if math.IsNaN(predicted[i]) {
					return 0
				}
				return h.share(c.segment, frame, i, clocks[i])
			})
		}
		return a, nil
	}, nil
}

func (c *classOfHours) in(how int) bool { return c.busy[how] == c.occupied }

// share is the weight of segment k in the prediction of row i.
func (h *Hourly) share(k int, frame *Frame, i int, at clock) float64 {
	switch {
	case h.ByMonth && at.month != k:
		return 0
	case h.ByMonth || len(h.Segments) == 1:
		return 1
	case math.IsNaN(h.Segments[k].HourOfWeek[at.how]):
		return 0
	}
	sum := 0.0
	for j := range h.Segments {
		if !math.IsNaN(h.Segments[j].HourOfWeek[at.how]) {
			sum += nearness(frame.Start[i], *h.Segments[j].Centre, h.TimeScaleDays)
		}
	}
	return nearness(frame.Start[i], *h.Segments[k].Centre, h.TimeScaleDays) / sum
}

// addInfluence adds that of one class of one segment; wanted is the weight of a row
// of the frame.
func (p *hourProblem) addInfluence(a []float64, c *classOfHours, frame *Frame, clocks []clock, wanted func(int) float64) {
	var level [hoursOfWeek]float64
	var room, distance, b [maxColumns]float64
	x := room[:c.k]
	other := *p
	other.frame = frame
	none := true
	for i, cl := range clocks {
		if !c.in(cl.how) || c.weight[cl.how] == 0 {
			continue
		}
		v := wanted(i)
		if v == 0 {
			continue
		}
		none = false
		level[cl.how] += v
		other.columnsOf(i, c.ends, x)
		for j := range x {
			distance[j] += float64(v * (x[j] - c.meanX[cl.how][j]))
		}
	}
	if none {
		return
	}
	for j := range c.k {
		b[j] = dot(c.inverse[j], distance[:c.k])
	}
	for how := range level { // what no row adds to: its level less the slopes at its mean
		if c.weight[how] > 0 {
			level[how] /= c.weight[how]
			for j := range c.k {
				level[how] -= float64(b[j] * c.meanX[how][j])
			}
		}
	}
	for n, i := range c.rows {
		p.columnsOf(i, c.ends, x)
		s := level[p.clocks[i].how]
		for j, v := range x {
			s += float64(b[j] * v)
		}
		a[i] += float64(c.w[n] * s)
	}
}
