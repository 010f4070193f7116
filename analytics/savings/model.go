package savings

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/thermie/thermie/analytics/interval"
)

// Fit is a fitted baseline model
//
//	y = b0 + Σ b_j x_j + e
//
// of energy per day, with degree-day columns whose balance temperature may have
// been searched. Its uncertainty is the AR(1) sandwich: the scatter e is taken
// as a first-order autoregressive process, the covariance of the coefficients is
//
//	C = (JᵀJ)⁻¹ JᵀΩJ (JᵀJ)⁻¹,   Ω_ij = σ² ρ^|i-j|
//
// with J the derivatives to all parameters, the balance temperatures included,
// and the variance of a sum of m later days with weights w
//
//	(Σ w J)ᵀ C (Σ w J) + σ² Σ_i Σ_j w_i w_j ρ^|i-j|
//
// Days, half a year of them or more, have their noise learned with season and
// memory in place of that Ω (package interval).
//
// So the band of a quarter follows the scatter of that quarter's number of days,
// not the share of the year's energy that falls into it.
type Fit struct {
	Names  []string // "intercept", then the drivers
	Coef   []float64
	SE     []float64             // of Coef, from C
	Search map[string]float64    // balance temperatures that were searched, degC
	N      int                   // data points
	P      int                   // parameters, balance temperatures included
	SSE    float64               // sum of squared residuals
	Mean   float64               // of y
	R2     float64               // 1 - SSE/SST
	R2Adj  float64               //
	CVRMSE float64               // sqrt(SSE/(n-p)) / mean
	NMBE   float64               // Σ(y - fit) / ((n-p) mean)
	Rho    float64               // lag-1 autocorrelation of residuals, gaps not bridged
	NPrime float64               // n (1-rho)/(1+rho)
	BIC    float64               // n ln(SSE/n) + p ln n
	Losers []Loser               // models tried and not chosen
	Ranges map[string][2]float64 // least and greatest of each driver in the fit

	drivers []Driver
	sigma2  float64
	rho     float64 // corrected for small samples, 0 to 0.97
	cov     [][]float64
	dof     float64
	// noise is what days tell of season and memory; nil for weeks and months, and
	// for fewer than half a year of days: then the AR(1) of sigma2 and rho.
	noise *interval.Noise
	// base are the days that the noise was learned from, loads how each moves the
	// coefficients.
	base  []interval.Term
	loads [][]float64
}

// Loser is a model that was tried and not chosen.
type Loser struct {
	Drivers []string
	SSE     float64
	BIC     float64
}

// Point is one data point of a fit: energy per day, its drivers in the order of
// the model (temperatures for degree drivers), its position in time in steps and
// its weight (days).
type Point struct {
	Index  int
	Y      float64
	X      []float64
	Weight float64
	// Days holds the daily temperatures behind a point of a week or a month, one
	// slice for each driver that is a degree driver; nil for a daily point.
	Days [][]float64
}

// FitModel fits the drivers to the points by least squares. With bic it tries
// every subset of the drivers and takes the least Bayesian information criterion.
func FitModel(drivers []Driver, points []Point, bic bool) (*Fit, error) {
	if !bic {
		return fitDrivers(drivers, points, allOf(len(drivers)))
	}
	var best *Fit
	var losers []Loser
	for mask := range 1 << len(drivers) {
		var cols []int
		for j := range drivers {
			if mask>>j&1 == 1 {
				cols = append(cols, j)
			}
		}
		if bits.OnesCount(uint(mask)) > len(points)/3 {
			continue
		}
		f, err := fitDrivers(drivers, points, cols)
		if err != nil {
			continue
		}
		if best == nil || f.BIC < best.BIC {
			best, f = f, best
		}
		if f != nil {
			losers = append(losers, Loser{Drivers: f.Names[1:], SSE: f.SSE, BIC: f.BIC})
		}
	}
	if best == nil {
		return nil, errSingular
	}
	best.Losers = losers
	return best, nil
}

func allOf(n int) []int {
	cols := make([]int, n)
	for i := range cols {
		cols[i] = i
	}
	return cols
}

