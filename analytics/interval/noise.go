package interval

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	minLong = 180 // residuals from which season and long memory are learned
	maxRho  = 0.97
	minDOF  = 5
)

// Residuals are what a baseline fit left, in order of time.
type Residuals struct {
	Step []int     // position in time, in steps, strictly ascending; gaps count
	E    []float64 // observed minus fitted, in the unit of a step's energy
	// Phase is the place in the year of each, 0 to 1; nil for one scatter all year.
	Phase []float64
	// Scale is the factor of the scatter of each, for points of unequal length:
	// 1/sqrt(days) for means per day; nil for 1.
	Scale []float64
	// Columns are those of the model that was fitted, its derivatives by each
	// parameter at each residual; nil for a mean alone.
	Columns [][]float64
	// Parameters is how many the fit has, change points included.
	Parameters int
}

// Noise is what was learned from residuals.
type Noise struct {
	N          int
	Parameters int
	Rho        float64    // lag-1 correlation as seen, gaps not bridged
	RhoUsed    float64    // lag-1 correlation of the noise that the interval is made of
	NPrime     float64    // N (1-Rho)/(1+Rho)
	Sigma2     float64    // variance of a step of scale 1, mean over the year
	Memory     float64    // posterior mean of d; 0 for short series
	Season     [4]float64 // cos, sin, cos2, sin2 of ln σ²; zeros for none
	DOF        float64    // degrees of freedom of the t quantile
	// Doubt is how far apart the half widths of a period as long as the baseline
	// would lie, as a ratio, by what is assumed of the length of memory within nine
	// tenths of what the residuals allow; 1 for short series.
	Doubt float64

	level float64                  // ln of the factor that gives the seasonal variance a mean of one
	days  []float64                // standard deviation of the days of the year over that of the year; nil for none
	gamma func(lags int) []float64 // autocorrelation for lags 0.., 1 at 0
	// circles are transforms of gamma by size.
	circles *struct {
		sync.Mutex
		of map[int][]float64
	}
}

// MuchDoubt is the [Noise.Doubt] from which a reader should be told.
const MuchDoubt = 2

// Term is one step of the line of time with its weight in the sum.
type Term struct {
	Step   int
	Weight float64
	Phase  float64
	Scale  float64 // 0 counts as 1
}

// Learn learns the noise of residuals. It fails when there are fewer than three
// more than the parameters, or when they are out of order or not numbers.
func Learn(r Residuals) (*Noise, error) {
	n := len(r.E)
	switch {
	case slices.ContainsFunc(r.Columns, func(c []float64) bool { return len(c) != n }):
		return nil, errors.New("residuals and columns of unequal number")
	case len(r.Step) != n, r.Phase != nil && len(r.Phase) != n, r.Scale != nil && len(r.Scale) != n:
		return nil, errors.New("residuals, steps, phases and scales of unequal number")
	}
	for i := range r.E {
		if i > 0 && r.Step[i] <= r.Step[i-1] {
			return nil, fmt.Errorf("residual %d: step %d does not come after %d", i, r.Step[i], r.Step[i-1])
		}
		if math.IsNaN(r.E[i]) || math.IsInf(r.E[i], 0) {
			return nil, fmt.Errorf("residual %d is not a number", i)
		}
	}
	z, err := learnShort(r)
	if err != nil {
		return nil, err
	}
	u := unscaled(r)
	if n < minLong || z.Sigma2 == 0 {
		return z, nil
	}
	if r.Columns == nil {
		r.Columns = [][]float64{slices.Repeat([]float64{1}, n)}
	}
	z.spectrum(&r, u)
	return z, nil
}

// unscaled are the residuals of scale 1.
func unscaled(r Residuals) []float64 {
	u := slices.Clone(r.E)
	for i := range u {
		if r.Scale != nil {
			u[i] /= r.Scale[i]
		}
	}
	return u
}

// learnShort learns one scatter and the AR(1) of the lag-1 correlation.
func learnShort(r Residuals) (*Noise, error) {
	n := len(r.E)
	if n < r.Parameters+3 {
		return nil, fmt.Errorf("%d residuals for %d parameters: too few for an interval", n, r.Parameters)
	}
	z := &Noise{N: n, Parameters: r.Parameters, Doubt: 1}
	sq := 0.0
	for _, e := range unscaled(r) {
		sq += float64(e * e)
	}
	z.Sigma2 = sq / float64(n-r.Parameters)
	z.Rho = Lag1(r.Step, r.E)
	z.NPrime = float64(n) * (1 - z.Rho) / (1 + z.Rho)
	z.RhoUsed = min(max(z.Rho+(1+float64(4*z.Rho))/float64(n), 0), maxRho)
	z.DOF = max(minDOF, float64(n)*(1-z.RhoUsed)/(1+z.RhoUsed)-float64(r.Parameters))
	z.circles = &struct {
		sync.Mutex
		of map[int][]float64
	}{of: map[int][]float64{}}
	rho := z.RhoUsed
	z.gamma = func(lags int) []float64 { return powers(rho, lags) }
	return z, nil
}

// Lag1 is the lag-1 autocorrelation of residuals; pairs that a gap parts are left out.
func Lag1(step []int, e []float64) float64 {
	sq, lag := 0.0, 0.0
	for i, v := range e {
		sq += float64(v * v)
		if i > 0 && step[i] == step[i-1]+1 {
			lag += float64(v * e[i-1])
		}
	}
	if sq == 0 {
		return 0
	}
	return lag / sq
}

func powers(rho float64, lags int) []float64 {
	g := make([]float64, lags)
	x := 1.0
	for k := range g {
		g[k] = x
		x *= rho
	}
	return g
}

// Half90 is the half width of the two-sided 90 % interval of a sum with this
// variance, rounded to seven significant digits.
func (z *Noise) Half90(variance float64) float64 { return z.Half(variance, 0.90) }

// Half is the half width at another confidence, such as 0.95.
func (z *Noise) Half(variance, confidence float64) float64 {
	return Round(z.T(confidence) * math.Sqrt(max(variance, 0)))
}

// T is the quantile of Student's t for a two-sided interval of this confidence, at
// the noise's degrees of freedom.
func (z *Noise) T(confidence float64) float64 {
	return math.Round(distuv.StudentsT{Mu: 0, Sigma: 1, Nu: z.DOF}.Quantile((1+confidence)/2)*1e6) / 1e6
}

// Round rounds to seven significant digits.
func Round(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	e := int(math.Floor(math.Log10(math.Abs(x))))
	if e > 6 {
		s := math.Pow10(e - 6)
		return math.Round(x/s) * s
	}
	s := math.Pow10(6 - e)
	return math.Round(x*s) / s
}

// Plain is the noise of the AR(1) sandwich alone: one scatter for all seasons,
// correlation from the lag-1 correlation of the residuals. It is there to compare.
func Plain(step []int, e []float64, parameters int) (*Noise, error) {
	return learnShort(Residuals{Step: step, E: e, Parameters: parameters})
}
