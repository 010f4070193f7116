package port

import (
	"math"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/weather"
)

// view is a meter's way of seeing its channels: what its registers would hold
// if they had no resolution.
type view struct {
	meter   *Meter
	effects effects
	// stretches of the counters, one for each life of the device, by time.
	lives  []life
	serial int64 // eight digits
	seed   uint64
	played *played // readings of a file instead of the physics, nil for none
}

// life is a run of time in which a counter of the meter is channel integral plus
// a constant. Restarts begin a new one.
type life struct {
	from int64 // milliseconds
	// start is added to the integral of the meter's channel and, for a heat
	// meter, of the flow beside it, in quanta times seconds.
	start [2]int64
}

func newView(p *Port, m *Meter) *view {
	h := weather.Hash(p.options.Seed, 9001, hashText(m.ID))
	v := &view{meter: m, effects: p.effects(m.ID), serial: 10_000_000 + int64(h%89_000_000), seed: h}
	counted := v.counted()
	var first life
	years := 1.3 + 5*float64(h>>40)/(1<<24)
	for _, c := range counted {
		// The meter was there before the history began: it counted for some years
		// at the rate of the history's first four weeks.
		first.start[c-m.at] = int64(years*13) * p.record.integral(c, 28*86400_000)
	}
	v.lives = []life{first}
	for _, r := range v.effects.restarts {
		next := life{from: r.at}
		for _, c := range counted {
			next.start[c-m.at] = int64(r.first*perUnit(quanta[c])) - p.record.integral(c, r.at)
		}
		v.lives = append(v.lives, next)
	}
	return v
}

// counted lists the channels that the meter integrates.
func (v *view) counted() []channel {
	switch v.meter.sense {
	case heat, cooling:
		return []channel{v.meter.at, v.meter.at + 1}
	case thermometer:
		return nil
	}
	return []channel{v.meter.at}
}

// perUnit is how many quanta times seconds make a kWh, a cubic metre or a kilogram.
func perUnit(q quantum) float64 {
	switch q {
	case millilitres:
		return 1e6 * 3600
	}
	return 1e3 * 3600
}

func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// counter is the integral of a channel as the meter has counted it.
func (v *view) counter(r *record, c channel, millis int64) int64 {
	l := &v.lives[0]
	for i := range v.lives[1:] {
		if millis >= v.lives[i+1].from {
			l = &v.lives[i+1]
		}
	}
	n := l.start[c-v.meter.at] + r.integral(c, millis)
	if c == v.meter.at && (v.meter.sense == heat || v.meter.sense == cooling) {
		// With its sensors exchanged a heat meter sees a negative difference and
		// counts volume but no energy.
		for _, s := range v.effects.swapped {
			if millis > s.from {
				n -= r.integral(c, min(millis, s.to)) - r.integral(c, s.from)
			}
		}
	}
	return n
}

// exact is a counter as a Decimal in the unit, rounded down to Wh, mL or g, or
// to the joule.
func exact(n int64, q quantum, u metering.Unit) metering.Decimal {
	switch {
	case u == metering.Joule:
		return metering.Decimal{Coef: n}
	case q == millilitres:
		return metering.Decimal{Coef: n / 3600, Exp: -6}
	}
	return metering.Decimal{Coef: n / 3600, Exp: -3}
}

// flicker is small, quick noise around a step's mean, in [-1, 1]; a display
// never stands still. It changes every 15 seconds.
func (v *view) flicker(stream uint64, millis int64) float64 {
	return 2*float64(weather.Hash(v.seed, stream, uint64(millis/15_000))>>11)/(1<<53) - 1
}

// milli makes a Decimal with three digits.
func milli(x float64) metering.Decimal {
	return metering.Decimal{Coef: int64(math.Round(x * 1000)), Exp: -3}
}

