package metering

import (
	"fmt"
	"slices"
	"strings"
)

// Unit is a unit of measure, spelled as in RFC 8428 and RFC 8798 where they
// have it. Flow in cubic metres an hour ("m3/h") is ours: heat and water
// meters count in it and m3/s would lose digits.
type Unit string

// The units that series carry. Degrees Celsius are "Cel" on the wire.
const (
	KWh       Unit = "kWh"
	Joule     Unit = "J"
	KW        Unit = "kW"
	Volt      Unit = "V"
	Ampere    Unit = "A"
	Hertz     Unit = "Hz"
	Kvarh     Unit = "kvarh"
	Kvar      Unit = "kvar"
	KVAh      Unit = "kVAh"
	KVA       Unit = "kVA"
	CubicM    Unit = "m3"
	CubicMPH  Unit = "m3/h"
	Celsius   Unit = "Cel"
	Kelvin    Unit = "K"
	Pascal    Unit = "Pa"
	Kilogram  Unit = "kg"
	KgPerHour Unit = "kg/h"
	Second    Unit = "s"
	Ratio     Unit = "/"
	Count     Unit = "count"
	Percent   Unit = "%"
)

// Kind tells how a quantity's readings become regular series.
type Kind uint8

const (
	// Gauge is a state at an instant: temperature, power, flow. Windows take
	// its time-weighted mean.
	Gauge Kind = iota
	// Counter is a register that only grows, until it rolls over, is reset or
	// its meter exchanged. Windows take its increase.
	Counter
)

func (k Kind) String() string {
	if k == Counter {
		return "counter"
	}
	return "gauge"
}

// Quantity names what is measured. The closed list is [Quantities].
type Quantity string

// Quantities of electricity (IEC 61557-12), heat (EN 1434), water, gas and
// the things around them.
const (
	ActiveEnergyImport   Quantity = "active_energy_import"
	ActiveEnergyExport   Quantity = "active_energy_export"
	ReactiveEnergyImport Quantity = "reactive_energy_import"
	ReactiveEnergyExport Quantity = "reactive_energy_export"
	ApparentEnergy       Quantity = "apparent_energy"
	ActivePower          Quantity = "active_power"
	ActivePowerL1        Quantity = "active_power_l1"
	ActivePowerL2        Quantity = "active_power_l2"
	ActivePowerL3        Quantity = "active_power_l3"
	ReactivePower        Quantity = "reactive_power"
	ApparentPower        Quantity = "apparent_power"
	VoltageL1            Quantity = "voltage_l1"
	VoltageL2            Quantity = "voltage_l2"
	VoltageL3            Quantity = "voltage_l3"
	CurrentL1            Quantity = "current_l1"
	CurrentL2            Quantity = "current_l2"
	CurrentL3            Quantity = "current_l3"
	CurrentN             Quantity = "current_n"
	PowerFactor          Quantity = "power_factor"
	Frequency            Quantity = "frequency"
	HeatEnergy           Quantity = "heat_energy"
	CoolingEnergy        Quantity = "cooling_energy"
	HeatPower            Quantity = "heat_power"
	Volume               Quantity = "volume"
	VolumeFlow           Quantity = "volume_flow"
	FlowTemperature      Quantity = "flow_temperature"
	ReturnTemperature    Quantity = "return_temperature"
	TemperatureDiff      Quantity = "temperature_difference"
	GasVolume            Quantity = "gas_volume"
	GasEnergy            Quantity = "gas_energy" // gross calorific value (PCS)
	WaterVolume          Quantity = "water_volume"
	PulseCount           Quantity = "pulse_count"
	Mass                 Quantity = "mass"
	MassFlow             Quantity = "mass_flow"
	Temperature          Quantity = "temperature"
	OutdoorTemperature   Quantity = "outdoor_temperature"
	Humidity             Quantity = "humidity"
	Pressure             Quantity = "pressure"
	OperatingTime        Quantity = "operating_time"
	Production           Quantity = "production"
	AnalogueInput        Quantity = "analogue_input"
	ErrorCode            Quantity = "error_code"
	MeterClock           Quantity = "meter_clock"
	SerialNumber         Quantity = "serial_number"
)

// QuantityInfo says what a quantity is: how it behaves and in which units its
// series may be (the first is the usual one).
type QuantityInfo struct {
	Quantity Quantity
	Kind     Kind
	Units    []Unit
}

