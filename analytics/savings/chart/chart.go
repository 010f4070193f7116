package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
)

// Picture is what is drawn.
type Picture struct {
	Title metering.Text
	Unit  string // of energy: "kWh"
	// Fit are the baseline's points; X is the temperature in degC, or the fitted
	// energy when Against says so.
	Fit     []FitPoint
	Against Against
	Course  []Span
	Saved   []Sum
}

// Against says what the fit is drawn over.
type Against int

// The abscissae of the fit.
const (
	Temperature Against = iota
	Fitted
)

// FitPoint is one interval of the baseline.
type FitPoint struct {
	At               time.Time
	X                float64
	Observed, Fitted float64
}

// Span is a run of days of the reporting period.
type Span struct {
	From             time.Time
	Actual, Adjusted float64
}

// Sum is what was saved from the beginning up to an instant.
type Sum struct {
	At          time.Time
	Saved, Half float64
}

const (
	width, height = 960, 720
	panelW        = 400
	panelH        = 250
)

// Render draws the picture in a language, "fr" or "en".
func (p *Picture) Render(language string) []byte {
	w := words(language)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" lang="%s" aria-labelledby="title desc" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height, w.language)
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n", escape(w.of(p.Title)), escape(p.describe(w)))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="70" y="28" font-size="17" font-weight="bold">%s</text>`+"\n", escape(w.of(p.Title)))
	if len(p.Fit) > 0 {
		p.fit(&b, w)
		p.residuals(&b, w)
	}
	if len(p.Course) > 0 {
		p.course(&b, w)
	}
	if len(p.Saved) > 0 {
		p.saved(&b, w)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer never fails
	return b.String()
}

// describe says in words what the picture shows.
func (p *Picture) describe(w *vocabulary) string {
	if len(p.Saved) == 0 {
		return w.noSaving
	}
	last := p.Saved[len(p.Saved)-1]
	sure := w.sure
	if math.Abs(last.Saved) <= last.Half {
		sure = w.unsure
	}
	return fmt.Sprintf(w.total, w.number(last.Saved), w.number(last.Half), p.Unit, last.At.Format(time.DateOnly)) + " " + sure
}

// panel is a plot with its axes.
type panel struct {
	b          *bytes.Buffer
	left, top  float64
	x0, x1     float64
	y0, y1     float64
	w          *vocabulary
	timeOnAxis bool
}

func newPanel(b *bytes.Buffer, w *vocabulary, column, row int, title, xlabel, ylabel string) *panel {
	p := &panel{b: b, w: w, left: 70 + float64(column)*470, top: 70 + float64(row)*330}
	fmt.Fprintf(b, `<text x="%s" y="%s" font-weight="bold">%s</text>`+"\n", num(p.left), num(p.top-10), escape(title))
	fmt.Fprintf(b, `<text x="%s" y="%s" text-anchor="middle">%s</text>`+"\n", num(p.left+panelW/2), num(p.top+panelH+34), escape(xlabel))
	fmt.Fprintf(b, `<text transform="translate(%s %s) rotate(-90)" text-anchor="middle">%s</text>`+"\n", num(p.left-52), num(p.top+panelH/2), escape(ylabel))
	return p
}

// scale sets the ranges and draws the axes.
func (p *panel) scale(x0, x1, y0, y1 float64) {
	if !(x1 > x0) {
		x1 = x0 + 1
	}
	if !(y1 > y0) {
		y1 = y0 + 1
	}
	pad := 0.05 * (y1 - y0)
	p.x0, p.x1, p.y0, p.y1 = x0, x1, y0-pad, y1+pad
	fmt.Fprintf(p.b, `<rect x="%s" y="%s" width="%d" height="%d" fill="none" stroke="#555"/>`+"\n", num(p.left), num(p.top), panelW, panelH)
	for _, v := range ticks(p.y0, p.y1) {
		y := p.y(v)
		fmt.Fprintf(p.b, `<path d="M%s %sh%d" stroke="#ddd"/><text x="%s" y="%s" text-anchor="end" font-size="10">%s</text>`+"\n",
			num(p.left), num(y), panelW, num(p.left-5), num(y+4), escape(p.w.number(v)))
	}
	if p.timeOnAxis {
		p.months()
		return
	}
	for _, v := range ticks(p.x0, p.x1) {
		x := p.x(v)
		fmt.Fprintf(p.b, `<path d="M%s %sv4" stroke="#555"/><text x="%s" y="%s" text-anchor="middle" font-size="10">%s</text>`+"\n",
			num(x), num(p.top+panelH), num(x), num(p.top+panelH+16), escape(p.w.number(v)))
	}
}

// months marks the first of each quarter.
func (p *panel) months() {
	t := time.Unix(int64(p.x0), 0).UTC()
	for at := time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC); float64(at.Unix()) < p.x1; at = at.AddDate(0, 3, 0) {
		if x := float64(at.Unix()); x >= p.x0-86400 {
			fmt.Fprintf(p.b, `<path d="M%s %sv4" stroke="#555"/><text x="%s" y="%s" text-anchor="middle" font-size="10">%s</text>`+"\n",
				num(p.x(x)), num(p.top+panelH), num(p.x(x)), num(p.top+panelH+16), at.Format("2006-01"))
		}
	}
}

func (p *panel) x(v float64) float64 { return p.left + panelW*(v-p.x0)/(p.x1-p.x0) }
func (p *panel) y(v float64) float64 { return p.top + panelH - panelH*(v-p.y0)/(p.y1-p.y0) }

// line joins points.
func (p *panel) line(x, y []float64, style string) {
	var d strings.Builder
	pen := byte('M')
	for i := range x {
		if math.IsNaN(y[i]) {
			pen = 'M'
			continue
		}
		d.WriteByte(pen)
		d.WriteString(num(p.x(x[i])) + " " + num(p.y(y[i])))
		pen = 'L'
	}
	if !strings.Contains(style, "fill=") {
		style = `fill="none" ` + style
	}
	fmt.Fprintf(p.b, `<path d="%s" %s/>`+"\n", d.String(), style)
}

// dots marks points.
func (p *panel) dots(x, y []float64, style string) {
	var d strings.Builder
	for i := range x {
		if !math.IsNaN(y[i]) && !math.IsNaN(x[i]) {
			d.WriteString("M" + num(p.x(x[i])) + " " + num(p.y(y[i])) + "h0")
		}
	}
	fmt.Fprintf(p.b, `<path d="%s" stroke-linecap="round" %s/>`+"\n", d.String(), style)
}

// key names what is drawn, inside the panel at the top, so far to the right.
func (p *panel) key(i int, right float64, style, text string) {
	x, y := p.left+right, p.top+14+float64(i)*15
	fmt.Fprintf(p.b, `<path d="M%s %sh22" fill="none" %s/><text x="%s" y="%s" font-size="11">%s</text>`+"\n", num(x), num(y), style, num(x+28), num(y+4), escape(text))
}

func num(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }

// ticks are four to eight round numbers in a range.
func ticks(lo, hi float64) []float64 {
	raw := (hi - lo) / 5
	if !(raw > 0) || math.IsInf(raw, 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	var out []float64
	for v := math.Ceil(lo/step) * step; v <= hi && len(out) < 20; v += step {
		out = append(out, math.Round(v/step)*step+0) // no minus zero
	}
	return out
}

// bounds are least and greatest of the known numbers.
func bounds(many ...[]float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, x := range many {
		for _, v := range x {
			if !math.IsNaN(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if lo > hi {
		return 0, 1
	}
	return lo, hi
}
