package port

import "math"

// malt is the Malterie des Deux Rives: two kilns, each in batches of about
// 20 hours every day. In the first half the exhaust air is saturated and cool;
// when the grain is dry it rises to 65 degC, and heat can be taken from it
// (synergy 2).
type malt struct {
	kilns   [2]kiln
	exhaust float64
	failure breakdown
	line    breakdown
	draught wander
	// For the synergy: heat above 30 degC that a clean exchanger could take, W.
	heat float64
	gas  float64
}

type kiln struct {
	at, length int // step within the batch
	batches    uint64
	airC       float64
}

func (a *malt) init() {
	a.kilns[0] = kiln{at: 30, length: 144, airC: 28}
	a.kilns[1] = kiln{at: 100, length: 144, airC: 45}
	a.exhaust = 30
	a.failure = breakdown{stream: 201, perYear: 4, minHours: 3, maxHours: 16}
	a.line = breakdown{stream: 202, perYear: 4, minHours: 4, maxHours: 48}
	a.draught = wander{stream: 203, keep: 0.95}
}

func (a *malt) step(p *physics, m *moment) {
	failed := a.failure.down(p.seed, m.step)
	stopped := m.christmas
	draught := a.draught.next(p.seed, m.step)
	a.gas, a.heat = 0, 0
	hottest := 0.0
	for i := range a.kilns {
		gas, heat, air := a.kilns[i].step(p.seed, uint64(i), m, failed || stopped)
		a.gas += gas
		a.heat += heat
		hottest = math.Max(hottest, air)
	}
	a.heat *= clip(1+0.05*draught, 0.8, 1.2)
	a.exhaust = hottest + 0.4*draught
	if a.line.down(p.seed, m.step) {
		a.heat = 0
	}
}

func (k *kiln) step(seed, number uint64, m *moment, stopped bool) (gas, heat, airC float64) {
	if stopped {
		k.airC += (m.outdoorC*0.3 + 14 - k.airC) * 0.05
		return 0, 0, k.airC
	}
	k.at++
	if k.at >= k.length {
		k.at = 0
		k.batches++
		k.length = 138 + int(13*chance(seed, 210+number, k.batches))
	}
	hours := float64(k.at) / stepsAnHour
	// Warmer and drier air needs less gas.
	weather := 1 + 0.012*(11-m.outdoorC)
	target := 20.0
	switch {
	case hours < 11: // free drying: saturated air
		gas, target = 1.55e6*weather, 28.5
	case hours < 14: // break-through: the air warms
		gas, target = 1.45e6*weather, 28.5+10*(hours-11)
	case hours < 20: // curing
		gas, target = 1.15e6*weather, 60+5*math.Sin(hours)
	default: // cooling, unloading, loading
		target = 22
	}
	k.airC += (target - k.airC) * 0.2
	if k.airC > 42 && gas > 0 {
		heat = 0.41 * gas * ramp(k.airC, 38, 58)
	}
	return gas, heat, k.airC
}

// dairy is the Laiterie du Bassin: six days a week, hot water for cleaning and
// pasteurising, preheated with the malt house's heat through a tank, and a
// chiller whose condenser heat goes to a tower.
type dairy struct {
	tank    float64 // Wh
	milk    wander
	chiller breakdown
	clean   wander
}

func (d *dairy) init() {
	d.tank = 4e6
	d.milk = wander{stream: 221, keep: 0.97}
	d.clean = wander{stream: 222, keep: 0.6}
	d.chiller = breakdown{stream: 223, perYear: 4, minHours: 1, maxHours: 8}
}

// fouling is the share that the exchanger still transfers: from one quarter on
// it falls within three weeks to 86 %.
func fouling(step, start int) float64 {
	return 1 - 0.14*ramp(float64(step-start), 0, 21*stepsADay)
}

func (d *dairy) step(p *physics, m *moment, r *record) {
	milk, clean := d.milk.next(p.seed, m.step), d.clean.next(p.seed, m.step)
	busy := 0.0
	if m.working(mondayToSaturday, false, false) || m.holiday && m.weekday != 0 {
		busy = shift(m.hour, 4.5, 21)
	}
	demand := 25e3
	if busy > 0 {
		// Cleaning in place before each shift and after the last.
		cip := shift(m.hour, 4.5, 6) + shift(m.hour, 12.5, 14) + 1.2*shift(m.hour, 19, 21)
		demand += busy*620e3*clip(1+0.12*milk, 0.5, 1.5) + 560e3*cip*clip(1+0.2*clean, 0.4, 1.6)
	}
	supplyC := m.waterC
	preheat := demand * (48 - supplyC) / (65 - supplyC) // the tank is at 48 degC

	const capacity, hours = 9e6, stepSeconds / 3600.0
	room := (capacity-d.tank)/hours + preheat
	line := func(offered float64) (donor, in float64) {
		in = math.Min(offered*0.97-5e3, room)
		if in < 20e3 {
			return 0, 0
		}
		return (in + 5e3) / 0.97, in
	}
	state := fouling(m.step, p.events.foulingStart)
	_, wouldBe := line(p.malt.heat)
	donor, in := line(p.malt.heat * state)
	fromTank := math.Min(preheat, d.tank/hours+in)
	d.tank = clip(d.tank+(in-fromTank)*hours, 0, capacity)
	d.tank -= d.tank * 0.0003

	// A fouled exchanger passes the same water, less warm.
	back := supplyC + 8 + 10*d.tank/capacity
	hot := back + (54-back)*clip(in/950e3, 0.35, 1)*state
	r.circuit(maltRecovery, donor, hot+0.8, back-0.3, 26)
	r.circuit(dairyIn, in, hot, back, 22)
	r.set(dairyInClean, wouldBe)
	pump := 0.0
	if donor > 0 {
		pump = 9.5e3 + 4e3*clip(p.malt.heat/1e6, 0, 1.5) // the pump does not know that it pumps for less
	}
	r.set(maltPump, pump)
	fans := 22e3
	if p.malt.gas > 0 {
		fans += 95e3 * p.malt.gas / 3e6
	}
	r.set(maltElec, fans+pump+30e3+8e3*clip(1+p.malt.draught.x, 0, 2))
	r.set(maltGas, gasFlow(p.malt.gas))
	r.setC(maltExhaust, p.malt.exhaust)

	r.circuit(dairyHotWater, demand, 65, supplyC, 30)
	r.set(dairyGas, gasFlow((demand-fromTank)/dairyBoiler))

	cold := (150e3 + 330e3*busy + 9e3*math.Max(0, m.outdoorC-8)) * clip(1+0.08*milk, 0.6, 1.4)
	if d.chiller.down(p.seed, m.step) {
		cold *= 0.35
	}
	cop := 5.2 - 0.055*math.Max(0, m.outdoorC-5)
	r.set(dairyChiller, cold/cop)
	r.circuit(dairyCooling, cold, 7.5+0.4*clean, 2, 10)
	// Air for the filling lines, part of the site's electricity.
	r.set(dairyCompressor, 9e3+86e3*busy*clip(1+0.1*milk, 0.6, 1.3))
	r.set(dairyElec, 45e3+130e3*busy+cold/cop)
	r.set(dairyWater, (0.6+7.5*busy*clip(1+0.12*milk, 0.5, 1.5)+demand/(waterHeat*1000*(65-supplyC)))*1e6)
}
