package baseline

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// design makes the columns of a regression from a frame.
type design struct {
	spec  *Spec
	frame *Frame
	fixed [][]float64 // drivers and calendar effects, per day if the spec says so
}

func newDesign(s *Spec, f *Frame) (*design, error) {
	if s.Shape != Mean && len(f.Temperature) == 0 && len(f.Daily) == 0 {
		return nil, fmt.Errorf("a %s model needs temperatures, and the table has none", s.Shape)
	}
	d := &design{spec: s, frame: f}
	for _, name := range s.Drivers {
		x, ok := f.Drivers[name]
		if !ok {
			return nil, fmt.Errorf("the table has no driver %q; it has %s", name, strings.Join(sortedNames(f.Drivers), ", "))
		}
		d.fixed = append(d.fixed, x)
	}
	for _, e := range s.Calendar {
		d.fixed = append(d.fixed, e.column(f))
	}
	if s.PerDay {
		for j, x := range d.fixed {
			per := make([]float64, len(x))
			for i, v := range x {
				per[i] = v / f.days(i)
			}
			d.fixed[j] = per
		}
	}
	return d, nil
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// degrees is the mean over the days of row i of the degrees below (sign -1) or
// above (sign 1) the balance point c, and the share of the days that have any.
func (d *design) degrees(i int, c, sign float64) (degrees, share float64) {
	if len(d.frame.Daily) > 0 {
		days := d.frame.Daily[i]
		if len(days) == 0 {
			return math.NaN(), math.NaN()
		}
		for _, t := range days {
			if v := sign * (t - c); v > 0 {
				degrees += v
				share++
			} else if math.IsNaN(v) {
				return math.NaN(), math.NaN()
			}
		}
		return degrees / float64(len(days)), share / float64(len(days))
	}
	v := sign * (d.frame.Temperature[i] - c)
	switch {
	case math.IsNaN(v):
		return v, v
	case v > 0:
		return v, 1
	}
	return 0, 0
}

// mean is the mean temperature of row i.
func (d *design) mean(i int) float64 {
	if len(d.frame.Daily) == 0 {
		return d.frame.Temperature[i]
	}
	s := 0.0
	for _, t := range d.frame.Daily[i] {
		s += t
	}
	return s / float64(len(d.frame.Daily[i]))
}

// hinge is a degree column and the change point it hangs on.
type hinge struct {
	point int     // index of the change point
	sign  float64 // -1 below, 1 above
}

// sloped says whether the temperature itself is a term.
func (s *Spec) sloped() bool { return s.Shape == TwoP || s.Shape == SixP }

func (s *Spec) hinges() []hinge {
	switch s.Shape {
	case ThreePHeat:
		return []hinge{{0, -1}}
	case ThreePCool:
		return []hinge{{0, 1}}
	case FourP:
		return []hinge{{0, -1}, {0, 1}}
	case FiveP, SixP:
		return []hinge{{0, -1}, {1, 1}}
	}
	return nil
}

// columns are the regressors, in the order of the terms.
func (d *design) columns(points []ChangePointValue) [][]float64 {
	n := d.frame.Len()
	columns := [][]float64{make([]float64, n)}
	for i := range columns[0] {
		columns[0][i] = 1
	}
	if d.spec.sloped() {
		t := make([]float64, n)
		for i := range t {
			t[i] = d.mean(i)
		}
		columns = append(columns, t)
	}
	for _, h := range d.spec.hinges() {
		x := make([]float64, n)
		for i := range x {
			x[i], _ = d.degrees(i, points[h.point].C, h.sign)
		}
		columns = append(columns, x)
	}
	return append(columns, d.fixed...)
}

// jacobian are the derivatives to all parameters, as columns.
func (d *design) jacobian(f *Fit) [][]float64 {
	columns := d.columns(f.ChangePoints)
	hinges := d.spec.hinges()
	first := 1 // term of the first hinge
	if d.spec.sloped() {
		first = 2
	}
	for p, c := range f.ChangePoints {
		if !c.Searched {
			continue
		}
		x := make([]float64, d.frame.Len())
		for k, h := range hinges {
			if h.point != p {
				continue
			}
			slope := f.Terms[first+k].Value
			for i := range x {
				_, share := d.degrees(i, c.C, h.sign)
				x[i] -= float64(h.sign * float64(slope*share))
			}
		}
		columns = append(columns, x)
	}
	return columns
}

// usable lists the rows where the energy and all variables are known, and gives
// the problem to solve on them: y and w, per day if the spec says so.
func (d *design) usable() (rows []int, y, w []float64) {
	temperature := d.spec.Shape != Mean
	for i, e := range d.frame.Energy {
		known := !math.IsNaN(e) && !math.IsInf(e, 0)
		if known && temperature {
			v, _ := d.degrees(i, 0, 1)
			known = !math.IsNaN(v)
		}
		for _, x := range d.fixed {
			known = known && !math.IsNaN(x[i]) && !math.IsInf(x[i], 0)
		}
		days := 1.0
		if known && d.spec.PerDay {
			days = d.frame.days(i)
			known = days > 0
		}
		if !known {
			continue
		}
		rows = append(rows, i)
		y = append(y, e/days)
		if d.spec.PerDay {
			w = append(w, days)
		}
	}
	return rows, y, w
}

// pick takes the given rows of every column.
func pick(columns [][]float64, rows []int) [][]float64 {
	out := make([][]float64, len(columns))
	for j, c := range columns {
		out[j] = pickOf(c, rows)
	}
	return out
}
