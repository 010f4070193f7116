package heat

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/thermie/thermie/metering"
)

// Economics are the prices and costs behind a first look at a use. They are
// ranges: an opportunity is a lead for a study, not an offer.
type Economics struct {
	GasEURPerMWhPCS  float64
	ElectricityEUR   float64    // EUR a MWh
	GasKgCO2ePerKWh  float64    // of gross calorific value
	ElecKgCO2ePerKWh float64    // consumption mix
	PipeEURPerM      [2]float64 // low, high; trench included
	ExchangerEURKW   [2]float64 // a kW, station included
	PumpEURKW        [2]float64 // a kW of heat, installed
}

// DefaultEconomics: ADEME Base Empreinte factors (natural gas 2022, electricity
// 2022-25); pipe costs span those of three public planning tools at DN100;
// exchanger and heat pump costs are orders of magnitude of the trade.
var DefaultEconomics = Economics{
	GasEURPerMWhPCS: 45, ElectricityEUR: 119, GasKgCO2ePerKWh: 0.215, ElecKgCO2ePerKWh: 0.0461,
	PipeEURPerM: [2]float64{290, 1074}, ExchangerEURKW: [2]float64{60, 200}, PumpEURKW: [2]float64{400, 900},
}

// Thresholds below which heat is not proposed (BfEE leaflet on the register of
// waste heat, version 1.3, 2024): 200 MWh a year, 1,500 h a year, 25 degC.
const (
	leastMWhPerYear = 200
	leastHours      = 1500
	leastHotC       = 25
	leastUseMWh     = 50
	maxUses         = 4
)

// Context is what the ranking needs beside the data.
type Context struct {
	Demands   []Demand
	Places    map[string]Place
	Names     map[string]metering.Text // of assets, by card id
	Companies map[string]string        // names by id
	Network   Network
	Economics Economics
	Weather   string // channel of outdoor temperature
	// Connected pairs "source site>demand site" run already and are not proposed.
	Connected map[string]bool
}

// Opportunities ranks what the sources could give, most tonnes of CO2e first.
// Amounts are scaled from the grid's valid steps to a year, so the grid should
// hold at least one whole year.
func Opportunities(g *Grid, sources []Source, ctx Context) ([]metering.Opportunity, error) {
	pairs, err := Pairs(g, sources, ctx.Demands, ctx.Places, ctx.Network, ctx.Weather)
	if err != nil {
		return nil, err
	}
	span := float64(g.Steps) * g.hours()
	var out []metering.Opportunity
	for i := range sources {
		s := &sources[i]
		if s.Valid == 0 {
			continue
		}
		year := 8760 / (float64(s.Known) * g.hours())
		if s.MWh*year < leastMWhPerYear || s.Hours*year < leastHours || s.HighC < leastHotC {
			continue
		}
		o := metering.Opportunity{
			ID: s.Card.ID, Company: s.Card.Site, Name: ctx.Names[s.Card.ID], Grade: string(s.Grade),
			MWhPerYear: s.MWh * year, Half90: s.MWh * year * s.Grade.HalfWidth(), TypicalKW: s.P50KW, FirmKW: s.P90KW,
			HoursAYear: s.Hours * year, LowC: s.LowC, HighC: s.HighC, Coverage: s.Coverage,
			MWhByBand: map[string]float64{}, MonthlyMWh: monthly(g, s),
		}
		for k, b := range Bands {
			o.MWhByBand[bandName(b.Name)] = s.ByBand[k] * year
		}
		for _, p := range pairs {
			if p.Source == i && !ctx.Connected[s.Card.Site+">"+ctx.Demands[p.Demand].Site] {
				o.Uses = append(o.Uses, uses(p, s, &ctx.Demands[p.Demand], ctx, 8760/span)...)
			}
		}
		sort.SliceStable(o.Uses, func(a, b int) bool { return o.Uses[a].CO2eTonnes > o.Uses[b].CO2eTonnes })
		o.Uses = o.Uses[:min(len(o.Uses), maxUses)]
		explain(&o, s)
		out = append(out, o)
	}
	best := func(o metering.Opportunity) float64 {
		if len(o.Uses) == 0 {
			return 0
		}
		return o.Uses[0].CO2eTonnes
	}
	sort.SliceStable(out, func(a, b int) bool {
		if x, y := best(out[a]), best(out[b]); x != y {
			return x > y
		}
		return out[a].MWhPerYear > out[b].MWhPerYear
	})
	return out, nil
}

func bandName(b string) string {
	if b == "0-40" {
		return "<40"
	}
	return b
}

