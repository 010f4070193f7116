package port

import "math"

// Physical constants and agreed values of the programme. The M&V plans quote
// the same numbers, from the same sources.
const (
	// GasPCS is the conversion coefficient of the fictional gas grid, kWh (gross
	// calorific value) for each cubic metre at the meter.
	GasPCS = 11.05
	// PCSOverPCI is gross over net calorific value of natural gas.
	PCSOverPCI = 1.111
	// waterHeat is the heat that a cubic metre of water gives off by a kelvin, kWh.
	waterHeat = 1.16111

	networkBoiler = 0.90 // boiler efficiencies, on net calorific value
	dairyBoiler   = 0.89
	officeBoiler  = 0.92
	washBoiler    = 0.92
	millBoiler    = 0.88
)

// events are the steps at which something in the port changes for good.
type events struct {
	officeStart  int // synergy 3: the heat pump of the offices starts
	hoodStart    int // synergy 12: heat recovery on the dryer hood of the paper mill
	foulingStart int // synergy 2: the exchanger at the malt house begins to foul
	lineStart    int // the paper mill's new production line
}

// physics is the state of all plants.
type physics struct {
	seed    uint64
	events  events
	foundry foundry
	network network
	malt    malt
	dairy   dairy
	data    data
	office  office
	wash    wash
	mill    mill
	oil     oil
	wood    wood
	biogas  digester
	chem    chem
	galva   galva
	silo    silo
	stone   concrete
}

func newPhysics(seed uint64, e events) *physics {
	p := &physics{seed: seed, events: e}
	p.foundry.init()
	p.network.init()
	p.malt.init()
	p.dairy.init()
	p.data.init()
	p.office.init()
	p.wash.init()
	p.mill.init()
	p.oil.init()
	p.wood.init()
	p.biogas.init()
	p.chem.init()
	p.galva.init()
	p.silo.init()
	p.stone.init()
	return p
}

// step computes one step of ten minutes for the whole port. Donors come before
// those who take their heat.
func (p *physics) step(m *moment, r *record) {
	r.setC(outdoor, m.outdoorC)
	p.foundry.step(p, m, r)
	p.network.step(p, m, r)
	p.wash.step(p, m, r)
	p.malt.step(p, m)
	p.dairy.step(p, m, r)
	p.office.step(p, m, r)
	p.data.step(p, m, r)
	p.oil.step(p, m, r)
	p.mill.step(p, m, r)
	p.wood.step(p, m, r)
	p.biogas.step(p, m, r)
	p.chem.step(p, m, r)
	p.galva.step(p, m, r)
	p.stone.step(p, m, r)
	p.silo.step(p, m, r)
	r.commit()
}

// gasFlow is the volume flow in mL/h of natural gas that burns with a power in
// W of net calorific value.
func gasFlow(pci float64) float64 { return pci * PCSOverPCI / GasPCS * 1000 }

// circuit sets the four channels of a heat circuit: power in W, temperatures in
// degrees Celsius. Without power the flow stops and the pipes cool to idleC.
func (r *record) circuit(q channel, power, hotC, coldC, idleC float64) {
	if power < 500 || hotC-coldC < 0.5 {
		r.now[q], r.now[q+1] = 0, 0
		for _, c := range [2]channel{q + 2, q + 3} {
			was := float64(r.now[c]) / 100
			r.setC(c, was+(idleC-was)*0.08)
		}
		return
	}
	r.set(q, power)
	r.set(q+1, power/(waterHeat*(hotC-coldC))*1000)
	r.setC(q+2, hotC)
	r.setC(q+3, coldC)
}

// shift is a bump in the course of a day: 1 between from and to (hours), with
// edges of half an hour.
func shift(hour, from, to float64) float64 {
	return math.Min(ramp(hour, from-0.25, from+0.25), 1-ramp(hour, to-0.25, to+0.25))
}
