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
	if err := base.check(true); err != nil {
		return nil, err
	}
	if f.Hourly != nil {
		return f.hourlyInfluence(base, frame)
	}
	if f.Inverse == nil {
		return nil, fmt.Errorf("%s was stored without its inverse: it has no influence", f.Model)
	}
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
	d, err := newDesign(&f.Spec, base)
	if err != nil {
		return nil, err
	}
	used, _, w := d.usable()
	if len(used) != f.N {
		return nil, fmt.Errorf("%s was made from %d rows: the given baseline has %d", f.Model, f.N, len(used))
	}
	h := make([]float64, len(g)) // (JᵀWJ)⁻¹ g
	for j := range h {
		h[j] = dot(f.Inverse[j], g)
	}
	columns := d.jacobian(f)
	a := make([]float64, base.Len())
	for k, i := range used {
		s := 0.0
		for j := range columns {
			s += float64(columns[j][i] * h[j])
		}
		a[i] = s * weightOf(w, k)
		if f.Spec.PerDay {
			a[i] /= base.days(i) // the fit is of energy per day
		}
	}
	return a, nil
}

func (f *Fit) hourlyInfluence(base, frame *Frame) ([]float64, error) {
	h := f.Hourly
	p := &hourProblem{options: HourlyOptions{Drivers: h.Drivers, HolidaysAsSunday: h.HolidaysAsSunday, TimeScaleDays: h.TimeScaleDays, Single: !h.ByMonth}, model: f.Model}
	if err := p.prepare(base); err != nil {
		return nil, err
	}
	predicted, err := f.Predict(frame)
	if err != nil {
		return nil, err
	}
	clocks := h.clocks(frame)
	a := make([]float64, base.Len())
	for k := range h.Segments {
		s := &h.Segments[k]
		wanted := func(i int) float64 { // weight of row i of the frame
			switch {
			case math.IsNaN(predicted[i]) || h.ByMonth && clocks[i].month != k:
				return 0
			case h.ByMonth || len(h.Segments) == 1:
				return 1
			}
			sum := 0.0
			for j := range h.Segments {
				if !math.IsNaN(h.Segments[j].HourOfWeek[clocks[i].how]) {
					sum += nearness(frame.Start[i], *h.Segments[j].Centre, h.TimeScaleDays)
				}
			}
			if math.IsNaN(s.HourOfWeek[clocks[i].how]) {
				return 0
			}
			return nearness(frame.Start[i], *s.Centre, h.TimeScaleDays) / sum
		}
		rows, w := p.members(h.weight(k, p))
		busy := s.occupancy()
		for _, c := range []struct {
			slopes *Slopes
			in     func(how int) bool
		}{{&s.Warm, func(how int) bool { return busy[how] }}, {&s.Idle, func(how int) bool { return !busy[how] }}} {
			p.addInfluence(a, c.slopes.EndsC, rows, w, c.in, frame, clocks, wanted)
		}
	}
	return a, nil
}

// addInfluence adds that of one class of one segment.
func (p *hourProblem) addInfluence(a, ends []float64, rows []int, w []float64, in func(int) bool, frame *Frame, clocks []clock, wanted func(int) float64) {
	var c class
	p.gather(&c, ends, rows, w, in)
	inverse, _ := c.invert()
	var level [hoursOfWeek]float64
	distance := make([]float64, c.k)
	x := make([]float64, c.k)
	other := *p
	other.frame = frame
	for i, cl := range clocks {
		if !in(cl.how) || c.weight[cl.how] == 0 {
			continue
		}
		v := wanted(i)
		if v == 0 {
			continue
		}
		level[cl.how] += v
		other.columnsOf(i, ends, x)
		for j := range x {
			distance[j] += float64(v * (x[j] - c.meanX[cl.how][j]))
		}
	}
	b := make([]float64, c.k)
	for j := range b {
		b[j] = dot(inverse[j], distance)
	}
	for n, i := range rows {
		how := p.clocks[i].how
		if !in(how) {
			continue
		}
		p.columnsOf(i, ends, x)
		s := level[how] / c.weight[how]
		for j := range x {
			s += float64(b[j] * (x[j] - c.meanX[how][j]))
		}
		a[i] += float64(w[n] * s)
	}
}
