package pinch

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Batch is a stream that is there from From to To (h) of a repeating cycle; a
// stream whose To is before its From runs over the cycle's end.
type Batch struct {
	Stream
	From, To float64
}

// Slice is a part of the cycle in which the same streams run.
type Slice struct {
	From, To                     float64 // h
	HotKWh, ColdKWh, RecoveryKWh float64
	HotUtilityKW, ColdUtilityKW  float64
	PinchesShifted               []float64
	present                      []Stream
}

// BatchTargets are the targets of a cycle.
type BatchTargets struct {
	Slices                       []Slice
	HotKWh, ColdKWh, RecoveryKWh float64 // direct exchange only: both streams run
	Average                      Targets // every stream spread over the cycle
	RecoveryBoundKWh             float64 // no storage recovers more in a cycle
}

// TimeSlices computes the targets of a cycle (the time-slice and time-average
// models of Kemp and Deakin, Chemical Engineering Research and Design 67, 1989):
// slice by slice for direct exchange, and with all heat spread over the cycle for
// the bound that storage without loss could reach.
func TimeSlices(streams []Batch, cycleH float64) (BatchTargets, error) {
	var out BatchTargets
	if !(cycleH > 0) || math.IsInf(cycleH, 0) {
		return out, fmt.Errorf("cycle of %v h: want more than 0", cycleH)
	}
	if len(streams) == 0 {
		return out, errors.New("time slices: no streams")
	}
	var at []float64
	var spread []Stream
	runs := make([][][2]float64, len(streams))
	for i, s := range streams {
		if !(s.From >= 0) || !(s.To >= 0) || s.From > cycleH || s.To > cycleH || s.From == s.To {
			return out, fmt.Errorf("stream %q: from %v h to %v h does not lie in a cycle of %v h", s.Name, s.From, s.To, cycleH)
		}
		runs[i] = [][2]float64{{s.From, s.To}}
		if s.To < s.From {
			runs[i] = [][2]float64{{s.From, cycleH}, {0, s.To}}
		}
		mean := s.Stream
		hours := 0.0
		for _, r := range runs[i] {
			at = append(at, r[0], r[1])
			hours += r[1] - r[0]
		}
		mean.Q *= hours / cycleH
		spread = append(spread, mean)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	for k := 1; k < len(at); k++ {
		sl := Slice{From: at[k-1], To: at[k]}
		for i, s := range streams {
			if slices.ContainsFunc(runs[i], func(r [2]float64) bool { return r[0] <= sl.From && r[1] >= sl.To }) {
				sl.present = append(sl.present, s.Stream)
			}
		}
		if len(sl.present) > 0 {
			t, err := Cascade(sl.present)
			if err != nil {
				return out, fmt.Errorf("slice from %v h to %v h: %w", sl.From, sl.To, err)
			}
			hours := sl.To - sl.From
			sl.HotUtilityKW, sl.ColdUtilityKW, sl.PinchesShifted = t.HotUtilityKW, t.ColdUtilityKW, t.Pinches
			sl.HotKWh, sl.ColdKWh, sl.RecoveryKWh = t.HotUtilityKW*hours, t.ColdUtilityKW*hours, t.RecoveryKW*hours
		}
		out.HotKWh += sl.HotKWh
		out.ColdKWh += sl.ColdKWh
		out.RecoveryKWh += sl.RecoveryKWh
		out.Slices = append(out.Slices, sl)
	}
	var err error
	if out.Average, err = Cascade(spread); err != nil {
		return out, fmt.Errorf("time average: %w", err)
	}
	out.RecoveryBoundKWh = out.Average.RecoveryKW * cycleH
	return out, nil
}

// PeriodTargets are targets of each period and their weighted means.
type PeriodTargets struct {
	Periods                       []Targets
	WeightedHotKW, WeightedColdKW float64
}

// Periods computes each period on its own and the means of the utilities,
// weighted by how long each lasts (any unit). What is recovered never passes
// from one period to another.
func Periods(periods [][]Stream, weights []float64) (PeriodTargets, error) {
	var out PeriodTargets
	if len(periods) == 0 || len(weights) != len(periods) {
		return out, fmt.Errorf("%d periods and %d weights", len(periods), len(weights))
	}
	total := 0.0
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return out, fmt.Errorf("weight %v of period %d", w, i+1)
		}
		total += w
	}
	if total == 0 {
		return out, errors.New("all weights are 0")
	}
	for i, streams := range periods {
		var t Targets
		if len(streams) > 0 { // a period may be idle
			var err error
			if t, err = Cascade(streams); err != nil {
				return out, fmt.Errorf("period %d: %w", i+1, err)
			}
		}
		out.Periods = append(out.Periods, t)
		out.WeightedHotKW += float64(t.HotUtilityKW * (weights[i] / total))
		out.WeightedColdKW += float64(t.ColdUtilityKW * (weights[i] / total))
	}
	return out, nil
}
