package worth

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func day(s string) time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(err)
	}
	return t
}

const simple = `
costs:
  - {key: exchanger, eur: [50, 100, 200], per: kW, size: 1000, exponent: 1, opex_share: 0.02, from: 2020-01-01, source: test}
  - {key: heat_pump, eur: [400, 600, 900], per: kW, size: 1000, exponent: 1, opex_share: 0.02, from: 2020-01-01, source: test}
  - {key: pipe, eur: [300, 500, 1000], per: m, size: 100, exponent: 0.5, opex_share: 0, from: 2020-01-01, source: test}
prices:
  - {key: natural_gas, eur_per_mwh: [30, 40, 50], kg_co2e_per_kwh: 0.2, from: 2020-01-01, until: 2025-01-01, source: test}
  - {key: natural_gas, eur_per_mwh: [60, 80, 100], kg_co2e_per_kwh: 0.2, from: 2025-01-01, source: test}
  - {key: electricity, eur_per_mwh: [80, 100, 120], kg_co2e_per_kwh: 0.05, from: 2020-01-01, source: test}
  - {key: cee, eur_per_mwh: [6, 8, 9], from: 2020-01-01, source: test}
finance:
  - {discount: [0.08, 0.05, 0.03], years: 10, from: 2020-01-01, source: test}
aids:
  - {key: a, from: 2020-01-01, external: true, most_mwh: 12000, cumac: 14.134, source: test}
  - {key: b, from: 2020-01-01, least_payback_years: 3, capex_share: [0, 0.2, 0.3], source: test}
`

// By hand: 1000 kW, 2000 MWh, 1 km, DN 150.
func TestEvaluate(t *testing.T) {
	r, err := Parse(strings.NewReader(simple))
	require.NoError(t, err)
	p := Project{MWh: 2000, PeakKW: 1000, SpreadK: 20, KM: 1, Efficiency: 0.8, Day: day("2024-06-01")}
	w, err := r.Evaluate(p)
	require.NoError(t, err)
	require.Equal(t, 125.0, w.DiameterMM) // 43 m3/h at 1.5 m/s want 101 mm
	pipe := 1000 * 500 * math.Sqrt(1.25)
	require.InEpsilon(t, 100_000+pipe, w.CapexEUR[middle], 1e-12)
	require.InEpsilon(t, 2000/0.8*40-2000, w.SavingEUR[middle], 1e-12)
	require.InEpsilon(t, 2000/0.8*0.2, w.CO2eTonnes[middle], 1e-12)
	payback := (100_000 + pipe) / 98_000
	require.InEpsilon(t, payback, w.Without.PaybackYears[middle], 1e-12)
	annuity := 0.05 / (1 - math.Pow(1.05, -10))
	require.InEpsilon(t, 98_000/annuity-100_000-pipe, w.Without.NPVEUR[middle], 1e-9)
	require.InEpsilon(t, ((100_000+pipe)*annuity+2000)/2000, w.Without.LCOHEUR[middle], 1e-12)
	require.InEpsilon(t, 2000*(1-1.2816*0.08/1.6449), w.MWhP90, 1e-9)

	require.True(t, w.Aids[0].Eligible)
	require.InEpsilon(t, 2000*14.134*8, w.Aids[0].EUR[middle], 1e-12)
	require.True(t, w.Aids[1].Eligible)
	require.InEpsilon(t, 0.2*(100_000+pipe), w.Aids[1].EUR[middle], 1e-12)
	require.Greater(t, w.With.NPVEUR[middle], w.Without.NPVEUR[middle])
	require.Less(t, w.With.LCOHEUR[middle], w.Without.LCOHEUR[middle])
	for k := 1; k < 3; k++ {
		require.Greater(t, w.Without.NPVEUR[k], w.Without.NPVEUR[k-1], "from cautious to favourable")
		require.Less(t, w.CapexEUR[k], w.CapexEUR[k-1])
	}

	// The rule in force on the day is taken.
	p.Day = day("2025-06-01")
	later, err := r.Evaluate(p)
	require.NoError(t, err)
	require.InEpsilon(t, 2000/0.8*80-2000, later.SavingEUR[middle], 1e-12)
	p.Day = day("2019-01-01")
	_, err = r.Evaluate(p)
	require.ErrorContains(t, err, "in force on 2019-01-01")

	// A heat pump pays for its electricity, in EUR and in CO2e.
	p.Day, p.Electricity = day("2024-06-01"), 500
	pump, err := r.Evaluate(p)
	require.NoError(t, err)
	require.InEpsilon(t, 2000/0.8*40-0.02*600_000-500*100, pump.SavingEUR[middle], 1e-12)
	require.InEpsilon(t, 500-500*0.05, pump.CO2eTonnes[middle], 1e-12)

	// Inside the site: no rule for third parties.
	p.Internal = true
	inside, err := r.Evaluate(p)
	require.NoError(t, err)
	require.False(t, inside.Aids[0].Eligible)
	require.Contains(t, inside.Aids[0].Why.EN, "another site only")

	p.Fuel = "coal"
	_, err = r.Evaluate(p)
	require.ErrorContains(t, err, `no price of "coal"`)
	_, err = r.Evaluate(Project{})
	require.ErrorContains(t, err, "positive figures")
}

