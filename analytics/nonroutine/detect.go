package nonroutine

import (
	"math"
	"slices"
)

// Day is one day of the reporting period.
type Day struct {
	Saved    float64 // adjusted baseline minus observed; NaN when unknown
	Baseline float64 // adjusted baseline
	Weekday  int     // 0 Sunday to 6
	Special  bool    // public holiday, bridge or listed closure: set aside
}

// Options are the thresholds; zero values stand for the usual ones.
type Options struct {
	Penalty   float64 // of one cut; usual 2.5 ln n
	MinDays   int     // shortest run; usual 10
	MinEffect float64 // least change of level, as a share of mean daily use; usual 0.05
	MinZ      float64 // least change in standard errors; usual 4
	// Before are the days of the baseline beside its model, which hold no event that
	// is sought: they tell scatter and correlation to begin with. None: both are
	// learned from the series itself, where an event counts as scatter.
	Before []Day
}

// Event is a proposed change of level.
type Event struct {
	Index int     // first day of the new level
	Size  float64 // change of the use per day: positive when the site uses more
	SE    float64 // its standard error
	Share float64 // Size over mean daily use
	Z     float64 // Size over SE
}

// Found is what was found in a series.
type Found struct {
	Events    []Event
	Rho       float64 // lag-1 correlation of what is not explained
	Sigma     float64 // scatter of a day
	SetAside  []int   // days that were taken as holidays or shutdowns
	Routine   []string
	Threshold float64 // least size that is proposed, per day
}

func (o *Options) fill(n int) {
	if o.Penalty == 0 {
		o.Penalty = 2.5 * math.Log(float64(n))
	}
	if o.MinDays == 0 {
		o.MinDays = 10
	}
	if o.MinEffect == 0 {
		o.MinEffect = 0.05
	}
	if o.MinZ == 0 {
		o.MinZ = 4
	}
}

// Detect proposes the events of a series of consecutive days; fewer than sixty
// known ones give none.
func Detect(days []Day, o Options) *Found {
	f := &Found{}
	o.fill(len(days))
	use := make([]bool, len(days)) // day counts
	n, mean := 0, 0.0
	for i, d := range days {
		if math.IsNaN(d.Saved) || math.IsNaN(d.Baseline) {
			continue
		}
		mean += d.Baseline - d.Saved
		n++
		use[i] = !d.Special
		if d.Special {
			f.SetAside = append(f.SetAside, i)
		}
	}
	if n < 60 || !(mean > 0) {
		return f
	}
	mean /= float64(n)
	f.Threshold = o.MinEffect * mean
	f.shutdowns(days, use, o.MinDays, mean)
	slices.Sort(f.SetAside)
	f.Routine = []string{"level", "share of the adjusted baseline", "day of the week"}

	// A change of level that lasts a season looks like a share of the adjusted
	// baseline: the search begins once with that share taken off and once without, and
	// the better explanation stands.
	var cuts []int
	rest := make([]float64, len(days))
	least := math.Inf(1)
	// So it is with the noise, as the baseline has it and as the series itself.
	sigma, rho, told := quiet(o.Before, o.MinDays)
	for _, begin := range []struct{ whole, before bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		if begin.before && !told {
			continue
		}
		g := *f
		g.Sigma, g.Rho = 0, 0
		if begin.before {
			g.Sigma, g.Rho = sigma, rho
		}
		found, left := g.search(days, use, o, begin.whole)
		if c := g.cost(left, use, found, o); c < least || math.IsInf(least, 1) {
			least, cuts, rest, f.Rho, f.Sigma = c, found, left, g.Rho, g.Sigma
		}
	}
	for k := range cuts {
		size, se := f.step(rest, use, cuts, k)
		f.Events = append(f.Events, Event{Index: cuts[k], Size: -size, SE: se, Share: -size / mean, Z: -size / se})
	}
	return f
}

