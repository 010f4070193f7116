package savings

import (
	"errors"
	"fmt"
	"math"

	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/metering"
)

// Claim is what one synergy claims to have saved of one energy on one site in one
// period, by its own measurement (options A, B, calculated, declared).
type Claim struct {
	Synergy string
	Amount  float64
	Half90  float64
}

// Attribution is how several claims on one site share what the site as a whole has
// saved (option C), without counting anything twice.
type Attribution struct {
	Whole, WholeHalf90 float64
	Parts              []Part
	// Unattributed is what the site saved beyond all claims: other measures, or a
	// model that is off; zero when the claims were reduced.
	Unattributed float64
	// Interaction is the whole minus the sum of the claims as claimed. Negative: the
	// synergies take from each other, or a part of the saving was used up (rebound).
	Interaction       float64
	InteractionHalf90 float64
	// Reduced says that the claims contradict the whole beyond their intervals, and
	// that they were brought to it.
	Reduced bool
	Text    metering.Text
}

// Part is one synergy's share of the whole.
type Part struct {
	Synergy         string
	Claimed         float64
	Attributed      float64
	Half90          float64 // of Attributed
	ShareOfClaims   float64 // of all that is attributed
	Correction      float64 // Attributed - Claimed
	MeasuredAtClaim float64 // Half90 as claimed
}

// Attribute shares a site's saving among the synergies on it. The claims stand as
// they are while their sum does not exceed the whole by more than both intervals
// allow: what is left is shown as unattributed. Beyond that the claims are brought
// to the whole by least squares, each moved in proportion to its variance (data
// reconciliation, VDI 2048), none below zero; so the sum of the parts never exceeds
// what the site has saved. A claim without an interval is refused: nobody would
// know how far it may be moved.
func Attribute(whole, wholeHalf90 float64, claims []Claim) (*Attribution, error) {
	if !(wholeHalf90 > 0) || math.IsInf(wholeHalf90, 0) || math.IsNaN(whole) {
		return nil, fmt.Errorf("attribution: the site's saving %v ± %v is no measured amount", whole, wholeHalf90)
	}
	if len(claims) == 0 {
		return nil, errors.New("attribution: no synergy claims anything")
	}
	a := &Attribution{Whole: whole, WholeHalf90: wholeHalf90}
	sum, sq := 0.0, 0.0
	for i, c := range claims {
		if !(c.Half90 > 0) || math.IsNaN(c.Amount) || math.IsInf(c.Amount, 0) {
			return nil, fmt.Errorf("attribution: synergy %s claims %v ± %v: a claim needs an interval", c.Synergy, c.Amount, c.Half90)
		}
		for _, o := range claims[:i] {
			if o.Synergy == c.Synergy {
				return nil, fmt.Errorf("attribution: synergy %s claims twice", c.Synergy)
			}
		}
		sum += c.Amount
		sq += float64(c.Half90 * c.Half90)
		a.Parts = append(a.Parts, Part{Synergy: c.Synergy, Claimed: c.Amount, Attributed: c.Amount, Half90: c.Half90, MeasuredAtClaim: c.Half90})
	}
	a.Interaction = whole - sum
	a.InteractionHalf90 = interval.Round(math.Sqrt(float64(wholeHalf90*wholeHalf90) + sq))
	if -a.Interaction > a.InteractionHalf90 {
		a.reconcile()
	} else {
		a.Unattributed = max(a.Interaction, 0)
	}
	total := 0.0
	for _, p := range a.Parts {
		total += p.Attributed
	}
	for i := range a.Parts {
		p := &a.Parts[i]
		p.Correction = p.Attributed - p.Claimed
		if total != 0 {
			p.ShareOfClaims = p.Attributed / total
		}
	}
	a.word()
	return a, nil
}

// reconcile brings the parts to the whole, and no part below zero: those that
// reach it leave the rest of the correction to the others.
func (a *Attribution) reconcile() {
	a.Reduced = true
	target := max(a.Whole, 0)
	fixed := make([]bool, len(a.Parts))
	for range a.Parts {
		sum, sq := 0.0, 0.0
		for i, p := range a.Parts {
			if !fixed[i] {
				sum += p.Claimed
				sq += float64(p.MeasuredAtClaim * p.MeasuredAtClaim)
			}
		}
		again := false
		for i := range a.Parts {
			p := &a.Parts[i]
			if fixed[i] {
				continue
			}
			v := float64(p.MeasuredAtClaim * p.MeasuredAtClaim)
			p.Attributed = p.Claimed - float64((sum-target)*v/sq)
			// What is known of the sum makes each part surer: u² - u⁴/(Σu² + U²).
			p.Half90 = interval.Round(math.Sqrt(v - float64(v*v)/(sq+float64(a.WholeHalf90*a.WholeHalf90))))
			if p.Attributed < 0 {
				p.Attributed, fixed[i], again = 0, true, true
			}
		}
		if !again {
			return
		}
	}
}

func (a *Attribution) word() {
	fr, en := frNumber(math.Abs(a.Interaction), 1), enNumber(math.Abs(a.Interaction), 1)
	switch {
	case a.Reduced:
		a.Text = metering.Text{FR: "Les synergies du site revendiquent " + fr + " MWh de plus que ce que le site a économisé : leurs parts sont ramenées à l'économie du site (recouvrement ou effet rebond).",
			EN: "The site's synergies claim " + en + " MWh more than the site has saved: their parts are brought to the site's saving (overlap or rebound)."}
	case a.Interaction > a.InteractionHalf90:
		a.Text = metering.Text{FR: "Le site a économisé " + fr + " MWh de plus que ses synergies n'en expliquent : cette part n'est attribuée à personne.",
			EN: "The site has saved " + en + " MWh more than its synergies explain: that part is attributed to none of them."}
	default:
		a.Text = metering.Text{FR: "Les économies des synergies et celle du site concordent dans leurs intervalles.",
			EN: "The synergies' savings and that of the site agree within their intervals."}
	}
}
