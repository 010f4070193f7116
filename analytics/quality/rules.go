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

	electric   bool
	zeroStated bool // the task says what zeros are
}

// Default are the rules for an energy: "electricity", or anything else.
func Default(energy string, loc *time.Location) Rules {
	r := Rules{Location: loc, OutlierIQR: 3, MinDayShare: 0.5, MaxTemperature: 6, KeepNegative: 2}
	if Electric(energy) {
		r.ZeroMissing, r.KeepNegative, r.electric = true, 0.05, true
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
	values, stuck := false, false
	for _, s := range regexp.MustCompile(`[;.\n]\s+|[;\n]`).Split(text, -1) {
		low := strings.ToLower(strings.TrimSpace(s))
		if low == "" {
			continue
		}
		understood := false
		say := func(what string) { r.Stated, understood = append(r.Stated, what), true }
		for _, v := range r.verdicts(low) {
			how := "flagged"
			if v.drop {
				how = "missing"
			}
			switch v.word {
			case "zero":
				r.ZeroMissing, r.zeroStated = v.drop, true
			case "negative":
				r.KeepNegative = 0
				if v.drop {
					r.KeepNegative = 2
				}
			case "outlier":
				r.DropOutliers = v.drop
				if !v.drop {
					r.KeepSpikes = true
				}
			case "spike":
				r.KeepSpikes = !v.drop
			case "stuck":
				r.KeepStuck, stuck = !v.drop, true
			}
			values = true
			say(v.word + " values: " + how)
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
	if values && !stuck { // a rule that says which values are missing means no others
		r.KeepStuck = true
		r.Stated = append(r.Stated, "stuck values: flagged, the rule does not name them")
	}
	return ignored
}

// said is what a clause says of one kind of values.
type said struct {
	word string
	drop bool
}

var (
	clauses   = regexp.MustCompile(`,|\bbut\b|\bwhile\b|\band\b|\bor\b`)
	electrics = regexp.MustCompile(`\bfor (electric|power)`)
	fuels     = regexp.MustCompile(`\bfor (gas|heat|fuel)`)
)

// verdicts reads the clauses of a sentence. A clause without a verdict shares that
// of the next one that has it: "zero, negative and outlier hours are missing". One
// that is for another energy is passed over.
func (r *Rules) verdicts(sentence string) []said {
	var out []said
	parts := clauses.Split(sentence, -1)
	drop, told := false, false
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		if d, ok := verdict(p); ok {
			drop, told = d, true
		}
		if !told || electrics.MatchString(p) && !r.electric || fuels.MatchString(p) && r.electric {
			continue
		}
		for _, word := range []string{"zero", "negative", "outlier", "spike", "stuck"} {
			if strings.Contains(p, word) {
				out = append(out, said{word, drop})
			}
		}
	}
	slices.Reverse(out)
	return out
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
