package flows

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const inventory = `
companies:
  - {id: foundry, name: Foundry, x_m: 0, y_m: 0}
  - {id: dairy, name: Dairy, x_m: 1000, y_m: 0}
  - {id: logistics, name: Logistics, x_m: 2000, y_m: 0}
  - {id: mill, name: Paper mill, x_m: 2500, y_m: 500}
  - {id: plating, name: Plating}
  - {id: far, name: Far away, x_m: 90000, y_m: 0}
flows:
  - {id: heat-65, company: foundry, resource: heat, direction: has, amount: 950, unit: MWh, quality: {fr: eau de 65 °C, en: water of 65 °C}}
  - {id: heat-loop, company: mill, resource: chaleur, direction: has, amount: 2.8, unit: GWh, quality: "effluent de 35 à 45 °C"}
  - {id: hot-water, company: dairy, resource: waste heat, direction: needs, amount: 4400, unit: MWh, quality: {fr: eau de 60 °C, en: water of 60 °C}}
  - {id: rinse, company: plating, resource: water, direction: has, amount: 450, unit: m3, properties: {chloride_mg_l: 90}}
  - {id: mixing, company: logistics, resource: eau, direction: needs, amount: 5500, unit: m3, limits: {chloride_mg_l: {max: 500}}}
  - {id: process, company: dairy, resource: water, direction: needs, amount: 100, unit: m3, limits: {chloride_mg_l: {max: 20}}}
  - {id: bales, company: logistics, resource: board, direction: has, amount: 400000, unit: kg}
  - {id: bales-far, company: far, resource: board, direction: has, amount: 40, unit: t}
  - {id: pulp, company: mill, resource: papier, direction: needs, amount: 8200, unit: t}
  - {id: guard-1, company: foundry, resource: shared services, direction: needs, amount: 2000, unit: h}
  - {id: guard-2, company: dairy, resource: services partagés, direction: needs, amount: 1500, unit: h}
  - {id: guard-3, company: far, resource: shared services, direction: needs, amount: 900, unit: h}
`

func TestMatchInventory(t *testing.T) {
	inv, err := ParseInventory([]byte(inventory))
	require.NoError(t, err)
	got, err := Match(context.Background(), inv, DefaultOptions)
	require.NoError(t, err)
	by := map[string]Substitution{}
	for _, s := range got.Substitutions {
		by[s.From+"->"+s.To] = s
	}
	require.Len(t, by, 5)

	s := by["rinse->mixing"]
	require.Equal(t, Fits, s.Verdict)
	require.Equal(t, 450.0, s.Proposed)
	require.True(t, math.IsNaN(s.KM), "plating has no position")
	require.Contains(t, got.Warnings[0], `"plating" has no position`)
	require.Equal(t, got.Substitutions[0].From, "rinse", "the best is first")

	require.Equal(t, Unsuitable, by["rinse->process"].Verdict)
	require.Zero(t, by["rinse->process"].Proposed)
	require.Equal(t, []string{"chloride_mg_l of 90 is above 20"}, by["rinse->process"].Reasons)

	s = by["heat-65->hot-water"]
	require.Equal(t, ToCheck, s.Verdict)
	require.InDelta(t, 1.3, s.KM, 1e-9)
	require.Equal(t, NeedsLift, by["heat-loop->hot-water"].Verdict)
	require.InDelta(t, 950, s.Proposed, 1e-6)
	require.InDelta(t, 2800, by["heat-loop->hot-water"].Proposed, 1e-6)

	s = by["bales->pulp"]
	require.Equal(t, "as pulp, after sorting", s.Use)
	require.InDelta(t, 400, s.Proposed, 1e-6, "kilograms are tonnes")

	require.Len(t, got.Mutualisations, 2, "shared guards, and water for two")
	require.Equal(t, []string{"foundry", "dairy"}, got.Mutualisations[0].Companies)
	require.Equal(t, 3500.0, got.Mutualisations[0].Amount)
	require.InDelta(t, 1.3, got.Mutualisations[0].SpreadKM, 1e-9)
	for _, b := range got.Balances {
		require.LessOrEqual(t, b.Served, b.Has+1e-9)
	}
}

