package interval

import (
	"cmp"
	"math"
	"slices"
)

// posterior is what residuals say of the candidates.
type posterior struct {
	grid          *grid
	weight, scale []float64 // by candidate; weight 0 for those not worth their time
}

// weigh takes prior and likelihood together.
func weigh(g *grid, s *series, rough bool) posterior {
	p := posterior{grid: g, weight: make([]float64, len(g.all)), scale: make([]float64, len(g.all))}
	best := math.Inf(-1)
	for c := range g.all {
		p.weight[c] = math.Inf(-1)
		if rough && !g.all[c].rough {
			continue
		}
		p.weight[c], p.scale[c] = s.restricted(g, c)
		p.weight[c] += math.Log(g.all[c].prior)
		best = max(best, p.weight[c])
	}
	total := 0.0
	for c := range p.weight {
		if p.weight[c] = math.Exp(p.weight[c] - best); p.weight[c] < 1e-3 {
			p.weight[c] = 0
		}
		total += p.weight[c]
	}
	for c := range p.weight {
		p.weight[c] /= total
	}
	return p
}

// covariance is the posterior mean of the autocovariance.
func (p *posterior) covariance(lags int) []float64 {
	g := make([]float64, lags)
	tables := covariances(lags)
	for c, w := range p.weight {
		if w == 0 {
			continue
		}
		f := w * p.scale[c]
		for i, v := range tables[c][:lags] {
			g[i] += float64(f * v)
		}
	}
	return g
}

// crowding is how many residuals count as one where squares of them are averaged:
// Σ ρ² over all lags.
func (p *posterior) crowding() float64 {
	n := p.grid.n
	g := p.covariance(n)
	sum := 1.0
	for k := 1; k < n; k++ {
		r := g[k] / g[0]
		sum += 2 * (1 - float64(k)/float64(n)) * float64(r*r)
	}
	return sum
}

// doubt is the ratio of the largest to the smallest standard deviation of a sum
// over a period as long as the baseline that the candidates, nine tenths of the
// posterior, allow.
func (p *posterior) doubt() float64 {
	type one struct{ sd, weight float64 }
	var all []one
	for c, w := range p.weight {
		if w > 0 {
			all = append(all, one{math.Sqrt(p.scale[c] * p.grid.ahead[c]), w})
		}
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.sd, b.sd) })
	low, high, sum := 0.0, 0.0, 0.0
	for _, o := range all {
		if sum <= 0.05 {
			low = o.sd
		}
		if sum < 0.95 {
			high = o.sd
		}
		sum += o.weight
	}
	if low == 0 {
		return 1
	}
	return high / low
}

// spectrum learns season and autocovariance of residuals of scale 1.
func (z *Noise) spectrum(r *Residuals, u []float64) {
	span := r.Step[len(u)-1] - r.Step[0] + 1
	if span < 2*exact {
		return
	}
	g := gridOf(span)
	weekly := takeWeek(r.Step, u)
	columns := make([][]float64, len(r.Columns))
	for c := range columns {
		columns[c] = slices.Clone(r.Columns[c])
		if r.Scale != nil {
			for i := range u {
				columns[c][i] /= r.Scale[i]
			}
		}
	}
	if r.Phase != nil {
		first := weigh(g, newSeries(g, r.Step, u, columns, r.Parameters), true)
		z.season(u, r.Phase, first.crowding())
		for i := range u {
			sd := z.sd(r.Phase[i])
			u[i] /= sd
			for c := range columns {
				columns[c][i] /= sd
			}
		}
	}
	p := weigh(g, newSeries(g, r.Step, u, columns, r.Parameters), false)
	z.Memory = 0
	for c, w := range p.weight {
		z.Memory += float64(w * g.all[c].d)
	}
	z.Doubt = p.doubt()
	mix := func(lags int) []float64 {
		g := p.covariance(lags)
		for k := range g {
			if k%7 == 0 {
				g[k] += weekly
			} else {
				g[k] -= weekly / 6 // the effects of a week have sum zero
			}
		}
		return g
	}
	usual := mix(max(2*span+64, 64)) // a year ahead of the baseline; seldom more
	z.Sigma2 = usual[0]
	z.RhoUsed = (usual[1] + weekly/6) / (usual[0] - weekly)
	z.DOF = max(minDOF, float64(z.N-z.Parameters))
	for i := range usual {
		usual[i] /= z.Sigma2
	}
	z.gamma = func(lags int) []float64 {
		if lags <= len(usual) {
			return usual[:lags]
		}
		g := mix(lags)
		for i := range g {
			g[i] /= z.Sigma2
		}
		return g
	}
}

// takeWeek takes the means of the seven days of the week out of u, as far as they
// differ by more than scatter makes them, and returns their variance: a cycle that
// sums to nothing over weeks must not be taken for memory.
func takeWeek(step []int, u []float64) float64 {
	var mean, count [7]float64
	all := 0.0
	day := func(i int) int { return ((step[i] % 7) + 7) % 7 }
	for i, x := range u {
		mean[day(i)] += x
		count[day(i)]++
		all += float64(x * x)
	}
	between := 0.0
	for d := range mean {
		if count[d] == 0 {
			return 0
		}
		mean[d] /= count[d]
		between += float64(mean[d] * mean[d] * count[d])
	}
	f := (between / 6) / ((all - between) / float64(len(u)-7))
	if !(f > 1) {
		return 0
	}
	keep := 1 - 1/f
	variance := 0.0
	for d := range mean {
		mean[d] *= keep
		variance += float64(mean[d]*mean[d]) / 7
	}
	for i := range u {
		u[i] -= mean[day(i)]
	}
	return variance
}
