package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

var testAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestReadings(t *testing.T) {
	type m map[metering.Quantity]string
	for _, c := range []struct {
		name     string
		readings m
		bad      map[metering.Quantity]string // quantity: part of the words
	}{
		{"a heat meter that is well", m{metering.HeatEnergy: "12345.6", metering.HeatPower: "116", metering.VolumeFlow: "5", metering.FlowTemperature: "80", metering.ReturnTemperature: "60", metering.TemperatureDiff: "20"}, nil},
		{"sensors exchanged", m{metering.VolumeFlow: "5", metering.FlowTemperature: "60", metering.ReturnTemperature: "80"}, map[metering.Quantity]string{metering.ReturnTemperature: "exchanged"}},
		{"no flow, no judgement", m{metering.VolumeFlow: "0", metering.FlowTemperature: "20", metering.ReturnTemperature: "25"}, nil},
		{"cooling", m{metering.CoolingEnergy: "1", metering.VolumeFlow: "5", metering.FlowTemperature: "6", metering.ReturnTemperature: "12"}, nil},
		{"power in W", m{metering.HeatPower: "116000", metering.VolumeFlow: "5", metering.FlowTemperature: "80", metering.ReturnTemperature: "60"}, map[metering.Quantity]string{metering.HeatPower: "give 116 kW"}},
		{"difference", m{metering.FlowTemperature: "80", metering.ReturnTemperature: "60", metering.TemperatureDiff: "2"}, map[metering.Quantity]string{metering.TemperatureDiff: "less return"}},
		{"an electricity meter that is well", m{metering.VoltageL1: "231.4", metering.Frequency: "50.01", metering.ActivePower: "6", metering.ActivePowerL1: "1", metering.ActivePowerL2: "2", metering.ActivePowerL3: "3", metering.PowerFactor: "0.93", metering.ActiveEnergyImport: "100"}, nil},
		{"word order", m{metering.VoltageL1: "0.0000000000123", metering.Frequency: "1.7e20"}, map[metering.Quantity]string{metering.VoltageL1: "order", metering.Frequency: "outside 45 to 65 Hz"}},
		{"a phase turned", m{metering.ActivePower: "2", metering.ActivePowerL1: "3", metering.ActivePowerL2: "-4", metering.ActivePowerL3: "3"}, map[metering.Quantity]string{metering.ActivePowerL2: "turned"}},
		{"all turned", m{metering.ActivePower: "-9", metering.ActiveEnergyImport: "500"}, map[metering.Quantity]string{metering.ActivePower: "turned"}},
		{"a photovoltaic plant", m{metering.ActivePower: "-9", metering.ActiveEnergyImport: "500", metering.ActiveEnergyExport: "90000"}, nil},
		{"phases and total", m{metering.ActivePower: "60", metering.ActivePowerL1: "1", metering.ActivePowerL2: "2", metering.ActivePowerL3: "3"}, map[metering.Quantity]string{metering.ActivePower: "add up to 6 kW"}},
		{"counters", m{metering.ActiveEnergyImport: "-1", metering.WaterVolume: "123456789012", metering.GasVolume: "0"}, map[metering.Quantity]string{metering.ActiveEnergyImport: "below zero", metering.WaterVolume: "implausibly large"}},
		{"the meter's clock", m{metering.MeterClock: "1772366460"}, nil},
		{"the meter's clock is off", m{metering.MeterClock: "1772370000"}, map[metering.Quantity]string{metering.MeterClock: "off by 1h0m0s"}},
	} {
		var readings []metering.Reading
		for q, n := range c.readings {
			info, ok := q.Info()
			require.True(t, ok)
			readings = append(readings, metering.Reading{Series: metering.Series("m", q), At: testAt.UnixMilli(), Unit: info.Units[0], Number: metering.MustDecimal(n)})
		}
		for _, v := range Readings(readings) {
			q := v.Reading.Series.Quantity()
			want, bad := c.bad[q]
			require.Equal(t, !bad, v.OK, "%s: %s: %s", c.name, q, v.Words)
			require.Contains(t, v.Words, want, "%s: %s", c.name, q)
		}
	}
	v := Readings([]metering.Reading{
		{Series: "m/gas_volume", Unit: metering.CubicM, Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}},
		{Series: "m/voltage_l1", Unit: metering.Volt, Number: metering.Int(230), Quality: metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}},
		{Series: "m/water_volume", Unit: metering.CubicM},
	})
	require.False(t, v[0].OK)
	require.Contains(t, v[0].Words, "no answer")
	require.False(t, v[1].OK)
	require.Contains(t, v[1].Words, "suspect:frozen")
	require.True(t, v[2].OK)
	require.Equal(t, "nothing counted yet", v[2].Words)
}
