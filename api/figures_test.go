package api

import (
	"context"
	"encoding/json"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

var quarter3 = calendar.Quarter{Year: 2026, Q: 3}

// readable is a page's text with ordinary spaces.
func readable(body string) string {
	_, text, _ := apart(strings.TrimPrefix(scripts.ReplaceAllString(body, ""), "<!DOCTYPE html>"))
	return strings.Join(strings.Fields(strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(html.UnescapeString(text))), " ")
}

// TestOverviewAddsUp: the headline of a closed quarter is the sum of the stored
// results, rounded to its interval.
func TestOverviewAddsUp(t *testing.T) {
	w := fixture(t)
	all, err := w.registry.Results(t.Context(), registry.Query{Kind: metering.PeriodQuarter, From: quarter3.Start(), To: quarter3.End()})
	require.NoError(t, err)
	page := readable(get(t, access.Animator, "/overview?quarter=2026-Q3", "fr").body)
	for _, i := range headline {
		var s sum
		for _, r := range all {
			if f, ok := figureOf(r, i); ok {
				s.add(f)
			}
		}
		want := readable(words.FR.Figure(s.figure(i)).String())
		require.Contains(t, page, want, i)
	}
	require.NotContains(t, page, "court encore", "the third quarter is over")
	require.Contains(t, readable(get(t, access.Animator, "/overview", "fr").body), "Le trimestre court encore : les chiffres vont jusqu’au 23 novembre 2026")
	bad := get(t, access.Animator, "/overview?quarter=2026-Q9", "fr")
	require.Equal(t, 400, bad.StatusCode)
	require.Contains(t, bad.body, "2026-Q9")
}

func TestSums(t *testing.T) {
	result := func(synergy string, f ...metering.Figure) metering.Result {
		return metering.Result{Synergy: synergy, Figures: f}
	}
	f := func(i metering.Indicator, amount, half, coverage float64, c metering.Class) metering.Figure {
		return metering.Figure{Indicator: i, Amount: amount, Half90: half, Coverage: coverage, Class: c}
	}
	now := []metering.Result{
		result("a", f(metering.EnergyAvoidedMWh, 100, 3, 1, metering.ClassMeasured), f(metering.CO2eAvoidedTonnes, 20, 3, 1, metering.ClassMeasured)),
		result("b", f(metering.EnergyAvoidedMWh, 300, 4, 0.5, metering.ClassDeclared), f(metering.CO2eAvoidedTonnes, 60, 4, 1, metering.ClassDeclared)),
		result("c", f(metering.EnergyAvoidedMWh, 0, 0, 0, metering.ClassDeclared)),
	}
	all := sums(now)
	energy := all[metering.EnergyAvoidedMWh].figure(metering.EnergyAvoidedMWh)
	require.InDelta(t, 400, energy.Amount, 1e-9)
	require.InDelta(t, 5, energy.Half90, 1e-9, "different meters: in quadrature")
	require.InDelta(t, 0.625, energy.Coverage, 1e-9, "weighted by amount; what is not declared yet does not count")
	require.InDelta(t, 7, all[metering.CO2eAvoidedTonnes].figure(metering.CO2eAvoidedTonnes).Half90, 1e-9, "the same factor: added")

	v := &visit{lang: words.EN}
	s := v.split(all[metering.EnergyAvoidedMWh])
	require.Equal(t, "measured 25% | declared 75%", s.Words)
	require.InDelta(t, 100, s.Parts[1].From+s.Parts[1].Width, 1e-9)

	before := []metering.Result{result("a", f(metering.EnergyAvoidedMWh, 90, 3, 1, metering.ClassMeasured)), result("c", f(metering.EnergyAvoidedMWh, 50, 1, 1, metering.ClassDeclared))}
	x, ok := alike(now, before, metering.EnergyAvoidedMWh)
	require.True(t, ok)
	require.InDelta(t, 90, x, 1e-9, "c has no figure now: it does not count then either")
	_, ok = alike(now, before, metering.WaterSavedM3)
	require.False(t, ok)
}

func TestPlanned(t *testing.T) {
	from, to := calendar.Day(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)), calendar.Day(time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC))
	heat := &savings.Plan{Expected: map[metering.Indicator]float64{metering.HeatDeliveredMWh: 900},
		Displaced: []savings.Displaced{{Energy: "gas", EfficiencyPCI: 0.9, PCSPerPCI: 1.11}}}
	x, ok := expected(heat, metering.EnergyAvoidedMWh, from, to)
	require.True(t, ok)
	require.InDelta(t, 1110, x, 1e-6, "900 / 0.9 * 1.11")
	_, ok = expected(heat, metering.WaterSavedM3, from, to)
	require.False(t, ok)
	_, ok = expected(nil, metering.EnergyAvoidedMWh, from, to)
	require.False(t, ok)

	result := func(synergy string, amount float64) metering.Result {
		return metering.Result{Synergy: synergy, From: from, To: to, Figures: []metering.Figure{{Indicator: metering.EnergyAvoidedMWh, Amount: amount, Coverage: 1}}}
	}
	plans := map[string]*savings.Plan{"a": heat, "b": {}}
	x, ok = planned(plans, []metering.Result{result("a", 1000), result("b", 10)}, metering.EnergyAvoidedMWh)
	require.True(t, ok, "what has no plan is a hundredth")
	require.InDelta(t, 1110, x, 1e-6)
	_, ok = planned(plans, []metering.Result{result("a", 1000), result("b", 100)}, metering.EnergyAvoidedMWh)
	require.False(t, ok, "the plan of the rest would seem too small")
}

