// Package judge looks at the readings of one meter as an installer would: is
// each plausible by itself, and do those that must fit each other fit? What it
// finds has a name, so that status, log and record speak of the same thing.
package judge

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/thermie/thermie/metering"
)

// Verdict is what an installer should think of a reading.
type Verdict struct {
	Reading metering.Reading
	OK      bool
	Fault   metering.Reason // the name of what is wrong, "" when OK
	Words   string          // why not, or a remark; English
}

// bounds are what a quantity can be on a site, in its usual unit. They are wide:
// outside them, a register, an order, a scale or a transformer ratio is wrong.
var bounds = map[metering.Quantity]struct{ low, high float64 }{
	metering.VoltageL1:          {90, 36_500},
	metering.VoltageL2:          {90, 36_500},
	metering.VoltageL3:          {90, 36_500},
	metering.CurrentL1:          {0, 10_000},
	metering.CurrentL2:          {0, 10_000},
	metering.CurrentL3:          {0, 10_000},
	metering.CurrentN:           {0, 10_000},
	metering.Frequency:          {45, 65},
	metering.PowerFactor:        {-1, 1},
	metering.ActivePower:        {-100_000, 100_000},
	metering.ActivePowerL1:      {-100_000, 100_000},
	metering.ActivePowerL2:      {-100_000, 100_000},
	metering.ActivePowerL3:      {-100_000, 100_000},
	metering.ReactivePower:      {-100_000, 100_000},
	metering.ApparentPower:      {0, 100_000},
	metering.HeatPower:          {-1_000, 200_000},
	metering.VolumeFlow:         {0, 20_000},
	metering.FlowTemperature:    {-30, 350},
	metering.ReturnTemperature:  {-30, 350},
	metering.TemperatureDiff:    {-200, 200},
	metering.Temperature:        {-60, 1_300},
	metering.OutdoorTemperature: {-40, 55},
	metering.Humidity:           {0, 100},
	metering.MassFlow:           {0, 1e7},
	metering.Pressure:           {0, 5e7},
}

const (
	// tiny is the magnitude below which only a float of another word order lies.
	tiny = 1e-9
	// most is what no counter of a site reaches, in its unit.
	most = 1e10
	// clockTolerance is by how much a meter's clock may differ from ours.
	clockTolerance = 2 * time.Minute
)

// Readings looks at the readings of one meter, taken at one moment, as an installer
// would: each by itself, and those that must fit each other (flow and return
// temperature, phases and total, power and current).
func Readings(readings []metering.Reading) []Verdict {
	return Append(make([]Verdict, 0, len(readings)), readings)
}

// numbers has room for the numbers of the readings that are judged.
var numbers = sync.Pool{New: func() any { return map[metering.Quantity]float64{} }}

// Append appends the verdicts of [Readings] to to, for whoever judges again and again.
func Append(to []Verdict, readings []metering.Reading) []Verdict {
	by := numbers.Get().(map[metering.Quantity]float64)
	defer numbers.Put(by)
	clear(by)
	for _, r := range readings {
		if r.Quality.Level == metering.Good {
			by[r.Series.Quantity()] = r.Number.Float64()
		}
	}
	for _, r := range readings {
		v := Verdict{Reading: r, OK: true}
		if fault, words := single(r); words != "" {
			v.OK, v.Fault, v.Words = false, fault, words
		} else if fault, words := together(r.Series.Quantity(), by); words != "" {
			v.OK, v.Fault, v.Words = false, fault, words
		} else {
			v.Words = remark(r)
		}
		to = append(to, v)
	}
	return to
}

// Bounded says whether a quantity has bounds on every site, so that a number
// outside them proves something.
func Bounded(q metering.Quantity) bool { _, ok := bounds[q]; return ok }

// single judges a reading by itself; "" when it is plausible.
func single(r metering.Reading) (fault metering.Reason, words string) {
	if r.Quality.Level != metering.Good {
		return r.Quality.Reason, reasonWords(r.Quality)
	}
	q, v := r.Series.Quantity(), r.Number.Float64()
	b, bounded := bounds[q]
	switch {
	case v != 0 && math.Abs(v) < tiny:
		return metering.WordOrder, "implausibly small: wrong type or word order?"
	case bounded && (v < b.low || v > b.high):
		return metering.OutOfBounds, fmt.Sprintf("outside %g to %g %s: wrong register, type, order or transformer ratio?", b.low, b.high, r.Unit)
	case q.Kind() == metering.Counter && v < 0:
		return metering.WordOrder, "a counter below zero: wrong type or word order?"
	case q.Kind() == metering.Counter && r.Unit != metering.Joule && v > most:
		return metering.WordOrder, "implausibly large for a counter: wrong type or word order?"
	case q == metering.MeterClock && math.Abs(v-float64(r.At)/1000) > clockTolerance.Seconds():
		return metering.ClockOff, fmt.Sprintf("the meter's clock is off by %s", time.Duration((v-float64(r.At)/1000)*1e9).Round(time.Second))
	}
	return "", ""
}