func TestBadInventory(t *testing.T) {
	flow := func(s string) string {
		return "companies: [{id: a}]\nflows: [{id: f, company: a, resource: wood, direction: has, amount: 1, unit: t}, {" + s + "}]"
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":     {"", "empty"},
		"no flows":  {"companies: [{id: a}]", "no flows"},
		"not YAML":  {"flows: [", "inventory"},
		"twice":     {flow("id: f, company: a, resource: wood, direction: has, amount: 1, unit: t"), "named twice"},
		"company":   {flow("id: g, company: b, resource: wood, direction: has, amount: 1, unit: t"), `unknown company "b"`},
		"direction": {flow("id: g, company: a, resource: wood, direction: wants, amount: 1, unit: t"), "direction"},
		"negative":  {flow("id: g, company: a, resource: wood, direction: has, amount: -1, unit: t"), `flow "g": amount`},
		"resource":  {flow("id: g, company: a, resource: love, direction: has, amount: 1, unit: t"), `resource "love"`},
		"unit":      {flow("id: g, company: a, resource: wood, direction: has, amount: 1, unit: stone"), `unit "stone"`},
		"limits":    {flow("id: g, company: a, resource: wood, direction: needs, amount: 1, unit: t, limits: {x: {min: 3, max: 2}}"), "limits of x"},
		"company 2": {"companies: [{id: a}, {id: a}]\nflows: [{id: f}]", "named twice"},
	} {
		_, err := ParseInventory([]byte(c.file))
		require.ErrorContains(t, err, c.want, name)
	}
}

// Proposals never add up past what is there or needed, whatever is declared.
func TestProposalsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inv := &Inventory{}
		for i := range 4 {
			x, y := float64(rapid.IntRange(0, 9000).Draw(t, "x")), 0.0
			c := Company{ID: fmt.Sprint(i), XMetre: &x, YMetre: &y}
			if rapid.Bool().Draw(t, "nowhere") {
				c.XMetre = nil
			}
			inv.Companies = append(inv.Companies, c)
		}
		left := map[string]float64{}
		for i := range rapid.IntRange(1, 10).Draw(t, "n") {
			f := Flow{ID: fmt.Sprint(i), Company: fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "company")), Resource: rapid.SampledFrom([]string{"wood", "paper", "cardboard", "heat", "heat networks"}).Draw(t, "resource"),
				Direction: rapid.SampledFrom([]string{"has", "needs"}).Draw(t, "direction"), Amount: float64(rapid.IntRange(0, 1000).Draw(t, "amount")), Unit: rapid.SampledFrom([]string{"t", "kg", "MWh"}).Draw(t, "unit")}
			_, factor, _ := measure(f.Unit)
			left[f.ID] = f.Amount * factor
			inv.Flows = append(inv.Flows, f)
		}
		require.NoError(t, inv.check())
		got, err := Match(context.Background(), inv, DefaultOptions)
		require.NoError(t, err)
		for _, s := range got.Substitutions {
			require.LessOrEqual(t, s.Proposed, s.Alone+1e-6)
			left[s.From] -= s.Proposed
			left[s.To] -= s.Proposed
		}
		for id, x := range left {
			require.GreaterOrEqual(t, x, -1e-6, id)
		}
	})
}

func FuzzParseInventory(f *testing.F) {
	f.Add([]byte(inventory))
	f.Fuzz(func(t *testing.T, b []byte) {
		inv, err := ParseInventory(b)
		if err != nil {
			return
		}
		if _, err := Match(context.Background(), inv, DefaultOptions); err != nil {
			t.Fatal(err)
		}
	})
}