// TestHeatSynergyPage: heat delivered, gas avoided, t CO2e and EUR of the quarter,
// of each quarter and of each day stand on the page, in words, with the formula.
func TestHeatSynergyPage(t *testing.T) {
	w := fixture(t)
	a := get(t, access.Animator, "/synergies/s02-malterie-laiterie?quarter=2026-Q3", "fr")
	page := readable(a.body)
	q, err := w.registry.Results(t.Context(), registry.Query{Synergy: "s02-malterie-laiterie", Kind: metering.PeriodQuarter, From: quarter3.Start(), To: quarter3.End()})
	require.NoError(t, err)
	days, err := w.registry.Results(t.Context(), registry.Query{Synergy: "s02-malterie-laiterie", Kind: metering.PeriodDay, From: quarter3.Start(), To: quarter3.End()})
	require.NoError(t, err)
	require.Len(t, days, 92)
	four := []metering.Indicator{metering.HeatDeliveredMWh, metering.EnergyAvoidedMWh, metering.CO2eAvoidedTonnes, metering.MoneySavedEUR}
	for _, i := range four {
		f, ok := figureOf(q[0], i)
		require.True(t, ok)
		require.Contains(t, page, readable(words.FR.Figure(f).String()), i)
	}
	day := days[40]
	row := readable(words.FR.ShortDate(day.From))
	for _, i := range []metering.Indicator{metering.HeatDeliveredMWh, metering.EnergyAvoidedMWh, metering.ElectricityUsedMWh, metering.CO2eAvoidedTonnes, metering.MoneySavedEUR} {
		f, _ := figureOf(day, i)
		amount, half := words.FR.PlusMinus(f.Amount, f.Half90)
		row += " " + readable(amount+" ± "+half)
	}
	require.Contains(t, page, row)
	for _, part := range []string{"Annoncé 2 400 MWh", "Attendu 1 950 MWh", "chaleur ÷ 0,89 (rendement PCI) × 1,11 (PCS/PCI)", "Gaz : 0,215 kg CO₂e/kWh PCS",
		"quantité évitée × prix − électricité × prix − coûts payés à des tiers", "Depuis le 7 avril 2026, la synergie rend 15 % de moins que la normale",
		"Option B de l’IPMVP", "Version 1 , approuvé le 12 mars 2025 par Anne Klein", "Visible par : animation, vérificateurs, Malterie des Deux Rives, Laiterie du Bassin"} {
		require.Contains(t, page, part)
	}
	for _, id := range []string{"quarters", "daily", "cumulative", "cusum"} {
		require.Contains(t, a.body, `id="`+id+`-data"`)
	}
	require.Contains(t, get(t, access.Animator, "/synergies/s02-malterie-laiterie", "fr").body, `id="hours-data"`)
	mill := get(t, access.Animator, "/synergies/s12-papeterie-hotte", "fr").body
	require.Contains(t, readable(mill), "accepté par Paul Weber")
}

