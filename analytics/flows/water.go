package flows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Operation is a use of water that adds a load of contaminant.
type Operation struct {
	Name    string
	LoadKgH float64 // mass of contaminant taken up, kg/h
	InMax   float64 // highest concentration it accepts, ppm by mass
	OutMax  float64 // highest concentration it may leave with, ppm
}

// WaterCase is a water-reuse problem.
type WaterCase struct {
	ID, Title  string
	Operations []Operation
	FreshPPM   float64 // contaminant in fresh water
}

// WaterTarget is the least flows of fresh water.
type WaterTarget struct {
	WithoutReuseTH float64 // t/h, every operation on fresh water
	WithReuseTH    float64 // t/h, the least with reuse
	// PinchPPM is the concentration at which the water supply touches the limiting
	// composite curve; several in rare cases, the lowest first.
	PinchPPM []float64
	// Composite is the limiting composite curve: mass load taken up below each
	// concentration, as (kg/h, ppm).
	Composite [][2]float64
}

// maxWaterCase bounds a case file, in bytes.
const maxWaterCase = 16 << 20

// ParseWaterCase reads a water-reuse case. Errors name the operation at fault.
func ParseWaterCase(data []byte) (*WaterCase, error) {
	if len(data) > maxWaterCase {
		return nil, fmt.Errorf("case of %d bytes: more than %d", len(data), maxWaterCase)
	}
	type inputs struct {
		Operations []struct {
			Name json.RawMessage `json:"name"`
			Load *float64        `json:"mass_load_kg_h"`
			In   *float64        `json:"c_in_max_ppm"`
			Out  *float64        `json:"c_out_max_ppm"`
		} `json:"operations"`
		Fresh float64 `json:"freshwater_ppm"`
	}
	var file struct {
		ID     string  `json:"id"`
		Title  string  `json:"title"`
		Inputs *inputs `json:"inputs"`
	}
	if b := bytes.TrimSpace(data); len(b) > 0 && b[0] == '[' {
		return nil, errors.New("not a case: want an object, got a list")
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("not a case: %w", err)
	}
	if file.Inputs == nil {
		file.Inputs = &inputs{}
		if err := json.Unmarshal(data, file.Inputs); err != nil {
			return nil, fmt.Errorf("not a case: %w", err)
		}
	}
	c := &WaterCase{ID: file.ID, Title: file.Title, FreshPPM: file.Inputs.Fresh}
	for i, o := range file.Inputs.Operations {
		var name string
		if json.Unmarshal(o.Name, &name) != nil || name == "" {
			name = fmt.Sprint(i + 1)
		}
		for key, x := range map[string]*float64{"mass_load_kg_h": o.Load, "c_in_max_ppm": o.In, "c_out_max_ppm": o.Out} {
			if x == nil {
				return nil, fmt.Errorf("operation %q: %s is missing", name, key)
			}
		}
		c.Operations = append(c.Operations, Operation{Name: name, LoadKgH: *o.Load, InMax: *o.In, OutMax: *o.Out})
	}
	return c, c.check()
}

func (c *WaterCase) check() error {
	if len(c.Operations) == 0 {
		return errors.New("no operations")
	}
	if !(c.FreshPPM >= 0 && c.FreshPPM < 1e6) {
		return fmt.Errorf("freshwater_ppm %v: want 0 to a million", c.FreshPPM)
	}
	for _, o := range c.Operations {
		switch {
		case !(o.LoadKgH >= 0 && o.LoadKgH <= 1e9):
			return fmt.Errorf("operation %q: mass load of %v kg/h: want 0 or more, and a thousand million at most", o.Name, o.LoadKgH)
		case !(o.InMax >= 0) || o.OutMax > 1e6:
			return fmt.Errorf("operation %q: concentrations %v to %v ppm: want 0 to a million", o.Name, o.InMax, o.OutMax)
		case !(o.OutMax-o.InMax >= 1e-9):
			return fmt.Errorf("operation %q: outlet of %v ppm is not above the inlet of %v ppm", o.Name, o.OutMax, o.InMax)
		case o.InMax < c.FreshPPM:
			return fmt.Errorf("operation %q: accepts %v ppm at most and fresh water has %v ppm: infeasible without treatment", o.Name, o.InMax, c.FreshPPM)
		}
	}
	return nil
}

// WaterTargets computes the least fresh water of a case: the steepest supply
// line from the fresh water's concentration that stays below the limiting
// composite curve,
//
//	fresh = max over c of load(c) / (c - c_fresh)
//
// with load(c) the mass load that the operations' limiting profiles take up
// below c. One kg/h in a rise of one ppm takes 1000 t/h.
func WaterTargets(c *WaterCase) (WaterTarget, error) {
	if err := c.check(); err != nil {
		return WaterTarget{}, err
	}
	var at []float64
	var t WaterTarget
	for _, o := range c.Operations {
		at = append(at, o.InMax, o.OutMax)
		t.WithoutReuseTH += 1000 * o.LoadKgH / (o.OutMax - c.FreshPPM)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	flows := make([]float64, len(at))
	for i, ppm := range at {
		load := 0.0
		for _, o := range c.Operations {
			load += o.LoadKgH * min(max((ppm-o.InMax)/(o.OutMax-o.InMax), 0), 1)
		}
		t.Composite = append(t.Composite, [2]float64{load, ppm})
		if ppm > c.FreshPPM {
			flows[i] = 1000 * load / (ppm - c.FreshPPM)
			t.WithReuseTH = max(t.WithReuseTH, flows[i])
		}
	}
	for i, ppm := range at {
		if t.WithReuseTH > 0 && flows[i] >= t.WithReuseTH*(1-1e-9) {
			t.PinchPPM = append(t.PinchPPM, ppm)
		}
	}
	return t, nil
}

// Answer is the targets under the keys of the open cases.
func (c *WaterCase) Answer() (map[string]any, error) {
	t, err := WaterTargets(c)
	if err != nil {
		return nil, err
	}
	a := map[string]any{"fresh_without_reuse_t_h": tidy(t.WithoutReuseTH), "fresh_min_with_reuse_t_h": tidy(t.WithReuseTH),
		"saving_fraction": 0.0, "limiting_composite_kg_h_ppm": t.Composite}
	if t.WithoutReuseTH > 0 {
		a["saving_fraction"] = tidy(1 - t.WithReuseTH/t.WithoutReuseTH)
	}
	if len(t.PinchPPM) > 0 {
		a["pinch_ppm"] = t.PinchPPM[0]
	}
	if len(t.PinchPPM) > 1 {
		a["pinches_ppm"] = t.PinchPPM
	}
	operations := []any{}
	for _, o := range c.Operations {
		operations = append(operations, map[string]any{"name": o.Name, "fresh_alone_t_h": tidy(1000 * o.LoadKgH / (o.OutMax - c.FreshPPM)),
			"limiting_flow_t_h": tidy(1000 * o.LoadKgH / (o.OutMax - o.InMax))})
	}
	a["operations"] = operations
	return a, nil
}

// tidy takes the noise of floating point from a figure.
func tidy(x float64) float64 { return math.Round(x*1e9) / 1e9 }
