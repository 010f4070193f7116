// Package plot draws line charts and bars of results as SVG: self-contained,
// without scripts, readable on screen and on paper.
package plot

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
)

// Chart is one drawing with two linear axes.
type Chart struct {
	Title, XLabel, YLabel string
	Lines                 []Line
	// Marks are horizontal lines with a word, such as a pinch.
	Marks []Mark
	// Bars replaces the x axis by one place for each name.
	Bars []Bar
}

// Line is a polyline in the order of its points: x, y. A NaN breaks it.
type Line struct {
	Name   string
	Points [][2]float64
	Color  string // CSS; "" picks one
	Dashed bool
}

// Mark is a horizontal line across the chart.
type Mark struct {
	Y    float64
	Text string
}

// Bar is one column, from 0 to its height; the part up to Inner is filled
// darker where Inner is above 0.
type Bar struct {
	Name          string
	Height, Inner float64
}

// Size of one chart, in CSS pixels, and its margins.
const (
	width, height           = 760.0, 460.0
	left, right, top, below = 80.0, 20.0, 44.0, 64.0
)

// A palette that stays apart in grey and for the colour-blind (Okabe and Ito).
var palette = []string{"#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444"}

// Write draws the charts below each other.
func Write(w io.Writer, charts ...Chart) error {
	b := bufio.NewWriter(w)
	total := height * float64(len(charts))
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="sans-serif" font-size="12">`+"\n", width, total, width, total)
	fmt.Fprintf(b, `<rect width="%g" height="%g" fill="white"/>`+"\n", width, total)
	for i, c := range charts {
		c.draw(b, height*float64(i))
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

type bounds struct{ low, high float64 }

func (r *bounds) add(x float64) {
	if !math.IsNaN(x) && !math.IsInf(x, 0) {
		r.low, r.high = min(r.low, x), max(r.high, x)
	}
}

func (c *Chart) draw(w io.Writer, y0 float64) {
	x, y := bounds{0, math.Inf(-1)}, bounds{math.Inf(1), math.Inf(-1)}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			x.add(p[0])
			y.add(p[1])
		}
	}
	for _, m := range c.Marks {
		y.add(m.Y)
	}
	for _, b := range c.Bars {
		y.add(0)
		y.add(b.Height)
	}
	if len(c.Bars) > 0 {
		x = bounds{0, float64(len(c.Bars))}
	}
	if math.IsInf(x.high, 0) || x.high == x.low {
		x.high = x.low + 1
	}
	if math.IsInf(y.low, 0) {
		y = bounds{0, 1}
	} else if y.high == y.low {
		y = bounds{y.low - 0.5, y.high + 0.5}
	}
	xs, ys := steps(x), steps(y)
	y = bounds{min(y.low, ys[0]), max(y.high, ys[len(ys)-1])}
	px := func(v float64) float64 { return left + (v-x.low)/(x.high-x.low)*(width-left-right) }
	py := func(v float64) float64 { return y0 + height - below - (v-y.low)/(y.high-y.low)*(height-top-below) }
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	fmt.Fprintf(w, `<text x="%g" y="%.1f" font-size="15" font-weight="bold">%s</text>`+"\n", left, y0+24, html.EscapeString(c.Title))
	for _, v := range ys {
		fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", left, width-right, py(v), py(v))
		text(left-6, py(v)+4, "end", number(v))
	}
	if len(c.Bars) == 0 {
		for _, v := range xs {
			if v < x.low || v > x.high*(1+1e-9) {
				continue
			}
			fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", px(v), px(v), y0+top, y0+height-below)
			text(px(v), y0+height-below+16, "middle", number(v))
		}
	}
	text((left+width-right)/2, y0+height-below+34, "middle", c.XLabel)
	fmt.Fprintf(w, `<text transform="translate(16 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", y0+(top+height-below)/2, html.EscapeString(c.YLabel))
	for i, b := range c.Bars {
		at, wide := px(float64(i)+0.15), (width-left-right)/float64(len(c.Bars))*0.7
		fmt.Fprintf(w, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#bcd4e6"/>`+"\n", at, min(py(b.Height), py(0)), wide, math.Abs(py(0)-py(b.Height)))
		if b.Inner > 0 {
			fmt.Fprintf(w, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#0072b2"/>`+"\n", at, py(b.Inner), wide, py(0)-py(b.Inner))
		}
		fmt.Fprintf(w, `<text transform="translate(%.1f %.1f) rotate(-30)" text-anchor="end" font-size="10">%s</text>`+"\n", at+wide/2, y0+height-below+14, html.EscapeString(b.Name))
	}
	for _, m := range c.Marks {
		fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#888" stroke-dasharray="2 3"/>`+"\n", left, width-right, py(m.Y), py(m.Y))
		text(width-right-4, py(m.Y)-4, "end", m.Text)
	}
	for i, l := range c.Lines {
		color := l.Color
		if color == "" {
			color = palette[i%len(palette)]
		}
		dash := ""
		if l.Dashed {
			dash = ` stroke-dasharray="6 4"`
		}
		open := false
		for _, p := range l.Points {
			if math.IsNaN(p[0]) || math.IsNaN(p[1]) || math.IsInf(p[0], 0) || math.IsInf(p[1], 0) {
				if open {
					fmt.Fprint(w, "\"/>\n")
				}
				open = false
				continue
			}
			if !open {
				fmt.Fprintf(w, `<polyline fill="none" stroke="%s" stroke-width="2"%s points="`, html.EscapeString(color), dash)
				open = true
			}
			fmt.Fprintf(w, "%.2f,%.2f ", px(p[0]), py(p[1]))
		}
		if open {
			fmt.Fprint(w, "\"/>\n")
		}
		at := left + float64(i)*160
		fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="3"%s/>`+"\n", at, at+22, y0+height-12, y0+height-12, html.EscapeString(color), dash)
		text(at+28, y0+height-8, "start", l.Name)
	}
}

// steps are round numbers that span a range, about six of them.
func steps(r bounds) []float64 {
	raw := (r.high - r.low) / 6
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := unit
	for _, m := range [...]float64{1, 2, 2.5, 5, 10} {
		if step = m * unit; step >= raw {
			break
		}
	}
	first, last := math.Floor(r.low/step+1e-9), math.Ceil(r.high/step-1e-9)
	var out []float64
	for k := first; k <= last && len(out) < 50; k++ {
		out = append(out, k*step)
	}
	if len(out) == 0 {
		out = []float64{r.low, r.high}
	}
	return out
}

func number(v float64) string {
	if v == 0 {
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
