package coverage

import (
	"math"
	"math/rand/v2"
)

// Noise is a kind of disturbance that sites are given.
type Noise struct {
	Name string
	Text string
	// make fills n days of standardised noise.
	make func(r *rand.Rand, n int) []float64
	// loaded gives scatter in proportion to this much of load, the rest constant.
	loaded float64
	// missing is the share of days without data, half of it in blocks of up to nine days.
	missing float64
	// HeldOut is a kind that no weight of analytics/interval was set on.
	HeldOut bool
}

// Noises are the kinds that the study tries.
func Noises() []Noise {
	return []Noise{
		{Name: "white", Text: "independent days", make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0) }},
		{Name: "ar1", Text: "AR(1), rho from 0.2 to 0.7", make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.2+0.5*r.Float64()) }},
		{Name: "ar1-strong", Text: "AR(1), rho 0.85", make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.85) }},
		{Name: "seasonal", Text: "AR(1) with rho 0.4, scatter in proportion to load (winter to summer about 4 to 1)", loaded: 1,
			make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.4) }},
		{Name: "long-memory", Text: "fractional noise, d from 0.15 to 0.35", make: func(r *rand.Rand, n int) []float64 { return fractional(r, n, 0.15+0.2*r.Float64()) }},
		{Name: "slow-and-fast", Text: "white noise and a fifth of its variance as AR(1) with rho 0.97", make: slowAndFast},
		{Name: "heavy-tails", Text: "AR(1) with rho 0.4 of Student's t with 4 degrees of freedom", make: heavy},
		{Name: "seasonal-long", Text: "fractional noise d 0.25, scatter half in proportion to load", loaded: 0.5,
			make: func(r *rand.Rand, n int) []float64 { return fractional(r, n, 0.25) }},
		{Name: "missing", Text: "AR(1) with rho 0.5, a tenth of the days missing", missing: 0.10,
			make: func(r *rand.Rand, n int) []float64 { return ar1(r, n, 0.5) }},
		{Name: "very-long-memory", Text: "fractional noise, d 0.45",
			make: func(r *rand.Rand, n int) []float64 { return fractional(r, n, 0.45) }},
		{Name: "short-and-long", Text: "fractional noise d 0.3 through an AR(1) of rho 0.3", make: shortAndLong},
		{Name: "two-week-cycle", Text: "AR(2) with a cycle of 14 days", make: cycle},
		{Name: "weekly", Text: "AR(1) with rho 0.4 and weekends that the model does not know, half of the variance each", make: weekly},
		{Name: "regimes", Text: "quiet and busy spells of 20 days on average, a shift of level and twice the scatter in the busy ones", HeldOut: true, make: regimes},
		{Name: "heavy-long", Text: "fractional noise d 0.25 of Student's t with 4 degrees of freedom", HeldOut: true, make: heavyLong},
		{Name: "arma", Text: "ARMA(1,1), phi 0.9, theta -0.6", HeldOut: true, make: arma},
		{Name: "summer-memory", Text: "AR(1) with rho from 0.2 in winter to 0.7 in summer", HeldOut: true, make: summerMemory},
		{Name: "shocks", Text: "AR(1) with rho 0.4, and three days of up to five times the scatter a dozen times a year", HeldOut: true, make: shocks},
	}
}