// fitDrivers fits the drivers cols of all.
func fitDrivers(all []Driver, points []Point, cols []int) (*Fit, error) {
	ds := make([]Driver, len(cols))
	var searched []int
	for k, c := range cols {
		ds[k] = all[c]
		if degrees(ds[k].Kind) && ds[k].BalanceC == nil {
			searched = append(searched, k)
		}
	}
	work := newWork(ds, points, cols)
	if len(points) < len(cols)+len(searched)+3 {
		return nil, fmt.Errorf("%d data points for %d parameters: too few", len(points), len(cols)+len(searched)+1)
	}
	balance := make([]float64, len(ds))
	for k, d := range ds {
		if d.BalanceC != nil {
			balance[k] = *d.BalanceC
		}
	}
	if err := work.search(searched, balance); err != nil {
		return nil, err
	}
	return work.finish(searched, balance)
}

func degrees(k DriverKind) bool { return k == DriverHeating || k == DriverCooling }

// degreeDays is the mean over days of the degrees above or below balance.
func degreeDays(k DriverKind, days []float64, balance float64) float64 {
	s := 0.0
	for _, t := range days {
		if k == DriverHeating {
			s += max(balance-t, 0)
		} else {
			s += max(t-balance, 0)
		}
	}
	return s / float64(len(days))
}

// beyond is the share of days on the active side of balance: the derivative of
// degreeDays to the balance temperature, without its sign.
func beyond(k DriverKind, days []float64, balance float64) float64 {
	n := 0
	for _, t := range days {
		if k == DriverHeating && t < balance || k == DriverCooling && t > balance {
			n++
		}
	}
	return float64(n) / float64(len(days))
}

type work struct {
	ds     []Driver
	points []Point
	cols   []int
	rows   [][]float64
	y, w   []float64
}

func newWork(ds []Driver, points []Point, cols []int) *work {
	wk := &work{ds: ds, points: points, cols: cols}
	weighted := false
	for i := range points {
		r := make([]float64, len(ds)+1)
		r[0] = 1
		for k, c := range cols {
			r[k+1] = points[i].X[c]
		}
		wk.rows = append(wk.rows, r)
		wk.y = append(wk.y, points[i].Y)
		wk.w = append(wk.w, points[i].Weight)
		weighted = weighted || points[i].Weight != 1
	}
	if !weighted {
		wk.w = nil
	}
	return wk
}

// temperatures are the days behind point i for driver k.
func (wk *work) temperatures(i, k int) []float64 {
	c := wk.cols[k]
	if pt := &wk.points[i]; pt.Days != nil && pt.Days[c] != nil {
		return pt.Days[c]
	}
	return wk.points[i].X[c : c+1]
}

// columns fills the degree-day columns for these balance temperatures.
func (wk *work) columns(balance []float64) {
	for k, d := range wk.ds {
		if degrees(d.Kind) {
			for i := range wk.rows {
				wk.rows[i][k+1] = degreeDays(d.Kind, wk.temperatures(i, k), balance[k])
			}
		}
	}
}

// sse is the weighted sum of squares with these balance temperatures.
func (wk *work) sse(balance []float64) (float64, []float64, [][]float64, error) {
	wk.columns(balance)
	b, inv, err := leastSquares(wk.rows, wk.y, wk.w)
	if err != nil {
		return math.Inf(1), nil, nil, err
	}
	s := 0.0
	for i, r := range wk.rows {
		e := wk.y[i] - dot(b, r)
		if wk.w != nil {
			s += float64(wk.w[i] * e * e)
		} else {
			s += float64(e * e)
		}
	}
	return s, b, inv, nil
}

