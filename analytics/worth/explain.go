package worth

import (
	"fmt"
	"math"
	"strings"

	"github.com/thermie/thermie/analytics/heat"
)

// Explain writes a proposal on one page, in French or in English ("en"): what it
// is, why we believe it, what would change our mind, what to measure next, what
// it is worth and on which assumptions.
func (p *Proposal) Explain(language string) string {
	e := &page{fr: language != "en"}
	s, n, w := p.Source, p.Need, p.Worth
	e.line("%s → %s", "%s -> %s", s.Card.ID, n.Demand.ID)
	e.b.WriteString(strings.Repeat("=", 60) + "\n")
	switch {
	case p.Years < leastYears:
		e.line("Piste à confirmer : les relevés couvrent %s jours, ramenés ici à un an ; un besoin de saison en est faussé.",
			"A lead to confirm: the readings cover %s days, scaled to a year here; that misjudges a need that has seasons.", e.number(365*p.Years, 0))
	case p.Lead:
		e.line("Piste à confirmer : l'un des deux côtés n'est ni mesuré ni en bilan (preuve %s pour la source, %s pour le besoin).",
			"A lead to confirm: one side is neither measured nor balanced (evidence %s for the source, %s for the need).", s.Grade, p.NeedGrade)
	default:
		e.line("Proposition de synergie : les deux côtés sont mesurés ou en bilan (preuve %s et %s).", "Proposed synergy: both sides are measured or balanced (evidence %s and %s).", s.Grade, p.NeedGrade)
	}
	how := e.of("par échange direct", "by direct exchange")
	if p.COP > 0 {
		how = e.of("par pompe à chaleur, COP moyen %s", "by heat pump, mean COP %s", e.number(p.COP, 1))
	}
	where := e.of("à %s km de conduite (DN %s)", "over %s km of pipe (DN %s)", e.number(p.KM, 1), e.number(w.DiameterMM, 0))
	if p.Internal {
		where = e.of("sur le même site : à faire avant d'offrir la chaleur à d'autres", "on the same site: to be done before the heat is offered to others")
	}
	e.line("%s, %s. Puissance de pointe %s kW, %s %% du besoin.", "%s, %s. Peak %s kW, %s %% of the need.", capital(how), where, e.number(p.PeakKW, 0), e.number(100*p.Share, 0))
	e.line("")

	e.title("Pourquoi nous y croyons", "Why we believe it")
	e.line("- La source rejette %s MWh par an (± %s à 90 %%), entre %s et %s °C ; %s %% du temps est mesuré.", "- The source rejects %s MWh a year (± %s at 90 %%), between %s and %s °C; %s %% of the time is measured.",
		e.number(p.yearly(s.MWh), 0), e.number(p.yearly(s.HalfWidthMWh()), 0), e.number(s.HighC, 0), e.number(s.LowC, 0), e.number(100*s.Coverage, 1))
	e.line("- Règle : %s.", "- Rule: %s.", s.Card.Rule)
	if p.InternalMWh > 0 {
		e.line("- Le site lui-même peut en prendre %s MWh par an sans machine : ils sont déjà déduits.", "- The site itself can take %s MWh a year of it without a machine: they are subtracted already.", e.number(p.InternalMWh, 0))
	}
	if s.MendedMWh > 0 || s.EstimatedMWh > 0 {
		e.line("- Défauts de mesure traités : %s %% de la chaleur vient de relevés corrigés, %s %% de trous comblés par des heures semblables.", "- Faults of the meters dealt with: %s %% of the heat stands on mended readings, %s %% fills gaps from like times.",
			e.number(100*s.MendedMWh/s.MWh, 1), e.number(100*s.EstimatedMWh/s.MWh, 1))
	}
	e.line("- Source et besoin sont comparés pas à pas. Le bilan annuel, qui ignore les heures, promettrait %s MWh ; il en reste %s.", "- Source and need are compared step by step. The yearly balance, which ignores the hours, would promise %s MWh; %s remain.",
		e.number(p.BalanceMWh, 0), e.number(w.MWhP50, 0))
	if k := p.Kind; k != nil {
		e.line("- Classe : %s ; %s.", "- Class: %s; %s.", e.class(string(k.Class)), e.of(k.ClassWhy.FR, k.ClassWhy.EN))
	}
	e.line("")

	e.title("Ce qui nous ferait changer d'avis", "What would change our mind")
	if k := p.Kind; k != nil {
		e.line("- %s", "- %s", e.of(k.Caveats.FR, k.Caveats.EN))
		e.line("- Fluide : %s. Coupure à %s °C : %s.", "- Fluid: %s. Cut-off at %s °C: %s.", e.of(k.Fluid.FR, k.Fluid.EN), e.number(k.Cutoff.C, 0), e.of(k.Cutoff.FR, k.Cutoff.EN))
		if !p.Internal {
			e.line("- Un usage interne d'abord : %s.", "- A use inside the company first: %s.", e.of(k.Internal.FR, k.Internal.EN))
		}
	}
	e.line("- Un arrêt ou un changement du procédé ; un contrat de chaleur en cours chez le preneur.", "- A stop or a change of the process; a running heat contract of the taker.")
	e.line("")

	e.title("Que mesurer ensuite", "What to measure next")
	switch {
	case s.Grade != heat.GradeA && s.Grade != heat.GradeB:
		e.line("- Un compteur d'énergie thermique sur le rejet, quatre semaines : la preuve passerait de %s à A.", "- A heat meter on the reject, for four weeks: the evidence would go from %s to A.", s.Grade)
	case p.NeedGrade != heat.GradeA:
		e.line("- Le besoin du preneur à la même résolution, pendant un hiver.", "- The taker's need at the same resolution, over one winter.")
	default:
		e.line("- La qualité du fluide, et les températures aux deux raccordements pendant un mois froid.", "- The quality of the fluid, and the temperatures at both connections over a cold month.")
	}
	e.line("")

	e.title("Ce que cela vaut (prudent | central | favorable)", "What it is worth (cautious | middle | favourable)")
	e.line("- Chaleur livrée : %s MWh par an (P50), %s dépassés neuf années sur dix (P90).", "- Heat delivered: %s MWh a year (P50), %s exceeded in nine years of ten (P90).", e.number(w.MWhP50, 0), e.number(w.MWhP90, 0))
	e.line("- CO₂e évité : %s t par an.", "- CO₂e avoided: %s t a year.", e.three(w.CO2eTonnes, 1))
	e.line("- Investissement : %s k€ ; fonctionnement : %s k€ par an ; économie nette : %s k€ par an.", "- Investment: %s kEUR; operation: %s kEUR a year; net saving: %s kEUR a year.",
		e.three(w.CapexEUR, 1e-3), e.three(w.OpexEUR, 1e-3), e.three(w.SavingEUR, 1e-3))
	money := func(what string, m Money) {
		e.line("- %s : retour %s ans ; VAN %s k€ ; coût de la chaleur %s €/MWh.", "- %s: payback %s years; NPV %s kEUR; cost of heat %s EUR/MWh.",
			what, e.three(m.PaybackYears, 1), e.three(m.NPVEUR, 1e-3), e.three(m.LCOHEUR, 1))
	}
	money(e.of("Sans aide", "Without support"), w.Without)
	money(e.of("Avec les aides possibles", "With possible support"), w.With)
	for _, a := range w.Aids {
		switch {
		case a.Eligible && a.EUR[favourable] > 0:
			e.line("  + %s : %s k€. %s", "  + %s: %s kEUR. %s", e.of(a.Name.FR, a.Name.EN), e.three(a.EUR, 1e-3), capital(e.of(a.Why.FR, a.Why.EN)))
		case a.Eligible:
			e.line("  + %s. %s", "  + %s. %s", e.of(a.Name.FR, a.Name.EN), capital(e.of(a.Why.FR, a.Why.EN)))
		default:
			e.line("  - %s : %s.", "  - %s: %s.", e.of(a.Name.FR, a.Name.EN), e.of(a.Why.FR, a.Why.EN))
		}
	}
	e.line("")
	e.title("Hypothèses", "Assumptions")
	for _, a := range w.Assumptions {
		e.line("- %s", "- %s", e.of(a.FR, a.EN))
	}
	e.line("- Proposition prise seule : plusieurs usages d'une même source, ou d'un même besoin, ne s'additionnent pas.", "- Taken alone: several uses of one source, or of one need, do not add up.")
	return e.b.String()
}