// Quantities is the closed list, in a fixed order.
var Quantities = []QuantityInfo{
	{ActiveEnergyImport, Counter, []Unit{KWh, Joule}},
	{ActiveEnergyExport, Counter, []Unit{KWh, Joule}},
	{ReactiveEnergyImport, Counter, []Unit{Kvarh}},
	{ReactiveEnergyExport, Counter, []Unit{Kvarh}},
	{ApparentEnergy, Counter, []Unit{KVAh}},
	{ActivePower, Gauge, []Unit{KW}},
	{ActivePowerL1, Gauge, []Unit{KW}},
	{ActivePowerL2, Gauge, []Unit{KW}},
	{ActivePowerL3, Gauge, []Unit{KW}},
	{ReactivePower, Gauge, []Unit{Kvar}},
	{ApparentPower, Gauge, []Unit{KVA}},
	{VoltageL1, Gauge, []Unit{Volt}},
	{VoltageL2, Gauge, []Unit{Volt}},
	{VoltageL3, Gauge, []Unit{Volt}},
	{CurrentL1, Gauge, []Unit{Ampere}},
	{CurrentL2, Gauge, []Unit{Ampere}},
	{CurrentL3, Gauge, []Unit{Ampere}},
	{CurrentN, Gauge, []Unit{Ampere}},
	{PowerFactor, Gauge, []Unit{Ratio}},
	{Frequency, Gauge, []Unit{Hertz}},
	{HeatEnergy, Counter, []Unit{KWh, Joule}},
	{CoolingEnergy, Counter, []Unit{KWh, Joule}},
	{HeatPower, Gauge, []Unit{KW}},
	{Volume, Counter, []Unit{CubicM}},
	{VolumeFlow, Gauge, []Unit{CubicMPH}},
	{FlowTemperature, Gauge, []Unit{Celsius}},
	{ReturnTemperature, Gauge, []Unit{Celsius}},
	{TemperatureDiff, Gauge, []Unit{Kelvin}},
	{GasVolume, Counter, []Unit{CubicM}},
	{GasEnergy, Counter, []Unit{KWh, Joule}},
	{WaterVolume, Counter, []Unit{CubicM}},
	{PulseCount, Counter, []Unit{Count}},
	{Mass, Counter, []Unit{Kilogram}},
	{MassFlow, Gauge, []Unit{KgPerHour}},
	{Temperature, Gauge, []Unit{Celsius}},
	{OutdoorTemperature, Gauge, []Unit{Celsius}},
	{Humidity, Gauge, []Unit{Percent}},
	{Pressure, Gauge, []Unit{Pascal}},
	{OperatingTime, Counter, []Unit{Second}},
	{Production, Counter, []Unit{Kilogram, Count}},
	{AnalogueInput, Gauge, []Unit{Ratio, Ampere, Volt}},
	{ErrorCode, Gauge, []Unit{Count}},
	{MeterClock, Gauge, []Unit{Second}},
	{SerialNumber, Gauge, []Unit{Count}},
}

var infoByQuantity = func() map[Quantity]QuantityInfo {
	m := make(map[Quantity]QuantityInfo, 3*len(Quantities))
	for _, q := range Quantities {
		m[q.Quantity] = q
		if q.Kind == Gauge {
			m[q.Quantity.Least()] = QuantityInfo{q.Quantity.Least(), Gauge, q.Units}
			m[q.Quantity.Greatest()] = QuantityInfo{q.Quantity.Greatest(), Gauge, q.Units}
		}
	}
	return m
}()

// Suffixes of the quantities that a gateway adds to a gauge that it averages:
// the least and the greatest of the readings behind each mean.
const (
	LeastSuffix    = ".min"
	GreatestSuffix = ".max"
)

// Least is the quantity of a gauge's least reading in an interval of which the
// gauge itself is the mean.
func (q Quantity) Least() Quantity { return q + LeastSuffix }

// Greatest is that of its greatest reading.
func (q Quantity) Greatest() Quantity { return q + GreatestSuffix }

// Info returns what a quantity is; ok is false for one that is neither in the
// list nor the least or greatest of a gauge that is.
func (q Quantity) Info() (info QuantityInfo, ok bool) {
	info, ok = infoByQuantity[q]
	return info, ok
}

// Kind is the quantity's behaviour; an unknown quantity is a gauge.
func (q Quantity) Kind() Kind { return infoByQuantity[q].Kind }

// Allows says whether a series of this quantity may be in unit u.
func (q Quantity) Allows(u Unit) bool { return slices.Contains(infoByQuantity[q].Units, u) }

// SeriesID names one time series: "<meter>/<quantity>", the SenML name.
type SeriesID string

// Series joins a meter and a quantity.
func Series(meter string, q Quantity) SeriesID { return SeriesID(meter + "/" + string(q)) }

// Meter is the part before the slash.
func (s SeriesID) Meter() string { m, _, _ := strings.Cut(string(s), "/"); return m }

// Quantity is the part after the slash.
func (s SeriesID) Quantity() Quantity {
	_, q, _ := strings.Cut(string(s), "/")
	return Quantity(q)
}

// Check refuses a name that is not "<meter>/<known quantity>".
func (s SeriesID) Check() error {
	_, err := s.info()
	return err
}

// info is that of the quantity of a name that Check takes.
func (s SeriesID) info() (info QuantityInfo, err error) {
	m, q, ok := strings.Cut(string(s), "/")
	if !ok || CheckID(m) != nil {
		return info, fmt.Errorf("series %q: want <meter>/<quantity>", string(s))
	}
	info, known := infoByQuantity[Quantity(q)]
	if !known {
		return info, fmt.Errorf("series %q: unknown quantity %q", string(s), q)
	}
	return info, nil
}

// CheckID refuses identifiers that could not stand in a topic, a path and a
// SenML name at once: 1 to 64 of a-z, 0-9, '-', '_', '.', first a letter or digit.
func CheckID(id string) error {
	if id == "" || len(id) > 64 {
		return fmt.Errorf("identifier %q: want 1 to 64 characters", id)
	}
	for i, c := range []byte(id) {
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '-' && c != '_' && c != '.') {
			return fmt.Errorf("identifier %q: only a-z, 0-9, '-', '_' and '.', beginning with a letter or digit", id)
		}
	}
	return nil
}
