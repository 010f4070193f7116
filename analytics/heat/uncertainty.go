package heat

import "math"

// leastSpreadK is the smallest temperature difference that a heat meter of
// EN 1434 is built for.
const leastSpreadK = 3.0

// MeterHalfWidth is the maximum permissible error of a complete heat meter of
// accuracy class 2 (EN 1434-1; Directive 2014/32/EU, annex VI, adds the three
// parts): flow sensor 2 + 0.02 qp/q, taken at qp/q = 10; temperature sensors
// 0.5 + 3 dTmin/dT; calculator 0.5 + dTmin/dT; in shares of one. Below dTmin the
// formula goes on growing: such a meter works outside its rating.
func MeterHalfWidth(spreadK float64) float64 {
	r := leastSpreadK / max(spreadK, 0.5)
	flow, sensors, calculator := 2.2, 0.5+3*r, 0.5+r
	return (flow + sensors + calculator) / 100
}

// estimateHalfWidth is that of heat filled into gaps from like times: our own
// measure, half of it.
const estimateHalfWidth = 0.5

// mendHalfWidth is that of heat from readings that were put right.
const mendHalfWidth = 0.1

// HalfWidthMWh is the half width at 90 % of the source's MWh. A measured source
// has the error of its meter at its mean spread, never below 2 %; other grades
// that of [Grade.HalfWidth]; the parts of gaps and mended windows add up to it in
// square, since they have other causes.
func (s *Source) HalfWidthMWh() float64 {
	base := s.Grade.HalfWidth()
	if s.Grade == GradeA && s.HighC > s.LowC {
		base = max(0.02, MeterHalfWidth(s.HighC-s.LowC))
	}
	return math.Hypot(base*(s.MWh-s.EstimatedMWh), math.Hypot(estimateHalfWidth*s.EstimatedMWh, mendHalfWidth*s.MendedMWh))
}
