package matching

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
)

// StoredPlan is a plan with tanks, and its proof.
type StoredPlan struct {
	Plan
	// Tanks say what each did.
	Tanks  []TankPlan
	Rounds int // times that all steps were solved
}

// TankPlan is what a tank did.
type TankPlan struct {
	InMWh, OutMWh []float64 // taken from each source as it arrives, delivered to each sink
	ContentKWh    []float64 // at the end of each step
	PriceKWh      []float64 // worth of a kilowatt-hour in it at the end of each step
	FullHours     float64   // hours in which it is full
	PowerWorth    float64   // worth of all its power at the margin, kWh: 1 % more brings a hundredth at most
	WorthPerKWh   float64   // worth of one more kilowatt-hour of capacity over all steps, kWh
	PowerPeakKW   float64   // most that went in or out
}

// StoredOptions say when [SolveStored] may stop.
type StoredOptions struct {
	Gap    float64 // relative; 0: 1e-5
	Rounds int     // 0: 60
	Show   func(round int, gap float64)
}

// SolveStored computes the most worth of delivered heat when tanks join the steps.
//
// Dantzig-Wolfe decomposition: prices of stored heat, one for each tank and step,
// take the steps apart; each is then solved as in [Solve], with the tanks as one
// more source and sink each. A [master] mixes the plans of each step that came up,
// and prices anew. Any prices, whatever their origin, bound every plan (weak duality
// over time, and within each step that of [Solve]); the mixture, made to balance
// exactly, is a plan. It ends when the two meet within the gap asked for, else
// with the gap that is left.
func SolveStored(ctx context.Context, p *Problem, tanks []Tank, o StoredOptions) (*StoredPlan, error) {
	x, err := newDecomposition(p, tanks)
	if err != nil {
		return nil, err
	}
	if _, err := x.solve(ctx, o); err != nil {
		return nil, err
	}
	return x.plan(ctx)
}

