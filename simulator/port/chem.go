package port

import "math"

// chem is Chimie fine du Wacken: three reactors in batches, heated with 6 bar
// steam and then cooled with water that leaves at 30 to 40 degC for a tower.
type chem struct {
	reactors [3]reactor
	tower    wander
	failure  breakdown
}

type reactor struct {
	at, length int
	batches    uint64
}

func (c *chem) init() {
	c.reactors = [3]reactor{{at: 5, length: 66}, {at: 30, length: 72}, {at: 50, length: 80}}
	c.tower = wander{stream: 501, keep: 0.95}
	c.failure = breakdown{stream: 502, perYear: 5, minHours: 2, maxHours: 20}
}

func (c *chem) step(p *physics, m *moment, r *record) {
	noise := c.tower.next(p.seed, m.step)
	open := m.working(mondayToSaturday, true, true) || m.weekday == 0 && m.hour < 6
	if c.failure.down(p.seed, m.step) {
		open = false
	}
	steam, cooling, stirring := 35e3+2.2e3*math.Max(0, 15-m.smoothC), 20e3, 0.0
	for i := range c.reactors {
		h, q, s := c.reactors[i].step(p.seed, uint64(i), open)
		steam += h
		cooling += q
		stirring += s
	}
	cooling *= clip(1+0.05*noise, 0.8, 1.2)
	cold := clip(18+0.35*m.outdoorC, 20, 28)
	r.set(chemSteam, steam)
	r.circuit(chemCooling, cooling, cold+4+8*ramp(cooling, 0, 900e3), cold, 22)
	r.set(chemElec, 70e3+stirring+0.025*cooling)
	// Make-up of the tower and process water.
	r.set(chemWater, (0.25+cooling/1e6*1.6+0.9*ramp(stirring, 0, 90e3))*1e6)
}

// step returns the heat taken, the heat to be removed and the power of the stirrer, W.
func (k *reactor) step(seed, number uint64, open bool) (heat, cooling, stirrer float64) {
	if k.at >= k.length { // empty, clean, wait for a shift
		if !open || k.at < k.length+9 {
			if k.at < k.length+9 {
				k.at++
			}
			return 0, 0, 0
		}
		k.at = 0
		k.batches++
		k.length = 54 + int(38*chance(seed, 510+number, k.batches))
	}
	k.at++
	done := float64(k.at) / float64(k.length)
	switch {
	case done < 0.3:
		return 340e3, 0, 28e3
	case done < 0.65:
		return 60e3, 330e3, 32e3 // exothermic
	default:
		return 0, 420e3 * (1.2 - done), 24e3
	}
}

// galva is Galvano-Est: heated baths and rinse water in two shifts; clean rinse
// water goes to the concrete plant (synergy 9).
type galva struct {
	orders wander
}

func (g *galva) init() { g.orders = wander{stream: 521, keep: 0.99} }

func (g *galva) step(p *physics, m *moment, r *record) {
	orders := clip(1+0.15*g.orders.next(p.seed, m.step), 0.4, 1.6)
	work := 0.0
	if m.working(mondayToFriday, true, true) {
		work = shift(m.hour, 5, 21) * orders
	}
	r.circuit(galvaHeat, 70e3+3e3*math.Max(0, 15-m.smoothC)+150e3*work, 82, 66, 40)
	r.set(galvaWater, (0.02+0.34*work)*1e6)
	// Only the last, clean rinse is handed on: about 0.5 m3 a working day.
	r.set(galvaRinse, 0.031*work*1e6)
	r.set(galvaElec, 25e3+190e3*work)
}

// concrete is Béton des Écluses: less in frost.
type concrete struct {
	sites wander
}

func (c *concrete) init() { c.sites = wander{stream: 531, keep: 0.99} }

func (c *concrete) step(p *physics, m *moment, r *record) {
	work := 0.0
	if m.working(mondayToFriday, true, true) {
		work = shift(m.hour, 6, 17) * clip(1+0.3*c.sites.next(p.seed, m.step), 0.2, 1.9) * (0.35 + 0.65*ramp(m.smoothC, -2, 6))
	}
	reclaimed := float64(r.now[galvaRinse]) / 1e6
	r.set(concreteWater, math.Max(0, 2.4*work-reclaimed)*1e6)
	r.set(concreteElec, 6e3+78e3*work)
}

// silo is Silos et Céréales du Polygone: a gas-fired grain dryer from
// mid-September to mid-November, moist warm air to the sky.
type silo struct {
	moisture wander
	failure  breakdown
	airC     float64
	heat     float64 // 0 to 1
}

func (s *silo) init() {
	s.moisture = wander{stream: 541, keep: 0.995}
	s.failure = breakdown{stream: 542, perYear: 12, minHours: 2, maxHours: 20}
	s.airC = 12
}

func (s *silo) step(p *physics, m *moment, r *record) {
	wet := s.moisture.next(p.seed, m.step)
	season := m.yearDay >= 257 && m.yearDay < 322
	on := season && !(m.hour >= 4 && m.hour < 6) && !s.failure.down(p.seed, m.step)
	target, air := 0.0, m.outdoorC
	if on {
		target, air = clip(1+0.12*wet, 0.5, 1.3), 36+3*wet
	}
	s.heat += (target - s.heat) * 0.4
	s.airC += (air - s.airC) * 0.35
	gas := 1.45e6 * s.heat * (1 + 0.008*(12-m.outdoorC))
	r.set(siloGas, gasFlow(gas))
	r.setC(siloExhaust, s.airC)
	handling := 0.0
	if m.working(mondayToFriday, false, false) {
		handling = shift(m.hour, 6, 18)
	}
	r.set(siloElec, 7e3+38e3*handling+85e3*s.heat)
}
