package trial

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/thermie/thermie/registry"
)

//go:embed programme.yaml
var programmeYAML string

// factorBody is a factor set; version 2 doubles the gas factor.
func factorBody(version int, gas string) string {
	return fmt.Sprintf(`id: fr-essai
version: %d
factors:
  - {id: gas, name: {fr: Gaz, en: Gas}, amount: %s, half90: 0.05, unit: kgCO2e/kWh GCV, source: {publisher: Essai, year: 2025}}
  - {id: electricity, name: {fr: Électricité, en: Electricity}, amount: 0.0461, half90: 0.1, unit: kgCO2e/kWh, source: {publisher: Essai, year: 2025}}
  - {id: water, name: {fr: Eau, en: Water}, amount: 0.132, unit: kgCO2e/m3, source: {publisher: Essai, year: 2025}}
  - {id: wood, name: {fr: Bois, en: Wood}, amount: 125, half90: 0.3, unit: kgCO2e/t, source: {publisher: Essai, year: 2025}}
tariffs:
  - {id: gas, name: {fr: Gaz, en: Gas}, unit: EUR/MWh GCV, source: {publisher: Essai, year: 2025}, prices: [{to: 2026-02-01, eur: 45}, {from: 2026-02-01, eur: 41.5}]}
  - {id: electricity, name: {fr: Électricité, en: Electricity}, unit: EUR/MWh, source: {publisher: Essai, year: 2025}, prices: [{eur: 110}]}
  - {id: water, name: {fr: Eau, en: Water}, unit: EUR/m3, source: {publisher: Essai, year: 2025}, prices: [{eur: 4.1}]}
`, version, gas)
}

func heatPlan(synergy, series, pump string) string {
	extra := ""
	if pump != "" {
		extra = "  - {series: " + pump + ", role: electricity, accuracy: {class: MID B}}\n"
	}
	return "schema: thermie.plan/1\nsynergy: " + synergy + `
version: 1
option: B
title: {fr: Chaleur, en: Heat}
boundary: {fr: À l’entrée du preneur., en: At the receiver’s inlet.}
reporting: {from: 2025-10-01}
meters:
  - {series: ` + series + ", role: heat, accuracy: {class: EN 1434 class 2}}\n" + extra + `displaced:
  - {energy: gas, efficiency_pci: 0.9, efficiency_half90: 0.02, pcs_per_pci: 1.11, source: {fr: essai, en: test}}
values:
  gas: {factor: gas, tariff: gas}
  electricity: {factor: electricity, tariff: electricity}
`
}

var plans = []string{
	heatPlan("s1", "reseau-chaleur/heat_energy", ""),
	heatPlan("s2", "laiterie-chaleur/heat_energy", "malterie-pompe/active_energy_import"),
	heatPlan("s3", "serre-chaleur/heat_energy", ""),
	`schema: thermie.plan/1
synergy: s4
version: 1
option: B
title: {fr: Eau, en: Water}
boundary: {fr: Au bac., en: At the tank.}
reporting: {from: 2025-10-01}
meters:
  - {series: beton-eau/water_volume, role: water, accuracy: {class: OIML R49 class 2}}
values:
  water: {factor: water, tariff: water}
`,
	`schema: thermie.plan/1
synergy: s5
version: 1
option: declared
title: {fr: Bois, en: Wood}
boundary: {fr: À la chaufferie., en: At the plant.}
reporting: {from: 2025-10-01}
declared:
  - {id: economies, indicator: money_saved_eur, from: 2025-10-01, per_year: true, amount: 15000, half90: 1500, by: chaufferie, evidence: [{kind: invoice, reference: factures}]}
values:
  material: {factor: wood}
`,
	`schema: thermie.plan/1
synergy: s6
version: 1
option: C
title: {fr: Hotte, en: Hood}
boundary: {fr: Gaz du site., en: Gas of the site.}
baseline: {from: 2025-06-01, to: 2025-08-20}
reporting: {from: 2025-10-01}
meters:
  - {series: papeterie-gaz/gas_volume, role: site, energy: gas, kwh_per_unit: 11.2, accuracy: {class: EN 12480 class 1}}
models:
  - energy: gas
    step: day
    drivers:
      - {name: temperature, kind: mean, series: meteo/temperature}
      - {name: ouvre, kind: workday}
values:
  gas: {factor: gas, tariff: gas}
`,
}

// Programme is what people declare of it.
func Programme() (registry.Programme, error) {
	indent := func(s string) string {
		return "      " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n      ")
	}
	in := struct {
		Plans             []string
		Factors, Exchange string
	}{Factors: indent(factorBody(1, "0.215")), Exchange: exchangeRegister().String()}
	for _, p := range plans {
		in.Plans = append(in.Plans, indent(p))
	}
	var b bytes.Buffer
	t, err := template.New("programme").Parse(programmeYAML)
	if err == nil {
		err = t.Execute(&b, in)
	}
	if err != nil {
		return registry.Programme{}, err
	}
	return registry.ParseProgramme("trial.yaml", b.Bytes())
}
