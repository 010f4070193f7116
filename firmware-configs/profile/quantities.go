package profile

import (
	"fmt"
	"slices"

	"github.com/thermie/thermie/metering"
)

func (b *builder) quantities() error {
	if len(b.f.Quantities) == 0 {
		return faultf("quantities", "a profile without quantities reads nothing")
	}
	for i := range b.f.Quantities {
		q := &b.f.Quantities[i]
		path := fmt.Sprint("quantities.", i)
		f, err := b.field(q)
		if err != nil {
			return faultf(path, "%w", err)
		}
		if q.Channels == nil {
			b.p.Fields = append(b.p.Fields, f)
			continue
		}
		c := *q.Channels
		if q.Channel != 0 || c.Count < 1 || c.Count > 256 || c.Stride < f.Words() {
			return faultf(path, "channels: want count 1 to 256, a stride of at least the register's words, and no channel")
		}
		if q.UnitCode != nil || q.Exponent != nil || q.Factors != nil || q.Terms != nil {
			return faultf(path, "channels: a quantity with companions is written once for each channel")
		}
		if int(f.Address)+(c.Count-1)*c.Stride+f.Words() > 1<<16 {
			return faultf(path, "channels run past the last register")
		}
		for n := range c.Count {
			g := f
			g.Channel = n + 1
			g.Address += uint16(n * c.Stride)
			b.p.Fields = append(b.p.Fields, g)
		}
	}
	seen := map[string]bool{}
	for _, f := range b.p.Fields {
		key := fmt.Sprint(f.Quantity, "@", f.Channel)
		if seen[key] {
			return faultf("quantities", "%s on channel %d is given twice", f.Quantity, f.Channel)
		}
		seen[key] = true
	}
	return nil
}

func (b *builder) field(q *fileQuantity) (f Field, err error) {
	f = Field{Quantity: metering.Quantity(q.Quantity), Channel: q.Channel, Scale: metering.Int(1),
		Rollover: q.Rollover, Absolute: q.Absolute, Min: decimalOf(q.Min), Max: decimalOf(q.Max)}
	if _, ok := f.Quantity.Info(); !ok {
		return f, fmt.Errorf("quantity %q is not known", q.Quantity)
	}
	if q.Channel < 0 || q.Channel > 256 {
		return f, fmt.Errorf("channel %d is not between 0 and 256", q.Channel)
	}
	if f.Register, err = b.register(q.fileRegister); err != nil {
		return f, err
	}
	if f.Type == ASCII {
		return f, fmt.Errorf("a quantity is a number; put texts under identity")
	}
	if q.Scale != nil {
		if f.Scale = q.Scale.Decimal; f.Scale.Coef == 0 {
			return f, fmt.Errorf("scale is 0")
		}
	}
	if q.Offset != nil {
		f.Offset = q.Offset.Decimal
	}
	if f.Min != nil && f.Max != nil && f.Min.Cmp(*f.Max) >= 0 {
		return f, fmt.Errorf("min is not below max")
	}
	if err = b.fieldUnit(&f, q); err != nil {
		return f, err
	}
	if err = b.fieldCompanions(&f, q); err != nil {
		return f, err
	}
	if r := q.Range; r != nil {
		if r.Low == nil || r.High == nil || r.From == nil || r.To == nil ||
			*r.Low >= *r.High || r.From.Equal(r.To.Decimal) || q.Scale != nil || q.Terms != nil {
			return f, fmt.Errorf("range: want low < high, from and to different, and neither scale nor terms")
		}
		f.Range = &Range{Low: *r.Low, High: *r.High, From: r.From.Decimal, To: r.To.Decimal}
	}
	for _, s := range q.Sentinels {
		if !slices.Contains([]string{"not_available", "sensor_break", "alarm"}, s.Means) || (s.Raw == nil) == (s.Value == nil) {
			return f, fmt.Errorf("sentinels: want raw or value, and means: not_available, sensor_break or alarm")
		}
		x := Sentinel{Means: s.Means, Value: decimalOf(s.Value)}
		if s.Raw != nil {
			x.Raw = *s.Raw
		}
		f.Sentinels = append(f.Sentinels, x)
	}
	return f, nil
}

func (b *builder) fieldUnit(f *Field, q *fileQuantity) (err error) {
	if (q.Unit == "") == (q.UnitCode == nil) {
		return fmt.Errorf("want unit or unit_code")
	}
	if q.UnitCode == nil {
		f.RawUnit = q.Unit
		f.unit, err = parseUnit(q.Unit, f.Quantity)
		f.Unit = f.unit.unit.to
		return err
	}
	c, err := b.companion(*q.UnitCode)
	if err != nil {
		return fmt.Errorf("unit_code: %w", err)
	}
	if len(c.Units) == 0 || c.Factors != nil || q.UnitCode.Scale != nil {
		return fmt.Errorf("unit_code: want units, and neither factors nor scale")
	}
	c.units = map[int64]scaledUnit{}
	for code, name := range c.Units {
		if c.units[code], err = parseUnit(name, f.Quantity); err != nil {
			return fmt.Errorf("unit_code %d: %w", code, err)
		}
	}
	u, ok := c.units[c.Default]
	if !ok {
		return fmt.Errorf("unit_code: default %d is none of the codes", c.Default)
	}
	f.UnitCode, f.unit, f.RawUnit, f.Unit = &c, u, u.name, u.unit.to
	return nil
}

