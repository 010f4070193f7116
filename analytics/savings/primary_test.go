package savings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/metering"
)

// Primary energy and scopes of the heat line by hand: gas avoided, electricity used.
func TestPrimaryEnergyAndScopes(t *testing.T) {
	from, to := date("2025-01-01"), date("2025-04-01")
	p := examplePlan(t, "option-b-heat-line")
	d := hours(from, to, map[metering.SeriesID]func(int, time.Time) float64{
		"laiterie-chaleur/heat_energy":        constant(200),
		"malterie-pompe/active_energy_import": constant(3),
	})
	set := testFactors(t)
	source := indicators.Source{Publisher: "test", Year: 2025}
	set.Primary = []indicators.Primary{{Flow: indicators.Gas, KWhPerKWh: 0.9, Source: source}, {Flow: indicators.Electricity, KWhPerKWh: 1.9, Source: source}}
	for i := range set.Factors {
		if set.Factors[i].ID == "natural-gas" {
			set.Factors[i].Scopes = &indicators.Scopes{Scope1: 0.183, Scope3: 0.032}
		}
	}
	require.NoError(t, set.Check())
	quarter := func() metering.Result {
		e, err := Evaluate(p, set, d, to)
		require.NoError(t, err)
		return e.Result(metering.PeriodQuarter, from, to)
	}
	q := quarter()
	gas, el := 200*float64(d.Hours)/1000/0.9*1.11, 3*float64(d.Hours)/1000
	assert.InDelta(t, gas*0.9-el*1.9, amount(t, q, metering.PrimaryEnergyMWh), 1e-4)
	assert.InDelta(t, gas*0.183, amount(t, q, metering.CO2eScope1Tonnes), 1e-4)
	assert.InDelta(t, gas*0.032, amount(t, q, metering.CO2eScope3Tonnes), 1e-4)
	_, has := q.Figure(metering.CO2eScope2Tonnes)
	assert.False(t, has, "the factor of electricity is not split")
	whole, _ := q.Figure(metering.CO2eAvoidedTonnes)
	part, _ := q.Figure(metering.CO2eScope1Tonnes)
	assert.Positive(t, part.Half90)
	assert.Less(t, part.Half90, whole.Half90)

	set.Primary = set.Primary[:1]
	_, has = quarter().Figure(metering.PrimaryEnergyMWh)
	assert.False(t, has, "the plan uses electricity, for which the set has no factor: no figure rather than a wrong one")
}
