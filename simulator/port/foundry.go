package port

import "math"

// foundry is the Fonderie de la Rheinau: four gas-fired melting furnaces of
// secondary aluminium in three shifts from Monday 6:00 to Saturday 14:00, and
// two oil-injected compressors.
type foundry struct {
	furnaces  [4]furnace
	flueC     float64
	warm      float64 // 0 cold, 1 warm enough to melt
	air       wander
	compFail  breakdown
	recovFail breakdown
	// For the synergies: heat that could leave the exchanger now, in W.
	flueHeat, compressorHeat float64
}

// furnace goes through cycles of charging, melting and holding.
type furnace struct {
	left, length int // steps of the cycle in hand
	cycles       uint64
}

func (f *foundry) init() {
	f.flueC, f.warm = 150, 1
	f.air = wander{stream: 101, keep: 0.9}
	f.compFail = breakdown{stream: 102, perYear: 5, minHours: 1, maxHours: 10}
	f.recovFail = breakdown{stream: 103, perYear: 5, minHours: 5, maxHours: 40}
}

const (
	meltingW = 4.9e6 // gas of a furnace, net calorific value
	holdingW = 0.95e6
	coolingW = 0.40e6
)

func (f *foundry) step(p *physics, m *moment, r *record) {
	open := m.working(mondayToSaturday, true, true) &&
		!(m.weekday == 1 && m.hour < 6) && !(m.weekday == 6 && m.hour >= 14)
	long := m.august || m.christmas
	gas, melting := 0.0, 0.0
	for i := range f.furnaces {
		w := f.furnaces[i].step(p.seed, uint64(i), m, open, long, f.warm)
		gas += w
		if w > meltingW*0.9 {
			melting++
		}
	}
	switch {
	case long:
		f.warm = math.Max(0, f.warm-1.0/(4*stepsADay))
	default:
		f.warm = math.Min(1, f.warm+1.0/stepsADay)
	}
	target := 60 + 145*ramp(gas, 0, 1e6) + 225*gas/(4*meltingW)
	f.flueC += (target - f.flueC) * 0.45
	// Siegert's formula for natural gas (A2 0.66, B 0.009), 8 % oxygen in dry
	// flue gas, down to 130 degC above the acid dew point.
	f.flueHeat = gas * (0.66/(21-8) + 0.009) / 100 * math.Max(0, f.flueC-130) * 0.96
	if p.foundry.recovFail.down(p.seed, m.step) {
		f.flueHeat = 0
	}

	air := f.air.next(p.seed, m.step)
	comp := 38e3 + 4e3*air // leaks
	if long {
		comp = 6e3
	}
	if open && f.warm >= 1 {
		comp = 172e3 + 22e3*air + 14e3*melting
	}
	comp = clip(comp, 0, 310e3)
	if f.compFail.down(p.seed, m.step) {
		comp *= 0.5
	}
	// 72 % of the power can be had from the oil as hot water of up to 65 degC.
	f.compressorHeat = 0.72 * comp
	elec := 60e3 + comp + 55e3*melting
	if open {
		elec += 240e3
	}
	r.set(foundryGas, gasFlow(gas))
	r.setC(foundryFlue, f.flueC)
	r.set(foundryCompressor, comp)
	r.set(foundryElec, elec) // the pump of the heat line is added by the network
}

func (f *furnace) step(seed, number uint64, m *moment, open, long bool, warm float64) float64 {
	switch {
	case long:
		return 0
	case warm < 1:
		return 1.5e6 // warming up after a stop
	case !open:
		f.left = 0
		return coolingW
	}
	if f.left == 0 {
		f.cycles++
		f.length = 22 + int(8*chance(seed, 110+number, f.cycles))
		f.left = f.length
	}
	f.left--
	done := 1 - float64(f.left)/float64(f.length)
	if done < 0.06 {
		return coolingW // doors open, charging
	}
	if done < 0.72 {
		return meltingW * (1 - 0.08*chance(seed, 120+number, uint64(m.step)))
	}
	return holdingW
}

// network is the district heating network of the Neudorf: load by weather and
// hot water, heat from the foundry first (synergy 1), gas boiler for the rest.
type network struct {
	habits wander
}

func (n *network) init() { n.habits = wander{stream: 131, keep: 0.98} }

