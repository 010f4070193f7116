package synth

import (
	"math"

	"github.com/thermie/thermie/analytics/heat"
)

// size draws an asset's greatest heat, kW: one in six is small.
func (m *maker) size(low, high float64) float64 {
	if m.r.Float64() < 1.0/6 {
		return m.between(8, 35)
	}
	return low * math.Pow(high/low, m.r.Float64())
}

func (m *maker) compressor(site string) bool {
	full, load := m.size(250, 900)/0.72, m.pattern(1+m.r.IntN(2))
	share := m.between(0.67, 0.77)
	p := m.series(func(i int) float64 { return full * load[i] })
	o := m.name(site, "compressors")
	m.put(o+".P_kW", p, 0.01, 0.02, 1)
	return m.asset("oil-injected screw compressors", site, o, scaled(p, share), heat.Card{Signals: []string{o + ".P_kW"}, Rule: "Q=0.72*P", THot: "75", TCold: "45", DTContribution: 2.5})
}

func (m *maker) chiller(site string) bool {
	full, load := m.size(300, 1500)*0.75, m.pattern(m.r.IntN(2))
	warm := m.between(0.005, 0.02)
	cold := m.series(func(i int) float64 { return full * load[i] * math.Max(0.5, 0.7+warm*m.ext[i]) })
	p := m.series(func(i int) float64 { return cold[i] / math.Min(5.5, math.Max(2.8, 4.8-0.05*m.ext[i])) })
	o, w := m.name(site, "chiller"), m.name(site, "chilled_water")
	m.put(o+".P_kW", p, 0.01, 0.01, 1)
	c := heat.Card{Rule: "Q=Q_chilled+P_el", THot: "30", TCold: "25", DTContribution: 2.5}
	if m.r.IntN(2) == 0 {
		m.put(w+".Q_kW", cold, 0.02, 0.01, 1)
		c.Signals = []string{w + ".Q_kW", o + ".P_kW"}
		if _, neutral := m.words["chilled_water"]; neutral && m.words["chiller"] == "" {
			// A heat channel without a name can only be told by its company.
			delete(m.Grid.Channels, w+".Q_kW")
			m.loop(w, cold, func(int) float64 { return 12 }, 6)
			c.Signals, c.Rule = []string{w + ".V_m3h", w + ".T_hot_C", w + ".T_cold_C", o + ".P_kW"}, "Q=V*1.16111*(T_hot-T_cold)+P_el"
		}
	} else {
		m.loop(w, cold, func(int) float64 { return 12 }, 6)
		c.Signals, c.Rule = []string{w + ".V_m3h", w + ".T_hot_C", w + ".T_cold_C", o + ".P_kW"}, "Q=V*1.16111*(T_hot-T_cold)+P_el"
	}
	return m.asset("refrigeration", site, o, m.series(func(i int) float64 { return cold[i] + p[i] }), c)
}

// loop adds a heat meter on water: flow follows the heat, the hot side is given.
func (m *maker) loop(object string, kw []float64, hot func(i int) float64, spread float64) {
	m.put(object+".V_m3h", m.series(func(i int) float64 { return kw[i] / perM3K / spread }), 0.01, 0.01, 0.1)
	still := func(i int, t float64) float64 {
		if kw[i] == 0 {
			return 22 // water at rest takes the temperature of the hall
		}
		return t
	}
	m.celsius(object+".T_hot_C", m.series(func(i int) float64 { return still(i, hot(i)) }))
	m.celsius(object+".T_cold_C", m.series(func(i int) float64 { return still(i, hot(i)-spread) }))
}

