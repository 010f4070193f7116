package port

import "math"

// data is the Centre de données Kintzig: a water loop that leaves the racks at
// 28 to 34 degC all year, cooled by dry coolers and chillers, less what the
// offices' heat pump takes (synergy 3).
type data struct {
	load    wander
	failure breakdown
}

func (d *data) init() {
	d.load = wander{stream: 301, keep: 0.99}
	d.failure = breakdown{stream: 302, perYear: 3, minHours: 1, maxHours: 6}
}

func (d *data) step(p *physics, m *moment, r *record) {
	work := 0.0
	if m.working(mondayToFriday, false, false) {
		work = shift(m.hour, 8, 18)
	}
	it := 560e3*(1+0.09*m.sinceStart)*(1+0.015*d.load.next(p.seed, m.step)) + 30e3*work
	heat := it * 1.04
	left := heat - p.office.taken
	// Dry coolers up to about 18 degC outside, chillers above.
	chiller := left * (0.045 + 0.19*ramp(m.outdoorC, 14, 30))
	if d.failure.down(p.seed, m.step) {
		chiller *= 1.5 // on the reserve machine
	}
	hot := 30.5 + 2.8*ramp(m.outdoorC, 5, 30) + 0.3*d.load.x
	r.circuit(dataLoop, heat, hot, hot-6, 25)
	r.set(dataChiller, chiller)
	r.set(dataElec, it*1.07+chiller)
}

// office is Logistique Port-Nord: warehouse and offices heated by a heat pump on
// the data centre's loop, gas boiler for the peaks and for everything before the
// heat pump came.
type office struct {
	people  wander
	failure breakdown
	taken   float64 // heat drawn from the data centre's loop, W
}

func (o *office) init() {
	o.people = wander{stream: 311, keep: 0.97}
	o.failure = breakdown{stream: 312, perYear: 4, minHours: 3, maxHours: 40}
}

func (o *office) step(p *physics, m *moment, r *record) {
	day := 0.55
	work := 0.0
	if m.working(mondayToSaturday, false, false) {
		work = shift(m.hour, 5.5, 19)
		day = 0.55 + 0.55*work
	}
	load := 19.6e3*math.Max(0, 16.5-(0.6*m.smoothC+0.4*m.outdoorC))*day*clip(1+0.06*o.people.next(p.seed, m.step), 0.7, 1.3) + 4e3*work
	in := 0.0
	const capacity = 420e3
	failed := o.failure.down(p.seed, m.step)
	if m.step >= p.events.officeStart && !failed && load > 15e3 {
		in = math.Min(load, capacity)
	}
	flow := clip(40+0.7*(12-m.outdoorC), 38, 55)
	// 42 % of Carnot between evaporation at 18 degC and condensation 5 K above
	// the heating water.
	cop := clip(0.42*(flow+5+273.15)/(flow+5-18), 2.8, 4.4)
	power := in / cop
	o.taken = in - power
	r.circuit(officeIn, in, flow, flow-8, 22)
	r.set(officeHeatPump, power+0.25e3)
	if m.step < p.events.officeStart {
		r.now[officeHeatPump] = 0
	}
	r.set(officeLoad, load)
	r.set(officeGas, gasFlow((load-in)/officeBoiler))
	r.set(officeElec, 14e3+46e3*work+6e3*shift(m.hour, 17, 22)+power)
}
