package matching

import "math"

// master is the linear programme over time that joins the steps: of each step's
// known plans a mixture is chosen, so that tanks never hold less than nothing nor
// more than they can.
//
//	min  sum of -v th + dear a
//	s.t. sum over the plans of a step of th                       = 1
//	     e(t,k) - kept(k) e(t-1,k) - sum of x(k) th + s(t,k) - a(t,k) = 0
//	     th, s, a >= 0,  0 <= e <= 1,  e(-1) = 0
//
// e is the content at the end of a step over the capacity, x what a plan puts into
// the tank over the capacity, s heat let off, a heat from nowhere at a price that no
// stored heat is worth: it keeps the programme solvable while few plans are known,
// and is 0 at the end.
//
// It is solved by a primal-dual interior point method (Mehrotra, SIAM Journal on
// Optimization 2, 1992). Its normal equations are block tridiagonal over time, with
// blocks as large as there are tanks, so that a year costs time in proportion to
// its steps. Nothing rests on its exactness: plans are made feasible and priced
// afterwards, and prices bounded by weak duality.
type master struct {
	steps, tanks int
	start        []int     // of each step's plans, and the end
	v, x         []float64 // worth of each plan; tanks values of each plan
	kept, dear   []float64 // of each tank
}

// iterate is a point of the method: th, s, a, e with their multipliers z, the gap u
// of e to 1 with w; pi and y are the rows' multipliers, y negative: -y is the price
// of content.
type iterate struct {
	th, s, a, e, u     []float64
	thZ, sZ, aZ, eZ, w []float64
	pi, y              []float64
}

func newIterate(plans, steps, tanks int) *iterate {
	n := steps * tanks
	all := make([]float64, 2*plans+9*n+steps)
	cut := func(n int) []float64 { c := all[:n:n]; all = all[n:]; return c }
	return &iterate{th: cut(plans), thZ: cut(plans), s: cut(n), a: cut(n), e: cut(n), u: cut(n), sZ: cut(n), aZ: cut(n), eZ: cut(n), w: cut(n), y: cut(n), pi: cut(steps)}
}

// pairs are the products that the method drives to zero.
func (p *iterate) pairs() [5][2][]float64 {
	return [5][2][]float64{{p.th, p.thZ}, {p.s, p.sZ}, {p.a, p.aZ}, {p.e, p.eZ}, {p.u, p.w}}
}

// begin is a point that is feasible for the multipliers, with prices near those given.
func (m *master) begin(price []float64) *iterate {
	p := newIterate(len(m.v), m.steps, m.tanks)
	const apart = 0.05
	for t := range m.steps {
		from, to := m.start[t], m.start[t+1]
		for k := range m.tanks {
			at := t*m.tanks + k
			p.y[at] = -min(max(price[at], 0.02*m.dear[k]), 0.98*m.dear[k])
			p.s[at], p.a[at], p.e[at], p.u[at] = 0.1, 0.1, 0.5, 0.5
			p.sZ[at], p.aZ[at] = -p.y[at], m.dear[k]+p.y[at]
		}
		least := math.Inf(1)
		for c := from; c < to; c++ {
			p.th[c] = 1 / float64(to-from)
			p.thZ[c] = -m.v[c] + m.in(c, p.y[t*m.tanks:])
			least = min(least, p.thZ[c])
		}
		p.pi[t] = least - apart
		for c := from; c < to; c++ {
			p.thZ[c] -= p.pi[t]
		}
	}
	for at := range p.e {
		r := -p.y[at]
		if at+m.tanks < len(p.y) {
			r += m.kept[at%m.tanks] * p.y[at+m.tanks]
		}
		p.eZ[at], p.w[at] = max(r, 0)+apart, max(-r, 0)+apart
	}
	return p
}

// in is what a plan puts into the tanks, times y of its step.
func (m *master) in(c int, y []float64) (sum float64) {
	for k, x := range m.x[c*m.tanks : (c+1)*m.tanks] {
		sum += float64(x * y[k])
	}
	return sum
}

// solve runs the method until the gap is below tolerance (relative) or numbers end,
// and returns the shares of plans and the prices of content.
func (m *master) solve(price []float64, tolerance float64) (share, prices []float64, iterations int) {
	p, d := m.begin(price), newIterate(len(m.v), m.steps, m.tanks)
	b := newBlocks(m)
	n := float64(len(m.v) + 4*m.steps*m.tanks)
	for iterations = 1; iterations <= 80; iterations++ {
		gap, worth := 0.0, 0.0
		for _, q := range p.pairs() {
			for i, x := range q[0] {
				gap += float64(x * q[1][i])
			}
		}
		for c, v := range m.v {
			worth += float64(v * p.th[c])
		}
		b.residuals(p)
		if gap <= tolerance*max(math.Abs(worth), 1e-6) && b.worst <= 1e-9 {
			break
		}
		mu := gap / n
		b.factor(p)
		b.direction(p, d, 0, nil)
		primal, dual := p.reach(d)
		after := 0.0
		dd := d.pairs()
		for j, q := range p.pairs() {
			for i, x := range q[0] {
				after += (x + float64(primal*dd[j][0][i])) * (q[1][i] + float64(dual*dd[j][1][i]))
			}
		}
		centre := math.Pow(max(after, 0)/gap, 3)
		b.direction(p, d, centre*mu, d)
		primal, dual = p.reach(d)
		primal, dual = min(1, 0.995*primal), min(1, 0.995*dual)
		if !(primal > 1e-10 || dual > 1e-10) || !finite(d.y) || !finite(d.th) {
			break // numbers end here; the last point stands
		}
		for j, q := range p.pairs() {
			for i := range q[0] {
				q[0][i] += float64(primal * dd[j][0][i])
				q[1][i] += float64(dual * dd[j][1][i])
			}
		}
		for i := range p.y {
			p.y[i] += float64(dual * d.y[i])
		}
		for i := range p.pi {
			p.pi[i] += float64(dual * d.pi[i])
		}
	}
	prices = make([]float64, len(p.y))
	for i, y := range p.y {
		prices[i] = min(max(-y, 0), m.dear[i%m.tanks])
	}
	return p.th, prices, iterations
}

func finite(list []float64) bool {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// reach is how far one may go without an amount, or a multiplier, turning negative.
func (p *iterate) reach(d *iterate) (primal, dual float64) {
	primal, dual = 2, 2
	dd := d.pairs()
	for j, q := range p.pairs() {
		for i, x := range q[0] {
			if s := dd[j][0][i]; s < 0 {
				primal = min(primal, -x/s)
			}
			if s := dd[j][1][i]; s < 0 {
				dual = min(dual, -q[1][i]/s)
			}
		}
	}
	return min(primal, 1/0.995), min(dual, 1/0.995)
}
