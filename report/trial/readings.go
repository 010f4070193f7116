package trial

import (
	"math"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

var (
	// From and To bound the readings.
	From = time.Date(2025, 5, 20, 0, 0, 0, 0, calendar.Paris)
	To   = time.Date(2026, 4, 13, 0, 0, 0, 0, calendar.Paris)
	// exchanged is when the greenhouse's heat meter was replaced.
	exchanged = time.Date(2026, 2, 10, 12, 30, 0, 0, calendar.Paris)
)

// Quarter is the one to seal.
var Quarter = calendar.Quarter{Year: 2026, Q: 1}

// outdoor is the temperature in hundredths of a degree.
func outdoor(t time.Time) int64 {
	year := float64(t.Unix()%31557600) / 31557600
	day := float64(t.Unix()%86400) / 86400
	noise := float64((t.Unix()/86400*7919)%13) - 6
	return int64(math.Round(100 * (11 - 10*math.Cos(2*math.Pi*year) - 4*math.Cos(2*math.Pi*day) + noise/3)))
}

// rate is what a register grows in the hour that begins at t, in its smallest step.
func rate(id metering.SeriesID, t time.Time) int64 {
	hour, n := int64(t.In(calendar.Paris).Hour()), t.Unix()/3600
	switch id {
	case "reseau-chaleur/heat_energy":
		return 620 + 40*(hour%7) + n%11
	case "laiterie-chaleur/heat_energy":
		return 510 + 35*(hour%5) + n%13
	case "serre-chaleur/heat_energy":
		return 450 + 30*(hour%9) + n%7
	case "malterie-pompe/active_energy_import", "silos-electricite/active_energy_import":
		return 9 + hour%4
	case "beton-eau/water_volume":
		return 20 + hour%6
	case "papeterie-gaz/gas_volume":
		m3 := 60 + (2500-outdoor(t))/50 + n%3
		if calendar.Workday(t) {
			m3 += 25
		}
		if !t.Before(time.Date(2025, 10, 1, 0, 0, 0, 0, calendar.Paris)) {
			m3 -= 12
		}
		return m3
	}
	return 0
}

// decimals are those of a register's smallest step.
var decimals = map[metering.SeriesID]int8{
	"reseau-chaleur/heat_energy": 0, "laiterie-chaleur/heat_energy": 0, "serre-chaleur/heat_energy": 0, "malterie-pompe/active_energy_import": 0,
	"silos-electricite/active_energy_import": 0, "beton-eau/water_volume": -3, "papeterie-gaz/gas_volume": 0,
}

var units = map[metering.Quantity]metering.Unit{metering.HeatEnergy: metering.KWh, metering.ActiveEnergyImport: metering.KWh,
	metering.WaterVolume: metering.CubicM, metering.GasVolume: metering.CubicM, metering.Temperature: metering.Celsius}

// gateways and what they read.
var gateways = []struct {
	id     string
	series []metering.SeriesID
}{
	{"gw-fonderie", []metering.SeriesID{"reseau-chaleur/heat_energy"}},
	{"gw-malterie", []metering.SeriesID{"laiterie-chaleur/heat_energy", "malterie-pompe/active_energy_import"}},
	{"gw-chimie", []metering.SeriesID{"serre-chaleur/heat_energy"}},
	{"gw-beton", []metering.SeriesID{"beton-eau/water_volume"}},
	{"gw-papeterie", []metering.SeriesID{"papeterie-gaz/gas_volume", "meteo/temperature"}},
	{"gw-silos", []metering.SeriesID{"silos-electricite/active_energy_import"}},
}

// swapHour is the hour in which the greenhouse's meter was exchanged.
func swapHour() int { return int(exchanged.Sub(From) / time.Hour) }

// register is a register's count at every hour from From to To.
func register(id metering.SeriesID) []int64 {
	out := []int64{100_000}
	for h := range int(To.Sub(From) / time.Hour) {
		n := out[h]
		if id == "serre-chaleur/heat_energy" && h == swapHour() {
			n = 0
		}
		out = append(out, n+rate(id, From.Add(time.Duration(h)*time.Hour)))
	}
	return out
}

// exchangeRegister is the old heat meter's last register.
func exchangeRegister() metering.Decimal {
	return metering.Int(register("serre-chaleur/heat_energy")[swapHour()])
}

// step is how far apart the readings are.
const step = 4 * time.Hour

// readings are those of a gateway in (from, to].
func readings(registers map[metering.SeriesID][]int64, series []metering.SeriesID, from, to time.Time) (out []metering.Reading) {
	for _, id := range series {
		for at := from.Add(step).Truncate(step); !at.After(to); at = at.Add(step) {
			r := metering.Reading{Series: id, At: at.UnixMilli(), Unit: units[id.Quantity()]}
			if id.Quantity().Kind() == metering.Gauge {
				r.Number = metering.Decimal{Coef: outdoor(at), Exp: -2}
			} else {
				r.Number = metering.Decimal{Coef: registers[id][int(at.Sub(From)/time.Hour)], Exp: decimals[id]}
			}
			if at.Unix()/14400%247 == 0 {
				r.Number, r.Quality = metering.Decimal{}, metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			}
			out = append(out, r)
		}
	}
	return out
}