func ar1(r *rand.Rand, n int, rho float64) []float64 {
	x := make([]float64, n)
	last := r.NormFloat64()
	for i := range x {
		x[i] = last
		last = rho*last + math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	return x
}

func heavy(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	last := 0.0
	for i := range n + 50 {
		last = 0.4*last + math.Sqrt(1-0.16)*student4(r)
		if i >= 50 {
			x[i-50] = last
		}
	}
	return x
}

// student4 is a draw of Student's t with 4 degrees of freedom, of unit variance.
func student4(r *rand.Rand) float64 {
	g := 0.0
	for range 4 {
		z := r.NormFloat64()
		g += z * z
	}
	return r.NormFloat64() / math.Sqrt(g/4) / math.Sqrt2
}

func slowAndFast(r *rand.Rand, n int) []float64 {
	x := ar1(r, n, 0.97)
	for i := range x {
		x[i] = math.Sqrt(0.2)*x[i] + math.Sqrt(0.8)*r.NormFloat64()
	}
	return x
}

// fractional is exact fractional noise of unit variance by the recursion of
// Durbin and Levinson (Hosking 1984).
func fractional(r *rand.Rand, n int, d float64) []float64 {
	x := make([]float64, n)
	phi := make([]float64, n)
	old := make([]float64, n)
	v := 1.0
	x[0] = r.NormFloat64()
	for t := 1; t < n; t++ {
		k := d / (float64(t) - d) // partial autocorrelation
		copy(old, phi[:t])
		phi[t-1] = k
		for j := range t - 1 {
			phi[j] = old[j] - k*old[t-2-j]
		}
		v *= 1 - k*k
		m := 0.0
		for j := range t {
			m += phi[j] * x[t-1-j]
		}
		x[t] = m + math.Sqrt(v)*r.NormFloat64()
	}
	return x
}

// shortAndLong is an ARFIMA(1, 0.3, 0) of unit variance.
func shortAndLong(r *rand.Rand, n int) []float64 {
	const phi, d, before = 0.3, 0.3, 60
	x := fractional(r, n+before, d)
	for i := 1; i < len(x); i++ {
		x[i] += phi * x[i-1]
	}
	// With fractional noise of unit variance and correlations g the variance is
	// (1 + 2 sum phi^k g_k) / (1 - phi^2).
	sum, g, p := 1.0, 1.0, 1.0
	for k := 1.0; k <= before; k++ {
		g *= (k - 1 + d) / (k - d)
		p *= phi
		sum += 2 * p * g
	}
	sd := math.Sqrt(sum / (1 - phi*phi))
	x = x[before:]
	for i := range x {
		x[i] /= sd
	}
	return x
}

// cycle is an AR(2) of unit variance whose spectrum has its peak near 14 days.
func cycle(r *rand.Rand, n int) []float64 {
	const before = 200
	a, b := 2*0.9*math.Cos(2*math.Pi/14), -0.9*0.9
	sd := math.Sqrt((1 - b) / ((1 + b) * ((1-b)*(1-b) - a*a)))
	x := make([]float64, n+before)
	for i := 2; i < len(x); i++ {
		x[i] = a*x[i-1] + b*x[i-2] + r.NormFloat64()/sd
	}
	return x[before:]
}

// regimes has spells of exponential length; mean zero and unit variance over time.
func regimes(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	busy := r.IntN(2) == 1
	for i := range x {
		if r.IntN(20) == 0 {
			busy = !busy
		}
		if busy {
			x[i] = 0.4 + 1.2*r.NormFloat64()
		} else {
			x[i] = -0.4 + 0.6*r.NormFloat64()
		}
		x[i] /= math.Sqrt(0.16 + (1.44+0.36)/2)
	}
	return x
}

// heavyLong sums Student's shocks with the weights of fractional noise, cut after
// two years and more.
func heavyLong(r *rand.Rand, n int) []float64 {
	const d, before = 0.25, 1000
	weights := make([]float64, before)
	weights[0] = 1
	square := 1.0
	for k := 1; k < before; k++ {
		weights[k] = weights[k-1] * (float64(k) - 1 + d) / float64(k)
		square += weights[k] * weights[k]
	}
	shocks := make([]float64, n+before)
	for i := range shocks {
		shocks[i] = student4(r) / math.Sqrt(square)
	}
	x := make([]float64, n)
	for i := range x {
		for k, w := range weights {
			x[i] += w * shocks[i+before-k]
		}
	}
	return x
}

func weekly(r *rand.Rand, n int) []float64 {
	x := ar1(r, n, 0.4)
	first := r.IntN(7)
	for i := range x {
		effect := 2.0 // mean zero over the week, variance 1.6
		if (first+i)%7 > 1 {
			effect = -0.8
		}
		x[i] = math.Sqrt(0.5) * (x[i] + effect/math.Sqrt(1.6))
	}
	return x
}

func arma(r *rand.Rand, n int) []float64 {
	const phi, theta, before = 0.9, -0.6, 100
	sd := math.Sqrt((1 + 2*phi*theta + theta*theta) / (1 - phi*phi))
	x := make([]float64, n+before)
	last := 0.0
	for i := 1; i < len(x); i++ {
		e := r.NormFloat64() / sd
		x[i] = phi*x[i-1] + e + theta*last
		last = e
	}
	return x[before:]
}

func summerMemory(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	last := r.NormFloat64()
	for i := range x {
		rho := 0.45 - 0.25*math.Cos(2*math.Pi*float64(i-20)/365)
		last = rho*last + math.Sqrt(1-rho*rho)*r.NormFloat64()
		x[i] = last
	}
	return x
}

func shocks(r *rand.Rand, n int) []float64 {
	x := ar1(r, n, 0.4)
	for i := 0; i < n; i++ {
		if r.IntN(30) == 0 {
			size := 10*r.Float64() - 5
			for d := i; d < min(i+3, n); d++ {
				x[d] += size
			}
		}
	}
	for i := range x { // a day has three chances of a shock of variance 25/3
		x[i] /= math.Sqrt(1 + 3.0/30*25/3)
	}
	return x
}
