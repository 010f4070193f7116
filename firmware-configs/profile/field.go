package profile

import (
	"fmt"
	"math/big"

	"github.com/thermie/thermie/metering"
)

// Field is one quantity of a device and the way from its registers to a number:
//
//	reading = ((raw [over a range] * Scale + terms) * 10^exponent * factors) in the unit of the register [+ Offset]
//
// converted to the unit of series.
type Field struct {
	Quantity metering.Quantity
	// Channel is 0 for the device itself, 1.. for inputs of pulse and analogue
	// modules, whose meaning and weight the gateway's configuration gives.
	Channel int
	Register
	Scale   metering.Decimal
	Offset  metering.Decimal // added after the scale, in RawUnit
	RawUnit string           // as the register counts; of the default code where UnitCode says it
	Unit    metering.Unit    // of the readings; of the default code where UnitCode says it

	Exponent *Companion  // a register with a power of ten (SunSpec's scale factors)
	Factors  []Companion // registers by which the number is multiplied
	UnitCode *Companion  // a register with a code for the unit (heat meters)
	Terms    []Companion // registers that are added: overflow counters, fractions, or (negative scale) the other direction
	Range    *Range      // analogue inputs: a span of counts for a span of readings

	Sentinels []Sentinel
	Min, Max  *metering.Decimal // outside, the reading is suspect; in Unit
	// Rollover is the number of counts after which the register starts again
	// from 0 (10^8 for eight digits); 0 where the source states none.
	Rollover uint64
	Absolute bool // the device sends the magnitude of a quantity that can be negative

	unit scaledUnit // of RawUnit
}

// Companion is a register that tells how to read another.
type Companion struct {
	Register
	Scale   metering.Decimal           // Terms: of the counts, beside the field's own scale
	Factors map[int64]metering.Decimal // code to factor; nil: the register is the factor
	Units   map[int64]string           // UnitCode: code to unit
	Default int64                      // what the factory sets; the simulator's choice

	units map[int64]scaledUnit
}

// Range maps counts to readings linearly: Low counts mean From, High mean To.
type Range struct {
	Low, High int64
	From, To  metering.Decimal
}

// Sentinel is a content that is no measurement.
type Sentinel struct {
	Raw   uint64            // content of the register, its order undone
	Value *metering.Decimal // or: the register's number, before any scale
	Means string            // not_available, sensor_break, alarm
}

// reason is the reading's word for the sentinel. Alarms have none of their own:
// a number is not available.
func (s Sentinel) reason() metering.Reason {
	if s.Means == "sensor_break" {
		return metering.SensorBreak
	}
	return metering.NotAvailable
}

// Spans lists the runs of registers that the field needs: its own first, then
// its companions'.
func (f *Field) Spans() []Span {
	spans := []Span{f.Span()}
	for c := range f.companions {
		spans = append(spans, c.Span())
	}
	return spans
}