// search finds the balance temperatures with the least sum of squares: a grid
// of 0.5 K over the temperatures seen (2 K when two are searched), then steps
// that halve down to 0.001 K around the best. Cooling balances stay at or above heating
// balances.
func (wk *work) search(which []int, balance []float64) error {
	if len(which) == 0 {
		return nil
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range wk.points {
		for _, t := range wk.temperatures(i, which[0]) {
			lo, hi = min(lo, t), max(hi, t)
		}
	}
	if !(hi-lo > 2) {
		return fmt.Errorf("driver %s: temperatures from %.1f to %.1f degC: too narrow to find a balance", wk.ds[which[0]].Name, lo, hi)
	}
	step := 0.5
	if len(which) == 2 {
		step = 2
	}
	best := slices.Clone(balance)
	bestSSE := math.Inf(1)
	try := func(b []float64) bool {
		if len(which) == 2 && !wk.ordered(which, b) {
			return false
		}
		for _, k := range which {
			if b[k] < lo || b[k] > hi {
				return false
			}
		}
		if s, _, _, err := wk.sse(b); err == nil && s < bestSSE {
			bestSSE = s
			copy(best, b)
			return true
		}
		return false
	}
	n := int((hi - lo) / step)
	b := slices.Clone(balance)
	for i := 1; i < n; i++ {
		b[which[0]] = lo + float64(float64(i)*step)
		if len(which) == 1 {
			try(b)
			continue
		}
		for j := 1; j < n; j++ {
			b[which[1]] = lo + float64(float64(j)*step)
			try(b)
		}
	}
	if math.IsInf(bestSSE, 1) {
		return errSingular
	}
	for step /= 2; step > 0.0005; step /= 2 {
		for moved := true; moved; {
			moved = false
			for _, k := range which {
				for _, d := range [2]float64{-step, step} {
					copy(b, best)
					b[k] += d
					moved = try(b) || moved
				}
			}
		}
	}
	copy(balance, best)
	for _, k := range which {
		balance[k] = math.Round(balance[k]*1000) / 1000
	}
	return nil
}

func (wk *work) ordered(which []int, b []float64) bool {
	h, c := which[0], which[1]
	if wk.ds[h].Kind == wk.ds[c].Kind {
		return b[h] < b[c]
	}
	if wk.ds[h].Kind == DriverCooling {
		h, c = c, h
	}
	return b[h] <= b[c]
}

// finish computes coefficients, quality of fit and covariance.
func (wk *work) finish(searched []int, balance []float64) (*Fit, error) {
	sse, b, _, err := wk.sse(balance)
	if err != nil {
		return nil, err
	}
	n, p := len(wk.rows), len(wk.ds)+1+len(searched)
	f := &Fit{Names: []string{"intercept"}, Coef: b, N: n, P: p, SSE: sse, Search: map[string]float64{}, Ranges: map[string][2]float64{}}
	f.drivers = slices.Clone(wk.ds)
	for k := range wk.ds {
		f.Names = append(f.Names, wk.ds[k].Name)
		v := balance[k]
		if degrees(wk.ds[k].Kind) {
			f.drivers[k].BalanceC = &v
		}
	}
	for _, k := range searched {
		f.Search[wk.ds[k].Name] = balance[k]
	}
	f.quality(wk)
	return f, f.sandwich(wk, searched, balance)
}

func balanceSlope(k DriverKind, coef float64) float64 {
	if k == DriverCooling {
		return -coef
	}
	return coef
}

// powInt is x^n for n >= 0 by repeated squaring: the same bits everywhere.
func powInt(x float64, n int) float64 {
	r := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			r *= x
		}
		x *= x
	}
	return r
}

// Predict gives the adjusted baseline of one day and its derivatives to the
// parameters. x are the day's drivers in the order of the fit's Names after the
// intercept, temperatures for degree drivers.
func (f *Fit) Predict(x []float64) (y float64, gradient []float64) {
	g := make([]float64, 0, f.P)
	g = append(g, 1)
	var tail []float64
	for k, d := range f.drivers {
		v := x[k]
		if degrees(d.Kind) {
			day := x[k : k+1]
			v = degreeDays(d.Kind, day, *d.BalanceC)
			if _, searched := f.Search[d.Name]; searched {
				tail = append(tail, balanceSlope(d.Kind, f.Coef[k+1])*beyond(d.Kind, day, *d.BalanceC))
			}
		}
		g = append(g, v)
	}
	return dot(f.Coef, g), append(g, tail...)
}

// Drivers are the chosen drivers, with the balance temperatures found.
func (f *Fit) Drivers() []Driver { return f.drivers }
