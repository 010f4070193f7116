package matching

import (
	"context"
	"math"
	"slices"
)

// measure sets the scale of worth in the master: about that of a step.
func (x *decomposition) measure() {
	total := 0.0
	for _, list := range x.plans {
		most := 0.0
		for _, c := range list {
			most = max(most, c.worth)
		}
		total += most * x.p.Hours
	}
	for k := range x.tanks {
		x.floor += 1e-3 * x.dear[k] * x.tanks[k].CapacityKWh
	}
	x.unit = max(total, x.floor, 1e-3) / float64(x.p.Steps)
}

// scaled are prices of stored kilowatt-hours as the master counts them.
func (x *decomposition) scaled(price []float64) []float64 {
	out := make([]float64, len(price))
	for i, v := range price {
		out[i] = v * x.tanks[i%len(x.tanks)].CapacityKWh / x.unit
	}
	return out
}

func (x *decomposition) unscale(price []float64) {
	for i := range price {
		price[i] *= x.unit / x.tanks[i%len(x.tanks)].CapacityKWh
	}
}

// master states the programme over time with the plans known.
func (x *decomposition) master() *master {
	n := len(x.tanks)
	m := &master{steps: x.p.Steps, tanks: n, start: make([]int, 0, x.p.Steps+1), kept: x.kept}
	for k := range x.tanks {
		m.dear = append(m.dear, x.dear[k]*x.tanks[k].CapacityKWh/x.unit)
	}
	for _, list := range x.plans {
		m.start = append(m.start, len(m.v))
		for _, c := range list {
			m.v = append(m.v, c.worth*x.p.Hours/x.unit)
			for k, v := range c.in {
				m.x = append(m.x, v*x.p.Hours/x.tanks[k].CapacityKWh)
			}
		}
	}
	m.start = append(m.start, len(m.v))
	return m
}

// balance makes a plan of the shares that balances exactly, and keeps it if it is
// the best. Where a tank would give more than it has, the step gives way towards
// another of its plans.
func (x *decomposition) balance(m *master, share []float64) {
	n := len(x.tanks)
	content, all := make([]float64, x.p.Steps*n), make([][]float64, x.p.Steps)
	have, in := make([]float64, n), make([]float64, n)
	worth := 0.0
	for t, list := range x.plans {
		th := slices.Clone(share[m.start[t]:m.start[t+1]])
		sum := 0.0
		for _, v := range th {
			sum += v
		}
		for c := range th {
			th[c] /= sum
		}
		for k := range have {
			have[k] *= x.kept[k]
		}
		x.afford(list, th, have, in)
		for k := range have {
			// What is still missing is rounding, and paid at the highest price.
			have[k] += in[k]
			worth -= x.dear[k] * max(-have[k], 0)
			have[k] = min(max(have[k], 0), x.tanks[k].CapacityKWh)
			content[t*n+k] = have[k]
		}
		for c, v := range th {
			worth += float64(v * list[c].worth * x.p.Hours)
		}
		all[t] = th
	}
	if worth > x.worth {
		x.worth, x.share, x.content = worth, all, content
		x.chosen = make([][]known, len(x.plans))
		for t, list := range x.plans {
			x.chosen[t] = slices.Clone(list)
		}
	}
}

// alone are the shares of the plan without tanks.
func (x *decomposition) alone() (*master, []float64) {
	m := x.master()
	share := make([]float64, len(m.v))
	for _, at := range m.start[:x.p.Steps] {
		share[at] = 1
	}
	return m, share
}

// afford changes the shares of a step's plans as little as it can until no tank
// gives more than it has, and leaves what goes into each in kWh.
func (x *decomposition) afford(list []known, th, have, in []float64) {
	for try := 0; ; try++ {
		clear(in)
		for c := range th {
			for k, v := range list[c].in {
				in[k] += float64(th[c] * v * x.p.Hours)
			}
		}
		worst, lack := -1, 0.0
		for k := range have {
			if l := -(have[k] + in[k]) / x.tanks[k].CapacityKWh; l > max(lack, 1e-12) {
				worst, lack = k, l
			}
		}
		if worst < 0 || try > 8*len(have) {
			return
		}
		// Shares of the plans that take from it go to the one without tanks, the first.
		taken := 0.0
		for c := range th {
			taken += float64(th[c] * max(-list[c].in[worst], 0) * x.p.Hours)
		}
		part := min(1, lack*x.tanks[worst].CapacityKWh/taken)
		for c := range th {
			if list[c].in[worst] < 0 {
				th[0] += part * th[c]
				th[c] *= 1 - part
			}
		}
	}
}

// forgotten is after how many rounds without a share a plan is dropped.
const forgotten = 4

// prune drops plans that have had no share for long. The first stays.
func (x *decomposition) prune(m *master, share []float64) {
	for t, list := range x.plans {
		kept := list[:0:0]
		for c := range list {
			if share[m.start[t]+c] > 1e-7 {
				list[c].used = x.rounds
			}
			if c == 0 || x.rounds-list[c].used < forgotten {
				kept = append(kept, list[c])
			}
		}
		x.plans[t] = kept
	}
}

