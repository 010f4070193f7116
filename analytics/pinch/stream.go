package pinch

import (
	"fmt"
	"math"
)

// Stream is a flow of heat in pinch analysis: cooled from TS to TT (hot), or
// heated (cold), in degC.
type Stream struct {
	Name string
	TS   float64 // supply temperature
	TT   float64 // target temperature
	Q    float64 // heat given off or taken, kW, positive
	DTC  float64 // the stream's own contribution to the approach, K
	Hot  bool    // gives heat off; needed for latent streams, TS == TT
	Zone string
}

// NewStream makes a stream from a heat capacity flow (kW/K) or a heat load (kW),
// whichever is not NaN. kind is "hot", "cold" or "", and needed when ts == tt: a
// latent stream is a jump of enthalpy at one temperature.
func NewStream(name string, ts, tt, cp, q, dtc float64, kind string) (Stream, error) {
	s := Stream{Name: name, TS: ts, TT: tt, DTC: dtc}
	bad := func(format string, args ...any) (Stream, error) {
		return Stream{}, fmt.Errorf("stream %q: %s", name, fmt.Sprintf(format, args...))
	}
	for _, t := range []float64{ts, tt} {
		switch {
		case math.IsNaN(t):
			return bad("a temperature is missing; want ts and tt, in degC")
		case t < -273.15:
			return bad("temperature %v degC is impossible: below absolute zero", t)
		case t > 5000:
			return bad("temperature %v degC is impossible", t)
		}
	}
	if !(dtc >= 0 && dtc <= 1000) {
		return bad("contribution to the approach %v K: want 0 or more, and 1000 at most", dtc)
	}
	switch {
	case ts > tt:
		s.Hot = true
	case ts == tt && kind != "hot" && kind != "cold":
		return bad("supply and target are both %v degC: say whether it is hot or cold", ts)
	case ts == tt:
		s.Hot = kind == "hot"
	}
	if ts != tt && (kind == "hot") != s.Hot && kind != "" {
		return bad("kind %q contradicts its temperatures, %v to %v degC", kind, ts, tt)
	}
	switch {
	case q < 0 || cp < 0:
		return bad("a negative heat flow; say hot or cold by its temperatures or by kind")
	case !math.IsNaN(q) && !math.IsNaN(cp) && math.Abs(q-cp*math.Abs(ts-tt)) > 0.01*q:
		return bad("cp of %v makes %v, and q is %v: give one of them", cp, cp*math.Abs(ts-tt), q)
	case !math.IsNaN(q):
		s.Q = q
	case math.IsNaN(cp):
		return bad("neither cp (kW/K) nor q (kW) is given")
	case ts == tt:
		return bad("a latent stream has a heat load q, not a heat capacity flow")
	default:
		s.Q = cp * math.Abs(ts-tt)
	}
	if !(s.Q <= 1e12) {
		return bad("a heat flow of %v is impossible", s.Q)
	}
	return s, nil
}

// shifted returns the stream's ends on the shifted scale, upper first: hot
// streams are lowered by their contribution, cold ones raised.
func (s *Stream) shifted() (upper, lower float64) {
	shift := s.DTC
	if s.Hot {
		shift = -shift
	}
	return max(s.TS, s.TT) + shift, min(s.TS, s.TT) + shift
}
