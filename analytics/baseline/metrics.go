package baseline

import "math"

// Metrics are the statistics of a fit over the rows it was made from.
type Metrics struct {
	N    int     `json:"n"`    // rows
	P    int     `json:"p"`    // parameters: the intercept and searched change points count
	Mean float64 `json:"mean"` // of the observed energy
	SSE  float64 `json:"sse"`  // Σ w (y - ŷ)²
	RMSE float64 `json:"rmse"` // √(SSE/n)
	R2   float64 `json:"r2"`   // 1 - SSE/SST
	// R2Adj is 1 - (SSE/(n-p)) / (SST/(n-1)). In CalTRACK models p leaves the
	// balance points out, as that method does.
	R2Adj  float64 `json:"r2_adj"`
	CVRMSE float64 `json:"cvrmse"` // √(SSE/n) / mean
	// CVRMSEAdj is √(SSE/(n-p)) / mean, the figure of ASHRAE Guideline 14.
	CVRMSEAdj float64 `json:"cvrmse_adj"`
	// NMBE is Σ(y - ŷ) / ((n-p) mean): positive when the model predicts too
	// little (ASHRAE Guideline 14; OpenEEmeter has the opposite sign).
	NMBE float64 `json:"nmbe"`
	// Rho1 is the lag-1 correlation of the residuals in order of time; pairs
	// across a gap are left out.
	Rho1   float64 `json:"rho1"`
	NPrime float64 `json:"nprime"` // n (1-rho1)/(1+rho1): independent rows that tell as much
	F      float64 `json:"f"`      // of all regressors together
	FP     float64 `json:"f_p"`    // its upper tail
}

// sample is what the metrics are made from.
type sample struct {
	y, fit, w []float64 // w may be nil
	index     []int
	p         int // parameters
	k         int // parameters for R2Adj and F
}

func measure(s sample) Metrics {
	n := len(s.y)
	m := Metrics{N: n, P: s.p}
	weight := func(i int) float64 {
		if s.w == nil {
			return 1
		}
		return s.w[i]
	}
	sw := 0.0
	for i, v := range s.y {
		m.Mean += float64(weight(i) * v)
		sw += weight(i)
	}
	m.Mean /= sw
	sst, bias := 0.0, 0.0
	for i, v := range s.y {
		e, d := v-s.fit[i], v-m.Mean
		m.SSE += float64(weight(i) * float64(e*e))
		sst += float64(weight(i) * float64(d*d))
		bias += float64(weight(i) * e)
	}
	scale := float64(n) / sw // weights are relative: they add up to n
	free := float64(n - s.p)
	m.RMSE = math.Sqrt(m.SSE * scale / float64(n))
	m.CVRMSE = number(m.RMSE / m.Mean)
	m.CVRMSEAdj = number(math.Sqrt(m.SSE*scale/free) / m.Mean)
	m.NMBE = number(bias * scale / (free * m.Mean))
	if sst > 0 {
		m.R2 = 1 - m.SSE/sst
		m.R2Adj = number(1 - (m.SSE/float64(n-s.k))/(sst/float64(n-1)))
		m.F = number((sst - m.SSE) / float64(s.k-1) / (m.SSE / float64(n-s.k)))
	}
	m.FP = 1
	if s.k > 1 && n > s.k {
		m.FP = number(tailF(m.F, float64(s.k-1), float64(n-s.k)))
	}
	m.Rho1 = lagOne(s.y, s.fit, s.index)
	m.NPrime = number(float64(n) * (1 - m.Rho1) / (1 + m.Rho1))
	return m
}

// lagOne is the correlation of neighbouring residuals.
func lagOne(y, fit []float64, index []int) float64 {
	var n, sa, sb, saa, sbb, sab float64
	for i := 1; i < len(y); i++ {
		if index[i] != index[i-1]+1 {
			continue
		}
		a, b := y[i-1]-fit[i-1], y[i]-fit[i]
		n++
		sa += a
		sb += b
		saa += float64(a * a)
		sbb += float64(b * b)
		sab += float64(a * b)
	}
	if n < 3 {
		return 0
	}
	va, vb := saa-float64(sa*sa)/n, sbb-float64(sb*sb)/n
	if va <= 0 || vb <= 0 {
		return 0
	}
	return (sab - float64(sa*sb)/n) / math.Sqrt(va*vb)
}

// rangeOf describes a variable.
func rangeOf(x []float64) Range {
	r := Range{Min: math.Inf(1), Max: math.Inf(-1)}
	n := 0.0
	for _, v := range x {
		if math.IsNaN(v) {
			continue
		}
		n++
		r.Min, r.Max = min(r.Min, v), max(r.Max, v)
		r.Mean += v
	}
	if n == 0 {
		return Range{}
	}
	r.Mean /= n
	for _, v := range x {
		if d := v - r.Mean; !math.IsNaN(v) {
			r.SD += float64(d * d)
		}
	}
	r.SD = 0 + math.Sqrt(r.SD/max(n-1, 1))
	return r
}
