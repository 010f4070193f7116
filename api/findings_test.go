package api

import (
	"context"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/simulator/port"
)

// troubles are alarms of gateways and meters as an assessment would raise them.
func troubles() []metering.Alarm {
	return []metering.Alarm{
		{ID: "silent.gw-transports", Kind: "silent", Subject: port.Gateway("transports"), Company: "transports", Since: fixtureNow.AddDate(0, 0, -3),
			Text: metering.Text{FR: "La passerelle est muette : vérifier l'alimentation et le réseau. Les relevés attendent sur place.",
				EN: "The gateway is silent: check power and network. Readings wait on site."}, CostEURPerYear: 1100},
		{ID: "frozen.chimie-refroidissement", Kind: "frozen", Subject: "chimie-refroidissement", Company: "chimie", Since: fixtureNow.Add(-30 * time.Hour),
			Text: metering.Text{FR: "La température de départ ne bouge plus alors que le débit varie : sonde à contrôler.",
				EN: "The flow temperature no longer moves while the flow does: check the probe."}},
	}
}

// findings are opportunities as the analysis of heat words them.
func (w *world) findings(ctx context.Context, _ *port.Port) error {
	use := func(company, fr, en string, cop, mwh, t, m, low, high float64) metering.Use {
		var support []metering.Text
		if m > 500 {
			support = []metering.Text{{FR: "CEE RES-CH-108", EN: "CEE RES-CH-108"}}
		}
		return metering.Use{LCOHLowEUR: 5 * low, LCOHHighEUR: 5 * high, Support: support, Company: company, How: metering.Text{FR: fr, EN: en}, COP: cop, MWhPerYear: mwh, CO2eTonnes: t, DistanceM: m, PaybackYears: low, PaybackYearsH: high}
	}
	// The oil mill wants nobody to see its waste heat or its needs.
	if err := w.registry.Withdraw(ctx, "huilerie", access.Animator, access.OpportunitiesMatter); err != nil {
		return err
	}
	// The dairy was asked whether it wants to meet somebody who said yes already.
	c, err := w.registry.ProposeContact(ctx, registry.ContactProposal{Resource: "heat",
		Giver: registry.ProposedSide{Company: "chimie", Subject: "chimie-refroidissement", Profile: registry.ContactProfile{PowerKW: 600, MWhPerYear: 3560, LowC: 28, HighC: 38,
			Bands: registry.ContactBands{PowerKW: &registry.Band{From: 300, To: 1000}, Temperature: &registry.Band{To: 40}}}},
		Taker: registry.ProposedSide{Company: "laiterie", Subject: "laiterie-eau-chaude", Profile: registry.ContactProfile{PowerKW: 910, MWhPerYear: 4400, LowC: 12, HighC: 65}}}, "animatrice@port-fictif.example")
	if err != nil {
		return err
	}
	if err := w.registry.AgreeContact(ctx, c.Sides[0].Ref, []access.Part{access.BandsPart}, registry.ContactPerson{Name: "Léa Simon", Email: "lea@chimie.example"}, "lea@chimie.example"); err != nil {
		return err
	}
	if err := w.heat(ctx); err != nil {
		return err
	}
	return w.registry.PutOpportunities(ctx, []metering.Opportunity{
		{ID: "laiterie-condenseur", Company: "laiterie", Name: metering.Text{FR: "Condenseur du groupe froid", EN: "Chiller condenser"}, Grade: "B",
			MWhPerYear: 4180, Half90: 310, TypicalKW: 520, FirmKW: 340, HoursAYear: 8100, LowC: 27, HighC: 33, Coverage: 0.993,
			MWhByBand:  map[string]float64{"<40": 4180},
			MonthlyMWh: []float64{290, 265, 310, 330, 370, 410, 430, 425, 380, 350, 320, 300},
			Uses: []metering.Use{use("galvano", "pompe à chaleur", "heat pump", 3.2, 1040, 196, 1130, 4.2, 7.8),
				use("methaniseur", "pompe à chaleur", "heat pump", 3.9, 610, 118, 620, 5.1, 9.4)},
			Why: metering.Text{FR: "Le condenseur rejette le froid produit et l'électricité du groupe. Les deux sont mesurés toutes les dix secondes ; leur somme suit la production de la laiterie.",
				EN: "The condenser gives off the cold produced and the chiller's electricity. Both are measured every ten seconds; their sum follows the dairy's production."},
			Against: metering.Text{FR: "Une tour qui tournerait à plus basse température que 27 °C, ou un compresseur dont l'huile est refroidie à part.",
				EN: "A tower that runs colder than 27 °C, or a compressor whose oil is cooled apart."},
			MeasureNext: metering.Text{FR: "Un compteur d'énergie thermique sur la boucle du condenseur, deux semaines, hiver compris.",
				EN: "A heat meter on the condenser loop for two weeks, winter included."},
			Profile: condenserProfile()},
		{ID: "papeterie-effluent", Company: "papeterie", Name: metering.Text{FR: "Effluent de la papeterie", EN: "Paper mill effluent"}, Grade: "A",
			MWhPerYear: 2790, Half90: 160, TypicalKW: 410, FirmKW: 180, HoursAYear: 6900, LowC: 22, HighC: 41, Coverage: 0.981,
			MWhByBand:  map[string]float64{"<40": 2610, "40-60": 180},
			MonthlyMWh: []float64{250, 235, 250, 240, 235, 225, 215, 120, 240, 255, 260, 265},
			Uses:       []metering.Use{use("huilerie", "préchauffage direct", "direct preheating", 0, 480, 117, 310, 2.1, 3.9)},
			Why:        metering.Text{FR: "Débit et température de l'effluent sont mesurés en continu.", EN: "Flow and temperature of the effluent are measured all the time."},
			Against:    metering.Text{FR: "Des fibres qui encrasseraient un échangeur en quelques jours.", EN: "Fibres that would foul an exchanger within days."},
			MeasureNext: metering.Text{FR: "Matières en suspension, un essai d'échangeur à plaques larges de quatre semaines.",
				EN: "Suspended solids, and a four-week trial with a wide-gap exchanger."}},
		{ID: "chimie-refroidissement", Company: "chimie", Name: metering.Text{FR: "Eau de refroidissement des réacteurs", EN: "Cooling water of the reactors"}, Grade: "A",
			MWhPerYear: 3560, Half90: 190, TypicalKW: 600, FirmKW: 90, HoursAYear: 5600, LowC: 28, HighC: 38, Coverage: 0.94,
			MWhByBand:  map[string]float64{"<40": 3560},
			MonthlyMWh: []float64{310, 290, 320, 300, 300, 290, 280, 180, 310, 330, 330, 320},
			Why:        metering.Text{FR: "Mesuré par un compteur d'énergie thermique.", EN: "Measured by a heat meter."},
			Against:    metering.Text{FR: "Un procédé par lots qui change de produit.", EN: "A batch process that changes product."},
			MeasureNext: metering.Text{FR: "Le planning des lots, pour savoir quand la chaleur manque.",
				EN: "The schedule of batches, to know when heat is missing."}},
		{ID: "fonderie-fumees", Company: "fonderie", Name: metering.Text{FR: "Fumées des fours, chaleur restante", EN: "Furnace flue, heat left over"}, Grade: "C",
			MWhPerYear: 1900, Half90: 285, TypicalKW: 240, FirmKW: 60, HoursAYear: 5200, LowC: 130, HighC: 260, Coverage: 0.97},
		{ID: "huilerie-sans-accord", Company: "huilerie", Name: metering.Text{FR: "Gisement sans consentement", EN: "Opportunity without consent"}, Grade: "D",
			MWhPerYear: 100, Half90: 50, TypicalKW: 20, FirmKW: 5, HoursAYear: 4000, LowC: 30, HighC: 50, Coverage: 0.5},
	})
}
