package quality

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rules are the thresholds; Default gives the usual ones.
type Rules struct {
	Location       *time.Location // of civil days
	Sentinels      []float64
	ZeroMissing    bool    // zero readings are missing
	KeepNegative   float64 // share of negative values from which they are a generator's; above 1: never
	DropOutliers   bool    // outliers are missing too, not only spikes
	KeepSpikes     bool    // spikes are flagged only
	KeepStuck      bool    // stuck runs are flagged only
	OutlierIQR     float64
	MinDayShare    float64  // a day needs more than this share of its hours
	MaxTemperature int      // longest gap of temperature that is interpolated, hours
	Stated         []string // what was understood from the words of a task
}

// Default are the rules for an energy: "electricity", or anything else.
func Default(energy string, loc *time.Location) Rules {
	r := Rules{Location: loc, OutlierIQR: 3, MinDayShare: 0.5, MaxTemperature: 6, KeepNegative: 2}
	if Electric(energy) {
		r.ZeroMissing, r.KeepNegative = true, 0.05
	}
	return r
}

// Electric says whether a word names electricity.
func Electric(energy string) bool {
	e := strings.ToLower(energy)
	return strings.HasPrefix(e, "elec") || strings.HasPrefix(e, "élec") || strings.HasPrefix(e, "power")
}

var (
	dropWords = `(?:missing|drop|dropped|removed?|excluded?|discarded?|nan|invalid)`
	keepWords = `(?:kept|keep|valid|flag(?:ged)?|not (?:dropped|removed|missing)|retained)`
	percent   = regexp.MustCompile(`(?:more than|at least|>=?|≥)\s*(\d+)\s*%`)
	tempGap   = regexp.MustCompile(`(\d+)\s*(?:h|hours)\b`)
)

// State changes the rules by the words of a task, as far as they are understood:
// sentences that say of zeros, negatives, outliers, spikes or stuck values that
// they are missing or kept, of a day's share of hours, of gaps of temperature.
// What was understood is in Stated; it returns the sentences that were not.
func (r *Rules) State(text string) (ignored []string) {
	for _, s := range regexp.MustCompile(`[;.\n]\s+|[;\n]`).Split(text, -1) {
		low := strings.ToLower(strings.TrimSpace(s))
		if low == "" {
			continue
		}
		understood := false
		say := func(what string) { r.Stated, understood = append(r.Stated, what), true }
		drop, told := verdict(low)
		for _, word := range []string{"zero", "negative", "outlier", "spike", "stuck"} {
			if !strings.Contains(low, word) || !told {
				continue
			}
			how := "flagged"
			if drop {
				how = "missing"
			}
			switch word {
			case "zero":
				r.ZeroMissing = drop
			case "negative":
				r.KeepNegative = 0
				if drop {
					r.KeepNegative = 2
				}
			case "outlier":
				r.DropOutliers = drop
				if !drop {
					r.KeepSpikes = true
				}
			case "spike":
				r.KeepSpikes = !drop
			case "stuck":
				r.KeepStuck = !drop
			}
			say(word + " values: " + how)
		}
		if m := percent.FindStringSubmatch(low); m != nil && strings.Contains(low, "day") {
			share := 0.0
			for _, c := range m[1] {
				share = share*10 + float64(c-'0')
			}
			if share > 0 && share < 100 {
				r.MinDayShare = share / 100
				say("a day needs more than " + m[1] + " % of its hours")
			}
		}
		if m := tempGap.FindStringSubmatch(low); m != nil && strings.Contains(low, "temp") && len(m[1]) < 4 {
			n := 0
			for _, c := range m[1] {
				n = n*10 + int(c-'0')
			}
			r.MaxTemperature = n
			say("temperature interpolated over up to " + m[1] + " h")
		}
		if !understood {
			ignored = append(ignored, strings.TrimSpace(s))
		}
	}
	return ignored
}

var (
	keepRE = regexp.MustCompile(`\b` + keepWords + `\b`)
	dropRE = regexp.MustCompile(`\b` + dropWords + `\b`)
)

// verdict says whether a sentence drops or keeps values; ok is false for neither.
func verdict(s string) (drop, ok bool) {
	bare := keepRE.ReplaceAllString(s, "")
	drop = dropRE.MatchString(bare)
	return drop, drop || keepRE.MatchString(s)
}

// quantile is the linear quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	x := q * float64(len(sorted)-1)
	i := int(x)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	f := x - float64(i)
	return float64(sorted[i]*(1-f)) + float64(sorted[i+1]*f)
}

func known(x []float64) []float64 {
	var out []float64
	for _, v := range x {
		if !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// Limit is median + k interquartile ranges of the known values; +Inf for none.
func Limit(x []float64, k float64) float64 {
	s := known(x)
	if len(s) < 10 {
		return math.Inf(1)
	}
	return quantile(s, 0.5) + float64(k*(quantile(s, 0.75)-quantile(s, 0.25)))
}