func reasonWords(q metering.Quality) string {
	words := map[metering.Reason]string{
		metering.NoAnswer:     "no answer: wiring, unit id, baud, parity?",
		metering.BadFrame:     "damaged answer: baud, parity, termination?",
		metering.Refused:      "the meter refuses: not in this model?",
		metering.NotAvailable: "the meter has nothing to say here",
		metering.SensorBreak:  "the meter reports a broken sensor",
		metering.OutOfBounds:  "outside what the profile allows: wrong type or order?",
	}[q.Reason]
	if words == "" {
		words = q.String()
	}
	return words
}

// remark is something to know about a plausible reading.
func remark(r metering.Reading) string {
	if r.Series.Quantity().Kind() == metering.Counter && r.Number.Coef == 0 {
		return "nothing counted yet"
	}
	return ""
}

// together judges a quantity by those beside it.
func together(q metering.Quantity, by map[metering.Quantity]float64) (fault metering.Reason, words string) {
	has := func(list ...metering.Quantity) bool {
		for _, q := range list {
			if _, ok := by[q]; !ok {
				return false
			}
		}
		return true
	}
	switch q {
	case metering.ReturnTemperature:
		// With flow under way, heat goes from flow to return; a cooling meter says
		// cooling energy.
		if has(metering.FlowTemperature, metering.VolumeFlow) && !has(metering.CoolingEnergy) && by[metering.VolumeFlow] > 0 &&
			by[metering.ReturnTemperature] > by[metering.FlowTemperature]+2 {
			return metering.SensorsSwap, "return warmer than flow: sensors exchanged, or a cooling meter?"
		}
	case metering.TemperatureDiff:
		if has(metering.FlowTemperature, metering.ReturnTemperature) &&
			math.Abs(by[metering.FlowTemperature]-by[metering.ReturnTemperature]-by[q]) > 2 {
			return metering.OutOfBounds, "is not flow less return temperature"
		}
	case metering.HeatPower:
		// 1.16 kWh heat a cubic metre of water by one kelvin; oil and glycol take less.
		if has(metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature) {
			// Cooling meters differ in the sign that they give their power.
			want := math.Abs(1.16 * by[metering.VolumeFlow] * (by[metering.FlowTemperature] - by[metering.ReturnTemperature]))
			if want > 1 && math.Abs(math.Abs(by[q])-want) > 0.5*want {
				return metering.ScaleJump, fmt.Sprintf("flow and temperatures give %.3g kW: scale or unit wrong?", want)
			}
		}
	case metering.ActivePower:
		if has(metering.ActivePowerL1, metering.ActivePowerL2, metering.ActivePowerL3) {
			sum := by[metering.ActivePowerL1] + by[metering.ActivePowerL2] + by[metering.ActivePowerL3]
			if math.Abs(sum-by[q]) > 0.1*math.Abs(sum)+0.05 {
				return metering.OutOfBounds, fmt.Sprintf("the phases add up to %.4g kW", sum)
			}
		}
		if by[q] < -0.05 && has(metering.ActiveEnergyImport) && (!has(metering.ActiveEnergyExport) || by[metering.ActiveEnergyExport] < 0.01*by[metering.ActiveEnergyImport]) {
			return metering.TransformersSwap, "negative although energy was only taken: current transformers turned or exchanged?"
		}
	case metering.ActivePowerL1, metering.ActivePowerL2, metering.ActivePowerL3:
		if has(metering.ActivePowerL1, metering.ActivePowerL2, metering.ActivePowerL3) && by[q] < -0.05 &&
			by[metering.ActivePowerL1]+by[metering.ActivePowerL2]+by[metering.ActivePowerL3] > 0 {
			return metering.TransformersSwap, "negative beside positive phases: current transformer turned, or phases exchanged?"
		}
	}
	return "", ""
}
