package baseline

import (
	"fmt"
	"slices"
)

// Shape is the response to temperature. T is the temperature of the interval; on
// intervals longer than a day, every term is averaged over its days.
type Shape string

// The shapes; h and c are change points.
const (
	Mean       Shape = "mean" // no temperature: y = a
	TwoP       Shape = "2P"   // y = a + b T
	ThreePHeat Shape = "3PH"  // y = a + b max(h-T, 0), b >= 0
	ThreePCool Shape = "3PC"  // y = a + b max(T-c, 0), b >= 0
	FourP      Shape = "4P"   // y = a + b max(c-T, 0) + d max(T-c, 0), b + d >= 0
	FiveP      Shape = "5P"   // y = a + b max(h-T, 0) + d max(T-c, 0), h <= c, b >= 0, d >= 0
	SixP       Shape = "6P"   // y = a + s T + b max(h-T, 0) + d max(T-c, 0): 5P whose middle may slope, as nmecr has it
)

// Shapes are those tried when nobody says, from few parameters to many. 6P is
// not among them: it has no reading in terms of a building.
var Shapes = []Shape{Mean, TwoP, ThreePHeat, ThreePCool, FourP, FiveP}

// Names of terms and change points.
const (
	Intercept   = "intercept"
	Slope       = "temperature"    // of 2P and of the middle of 6P, per degC
	Heating     = "heating"        // per degC below the balance point
	Cooling     = "cooling"        // per degC above the balance point
	HeatBalance = "heat_balance_c" // h, degC
	CoolBalance = "cool_balance_c" // c of 3PC and 5P, degC
	ChangePoint = "change_point_c" // c of 4P, degC
)

// Spec says what stands on the right-hand side of a regression.
type Spec struct {
	Shape    Shape    `json:"shape"`
	HeatC    *float64 `json:"heat_c,omitempty"` // balance point of heating when it is given and not searched, degC
	CoolC    *float64 `json:"cool_c,omitempty"` // balance point of cooling when given; of 4P, either
	Drivers  []string `json:"drivers,omitempty"`
	Calendar []Effect `json:"calendar,omitempty"`
	// PerDay regresses energy per day, weighted with the days of each interval
	// (CalTRACK 2.0, section 3.4.2); drivers are taken per day too.
	PerDay bool `json:"per_day,omitempty"`
	// MinSegment is the least number of rows (days, for rows of several days) on
	// either side of a searched change point. 0 stands for a twentieth of them,
	// but 3 to 10.
	MinSegment int `json:"min_segment,omitempty"`
	// AnySign lets the slopes of searched change points have any sign.
	AnySign bool `json:"any_sign,omitempty"`
}

// changePoints names the change points of the shape and says which are given.
func (s *Spec) changePoints() []ChangePointValue {
	point := func(name string, given *float64) ChangePointValue {
		p := ChangePointValue{Name: name, Searched: given == nil}
		if given != nil {
			p.C = *given
		}
		return p
	}
	switch s.Shape {
	case ThreePHeat:
		return []ChangePointValue{point(HeatBalance, s.HeatC)}
	case ThreePCool:
		return []ChangePointValue{point(CoolBalance, s.CoolC)}
	case FourP:
		given := s.HeatC
		if given == nil {
			given = s.CoolC
		}
		return []ChangePointValue{point(ChangePoint, given)}
	case FiveP, SixP:
		return []ChangePointValue{point(HeatBalance, s.HeatC), point(CoolBalance, s.CoolC)}
	}
	return nil
}

func (s *Spec) check() error {
	if s.Shape != SixP && !slices.Contains(Shapes, s.Shape) {
		return fmt.Errorf("no such shape of the temperature response: %q; there are %v and %s", s.Shape, Shapes, SixP)
	}
	two := s.Shape == FiveP || s.Shape == SixP
	if two && (s.HeatC == nil) != (s.CoolC == nil) {
		return fmt.Errorf("%s takes both balance points or none", s.Shape)
	}
	if two && s.HeatC != nil && *s.HeatC > *s.CoolC {
		return fmt.Errorf("%s: the balance point of heating (%g) lies above that of cooling (%g)", s.Shape, *s.HeatC, *s.CoolC)
	}
	names := s.termNames()
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return fmt.Errorf("two terms are called %q", n)
		}
	}
	for _, e := range s.Calendar {
		if err := e.check(); err != nil {
			return err
		}
	}
	return nil
}

// termNames are the names of the linear coefficients, the intercept first.
func (s *Spec) termNames() []string {
	names := []string{Intercept}
	switch s.Shape {
	case TwoP:
		names = append(names, Slope)
	case ThreePHeat:
		names = append(names, Heating)
	case ThreePCool:
		names = append(names, Cooling)
	case FourP, FiveP:
		names = append(names, Heating, Cooling)
	case SixP:
		names = append(names, Slope, Heating, Cooling)
	}
	names = append(names, s.Drivers...)
	for _, e := range s.Calendar {
		names = append(names, e.Name())
	}
	return names
}

// minSegment is the least number of n rows or days beside a change point.
func (s *Spec) minSegment(n int) int {
	if s.MinSegment > 0 {
		return s.MinSegment
	}
	return min(10, max(3, n/20))
}
