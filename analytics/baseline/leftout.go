package baseline

import (
	"errors"
	"math"
)

// everyFourth is how many turns weeks are left out in.
const everyFourth = 4

// turns say which rows are left out together, and which of them lie in one block,
// whose errors may be alike.
type turns struct {
	turn  []int // of each row, -1 where the energy is unknown
	block []int // of each row, ascending
	count int   // of turns
}

// turnsOf leaves out every fourth week of hours, days and weeks; of months and
// invoices each by itself.
func turnsOf(f *Frame) turns {
	t := turns{turn: make([]int, f.Len()), block: make([]int, f.Len()), count: everyFourth}
	alone := f.Step == Month || f.Step == Period
	index := f.Index()
	known := 0
	for i, at := range f.Start {
		switch {
		case alone:
			t.block[i], t.turn[i] = i, known
		case f.Step == Week:
			t.block[i] = index[i]
			t.turn[i] = modulo(index[i], everyFourth)
		default:
			t.block[i] = dayNumber(at) / 7
			t.turn[i] = modulo(t.block[i], everyFourth)
		}
		if math.IsNaN(f.Energy[i]) {
			t.turn[i] = -1
			continue
		}
		known++
	}
	if alone {
		t.count = known
	}
	return t
}

func modulo(a, n int) int { return (a%n + n) % n }

var errUnpredicted = errors.New("it cannot predict a tenth or more of what is left out")

// errors are the squared errors of each row when it is left out, NaN where it is
// unknown. The rest is fitted anew; of regressions by one step of Gauss and Newton
// from the fit of all rows, change points included, which is exact where there are
// none.
func (t *turns) errors(frame *Frame, f *Fit, fit func(*Frame) (*Fit, error)) ([]float64, error) {
	var square []float64
	var err error
	if f.Hourly == nil && f.Inverse != nil {
		square, err = t.stepped(frame, f)
	} else {
		square, err = t.refitted(frame, fit)
	}
	if err != nil {
		return nil, err
	}
	all, unknown := 0, 0
	for i, e := range square {
		if t.turn[i] >= 0 {
			all++
			if math.IsNaN(e) {
				unknown++
			}
		}
	}
	if 10*unknown >= all {
		return nil, errUnpredicted
	}
	return square, nil
}

func (t *turns) refitted(frame *Frame, fit func(*Frame) (*Fit, error)) ([]float64, error) {
	square := make([]float64, frame.Len())
	for i := range square {
		square[i] = math.NaN()
	}
	rest := *frame
	for turn := range t.count {
		rest.Energy = append([]float64{}, frame.Energy...)
		for i, k := range t.turn {
			if k == turn {
				rest.Energy[i] = math.NaN()
			}
		}
		f, err := fit(&rest)
		if err != nil {
			return nil, err
		}
		y, err := f.Predict(frame)
		if err != nil {
			return nil, err
		}
		for i, k := range t.turn {
			if e := frame.Energy[i] - y[i]; k == turn {
				square[i] = e * e
			}
		}
	}
	return square, nil
}

func (t *turns) stepped(frame *Frame, f *Fit) ([]float64, error) {
	d, err := newDesign(&f.Spec, frame)
	if err != nil {
		return nil, err
	}
	rows, y, w := d.usable()
	columns := pick(d.jacobian(f), rows)
	residual := make([]float64, len(rows))
	for k := range rows {
		residual[k] = y[k]
		for j := range f.Terms {
			residual[k] -= float64(f.Terms[j].Value * columns[j][k])
		}
	}
	square := make([]float64, frame.Len())
	for i := range square {
		square[i] = math.NaN()
	}
	for turn := range t.count {
		var in, out []int
		for k, i := range rows {
			if t.turn[i] == turn {
				out = append(out, k)
			} else {
				in = append(in, k)
			}
		}
		if len(out) == 0 {
			continue
		}
		s := leastSquares(pick(columns, in), pickOf(residual, in), pickOf(w, in))
		for _, k := range out {
			e := residual[k]
			for j := range columns {
				move := s.coef[j]
				if s.dropped[j] && j < len(f.Terms) { // only the rows left out know of it
					move = -f.Terms[j].Value
				}
				e -= float64(move * columns[j][k])
			}
			square[rows[k]] = e * e * weightOf(w, k)
		}
	}
	return square, nil
}

func pickOf(x []float64, at []int) []float64 {
	if x == nil {
		return nil
	}
	out := make([]float64, len(at))
	for k, i := range at {
		out[k] = x[i]
	}
	return out
}

// mean is the mean of what is known.
func (t *turns) mean(square []float64) float64 {
	sum, n := 0.0, 0
	for _, e := range square {
		if !math.IsNaN(e) {
			sum += e
			n++
		}
	}
	return sum / float64(n)
}

// excess is the mean by which the errors of one model are greater than those of
// another, and the standard error of that mean by its blocks.
func (t *turns) excess(one, other []float64) (mean, se float64) {
	var sums []float64
	last, n := -1, 0
	for i := range one {
		d := one[i] - other[i]
		if math.IsNaN(d) {
			continue
		}
		if len(sums) == 0 || t.block[i] != last {
			sums, last = append(sums, 0), t.block[i]
		}
		sums[len(sums)-1] += d
		mean += d
		n++
	}
	b := float64(len(sums))
	if b < 2 {
		return mean, 0
	}
	centre, sq := mean/b, 0.0
	for _, s := range sums {
		sq += float64((s - centre) * (s - centre))
	}
	return mean / float64(n), math.Sqrt(sq*b/(b-1)) / float64(n)
}
