package task

import (
	"math"
	"time"

	"github.com/thermie/thermie/analytics/quality"
)

func stamps(t []time.Time) []string {
	out := []string{}
	for _, x := range t {
		out = append(out, stamp(x))
	}
	return out
}

// quality lists what was found in a period under a key.
func (a *answer) quality(key string, d *data) {
	out := map[string]any{"sufficient": d.suff.Sufficient(), "n_days": d.suff.Days, "n_used_days": d.suff.Used, "n_negative": d.suff.Negative, "n_zero": d.suff.Zero}
	if r := a.rules(); len(r.Stated) > 0 {
		out["rules_stated"] = r.Stated
	}
	if h := d.clean; h != nil {
		hours(out, h)
		a.dayLists(out, d)
	} else {
		out["valid_days"] = d.suff.Valid
	}
	a.set(key, out)
}

func hours(out map[string]any, h *quality.Hours) {
	gaps := [][2]string{}
	for _, g := range h.Gaps {
		if g.To.Sub(g.From) >= 24*time.Hour {
			gaps = append(gaps, [2]string{stamp(g.From), stamp(g.To)})
		}
	}
	var stuck []time.Time
	var runs []any
	for _, r := range h.Stuck {
		stuck = append(stuck, r.From)
		runs = append(runs, map[string]any{"from": stamp(r.From), "to": stamp(r.To), "hours": int(r.To.Sub(r.From) / time.Hour), "value": r.Value})
	}
	out["expected_hours_baseline"], out["expected_hours"] = len(h.Value), len(h.Value)
	out["missing_hours"], out["hours_without_value"] = h.Missing, h.NoValue
	out["gaps_ge_24h"] = gaps
	out["zero_hours"], out["negative_hours"] = stamps(h.Zero), stamps(h.Negative)
	out["outliers"], out["outliers_dropped"] = stamps(h.Outliers), stamps(h.Spikes)
	out["stuck_runs"], out["stuck_runs_detail"] = stamps(stuck), runs
	out["temperature_not_interpolated"], out["temperature_interpolated"] = stamps(h.Cold), stamps(h.Filled)
	out["duplicates"], out["sentinels"] = stamps(h.Duplicates), stamps(h.Sentinels)
	out["generator"], out["zeros_kept_as_small_use"] = h.Generator, h.SmallZeros
	if !math.IsInf(h.Limit, 0) {
		out["outlier_limit"] = h.Limit
	}
}

func (a *answer) dayLists(out map[string]any, d *data) {
	short, long, invalid, scaled := []string{}, []string{}, []string{}, []string{}
	valid, sum := 0, 0.0
	example := map[string]any{}
	for i := range d.daily {
		q := &d.daily[i]
		switch q.Hours {
		case 23:
			short = append(short, q.Date())
		case 25:
			long = append(long, q.Date())
		}
		if math.IsNaN(q.Value) {
			invalid = append(invalid, q.Date())
			continue
		}
		valid++
		sum += q.Value
		example[q.Date()] = q.Value
		if q.Scaled() {
			scaled = append(scaled, q.Date())
		}
	}
	out["days_23h"], out["days_25h"] = short, long
	out["valid_days"], out["invalid_days"], out["scaled_days"] = valid, invalid, scaled
	out["baseline_sum_scaled"] = sum
	daily, _ := a.out["daily"].(map[string]any)
	if daily == nil {
		daily = map[string]any{"example": map[string]any{}}
		a.set("daily", daily)
	}
	all := daily["example"].(map[string]any)
	for k, v := range example {
		all[k] = v
	}
}

// reportingQuality lists what was found in the reporting period, and says when its
// unit differs from that of the baseline.
func (a *answer) reportingQuality(base, rep *data) {
	dq, _ := a.out["dq"].(map[string]any)
	sub := &answer{c: a.c, out: map[string]any{"daily": a.out["daily"]}}
	if a.out["daily"] == nil {
		delete(sub.out, "daily")
	}
	sub.quality("reporting", rep)
	dq["reporting"] = sub.out["reporting"]
	for _, f := range rep.flags {
		switch f.Reason {
		case quality.TooFewDays, quality.TooLong, quality.Constant: // a baseline's reasons
			a.warn("reporting period: %s", f.Text)
		default:
			a.warn("reporting period: %s: %s", f.Reason, f.Text)
		}
	}
	both := append(append([]float64{}, base.days.Energy...), rep.days.Energy...)
	if at, factor, ok := quality.UnitRun(both); ok && at >= len(base.days.Energy)-7 {
		a.flags([]quality.Flag{{Reason: quality.UnitChange, Refused: true,
			Text: "the values of the reporting period are about " + short(factor) + " times those of the baseline: another unit"}})
	}
}

// fileFlags answers for a file by its name.
func (a *answer) fileFlags(name string, d *data) {
	s := d.suff
	reasons := []string{}
	for _, f := range d.flags {
		reasons = append(reasons, f.Reason)
	}
	a.set(name, map[string]any{"sufficient": s.Sufficient() && !refuses(d.flags), "n_days": s.Days, "n_valid_days": s.Valid, "n_used_days": s.Used,
		"n_negative": s.Negative, "n_zero": s.Zero, "n_extreme": s.Extreme, "n_missing": s.Days - s.Valid, "flags": reasons})
}

func refuses(flags []quality.Flag) bool {
	for _, f := range flags {
		if f.Refused {
			return true
		}
	}
	return false
}
