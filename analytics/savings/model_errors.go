package savings

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/metering"
)

// quality fills the figures of merit and the residuals' autocorrelation.
func (f *Fit) quality(wk *work) {
	n := float64(f.N)
	for _, y := range wk.y {
		f.Mean += y
	}
	f.Mean /= n
	sst, bias, lag, sq := 0.0, 0.0, 0.0, 0.0
	last := 0.0
	for i, r := range wk.rows {
		e := wk.y[i] - dot(f.Coef, r)
		bias += e
		sq += float64(e * e)
		sst += float64((wk.y[i] - f.Mean) * (wk.y[i] - f.Mean))
		if i > 0 && wk.points[i].Index == wk.points[i-1].Index+1 {
			lag += float64(e * last)
		}
		last = e
		for k := range wk.ds {
			x, seen := f.Ranges[wk.ds[k].Name]
			if v := wk.points[i].X[wk.cols[k]]; !seen {
				f.Ranges[wk.ds[k].Name] = [2]float64{v, v}
			} else {
				f.Ranges[wk.ds[k].Name] = [2]float64{min(x[0], v), max(x[1], v)}
			}
		}
	}
	free := n - float64(f.P)
	f.R2 = 1 - sq/sst
	f.R2Adj = 1 - float64((1-f.R2)*(n-1)/free)
	f.CVRMSE = math.Sqrt(sq/free) / f.Mean
	f.NMBE = bias / float64(free*f.Mean)
	if sq > 0 {
		f.Rho = lag / sq
		f.BIC = float64(n*math.Log(sq/n)) + float64(float64(f.P)*math.Log(n))
	} else {
		f.R2, f.BIC = 1, math.Inf(-1)
	}
	f.NPrime = n * (1 - f.Rho) / (1 + f.Rho)
	f.sigma2 = f.SSE / free
	f.rho = min(max(f.Rho+(1+float64(4*f.Rho))/n, 0), 0.97)
	f.dof = max(5, float64(n*(1-f.rho)/(1+f.rho))-float64(f.P))
}

// sandwich fills the covariance of coefficients and balance temperatures.
func (f *Fit) sandwich(wk *work, searched []int, balance []float64) error {
	p := f.P
	jac := make([][]float64, f.N)
	for i, r := range wk.rows {
		jac[i] = append(slices.Clone(r), make([]float64, len(searched))...)
		for s, k := range searched {
			jac[i][len(r)+s] = balanceSlope(wk.ds[k].Kind, f.Coef[k+1]) * beyond(wk.ds[k].Kind, wk.temperatures(i, k), balance[k])
		}
	}
	_, bread, err := leastSquares(jac, wk.y, wk.w)
	if err != nil {
		// The slope is nil: the balance temperature carries nothing.
		return fmt.Errorf("balance temperature: %w", err)
	}
	meat := make([][]float64, p)
	for j := range p {
		meat[j] = make([]float64, p)
	}
	run := make([]float64, p)
	for i := range jac {
		w := 1.0
		if wk.w != nil {
			w = wk.w[i]
		}
		// Weighted least squares: the scores are sqrt(w) J times the scaled residual.
		g := make([]float64, p)
		for j := range g {
			g[j] = float64(math.Sqrt(w) * jac[i][j])
		}
		if i > 0 {
			decay := powInt(f.rho, wk.points[i].Index-wk.points[i-1].Index)
			for j := range run {
				run[j] *= decay
			}
		}
		for a := range p {
			for b := range p {
				meat[a][b] += float64(g[a]*g[b]) + float64(g[a]*run[b]) + float64(run[a]*g[b])
			}
		}
		for j := range run {
			run[j] += g[j]
		}
	}
	c := multiply(multiply(bread, meat), bread)
	for a := range p {
		for b := range p {
			c[a][b] *= f.sigma2
		}
	}
	f.cov = c
	if err := f.learn(wk, jac, bread); err != nil {
		return err
	}
	for j := range f.Coef {
		f.SE = append(f.SE, math.Sqrt(max(c[j][j], 0)))
	}
	return nil
}

