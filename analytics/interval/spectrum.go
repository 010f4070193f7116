package interval

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

const leakage = 200 // lags beyond those asked for that the AR filter looks at

// Prior of the families. They were set so that intervals cover alike under all
// kinds of noise of the coverage study (docs/coverage.md); the sites of the study
// that is reported are others than those they were set on.
const (
	priorWhite  = 0.30
	priorShort  = 0.32
	priorLong   = 0.33
	priorBoth   = 0.02
	priorNested = 0.03
)

// candidate is a noise: (1-phi B)(1-B)^d u = e, of which a share is white instead.
type candidate struct{ phi, d, white, prior float64 }

// candidates are five families, each with its share of the prior.
func candidates() []candidate {
	var all []candidate
	add := func(prior float64, family []candidate) {
		for _, c := range family {
			c.prior = prior / float64(len(family))
			all = append(all, c)
		}
	}
	var short, long, both, nested []candidate
	for i := range 20 {
		short = append(short, candidate{phi: 0.05 * float64(i)})
	}
	for i := range 9 {
		long = append(long, candidate{d: 0.05 * float64(i+1)})
	}
	for i := range 9 {
		for j := range 4 {
			both = append(both, candidate{phi: 0.1 * float64(i+1), d: 0.1 * float64(j+1)})
		}
	}
	for _, phi := range []float64{0.8, 0.9, 0.95, 0.98} {
		for _, w := range []float64{0.3, 0.5, 0.7, 0.85} {
			nested = append(nested, candidate{phi: phi, white: w})
		}
	}
	add(priorWhite, []candidate{{}})
	add(priorShort, short[1:])
	add(priorLong, long)
	add(priorBoth, both)
	add(priorNested, nested)
	return all
}