// search alternates between what is routine and where the level changes. Unless
// whole is set, the first round takes nothing off.
func (f *Found) search(days []Day, use []bool, o Options, whole bool) (cuts []int, rest []float64) {
	level := make([]float64, len(days))
	rest = make([]float64, len(days))
	sigma, rho, told := f.Sigma, f.Rho, f.Sigma > 0
	for round := range 6 {
		routine := make([]float64, len(days))
		if round > 0 || whole {
			routine = routinePart(days, use, cuts)
		}
		take(rest, days, routine)
		setLevel(level, rest, use, cuts)
		if f.noise(rest, level, use); round == 0 { // an event would count as scatter here
			if f.differences(rest, use); told {
				f.Sigma, f.Rho = sigma, rho
			}
		}
		next := f.prune(rest, use, f.cut(rest, use, o), o)
		if round > 0 && slices.Equal(next, cuts) {
			break
		}
		cuts = next
	}
	take(rest, days, routinePart(days, use, cuts))
	return f.prune(rest, use, cuts, o), rest
}

// cost is n ln of the sum of squared innovations plus the penalty of the cuts.
func (f *Found) cost(rest []float64, use []bool, cuts []int, o Options) float64 {
	level := make([]float64, len(rest))
	setLevel(level, rest, use, cuts)
	f.noise(rest, level, use)
	sum, n := 0.0, 0.0
	for i := range rest {
		if !use[i] {
			continue
		}
		e := rest[i] - level[i]
		if i > 0 && use[i-1] {
			e = (e - float64(f.Rho*(rest[i-1]-level[i-1]))) / math.Sqrt(1-float64(f.Rho*f.Rho))
		}
		sum += float64(e * e)
		n++
	}
	// Each cut costs its place and its level.
	return float64(n*math.Log(sum*(1-float64(f.Rho*f.Rho)))) + float64(o.Penalty*float64(len(cuts)))
}

func take(rest []float64, days []Day, routine []float64) {
	for i := range days {
		rest[i] = days[i].Saved - routine[i]
	}
}

