package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// heat is what a night found: proposals of three companies, and a plan of three
// that let the animator see their heat.
func (w *world) heat(ctx context.Context) error {
	propose := func(id, company, fr, en string, mwh float64) metering.HeatProposal {
		return metering.HeatProposal{ID: id, Company: company, Meter: metering.Text{FR: fr, EN: en}, Pattern: "heat_to_cooler",
			Why:     metering.Text{FR: "une boucle d'eau cède sa chaleur", EN: "a water loop gives off heat"},
			Signals: []metering.SeriesID{metering.Series(id, metering.HeatPower)}, Type: "cooling loop", Rule: "Q=Q_loop", THot: "60", TCold: "40", Grade: "A",
			MWhPerYear: mwh, Half90: 0.05 * mwh, TypicalKW: 60, FirmKW: 20, LowC: 40, HighC: 60, Coverage: 0.99, InternalMWh: 210}
	}
	err := w.registry.PutHeatProposals(ctx, []metering.HeatProposal{propose("laiterie-essai", "laiterie", "Boucle d'essai de la laiterie", "Trial loop of the dairy", 431),
		propose("fonderie-essai", "fonderie", "Boucle d'essai de la fonderie", "Trial loop of the foundry", 517),
		propose("huilerie-essai", "huilerie", "Boucle d'essai de l'huilerie", "Trial loop of the oil mill", 619)})
	if err != nil {
		return err
	}
	return w.registry.PutHeatPlan(ctx, trialPlan("laiterie", "fonderie", "galvano"))
}

func trialPlan(companies ...string) metering.HeatPlan {
	season := metering.HeatSeason{HotKW: 310, ColdKW: 220, RecoveryKW: 140, PinchC: []float64{52.5}, Hot: [][2]float64{{0, 40}, {360, 60}}, Cold: [][2]float64{{220, 12}, {670, 65}},
		Grand: [][2]float64{{310, 67.5}, {0, 52.5}, {220, 14.5}}}
	target := func(company string, hot float64) metering.HeatTargets {
		return metering.HeatTargets{Company: company, HotMWh: hot, ColdMWh: 1717, RecoveryMWh: 808, Seasons: []metering.HeatSeason{season}}
	}
	p := metering.HeatPlan{From: fixtureNow.AddDate(-1, 0, 0).Truncate(24 * time.Hour), To: fixtureNow.Truncate(24 * time.Hour), Minutes: 10, Companies: companies,
		SourcesMWh: 9317, NeedsMWh: 7121, ServedMWh: 2903, BoundMWh: 4289, PlanMWh: 4153, ProvedMWh: 4153, InternalMWh: 911, JointMWh: 5861, PumpMWh: 1733, PumpElectricityMWh: 523,
		Links: []metering.HeatLink{
			{Source: "laiterie-condenseur", From: "laiterie", SourceName: metering.Text{FR: "Condenseur du groupe froid", EN: "Chiller condenser"}, Need: "laiterie-eau-chaude", To: "laiterie",
				NeedName: metering.Text{FR: "Eau chaude de la laiterie", EN: "Hot water of the dairy"}, MWh: 911, AloneMWh: 911, PeakKW: 500, SourceGrade: "B", NeedGrade: "A", PinchShare: 0.9},
			{Source: "fonderie-fumees", From: "fonderie", SourceName: metering.Text{FR: "Fumées des fours, chaleur restante", EN: "Furnace flue, heat left over"}, Need: "galvano-bains", To: "galvano",
				NeedName: metering.Text{FR: "Bains de galvanisation", EN: "Galvanising baths"}, MWh: 3242, PumpMWh: 1733, AloneMWh: 3371, PeakKW: 700, KM: 0.5, SourceGrade: "C", NeedGrade: "A"},
		}}
	for i, c := range companies {
		p.Targets = append(p.Targets, target(c, 1401+float64(100*i)))
	}
	p.Targets = append(p.Targets, target("", 2777))
	return p
}