func TestBuiltin(t *testing.T) {
	r, err := Builtin()
	require.NoError(t, err)
	eligible := func(p Project) (keys []string) {
		p.Efficiency, p.HalfShare, p.SpreadK = 0.81, 0.1, 20
		w, err := r.Evaluate(p)
		require.NoError(t, err)
		for _, a := range w.Aids {
			if a.Eligible {
				keys = append(keys, a.Key)
			} else {
				require.NotEmpty(t, a.Why.FR)
			}
		}
		return keys
	}
	p := Project{MWh: 3000, PeakKW: 800, KM: 1.5, Day: day("2026-11-01")}
	require.Equal(t, []string{"res_ch_108", "fonds_chaleur"}, eligible(p))
	p.MWh = 500
	require.Equal(t, []string{"res_ch_108"}, eligible(p), "below 1 GWh")
	p.MWh = 20_000
	p.PeakKW = 5000
	require.NotContains(t, eligible(p), "res_ch_108", "above 12 GWh")
	p = Project{MWh: 300, PeakKW: 100, KM: 0.05, Internal: true, SourceKind: "chiller_condenser", Day: day("2025-07-31")}
	require.Equal(t, []string{"ind_ut_117"}, eligible(p))
	p.Day = day("2025-08-01")
	require.Empty(t, eligible(p), "repealed")
	p.Electricity = 70
	require.Equal(t, []string{"ind_ut_137"}, eligible(p))
	p.Day = day("2030-01-01")
	require.Empty(t, eligible(p))
}

func TestBadRules(t *testing.T) {
	for text, want := range map[string]string{
		"colour: red": "colour",
		"costs: [{key: a, eur: [3, 2, 1], size: 1, exponent: 1, from: 2020-01-01, source: x}]": "ascending",
		"costs: [{key: a, eur: [1, 2, 3], size: 1, exponent: 1, source: x}]":                   "no date",
		"prices: [{key: a, eur_per_mwh: [1, 2, 3], from: 2020-01-01}]":                         "no source",
		"finance: [{years: 0}]": "years",
		"aids: [{key: a, capex_share: [0, 0.5, 2], from: 2020-01-01, source: x}]": "share",
	} {
		_, err := Parse(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(simple)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(strings.NewReader(s))
		if err != nil {
			return
		}
		if w, err := r.Evaluate(Project{MWh: 2000, PeakKW: 1000, KM: 1, Efficiency: 0.8, Day: day("2024-06-01")}); err == nil {
			require.False(t, math.IsNaN(w.SavingEUR[middle]))
		}
	})
}

// Whatever is printed of the rules is there in both languages; a programme's own
// rules may have one text for both.
func TestSourcesInBothLanguages(t *testing.T) {
	r, err := Builtin()
	require.NoError(t, err)
	check := func(key string, d dated) {
		require.NotEmpty(t, d.Source.FR, key)
		require.NotEmpty(t, d.Source.EN, key)
		require.NotEqual(t, d.Source.FR, d.Source.EN, key)
	}
	for _, x := range r.Costs {
		check(x.Key, x.dated)
	}
	for _, x := range r.Prices {
		check(x.Key, x.dated)
	}
	for _, x := range r.Finance {
		check("finance", x.dated)
	}
	for _, x := range r.Aids {
		check(x.Key, x.dated)
	}
	const one = "finance: [{discount: [0.07, 0.05, 0.04], years: 20, from: 2020-01-01, source: %s}]"
	own, err := Parse(strings.NewReader(fmt.Sprintf(one, "our bank")))
	require.NoError(t, err)
	require.Equal(t, source{FR: "our bank", EN: "our bank"}, own.Finance[0].Source)
	_, err = Parse(strings.NewReader(fmt.Sprintf(one, "{fr: notre banque}")))
	require.ErrorContains(t, err, "wants fr and en")
}
