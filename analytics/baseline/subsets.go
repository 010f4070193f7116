package baseline

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Rules say when a regression counts as valid.
type Rules struct {
	MaxVariables int     // variables tried together
	MaxModelP    float64 // of the F test of the whole model
	MaxTermP     float64 // of every variable
	OneTermP     float64 // of one variable at least, strictly below
	MinR2        float64
	WarnR2Adj    float64 // an adjusted R² below it is noted
}

// SEP are the rules of the Superior Energy Performance protocol (2019, 3.4.6) as
// VERIFI applies them, in the frame of ISO 50006.
func SEP() Rules {
	return Rules{MaxVariables: 4, MaxModelP: 0.1, MaxTermP: 0.2, OneTermP: 0.1, MinR2: 0.5, WarnR2Adj: 0.5}
}

// Subset is one of the models that were tried on a choice of variables.
type Subset struct {
	Variables []string `json:"variables"`
	Fit       *Fit     `json:"fit,omitempty"` // nil when it cannot be fitted
	Valid     bool     `json:"valid"`
	Reasons   []string `json:"reasons,omitempty"` // why it is not valid
	Notes     []string `json:"notes,omitempty"`   // said, but no reason
}

// Key joins the variables by "+".
func (s *Subset) Key() string { return strings.Join(s.Variables, "+") }

// Subsets fits the regression to every set of up to rules.MaxVariables of the
// variables, added to what the spec has already. All use the same rows, those on
// which every variable is known. They come by size, then in the order given.
func Subsets(frame *Frame, spec Spec, variables []string, rules Rules) ([]Subset, error) {
	if len(variables) == 0 || len(variables) > 16 {
		return nil, fmt.Errorf("%d variables to choose from: 1 to 16 can be tried", len(variables))
	}
	if err := frame.check(true); err != nil {
		return nil, err
	}
	common, err := knowing(frame, variables)
	if err != nil {
		return nil, err
	}
	var out []Subset
	for size := 1; size <= min(rules.MaxVariables, len(variables)); size++ {
		for _, names := range combinations(variables, size) {
			s := spec
			s.Drivers = append(slices.Clone(spec.Drivers), names...)
			one := Subset{Variables: names}
			fit, err := Linear(common, s)
			if err != nil {
				one.Reasons = []string{err.Error()}
			} else {
				one.Fit = fit
				one.judge(rules)
			}
			out = append(out, one)
		}
	}
	return out, nil
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

// judge applies the rules to a fit.
func (s *Subset) judge(r Rules) {
	f := s.Fit
	refuse := func(format string, a ...any) { s.Reasons = append(s.Reasons, fmt.Sprintf(format, a...)) }
	if f.FP > r.MaxModelP {
		refuse("the model's F test has p = %.3g, above %g", f.FP, r.MaxModelP)
	}
	least := math.Inf(1)
	for _, t := range f.Terms[1:] {
		if t.P > r.MaxTermP {
			refuse("%s has p = %.3g, above %g", t.Name, t.P, r.MaxTermP)
		}
		if t.Dropped {
			refuse("%s is constant or moves together with other variables", t.Name)
		}
		if t.Value < 0 {
			s.Notes = append(s.Notes, t.Name+" has a negative coefficient")
		}
		least = min(least, t.P)
	}
	if least >= r.OneTermP {
		refuse("no variable has p below %g", r.OneTermP)
	}
	if f.R2 < r.MinR2 {
		refuse("R² is %.3f, below %g", f.R2, r.MinR2)
	}
	if f.R2Adj < r.WarnR2Adj {
		s.Notes = append(s.Notes, fmt.Sprintf("adjusted R² is %.3f, below %g", f.R2Adj, r.WarnR2Adj))
	}
	s.Valid = len(s.Reasons) == 0
}

// BestValid is the valid model with the greatest adjusted R², with the record of
// all others.
func BestValid(all []Subset) (*Fit, error) {
	best := -1
	for i := range all {
		if all[i].Valid && (best < 0 || all[i].Fit.R2Adj > all[best].Fit.R2Adj) {
			best = i
		}
	}
	if best < 0 {
		return nil, fmt.Errorf("none of %d models is valid: %s", len(all), firstReasons(all))
	}
	f := *all[best].Fit
	f.Notes = append(slices.Clone(f.Notes), all[best].Notes...)
	f.Candidates = []Candidate{all[best].candidate("")}
	f.Tried = len(all)
	for i := range all {
		switch s := &all[i]; {
		case i == best:
		case s.Valid:
			f.Candidates = append(f.Candidates, s.candidate(whyR2Adj))
		default:
			f.Candidates = append(f.Candidates, s.candidate(strings.Join(s.Reasons, "; ")))
		}
	}
	return &f, nil
}

func (s *Subset) candidate(why string) Candidate {
	c := Candidate{Model: "linear", Variables: s.Key(), Why: why}
	if f := s.Fit; f != nil {
		c.Model, c.SSE, c.P, c.R2Adj, c.Criterion = f.Model, f.SSE, f.P, f.R2Adj, -f.R2Adj
	}
	return c
}

func firstReasons(all []Subset) string {
	var out []string
	for i := range all[:min(3, len(all))] {
		if r := all[i].Reasons; len(r) > 0 {
			out = append(out, all[i].Key()+": "+r[0])
		}
	}
	return strings.Join(out, "; ")
}
