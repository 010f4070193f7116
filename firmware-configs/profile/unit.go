package profile

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/thermie/thermie/metering"
)

// A meterUnit is a unit that a meter counts in, and the way to a unit of series:
// reading = count * factor / divisor + offset.
type meterUnit struct {
	to      metering.Unit
	factor  metering.Decimal
	divisor metering.Decimal // 1 unless no finite decimal does it
	offset  metering.Decimal
}

// unitOf holds every unit that a profile may name. Factors are exact by
// definition: international foot and US gallon (inch = 25.4 mm), the calorie
// and British thermal unit of the International Table (4.1868 J and
// 1055.05585262 J, ISO 31-4).
var unitOf = func() map[string]meterUnit {
	m := map[string]meterUnit{}
	add := func(to metering.Unit, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = meterUnit{to: to, factor: metering.MustDecimal(pairs[i+1]), divisor: metering.Int(1)}
		}
	}
	add(metering.KWh, "Wh", "0.001", "kWh", "1", "MWh", "1e3", "GWh", "1e6")
	add(metering.Joule, "J", "1", "kJ", "1e3", "MJ", "1e6", "GJ", "1e9", "TJ", "1e12",
		"cal", "4.1868", "kcal", "4186.8", "Mcal", "4186800", "Gcal", "4186800000",
		"BTU", "1055.05585262", "kBTU", "1055055.85262", "MMBTU", "1055055852.62")
	add(metering.KW, "W", "0.001", "kW", "1", "MW", "1e3", "GW", "1e6")
	add(metering.Kvar, "var", "0.001", "kvar", "1", "Mvar", "1e3")
	add(metering.KVA, "VA", "0.001", "kVA", "1", "MVA", "1e3")
	add(metering.Kvarh, "varh", "0.001", "kvarh", "1", "Mvarh", "1e3")
	add(metering.KVAh, "VAh", "0.001", "kVAh", "1", "MVAh", "1e3")
	add(metering.Volt, "V", "1", "mV", "0.001", "kV", "1e3")
	add(metering.Ampere, "A", "1", "mA", "0.001", "kA", "1e3")
	add(metering.Hertz, "Hz", "1", "mHz", "0.001")
	add(metering.CubicM, "m3", "1", "l", "0.001", "ml", "1e-6", "hl", "0.1", "gal", "0.003785411784", "ft3", "0.028316846592")
	add(metering.CubicMPH, "m3/h", "1", "l/h", "0.001", "ml/h", "1e-6", "l/min", "0.06", "l/s", "3.6", "m3/min", "60", "m3/s", "3600",
		"gal/h", "0.003785411784", "gal/min", "0.22712470704")
	add(metering.Celsius, "Cel", "1")
	add(metering.Kelvin, "K", "1", "mK", "0.001")
	add(metering.Pascal, "Pa", "1", "hPa", "100", "kPa", "1e3", "MPa", "1e6", "mbar", "100", "bar", "1e5")
	add(metering.Kilogram, "kg", "1", "g", "0.001", "t", "1e3")
	add(metering.KgPerHour, "kg/h", "1", "t/h", "1e3", "kg/s", "3600", "kg/min", "60", "g/s", "3.6")
	add(metering.Second, "s", "1", "min", "60", "h", "3600", "d", "86400")
	add(metering.Ratio, "/", "1")
	add(metering.Percent, "%", "1")
	add(metering.Count, "count", "1")
	// No finite decimal: 1 MJ/h = 1/3.6 kW.
	for name, factor := range map[string]string{"kJ/h": "0.001", "MJ/h": "1", "GJ/h": "1e3"} {
		m[name] = meterUnit{to: metering.KW, factor: metering.MustDecimal(factor), divisor: metering.MustDecimal("3.6")}
	}
	return m
}()

// A scaledUnit is what a unit or a unit code stands for: "MWh", "10 kWh".
type scaledUnit struct {
	name string
	unit meterUnit
}

// parseUnit reads "kWh" or "10 kWh" for a quantity: kelvins become degrees
// Celsius where a temperature is meant, and per cent a ratio.
func parseUnit(s string, q metering.Quantity) (scaledUnit, error) {
	name, times := s, metering.Int(1)
	if n, rest, ok := strings.Cut(s, " "); ok {
		var err error
		if times, err = metering.ParseDecimal(n); err != nil || times.Coef <= 0 {
			return scaledUnit{}, fmt.Errorf("unit %q: want a unit or a positive number and a unit", s)
		}
		name = rest
	}
	u, ok := unitOf[name]
	if !ok {
		return scaledUnit{}, fmt.Errorf("unit %q is not known", name)
	}
	if q != "" && !q.Allows(u.to) {
		switch {
		case u.to == metering.Kelvin && q.Allows(metering.Celsius):
			u.to, u.offset = metering.Celsius, metering.MustDecimal("-273.15")
		case u.to == metering.Celsius && q.Allows(metering.Kelvin):
			u.to = metering.Kelvin
		case u.to == metering.Percent && q.Allows(metering.Ratio):
			u.to, u.factor = metering.Ratio, metering.MustDecimal("0.01")
		default:
			info, _ := q.Info()
			return scaledUnit{}, fmt.Errorf("%s cannot be in %s: its series are in %v", q, name, info.Units)
		}
	}
	f, err := u.factor.Mul(times)
	if err != nil {
		return scaledUnit{}, fmt.Errorf("unit %q: %w", s, err)
	}
	u.factor = f
	return scaledUnit{name: s, unit: u}, nil
}

// toSeries converts a count of the unit into the unit of series.
func (u meterUnit) toSeries(n metering.Decimal) (metering.Decimal, error) {
	n, err := n.Mul(u.factor)
	if err != nil {
		return n, err
	}
	if u.divisor.Coef != 1 || u.divisor.Exp != 0 {
		return decimal(new(big.Rat).Quo(rat(n), rat(u.divisor)))
	}
	return n.Add(u.offset)
}

// fromSeries is the inverse of toSeries.
func (u meterUnit) fromSeries(n *big.Rat) *big.Rat {
	n = new(big.Rat).Sub(n, rat(u.offset))
	n.Mul(n, rat(u.divisor))
	return n.Quo(n, rat(u.factor))
}
