package quality

import (
	"math"
	"time"
)

// Gap is a run of missing hours [From, To).
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Run is a run of equal values [From, To).
type Run struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Value float64   `json:"value"`
}

// Hours are the values of every hour of a period, NaN where there is none.
type Hours struct {
	From        time.Time // hour i begins at From + i h
	Value       []float64
	Temperature []float64            // degC; nil when there is none
	Other       map[string][]float64 // further columns, as given

	// What was found, hours as their first instants.
	Duplicates []time.Time
	Sentinels  []time.Time
	Negative   []time.Time
	Generator  bool // negatives were kept
	Zero       []time.Time
	Stuck      []Run
	Outliers   []time.Time
	Spikes     []time.Time // outliers that were taken as missing
	Limit      float64     // of outliers
	Gaps       []Gap       // runs of hours that were not given, or sentinels
	Missing    int         // hours that were not given
	SmallZeros bool        // zeros were kept: they are the least of many small values
	Cold       []time.Time // hours whose temperature was missing and not interpolated
	Filled     []time.Time // hours whose temperature was interpolated
	NoValue    int         // hours without a value after all rules
}

// At is the beginning of hour i.
func (h *Hours) At(i int) time.Time { return h.From.Add(time.Duration(i) * time.Hour) }

// CleanHours applies the rules. Values are changed to NaN in place.
func CleanHours(h *Hours, r Rules) {
	n := len(h.Value)
	for i, v := range h.Value {
		if isSentinel(v, r.Sentinels) {
			h.Sentinels = append(h.Sentinels, h.At(i))
			h.Value[i] = math.NaN()
		}
	}
	for i, v := range h.Temperature {
		if isSentinel(v, r.Sentinels) || v < -60 || v > 60 {
			h.Temperature[i] = math.NaN()
		}
	}
	for i := 0; i < n; i++ {
		if !math.IsNaN(h.Value[i]) {
			continue
		}
		j := i
		for j < n && math.IsNaN(h.Value[j]) {
			j++
		}
		h.Gaps = append(h.Gaps, Gap{h.At(i), h.At(j)})
		h.Missing += j - i
		i = j
	}
	h.Missing -= len(h.Sentinels)
	h.signs(r)
	h.stuck(r)
	h.extremes(r)
	h.temperatures(r.MaxTemperature)
	for _, v := range h.Value {
		if math.IsNaN(v) {
			h.NoValue++
		}
	}
}

func isSentinel(v float64, sentinels []float64) bool {
	for _, s := range sentinels {
		if v == s {
			return true
		}
	}
	return false
}

func (h *Hours) signs(r Rules) {
	negative := 0
	for _, v := range h.Value {
		if v < 0 {
			negative++
		}
	}
	h.Generator = float64(negative) >= r.KeepNegative*float64(len(h.Value)-h.Missing-len(h.Sentinels)) && negative > 0
	h.SmallZeros = r.ZeroMissing && !r.zeroStated && smallZeros(h.Value)
	for i, v := range h.Value {
		switch {
		case v < 0:
			h.Negative = append(h.Negative, h.At(i))
			if !h.Generator {
				h.Value[i] = math.NaN()
			}
		case v == 0:
			h.Zero = append(h.Zero, h.At(i))
			if r.ZeroMissing && !h.SmallZeros {
				h.Value[i] = math.NaN()
			}
		}
	}
}

// smallZeros says that zeros are use that was rounded and no fault of the meter:
// of values up to a tenth of the median there are as many above zero, or
// more. A meter that fails reads zero among usual values.
func smallZeros(x []float64) bool {
	s := known(x)
	if len(s) == 0 {
		return false
	}
	limit := quantile(s, 0.5) / 10
	zeros, small := 0, 0
	for _, v := range s {
		switch {
		case v == 0:
			zeros++
		case v > 0 && v <= limit:
			small++
		}
	}
	return zeros > 0 && small >= zeros
}

