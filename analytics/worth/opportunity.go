package worth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/metering"
)

// Thresholds below which heat is not proposed (BfEE leaflet on the register of
// waste heat, version 1.3, 2024): 200 MWh a year, 1,500 h a year, 25 degC.
const (
	leastMWhPerYear = 200
	leastHours      = 1500
	leastHotC       = 25
	leastUseMWh     = 50
	maxUses         = 4
)

// Programme is what opportunities need beside the data.
type Programme struct {
	Names map[string]metering.Text // of assets, by card
	// Connected pairs "source site>need site" run already and are not proposed.
	Connected map[string]bool
}

// Opportunities ranks what the sources could give: those whose best use pays in the
// middle case, with what support is possible, first, then the most tonnes of CO2e.
// Amounts are scaled from the known steps to a year, so the grid should hold at
// least one whole year. The notes say which pairs could not be looked at.
func (r *Rules) Opportunities(in Input, programme Programme) ([]metering.Opportunity, []string, error) {
	proposals, notes, err := r.Rank(in)
	if err != nil {
		return nil, nil, err
	}
	left, _, _ := heat.InternalFirst(in.Grid, in.Sources, in.Needs)
	var out []metering.Opportunity
	for i := range in.Sources {
		s := &in.Sources[i]
		hours := in.Grid.Step.Hours()
		if s.Known == 0 {
			continue
		}
		year := 8760 / (float64(s.Known) * hours)
		if s.MWh*year < leastMWhPerYear || s.Hours*year < leastHours || s.HighC < leastHotC {
			continue
		}
		o := metering.Opportunity{
			ID: s.Card.ID, Company: s.Card.Site, Name: programme.Names[s.Card.ID], Grade: string(s.Grade),
			MWhPerYear: s.MWh * year, Half90: s.HalfWidthMWh() * year, TypicalKW: s.P50KW, FirmKW: s.P90KW,
			HoursAYear: s.Hours * year, LowC: s.LowC, HighC: s.HighC, Coverage: s.Coverage,
			MWhByBand: map[string]float64{}, MonthlyMWh: s.YearMonths(in.Grid),
		}
		for k, b := range heat.Bands {
			o.MWhByBand[strings.Replace(b.Name, "0-40", "<40", 1)] = s.ByBand[k] * year
		}
		for k := range proposals {
			p := &proposals[k]
			if p.Source.Card.ID == s.Card.ID && p.Worth.MWhP50 >= leastUseMWh && !programme.Connected[s.Card.Site+">"+p.Need.Demand.Site] {
				o.Uses = append(o.Uses, p.use())
			}
		}
		// In the order of the proposals: those that pay first, then the most CO2e.
		o.Uses = o.Uses[:min(len(o.Uses), maxUses)]
		in.explain(&o, s)
		o.Profile = in.profile(s, year, s.MWh-left[i].MWh)
		out = append(out, o)
	}
	best := func(o metering.Opportunity) (pays int, tonnes float64) {
		if len(o.Uses) == 0 {
			return 0, 0
		}
		if o.Uses[0].Pays {
			pays = 1
		}
		return pays, o.Uses[0].CO2eTonnes
	}
	slices.SortStableFunc(out, func(a, b metering.Opportunity) int {
		paysA, tonnesA := best(a)
		paysB, tonnesB := best(b)
		return cmp.Or(cmp.Compare(paysB, paysA), cmp.Compare(tonnesB, tonnesA), cmp.Compare(b.MWhPerYear, a.MWhPerYear))
	})
	return out, notes, nil
}

