package task

import (
	"math"
	"time"
)

// ledger are the reporting intervals of one meter with their adjusted baseline.
type ledger struct {
	start     []time.Time
	observed  []float64
	predicted []float64 // adjusted baseline; NaN or an unknown observation masks both
	nra       []float64 // accepted non-routine adjustment of the baseline; nil for none
	nraHalf   float64   // half width of all of it
	half      func(rows []int) (float64, error)
	loc       *time.Location
}

// known are the intervals that count.
func (l *ledger) known() []int {
	var rows []int
	for i := range l.start {
		if !math.IsNaN(l.observed[i]) && !math.IsNaN(l.predicted[i]) {
			rows = append(rows, i)
		}
	}
	return rows
}

// figures sums rows. Adjustments count when adjusted is set.
func (l *ledger) figures(rows []int, adjusted bool) (map[string]any, error) {
	obs, pred, nra, all := 0.0, 0.0, 0.0, 0.0
	for _, i := range rows {
		obs += l.observed[i]
		pred += l.predicted[i]
		if l.nra != nil {
			nra += l.nra[i]
		}
	}
	half, err := l.half(rows)
	if err != nil {
		return nil, err
	}
	if l.nra != nil && adjusted {
		for _, v := range l.nra {
			all += math.Abs(v)
		}
		if all > 0 {
			half = math.Hypot(half, l.nraHalf*math.Abs(nra)/all)
		}
	}
	saved := pred - obs
	out := map[string]any{"m": len(rows), "observed": obs, "counterfactual": pred, "savings_unadjusted": saved, "nra": nra}
	if adjusted {
		saved += nra
		out["adjusted_baseline"] = pred + nra
	}
	out["savings"], out["savings_adjusted"], out["unc90"] = saved, saved, half
	out["low"], out["high"] = saved-half, saved+half
	if base := pred + nra; base != 0 {
		out["fraction"] = saved / base
	}
	if saved != 0 {
		out["fsu"] = half / math.Abs(saved)
	}
	out["significant"] = math.Abs(saved) > half
	return out, nil
}

// report is total and quarters. The total is the sum of the quarters.
func (l *ledger) report(adjusted bool) (map[string]any, error) {
	rows := l.known()
	quarters := map[string]any{}
	for i := 0; i < len(rows); {
		q := quarterStart(l.start[rows[i]], l.loc)
		j := i
		for j < len(rows) && quarterStart(l.start[rows[j]], l.loc).Equal(q) {
			j++
		}
		f, err := l.figures(rows[i:j], adjusted)
		if err != nil {
			return nil, err
		}
		quarters[quarterName(q)] = f
		i = j
	}
	total, err := l.figures(rows, adjusted)
	if err != nil {
		return nil, err
	}
	total["intervals"], total["masked"] = len(l.start), len(l.start)-len(rows)
	return map[string]any{"total": total, "quarters": quarters}, nil
}

// flat is a report whose total stands beside its quarters too.
func flat(r map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range r["total"].(map[string]any) {
		out[k] = v
	}
	for k, v := range r {
		out[k] = v
	}
	return out
}
