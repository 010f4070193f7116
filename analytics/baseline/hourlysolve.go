package baseline

import (
	"fmt"
	"math"
)

// class is the regression of one class of hours of a segment: a level for every
// hour of the week and k slopes. The levels are taken out by subtracting means
// within each hour of the week, so that only k normal equations are left.
type class struct {
	k      int
	weight [hoursOfWeek]float64
	meanY  [hoursOfWeek]float64
	meanX  [hoursOfWeek][maxColumns]float64
	gram   [maxColumns][maxColumns]float64
	right  [maxColumns]float64
	raw    [maxColumns]float64 // weighted squares before the means are taken out
}

// columnsOf fills the regressors of row i.
func (p *hourProblem) columnsOf(i int, ends, x []float64) {
	bins(p.frame.Temperature[i], ends, x)
	for j, name := range p.options.Drivers {
		x[len(ends)+1+j] = p.frame.Drivers[name][i]
	}
}

// gather makes the moments of a class.
func (p *hourProblem) gather(c *class, ends []float64, rows []int, w []float64, in func(how int) bool) {
	c.k = len(ends) + 1 + len(p.options.Drivers)
	var room [maxColumns]float64
	x := room[:c.k]
	for n, i := range rows {
		how := p.clocks[i].how
		if !in(how) {
			continue
		}
		p.columnsOf(i, ends, x)
		c.weight[how] += w[n]
		c.meanY[how] += float64(w[n] * p.frame.Energy[i])
		for j, v := range x {
			c.meanX[how][j] += float64(w[n] * v)
			c.raw[j] += float64(w[n] * float64(v*v))
		}
	}
	for how := range hoursOfWeek {
		if c.weight[how] > 0 {
			c.meanY[how] /= c.weight[how]
			for j := range c.k {
				c.meanX[how][j] /= c.weight[how]
			}
		}
	}
	for n, i := range rows {
		how := p.clocks[i].how
		if !in(how) {
			continue
		}
		p.columnsOf(i, ends, x)
		y := p.frame.Energy[i] - c.meanY[how]
		for j := range x {
			x[j] -= c.meanX[how][j]
		}
		for j, v := range x {
			if v == 0 {
				continue
			}
			wv := float64(w[n] * v)
			c.right[j] += float64(wv * y)
			for l := j; l < c.k; l++ {
				c.gram[j][l] += float64(wv * x[l])
			}
		}
	}
	for j := range c.k {
		for l := range j {
			c.gram[j][l] = c.gram[l][j]
		}
	}
}

// invert gives the inverse of the products of the columns, with zeros for those
// that move together with the columns before them.
func (c *class) invert() (inverse [][]float64, dropped int) {
	k := c.k
	var l [maxColumns][maxColumns]float64 // Cholesky factor
	lost := make([]bool, k)
	for j := range k {
		full := c.gram[j][j]
		v := full
		for m := range j {
			if lost[m] {
				continue
			}
			s := c.gram[j][m]
			for t := range m {
				s -= float64(l[j][t] * l[m][t])
			}
			l[j][m] = s / l[m][m]
			v -= float64(l[j][m] * l[j][m])
		}
		if v <= rounding*full || full <= rounding*rounding*c.raw[j] {
			lost[j] = true
			dropped++
			clear(l[j][:])
			continue
		}
		l[j][j] = math.Sqrt(v)
	}
	inverse = square(k)
	for e := range k {
		if lost[e] {
			continue
		}
		var z [maxColumns]float64
		for j := range k {
			if lost[j] {
				continue
			}
			s := 0.0
			if j == e {
				s = 1
			}
			for t := range j {
				s -= float64(l[j][t] * z[t])
			}
			z[j] = s / l[j][j]
		}
		for j := k - 1; j >= 0; j-- {
			if lost[j] {
				continue
			}
			s := z[j]
			for t := j + 1; t < k; t++ {
				if !lost[t] {
					s -= float64(l[t][j] * inverse[t][e])
				}
			}
			inverse[j][e] = s / l[j][j]
		}
	}
	return inverse, dropped
}

// slopes solves one class and fills its levels.
func (p *hourProblem) slopes(s *Segment, out *Slopes, rows []int, w []float64, in func(how int) bool) {
	var c class
	p.gather(&c, out.EndsC, rows, w, in)
	inverse, dropped := c.invert()
	b := make([]float64, c.k)
	for j := range b {
		b[j] = dot(inverse[j], c.right[:c.k])
	}
	bins := len(out.EndsC) + 1
	out.PerC, out.Drivers, out.Dropped = b[:bins:bins], b[bins:], dropped
	for how := range hoursOfWeek {
		if c.weight[how] > 0 {
			s.HourOfWeek[how] = c.meanY[how] - dot(b, c.meanX[how][:c.k])
		}
	}
}

// measure fills the statistics of an hourly fit.
func (p *hourProblem) measure(f *Fit) error {
	fit, err := p.h.predict(p.frame)
	if err != nil {
		return err
	}
	index := p.frame.Index()
	n := len(p.rows)
	s := sample{y: make([]float64, 0, n), fit: make([]float64, 0, n), index: make([]int, 0, n)}
	for _, i := range p.rows {
		if math.IsNaN(fit[i]) {
			continue // the row's month has too little data
		}
		s.y = append(s.y, p.frame.Energy[i])
		s.fit = append(s.fit, fit[i])
		s.index = append(s.index, index[i])
	}
	for k := range p.h.Segments {
		seg := &p.h.Segments[k]
		if k > 0 && !p.h.ByMonth {
			f.Notes = append(f.Notes, fmt.Sprintf("%d models weighted in time are counted as one in the parameters", len(p.h.Segments)))
			break
		}
		for _, v := range seg.HourOfWeek {
			if !math.IsNaN(v) {
				s.p++
			}
		}
		for _, c := range []*Slopes{&seg.Warm, &seg.Idle} {
			s.p += len(c.PerC) + len(c.Drivers) - c.Dropped
		}
		if seg.Coverage < minCoverage && p.h.ByMonth {
			f.Notes = append(f.Notes, fmt.Sprintf("%s and its neighbours have data for %.0f %% of their hours only", seg.Name, 100*seg.Coverage))
		}
	}
	s.k = s.p
	if len(s.y) <= s.p {
		return fmt.Errorf("%s: %d hours for %d parameters: too few", p.model, len(s.y), s.p)
	}
	f.Metrics = measure(s)
	f.Tried = 1
	f.Ranges = map[string]Range{Slope: rangeOf(pick([][]float64{p.frame.Temperature}, p.rows)[0])}
	for _, name := range p.options.Drivers {
		f.Ranges[name] = rangeOf(pick([][]float64{p.frame.Drivers[name]}, p.rows)[0])
	}
	return nil
}