// monthly is the heat of each month of a year: the mean over the years in the
// grid, scaled from the valid share of the month.
func monthly(g *Grid, s *Source) []float64 {
	out := make([]float64, 12)
	valid := make([]int, 12)
	var m calendarMonths
	for i, q := range s.KW {
		if k := m.of(g.At(i)); s.State[i] != Unknown && !math.IsNaN(q) {
			valid[k]++
		}
	}
	days := [...]float64{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for k := range out {
		if valid[k] > 0 {
			out[k] = s.Monthly[k] * days[k] * 24 / (float64(valid[k]) * g.hours())
		}
	}
	return out
}

// uses turns a pair into at most one proposal: direct exchange where it covers
// most of what a heat pump would, else the pump.
func uses(p Pair, s *Source, d *Demand, ctx Context, year float64) []metering.Use {
	e := ctx.Economics
	eff := d.EfficiencyPCS
	if eff == 0 {
		eff = 0.81
	}
	mwh, electricity, peak, machine := p.MWh*year, 0.0, p.PeakKW, e.ExchangerEURKW
	how := metering.Text{FR: "échange direct", EN: "direct exchange"}
	cop := 0.0
	pump := p.PumpMWh*year - p.PumpKWhE*year*e.ElectricityEUR/e.GasEURPerMWhPCS*eff
	if pump > 1.3*mwh {
		cop = p.SCOP()
		mwh, electricity, peak, machine = p.PumpMWh*year, p.PumpKWhE*year, p.PumpPeakKW, e.PumpEURKW
		how = metering.Text{
			FR: strings.Replace(fmt.Sprintf("pompe à chaleur, COP moyen %.1f", cop), ".", ",", 1),
			EN: fmt.Sprintf("heat pump, mean COP %.1f", cop),
		}
	}
	if mwh < leastUseMWh {
		return nil
	}
	gas := mwh / eff
	u := metering.Use{Company: d.Site, How: how, COP: cop, MWhPerYear: mwh, DistanceM: p.KM * 1000,
		CO2eTonnes: gas*e.GasKgCO2ePerKWh - electricity*e.ElecKgCO2ePerKWh}
	gain := gas*e.GasEURPerMWhPCS - electricity*e.ElectricityEUR
	if u.CO2eTonnes <= 0 || gain <= 0 {
		return nil
	}
	u.PaybackYears = (p.KM*1000*e.PipeEURPerM[0] + peak*machine[0]) / gain
	u.PaybackYearsH = (p.KM*1000*e.PipeEURPerM[1] + peak*machine[1]) / gain
	return []metering.Use{u}
}

// explain writes why the heat is believed in, what would change our mind and
// what to measure next.
func explain(o *metering.Opportunity, s *Source) {
	basis := map[Grade]metering.Text{
		GradeA: {FR: "débit et températures mesurés par un compteur d'énergie thermique", EN: "flow and temperatures measured by a heat meter"},
		GradeB: {FR: "bilan de plusieurs compteurs", EN: "a balance of several meters"},
		GradeC: {FR: "facteur appliqué à une énergie mesurée (± 15 %)", EN: "a factor applied to a metered energy (± 15 %)"},
		GradeD: {FR: "déduction, sans mesure directe", EN: "inference, with no direct measurement"},
	}[s.Grade]
	o.Why = metering.Text{
		FR: fmt.Sprintf("%s, sur %.0f %% du temps ; la chaleur est rejetée entre %.0f et %.0f °C pendant %.0f heures par an.", upper(basis.FR), 100*s.Coverage, s.HighC, s.LowC, o.HoursAYear),
		EN: fmt.Sprintf("%s, over %.0f %% of the time; the heat is given off between %.0f and %.0f °C for %.0f hours a year.", upper(basis.EN), 100*s.Coverage, s.HighC, s.LowC, o.HoursAYear),
	}
	o.Against = metering.Text{
		FR: "Une récupération interne déjà prévue par l'entreprise, un arrêt ou un changement du procédé, un fluide encrassant ou corrosif.",
		EN: "A recovery inside the company that is planned already, a stop or a change of the process, a fluid that fouls or corrodes.",
	}
	switch {
	case len(o.Uses) == 0:
		o.Against.FR = "Aucun besoin mesuré à portée n'accepte cette chaleur aujourd'hui. " + o.Against.FR
		o.Against.EN = "No measured need within reach takes this heat today. " + o.Against.EN
		o.MeasureNext = metering.Text{FR: "Les besoins de chaleur voisins qui n'ont pas encore de compteur.", EN: "The neighbouring needs of heat that have no meter yet."}
	case s.Grade == GradeA || s.Grade == GradeB:
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

func upper(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-32) + s[1:]
	}
	return s
}
