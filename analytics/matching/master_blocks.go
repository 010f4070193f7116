package matching

import "math"

// blocks are the normal equations of a [master] at a point.
type blocks struct {
	m *master
	// Residuals of the rows, of the multipliers' equations, and of e + u = 1.
	one, balance, thR, sR, aR, eR, uR []float64
	worst                             float64 // of the primal ones
	// Weights of the variables, sum and mean of each step's plans, factors.
	thD, sD, aD, eD []float64
	sum, mean       []float64
	lower           []float64 // Cholesky factor of each step's block
	back            []float64 // of each step: what couples it to the step before
	right, g        []float64
}

func newBlocks(m *master) *blocks {
	n, c, k := m.steps*m.tanks, len(m.v), m.tanks
	v := func(n int) []float64 { return make([]float64, n) }
	return &blocks{m: m, one: v(m.steps), balance: v(n), thR: v(c), sR: v(n), aR: v(n), eR: v(n), uR: v(n), thD: v(c), sD: v(n), aD: v(n), eD: v(n),
		sum: v(m.steps), mean: v(n), lower: v(n * k), back: v(n * k), right: v(n), g: v(m.steps)}
}

// residuals computes what the equations lack at p.
func (b *blocks) residuals(p *iterate) {
	m, k := b.m, b.m.tanks
	b.worst = 0
	for t := range m.steps {
		y := p.y[t*k : (t+1)*k]
		b.one[t] = 1
		for q := range k {
			at := t*k + q
			r := -p.e[at] - p.s[at] + p.a[at]
			if t > 0 {
				r += float64(m.kept[q] * p.e[at-k])
			}
			b.balance[at] = r
			b.sR[at] = -p.y[at] - p.sZ[at]
			b.aR[at] = m.dear[q] + p.y[at] - p.aZ[at]
			b.eR[at] = -p.y[at] - p.eZ[at] + p.w[at]
			if t+1 < m.steps {
				b.eR[at] += float64(m.kept[q] * p.y[at+k])
			}
			b.uR[at] = 1 - p.e[at] - p.u[at]
			b.worst = max(b.worst, math.Abs(b.uR[at]))
		}
		for c := m.start[t]; c < m.start[t+1]; c++ {
			b.one[t] -= p.th[c]
			for q, x := range m.x[c*k : (c+1)*k] {
				b.balance[t*k+q] += float64(x * p.th[c])
			}
			b.thR[c] = -m.v[c] - p.pi[t] + m.in(c, y) - p.thZ[c]
		}
		b.worst = max(b.worst, math.Abs(b.one[t]))
		for q := range k {
			b.worst = max(b.worst, math.Abs(b.balance[t*k+q]))
		}
	}
}

// factor readies the equations at p. The rows of shares are eliminated step by
// step, by the spread of the plans around their mean, which keeps the numbers good.
func (b *blocks) factor(p *iterate) {
	m, k := b.m, b.m.tanks
	for c := range b.thD {
		b.thD[c] = p.th[c] / p.thZ[c]
	}
	for at := range b.eD {
		b.sD[at], b.aD[at] = p.s[at]/p.sZ[at], p.a[at]/p.aZ[at]
		b.eD[at] = 1 / (p.eZ[at]/p.e[at] + p.w[at]/p.u[at])
	}
	for t := range m.steps {
		l := b.lower[t*k*k : (t+1)*k*k]
		clear(l)
		mean := b.mean[t*k : (t+1)*k]
		clear(mean)
		sum := 0.0
		for c := m.start[t]; c < m.start[t+1]; c++ {
			sum += b.thD[c]
			for q, x := range m.x[c*k : (c+1)*k] {
				mean[q] += float64(b.thD[c] * x)
			}
		}
		b.sum[t] = sum
		for q := range mean {
			mean[q] /= sum
		}
		for c := m.start[t]; c < m.start[t+1]; c++ {
			x := m.x[c*k : (c+1)*k]
			for i := range k {
				di := b.thD[c] * (x[i] - mean[i])
				for j := range i + 1 {
					l[i*k+j] += float64(di * (x[j] - mean[j]))
				}
			}
		}
		for q := range k {
			at := t*k + q
			l[q*k+q] += b.sD[at] + b.aD[at] + b.eD[at]
			if t > 0 {
				l[q*k+q] += m.kept[q] * m.kept[q] * b.eD[at-k]
			}
		}
		if t > 0 {
			// back = O L'^-1 of the step before, with O = -kept eD on the diagonal; this
			// block loses back back'.
			before, w := b.lower[(t-1)*k*k:t*k*k], b.back[t*k*k:(t+1)*k*k]
			for i := range k {
				row := w[i*k : (i+1)*k]
				clear(row)
				row[i] = -m.kept[i] * b.eD[(t-1)*k+i]
				for j := range k { // row L' = O: solve L row' = O'
					for q := range j {
						row[j] -= float64(before[j*k+q] * row[q])
					}
					row[j] /= before[j*k+j]
				}
			}
			for i := range k {
				for j := range i + 1 {
					for q := range k {
						l[i*k+j] -= float64(w[i*k+q] * w[j*k+q])
					}
				}
			}
		}
		for i := range k {
			for j := range i + 1 {
				v := l[i*k+j]
				for q := range j {
					v -= float64(l[i*k+q] * l[j*k+q])
				}
				if i == j {
					l[i*k+i] = math.Sqrt(max(v, 1e-30))
				} else {
					l[i*k+j] = v / l[j*k+j]
				}
			}
		}
	}
}

