package savings

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/metering"
)

// ErrNoClaim says that there is nothing to share.
var ErrNoClaim = errors.New("attribution: no synergy claims anything")

// Claim is what one synergy claims to have saved of one energy on one site in one
// period, by its own measurement (options A, B, calculated, declared).
type Claim struct {
	Synergy string
	Amount  float64
	Half90  float64
}

// Attribute shares a site's saving among the synergies on it. The claims stand as
// they are while their sum does not exceed the whole by more than both intervals
// allow: what is left is shown as unattributed. Beyond that the claims are brought
// to the whole by least squares, each moved in proportion to its variance (data
// reconciliation, VDI 2048), none below zero; so the sum of the parts never exceeds
// what the site has saved. A claim without an interval is refused: nobody would
// know how far it may be moved.
func Attribute(whole, wholeHalf90 float64, claims []Claim) (*metering.Attribution, error) {
	if !(wholeHalf90 > 0) || math.IsInf(wholeHalf90, 0) || math.IsNaN(whole) {
		return nil, fmt.Errorf("attribution: the site's saving %v ± %v is no measured amount", whole, wholeHalf90)
	}
	if len(claims) == 0 {
		return nil, ErrNoClaim
	}
	a := &metering.Attribution{Whole: whole, WholeHalf90: wholeHalf90}
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
		a.Parts = append(a.Parts, metering.AttributionPart{Synergy: c.Synergy, Claimed: c.Amount, Attributed: c.Amount, Half90: c.Half90, ClaimedHalf90: c.Half90})
	}
	a.Interaction = whole - sum
	a.InteractionHalf90 = interval.Round(math.Sqrt(float64(wholeHalf90*wholeHalf90) + sq))
	if -a.Interaction > a.InteractionHalf90 {
		reconcile(a)
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
	wordAttribution(a)
	return a, nil
}

// reconcile brings the parts to the whole, and no part below zero: those that
// reach it leave the rest of the correction to the others.
func reconcile(a *metering.Attribution) {
	a.Reduced = true
	target := max(a.Whole, 0)
	fixed := make([]bool, len(a.Parts))
	for range a.Parts {
		sum, sq := 0.0, 0.0
		for i, p := range a.Parts {
			if !fixed[i] {
				sum += p.Claimed
				sq += float64(p.ClaimedHalf90 * p.ClaimedHalf90)
			}
		}
		again := false
		for i := range a.Parts {
			p := &a.Parts[i]
			if fixed[i] {
				continue
			}
			v := float64(p.ClaimedHalf90 * p.ClaimedHalf90)
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

func wordAttribution(a *metering.Attribution) {
	fr, en := frNumber(math.Abs(a.Interaction), 1), enNumber(math.Abs(a.Interaction), 1)
	switch {
	case a.Reduced:
		a.Text = metering.Text{FR: "Les synergies du site revendiquent " + fr + " MWh de plus que ce que le site a économisé : leurs parts sont ramenées à l'économie du site (recouvrement ou effet rebond).",
			EN: "The site's synergies claim " + en + " MWh more than the site has saved: their parts are brought to the site's saving (overlap or rebound)."}
	case a.Interaction > a.InteractionHalf90:
		a.Text = metering.Text{FR: "Le site a économisé " + fr + " MWh de plus que ces synergies n'en expliquent : ce reste ne leur revient pas, il est celui du plan du site.",
			EN: "The site has saved " + en + " MWh more than these synergies explain: what remains is none of theirs, it is that of the site's own plan."}
	default:
		a.Text = metering.Text{FR: "Les économies des synergies et celle du site concordent dans leurs intervalles.",
			EN: "The synergies' savings and that of the site agree within their intervals."}
	}
}

// AttributeSite shares what the site's evaluation (option C) has saved of energy in
// [from, to) among other synergies on it, each by its own evaluation. Those that avoid
// no energy are not on this balance. Of the others, one that ran in the site's baseline
// already is no part of what the site saved since; one that avoids an energy which
// the site's models do not measure, or claims without an interval, cannot be
// compared: these take no part and are named.
func AttributeSite(site *Evaluation, others []*Evaluation, kind metering.PeriodKind, from, to time.Time) (*metering.Attribution, error) {
	energy := func(e *Evaluation) (metering.Figure, bool) {
		return e.Result(kind, from, to).Figure(metering.EnergyAvoidedMWh)
	}
	whole, ok := energy(site)
	if !ok {
		return nil, fmt.Errorf("attribution: the plan of %s measures no energy avoided", site.Plan.Synergy)
	}
	var claims []Claim
	var left []metering.AttributionLeft
	for _, e := range others {
		id := e.Plan.Synergy
		f, ok := energy(e)
		switch odd := site.foreign(e.Plan); {
		case !ok:
		case e.Plan.Reporting.From.Time().Before(site.Plan.Baseline.To.Time()):
			left = append(left, metering.AttributionLeft{Synergy: id, Why: metering.Text{
				FR: "Elle fonctionnait déjà pendant la période de référence du site, qui la contient.", EN: "It ran in the site's baseline already, which holds it."}})
		case odd != "":
			left = append(left, metering.AttributionLeft{Synergy: id, Why: metering.Text{
				FR: "Elle évite une énergie que le modèle du site ne mesure pas (" + odd + ").", EN: "It avoids an energy that the site's model does not measure (" + odd + ")."}})
		case !(f.Half90 > 0):
			left = append(left, metering.AttributionLeft{Synergy: id, Why: metering.Text{FR: "Son économie n'a pas d'intervalle.", EN: "Its saving has no interval."}})
		default:
			claims = append(claims, Claim{Synergy: id, Amount: f.Amount, Half90: f.Half90})
		}
	}
	a, err := Attribute(whole.Amount, whole.Half90, claims)
	if errors.Is(err, ErrNoClaim) && len(left) > 0 {
		a, err = &metering.Attribution{Whole: whole.Amount, WholeHalf90: whole.Half90, Unattributed: max(whole.Amount, 0), Interaction: whole.Amount, InteractionHalf90: whole.Half90,
			Text: metering.Text{FR: "L'économie du site est celle de son propre plan : aucune autre synergie n'y prend part.",
				EN: "The site's saving is that of its own plan: no other synergy has a part in it."}}, nil
	}
	if err != nil {
		return nil, err
	}
	a.Site, a.Kind, a.From, a.To, a.Left = site.Plan.Synergy, kind, from.UTC(), to.UTC(), left
	return a, nil
}

// foreign is the first energy that a plan avoids and the site's models do not
// measure; "" for none.
func (e *Evaluation) foreign(p *Plan) string {
	measured := func(f indicators.Flow) bool {
		return slices.ContainsFunc(e.Plan.Models, func(m Model) bool { return m.Energy == f })
	}
	for i := range p.Displaced {
		if f := p.Displaced[i].Energy; !measured(f) {
			return string(f)
		}
	}
	for i := range p.Models {
		if f := p.Models[i].Energy; !measured(f) {
			return string(f)
		}
	}
	return ""
}

// CommonDays are the days that all evaluations have; ok is false for none.
func CommonDays(all ...*Evaluation) (from, to time.Time, ok bool) {
	for _, e := range all {
		first, last := e.Days()
		if from.IsZero() || first.After(from) {
			from = first
		}
		if to.IsZero() || last.Before(to) {
			to = last
		}
	}
	return from, to, from.Before(to)
}