// TestSharingOnTheSynergyPage: what the site's synergies share stands on the pages of
// those that take part, in both languages, with the partners' parts.
func TestSharingOnTheSynergyPage(t *testing.T) {
	w := fixture(t)
	half := metering.Attribution{Site: "s12-papeterie-hotte", Company: "papeterie", Kind: metering.PeriodToDate, From: quarter3.Start(), To: quarter3.End(),
		Whole: 110.4, WholeHalf90: 20, Unattributed: 70.2, Interaction: 70.2, InteractionHalf90: 21,
		Parts: []metering.AttributionPart{{Synergy: "s10-condensats-papeterie", Claimed: 40.2, ClaimedHalf90: 1.5, Attributed: 40.2, Half90: 1.5, ShareOfClaims: 1}},
		Text:  metering.Text{FR: "Phrase du partage.", EN: "Sentence of the sharing."},
		Left:  []metering.AttributionLeft{{Synergy: "s07-carton-papeterie", Why: metering.Text{FR: "Raison du retrait.", EN: "Reason of leaving."}}}}
	require.NoError(t, w.registry.PutAttributions(t.Context(), []metering.Attribution{half}))
	t.Cleanup(func() { require.NoError(t, w.registry.PutAttributions(context.Background(), nil)) })
	for _, id := range []string{"s12-papeterie-hotte", "s10-condensats-papeterie"} {
		page := readable(get(t, access.Animator, "/synergies/"+id, "fr").body)
		for _, part := range []string{"Ce que les synergies du site se partagent", "Phrase du partage.", "Site entier (option C) 110,4", "Reste, pour Synergie 12", "70,2", "40,2", "Raison du retrait.", "Huilerie", "50 % 20,1"} {
			require.Contains(t, page, part, id)
		}
	}
	page := readable(get(t, access.Animator, "/synergies/s12-papeterie-hotte", "en").body)
	for _, part := range []string{"What the site’s synergies share", "Sentence of the sharing.", "Whole site (option C) 110.4", "Interaction: site minus claims"} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, readable(get(t, access.Animator, "/synergies/s02-malterie-laiterie", "fr").body), "se partagent")

	// The oil mill sees its own condensates, and not what the paper mill saves alone.
	own := readable(get(t, access.Company, "/synergies/s10-condensats-papeterie", "fr").body)
	if strings.Contains(own, "se partagent") {
		require.NotContains(t, own, "110,4")
	}
}

// TestDeclaredSynergyPage: what is stated by quarter has no days, and what is not
// declared yet says so.
func TestDeclaredSynergyPage(t *testing.T) {
	a := get(t, access.Animator, "/synergies/s07-carton-papeterie", "fr")
	require.NotContains(t, a.body, `id="daily"`)
	page := readable(a.body)
	require.Contains(t, page, "T4 2026 en cours")
	require.Contains(t, page, "pas encore déclaré")
	require.Contains(t, page, "ticket de pesée")
	require.Contains(t, page, "saisi par Anne Klein")
}

// TestGapsAreGaps: a day without readings breaks the line, is named in the table,
// and moves neither the sum nor the difference from plan.
func TestGapsAreGaps(t *testing.T) {
	v := &visit{s: fixture(t).server(t), lang: words.FR}
	plan := stored(t, "s02-malterie-laiterie")
	from := quarter3.Start()
	var days []metering.Result
	for k, day := 0, from; k < 10; k, day = k+1, calendar.NextDay(day) {
		r := metering.Result{From: day, To: calendar.NextDay(day), Kind: metering.PeriodDay}
		f := metering.Figure{Indicator: metering.HeatDeliveredMWh, Amount: 5, Half90: 0.1, Coverage: 1}
		if k == 4 {
			f = metering.Figure{Indicator: metering.HeatDeliveredMWh}
		}
		if r.Figures = []metering.Figure{f}; k != 6 {
			days = append(days, r)
		}
	}
	d := daily{v: v, plan: plan, indicator: metering.HeatDeliveredMWh, colour: "heat", days: days}
	p, err := d.course(span{from, from.AddDate(0, 0, 10)}, "T3 2026")
	require.NoError(t, err)
	var model struct {
		Series []struct {
			Points [][]*float64
			Band   [][]*float64
		}
	}
	require.NoError(t, json.Unmarshal(p.Model, &model))
	for k, point := range model.Series[0].Points {
		require.Equal(t, k == 4 || k == 6, point[1] == nil, "day %d", k)
		require.Equal(t, point[1] == nil, model.Series[0].Band[k][1] == nil)
	}
	require.Equal(t, "manquant", p.Table.Rows[5][1].Text)
	var page synergyPage
	gap, err := d.cumulative(&page, span{from, from.AddDate(0, 0, 10)})
	require.NoError(t, err)
	last := page.Cumulative.Table.Rows[len(page.Cumulative.Table.Rows)-1]
	require.Equal(t, "40", last[1].Text, "eight days of 5 MWh")
	require.Equal(t, "\u22122,74", last[3].Text, "8 × (5 − 1950/365): the two gaps say nothing")
	require.NotNil(t, gap.Model)
}