// solve runs the decomposition, and returns the last prices.
func (x *decomposition) solve(ctx context.Context, o StoredOptions) (price []float64, err error) {
	p, tanks := x.p, x.tanks
	if o.Gap <= 0 {
		o.Gap = 1e-5
	}
	if o.Rounds <= 0 {
		o.Rounds = 60
	}
	// The first plans: without tanks, then with stored heat at prices about right.
	price = constant(p.Steps*len(tanks), math.NaN()) // tanks stay shut
	if err := x.price(ctx, price, nil); err != nil {
		return nil, err
	}
	if len(tanks) == 0 {
		x.best = x.shutBound
	} else {
		if price, err = x.guess(ctx, o); err != nil {
			return nil, err
		}
		for _, part := range []float64{1, 0.98, 1.02} {
			near := slices.Clone(price)
			for i := range near {
				near[i] *= part
			}
			if err := x.price(ctx, near, nil); err != nil {
				return nil, err
			}
			x.bind(near)
		}
	}
	x.measure()
	x.balance(x.alone()) // a plan to begin with
	gap, care := 1.0, 0.03
	for {
		var share []float64
		m, before := x.master(), gap
		share, price, _ = m.solve(x.scaled(price), min(max(gap*care, 1e-12), 1e-3))
		x.unscale(price)
		x.balance(m, share)
		gap = x.gap()
		if o.Show != nil {
			o.Show(x.rounds, gap)
		}
		if gap <= o.Gap || x.rounds >= o.Rounds || ctx.Err() != nil {
			break
		}
		x.prune(m, share)
		if err := x.price(ctx, price, nil); err != nil {
			return nil, err
		}
		x.bind(price)
		if gap = x.gap(); gap <= o.Gap {
			break
		}
		if gap > before/2 {
			care = max(care/4, 1e-6) // the master was not exact enough to tell more
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("matching: %w", err)
	}
	return price, nil
}

// guess are prices to begin with: of the problem on longer steps, where that is
// enough shorter to be cheap; else half of the highest.
func (x *decomposition) guess(ctx context.Context, o StoredOptions) ([]float64, error) {
	const short, times = 700, 6
	k := len(x.tanks)
	price := make([]float64, x.p.Steps*k)
	if x.p.Steps < short {
		for i := range price {
			price[i] = 0.5 * x.dear[i%k]
		}
		return price, nil
	}
	y, err := newDecomposition(x.p.Averaged(times), x.tanks)
	if err != nil {
		return nil, err
	}
	coarse, err := y.solve(ctx, StoredOptions{Gap: 10 * o.Gap, Rounds: o.Rounds})
	if err != nil {
		return nil, err
	}
	for i := range price {
		price[i] = coarse[i/k/times*k+i%k]
	}
	return price, nil
}

// known is a plan of one step.
type known struct {
	worth       float64   // kW
	in          []float64 // kW into each tank, net
	flows       []flow
	electricity float64 // kW
	used        int     // the last round in which it had a share
}

type flow struct {
	way int32
	kw  float64
}

// decomposition is a run of [SolveStored].
type decomposition struct {
	p, q   *Problem
	tanks  []Tank
	ways   []way
	kept   []float64 // share of content that survives a step
	dear   []float64 // no stored kilowatt-hour is worth more
	hints  [][][3]int32
	plans  [][]known
	byStep []float64 // bound of each step at the prices of the last round, kW
	last   []float64 // prices of the last round
	rounds int
	pivots int

	unit  float64 // of worth in the master, kW h
	floor float64 // bounds below it are as good as nothing

	best, shutBound float64 // the least bound so far, kW h
	bestPrice       []float64
	// The best plan so far: shares of the plans of each step, contents.
	worth   float64
	share   [][]float64
	chosen  [][]known
	content []float64
}

func newDecomposition(p *Problem, tanks []Tank) (*decomposition, error) {
	q, ways, err := p.withTanks(tanks)
	if err != nil {
		return nil, err
	}
	x := &decomposition{p: p, q: q, tanks: tanks, ways: ways, hints: make([][][3]int32, p.Steps), plans: make([][]known, p.Steps), byStep: make([]float64, p.Steps),
		best: math.Inf(1), worth: math.Inf(-1)}
	for k := range tanks {
		x.kept = append(x.kept, math.Pow(1-tanks[k].LossPerHour, p.Hours))
		most := 0.0
		for _, y := range ways {
			if y.out == int32(k) {
				most = max(most, y.worth*y.gain)
				if y.lift {
					// Lifted, a kilowatt-hour stored delivers more than itself.
					most = max(most, y.worth*y.gain*p.Machine.MaxCOP/(p.Machine.MaxCOP-1), y.worth*y.gain/(1-min(0.99, liftShare(&p.Machine, y.maxC, tanks[k].LevelC))))
				}
			}
		}
		x.dear = append(x.dear, 1.02*most+1e-3)
	}
	return x, nil
}

// liftShare is the electricity for a unit delivered at the highest temperature.
func liftShare(m *Machine, high, low float64) float64 {
	return max((high-low)/(m.Efficiency*(high+273.15)), 1/m.MaxCOP)
}

// price solves every step whose prices changed, and keeps its plan if it is new.
// done, if not nil, is shown the sums of each run of steps, one at a time.
func (x *decomposition) price(ctx context.Context, price []float64, done func(*part)) error {
	k := len(x.tanks)
	chunks := (x.p.Steps + chunk - 1) / chunk
	next := make(chan int, chunks)
	for c := range chunks {
		next <- c
	}
	close(next)
	var wait sync.WaitGroup
	var lock sync.Mutex
	for range min(runtime.GOMAXPROCS(0), chunks) {
		wait.Go(func() {
			for c := range next {
				if ctx.Err() != nil {
					return
				}
				t := newPart(x.q, x.ways)
				t.varies = true
				for i := c * chunk; i < min((c+1)*chunk, x.p.Steps); i++ {
					x.step(t, i, price[i*k:(i+1)*k])
				}
				lock.Lock()
				x.pivots += t.pivots
				if done != nil {
					done(t)
				}
				lock.Unlock()
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("matching: %w", err)
	}
	x.last = slices.Clone(price)
	x.rounds++
	if x.rounds == 1 {
		for _, b := range x.byStep {
			x.shutBound += b * x.p.Hours
		}
	}
	return nil
}

// step solves step i at prices of stored heat. NaN shuts the tanks.
func (x *decomposition) step(t *part, i int, stored []float64) {
	if x.rounds > 1 && x.hints[i] == nil {
		return // nothing can happen in it
	}
	if x.last != nil && slices.Equal(stored, x.last[i*len(x.tanks):(i+1)*len(x.tanks)]) {
		return
	}
	if !t.ladder.build(t.p, t.lifted, i) {
		if x.plans[i] == nil {
			x.plans[i] = []known{{in: make([]float64, len(x.tanks))}}
		}
		return
	}
	n := t.network()
	shut := len(stored) > 0 && math.IsNaN(stored[0])
	n.load(&x.q.Machine, t.ladder.top, t.ladder.low, stored, shut, &t.work)
	var hint *basis
	if h := x.hints[i]; h != nil {
		hint = &basis{columns: make([]column, len(h))}
		for k, c := range h {
			hint.columns[k] = column{from: c[0], to: c[1], way: c[2], a: 1}
		}
	}
	before := t.electricity
	b := t.optimal(n, hint)
	t.read(n, b)
	h := x.hints[i]
	if h == nil {
		h = make([][3]int32, len(b.columns))
		x.hints[i] = h
	}
	for k, c := range b.columns {
		h[k] = [3]int32{c.from, c.to, c.way}
	}
	x.byStep[i] = t.stepBound
	plan := known{in: make([]float64, len(x.tanks)), electricity: t.electricity - before, used: x.rounds}
	for _, k := range t.touched {
		plan.flows = append(plan.flows, flow{k, t.flow[k]})
	}
	plan.worth = t.stepWorth
	through := make([]float64, len(x.tanks))
	for k := range b.columns {
		c := &b.columns[k]
		y := t.work.x[k]
		if c.to < 0 || !(y > 0) {
			continue
		}
		if w := &x.ways[c.way]; w.in >= 0 {
			plan.in[w.in] += y
			through[w.in] += y
		} else if w.out >= 0 {
			plan.in[w.out] -= y * c.a
			through[w.out] += y * c.a
		}
	}
	for k, v := range plan.in {
		if math.Abs(v) <= 1e-12*through[k] {
			plan.in[k] = 0 // what only passes through is not taken from the tank
		}
	}
	if !shut {
		for k, v := range plan.in {
			plan.worth -= float64(v * stored[k]) // without the price of what is stored
		}
	}
	for _, old := range x.plans[i] {
		if math.Abs(old.worth-plan.worth) <= 1e-9*(1+math.Abs(plan.worth)) && near(old.in, plan.in) {
			return
		}
	}
	x.plans[i] = append(x.plans[i], plan)
}

func near(a, b []float64) bool {
	for i, v := range a {
		if math.Abs(v-b[i]) > 1e-9*(1+math.Abs(v)) {
			return false
		}
	}
	return true
}

// bind takes the bound of the last round: that of the steps, and for each tank
// what the prices would pay for its room.
func (x *decomposition) bind(price []float64) {
	bound := 0.0
	for _, b := range x.byStep {
		bound += b * x.p.Hours
	}
	n := len(x.tanks)
	for at := range price {
		next := 0.0
		if at+n < len(price) {
			next = x.kept[at%n] * price[at+n]
		}
		bound += x.tanks[at%n].CapacityKWh * max(0, next-price[at])
	}
	if bound < x.best {
		x.best, x.bestPrice = bound, slices.Clone(price)
	}
}

// gap is what separates the best plan from the least bound, relative.
func (x *decomposition) gap() float64 {
	if base := max(x.best, x.floor); base > 0 {
		return max(0, x.best-x.worth) / base
	}
	return 0
}