// use words a proposal for the list. The payback's range is that of the
// investment, at the middle case's prices and without support.
func (p *Proposal) use() metering.Use {
	w := p.Worth
	u := metering.Use{Company: p.Need.Demand.Site, Need: p.Need.Demand.ID, How: metering.Text{FR: "échange direct", EN: "direct exchange"}, COP: p.COP, MWhPerYear: w.MWhP50,
		CO2eTonnes: w.CO2eTonnes[middle], DistanceM: p.KM * 1000, PaybackYears: w.CapexEUR[favourable] / w.SavingEUR[middle], PaybackYearsH: w.CapexEUR[cautious] / w.SavingEUR[middle]}
	u.Pays = w.With.NPVEUR[middle] > 0
	u.LCOHLowEUR, u.LCOHHighEUR = w.Without.LCOHEUR[favourable], w.Without.LCOHEUR[cautious]
	for _, a := range w.Aids {
		if a.Eligible {
			u.Support = append(u.Support, a.Name)
		}
	}
	if p.COP > 0 {
		u.How = metering.Text{FR: "pompe à chaleur", EN: "heat pump"}
	}
	if p.Internal {
		u.How.FR += ", sur le même site"
		u.How.EN += ", on the same site"
	}
	return u
}

// explain writes why the heat is believed in, what would change our mind and
// what to measure next.
func (in *Input) explain(o *metering.Opportunity, s *heat.Source) {
	basis := map[heat.Grade]metering.Text{
		heat.GradeA: {FR: "débit et températures mesurés par un compteur d'énergie thermique", EN: "flow and temperatures measured by a heat meter"},
		heat.GradeB: {FR: "bilan de plusieurs compteurs", EN: "a balance of several meters"},
		heat.GradeC: {FR: "facteur appliqué à une énergie mesurée (± 15 %)", EN: "a factor applied to a metered energy (± 15 %)"},
		heat.GradeD: {FR: "déduction, sans mesure directe", EN: "inference, with no direct measurement"},
	}[s.Grade]
	fr, en := page{fr: true}, page{}
	o.Why = metering.Text{
		FR: fmt.Sprintf("%s, sur %.0f %% du temps ; la chaleur est rejetée entre %.0f et %.0f °C pendant %s heures par an.", capital(basis.FR), 100*s.Coverage, s.LowC, s.HighC, fr.number(o.HoursAYear, 0)),
		EN: fmt.Sprintf("%s, over %.0f %% of the time; the heat is given off between %.0f and %.0f °C for %s hours a year.", capital(basis.EN), 100*s.Coverage, s.LowC, s.HighC, en.number(o.HoursAYear, 0)),
	}
	o.Against = metering.Text{
		FR: "Une récupération interne déjà prévue par l'entreprise, un arrêt ou un changement du procédé.",
		EN: "A recovery inside the company that is planned already, a stop or a change of the process.",
	}
	if k := in.Kinds.Of(s.Card); k != nil {
		o.Against.FR += " " + k.Caveats.FR
		o.Against.EN += " " + k.Caveats.EN
	}
	if s.MendedMWh+s.EstimatedMWh > 0.02*s.MWh {
		o.Why.FR += fmt.Sprintf(" Défauts de mesure traités : %.0f %% viennent de relevés corrigés, %.0f %% de trous comblés.", 100*s.MendedMWh/s.MWh, 100*s.EstimatedMWh/s.MWh)
		o.Why.EN += fmt.Sprintf(" Faults dealt with: %.0f %% stand on mended readings, %.0f %% fill gaps.", 100*s.MendedMWh/s.MWh, 100*s.EstimatedMWh/s.MWh)
	}
	switch {
	case len(o.Uses) == 0:
		o.Against.FR = "Aucun besoin mesuré à portée n'accepte cette chaleur aujourd'hui. " + o.Against.FR
		o.Against.EN = "No measured need within reach takes this heat today. " + o.Against.EN
		o.MeasureNext = metering.Text{FR: "Les besoins de chaleur voisins qui n'ont pas encore de compteur.", EN: "The neighbouring needs of heat that have no meter yet."}
	case s.Grade == heat.GradeA || s.Grade == heat.GradeB:
		o.MeasureNext = metering.Text{
			FR: "Le besoin du preneur à la même résolution pendant un hiver, et la qualité du fluide.",
			EN: "The taker's need at the same resolution over one winter, and the quality of the fluid.",
		}
	default:
		o.MeasureNext = metering.Text{
			FR: "Un compteur d'énergie thermique sur le rejet pendant quatre semaines : il ferait passer la preuve au niveau A.",
			EN: "A heat meter on the reject for four weeks: it would raise the evidence to grade A.",
		}
	}
}
