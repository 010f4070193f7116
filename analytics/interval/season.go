package interval

import "math"

// Prior standard deviations of the harmonics of ln σ²: a factor of two between
// seasons is usual, a second wave less so.
var seasonPrior = [4]float64{0.8, 0.8, 0.4, 0.4}

// season fits ln σ²(phase) = a + harmonics to squared residuals: Fisher scoring
// of a gamma regression with log link. crowd residuals count as one, for those
// that resemble each other: a slow wander must not be taken for a season of wide
// scatter, else standardising takes away what was to be learned of it. The mean over the year is left in Sigma2.
func (z *Noise) season(u, phase []float64, crowd float64) {
	n := len(u)
	mean := 0.0
	for _, v := range u {
		mean += float64(v * v)
	}
	mean /= float64(n)
	var beta [5]float64
	rows := make([][5]float64, n)
	var gram [5][6]float64
	for i := range rows {
		h := harmonics(phase[i])
		rows[i] = [5]float64{1, h[0], h[1], h[2], h[3]}
		for j := range beta {
			for k := range j + 1 {
				gram[j][k] += float64(rows[i][j] * rows[i][k])
			}
		}
	}
	for j := range beta {
		for k := range j {
			gram[k][j] = gram[j][k]
		}
	}
	for range 12 {
		a := gram
		for i := range rows {
			eta := 0.0
			for j := range beta {
				eta += float64(beta[j] * rows[i][j])
			}
			s := min(float64(u[i]*u[i])/mean/math.Exp(eta), 16) - 1 // one wild day must not make a season
			for j := range beta {
				a[j][5] += float64(rows[i][j] * s)
			}
		}
		for j, sd := range seasonPrior {
			ridge := 2 * crowd / float64(sd*sd) // a square has variance 2
			a[j+1][j+1] += ridge
			a[j+1][5] -= float64(ridge * beta[j+1])
		}
		step, ok := solve5(a)
		if !ok {
			return
		}
		moved := 0.0
		for j := range beta {
			d := min(max(step[j], -1), 1)
			beta[j] += d
			moved = max(moved, math.Abs(d))
		}
		if moved < 1e-3 {
			break
		}
	}
	copy(z.Season[:], beta[1:])
	// Sigma2 keeps the variance that was seen, at the phases that were seen.
	s := 0.0
	for i := range u {
		s += z.variance(phase[i])
	}
	z.level = math.Log(float64(n) / s)
	z.days = make([]float64, daysOfYear)
	for i := range z.days {
		z.days[i] = math.Sqrt(z.variance((float64(i) + 0.5) / daysOfYear))
	}
}

const daysOfYear = 366

// sd is the root of the relative variance at a phase of the year: that of a day's
// middle by the table.
func (z *Noise) sd(phase float64) float64 {
	if z.days == nil {
		return 1
	}
	day := float64(phase*daysOfYear) - 0.5
	if i := math.Round(day); i >= 0 && i < daysOfYear && math.Abs(day-i) < 1e-9 {
		return z.days[int(i)]
	}
	return math.Sqrt(z.variance(phase))
}

// variance is the relative variance at a phase of the year.
func (z *Noise) variance(phase float64) float64 {
	if z.Season == [4]float64{} {
		return 1
	}
	eta := z.level
	for j, h := range harmonics(phase) {
		eta += float64(z.Season[j] * h)
	}
	return math.Exp(eta)
}

func harmonics(phase float64) [4]float64 {
	s, c := math.Sincos(2 * math.Pi * phase)
	return [4]float64{c, s, c*c - float64(s*s), 2 * s * c}
}

// solve5 solves five equations by elimination with pivots.
func solve5(a [5][6]float64) (x [5]float64, ok bool) {
	for j := range 5 {
		p := j
		for i := j + 1; i < 5; i++ {
			if math.Abs(a[i][j]) > math.Abs(a[p][j]) {
				p = i
			}
		}
		if math.Abs(a[p][j]) < 1e-12 {
			return x, false
		}
		a[j], a[p] = a[p], a[j]
		for i := j + 1; i < 5; i++ {
			f := a[i][j] / a[j][j]
			for k := j; k < 6; k++ {
				a[i][k] -= float64(f * a[j][k])
			}
		}
	}
	for j := 4; j >= 0; j-- {
		x[j] = a[j][5]
		for k := j + 1; k < 5; k++ {
			x[j] -= float64(a[j][k] * x[k])
		}
		x[j] /= a[j][j]
	}
	return x, true
}
