package chart

import (
	"bytes"
	"slices"
)

const (
	actualStyle = `stroke="#b3400f" stroke-width="1.6"`
	modelStyle  = `stroke="#17528a" stroke-width="1.8" stroke-dasharray="6 3"`
	dotStyle    = `stroke="#b3400f" stroke-width="3.5"`
	bandStyle   = `fill="#17528a" fill-opacity="0.15" stroke="#17528a" stroke-opacity="0.6" stroke-dasharray="2 2"`
	savedStyle  = `stroke="#17528a" stroke-width="2"`
	zeroStyle   = `stroke="#333" stroke-width="0.8"`
)

func (p *Picture) fit(b *bytes.Buffer, w *vocabulary) {
	label := w.temperature
	if p.Against == Fitted {
		label = w.model + " (" + p.Unit + ")"
	}
	pan := newPanel(b, w, 0, 0, w.fit, label, p.Unit)
	points := slices.Clone(p.Fit)
	slices.SortStableFunc(points, func(a, b FitPoint) int {
		switch {
		case a.X < b.X:
			return -1
		case a.X > b.X:
			return 1
		}
		return 0
	})
	var x, y, f []float64
	for _, q := range points {
		x, y, f = append(x, q.X), append(y, q.Observed), append(f, q.Fitted)
	}
	x0, x1 := bounds(x)
	y0, y1 := bounds(y, f)
	pan.scale(x0, x1, y0, y1)
	pan.dots(x, y, dotStyle)
	if p.Against == Fitted {
		pan.line([]float64{x0, x1}, []float64{x0, x1}, modelStyle)
	} else {
		pan.dots(x, f, `stroke="#17528a" stroke-width="2"`)
	}
	pan.key(0, 260, dotStyle+` stroke-linecap="round" stroke-dasharray="0 9"`, w.observed)
	pan.key(1, 260, modelStyle, w.model)
}

func (p *Picture) residuals(b *bytes.Buffer, w *vocabulary) {
	pan := newPanel(b, w, 1, 0, w.residuals, "", p.Unit)
	pan.timeOnAxis = true
	var x, y []float64
	for _, q := range p.Fit {
		x, y = append(x, float64(q.At.Unix())), append(y, q.Observed-q.Fitted)
	}
	x0, x1 := bounds(x)
	y0, y1 := bounds(y)
	pan.scale(x0, x1, min(y0, 0), max(y1, 0))
	pan.line([]float64{x0, x1}, []float64{0, 0}, zeroStyle)
	pan.dots(x, y, dotStyle)
}

func (p *Picture) course(b *bytes.Buffer, w *vocabulary) {
	pan := newPanel(b, w, 0, 1, w.course, "", p.Unit)
	pan.timeOnAxis = true
	var x, a, m []float64
	for _, s := range p.Course {
		x, a, m = append(x, float64(s.From.Unix())), append(a, s.Actual), append(m, s.Adjusted)
	}
	x0, x1 := bounds(x)
	y0, y1 := bounds(a, m)
	pan.scale(x0, x1, min(y0, 0), y1)
	pan.line(x, a, actualStyle)
	pan.line(x, m, modelStyle)
	pan.key(0, 140, actualStyle, w.observed)
	pan.key(1, 140, modelStyle, w.adjusted)
}

func (p *Picture) saved(b *bytes.Buffer, w *vocabulary) {
	pan := newPanel(b, w, 1, 1, w.cumulative, "", p.Unit)
	pan.timeOnAxis = true
	var x, y, lo, hi []float64
	for _, s := range p.Saved {
		x, y = append(x, float64(s.At.Unix())), append(y, s.Saved)
		lo, hi = append(lo, s.Saved-s.Half), append(hi, s.Saved+s.Half)
	}
	x0, x1 := bounds(x)
	y0, y1 := bounds(lo, hi)
	pan.scale(x0, x1, min(y0, 0), max(y1, 0))
	back := slices.Clone(x)
	slices.Reverse(back)
	slices.Reverse(lo)
	pan.line(append(slices.Clone(x), back...), append(slices.Clone(hi), lo...), bandStyle)
	pan.line([]float64{x0, x1}, []float64{0, 0}, zeroStyle)
	pan.line(x, y, savedStyle)
	pan.key(0, 10, savedStyle, w.savedWord)
	pan.key(1, 10, `stroke="#17528a" stroke-opacity="0.6" stroke-dasharray="2 2"`, w.interval)
}
