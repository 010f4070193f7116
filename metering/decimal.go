package metering

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Decimal is an exact decimal number, Coef times ten to the power Exp.
//
// Meters count in integers with a fixed scale, so every register value is one.
// IEEE floats read from a meter are taken by their shortest decimal form,
// which converts back to the same float. The zero Decimal is the number 0.
type Decimal struct {
	Coef int64
	Exp  int8
}

// ErrRange says that a number does not fit in a Decimal.
var ErrRange = errors.New("number out of range")

// Int returns the Decimal of an integer.
func Int(n int64) Decimal { return Decimal{Coef: n} }

// Float returns the shortest decimal that converts back to f. It refuses NaN,
// the infinities and magnitudes beyond 10^±100.
func Float(f float64) (Decimal, error) { return fromFloat(f, 64) }

// Float32 is [Float] for a single-precision register: 21.37 read from a float32
// stays 21.37, not 21.370000839.
func Float32(f float32) (Decimal, error) { return fromFloat(float64(f), 32) }

func fromFloat(f float64, size int) (Decimal, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Decimal{}, fmt.Errorf("%w: %v is not a number", ErrRange, f)
	}
	// At most 17 digits, so they fit: "-1.2345e-06".
	var text [32]byte
	digits := strconv.AppendFloat(text[:0], math.Abs(f), 'e', -1, size)
	d, exp, i := Decimal{}, 0, 0
	for fraction := false; digits[i] != 'e'; i++ {
		if digits[i] == '.' {
			fraction = true
			continue
		}
		d.Coef = 10*d.Coef + int64(digits[i]-'0')
		if fraction {
			exp--
		}
	}
	power := 0
	for _, c := range digits[i+2:] {
		power = 10*power + int(c-'0')
	}
	if digits[i+1] == '-' {
		power = -power
	}
	if exp += power; d.Coef != 0 && (exp < -100 || exp > 100) {
		return Decimal{}, fmt.Errorf("decimal %v: %w", f, ErrRange)
	}
	d.Exp = int8(exp)
	if f < 0 {
		d.Coef = -d.Coef
	}
	return d.Normal(), nil
}

// ParseDecimal reads "12.5", "-3", "1.25e-3". The coefficient must fit in an int64.
func ParseDecimal(s string) (Decimal, error) {
	if len(s) > 64 {
		return Decimal{}, fmt.Errorf("decimal of %d characters: %w", len(s), ErrRange)
	}
	mantissa, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return Decimal{}, fmt.Errorf("decimal %q: bad exponent", s)
		}
		mantissa, exp = s[:i], e
	}
	if i := strings.IndexByte(mantissa, '.'); i >= 0 {
		frac := mantissa[i+1:]
		if strings.ContainsAny(frac, "+-") {
			return Decimal{}, fmt.Errorf("decimal %q: bad digits", s)
		}
		mantissa = mantissa[:i] + frac
		exp -= len(frac)
	}
	coef, err := strconv.ParseInt(mantissa, 10, 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return Decimal{}, fmt.Errorf("decimal %q: %w", s, ErrRange)
		}
		return Decimal{}, fmt.Errorf("decimal %q: bad digits", s)
	}
	if exp < -100 || exp > 100 {
		if coef == 0 {
			return Decimal{}, nil
		}
		return Decimal{}, fmt.Errorf("decimal %q: %w", s, ErrRange)
	}
	return Decimal{Coef: coef, Exp: int8(exp)}.Normal(), nil
}

