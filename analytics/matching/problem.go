package matching

import (
	"errors"
	"fmt"
	"math"
)

// Stream is a source of heat or a need for it, step by step.
type Stream struct {
	ID string
	KW []float64 // heat offered or wanted; NaN and 0: nothing
	// HighC and LowC bound the heat on the shifted temperature scale, degC: a source
	// already lowered by its contribution to the approach, a sink raised by its own.
	// Heat is spread evenly between them; equal, it is latent.
	HighC, LowC []float64
}

// Problem is the matching of sources and sinks over steps of equal length.
type Problem struct {
	Steps   int
	Hours   float64 // length of a step
	Sources []Stream
	Sinks   []Stream
	// Gain is the share of the heat taken from a source that reaches a sink,
	// [source][sink]; 0 where the pair is not allowed.
	Gain [][]float64
	// Weight is what a unit of delivered heat counts for, [source][sink]; nil counts
	// each as 1. A weight of 0 or less forbids the pair.
	Weight [][]float64
	// Lifts are the pairs that a heat pump may serve beside direct exchange, Machine
	// what such machines do.
	Lifts   []Lift
	Machine Machine
}

// Check refuses what cannot be computed, naming the stream.
func (p *Problem) Check() error {
	if p.Steps < 1 || !(p.Hours > 0) {
		return fmt.Errorf("matching: %d steps of %v h", p.Steps, p.Hours)
	}
	if len(p.Sources) == 0 || len(p.Sinks) == 0 {
		return errors.New("matching: no source or no sink")
	}
	if len(p.Gain) != len(p.Sources) || p.Weight != nil && len(p.Weight) != len(p.Sources) {
		return errors.New("matching: gains or weights do not fit the sources")
	}
	for i, s := range p.Sources {
		if len(p.Gain[i]) != len(p.Sinks) || p.Weight != nil && len(p.Weight[i]) != len(p.Sinks) {
			return fmt.Errorf("matching: source %s: gains or weights do not fit the sinks", s.ID)
		}
		for j, g := range p.Gain[i] {
			if !(g >= 0 && g <= 1) {
				return fmt.Errorf("matching: %s to %s: a share of %v arrives", s.ID, p.Sinks[j].ID, g)
			}
		}
	}
	for _, s := range append(append([]Stream{}, p.Sources...), p.Sinks...) {
		if len(s.KW) != p.Steps || len(s.HighC) != p.Steps || len(s.LowC) != p.Steps {
			return fmt.Errorf("matching: %s: series of %d, %d and %d steps, want %d", s.ID, len(s.KW), len(s.HighC), len(s.LowC), p.Steps)
		}
		for i, q := range s.KW {
			if q < 0 || math.IsInf(q, 0) {
				return fmt.Errorf("matching: %s: step %d: heat of %v kW", s.ID, i, q)
			}
		}
	}
	return p.checkLifts()
}

// weight is the worth of delivered heat on a pair.
func (p *Problem) weight(s, d int) float64 {
	if p.Weight == nil {
		return 1
	}
	return p.Weight[s][d]
}

// running says whether a stream has heat at known temperatures in a step.
func (s *Stream) running(i int) bool {
	return s.KW[i] > 0 && !math.IsNaN(s.HighC[i]) && !math.IsNaN(s.LowC[i])
}

// Scaled are the streams with their heat times a factor.
func Scaled(list []Stream, factor float64) []Stream {
	out := make([]Stream, len(list))
	for k, s := range list {
		out[k] = s
		out[k].KW = make([]float64, len(s.KW))
		for i, q := range s.KW {
			out[k].KW[i] = q * factor
		}
	}
	return out
}

// Warmed are the streams at temperatures changed by some kelvin.
func Warmed(list []Stream, kelvin float64) []Stream {
	out := make([]Stream, len(list))
	for k, s := range list {
		out[k] = s
		out[k].HighC, out[k].LowC = make([]float64, len(s.HighC)), make([]float64, len(s.LowC))
		for i := range s.HighC {
			out[k].HighC[i], out[k].LowC[i] = s.HighC[i]+kelvin, s.LowC[i]+kelvin
		}
	}
	return out
}