// yearly scales an amount of the grid to a year, over the source's known steps.
func (p *Proposal) yearly(mwh float64) float64 {
	if p.Years == 0 {
		return mwh
	}
	return mwh / p.Years
}

// page writes in one of two languages.
type page struct {
	b  strings.Builder
	fr bool
}

func (e *page) of(fr, en string, args ...any) string {
	if e.fr {
		en = fr
	}
	if len(args) == 0 {
		return en
	}
	return fmt.Sprintf(en, args...)
}

func (e *page) line(fr string, rest ...any) {
	if len(rest) == 0 {
		e.b.WriteString(fr + "\n")
		return
	}
	en := rest[0].(string)
	e.b.WriteString(strings.TrimRight(e.of(fr, en, rest[1:]...), " ") + "\n")
}

func (e *page) title(fr, en string) { e.b.WriteString(e.of(fr, en) + "\n") }

// number writes a number as the language does: 3 500,5 or 3,500.5.
func (e *page) number(x float64, digits int) string {
	if math.IsInf(x, 0) {
		return e.of("jamais", "never")
	}
	text := fmt.Sprintf("%.*f", digits, x)
	whole, part, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	group, point := ",", "."
	if e.fr {
		group, point = "\u202f", ","
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if part != "" {
		whole += point + part
	}
	return sign + whole
}

func (e *page) three(r Range, scale float64) string {
	digits := 0
	if math.Abs(r[middle]*scale) < 20 {
		digits = 1
	}
	var out []string
	for _, x := range r {
		out = append(out, e.number(x*scale, digits))
	}
	return strings.Join(out, " | ")
}

func (e *page) class(c string) string {
	return map[string]string{"unavoidable": e.of("fatale, inévitable", "unavoidable"), "partly": e.of("en partie évitable", "partly avoidable"), "avoidable": e.of("évitable", "avoidable")}[c]
}

func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-32) + s[1:]
	}
	return s
}
