package commission

import (
	"fmt"
	"math"
	"strings"

	"github.com/thermie/thermie/metering"
)

// displayUnits are what displays count in, and how much of the series' unit one
// is. Joules: 1 kWh is 3.6 MJ.
var displayUnits = map[metering.Unit]map[string]float64{
	metering.KWh:     {"kwh": 1, "wh": 1e-3, "mwh": 1e3, "gwh": 1e6, "mj": 1 / 3.6, "gj": 1e3 / 3.6},
	metering.Joule:   {"j": 1, "kj": 1e3, "mj": 1e6, "gj": 1e9, "wh": 3.6e3, "kwh": 3.6e6, "mwh": 3.6e9},
	metering.Kvarh:   {"kvarh": 1, "varh": 1e-3, "mvarh": 1e3},
	metering.KVAh:    {"kvah": 1, "vah": 1e-3, "mvah": 1e3},
	metering.CubicM:  {"m3": 1, "m³": 1, "l": 1e-3, "hl": 0.1},
	metering.Second:  {"s": 1, "min": 60, "h": 3600},
	metering.Celsius: {"°c": 1, "c": 1, "cel": 1},
	metering.KW:      {"kw": 1, "w": 1e-3, "mw": 1e3},
}

// display is a number as somebody read it from a display.
type display struct {
	number     float64 // in the series' unit
	resolution float64 // of the last digit
}

// parseDisplay reads "12 345,6 MWh": spaces and apostrophes group, a comma or a
// point separates decimals, the unit is the series' own when there is none.
func parseDisplay(text string, unit metering.Unit) (display, error) {
	text = strings.TrimSpace(text)
	end := strings.LastIndexAny(text, "0123456789") + 1
	// m3 ends in a digit.
	if lower := strings.ToLower(text); strings.HasSuffix(lower, "m3") {
		end = strings.LastIndexAny(text[:len(text)-2], "0123456789") + 1
	}
	number, name := text[:end], strings.ToLower(strings.TrimSpace(text[end:]))
	number = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "'", "", "’", "", ",", ".").Replace(number)
	d, err := metering.ParseDecimal(number)
	if err != nil {
		return display{}, fmt.Errorf("%q: %w", text, err)
	}
	factor := 1.0
	if name != "" {
		known := false
		if factor, known = displayUnits[unit][name]; !known && name != strings.ToLower(string(unit)) {
			return display{}, fmt.Errorf("%q: unit %q is not one of a series in %s", text, name, unit)
		} else if !known {
			factor = 1
		}
	}
	_, decimals, _ := strings.Cut(number, ".")
	return display{d.Float64() * factor, factor * math.Pow10(-len(decimals))}, nil
}

// agrees says whether the display lies between a reading before it was read and
// one after, to its last digit.
func (d display) agrees(before, after float64) bool {
	low, high := min(before, after), max(before, after)
	tolerance := d.resolution + 1e-9*math.Abs(d.number)
	return d.number >= low-tolerance && d.number <= high+tolerance
}

// ratio guesses why a display does not agree: by which simple factor the reading
// is off. 0 when there is none.
func (d display) ratio(read float64) float64 {
	if d.number == 0 || read == 0 {
		return 0
	}
	for _, f := range []float64{10, 100, 1000, 1e6, 0.1, 0.01, 0.001, 1e-6, 3.6, 1 / 3.6, 2, 0.5, 3} {
		if math.Abs(read/d.number/f-1) < 0.002 {
			return f
		}
	}
	return 0
}
