package savings

import (
	"fmt"
	"math"
	"strings"
)

// z90 is the 95th percentile of the normal distribution: half the width of a
// two-sided 90 % interval in standard deviations.
const z90 = 1.6448536269514722

// Relative90 is the relative half width of the 90 % interval of a register's
// increase. ok is false when the class is not known.
//
// Heat meters (EN 1434-1:2022, 9; Directive 2014/32/EU annex VI): the maximum
// permissible errors in % of flow sensor, temperature pair and calculator are
//
//	E_f = class + 0.01 class qp/q   at most 5   (class 1, 2, 3)
//	E_t = 0.5 + 3 dTmin/dT
//	E_c = 0.5 + dTmin/dT
//
// Each is taken as the half width of a rectangular distribution, so the standard
// uncertainty is the root of the sum of their squares over sqrt(3) (GUM 4.3.7).
// The other meters have one permissible error, treated alike.
func (a Accuracy) Relative90() (rel float64, ok bool) {
	if a.Half90 > 0 {
		return a.Half90, true
	}
	mpe, ok := a.mpe()
	if !ok {
		return 0, false
	}
	return z90 * mpe / math.Sqrt(3), true
}

// mpe is the relative maximum permissible error, its independent parts added in
// quadrature.
func (a Accuracy) mpe() (float64, bool) {
	c := strings.Join(strings.Fields(strings.ToLower(a.Class)), " ")
	if class, ok := strings.CutPrefix(c, "en 1434 class "); ok {
		k, ok := map[string]float64{"1": 1, "2": 2, "3": 3}[class]
		if !ok {
			return 0, false
		}
		qp, dt := a.QpOverQ, a.DTMinOverDT
		if qp == 0 {
			qp = 2
		}
		if dt == 0 {
			dt = 0.1
		}
		ef := min(k+float64(0.01*k*qp), 5)
		et, ec := 0.5+float64(3*dt), 0.5+dt
		return math.Sqrt(float64(ef*ef)+float64(et*et)+float64(ec*ec)) / 100, true
	}
	p, ok := map[string]float64{
		// MID annex V (MI-003), active energy, 5 to 30 degC, from Itr to Imax, three phases.
		"mid a": 2, "mid b": 1, "mid c": 0.5,
		// IEC 62053-21, -22 at full load; EN 50470.
		"iec 62053 class 0.2s": 0.2, "iec 62053 class 0.5s": 0.5, "iec 62053 class 0.5": 0.5,
		"iec 62053 class 1": 1, "iec 62053 class 2": 2,
		// OIML R 49 and MID annex III (MI-001), upper zone.
		"oiml r49 class 1": 1, "oiml r49 class 2": 2, "mi-001": 2,
		// MID annex IV (MI-002), EN 1359 and EN 12480, from Qt to Qmax.
		"en 1359 class 1.5": 1.5, "mi-002 class 1.5": 1.5, "mi-002 class 1": 1,
		"en 12480 class 1": 1, "en 12480 class 1.5": 1.5,
		// OIML R 76 / R 134 weighbridge, class III, in use.
		"oiml r76 class iii": 0.2,
	}[c]
	return p / 100, ok
}

func (a Accuracy) check() error {
	switch {
	case !(a.Half90 >= 0 && a.Half90 <= 0.5):
		return fmt.Errorf("accuracy: half90 %v: want a relative half width up to 0.5", a.Half90)
	case a.Half90 > 0 && a.Class != "":
		return fmt.Errorf("accuracy: give class %q or half90, not both", a.Class)
	case !(a.QpOverQ == 0 || a.QpOverQ >= 1 && a.QpOverQ <= 1000):
		return fmt.Errorf("accuracy: qp_over_q %v: want 1 to 1000", a.QpOverQ)
	case !(a.DTMinOverDT >= 0 && a.DTMinOverDT <= 1):
		return fmt.Errorf("accuracy: dtmin_over_dt %v: want 0 to 1", a.DTMinOverDT)
	}
	if a.Class != "" {
		if _, ok := a.Relative90(); !ok {
			return fmt.Errorf("accuracy: class %q is not known", a.Class)
		}
	}
	return nil
}
