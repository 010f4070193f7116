package task

import (
	"math"
	"strconv"

	"github.com/thermie/thermie/analytics/quality"
)

// sufficiency says of each file whether it can carry a baseline.
func (a *answer) sufficiency(groups []*group) error {
	one := len(groups) == 1
	refused := 0
	for _, g := range groups {
		t := g.baseline
		if t == nil {
			t = g.reporting
		}
		if one {
			return a.site(g)
		}
		b := &answer{c: a.c, files: a.files, out: map[string]any{}, calendar: a.calendar.own(), normal: a.normal}
		g.baseline = t
		if err := b.site(g); err != nil {
			b.flags([]quality.Flag{{Reason: Unreadable, Refused: true, Text: err.Error()}})
			b.set("sufficient", false)
		}
		b.finish()
		entry, _ := b.out[t.name].(map[string]any)
		if entry == nil {
			entry = map[string]any{}
		}
		for _, k := range []string{"sufficient", "reasons", "warnings", "model", "metrics", "dq"} {
			if v, ok := b.out[k]; ok {
				entry[k] = v
			}
		}
		if b.out["sufficient"] == false {
			refused++
		}
		name := g.key
		if name == "" {
			name = t.name
		}
		a.set(name, entry)
		if f, ok := b.out["flags"].(map[string]any); ok {
			all, _ := a.out["flags"].(map[string]any)
			if all == nil {
				all = map[string]any{}
				a.set("flags", all)
			}
			all[name] = sortedKeys(f)
		}
	}
	a.set("refused_files", refused)
	return nil
}

// portfolio answers for many meters and for all of them together. Meters of one
// place share weather and what else no model knows, so their errors are not
// independent: the half width of the whole is
//
//	√( Σ Δ_i² + r Σ_{i≠j} Δ_i Δ_j )
//
// with r the mean correlation of their baseline residuals, at least zero.
func (a *answer) portfolio(groups []*group) error {
	meters := map[string]any{}
	var parts []*answer
	for _, g := range groups {
		b := &answer{c: a.c, files: a.files, out: map[string]any{}, calendar: a.calendar.own(), normal: a.normal}
		if err := b.site(g); err != nil {
			b.flags([]quality.Flag{{Reason: "cannot_be_answered", Refused: true, Text: err.Error()}})
			b.set("sufficient", false)
		}
		b.finish()
		m := map[string]any{}
		for _, k := range []string{"sufficient", "refused", "reasons", "flags", "warnings", "model", "metrics", "nre"} {
			if v, ok := b.out[k]; ok {
				m[k] = v
			}
		}
		if r, ok := b.out["report"].(map[string]any); ok {
			m["total"], m["quarters"] = r["total"], r["quarters"]
			parts = append(parts, b)
		}
		meters[g.key] = m
		for _, w := range b.ignored {
			a.ignore(w)
		}
	}
	a.set("meters", meters)
	if len(parts) < len(groups) {
		a.warn("%d of %d meters are refused and not in the portfolio: see meters", len(groups)-len(parts), len(groups))
	}
	if len(parts) == 0 {
		a.set("refused", true)
		return nil
	}
	r := meanCorrelation(parts)
	whole := map[string]any{"meters": len(parts), "mean_correlation": r}
	quarters := map[string]any{}
	for _, b := range parts {
		for q := range b.out["report"].(map[string]any)["quarters"].(map[string]any) {
			quarters[q] = nil
		}
	}
	for q := range quarters {
		quarters[q] = together(parts, r, func(b *answer) (map[string]any, bool) {
			x, ok := b.out["report"].(map[string]any)["quarters"].(map[string]any)[q].(map[string]any)
			return x, ok
		})
	}
	whole["quarters"] = quarters
	whole["total"] = together(parts, r, func(b *answer) (map[string]any, bool) {
		x, ok := b.out["report"].(map[string]any)["total"].(map[string]any)
		return x, ok
	})
	for k, v := range whole["total"].(map[string]any) {
		whole[k] = v
	}
	a.set("portfolio", whole)
	return nil
}

// together adds meters up.
func together(parts []*answer, r float64, of func(*answer) (map[string]any, bool)) map[string]any {
	sums := map[string]float64{}
	sq, lin := 0.0, 0.0
	for _, b := range parts {
		x, ok := of(b)
		if !ok {
			continue
		}
		for _, k := range []string{"observed", "counterfactual", "savings", "savings_unadjusted", "nra"} {
			sums[k] += x[k].(float64)
		}
		u := x["unc90"].(float64)
		sq += float64(u * u)
		lin += u
	}
	half := math.Sqrt(sq + float64(r*(float64(lin*lin)-sq)))
	out := map[string]any{"unc90": half, "unc90_if_independent": math.Sqrt(sq), "significant": math.Abs(sums["savings"]) > half}
	for k, v := range sums {
		out[k] = v
	}
	if base := sums["counterfactual"] + sums["nra"]; base != 0 {
		out["fraction"] = sums["savings"] / base
	}
	if s := sums["savings"]; s != 0 {
		out["fsu"] = half / math.Abs(s)
	}
	return out
}

// meanCorrelation is the mean correlation of the residuals of pairs of meters,
// from the scatter of the mean of standardised residuals.
func meanCorrelation(parts []*answer) float64 {
	sum, count := map[int]float64{}, map[int]float64{}
	for _, b := range parts {
		sq, n := 0.0, 0.0
		for _, e := range b.residuals {
			sq += float64(e.e * e.e)
			n++
		}
		if sq == 0 {
			continue
		}
		sd := math.Sqrt(sq / n)
		for _, e := range b.residuals {
			sum[e.day] += e.e / sd
			count[e.day]++
		}
	}
	r, n := 0.0, 0.0
	for _, d := range sortedDays(sum) {
		if k := count[d]; k > 1 { // E[(Σ z)²] = k + k(k-1) r
			r += (float64(sum[d]*sum[d]) - k) / (k * (k - 1))
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return min(max(r/n, 0), 1)
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