// learn learns the noise of days from what the fit left, and from it the
// covariance of the parameters anew.
func (f *Fit) learn(wk *work, jac, bread [][]float64) error {
	if wk.w != nil || f.N < minNoiseDays {
		return nil
	}
	r := interval.Residuals{Parameters: f.P}
	for i := range wk.rows {
		day := wk.points[i].Index
		if wk.points[i].Days != nil || i > 0 && day <= wk.points[i-1].Index {
			return nil // not days
		}
		r.Step = append(r.Step, day)
		r.E = append(r.E, wk.y[i]-dot(f.Coef, wk.rows[i]))
		r.Phase = append(r.Phase, phaseOf(day))
	}
	r.Columns = interval.Columns(jac)
	z, err := interval.Learn(r)
	if err != nil {
		return fmt.Errorf("scatter of the model: %w", err)
	}
	// Influence of each day on each parameter: J (JᵀJ)⁻¹.
	column := func(weights ...int) float64 {
		terms := make([]interval.Term, len(jac))
		for i := range jac {
			terms[i] = interval.Term{Step: r.Step[i], Phase: r.Phase[i]}
			for _, k := range weights {
				terms[i].Weight += dot(jac[i], bread[k])
			}
		}
		return z.Variance(terms)
	}
	c := make([][]float64, f.P)
	for a := range c {
		c[a] = make([]float64, f.P)
		c[a][a] = column(a)
	}
	for a := range c {
		for b := range a {
			c[a][b] = (column(a, b) - c[a][a] - c[b][b]) / 2
			c[b][a] = c[a][b]
		}
	}
	f.cov, f.noise = c, z
	for i := range jac {
		f.base = append(f.base, interval.Term{Step: r.Step[i], Phase: r.Phase[i]})
		load := make([]float64, f.P)
		for k := range load {
			load[k] = dot(jac[i], bread[k])
		}
		f.loads = append(f.loads, load)
	}
	return nil
}

// minNoiseDays is the least number of days that season and memory are learned from.
const minNoiseDays = 180

// phaseOf is the place in the year of a day that is numbered from 1970.
func phaseOf(day int) float64 {
	return (float64(time.Unix(int64(day)*86400, 0).UTC().YearDay()) - 0.5) / 366
}

// bands are the two parts of the 90 % half width of a weighted sum of days:
// from the coefficients and from the scatter of the days themselves. steps gives
// each day's data step, in order; days of one step share its scatter, and
// lengths the number of days in that step.
func (f *Fit) bands(gradient []float64, steps []int, weights, lengths []float64) (coef, scatter float64) {
	if f.noise != nil {
		return f.learnedBands(gradient, steps, weights)
	}
	t := studentT(0.95, f.dof)
	coef = t * math.Sqrt(max(quadratic(f.cov, gradient), 0))
	sum, run := 0.0, 0.0
	for i := 0; i < len(steps); {
		w, l := 0.0, lengths[i]
		j := i
		for ; j < len(steps) && steps[j] == steps[i]; j++ {
			w += weights[j]
		}
		if i > 0 {
			run = float64(run * powInt(f.rho, steps[i]-steps[i-1]))
		}
		// A point of l days has variance σ²/l per day where fits are weighted by l.
		w /= math.Sqrt(l)
		sum += float64(w*w) + float64(2*w*run)
		run += w
		i = j
	}
	return coef, t * math.Sqrt(max(f.sigma2*sum, 0))
}

// learnedBands makes the two parts add up in quadrature to the half width of the
// adjusted baseline minus what was used. Slow noise moves both alike, so that the
// scatter beside the coefficients' error is less than that of the days alone.
func (f *Fit) learnedBands(gradient []float64, steps []int, weights []float64) (coef, scatter float64) {
	terms := make([]interval.Term, 0, len(f.base)+len(steps))
	for i, t := range f.base {
		t.Weight = dot(f.loads[i], gradient)
		terms = append(terms, t)
	}
	for i, s := range steps {
		terms = append(terms, interval.Term{Step: s, Weight: -weights[i], Phase: phaseOf(s)})
	}
	all := f.noise.Half90(f.noise.Variance(terms))
	coef = min(f.noise.Half90(quadratic(f.cov, gradient)), all)
	return coef, math.Sqrt(float64(all*all) - float64(coef*coef))
}

// memoryNote says that one baseline leaves open how long deviations last.
func memoryNote(doubt float64) metering.Text {
	return metering.Text{
		FR: "La période de référence ne montre pas si les écarts du site durent des jours ou des mois : selon l'hypothèse, l'incertitude d'une année varie d'un facteur " +
			frNumber(doubt, 1) + ". L'intervalle en tient compte ; une deuxième année de référence lèverait le doute.",
		EN: "The baseline does not show whether deviations of the site last days or months: by what is assumed, the uncertainty of a year differs by a factor of " +
			enNumber(doubt, 1) + ". The interval allows for it; a second year of baseline would settle it."}
}