// direction solves for a step towards products of mu; second, if not nil, is the
// step whose products are taken into account (Mehrotra's corrector). It may be d.
func (b *blocks) direction(p, d *iterate, mu float64, second *iterate) {
	m, k := b.m, b.m.tanks
	// Targets of the products, over the amounts: (mu - x z - dx dz)/x.
	target := func(x, z, dx, dz float64) float64 {
		t := mu - float64(x*z)
		if second != nil {
			t -= float64(dx * dz)
		}
		return t
	}
	// hold collects, for each variable, residual less target over amount; kept in dZ.
	for c := range p.th {
		d.thZ[c] = b.thR[c] - target(p.th[c], p.thZ[c], d.th[c], d.thZ[c])/p.th[c]
	}
	for at := range p.e {
		d.sZ[at] = b.sR[at] - target(p.s[at], p.sZ[at], d.s[at], d.sZ[at])/p.s[at]
		d.aZ[at] = b.aR[at] - target(p.a[at], p.aZ[at], d.a[at], d.aZ[at])/p.a[at]
		low := target(p.e[at], p.eZ[at], d.e[at], d.eZ[at])
		high := target(p.u[at], p.w[at], d.u[at], d.w[at])
		// eZ and w keep their targets for the way back.
		d.eZ[at], d.w[at] = low, high
		d.e[at] = b.eR[at] - low/p.e[at] + (high-float64(p.w[at]*b.uR[at]))/p.u[at]
	}
	// Right sides: rows' residuals plus A D held.
	for t := range m.steps {
		g := b.one[t]
		r := b.right[t*k : (t+1)*k]
		for q := range k {
			at := t*k + q
			r[q] = b.balance[at] + float64(b.eD[at]*d.e[at]) + float64(b.sD[at]*d.sZ[at]) - float64(b.aD[at]*d.aZ[at])
			if t > 0 {
				r[q] -= float64(m.kept[q] * b.eD[at-k] * d.e[at-k])
			}
		}
		for c := m.start[t]; c < m.start[t+1]; c++ {
			h := b.thD[c] * d.thZ[c]
			g += h
			for q, x := range m.x[c*k : (c+1)*k] {
				r[q] -= float64(h * x)
			}
		}
		b.g[t] = g
		for q := range k {
			r[q] += float64(b.mean[t*k+q] * g)
		}
	}
	b.substitute(d.y)
	for t := range m.steps {
		y := d.y[t*k : (t+1)*k]
		d.pi[t] = b.g[t] / b.sum[t]
		for q := range k {
			d.pi[t] += float64(b.mean[t*k+q] * y[q])
		}
		for c := m.start[t]; c < m.start[t+1]; c++ {
			held := d.thZ[c]
			d.th[c] = b.thD[c] * (d.pi[t] - m.in(c, y) - held)
			// z + dz: from x z + x dz + z dx = target.
			d.thZ[c] = b.thR[c] - held - float64(p.thZ[c]/p.th[c]*d.th[c])
		}
		for q := range k {
			at := t*k + q
			held := d.sZ[at]
			d.s[at] = b.sD[at] * (d.y[at] - held)
			d.sZ[at] = b.sR[at] - held - float64(p.sZ[at]/p.s[at]*d.s[at])
			held = d.aZ[at]
			d.a[at] = b.aD[at] * (-d.y[at] - held)
			d.aZ[at] = b.aR[at] - held - float64(p.aZ[at]/p.a[at]*d.a[at])
			up := d.y[at]
			if t+1 < m.steps {
				up -= float64(m.kept[q] * d.y[at+k])
			}
			d.e[at] = b.eD[at] * (up - d.e[at])
			d.u[at] = b.uR[at] - d.e[at]
			d.eZ[at] = (d.eZ[at] - float64(p.eZ[at]*d.e[at])) / p.e[at]
			d.w[at] = (d.w[at] - float64(p.w[at]*d.u[at])) / p.u[at]
		}
	}
}

// substitute solves the factored equations for the right sides into y.
func (b *blocks) substitute(y []float64) {
	m, k := b.m, b.m.tanks
	copy(y, b.right)
	for t := range m.steps {
		l, z := b.lower[t*k*k:(t+1)*k*k], y[t*k:(t+1)*k]
		if t > 0 {
			w, before := b.back[t*k*k:(t+1)*k*k], y[(t-1)*k:t*k]
			for i := range k {
				for q := range k {
					z[i] -= float64(w[i*k+q] * before[q])
				}
			}
		}
		for i := range k {
			for q := range i {
				z[i] -= float64(l[i*k+q] * z[q])
			}
			z[i] /= l[i*k+i]
		}
	}
	for t := m.steps - 1; t >= 0; t-- {
		l, z := b.lower[t*k*k:(t+1)*k*k], y[t*k:(t+1)*k]
		if t+1 < m.steps {
			w, after := b.back[(t+1)*k*k:(t+2)*k*k], y[(t+1)*k:(t+2)*k]
			for i := range k {
				for q := range k {
					z[i] -= float64(w[q*k+i] * after[q])
				}
			}
		}
		for i := k - 1; i >= 0; i-- {
			for q := i + 1; q < k; q++ {
				z[i] -= float64(l[q*k+i] * z[q])
			}
			z[i] /= l[i*k+i]
		}
	}
}