func condenserProfile() *metering.HeatProfile {
	p := &metering.HeatProfile{WorkingDayKW: make([]float64, 24), WeekendKW: make([]float64, 24), OperatingP50KW: 530, OperatingP90KW: 350, OperatingShare: 0.92, FirmShare: 0.61,
		OutageHours: 31, ExergyMWh: 230, MendedMWh: 12, EstimatedMWh: 40, InternalMWh: 911, Rule: "Q=Q_froid+P_groupe", Class: "partly",
		Kind: metering.Text{FR: "Condenseur de groupe froid", EN: "Chiller condenser"}, ClassWhy: metering.Text{FR: "la chaleur du froid est inévitable", EN: "the heat of cooling is unavoidable"},
		Fluid: metering.Text{FR: "eau de condenseur", EN: "condenser water"}, CutoffC: 25, Cutoff: metering.Text{FR: "retour du condenseur", EN: "return to the condenser"},
		Internal: metering.Text{FR: "eau de lavage", EN: "washing water"},
		Faults: []metering.HeatFault{{Kind: "scale_x0.2778", Channels: []string{"laiterie-froid/heat_power"}, From: fixtureNow.AddDate(0, -3, 0), To: fixtureNow.AddDate(0, -3, 2), Mended: true},
			{Kind: "frozen_zero", Channels: []string{"laiterie-froid/heat_power"}, From: fixtureNow.AddDate(0, -2, 0), To: fixtureNow.AddDate(0, -2, 1)}}}
	for k := range 21 {
		p.LoadKW = append(p.LoadKW, 620-20*float64(k))
	}
	for range 12 {
		p.MonthBandMWh = append(p.MonthBandMWh, []float64{340, 8, 0, 0, 0})
	}
	for h := range 24 {
		p.WorkingDayKW[h], p.WeekendKW[h] = 500, 300
	}
	return p
}

// The plan's sums are for those who may see every company that is in them; the
// others see their own links, targets and proposals.
func TestHeatPageIsCutToThePerson(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	animator := w.signIn(t, s, access.Animator, "fr").get("/heat").body
	for _, text := range []string{"Borne haute", "4\u202f290", "Galvano-Est", "Condenseur du groupe froid", "Boucle d’essai de la laiterie", "Boucle d’essai de la fonderie",
		"1\u202f733", "Tous les sites ensemble", "annoncé, attendu, mesuré", `href="/synergies/s01-fonderie-reseau"`} {
		assert.Contains(t, animator, text)
	}
	assert.NotContains(t, animator, "Boucle d’essai de l’huilerie", "the oil mill opened nothing to the animator")

	dairy := w.signIn(t, s, access.Company, "fr").get("/heat").body
	for _, text := range []string{"Boucle d’essai de la laiterie", "Eau chaude de la laiterie", "911"} {
		assert.Contains(t, dairy, text)
	}
	for _, text := range []string{"Borne haute", "4\u202f289", "Galvano", "Bains de galvanisation", "3\u202f242", "2\u202f777", "Boucle d’essai de la fonderie", "Boucle d’essai de l’huilerie",
		`value="fonderie"`, "Tous les sites ensemble"} {
		assert.NotContains(t, dairy, text)
	}
	asked := w.signIn(t, s, access.Company, "fr").get("/heat?site=fonderie&season=0").body
	assert.NotContains(t, asked, `value="fonderie"`)
	assert.NotContains(t, asked, "1\u202f501", "nor by asking for another site's curves")

	verifier := w.signIn(t, s, access.Verifier, "en").get("/heat").body
	assert.Contains(t, verifier, "Trial loop of the oil mill")
	assert.NotContains(t, verifier, "Accept the card", "a verifier changes nothing")
}