// number is what the meter would show for a quantity at an instant, in the
// given unit. ok is false for a quantity that it does not measure. The record
// must reach the instant.
func (v *view) number(r *record, q metering.Quantity, u metering.Unit, millis int64) (d metering.Decimal, ok bool) {
	if v.played != nil && millis >= v.played.from {
		return v.played.number(v.meter, q, u, millis)
	}
	if s, is := within(v.effects.frozen, millis); is {
		millis = s.from
	}
	at := v.meter.at
	switch v.meter.sense {
	case pulses:
		if q != metering.PulseCount {
			return d, false
		}
		return v.pulses(r, millis), true
	case thermometer:
		if q != metering.Temperature && q != metering.OutdoorTemperature {
			return d, false
		}
		return milli(float64(r.rate(at, millis))/100 + 0.06*v.flicker(1, millis)), true
	case water:
		switch q {
		case metering.Volume, metering.WaterVolume:
			d, ok = exact(v.counter(r, at, millis), millilitres, u), true
		case metering.VolumeFlow:
			d, ok = v.rate(r, at, millis), true
		}
	case heat, cooling:
		d, ok = v.thermal(r, q, u, millis)
	case steam:
		d, ok = v.steam(r, q, u, millis)
	default:
		d, ok = v.electric(r, q, u, millis)
	}
	if ok && len(v.effects.tenfold) > 0 {
		if _, is := within(v.effects.tenfold, millis); is && scaled[q] {
			d.Exp++
		}
	}
	return d, ok
}

// scaled are the quantities that a wrong scale touches.
var scaled = map[metering.Quantity]bool{metering.HeatEnergy: true, metering.HeatPower: true, metering.CoolingEnergy: true,
	metering.ActiveEnergyImport: true, metering.ActivePower: true}

// rate is a flow in m3/h or a power in kW, with its flicker.
func (v *view) rate(r *record, c channel, millis int64) metering.Decimal {
	x := float64(r.rate(c, millis)) * (1 + 0.006*v.flicker(2, millis))
	if quanta[c] == millilitres {
		x /= 1000
		return metering.Decimal{Coef: int64(math.Round(x)), Exp: -3} // litres an hour
	}
	return metering.Decimal{Coef: int64(math.Round(x)), Exp: -3} // watts
}

// pulses is the count of a pulse input.
func (v *view) pulses(r *record, millis int64) metering.Decimal {
	n := exact(v.counter(r, v.meter.at, millis), quanta[v.meter.at], "")
	w := v.meter.Pulse.Weight
	// Weights are finer than a cubic metre and not finer than a litre: their
	// inverse times 10^-6 or 10^-3 is an integer division.
	per, err := w.Rescale(n.Exp)
	if err != nil || per <= 0 {
		return metering.Decimal{}
	}
	return metering.Int(n.Coef / per)
}

// thermal gives the quantities of a heat meter (EN 1434).
func (v *view) thermal(r *record, q metering.Quantity, u metering.Unit, millis int64) (metering.Decimal, bool) {
	at := v.meter.at
	_, swapped := within(v.effects.swapped, millis)
	hot, cold := at+2, at+3
	if v.meter.sense == cooling {
		hot, cold = at+3, at+2 // chilled water leaves cold and comes back warm
	}
	if swapped {
		hot, cold = cold, hot
	}
	switch q {
	case metering.HeatEnergy, metering.CoolingEnergy:
		if (q == metering.HeatEnergy) != (v.meter.sense == heat) {
			return metering.Decimal{}, true // the other register stays at zero
		}
		return exact(v.counter(r, at, millis), watts, u), true
	case metering.HeatPower:
		if swapped {
			return metering.Decimal{}, true
		}
		return v.rate(r, at, millis), true
	case metering.Volume:
		return exact(v.counter(r, at+1, millis), millilitres, u), true
	case metering.VolumeFlow:
		return v.rate(r, at+1, millis), true
	case metering.FlowTemperature:
		return milli(float64(r.rate(hot, millis))/100 + 0.04*v.flicker(3, millis)), true
	case metering.ReturnTemperature:
		return milli(float64(r.rate(cold, millis))/100 + 0.04*v.flicker(4, millis)), true
	case metering.TemperatureDiff:
		return milli(float64(r.rate(hot, millis)-r.rate(cold, millis)) / 100), true
	}
	return metering.Decimal{}, false
}

