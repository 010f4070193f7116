package disclosure

import (
	"cmp"
	"math"
	"slices"
)

// Rules are the limits; [Default] are the programme's.
type Rules struct {
	MinContributors int     // holdings that a figure needs
	MaxShare        float64 // the largest share of one of them, 0 to 1
	P               float64 // p % rule: how near nobody may come, 0.1 for 10 %
}

// Default: three contributors, none above 85 %, p = 10 %.
var Default = Rules{MinContributors: 3, MaxShare: 0.85, P: 0.10}

// Reason names the rule that withholds a figure; "" when none does.
type Reason string

// The reasons.
const (
	TooFew        Reason = "too_few"       // fewer contributors than the rules ask
	Dominance     Reason = "dominance"     // one contributor has nearly all
	PPercent      Reason = "p_percent"     // a partner could subtract itself
	Complementary Reason = "complementary" // with it, a withheld figure could be computed
	Linked        Reason = "linked"        // a figure of the same synergies is withheld
	Revision      Reason = "revision"      // its difference from an earlier revision would tell
)

// Contribution is one company's part of a figure through one synergy.
type Contribution struct {
	Holding string // companies of one holding are one contributor
	Synergy string // its partners know this contribution
	Amount  float64
	Waived  bool // the company consented to its figures being shown
}

// part is what a holding contributes through one synergy.
type part struct {
	holding, synergy string
	amount           float64 // may be negative
	waived           bool
}

// parts adds up contributions of the same holding and synergy, with weights,
// and drops what cancels. scale is the size that cancelling is judged by. The
// order is that of holding and synergy, so that sums run alike everywhere.
func parts(weighted []weightedCell) []part {
	type key struct{ holding, synergy string }
	sums, waived, scale := map[key]float64{}, map[key]bool{}, 0.0
	for _, w := range weighted {
		for _, c := range w.contributions {
			k := key{c.Holding, c.Synergy}
			sums[k] += float64(w.weight * c.Amount)
			if was, seen := waived[k]; !seen {
				waived[k] = c.Waived
			} else {
				waived[k] = was && c.Waived // a holding waives when all its companies do
			}
			scale = max(scale, math.Abs(w.weight*c.Amount))
		}
	}
	out := make([]part, 0, len(sums))
	for k, x := range sums {
		if math.Abs(x) > 1e-9*scale {
			out = append(out, part{k.holding, k.synergy, x, waived[k]})
		}
	}
	slices.SortFunc(out, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.holding, b.holding), cmp.Compare(a.synergy, b.synergy))
	})
	return out
}

// weightedCell is a cell's contributions times a number.
type weightedCell struct {
	weight        float64
	contributions []Contribution
}

// check applies the rules to the parts of one figure. Amounts count by their
// size: a loss is as secret as a gain.
func (r Rules) check(ps []part) Reason {
	byHolding, holdings, total := map[string]float64{}, []string{}, 0.0
	for _, p := range ps {
		if p.waived {
			continue
		}
		if _, seen := byHolding[p.holding]; !seen {
			holdings = append(holdings, p.holding)
		}
		byHolding[p.holding] += math.Abs(p.amount)
		total += math.Abs(p.amount)
	}
	if len(holdings) == 0 {
		return "" // nobody left to protect
	}
	if len(holdings) < r.MinContributors {
		return TooFew
	}
	for _, h := range holdings {
		if byHolding[h] > float64(r.MaxShare*total) {
			return Dominance
		}
	}
	for _, attacker := range append([]string{""}, allHoldings(ps)...) {
		for _, target := range holdings {
			x, rest := r.doubt(ps, attacker, target)
			if attacker != target && x > 0 && rest < float64(r.P*x) {
				return PPercent
			}
		}
	}
	return ""
}

// doubt is what an attacker who knows the figure does not know of a target: its
// contribution x, and the rest that hides it, which is all that belongs to
// neither and that the attacker does not know. "" is an attacker from outside.
func (r Rules) doubt(ps []part, attacker, target string) (x, rest float64) {
	own := map[string]bool{}
	if attacker != "" {
		for _, p := range ps {
			if p.holding == attacker {
				own[p.synergy] = true
			}
		}
	}
	for _, p := range ps {
		switch {
		case p.waived || own[p.synergy]:
		case p.holding == target:
			x += math.Abs(p.amount)
		default:
			rest += math.Abs(p.amount)
		}
	}
	return x, rest
}

func allHoldings(ps []part) []string {
	var out []string
	for _, p := range ps { // sorted by holding
		if len(out) == 0 || out[len(out)-1] != p.holding {
			out = append(out, p.holding)
		}
	}
	return out
}
