package baseline

import (
	"fmt"
	"math"
	"strings"
)

// Linear fits a regression by least squares. Change points that are not given
// lie where the sum of squares is least; there is no grid. Rows with an unknown
// energy or variable are left out.
func Linear(frame *Frame, spec Spec) (*Fit, error) {
	if err := frame.check(true); err != nil {
		return nil, err
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	d, err := newDesign(&spec, frame)
	if err != nil {
		return nil, err
	}
	rows, y, w := d.usable()
	return d.fit(rows, y, w, string(spec.Shape))
}

// fit searches the change points and solves on the given rows.
func (d *design) fit(rows []int, y, w []float64, model string) (*Fit, error) {
	points := d.spec.changePoints()
	p := len(d.spec.termNames())
	for _, c := range points {
		if c.Searched {
			p++
		}
	}
	if len(rows) <= p {
		return nil, fmt.Errorf("%s: %d rows are known for %d parameters: too few", model, len(rows), p)
	}
	if len(points) > 0 && points[0].Searched {
		if err := d.search(rows, y, w, points); err != nil {
			return nil, fmt.Errorf("%s: %w", model, err)
		}
	}
	return d.solve(rows, y, w, model, points)
}

// solve makes the fit for known change points.
func (d *design) solve(rows []int, y, w []float64, model string, points []ChangePointValue) (*Fit, error) {
	f := &Fit{Model: model, Spec: *d.spec, ChangePoints: points}
	x := pick(d.columns(points), rows)
	s := leastSquares(x, y, w)
	names := d.spec.termNames()
	for j, name := range names {
		f.Terms = append(f.Terms, Term{Name: name, Value: s.coef[j], Dropped: s.dropped[j]})
		if s.dropped[j] {
			f.Notes = append(f.Notes, name+" is constant or moves together with other variables: left out")
		}
	}
	fit := make([]float64, len(rows))
	for i := range rows {
		for j := range x {
			fit[i] += float64(s.coef[j] * x[j][i])
		}
	}
	searched := 0
	for _, c := range points {
		if c.Searched {
			searched++
		}
	}
	terms := 0
	for _, lost := range s.dropped {
		if !lost {
			terms++
		}
	}
	all := d.frame.Index()
	index := make([]int, len(rows))
	for k, i := range rows {
		index[k] = all[i]
	}
	f.Metrics = measure(sample{y: y, fit: fit, w: w, index: index, p: terms + searched, k: terms + searched})
	f.Inverse = s.inverse
	if searched > 0 {
		f.Inverse = leastSquares(pick(d.jacobian(f), rows), y, w).inverse
	}
	f.errors()
	f.Ranges = d.ranges(rows)
	return f, nil
}

// errors fills the standard errors and tails from the inverse.
func (f *Fit) errors() {
	dof := float64(f.N - f.P)
	sigma2 := f.SSE / dof
	for j := range f.Terms {
		t := &f.Terms[j]
		if t.Dropped {
			t.P = 1
			continue
		}
		t.SE = number(math.Sqrt(sigma2 * f.Inverse[j][j]))
		t.P = number(tailT(t.Value/t.SE, dof))
	}
	k := len(f.Terms)
	for j := range f.ChangePoints {
		if c := &f.ChangePoints[j]; c.Searched && k < len(f.Inverse) {
			c.SE = number(math.Sqrt(sigma2 * f.Inverse[k][k]))
			k++
		}
	}
}

// ranges describes the temperature and the drivers over the rows.
func (d *design) ranges(rows []int) map[string]Range {
	out := map[string]Range{}
	x := make([]float64, 0, len(rows))
	if d.spec.Shape != Mean {
		for _, i := range rows {
			x = append(x, d.mean(i))
		}
		out[Slope] = rangeOf(x)
	}
	for _, name := range d.spec.Drivers {
		x = x[:0]
		for _, i := range rows {
			x = append(x, d.frame.Drivers[name][i])
		}
		out[name] = rangeOf(x)
	}
	return out
}

// variables joins the names of drivers and calendar effects.
func (s *Spec) variables() string {
	names := append([]string{}, s.Drivers...)
	for _, e := range s.Calendar {
		names = append(names, e.Name())
	}
	return strings.Join(names, "+")
}
