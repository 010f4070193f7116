package heat

import (
	"math"
	"slices"
)

// byDays finds runs of days that read a usual factor of the like days around.
func (s *scaling) byDays() []window {
	ratio := make([]float64, len(s.high))
	for d, h := range s.high {
		var like []float64
		for k := -4; k <= 4; k++ {
			if e := d + 7*k; k != 0 && e >= 0 && e < len(s.high) && s.high[e] > 0 {
				like = append(like, s.high[e])
			}
		}
		if h > 0 && len(like) >= 2 {
			slices.Sort(like)
			ratio[d] = h / quantile(like, 0.5)
		}
	}
	odd := func(r float64) bool { return r > 0 && (r < 0.35 || r > leastRatio) }
	var out []window
	for d := 0; d < len(ratio); d++ {
		if !odd(ratio[d]) {
			continue
		}
		first, last, all := d, d, []float64{}
		for ; d < len(ratio) && d <= last+3 && (odd(ratio[d]) || ratio[d] == 0); d++ {
			if ratio[d] > 0 {
				last = d
				all = append(all, ratio[d])
			}
		}
		slices.Sort(all)
		w := window{first * s.perDay, min((last+1)*s.perDay, s.g.Steps), 0}
		if f, _ := snap(quantile(all, 0.5)); math.Abs(math.Log(f)) > math.Log(9) && math.Abs(math.Log(quantile(all, 0.5)/f)) < math.Log(1.15) {
			w.factor = f
		}
		out = append(out, w)
	}
	// What also happens by other amounts, or often, is operation.
	if len(out) > 3 || slices.ContainsFunc(out, func(w window) bool { return w.factor == 0 }) {
		return nil
	}
	for i := range out {
		s.ends(&out[i])
	}
	return out
}

// ends moves the ends of a window of odd days to the nearest jump by its factor,
// on the day before and the day after.
func (s *scaling) ends(w *window) {
	want := math.Log(w.factor)
	from, to := w.from, w.to
	for _, j := range s.jumps {
		switch {
		case math.Abs(j.by-want) < 0.4 && j.at > from-s.perDay && j.at <= from+s.perDay/2:
			w.from = j.at
		case math.Abs(j.by+want) < 0.4 && j.at >= to-s.perDay/2 && j.at < to+s.perDay && w.to == to:
			w.to = j.at
		}
	}
	if w.from != from || w.to != to {
		return
	}
	// Without a jump: where the readings pass the mean of right and wrong levels.
	limit := math.Sqrt(w.factor) * s.usual(from/s.perDay)
	right := func(v float64) bool { return v > 0 && (v > limit) == (w.factor < 1) }
	for k := from; k > max(0, from-s.perDay); k-- {
		if right(s.x[k-1]) {
			w.from = k
			break
		}
	}
	for k := to; k < min(s.g.Steps, to+s.perDay); k++ {
		if right(s.x[k]) {
			w.to = k
			break
		}
	}
}

// quietDays moves the ends of windows found by level over quiet days, such as a
// week-end, that read as much too much: to the jump where the odd days begin or
// end.
func (s *scaling) quietDays(windows []window) {
	days := s.byDays()
	for i := range windows {
		w := &windows[i]
		for _, d := range days {
			if d.factor != w.factor || d.from > w.from || d.to < w.to {
				continue
			}
			for _, j := range s.jumps {
				if j.at == d.from && math.Abs(j.by-math.Log(w.factor)) < 0.35 && s.like(d.from, w.from, w.factor) {
					w.from = d.from
				}
				if j.at == d.to && math.Abs(j.by+math.Log(w.factor)) < 0.35 && s.like(w.to, d.to, w.factor) {
					w.to = d.to
				}
			}
		}
	}
}

// like says whether a span reads, by its median, the factor times what the same
// hours of the weeks around do, to 40 %.
func (s *scaling) like(from, to int, factor float64) bool {
	var ratios []float64
	for i := from; i < to; i++ {
		for _, k := range likeTimes(s.x, i, 7*s.perDay) {
			if s.x[i] > 0 && s.x[k] > 0 {
				ratios = append(ratios, s.x[i]/s.x[k])
			}
		}
	}
	if len(ratios) == 0 {
		return false
	}
	slices.Sort(ratios)
	return math.Abs(math.Log(quantile(ratios, 0.5)/factor)) < math.Log(1.4)
}
