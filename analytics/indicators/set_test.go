package indicators

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// good is a set with one of everything.
const good = `id: fr-2026
version: 2
factors:
  - {id: natural-gas, name: {fr: Gaz, en: Gas}, amount: 0.215, half90: 0.05, unit: kgCO2e/kWh GCV, scopes: {scope1: 0.183, scope2: 0, scope3: 0.032}, source: {publisher: ADEME, year: 2022}}
tariffs:
  - id: electricity-tou
    name: {fr: Horosaisonnier, en: Time of use}
    unit: EUR/MWh
    source: {publisher: Contrat, year: 2025}
    prices:
      - {to: 2025-01-01, eur: 90}
      - from: 2025-01-01
        eur: 100
        bands:
          - {name: pointe, months: [12, 1, 2], days: workday, from_hour: 18, to_hour: 20, eur: 200}
          - {name: creuses, from_hour: 22, to_hour: 6, eur: 60}
primary_energy:
  - {flow: electricity, kwh_per_kwh: 1.9, source: {publisher: directive, year: 2023}}
`

func TestSetIsRead(t *testing.T) {
	s, err := ParseSet([]byte(good))
	require.NoError(t, err)
	assert.Equal(t, "fr-2026 v2", s.Ref())
	f, err := s.Factor("natural-gas")
	require.NoError(t, err)
	assert.Equal(t, Scopes{0.183, 0, 0.032}, *f.Scopes)
	_, err = s.Factor("coal")
	require.ErrorContains(t, err, `fr-2026 v2 has no factor "coal"`)
	_, err = s.Tariff("coal")
	require.ErrorContains(t, err, `no tariff "coal"`)
	p, ok := s.PrimaryOf(Electricity)
	assert.True(t, ok)
	assert.Equal(t, 1.9, p)
	_, ok = s.PrimaryOf(Gas)
	assert.False(t, ok)
}

func TestSetsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, says string }{
		{"version: 2", "version: 0", "version 0"},
		{"version: 2", "version: 2\nprice: 3", "field price not found"},
		{"id: fr-2026", "id: Fr 2026", "factor set"},
		{"kWh GCV, scopes", "kWh NCV, scopes", `unit "kgCO2e/kWh NCV"`},
		{"amount: 0.215", "amount: .nan", "out of range"},
		{"half90: 0.05", "half90: 5", "relative half width"},
		{"scope1: 0.183", "scope1: 0.2", "scopes add up to 0.232"},
		{"year: 2022", "year: 22", "publisher and year"},
		{"publisher: Contrat, ", "", "publisher and year"},
		{"unit: EUR/MWh", "unit: EUR/kWh", `unit "EUR/kWh"`},
		{"from: 2025-01-01", "from: 2024-12-31", "overlap"},
		{"to: 2025-01-01", "to: 2025-13-01", "2025-13-01"},
		{"months: [12, 1, 2]", "months: [0]", "month 0"},
		{"days: workday", "days: monday", `days "monday"`},
		{"from_hour: 18", "from_hour: 24", "hours 24 to 20"},
		{"eur: 200", "eur: .inf", "out of range"},
		{"flow: electricity", "flow: water", "not a flow of energy"},
		{"kwh_per_kwh: 1.9", "kwh_per_kwh: -1", "want a number from 0 to 10"},
		{"primary_energy:\n", "primary_energy:\n  - {flow: electricity, kwh_per_kwh: 2, source: {publisher: x, year: 2023}}\n", "given twice"},
		{"primary_energy:\n", "---\nprimary_energy:\n", "more than one YAML document"},
	} {
		require.Contains(t, good, c.old)
		_, err := ParseSet([]byte(strings.Replace(good, c.old, c.new, 1)))
		require.ErrorContains(t, err, c.says, "%s -> %s", c.old, c.new)
	}
	_, err := ParseSet(make([]byte, MaxSetBytes+1))
	require.ErrorContains(t, err, "more than")
}

func TestPriceInTimeOfUse(t *testing.T) {
	s, err := ParseSet([]byte(good))
	require.NoError(t, err)
	tariff, err := s.Tariff("electricity-tou")
	require.NoError(t, err)
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(t, err)
	for at, want := range map[string]float64{
		"2024-12-31 23:59": 0.090,
		"2025-01-01 00:00": 0.060, // the new price, over midnight
		"2025-01-01 18:30": 0.100, // a public holiday is no working day
		"2025-01-02 18:00": 0.200,
		"2025-01-02 19:59": 0.200,
		"2025-01-02 20:00": 0.100,
		"2025-01-04 18:30": 0.100, // Saturday
		"2025-03-03 18:30": 0.100, // not in the months
		"2025-03-30 05:59": 0.060, // the night when clocks go forward
		"2025-03-30 06:00": 0.100,
		"2025-07-14 22:00": 0.060,
	} {
		civil, err := time.ParseInLocation("2006-01-02 15:04", at, paris)
		require.NoError(t, err)
		got, ok := tariff.At(civil.UTC())
		require.True(t, ok)
		assert.InDelta(t, want, got, 1e-12, at)
	}
	tariff.Prices = tariff.Prices[1:]
	_, ok := tariff.At(time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC))
	assert.False(t, ok, "no price is not a price of zero")
}

func TestUnitsOfFlows(t *testing.T) {
	for _, f := range Flows {
		assert.True(t, f.Known())
		assert.NotEmpty(t, f.Unit(), f)
	}
	assert.Equal(t, "EUR/MWh GCV", Gas.PriceUnit())
	assert.Equal(t, "EUR/MWh", HeatNetwork.PriceUnit())
	assert.Equal(t, "EUR/m3", Water.PriceUnit())
	assert.Equal(t, "kgCO2e/t", Material.FactorUnit())
	assert.False(t, Flow("coal").Known())
}

func TestDates(t *testing.T) {
	for _, bad := range []string{"2025-02-30", "1999-12-31", "2200-01-01", "1.7.2025", "2025-7-1", "", "2025-01-01T00:00:00Z"} {
		_, err := ParseDate(bad)
		require.Error(t, err, bad)
	}
	d := MustDate("2025-03-30")
	assert.Equal(t, "2025-03-30", d.String())
	assert.True(t, d.Time().Equal(time.Date(2025, 3, 29, 23, 0, 0, 0, time.UTC)))
	var read Date
	require.NoError(t, read.UnmarshalText(nil))
	assert.True(t, read.IsZero())
	open := Span{From: d}
	assert.True(t, open.Overlaps(Span{To: MustDate("2025-03-31")}))
	assert.False(t, open.Overlaps(Span{To: d}), "half open")
	require.Error(t, Span{From: d, To: d}.Check())
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(good))
	b, err := os.ReadFile("../savings/testdata/factors.yaml")
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSet(b)
		if err != nil {
			return
		}
		require.NoError(t, s.Check())
		for i := range s.Tariffs {
			s.Tariffs[i].At(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
		}
	})
}