// stuckLength is the length from which a run of equal values is no chance: with a
// share s of neighbours equal among n, runs of L come n sᴸ times; fewer than one in
// a hundred is no chance. At least six.
func stuckLength(x []float64) int {
	pairs, same := 0, 0
	run := 0
	for i := 1; i < len(x); i++ {
		if math.IsNaN(x[i]) || math.IsNaN(x[i-1]) || x[i] == 0 && x[i-1] == 0 {
			run = 0
			continue
		}
		pairs++
		if x[i] != x[i-1] {
			run = 0
		} else if run++; run <= 3 { // what is stuck must not hide itself
			same++
		}
	}
	if pairs == 0 || same == 0 {
		return 6
	}
	share := float64(same) / float64(pairs)
	if share > 0.95 {
		return len(x) + 1 // steps are the rule here
	}
	return max(6, int(math.Ceil(math.Log(100*float64(len(x)))/-math.Log(share))))
}

func (h *Hours) stuck(r Rules) {
	x := h.Value
	least := stuckLength(x)
	for i := 0; i < len(x); {
		j := i + 1
		for j < len(x) && x[j] == x[i] {
			j++
		}
		if j-i >= least && x[i] != 0 {
			h.Stuck = append(h.Stuck, Run{h.At(i), h.At(j), x[i]})
			if !r.KeepStuck {
				for k := i; k < j; k++ {
					x[k] = math.NaN()
				}
			}
		}
		i = j
	}
}

func (h *Hours) extremes(r Rules) {
	h.Limit = Limit(h.Value, r.OutlierIQR)
	if math.IsInf(h.Limit, 1) {
		return
	}
	// Spikes are few. Where more than one in a hundred lies above the limit, the
	// load has a long tail, and that tail is usual.
	usual := quantile(known(h.Value), 0.99)
	for _, v := range h.Value {
		if v <= h.Limit {
			usual = max(usual, v)
		}
	}
	x := h.Value
	alone := make([]bool, len(x)) // judged before any value is taken out
	for i := range x {
		alone[i] = standsAlone(x, i)
	}
	over := func(i int) bool { return x[i] > h.Limit || alone[i] }
	for i := 0; i < len(x); {
		if !over(i) {
			i++
			continue
		}
		j, least := i, math.Inf(1)
		for j < len(x) && over(j) {
			h.Outliers = append(h.Outliers, h.At(j))
			least = min(least, x[j])
			j++
		}
		spike := j-i <= 3 && least > 3*usual && !r.KeepSpikes
		for k := i; k < j; k++ {
			if spike || alone[k] && !r.KeepSpikes || r.DropOutliers {
				h.Spikes = append(h.Spikes, h.At(k))
				x[k] = math.NaN()
			}
		}
		i = j
	}
}

// standsAlone says whether value i is more than three times all but two of the values
// of the week before and the week after: a spike where the whole year's limit, which
// follows the season of greatest use, does not see one.
func standsAlone(x []float64, i int) bool {
	const week, least = 168, 48
	if !(x[i] > 0) {
		return false
	}
	known, above, positive := 0, 0, 0
	for k := max(i-week, 0); k < min(i+week+1, len(x)); k++ {
		if k == i || math.IsNaN(x[k]) {
			continue
		}
		known++
		if x[k] > 0 {
			positive++
		}
		if 3*x[k] >= x[i] {
			if above++; above > 2 {
				return false
			}
		}
	}
	return known >= least && positive >= 3
}

// temperatures interpolates gaps of up to most hours between known neighbours.
func (h *Hours) temperatures(most int) {
	t := h.Temperature
	for i := 0; i < len(t); i++ {
		if !math.IsNaN(t[i]) {
			continue
		}
		j := i
		for j < len(t) && math.IsNaN(t[j]) {
			j++
		}
		inside := i > 0 && j < len(t) && j-i <= most
		for k := i; k < j; k++ {
			if inside {
				f := float64(k-i+1) / float64(j-i+1)
				t[k] = float64(t[i-1]*(1-f)) + float64(t[j]*f)
				h.Filled = append(h.Filled, h.At(k))
			} else {
				h.Cold = append(h.Cold, h.At(k))
			}
		}
		i = j
	}
}