// spectrum learns the autocovariance of standardised residuals: the posterior
// over the candidates by Whittle's likelihood, with the scale profiled out.
func (z *Noise) spectrum(step []int, u, kept []float64) {
	power, broken := periodogram(step, u)
	const first = 1 // ordinate 0 is the mean, which the model takes
	if len(power)-first < 20 {
		return
	}
	span := step[len(step)-1] - step[0] + 1
	// Every term of the model beyond mean, slope and change point takes up some more.
	taken := float64(max(z.Parameters-3, 0)) / float64(z.N)
	power = power[first:]
	cosine, logSine := make([]float64, len(power)), make([]float64, len(power))
	for j := range power {
		lambda := 2 * math.Pi * float64(j+first) / float64(span)
		cosine[j], logSine[j] = math.Cos(lambda), math.Log(2*math.Sin(lambda/2))
	}
	all := candidates()
	logs, scale := make([]float64, len(all)), make([]float64, len(all))
	best := math.Inf(-1)
	h := make([]float64, len(power))
	for k, c := range all {
		mean := 0.0
		for j := range h {
			h[j] = 1 / (1 - float64(2*c.phi*cosine[j]) + float64(c.phi*c.phi))
			if c.d != 0 {
				h[j] *= math.Exp(-2 * float64(c.d*logSine[j]))
			}
			if c.white != 0 {
				h[j] = float64(h[j]*(1-c.white)*(1-float64(c.phi*c.phi))) + c.white
			}
			mean += h[j]
		}
		mean /= float64(len(h))
		for j := first; j < min(len(kept), len(h)+first); j++ {
			h[j-first] *= kept[j]
		}
		logs[k], scale[k] = whittle(power, h, float64(broken*mean), 1-broken)
		logs[k] += math.Log(c.prior)
		scale[k] /= 1 - taken
		best = max(best, logs[k])
	}
	weights := make([]float64, len(all))
	total := 0.0
	for k := range logs {
		if weights[k] = math.Exp(logs[k] - best); weights[k] < 5e-3 {
			weights[k] = 0
		}
		total += weights[k]
	}
	z.Memory = 0
	for k := range weights {
		weights[k] /= total
		z.Memory += float64(weights[k] * all[k].d)
	}
	mix := func(lags int) []float64 {
		g := make([]float64, lags)
		for k, w := range weights {
			if w == 0 {
				continue
			}
			for i, v := range all[k].autocovariance(lags) {
				g[i] += float64(w * scale[k] * v)
			}
		}
		return g
	}
	usual := mix(max(2*span+64, 64)) // a year ahead of the baseline; seldom more
	z.Sigma2 = usual[0]
	z.RhoUsed = usual[1] / usual[0]
	r2 := float64(z.RhoUsed * z.RhoUsed)
	z.DOF = max(minDOF, float64(z.N)*(1-r2)/(1+r2)-float64(z.Parameters))
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

// autocovariance is that of the candidate with unit innovations, or with unit
// variance when a share is white, for lags 0 to lags-1.
func (c candidate) autocovariance(lags int) []float64 {
	g := autocovariance(c.phi, c.d, lags)
	if c.white != 0 {
		for k := range g {
			g[k] *= float64((1 - c.white) * (1 - float64(c.phi*c.phi)))
		}
		g[0] += c.white
	}
	return g
}

// whittle is the profile log likelihood of the periodogram under s2*h, and s2.
// What gaps whiten is added: h' = part*h + white.
func whittle(power, h []float64, white, part float64) (like, s2 float64) {
	product := 1.0
	for j, p := range power {
		x := float64(part*h[j]) + white
		s2 += p / x
		product *= x
		if j&7 == 7 { // one logarithm for eight ordinates
			like -= math.Log(product)
			product = 1
		}
	}
	like -= math.Log(product)
	m := float64(len(power))
	s2 /= m
	return like - float64(m*math.Log(s2)), s2
}

// periodogram is that of residuals on their steps, gaps filled with zeros, up to
// half the span. broken is the share of neighbours that gaps part: so much of
// the power is as good as white.
func periodogram(step []int, u []float64) (power []float64, broken float64) {
	span := step[len(step)-1] - step[0] + 1
	x := make([]float64, span)
	pairs := 0
	for i, s := range step {
		x[s-step[0]] = u[i]
		if i > 0 && s == step[i-1]+1 {
			pairs++
		}
	}
	c := fourier.NewFFT(span).Coefficients(nil, x)
	power = make([]float64, (span+1)/2)
	for j := range power {
		re, im := real(c[j]), imag(c[j])
		power[j] = (float64(re*re) + float64(im*im)) / float64(len(u))
	}
	return power, 1 - float64(pairs)/float64(len(u)-1)
}

// autocovariance is that of (1-phi B)(1-B)^d u = e with unit innovations, for
// lags 0 to lags-1: Hosking's recursion for the fractional part, filtered there
// and back by the AR(1).
func autocovariance(phi, d float64, lags int) []float64 {
	if d == 0 {
		g := powers(phi, lags)
		for k := range g {
			g[k] /= 1 - float64(phi*phi)
		}
		return g
	}
	n := lags + leakage
	f := make([]float64, n)
	f[0] = math.Gamma(1-2*d) / float64(math.Gamma(1-d)*math.Gamma(1-d))
	for k := 1; k < n; k++ {
		f[k] = f[k-1] * (float64(k) - 1 + d) / (float64(k) - d)
	}
	if phi == 0 {
		return f[:lags]
	}
	up := make([]float64, 2*n-1) // forward sums over lags -(n-1) .. n-1
	up[0] = f[n-1] / (1 - phi)
	for i := 1; i < len(up); i++ {
		k := i - (n - 1)
		if k < 0 {
			k = -k
		}
		up[i] = f[k] + float64(phi*up[i-1])
	}
	g := make([]float64, lags)
	for k := range g {
		// the backward sum at lag k is the forward one at -k
		g[k] = (up[n-1+k] + up[n-1-k] - f[k]) / (1 - float64(phi*phi))
	}
	return g
}
