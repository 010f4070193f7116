package words

import (
	"math"
	"strconv"
	"strings"

	"github.com/thermie/thermie/metering"
)

// Dash stands where there is no number.
const Dash = "–"

// Number writes v with a fixed count of decimals; negative decimals round to
// tens, hundreds ... A number that is none is a dash.
func (l Lang) Number(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Dash
	}
	if decimals < 0 {
		p := math.Pow(10, float64(-decimals))
		v, decimals = math.Round(v/p)*p, 0
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, frac, _ := strings.Cut(s, ".")
	var b strings.Builder
	if v < 0 && strings.Trim(s, "0.") != "" {
		b.WriteString(minus)
	}
	sep, point := ",", "."
	if l == FR {
		sep, point = narrow, ","
	}
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(sep)
		}
		b.WriteRune(c)
	}
	if frac != "" {
		b.WriteString(point + frac)
	}
	return b.String()
}

// Amount writes a number of unstated uncertainty with three significant
// digits, whole from 100 on.
func (l Lang) Amount(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v), a >= 100:
		return l.Number(v, 0)
	case a >= 10:
		return l.Number(v, 1)
	case a >= 1:
		return l.Number(v, 2)
	default:
		return l.Number(v, 3)
	}
}

// PlusMinus writes an amount and the half width of its interval, both rounded
// to the second significant digit of the half width. Without a half width it
// returns [Lang.Amount] and "".
func (l Lang) PlusMinus(v, half float64) (amount, interval string) {
	if !(half > 0) || math.IsInf(half, 0) {
		return l.Amount(v), ""
	}
	decimals := 1 - int(math.Floor(math.Log10(half)))
	// 9.96 has become 10 after rounding: one decimal less.
	if p := math.Pow(10, float64(decimals)); math.Round(half*p) >= 100 {
		decimals--
	}
	// Beyond four decimals nothing is worth reading; an interval that small is
	// rounded up, never to nothing.
	if decimals > 4 {
		decimals = 4
		half = max(half, 0.0001)
	}
	return l.Number(v, decimals), l.Number(half, decimals)
}

// Percent writes a share of 0 to 1 as "98,2 %".
func (l Lang) Percent(share float64, decimals int) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return Dash
	}
	return l.Number(share*100, decimals) + l.percentSign()
}

// Change writes a relative difference with its sign: "+3 %", "−12 %".
func (l Lang) Change(share float64) string {
	s := l.Percent(share, 0)
	if share > 0 && s != "0"+l.percentSign() {
		return "+" + s
	}
	return s
}

func (l Lang) percentSign() string {
	if l == FR {
		return narrow + "%"
	}
	return "%"
}

// Money writes an amount of euros, rounded to three significant digits from
// 1 000 EUR on, since no price here is known better.
func (l Lang) Money(eur float64) string {
	decimals := 0
	if a := math.Abs(eur); a >= 1000 {
		decimals = 2 - int(math.Floor(math.Log10(a)))
	}
	return l.withEuro(l.Number(eur, min(decimals, 0)))
}

func (l Lang) withEuro(n string) string {
	if l == FR {
		return n + nbsp + "€"
	}
	if rest, ok := strings.CutPrefix(n, minus); ok {
		return minus + "€" + rest
	}
	return "€" + n
}

// Figure is an indicator as it is printed.
type Figure struct {
	Amount   string // "2 143", in English money "€38,400"
	Interval string // "± 95", "" when there is none
	Unit     string // "MWh"; "" when the amount already has it
	Class    metering.Class
	Coverage string
}

// String is the figure in one line: "2 143 ± 95 MWh".
func (f Figure) String() string {
	s := f.Amount
	if f.Interval != "" {
		s += nbsp + f.Interval
	}
	if f.Unit != "" {
		s += nbsp + f.Unit
	}
	return s
}

// Figure prints an indicator's figure.
func (l Lang) Figure(f metering.Figure) Figure {
	amount, half := l.PlusMinus(f.Amount, f.Half90)
	out := Figure{Amount: amount, Unit: l.Unit(f.Indicator), Class: f.Class, Coverage: l.Percent(f.Coverage, 1)}
	if f.Indicator == metering.MoneySavedEUR && l == EN {
		out.Amount, out.Unit = l.withEuro(amount), ""
	}
	if half != "" {
		out.Interval = "±" + nbsp + half
	}
	return out
}

// Unit is the unit of an indicator.
func (l Lang) Unit(i metering.Indicator) string { return l.T("unit." + string(i)) }

// SeriesUnit is the unit of a meter's series as people write it.
func (l Lang) SeriesUnit(u metering.Unit) string {
	switch u {
	case metering.Celsius:
		return "°C"
	case metering.CubicM:
		return "m³"
	case metering.CubicMPH:
		return "m³/h"
	case metering.Joule: // as displays of heat meters show it
		return "GJ"
	case metering.Ratio:
		return ""
	case metering.Count:
		return l.T("unit.count")
	}
	return string(u)
}