// shutdowns sets aside runs of fewer than most days that lie more than six
// robust deviations, and 15 % of the mean use, from the median of the four weeks
// around them.
func (f *Found) shutdowns(days []Day, use []bool, most int, mean float64) {
	var dev []float64
	centre := make([]float64, len(days))
	for i := range days {
		var near []float64
		for j := max(i-14, 0); j <= min(i+14, len(days)-1); j++ {
			if use[j] {
				near = append(near, days[j].Saved)
			}
		}
		centre[i] = median(near)
		if use[i] {
			dev = append(dev, math.Abs(days[i].Saved-centre[i]))
		}
	}
	limit := max(6*1.4826*median(dev), 0.15*mean)
	if !(limit > 0) {
		return
	}
	far := func(i int) bool { return use[i] && math.Abs(days[i].Saved-centre[i]) > limit }
	for i := 0; i < len(days); {
		if !far(i) {
			i++
			continue
		}
		j := i
		for j < len(days) && (far(j) || !use[j]) {
			j++
		}
		if j-i < most {
			for k := i; k < j; k++ {
				if use[k] {
					use[k] = false
					f.SetAside = append(f.SetAside, k)
				}
			}
		}
		i = j
	}
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Clone(x)
	slices.Sort(s)
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

// routinePart fits the level of each run between cuts, the share of the baseline
// and the days of the week together, and returns what is routine of each day: all
// but the changes of level.
func routinePart(days []Day, use []bool, cuts []int) []float64 {
	const fixed = 8 // mean, baseline, six days of the week
	p := fixed + len(cuts)
	mean, n := 0.0, 0.0
	for i, d := range days {
		if use[i] {
			mean += d.Baseline
			n++
		}
	}
	mean /= n
	row := make([]float64, p)
	fill := func(i int) {
		clear(row)
		row[0], row[1] = 1, days[i].Baseline/mean-1
		if w := days[i].Weekday; w > 0 {
			row[1+w] = 1
		}
		for k, c := range cuts {
			if i >= c {
				row[fixed+k] = 1
			}
		}
	}
	a := make([][]float64, p)
	for j := range a {
		a[j] = make([]float64, p+1)
	}
	for i := range days {
		if !use[i] {
			continue
		}
		fill(i)
		for j := range p {
			for k := range p {
				a[j][k] += float64(row[j] * row[k])
			}
			a[j][p] += float64(row[j] * days[i].Saved)
		}
	}
	for j := range p {
		a[j][j] += 1e-9 * n // a day of the week that never comes
	}
	for j := range p {
		for i := j + 1; i < p; i++ {
			f := a[i][j] / a[j][j]
			for k := j; k <= p; k++ {
				a[i][k] -= float64(f * a[j][k])
			}
		}
	}
	b := make([]float64, p)
	for j := p - 1; j >= 0; j-- {
		b[j] = a[j][p]
		for k := j + 1; k < p; k++ {
			b[j] -= float64(a[j][k] * b[k])
		}
		b[j] /= a[j][j]
	}
	out := make([]float64, len(days))
	for i := range days {
		fill(i)
		for j := range fixed {
			out[i] += float64(b[j] * row[j])
		}
	}
	return out
}

// noise learns correlation and scatter of rest around level.
func (f *Found) noise(rest, level []float64, use []bool) {
	sq, lag, n, pairs := 0.0, 0.0, 0.0, 0.0
	for i := range rest {
		if !use[i] {
			continue
		}
		e := rest[i] - level[i]
		sq += float64(e * e)
		n++
		if i > 0 && use[i-1] {
			lag += float64(e * (rest[i-1] - level[i-1]))
			pairs++
		}
	}
	f.Sigma = math.Sqrt(sq / n)
	if sq > 0 && pairs > 0 {
		f.Rho = lag / pairs / (sq / n)
	}
	f.Rho = min(max(f.Rho+(1+float64(4*f.Rho))/n, 0), 0.95)
}

// quiet learns scatter and correlation of days without events, what is routine taken
// off; ok is false when there are fewer than half a year of them.
func quiet(days []Day, most int) (sigma, rho float64, ok bool) {
	f := &Found{}
	use, n, mean := make([]bool, len(days)), 0, 0.0
	for i, d := range days {
		if use[i] = !math.IsNaN(d.Saved) && !math.IsNaN(d.Baseline) && !d.Special; use[i] {
			n++
			mean += d.Baseline - d.Saved
		}
	}
	if n < leastQuiet || !(mean > 0) {
		return 0, 0, false
	}
	f.shutdowns(days, use, most, mean/float64(n))
	rest, level := make([]float64, len(days)), make([]float64, len(days))
	take(rest, days, routinePart(days, use, nil))
	setLevel(level, rest, use, nil)
	f.noise(rest, level, use)
	return f.Sigma, f.Rho, f.Sigma > 0
}

const leastQuiet = 180

// differences learns correlation and scatter from differences over one and two
// days, which a change of level touches once only:
//
//	Var(d_t - d_{t-1}) = 2σ²(1-ρ),  Var(d_t - d_{t-2}) = 2σ²(1-ρ²)
func (f *Found) differences(rest []float64, use []bool) {
	var v [2]float64
	for lag := 1; lag <= 2; lag++ {
		n := 0.0
		for i := lag; i < len(rest); i++ {
			if use[i] && use[i-1] && use[i-lag] {
				d := rest[i] - rest[i-lag]
				v[lag-1] += float64(d * d)
				n++
			}
		}
		if n < 20 {
			return
		}
		v[lag-1] /= n
	}
	if v[0] > 0 {
		f.Rho = min(max(v[1]/v[0]-1, 0), 0.95)
		f.Sigma = math.Sqrt(v[0] / 2 / (1 - f.Rho))
	}
}

// firstDayTells is the correlation from which the first day of a level is set apart.
const firstDayTells = 0.3

// cut finds the cuts of the whitened series with the least cost.
func (f *Found) cut(rest []float64, use []bool, o Options) []int {
	var at []int // days that count
	for i := range rest {
		if use[i] {
			at = append(at, i)
		}
	}
	n := len(at)
	sum, sumSq := make([]float64, n+1), make([]float64, n+1)
	sd := f.Sigma * math.Sqrt(1-float64(f.Rho*f.Rho))
	if !(sd > 0) {
		return nil
	}
	for k, i := range at {
		// A neighbour that is missing tells nothing: the day then counts as it is, at
		// the same weight.
		w := rest[i]
		if k > 0 && at[k-1] == i-1 {
			w = (rest[i] - float64(f.Rho*rest[i-1])) / (1 - f.Rho)
		}
		w = min(max(w/(sd/(1-f.Rho)), -1e6), 1e6)
		sum[k+1] = sum[k] + w
		sumSq[k+1] = sumSq[k] + float64(w*w)
	}
	// The first day of a new level, whitened by the day before, shows the change once
	// more, by rho/(1-rho): it is of neither level, and the cut stands where it is.
	first := make([]bool, n+1)
	for k := 1; k < n; k++ {
		first[k] = f.Rho > firstDayTells && at[k-1] == at[k]-1
	}
	cost := func(i, j int) float64 {
		if first[i] {
			i++
		}
		s := sum[j] - sum[i]
		return sumSq[j] - sumSq[i] - float64(s*s)/float64(j-i)
	}
	best := make([]float64, n+1)
	from := make([]int, n+1)
	best[0] = -o.Penalty
	for j := 1; j <= n; j++ {
		best[j] = math.Inf(1)
		for i := 0; i+o.MinDays <= j; i++ {
			if i > 0 && i < o.MinDays {
				continue
			}
			if c := best[i] + cost(i, j) + o.Penalty; c < best[j] {
				best[j], from[j] = c, i
			}
		}
	}
	var cuts []int
	for j := n; j > 0 && from[j] > 0; j = from[j] {
		cuts = append(cuts, at[from[j]])
	}
	slices.Sort(cuts)
	return cuts
}

// step is the change of level at cut k, between the runs on both sides, and its
// standard error with the correlation.
func (f *Found) step(rest []float64, use []bool, cuts []int, k int) (size, se float64) {
	lo, hi := 0, len(rest)
	if k > 0 {
		lo = cuts[k-1]
	}
	if k+1 < len(cuts) {
		hi = cuts[k+1]
	}
	before, n1 := levelOf(rest, use, lo, cuts[k])
	after, n2 := levelOf(rest, use, cuts[k], hi)
	wide := float64(f.Sigma * f.Sigma * (1 + f.Rho) / (1 - f.Rho))
	return after - before, math.Sqrt(wide/max(n1, 1) + wide/max(n2, 1))
}

func levelOf(rest []float64, use []bool, lo, hi int) (mean, n float64) {
	for i := lo; i < hi; i++ {
		if use[i] {
			mean += rest[i]
			n++
		}
	}
	return mean / max(n, 1), n
}

// prune drops cuts that change too little, the least first.
func (f *Found) prune(rest []float64, use []bool, cuts []int, o Options) []int {
	cuts = slices.Clone(cuts)
	for len(cuts) > 0 {
		worst, score := -1, 1.0
		for k := range cuts {
			size, se := f.step(rest, use, cuts, k)
			s := min(math.Abs(size)/f.Threshold, math.Abs(size)/se/o.MinZ)
			if s < score {
				worst, score = k, s
			}
		}
		if worst < 0 {
			return cuts
		}
		cuts = slices.Delete(cuts, worst, worst+1)
	}
	return cuts
}

func setLevel(level, rest []float64, use []bool, cuts []int) {
	edges := append(append([]int{0}, cuts...), len(rest))
	for k := 1; k < len(edges); k++ {
		m, _ := levelOf(rest, use, edges[k-1], edges[k])
		for i := edges[k-1]; i < edges[k]; i++ {
			level[i] = m
		}
	}
}

// Estimate is how much more the site used per day in days [from, to) than in the
// others, everything routine held, and its standard error; ok is false when either
// side has fewer than a week of known days.
func Estimate(days []Day, from, to int) (perDay, se float64, ok bool) {
	f := &Found{}
	use := make([]bool, len(days))
	inside, outside := 0, 0
	for i, d := range days {
		use[i] = !math.IsNaN(d.Saved) && !math.IsNaN(d.Baseline) && !d.Special
		switch {
		case !use[i]:
		case i >= from && i < to:
			inside++
		default:
			outside++
		}
	}
	if inside < 7 || outside < 7 {
		return 0, 0, false
	}
	// The level after the span is that before it.
	cuts := []int{from}
	if to < len(days) {
		cuts = append(cuts, to)
	}
	rest, level := make([]float64, len(days)), make([]float64, len(days))
	take(rest, days, routinePart(days, use, cuts))
	in, n1 := levelOf(rest, use, from, to)
	a, na := levelOf(rest, use, 0, from)
	b, nb := levelOf(rest, use, to, len(days))
	out := (float64(a*na) + float64(b*nb)) / (na + nb)
	for i := range level {
		if level[i] = out; i >= from && i < to {
			level[i] = in
		}
	}
	f.noise(rest, level, use)
	wide := float64(f.Sigma * f.Sigma * (1 + f.Rho) / (1 - f.Rho))
	return out - in, math.Sqrt(wide/n1 + wide/(na+nb)), true
}