// A plan that holds a company which opened nothing any more shows no sums.
func TestHeatPlanAfterWithdrawal(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	t.Cleanup(func() {
		assert.NoError(t, w.registry.PutHeatPlan(context.Background(), trialPlan("laiterie", "fonderie", "galvano")))
	})
	require.NoError(t, w.registry.PutHeatPlan(t.Context(), trialPlan("laiterie", "fonderie", "galvano", "huilerie")))
	body := w.signIn(t, s, access.Animator, "fr").get("/heat").body
	assert.Contains(t, body, "a retiré son accord")
	assert.NotContains(t, body, "Borne haute")
	assert.NotContains(t, body, "3\u202f242")
	assert.NotContains(t, body, "Tous les sites ensemble")
}

// TestHeatDecisions: who may not decide gets the answer of what does not exist;
// a refusal wants a reason; decisions stand on the page and in the audit trail.
func TestHeatDecisions(t *testing.T) {
	w := fixture(t)
	s := w.server(t)
	form := func(decision, reason string) url.Values {
		return url.Values{"decision": {decision}, "reason": {reason}}
	}
	dairy := w.signIn(t, s, access.Company, "fr")
	for _, id := range []string{"fonderie-essai", "huilerie-essai", "none"} {
		require.Equal(t, http.StatusNotFound, dairy.post("/heat/proposals/"+id, form("accepted", "")).StatusCode, id)
	}
	for _, role := range []access.Role{access.Verifier, access.Funder, access.Installer, access.Administrator} {
		require.Equal(t, http.StatusNotFound, w.signIn(t, s, role, "fr").post("/heat/proposals/laiterie-essai", form("accepted", "")).StatusCode, role)
	}
	animator := w.signIn(t, s, access.Animator, "fr")
	require.Equal(t, http.StatusNotFound, animator.post("/heat/proposals/huilerie-essai", form("refused", "non")).StatusCode)

	a := dairy.post("/heat/proposals/laiterie-essai", form("refused", " "))
	require.Equal(t, http.StatusBadRequest, a.StatusCode)
	require.Contains(t, a.body, "Un refus dit pourquoi")
	require.Equal(t, http.StatusBadRequest, dairy.post("/heat/proposals/laiterie-essai", form("maybe", "x")).StatusCode)
	require.Equal(t, http.StatusBadRequest, dairy.post("/heat/proposals/laiterie-essai", form("accepted", strings.Repeat("é", 2001))).StatusCode)
	a = dairy.post("/heat/proposals/laiterie-essai", form("refused", "déjà <repris>"))
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	body := dairy.get("/heat").body
	require.Contains(t, body, "refusée par laiterie@port-fictif.example")
	require.Contains(t, body, "déjà &lt;repris&gt;")
	require.Contains(t, w.signIn(t, s, access.Administrator, "fr").get("/audit").body, "rejet de chaleur refusé")

	require.Equal(t, http.StatusSeeOther, animator.post("/heat/proposals/fonderie-essai", form("accepted", "vu sur place")).StatusCode)
	cards, err := w.registry.Cards(t.Context())
	require.NoError(t, err)
	require.Equal(t, "fonderie-essai", cards[len(cards)-1].ID)
	for _, id := range []string{"fonderie-essai", "laiterie-essai"} { // as other tests expect them
		require.Equal(t, http.StatusSeeOther, animator.post("/heat/proposals/"+id, form("", "")).StatusCode)
	}
	cards, err = w.registry.Cards(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, "fonderie-essai", cards[len(cards)-1].ID)
}

// The page of an opportunity holds what an engineer asks of a source.
func TestSourceProfile(t *testing.T) {
	for lang, texts := range map[string][]string{
		"fr": {"Monotone de puissance", "Chaleur par mois et par température", "en partie évitable", "échelle fausse, facteur 0,2778", "figé à zéro", "Exergie", "corrigé", "31 heures", "Q=Q_froid&#43;P_groupe"},
		"en": {"Load-duration curve", "Heat by month and temperature", "partly avoidable", "wrong scale, factor 0.2778", "frozen at zero", "Exergy", "put right", "31 hours"},
	} {
		body := get(t, access.Company, "/opportunities/laiterie-condenseur", lang).body
		for _, text := range texts {
			assert.Contains(t, body, text, lang)
		}
	}
}