func (n *network) step(p *physics, m *moment, r *record) {
	morning := shift(m.hour, 6, 9) + 0.8*shift(m.hour, 18, 22)
	load := 345e3*math.Max(0, 17-(0.7*m.smoothC+0.3*m.outdoorC))*(0.92+0.12*morning) + 440e3*(0.55+0.75*morning)
	load *= 1 + 0.04*n.habits.next(p.seed, m.step)

	const lineLoss, share = 38e3, 0.97 // W lost on the way; the boiler keeps a minimum
	donor := math.Min(p.foundry.flueHeat, load*share+lineLoss)
	in := donor - lineLoss
	if in < 60e3 { // the exchanger is not worth running
		donor, in = 0, 0
	}
	winter := m.yearDay >= 274 || m.yearDay < 121
	flow, back := 70.0, 50.0
	if winter {
		flow, back = 90, 60
	}
	flow -= 2.5 * (1 - ramp(10-m.outdoorC, 0, 15))
	back += 1.2 * n.habits.x
	r.circuit(foundryRecovery, donor, flow+1.5, back-0.5, 30)
	r.circuit(networkIn, in, flow, back, 35)
	r.set(foundryFlueLeft, math.Max(0, p.foundry.flueHeat-donor))
	pump := 0.0
	if donor > 0 {
		pump = 8e3 + 5e3*donor/2e6 + 4e3*math.Pow(donor/2e6, 3)
	}
	r.set(foundryPump, pump)
	r.now[foundryElec] += int32(math.Round(pump))
	r.circuit(networkLoad, load, flow, back, 40)
	boiler := load - in
	r.set(networkGas, gasFlow(boiler/networkBoiler))
	r.set(networkElec, 8e3+0.008*load+0.004*boiler)
}

// wash is Transports Kammerzell: the truck wash that the port shares (synergy 8),
// its hot water from the foundry's compressors first (synergy 4) through a tank,
// then from its own gas boiler.
type wash struct {
	tank     float64 // Wh of heat in the tank
	traffic  wander
	failure  breakdown
	pumpFail breakdown
}

func (w *wash) init() {
	w.tank = 400e3
	w.traffic = wander{stream: 141, keep: 0.985}
	w.failure = breakdown{stream: 142, perYear: 3, minHours: 2, maxHours: 24}
	w.pumpFail = breakdown{stream: 143, perYear: 3, minHours: 4, maxHours: 30}
}

func (w *wash) step(p *physics, m *moment, r *record) {
	busy := 0.0
	if m.working(mondayToSaturday, false, false) {
		busy = shift(m.hour, 5.5, 20.5) * (0.7 + 0.6*shift(m.hour, 15, 20))
		if m.weekday == 6 {
			busy = 0.6 * shift(m.hour, 6, 14)
		}
		if m.august {
			busy *= 0.75
		}
	}
	traffic := w.traffic.next(p.seed, m.step)
	trucks := busy * 4.6 * clip(1+0.22*traffic, 0.2, 1.8) // an hour
	if w.failure.down(p.seed, m.step) {
		trucks = 0
	}
	// A truck takes 0.42 m3 of water of 60 degC and 0.35 m3 of cold water.
	hot := trucks * 0.42
	demand := hot * waterHeat * (60 - m.waterC) * 1000
	const capacity = 1.1e6 // Wh
	offered := p.foundry.compressorHeat * 0.95
	if w.pumpFail.down(p.seed, m.step) {
		offered = 0
	}
	const hours = stepSeconds / 3600.0
	in := math.Min(offered, (capacity-w.tank)/hours+demand*0.9)
	if in < 6e3 {
		in = 0
	}
	// The tank gives up to nine tenths of the demand: it is not hot enough for the rest.
	fromTank := math.Min(demand*0.9, w.tank/hours+in)
	w.tank = math.Max(0, math.Min(capacity, w.tank+(in-fromTank)*hours))
	w.tank -= w.tank * 0.0006
	r.circuit(washIn, in, 63+1.2*traffic, 34+12*w.tank/capacity, 25)
	r.set(washDemand, demand)
	r.set(washGas, gasFlow((demand-fromTank)/washBoiler))
	water := trucks*0.77 + 0.03*busy
	r.set(washWater, water*1e6)
	r.set(washShared, trucks*0.77*0.45*1e6)
	office := 0.0
	if m.working(mondayToFriday, false, false) {
		office = shift(m.hour, 6, 19)
	}
	r.set(haulElec, 9e3+16e3*office+2.2e3*trucks+0.4e3*math.Max(0, 5-m.outdoorC))
}