func (m *maker) flue(site string) bool {
	load := m.pattern(1 + m.r.IntN(2))
	excess, base := m.between(4, 10), m.between(200, 260)
	full := m.size(200, 800)
	gasMax := full / ((0.66/(21-excess) + 0.009) / 100 * 220)
	gas := m.series(func(i int) float64 { return gasMax * load[i] })
	t := m.series(func(i int) float64 {
		if load[i] == 0 {
			return 60
		}
		return base + 150*load[i]
	})
	q := m.series(func(i int) float64 {
		if t[i] <= 130 {
			return 0
		}
		return gas[i] * (0.66/(21-excess) + 0.009) / 100 * (t[i] - 130)
	})
	g, f := m.name(site, "gas"), m.name(site, "flue")
	m.put(g+".P_kW", gas, 0.01, 0.01, 1)
	m.celsius(f+".T_C", t)
	m.put(f+".O2_pct", m.series(func(int) float64 { return excess }), 0.01, 0.02, 0.1)
	return m.asset("furnace flue", site, f, q, heat.Card{Signals: []string{g + ".P_kW", f + ".T_C", f + ".O2_pct"},
		Rule: "Q=P*(0.66/(21-O2)+0.009)/100*(T-130) if T>130 else 0", THot: f + ".T_C", TCold: "130", DTContribution: 15})
}

func (m *maker) effluent(site string) bool {
	load := m.pattern(m.r.IntN(2))
	full, warm := m.size(300, 3000), m.between(34, 48)
	t := m.series(func(i int) float64 { return warm + 2*math.Sin(float64(i)/90) })
	v := m.series(func(i int) float64 { return full * load[i] / perM3K / (warm - 22) })
	o := m.name(site, "effluent")
	m.put(o+".V_m3h", v, 0.01, 0.01, 0.01)
	m.celsius(o+".T_C", t)
	return m.asset("process effluent", site, o, m.series(func(i int) float64 { return v[i] * perM3K * (t[i] - 22) }),
		heat.Card{Signals: []string{o + ".V_m3h", o + ".T_C"}, Rule: "Q=V*1.16111*(T-22)", THot: "T", TCold: "22", DTContribution: 2.5})
}

func (m *maker) coolingLoop(site string) bool {
	load, full := m.pattern(0), m.size(200, 1500)
	summer := m.between(-0.004, 0.015) // a kelvin outdoors
	q := m.series(func(i int) float64 { return full * load[i] * (1 + summer*(m.ext[i]-11)) })
	hot := m.between(30, 36)
	o := m.name(site, "cooling")
	m.loop(o, q, func(i int) float64 { return hot + 0.1*m.ext[i] }, m.between(5, 8))
	return m.asset("data-centre cooling loop", site, o, q, loopCard(o))
}

func (m *maker) dryCooler(site string) bool {
	load, full := m.pattern(1+m.r.IntN(3)), m.size(300, 2500)
	q := m.series(func(i int) float64 { return full * load[i] })
	hot := m.between(45, 90)
	o := m.name(site, "drycooler")
	m.loop(o, q, func(i int) float64 { return hot + 1.5*math.Sin(float64(i)/40) }, m.between(9, 20))
	return m.asset("process dry cooler", site, o, q, loopCard(o))
}

func loopCard(o string) heat.Card {
	return heat.Card{Signals: []string{o + ".V_m3h", o + ".T_hot_C", o + ".T_cold_C"}, Rule: "Q=V*1.16111*(T_hot-T_cold)",
		THot: o + ".T_hot_C", TCold: o + ".T_cold_C", DTContribution: 2.5}
}

func (m *maker) kiln(site string) bool {
	load, full := m.pattern(3), m.size(400, 1500)/0.55
	share := m.between(0.53, 0.57)
	gas := m.series(func(i int) float64 { return full * load[i] })
	t := m.series(func(i int) float64 {
		if load[i] == 0 {
			return 18 + 0.3*m.ext[i]
		}
		return 60 + 8*math.Sin(float64(i)/60)
	})
	g, e := m.name(site, "kiln_gas"), m.name(site, "exhaust")
	m.put(g+".P_kW", gas, 0.01, 0.01, 1)
	m.celsius(e+".T_C", t)
	return m.asset("kiln exhaust", site, e, scaled(gas, share), heat.Card{Signals: []string{g + ".P_kW", e + ".T_C"},
		Rule: "Q=0.55*P if T>50 else 0", THot: e + ".T_C", TCold: "30", DTContribution: 7.5})
}

