package baseline

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Rules say when a regression counts as valid.
type Rules struct {
	MaxModelP float64 // of the F test of the whole model
	MaxTermP  float64 // of every variable
	OneTermP  float64 // of one variable at least, strictly below
	MinR2     float64
	WarnR2Adj float64 // an adjusted R² below it is noted
}

// SEP are the rules of the Superior Energy Performance protocol (2019, 3.4.6) as
// VERIFI applies them, in the frame of ISO 50006.
func SEP() Rules {
	return Rules{MaxModelP: 0.1, MaxTermP: 0.2, OneTermP: 0.1, MinR2: 0.5, WarnR2Adj: 0.5}
}

// reasons says why a regression is not valid by the rules; none: it is.
func (r *Rules) reasons(f *Fit) []string {
	var out []string
	refuse := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	if f.FP > r.MaxModelP {
		refuse("the model's F test has p = %.3g, above %g", f.FP, r.MaxModelP)
	}
	least := math.Inf(1)
	for _, t := range f.Terms[1:] {
		if t.P > r.MaxTermP {
			refuse("%s has p = %.3g, above %g", t.Name, t.P, r.MaxTermP)
		}
		least = min(least, t.P)
	}
	if least >= r.OneTermP {
		refuse("no variable has p below %g", r.OneTermP)
	}
	if f.R2 < r.MinR2 {
		refuse("R² is %.3f, below %g", f.R2, r.MinR2)
	}
	return out
}

// notes are what the rules say of a valid regression beside.
func (r *Rules) notes(f *Fit) []string {
	var out []string
	for _, t := range f.Terms[1:] {
		if t.Value < 0 {
			out = append(out, t.Name+" has a negative coefficient")
		}
	}
	if f.R2Adj < r.WarnR2Adj {
		out = append(out, fmt.Sprintf("adjusted R² is %.3f, below %g", f.R2Adj, r.WarnR2Adj))
	}
	return out
}

// knowing is the frame with the energy unknown where one of the variables is.
func knowing(frame *Frame, variables []string) (*Frame, error) {
	g := *frame
	g.Energy = slices.Clone(frame.Energy)
	for _, name := range variables {
		x, ok := frame.Drivers[name]
		if !ok {
			return nil, fmt.Errorf("the table has no driver %q; it has %s", name, strings.Join(sortedNames(frame.Drivers), ", "))
		}
		for i, v := range x {
			if math.IsNaN(v) {
				g.Energy[i] = math.NaN()
			}
		}
	}
	return &g, nil
}

// combinations lists the sets of size names, in their order.
func combinations(names []string, size int) [][]string {
	if size == 0 {
		return [][]string{nil}
	}
	var out [][]string
	for i := 0; i+size <= len(names); i++ {
		for _, rest := range combinations(names[i+1:], size-1) {
			out = append(out, append([]string{names[i]}, rest...))
		}
	}
	return out
}