// use is what each way delivers in the best plan, MWh.
func (x *decomposition) use() []float64 {
	out := make([]float64, len(x.ways))
	for t, list := range x.chosen {
		for c, share := range x.share[t] {
			if share > 1e-6 { // less is the master's rounding
				for _, f := range list[c].flows {
					out[f.way] += share * f.kw * x.p.Hours / 1000
				}
			}
		}
	}
	return out
}

// plan reads the best plan.
func (x *decomposition) plan(ctx context.Context) (*StoredPlan, error) {
	sources, sinks, n := len(x.p.Sources), len(x.p.Sinks), len(x.tanks)
	hours := x.p.Hours
	out := &StoredPlan{Rounds: x.rounds, Plan: Plan{MatrixMWh: table(sources, sinks), PeakKW: table(sources, sinks), ByStepKW: make([]float64, x.p.Steps), Pivots: x.pivots}}
	if len(x.p.Lifts) > 0 {
		out.LiftMWh = table(sources, sinks)
	}
	for k := range x.tanks {
		y := TankPlan{InMWh: make([]float64, sources), OutMWh: make([]float64, sinks), ContentKWh: make([]float64, x.p.Steps), PriceKWh: make([]float64, x.p.Steps)}
		for t := range x.p.Steps {
			y.ContentKWh[t] = x.content[t*n+k]
			if y.ContentKWh[t] > 0.999*x.tanks[k].CapacityKWh {
				y.FullHours += hours
			}
			if x.bestPrice != nil {
				price, next := x.bestPrice[t*n+k], 0.0
				if t+1 < x.p.Steps {
					next = x.kept[k] * x.bestPrice[(t+1)*n+k]
				}
				y.PriceKWh[t] = price
				y.WorthPerKWh += max(0, next-price)
			}
		}
		out.Tanks = append(out.Tanks, y)
	}
	pair := make([]float64, sources*sinks)
	tank := make([]float64, n)
	for t, list := range x.chosen {
		clear(pair)
		clear(tank)
		busy := false
		for c, share := range x.share[t] {
			if share <= 0 {
				continue
			}
			out.ElectricityMWh += share * list[c].electricity * hours / 1000
			for k, v := range list[c].in {
				tank[k] += share * v
			}
			for _, f := range list[c].flows {
				y, kw := &x.ways[f.way], share*f.kw
				busy = true
				switch {
				case y.in >= 0:
					out.Tanks[y.in].InMWh[y.source] += kw * hours / 1000
					continue
				case y.out >= 0:
					out.Tanks[y.out].OutMWh[y.sink] += kw * hours / 1000
				default:
					out.MatrixMWh[y.source][y.sink] += kw * hours / 1000
					pair[int(y.source)*sinks+int(y.sink)] += kw
					if y.lift {
						out.LiftMWh[y.source][y.sink] += kw * hours / 1000
					}
				}
				out.ByStepKW[t] += kw
			}
		}
		if busy {
			out.Solved++
		}
		for at, kw := range pair {
			s, d := at/sinks, at%sinks
			out.PeakKW[s][d] = max(out.PeakKW[s][d], kw)
		}
		for k, v := range tank {
			out.Tanks[k].PowerPeakKW = max(out.Tanks[k].PowerPeakKW, math.Abs(v))
		}
		out.DeliveredMWh += out.ByStepKW[t] * hours / 1000
	}
	out.Worth, out.Bound, out.Gap = x.worth/1000, x.best/1000, x.gap()
	return out, x.margins(ctx, out)
}

// margins prices the steps once more, at the prices of the bound, and adds up what
// more heat, more power of a tank and shorter pipes are worth.
func (x *decomposition) margins(ctx context.Context, out *StoredPlan) error {
	sources, sinks := len(x.p.Sources), len(x.p.Sinks)
	out.SourceWorth, out.SinkWorth, out.PipeWorth = make([]float64, sources), make([]float64, sinks), table(sources, sinks)
	price := x.bestPrice
	if price == nil {
		price = make([]float64, x.p.Steps*len(x.tanks))
	}
	x.last = nil
	scale := x.p.Hours / 1000
	return x.price(ctx, price, func(t *part) {
		for k, v := range t.stream {
			switch {
			case k < sources:
				out.SourceWorth[k] += v * scale
			case k < sources+len(x.tanks):
				out.Tanks[k-sources].PowerWorth += v * scale * 1000
			case k < sources+len(x.tanks)+sinks:
				out.SinkWorth[k-sources-len(x.tanks)] += v * scale
			default:
				out.Tanks[k-sources-len(x.tanks)-sinks].PowerWorth += v * scale * 1000
			}
		}
		for k := range x.ways {
			if y := &x.ways[k]; y.in < 0 && y.out < 0 {
				out.PipeWorth[y.source][y.sink] += t.pipe[k] * scale
			}
		}
	})
}