func (b *builder) fieldCompanions(f *Field, q *fileQuantity) error {
	if q.Exponent != nil {
		c, err := b.companion(*q.Exponent)
		if err != nil || c.Units != nil || q.Exponent.Scale != nil {
			return fmt.Errorf("exponent: want a register and no units or scale (%w)", err)
		}
		f.Exponent = &c
	}
	for _, x := range q.Factors {
		c, err := b.companion(x)
		if err != nil || c.Units != nil || x.Scale != nil {
			return fmt.Errorf("factors: want registers and no units or scale (%w)", err)
		}
		if c.Factors == nil && c.Default == 0 {
			c.Default = 1
		}
		f.Factors = append(f.Factors, c)
	}
	for _, x := range q.Terms {
		c, err := b.companion(x)
		if err != nil || c.Units != nil || c.Factors != nil || x.Scale == nil || x.Scale.Coef == 0 || f.Scale.Coef <= 0 {
			return fmt.Errorf("terms: want registers with a scale, and a quantity whose own is positive (%w)", err)
		}
		c.Scale = x.Scale.Decimal
		f.Terms = append(f.Terms, c)
	}
	return nil
}

func (b *builder) companion(x fileCompanion) (c Companion, err error) {
	c = Companion{Scale: metering.Int(1), Units: x.Units, Default: x.Default}
	if c.Register, err = b.register(x.fileRegister); err != nil {
		return c, err
	}
	if c.Type == ASCII {
		return c, fmt.Errorf("a companion is a number")
	}
	if x.Factors != nil {
		c.Factors = map[int64]metering.Decimal{}
		for code, n := range x.Factors {
			if n.Coef == 0 {
				return c, fmt.Errorf("code %d: factor 0", code)
			}
			c.Factors[code] = n.Decimal
		}
		if _, ok := c.Factors[c.Default]; !ok {
			return c, fmt.Errorf("default %d is none of the codes", c.Default)
		}
	}
	return c, nil
}

func (b *builder) vectors() error {
	if len(b.f.Vectors) == 0 {
		return faultf("vectors", "want at least one test vector")
	}
	for i, v := range b.f.Vectors {
		path := fmt.Sprint("vectors.", i)
		if !slices.Contains([]string{"example", "device", "computed"}, v.From) {
			return faultf(path, "from %q is none of example, device, computed", v.From)
		}
		out := Vector{From: v.From, Note: v.Note, Image: Image{}, OneWay: v.OneWay}
		for j, w := range v.Registers {
			t, err := table(w.Table, b.f.Defaults.Table)
			if err != nil {
				return faultf(fmt.Sprint(path, ".registers.", j), "%w", err)
			}
			if w.At == nil || len(w.Words) == 0 {
				return faultf(fmt.Sprint(path, ".registers.", j), "want at and words")
			}
			a, err := b.address(*w.At, len(w.Words))
			if err != nil {
				return faultf(fmt.Sprint(path, ".registers.", j), "%w", err)
			}
			out.Image.Put(t, a, w.Words...)
		}
		if len(v.Gives) == 0 {
			return faultf(path, "a vector must give something")
		}
		for j, g := range v.Gives {
			e, err := b.expected(g)
			if err != nil {
				return faultf(fmt.Sprint(path, ".gives.", j), "%w", err)
			}
			out.Gives = append(out.Gives, e)
		}
		b.p.Vectors = append(b.p.Vectors, out)
	}
	return nil
}

func (b *builder) expected(g fileExpected) (e Expected, err error) {
	e = Expected{Quantity: metering.Quantity(g.Quantity), Channel: g.Channel, Unit: metering.Unit(g.Unit)}
	if _, ok := b.p.Field(e.Quantity, e.Channel); !ok {
		return e, fmt.Errorf("the profile has no %s on channel %d", g.Quantity, g.Channel)
	}
	if g.Quality != "" {
		if e.Quality, err = metering.ParseQuality(g.Quality); err != nil {
			return e, err
		}
	}
	if e.Quality.Level == metering.Missing {
		if g.Number != nil || g.Unit != "" {
			return e, fmt.Errorf("a missing reading has neither number nor unit")
		}
		return e, nil
	}
	if g.Number == nil || !e.Quantity.Allows(e.Unit) {
		return e, fmt.Errorf("want a number and a unit of series")
	}
	e.Number = g.Number.Decimal
	return e, nil
}
