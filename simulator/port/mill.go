package port

import "math"

// oil is the Huilerie Sainte-Odile: crushing in campaigns of about four weeks,
// steam from its own boiler, clean condensate of 80 degC to the paper mill
// (synergy 10).
type oil struct {
	seedFlow wander
	failure  breakdown
	rate     float64 // 0 to 1
}

func (o *oil) init() {
	o.seedFlow = wander{stream: 401, keep: 0.98}
	o.failure = breakdown{stream: 402, perYear: 8, minHours: 2, maxHours: 30}
}

func (o *oil) step(p *physics, m *moment, r *record) {
	// Four weeks of campaign, eight days of cleaning; not at Christmas.
	campaign := m.civilDay%36 < 28 && !m.christmas && !m.august
	noise := o.seedFlow.next(p.seed, m.step)
	o.rate *= 0.9
	if campaign && !o.failure.down(p.seed, m.step) {
		o.rate += 0.1 * clip(1+0.08*noise, 0.5, 1.2)
	}
	steam := 20e3 + 640e3*o.rate
	r.set(oilHeat, steam)
	r.set(oilGas, gasFlow(steam/0.89))
	r.set(oilElec, 18e3+210e3*o.rate)
	// What the deodorised oil gives off before it is stored, to a dry cooler.
	r.circuit(oilCooling, 190e3*o.rate, 66, 48, 25)
	// The condensate loop gives 60 MWh a year to the mill's feed water; the
	// clean part of it, 75 m3 a year, stays there as make-up.
	heat, kept := 0.0, 0.0
	if o.rate > 0.5 {
		heat = 9.75e3 * o.rate
		kept = 12.2 * o.rate // L/h
	}
	r.circuit(condensateHeat, heat, 80+0.6*noise, 26+0.6*noise, 24)
	r.set(condensateWater, kept*1000)
}

// mill is the Papeterie du Petit Rhin: cardboard around the clock with
// campaigns, a steam boiler, warm effluent to the river, heat recovery on its
// own dryer hood from one date on (synergy 12) and a new converting line from
// another.
type mill struct {
	quality wander // gas use for a tonne, as grades change
	pace    wander
	failure breakdown
	rate    float64 // kg/h
}

func (l *mill) init() {
	l.quality = wander{stream: 411, keep: 0.996}
	l.pace = wander{stream: 412, keep: 0.99}
	l.failure = breakdown{stream: 413, perYear: 14, minHours: 1, maxHours: 14}
}

// HoodSaving is the share of the paper mill's gas that the heat recovery on the
// dryer hood saves.
const HoodSaving = 0.0505

func (l *mill) step(p *physics, m *moment, r *record) {
	quality, pace := l.quality.next(p.seed, m.step), l.pace.next(p.seed, m.step)
	stopped := m.christmas || m.august && m.yearDay%14 < 7 ||
		m.civilDay%21 == 16 && m.hour >= 6 && m.hour < 18 // planned maintenance
	target := 960 * clip(1+0.09*pace, 0.6, 1.3)
	if m.weekday == 0 {
		target *= 0.85
	}
	if stopped || l.failure.down(p.seed, m.step) {
		target = 0
	}
	l.rate += (target - l.rate) * 0.5

	// Gas in W of gross calorific value.
	gas := (62e3 + 390*l.rate + 4.3e3*math.Max(0, 16-m.smoothC)) * (1 + 0.035*quality)
	saved := gas * HoodSaving * ramp(l.rate, 100, 500)
	hood := 0.0
	r.set(millHoodPotential, saved)
	if m.step >= p.events.hoodStart {
		gas -= saved
		hood = 3.6e3 * ramp(l.rate, 100, 500)
	}
	line := 0.0
	if m.step >= p.events.lineStart && m.working(mondayToSaturday, true, true) {
		line = 62e3 * shift(m.hour, 5, 21.5)
	}
	r.set(millLine, line)
	gas += line
	steam := gas / PCSOverPCI * millBoiler
	r.set(millGas, gas/GasPCS*1000)
	r.set(millSteam, steam)
	r.set(millHoodFan, hood)
	r.set(millElec, 66e3+540*l.rate*0.55+hood+0.45*line)
	r.set(millProduction, l.rate*1000)
	effluent := 2.2 + 19*l.rate/1000 // m3/h
	r.set(millEffluent, effluent*1e6)
	r.setC(millEffluentTemp, 25+13.5*ramp(l.rate, 0, 900)+2.5*ramp(m.outdoorC, 5, 30)+0.5*quality)
	kept := float64(r.now[condensateWater]) / 1e6
	r.set(millWater, math.Max(0, (3.1+20.5*l.rate/1000-kept))*1e6)
}

// wood is the Chaufferie bois Aubépine, a gasifier on clean waste wood (synergy 5).
type wood struct {
	grate   wander
	failure breakdown
}

func (w *wood) init() {
	w.grate = wander{stream: 421, keep: 0.98}
	w.failure = breakdown{stream: 422, perYear: 6, minHours: 6, maxHours: 72}
}

func (w *wood) step(p *physics, m *moment, r *record) {
	heat := (480e3 + 42e3*math.Max(0, 17-m.smoothC)) * clip(1+0.06*w.grate.next(p.seed, m.step), 0.7, 1.3)
	if w.failure.down(p.seed, m.step) || m.yearDay >= 190 && m.yearDay < 204 { // yearly revision in July
		heat = 0
	}
	r.circuit(woodHeat, heat, 95, 70, 30)
	r.set(woodElec, 6e3+0.035*heat)
}

// digester is the Méthaniseur des Herbiers: biomethane into the gas grid, a
// third of it from the port's biowaste (synergy 6).
type digester struct {
	gas     wander
	failure breakdown
}

func (d *digester) init() {
	d.gas = wander{stream: 431, keep: 0.997}
	d.failure = breakdown{stream: 432, perYear: 7, minHours: 2, maxHours: 40}
}

// BiomethanePCS is the gross calorific value of the injected biomethane, kWh/m3.
const BiomethanePCS = 10.8

func (d *digester) step(p *physics, m *moment, r *record) {
	flow := 82 * clip(1+0.07*d.gas.next(p.seed, m.step), 0.6, 1.3) // m3/h
	if d.failure.down(p.seed, m.step) || m.yearDay >= 120 && m.yearDay < 123 {
		flow = 0
	}
	r.set(biogas, flow*1e6)
	r.set(biogasElec, 48e3+0.62e3*flow)
	r.circuit(biogasHeat, 55e3+4.6e3*math.Max(0, 20-m.smoothC), 68, 55, 30)
}