// MustDecimal is [ParseDecimal] for constants; it panics on a bad one.
func MustDecimal(s string) Decimal {
	d, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Normal returns the same number with no trailing zeros in its coefficient, so
// that equal numbers have equal representations.
func (d Decimal) Normal() Decimal {
	if d.Coef == 0 {
		return Decimal{}
	}
	for d.Coef%10 == 0 && d.Exp < 127 {
		d.Coef /= 10
		d.Exp++
	}
	return d
}

// Float64 returns the nearest float64.
func (d Decimal) Float64() float64 {
	const exact = 1 << 53
	if d.Coef > -exact && d.Coef < exact {
		// One correctly rounded operation on two exact operands.
		switch {
		case d.Exp == 0:
			return float64(d.Coef)
		case d.Exp > 0 && int(d.Exp) < len(pow10):
			return float64(d.Coef) * pow10[d.Exp]
		case d.Exp < 0 && -int(d.Exp) < len(pow10): // -d.Exp would overflow at -128
			return float64(d.Coef) / pow10[-int(d.Exp)]
		}
	}
	f, _ := strconv.ParseFloat(strconv.FormatInt(d.Coef, 10)+"e"+strconv.Itoa(int(d.Exp)), 64)
	return f
}

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// String returns plain notation: "-12.5", "300".
func (d Decimal) String() string {
	d = d.Normal()
	s := strconv.FormatInt(d.Coef, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	switch {
	case d.Exp > 40 || d.Exp < -40:
		return sign + s + "e" + strconv.Itoa(int(d.Exp))
	case d.Exp > 0:
		return sign + s + strings.Repeat("0", int(d.Exp))
	case d.Exp < 0:
		n := int(-d.Exp)
		if len(s) <= n {
			s = strings.Repeat("0", n-len(s)+1) + s
		}
		return sign + s[:len(s)-n] + "." + s[len(s)-n:]
	}
	return sign + s
}

// MarshalText and UnmarshalText let a Decimal stand in YAML and JSON as text.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Decimal) UnmarshalText(b []byte) error {
	v, err := ParseDecimal(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Rescale returns the coefficient of d at the exponent exp, so that
// d == coef * 10^exp exactly; ErrRange when it is not an integer there or does
// not fit.
func (d Decimal) Rescale(exp int8) (int64, error) {
	if d.Coef == 0 {
		return 0, nil
	}
	c := d.Coef
	for e := int(d.Exp); e > int(exp); e-- {
		if c > math.MaxInt64/10 || c < math.MinInt64/10 {
			return 0, fmt.Errorf("%s at 10^%d: %w", d, exp, ErrRange)
		}
		c *= 10
	}
	for e := int(d.Exp); e < int(exp); e++ {
		if c%10 != 0 {
			return 0, fmt.Errorf("%s at 10^%d is not an integer: %w", d, exp, ErrRange)
		}
		c /= 10
	}
	return c, nil
}

// Cmp compares the numbers: -1, 0 or 1.
func (d Decimal) Cmp(o Decimal) int {
	if d.Exp == o.Exp {
		switch {
		case d.Coef < o.Coef:
			return -1
		case d.Coef > o.Coef:
			return 1
		}
		return 0
	}
	if d.Exp > o.Exp {
		return -o.Cmp(d)
	}
	// o counts in larger steps: bring it to d's while that fits.
	for c, e := o.Coef, o.Exp; c <= math.MaxInt64/10 && c >= math.MinInt64/10; {
		c *= 10
		if e--; e == d.Exp {
			return cmp.Compare(d.Coef, c)
		}
	}
	return d.rat().Cmp(o.rat())
}

// Equal says whether both are the same number: 1.50 equals 1.5.
func (d Decimal) Equal(o Decimal) bool { return d.Normal() == o.Normal() }

// Add returns d+o exactly, or ErrRange.
func (d Decimal) Add(o Decimal) (Decimal, error) {
	exp := min(d.Exp, o.Exp)
	if d.Coef == 0 {
		return o, nil
	}
	if o.Coef == 0 {
		return d, nil
	}
	a, err := d.Rescale(exp)
	if err != nil {
		return Decimal{}, err
	}
	b, err := o.Rescale(exp)
	if err != nil {
		return Decimal{}, err
	}
	s := a + b
	if (a > 0 && b > 0 && s < 0) || (a < 0 && b < 0 && s >= 0) {
		return Decimal{}, fmt.Errorf("%s + %s: %w", d, o, ErrRange)
	}
	return Decimal{Coef: s, Exp: exp}, nil
}

// Sub returns d-o exactly, or ErrRange.
func (d Decimal) Sub(o Decimal) (Decimal, error) {
	if o.Coef == math.MinInt64 {
		return Decimal{}, fmt.Errorf("%s - %s: %w", d, o, ErrRange)
	}
	return d.Add(Decimal{Coef: -o.Coef, Exp: o.Exp})
}

// Mul returns d*o exactly, or ErrRange.
func (d Decimal) Mul(o Decimal) (Decimal, error) {
	exp := int(d.Exp) + int(o.Exp)
	if high, low := bits.Mul64(magnitude(d.Coef), magnitude(o.Coef)); high == 0 && low <= math.MaxInt64 && exp >= -127 && exp <= 127 {
		return Decimal{Coef: d.Coef * o.Coef, Exp: int8(exp)}.Normal(), nil
	}
	p := new(big.Int).Mul(big.NewInt(d.Coef), big.NewInt(o.Coef))
	ten, rem := big.NewInt(10), new(big.Int)
	for !p.IsInt64() {
		if p.QuoRem(p, ten, rem); rem.Sign() != 0 {
			return Decimal{}, fmt.Errorf("%s * %s: %w", d, o, ErrRange)
		}
		exp++
	}
	if exp < -127 || exp > 127 {
		return Decimal{}, fmt.Errorf("%s * %s: %w", d, o, ErrRange)
	}
	return Decimal{Coef: p.Int64(), Exp: int8(exp)}.Normal(), nil
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func (d Decimal) rat() *big.Rat {
	r := new(big.Rat).SetInt64(d.Coef)
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(int64(d.Exp), -int64(d.Exp))), nil)
	if d.Exp < 0 {
		return r.Quo(r, new(big.Rat).SetInt(p))
	}
	return r.Mul(r, new(big.Rat).SetInt(p))
}
