// Package chart holds the models of the pages' charts: what is drawn, without
// how. A model goes into its page as a JSON data block, which assets/charts.js
// hands to ECharts; nothing in it is executable.
//
// Instants are written as the wall clock of Paris taken for UTC (milliseconds),
// so that days begin at the port's midnight wherever the reader sits; the table
// beside each chart has the true times. A number that is missing is null: lines
// break there and are never joined.
package chart

import (
	"encoding/json"
	"math"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Model is a chart that can be drawn: Time, Bars, Sankey or Heatmap.
type Model interface{ kind() string }

// Point is an abscissa and a number that may be missing (NaN).
type Point struct{ X, Y float64 }

// MarshalJSON writes [x, y] or [x, null].
func (p Point) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{p.X, orNull(p.Y)}) }

// Range is an abscissa and an interval; both ends are NaN where it is missing.
type Range struct{ X, Low, High float64 }

// MarshalJSON writes [x, low, high], null where missing.
func (r Range) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]any{r.X, orNull(r.Low), orNull(r.High)})
}

func orNull(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// At is the abscissa of an instant.
func At(t time.Time) float64 {
	_, offset := t.In(calendar.Paris).Zone()
	return float64(t.UnixMilli() + int64(offset)*1000)
}

// Line is one series of a Time chart. Colour is the name of a style colour:
// heat, water, electricity, gas, material, service, accent, soft.
type Line struct {
	Name   string  `json:"name"`
	Colour string  `json:"colour"`
	Shape  string  `json:"shape,omitempty"` // "" line, "bar", "step" (holds from its abscissa on), "stair" (holds up to it)
	Dashed bool    `json:"dashed,omitempty"`
	Area   bool    `json:"area,omitempty"`
	Points []Point `json:"points"`
	Band   []Range `json:"band,omitempty"`
}

// Mark is a line across the chart with a word: an event at an instant, or a level.
type Mark struct {
	At    float64 `json:"at"`
	Label string  `json:"label"`
}

// Time is lines over time, or over a number when Axis is "number".
type Time struct {
	Axis   string  `json:"axis,omitempty"`
	XUnit  string  `json:"xunit,omitempty"`
	Unit   string  `json:"unit"`            // in words, on the axis
	Short  string  `json:"short,omitempty"` // beside a number
	Zero   bool    `json:"zero,omitempty"`  // the axis begins at zero
	Hours  bool    `json:"hours,omitempty"` // instants within days matter
	From   float64 `json:"from,omitempty"`
	To     float64 `json:"to,omitempty"`
	Series []Line  `json:"series"`
	Events []Mark  `json:"events,omitempty"`
	Levels []Mark  `json:"levels,omitempty"`
}

// Bar is one series of Bars; Strength 0 to 1 fades it.
type Bar struct {
	Name     string    `json:"name"`
	Colour   string    `json:"colour"`
	Strength float64   `json:"strength,omitempty"`
	Values   []float64 `json:"values"`
}

// MarshalJSON writes the bar, null for a number that is missing.
func (b Bar) MarshalJSON() ([]byte, error) {
	type plain Bar
	values := make([]any, len(b.Values))
	for i, v := range b.Values {
		values[i] = orNull(v)
	}
	return json.Marshal(struct {
		plain
		Values []any `json:"values"`
	}{plain(b), values})
}

// Bars is amounts by category.
type Bars struct {
	Unit       string   `json:"unit"`
	Short      string   `json:"short,omitempty"`
	Categories []string `json:"categories"`
	Stacked    bool     `json:"stacked,omitempty"`
	Series     []Bar    `json:"series"`
}

// Node is a box of a Sankey diagram, in column Depth.
type Node struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Depth int    `json:"depth"`
}

// Link is a flow between two nodes. Weight is its width; Label says its amount.
type Link struct {
	Source string  `json:"source"`
	Target string  `json:"target"`
	Weight float64 `json:"weight"`
	Label  string  `json:"label"`
	Colour string  `json:"colour"`
}

// Sankey is who gives what to whom.
type Sankey struct {
	Nodes []Node `json:"nodes"`
	Links []Link `json:"links"`
}

// Cell is one square of a Heatmap: column, row, number.
type Cell struct {
	Column, Row int
	Number      float64
}

// MarshalJSON writes [column, row, number].
func (c Cell) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]any{c.Column, c.Row, orNull(c.Number)})
}

// Heatmap is a table of shades: hours of the day down, days across.
type Heatmap struct {
	Unit    string   `json:"unit"`
	Short   string   `json:"short,omitempty"`
	Colour  string   `json:"colour"`
	Columns []string `json:"columns"`
	Rows    []string `json:"rows"`
	Cells   []Cell   `json:"cells"`
}

func (Time) kind() string    { return "time" }
func (Bars) kind() string    { return "bars" }
func (Sankey) kind() string  { return "sankey" }
func (Heatmap) kind() string { return "heatmap" }

// JSON writes a model with its kind, as charts.js reads it.
func JSON(m Model) (json.RawMessage, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	head := `{"kind":"` + m.kind() + `"`
	if len(b) > 2 {
		head += ","
	}
	return json.RawMessage(head + string(b[1:])), nil
}

// Missing is the number of a point that is not there.
var Missing = math.NaN()