// steam gives the quantities of a meter of saturated steam of 6 bar, of which a
// kilogram gives off 0.66 kWh until it is condensate of 90 degC.
func (v *view) steam(r *record, q metering.Quantity, u metering.Unit, millis int64) (metering.Decimal, bool) {
	at := v.meter.at
	switch q {
	case metering.HeatEnergy:
		return exact(v.counter(r, at, millis), watts, u), true
	case metering.HeatPower:
		return v.rate(r, at, millis), true
	case metering.Mass: // grams
		return metering.Decimal{Coef: v.counter(r, at, millis) / 3600 / 660 * 1000, Exp: -3}, true
	case metering.MassFlow:
		d := v.rate(r, at, millis)
		return milli(d.Float64() / 0.66), true
	case metering.Temperature:
		return milli(164.9 + 0.4*v.flicker(5, millis)), true
	case metering.Pressure:
		return metering.Decimal{Coef: 6000 + int64(60*v.flicker(5, millis)), Exp: 2}, true
	}
	return metering.Decimal{}, false
}

// electric gives the quantities of an electricity meter on a three-phase
// network of 230 V between phase and neutral.
func (v *view) electric(r *record, q metering.Quantity, u metering.Unit, millis int64) (metering.Decimal, bool) {
	at := v.meter.at
	const tanPhi, cosPhi = 0.36, 0.941
	phase := func(k uint64) float64 { return 1 + 0.05*(float64(v.seed>>(8*k)&0xff)/255-0.5) }
	volt := func(k uint64) float64 { return 231.5 + 2*v.flicker(10+k, millis) }
	kw := func() float64 { d := v.rate(r, at, millis); return d.Float64() }
	switch q {
	case metering.ActiveEnergyImport:
		return exact(v.counter(r, at, millis), watts, u), true
	case metering.ActiveEnergyExport, metering.ReactiveEnergyExport:
		return metering.Decimal{}, true
	case metering.ReactiveEnergyImport:
		d := exact(v.counter(r, at, millis), watts, u)
		d.Coef = d.Coef / 100 * 36
		return d, true
	case metering.ApparentEnergy:
		d := exact(v.counter(r, at, millis), watts, u)
		d.Coef = d.Coef / 1000 * 1063
		return d, true
	case metering.ActivePower:
		return v.rate(r, at, millis), true
	case metering.ActivePowerL1:
		return milli(kw() / 3 * phase(1)), true
	case metering.ActivePowerL2:
		return milli(kw() / 3 * phase(2)), true
	case metering.ActivePowerL3:
		return milli(kw() * (1 - (phase(1)+phase(2))/3)), true
	case metering.ReactivePower:
		return milli(kw() * tanPhi), true
	case metering.ApparentPower:
		return milli(kw() / cosPhi), true
	case metering.VoltageL1:
		return milli(volt(1)), true
	case metering.VoltageL2:
		return milli(volt(2)), true
	case metering.VoltageL3:
		return milli(volt(3)), true
	case metering.CurrentL1:
		return milli(kw() / 3 * phase(1) / cosPhi / volt(1) * 1000), true
	case metering.CurrentL2:
		return milli(kw() / 3 * phase(2) / cosPhi / volt(2) * 1000), true
	case metering.CurrentL3:
		return milli(kw() * (1 - (phase(1)+phase(2))/3) / cosPhi / volt(3) * 1000), true
	case metering.CurrentN:
		return milli(kw() * 0.01), true
	case metering.PowerFactor:
		return milli(cosPhi), true
	case metering.Frequency:
		return milli(50 + 0.02*v.flicker(20, millis)), true
	}
	return metering.Decimal{}, false
}