func scaled(x []float64, f float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v * f
	}
	return out
}

// decoys adds meters that look like waste heat and are none.
func (m *maker) decoys(site string) {
	for _, k := range m.r.Perm(10)[:3+m.r.IntN(3)] {
		full := m.between(150, 1500)
		switch k {
		case 0: // boiler house with its gas
			o := m.name(site, "boiler_house")
			q := m.series(func(i int) float64 { return full * math.Min(1, math.Max(0.06, (17-m.ext[i])/25)) })
			m.put(o+".Q_kW", q, 0.02, 0.02, 1)
			m.put(m.name(site, "boiler_gas")+".P_kW", scaled(q, 1/0.9), 0.01, 0.02, 1)
			m.decoy(o)
		case 1: // heating circuit on a heating curve
			o := m.name(site, "heating")
			q := m.series(func(i int) float64 { return full * math.Max(0, (16-m.ext[i])/26) })
			m.loop(o, q, func(i int) float64 { return math.Min(75, 40+1.1*(18-m.ext[i])) }, m.between(10, 18))
			m.decoy(o)
		case 2: // hot water from the mains
			o := m.name(site, "hotwater")
			load := m.pattern(1)
			m.loop(o, m.series(func(i int) float64 { return full * load[i] }), func(i int) float64 { return 60 + 2*math.Sin(float64(i)/30) }, m.between(46, 50))
			m.decoy(o)
		case 3: // district-heating substation
			o := m.name(site, "substation")
			q := m.series(func(i int) float64 { return full * (0.12 + math.Max(0, (17-m.ext[i])/28)) })
			m.loop(o, q, func(i int) float64 { return math.Max(70, math.Min(95, 90-0.8*m.ext[i])) }, m.between(20, 35))
			m.decoy(o)
		case 4: // electricity of halls
			o := m.name(site, "lighting")
			load := m.pattern(1)
			m.put(o+".P_kW", scaled(load, full/4), 0.01, 0.02, 1)
			m.decoy(o)
		case 5: // machines round the clock
			o := m.name(site, "machines")
			load := m.pattern(0)
			m.put(o+".P_kW", scaled(load, full/2), 0.01, 0.03, 1)
			m.decoy(o)
		case 6: // solar collectors
			o := m.name(site, "solar")
			m.loop(o, m.series(func(i int) float64 {
				t := m.Grid.At(i)
				height := math.Sin(math.Pi*(float64(t.Hour())+float64(t.Minute())/60-5)/13) * (0.6 - 0.4*math.Cos(2*math.Pi*float64(t.YearDay()-10)/365))
				return full * math.Max(0, height) * (0.3 + 0.7*math.Abs(math.Sin(float64(t.YearDay())*1.7)))
			}), func(int) float64 { return 65 }, 20)
			m.decoy(o)
		case 7: // water taken from the river
			o := m.name(site, "intake")
			load := m.pattern(0)
			m.put(o+".V_m3h", scaled(load, full/10), 0.01, 0.01, 0.1)
			m.celsius(o+".T_C", m.series(func(i int) float64 { return math.Max(3, 12+0.8*(m.ext[i]-11)) }))
			m.decoy(o)
		case 8: // process heat round the clock: only its name tells
			if m.words["machines"] == "" && len(m.words) > 0 {
				continue
			}
			o := m.name(site, "network_process")
			load := m.pattern(0)
			m.loop(o, scaled(load, full), func(int) float64 { return 85 }, 20)
			m.decoy(o)
		case 9: // what is recovered already, and hot water kept moving
			if m.words["machines"] == "" && len(m.words) > 0 {
				continue
			}
			load := m.pattern(1)
			o := m.name(site, "recovery")
			m.loop(o, scaled(load, full), func(int) float64 { return 55 }, 12)
			m.decoy(o)
			o = m.name(site, "hotwater_loop")
			m.loop(o, m.series(func(int) float64 { return full / 8 }), func(int) float64 { return 58 }, 5)
			m.decoy(o)
		}
	}
}

func (m *maker) decoy(object string) { m.Decoys = append(m.Decoys, object) }
