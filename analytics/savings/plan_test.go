package savings

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/analytics/indicators"
)

func examplePlans(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/plans/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	out := map[string][]byte{}
	for _, n := range names {
		b, err := os.ReadFile(n)
		require.NoError(t, err)
		out[strings.TrimSuffix(filepath.Base(n), ".yaml")] = b
	}
	return out
}

func testFactors(t testing.TB) *indicators.Set {
	t.Helper()
	b, err := os.ReadFile("testdata/factors.yaml")
	require.NoError(t, err)
	s, err := indicators.ParseSet(b)
	require.NoError(t, err)
	return s
}

// The examples parse, fit the JSON Schema, and name factors that the set has.
func TestExamplePlans(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(PlanSchema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("plan.schema.json", doc))
	schema, err := c.Compile("plan.schema.json")
	require.NoError(t, err)
	set := testFactors(t)
	for name, b := range examplePlans(t) {
		p, err := ParsePlan(b)
		require.NoError(t, err, name)
		require.Len(t, p.Hash(), 64)
		j, err := json.Marshal(p)
		require.NoError(t, err)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(v), name)
		for flow, value := range p.Values {
			if value.Factor != "" {
				f, err := set.Factor(value.Factor)
				require.NoError(t, err, name)
				require.Equal(t, flow.FactorUnit(), f.Unit, name)
			}
			if value.Tariff != "" {
				tariff, err := set.Tariff(value.Tariff)
				require.NoError(t, err, name)
				require.Equal(t, flow.PriceUnit(), tariff.Unit, name)
			}
		}
	}
}

// Each change of a good plan is refused, with a word that tells what is wrong.
func TestPlanRefusals(t *testing.T) {
	plans := examplePlans(t)
	for _, c := range []struct{ plan, old, new, want string }{
		{"option-b-heat-line", "option: B", "option: D", "option"},
		{"option-b-heat-line", "version: 1", "version: 0", "version"},
		{"option-b-heat-line", "title:", "titel:", "titel"},
		{"option-b-heat-line", "to: 2024-10-01}", "to: 2024-11-01}", "overlaps reporting"},
		{"option-b-heat-line", "heat_energy", "flow_temperature", "no register"},
		{"option-b-heat-line", "role: heat\n", "role: warmth\n", "role"},
		{"option-b-heat-line", "class: MID B", "class: MID D", "not known"},
		{"option-b-heat-line", "share: 0.6", "share: 0.7", "add up"},
		{"option-b-heat-line", "efficiency_pci: 0.90", "efficiency_pci: 90", "efficiency_pci"},
		{"option-b-heat-line", "efficiency_pci: 0.90", "efficiency_pci: .nan", "efficiency_pci"},
		{"option-b-heat-line", "kwh_per_unit: 11.2", "kwh_per_unit: 0", "kwh_per_unit"},
		{"option-b-heat-line", "  electricity: {factor: electricity,", "  electricity: {", "values.electricity"},
		{"option-b-heat-line", "malterie-pompe/active_energy_import", "laiterie-chaleur/heat_energy", "cannot play"},
		{"option-a-truck-wash", "efficiency_half90: 0.06", "efficiency_half90: 0", "option A"},
		{"option-a-truck-wash", "2024-10-01", "2024-02-30", "date"},
		{"option-c-paper-mill", "step: day", "step: hour", "step"},
		{"option-c-paper-mill", "kind: amount", "kind: mean", "gauge"},
		{"calculated-biogas", "to: 2025-10-01,", "to: 2025-11-01,", "overlaps"},
		{"declared-wood", "    evidence: [{kind: invoice, reference: Factures de plaquettes 2023 et 2024}]\n", "    evidence: []\n", "no evidence"},
		{"declared-wood", "expected:", "---\nexpected:", "more than one"},
	} {
		require.Contains(t, string(plans[c.plan]), c.old)
		_, err := ParsePlan([]byte(strings.Replace(string(plans[c.plan]), c.old, c.new, 1)))
		require.ErrorContains(t, err, c.want, "%s: %q", c.plan, c.new)
	}
	_, err := ParsePlan(make([]byte, MaxPlanBytes+1))
	require.Error(t, err)
}

// The schema knows every key of the type and no other.
func TestSchemaKeysAreTheTypesKeys(t *testing.T) {
	var schema struct{ Properties map[string]any }
	require.NoError(t, json.Unmarshal(PlanSchema, &schema))
	for key := range schema.Properties {
		d := yaml.NewDecoder(strings.NewReader(key + ": null\n"))
		d.KnownFields(true)
		require.NoError(t, d.Decode(new(Plan)), key)
	}
}

func FuzzParsePlan(f *testing.F) {
	for _, b := range examplePlans(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePlan(b)
		if err == nil {
			require.NoError(t, p.Check())
		}
	})
}