// companions yields every companion, terms included.
func (f *Field) companions(yield func(*Companion) bool) {
	for _, c := range []*Companion{f.Exponent, f.UnitCode} {
		if c != nil && !yield(c) {
			return
		}
	}
	for _, list := range [][]Companion{f.Factors, f.Terms} {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// isTerm says whether a companion is one of the terms.
func (f *Field) isTerm(c *Companion) bool {
	for i := range f.Terms {
		if c == &f.Terms[i] {
			return true
		}
	}
	return false
}

func missing(why metering.Reason) (metering.Decimal, metering.Unit, metering.Quality) {
	return metering.Decimal{}, "", metering.Quality{Level: metering.Missing, Reason: why}
}

// Decode reads the field's number from registers, in the unit of series. A
// reading of level Missing has no number: a word was not given (no_answer), the
// device says that it has none (not_available, sensor_break), or its number or
// unit code is none that can be (out_of_bounds). One outside the profile's
// bounds keeps its number and is suspect.
func (f *Field) Decode(r Reader) (metering.Decimal, metering.Unit, metering.Quality) {
	n, why := f.counts(r)
	if why != "" {
		return missing(why)
	}
	u := f.unit
	if f.UnitCode != nil {
		code, why := f.UnitCode.code(r)
		if why != "" {
			return missing(why)
		}
		var ok bool
		if u, ok = f.UnitCode.units[code]; !ok {
			return missing(metering.OutOfBounds)
		}
	}
	n, err := n.Add(f.Offset)
	if err != nil {
		return missing(metering.OutOfBounds)
	}
	if n, err = u.unit.toSeries(n); err != nil {
		return missing(metering.OutOfBounds)
	}
	n = n.Normal()
	q := metering.Quality{}
	if f.Min != nil && n.Cmp(*f.Min) < 0 || f.Max != nil && n.Cmp(*f.Max) > 0 {
		q = metering.Quality{Level: metering.Suspect, Reason: metering.OutOfBounds}
	}
	return n, u.unit.to, q
}

// counts is the number in the register's own unit, before the offset.
func (f *Field) counts(r Reader) (metering.Decimal, metering.Reason) {
	none := metering.Decimal{}
	bits, ok := f.Raw(r)
	if !ok {
		return none, metering.NoAnswer
	}
	n, why := f.number(bits)
	for _, s := range f.Sentinels {
		if s.Value == nil && s.Raw == bits || s.Value != nil && why == "" && s.Value.Equal(n) {
			return none, s.reason()
		}
	}
	if why != "" {
		return none, why
	}
	var err error
	if f.Range != nil {
		n, err = f.Range.decode(n)
	} else {
		n, err = n.Mul(f.Scale)
	}
	if err != nil {
		return none, metering.OutOfBounds
	}
	for i := range f.Terms {
		t := &f.Terms[i]
		part, why := t.value(r)
		if why != "" {
			return none, why
		}
		if part, err = part.Mul(t.Scale); err == nil {
			n, err = n.Add(part)
		}
		if err != nil {
			return none, metering.OutOfBounds
		}
	}
	times, why := f.multiplier(r)
	if why != "" {
		return none, why
	}
	if n, err = n.Mul(times); err != nil {
		return none, metering.OutOfBounds
	}
	return n, ""
}

// multiplier is the product of exponent and factors.
func (f *Field) multiplier(r Reader) (metering.Decimal, metering.Reason) {
	times := metering.Int(1)
	if f.Exponent != nil {
		e, why := f.Exponent.value(r)
		if why != "" {
			return times, why
		}
		n, err := e.Rescale(0)
		if err != nil || n < -20 || n > 20 {
			// SunSpec writes 0x8000 where a scale does not exist.
			return times, metering.NotAvailable
		}
		times.Exp = int8(n)
	}
	for i := range f.Factors {
		n, why := f.Factors[i].value(r)
		if why != "" {
			return times, why
		}
		var err error
		if times, err = times.Mul(n); err != nil {
			return times, metering.OutOfBounds
		}
	}
	return times, ""
}

// code is the companion's content as an integer.
func (c *Companion) code(r Reader) (int64, metering.Reason) {
	bits, ok := c.Raw(r)
	if !ok {
		return 0, metering.NoAnswer
	}
	n, why := c.number(bits)
	if why != "" {
		return 0, why
	}
	code, err := n.Rescale(0)
	if err != nil {
		return 0, metering.OutOfBounds
	}
	return code, ""
}

// value is the companion's number, by its table of codes where it has one.
func (c *Companion) value(r Reader) (metering.Decimal, metering.Reason) {
	if c.Factors != nil {
		code, why := c.code(r)
		if why != "" {
			return metering.Decimal{}, why
		}
		d, ok := c.Factors[code]
		if !ok {
			return d, metering.OutOfBounds
		}
		return d, ""
	}
	bits, ok := c.Raw(r)
	if !ok {
		return metering.Decimal{}, metering.NoAnswer
	}
	return c.number(bits)
}

// decode is exact where the slope is a finite decimal, else rounded.
func (g *Range) decode(n metering.Decimal) (metering.Decimal, error) {
	x := new(big.Rat).Sub(rat(n), new(big.Rat).SetInt64(g.Low))
	x.Mul(x, g.slope())
	return decimal(x.Add(x, rat(g.From)))
}

func (g *Range) encode(n *big.Rat) *big.Rat {
	x := new(big.Rat).Sub(n, rat(g.From))
	x.Quo(x, g.slope())
	return x.Add(x, new(big.Rat).SetInt64(g.Low))
}

func (g *Range) slope() *big.Rat {
	rise := new(big.Rat).Sub(rat(g.To), rat(g.From))
	return rise.Quo(rise, new(big.Rat).SetInt64(g.High-g.Low))
}

// Encode writes the registers that decode to d, or to the nearest number that
// they can hold. Companions (unit codes, exponents, factors) that w already
// holds are used as they are; others are written with their defaults. d is in
// the unit that Decode then gives.
func (f *Field) Encode(d metering.Decimal, w Image) error {
	for c := range f.companions {
		if _, ok := c.Raw(w); !ok {
			bits, err := c.bits(new(big.Rat).SetInt64(c.Default))
			if err != nil {
				return fmt.Errorf("%s: companion at %d: %w", f.Quantity, c.Address, err)
			}
			c.put(bits, w)
		}
	}
	u := f.unit
	if f.UnitCode != nil {
		code, why := f.UnitCode.code(w)
		var ok bool
		if u, ok = f.UnitCode.units[code]; why != "" || !ok {
			return fmt.Errorf("%s: unit code %d at %d is none of the profile's", f.Quantity, code, f.UnitCode.Address)
		}
	}
	n := u.unit.fromSeries(rat(d))
	n.Sub(n, rat(f.Offset))
	times, why := f.multiplier(w)
	if why != "" || times.Coef == 0 {
		return fmt.Errorf("%s: factor or exponent in the image cannot be used", f.Quantity)
	}
	n.Quo(n, rat(times))
	if f.Absolute {
		n.Abs(n)
	}
	if f.Range != nil {
		n = f.Range.encode(n)
		return f.write(n, w)
	}
	n, err := f.encodeTerms(n, w)
	if err != nil {
		return err
	}
	return f.write(n.Quo(n, rat(f.Scale)), w)
}

func (f *Field) write(n *big.Rat, w Image) error {
	bits, err := f.bits(n)
	if err != nil {
		return fmt.Errorf("%s at %s register %d: %w", f.Quantity, f.Table, f.Address, err)
	}
	f.put(bits, w)
	return nil
}

// encodeTerms shares n out: a term coarser than the field takes the whole
// multiples of its step; a finer one what is left below the field's step; one
// of a negative scale all that is below zero; one of the field's own scale
// nothing.
func (f *Field) encodeTerms(n *big.Rat, w Image) (*big.Rat, error) {
	for i := range f.Terms {
		t := &f.Terms[i]
		part := new(big.Rat) // for the term
		switch {
		case t.Scale.Coef < 0:
			if n.Sign() < 0 {
				part, n = n, part
			}
		case t.Scale.Cmp(f.Scale) > 0:
			part = multiples(n, t.Scale)
			n = new(big.Rat).Sub(n, part)
		case t.Scale.Cmp(f.Scale) < 0:
			whole := multiples(n, f.Scale)
			part, n = new(big.Rat).Sub(n, whole), whole
		}
		bits, err := t.bits(new(big.Rat).Quo(part, rat(t.Scale)))
		if err != nil {
			return nil, fmt.Errorf("%s: term at %d: %w", f.Quantity, t.Address, err)
		}
		t.put(bits, w)
	}
	return n, nil
}

// multiples is the greatest multiple of step that is not above n.
func multiples(n *big.Rat, step metering.Decimal) *big.Rat {
	whole := new(big.Rat).SetInt(floor(new(big.Rat).Quo(n, rat(step))))
	return whole.Mul(whole, rat(step))
}

func floor(n *big.Rat) *big.Int {
	q, _ := new(big.Int).DivMod(n.Num(), n.Denom(), new(big.Int))
	return q
}

// EncodeMissing writes the sentinel that means "not_available", "sensor_break"
// or "alarm"; ok is false when the device has none.
func (f *Field) EncodeMissing(means string, w Image) (ok bool) {
	for _, s := range f.Sentinels {
		if s.Means != means {
			continue
		}
		bits := s.Raw
		if s.Value != nil {
			var err error
			if bits, err = f.bits(rat(*s.Value)); err != nil {
				continue
			}
		}
		f.put(bits, w)
		return true
	}
	return false
}

// Modulus is the reading at which a counter starts again from 0, in the unit
// that Decode gives; ok is false when it is not known.
func (f *Field) Modulus(r Reader) (n metering.Decimal, ok bool) {
	if f.Rollover == 0 {
		return metering.Decimal{}, false
	}
	n, why := unsigned(f.Rollover)
	if why != "" {
		return n, false
	}
	times, why := f.multiplier(r)
	if why != "" {
		return n, false
	}
	u := f.unit
	if f.UnitCode != nil {
		code, _ := f.UnitCode.code(r)
		if u, ok = f.UnitCode.units[code]; !ok {
			return n, false
		}
	}
	var err error
	for _, m := range []metering.Decimal{f.Scale, times, u.unit.factor} {
		if n, err = n.Mul(m); err != nil {
			return n, false
		}
	}
	return n, true
}
