package baseline

import (
	"fmt"
	"math"
)

// Fit is a fitted model. It predicts any frame with [Fit.Predict], and its JSON
// form holds all that this needs.
type Fit struct {
	Model        string             `json:"model"` // family: "3PH", "CalTRACK 2.0 daily", ...
	Spec         Spec               `json:"spec"`
	Terms        []Term             `json:"terms"` // the intercept first
	ChangePoints []ChangePointValue `json:"change_points,omitempty"`
	Metrics
	// Inverse is (JᵀWJ)⁻¹ over the parameters in the order of [Fit.Parameters];
	// times SSE/(n-p) it is the covariance when the scatter is independent.
	Inverse    [][]float64      `json:"inverse,omitempty"`
	Ranges     map[string]Range `json:"ranges,omitempty"`     // of temperature and drivers in the rows used
	Candidates []Candidate      `json:"candidates,omitempty"` // what was tried, the chosen one first
	Tried      int              `json:"tried,omitempty"`      // number of models tried, those of balance point grids included
	Notes      []string         `json:"notes,omitempty"`
	Hourly     *Hourly          `json:"hourly,omitempty"` // coefficients of hourly models
}

// Term is a linear coefficient.
type Term struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	SE    float64 `json:"se"` // standard error, the scatter taken as independent
	P     float64 `json:"p"`  // two-sided, of the hypothesis that it is zero
	// Dropped marks a regressor that is constant or moves together with those
	// before it: its coefficient is set to zero.
	Dropped bool `json:"dropped,omitempty"`
}

// ChangePointValue is a temperature where the response bends.
type ChangePointValue struct {
	Name     string  `json:"name"`
	C        float64 `json:"c"`            // degC
	SE       float64 `json:"se,omitempty"` // when it was searched over all temperatures
	Searched bool    `json:"searched,omitempty"`
}

// Range describes a variable over the rows of a fit.
type Range struct {
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"` // of the sample, n-1
}

// Candidate is a model that was tried.
type Candidate struct {
	Name      string  `json:"name,omitempty"` // "3PH+off+tonnes", of a choice
	Model     string  `json:"model"`
	Variables string  `json:"variables,omitempty"` // names joined by "+"
	HeatC     float64 `json:"heat_c,omitempty"`
	CoolC     float64 `json:"cool_c,omitempty"`
	N         int     `json:"n,omitempty"`
	SSE       float64 `json:"sse"`
	P         int     `json:"p"` // parameters
	R2        float64 `json:"r2,omitempty"`
	R2Adj     float64 `json:"r2_adj"`
	FP        float64 `json:"f_p,omitempty"`
	CVRMSEAdj float64 `json:"cvrmse_adj,omitempty"`
	// Criterion is the figure that decided, less is better: of a choice, the CV(RMSE)
	// of what was left out; of a grid of balance points, minus the adjusted R².
	Criterion float64 `json:"criterion"`
	Why       string  `json:"why,omitempty"` // it lost; empty for the chosen one
}

// Coefficient is the value of a term.
func (f *Fit) Coefficient(name string) (float64, bool) {
	for _, t := range f.Terms {
		if t.Name == name {
			return t.Value, true
		}
	}
	return 0, false
}

// Balance is a change point in degC.
func (f *Fit) Balance(name string) (float64, bool) {
	for _, c := range f.ChangePoints {
		if c.Name == name {
			return c.C, true
		}
	}
	return 0, false
}

// Parameters names what was estimated: the terms, then the searched change
// points. Rows of [Fit.Jacobian] are in this order.
func (f *Fit) Parameters() []string {
	var names []string
	for _, t := range f.Terms {
		names = append(names, t.Name)
	}
	for _, c := range f.ChangePoints {
		if c.Searched {
			names = append(names, c.Name)
		}
	}
	return names
}

// Predict gives the energy of every interval of a frame; NaN where a variable is
// not known. It is never clipped.
func (f *Fit) Predict(frame *Frame) ([]float64, error) {
	if err := frame.check(false); err != nil {
		return nil, err
	}
	if f.Hourly != nil {
		return f.Hourly.predict(frame)
	}
	d, err := newDesign(&f.Spec, frame)
	if err != nil {
		return nil, err
	}
	x := d.columns(f.ChangePoints)
	y := make([]float64, frame.Len())
	for i := range y {
		s := 0.0
		for j := range f.Terms {
			s += float64(f.Terms[j].Value * x[j][i])
		}
		if f.Spec.PerDay {
			s *= frame.days(i)
		}
		y[i] = s
	}
	return y, nil
}

// Jacobian gives the derivatives of the prediction of every interval to the
// parameters, in the order of [Fit.Parameters]: for a change point, slope times
// the share of the interval's days on its active side. Rows with an unknown
// variable are NaN. Hourly models have too many parameters for it: see
// [Fit.Influence].
func (f *Fit) Jacobian(frame *Frame) ([][]float64, error) {
	if f.Hourly != nil {
		return nil, fmt.Errorf("the hourly model %s gives no derivatives by row: use its influence", f.Model)
	}
	if err := frame.check(false); err != nil {
		return nil, err
	}
	d, err := newDesign(&f.Spec, frame)
	if err != nil {
		return nil, err
	}
	columns := d.jacobian(f)
	rows := make([][]float64, frame.Len())
	room := make([]float64, len(rows)*len(columns))
	for i := range rows {
		rows[i], room = room[:len(columns):len(columns)], room[len(columns):]
		scale := 1.0
		if f.Spec.PerDay {
			scale = frame.days(i)
		}
		for j := range columns {
			rows[i][j] = columns[j][i] * scale
		}
	}
	return rows, nil
}

// number is a float that JSON can hold: what is not finite becomes zero.
func number(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
