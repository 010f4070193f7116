package port

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
)

// TestProgramme: the programme is one that the registry takes, every plan one
// that savings takes, and what they name exists.
func TestProgramme(t *testing.T) {
	p := demo(t)
	r, err := p.Programme(testEpoch)
	require.NoError(t, err)
	require.Len(t, r.Companies, 15)
	require.Len(t, r.Synergies, 12)
	require.Len(t, r.Gateways, 16)
	require.GreaterOrEqual(t, len(r.Meters), 48)
	require.Len(t, r.People, 6)
	require.True(t, r.Territory.Synthetic)

	series := map[string]bool{}
	for _, g := range p.Gateways() {
		for _, s := range p.Series(g) {
			series[string(s)] = true
		}
	}
	require.Len(t, r.Factors, 1)
	set, err := indicators.ParseSet([]byte(r.Factors[0].Body))
	require.NoError(t, err)
	planned := map[string]bool{}
	for _, x := range r.Plans {
		plan, err := savings.ParsePlan([]byte(x.Body))
		require.NoError(t, err, x.Synergy)
		planned[x.Synergy] = true
		for _, m := range plan.Meters {
			require.True(t, series[string(m.Series)], "%s: %s", x.Synergy, m.Series)
		}
		for _, m := range plan.Models {
			for _, d := range m.Drivers {
				require.True(t, d.Series == "" || series[string(d.Series)], "%s: %s", x.Synergy, d.Series)
			}
		}
		for flow, v := range plan.Values {
			if v.Factor != "" {
				f, err := set.Factor(v.Factor)
				require.NoError(t, err)
				_ = f
			}
			if v.Tariff != "" {
				_, err := set.Tariff(v.Tariff)
				require.NoError(t, err, "%s", flow)
			}
		}
	}
	require.Len(t, planned, 12)
	for _, c := range r.Cards {
		for _, s := range c.Signals {
			require.True(t, series[string(s)], "%s: %s", c.ID, s)
		}
	}
	for _, d := range r.Declarations {
		require.False(t, d.DeclaredAt.After(testEpoch))
	}
	require.Len(t, r.Declarations, 6*len(statements))
	for _, s := range r.Synergies {
		require.NotEmpty(t, s.Name.EN)
		require.NotEmpty(t, s.About.EN)
	}
}

// TestDocumentsAreNamed: the references of invented documents read as such.
func TestDocumentsAreNamed(t *testing.T) {
	p := demo(t)
	r, err := p.Programme(p.Epoch())
	require.NoError(t, err)
	require.NotEmpty(t, r.Declarations)
	for _, d := range r.Declarations {
		for _, e := range d.Evidence {
			require.NotContains(t, e.Reference, "%", d.ID)
		}
	}
}
