package api

import (
	"math"
	"strconv"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/flows"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/contact"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// closedLists are the keys of all that pages meet from lists of other packages.
func closedLists() (keys []string) {
	add := func(prefix string, list ...string) {
		for _, x := range list {
			keys = append(keys, prefix+x)
		}
	}
	for _, r := range access.Roles {
		add("role.", string(r))
		add("role.the.", string(r))
		add("role.many.", string(r))
	}
	for _, m := range access.Matters {
		add("matter.", string(m))
	}
	for _, p := range access.Parts {
		add("contact.part.", string(p))
		add("contact.part_note.", string(p))
	}
	add("contact.reason.", registry.ContactReasons...)
	for _, x := range []registry.SideState{registry.SideWaiting, registry.SideAsked, registry.SideLater, registry.SideAgreed, registry.SideDeclined, registry.SideWithdrawn} {
		add("side.", string(x))
	}
	for _, x := range []registry.ContactState{registry.ContactProposed, registry.ContactIntroduced, registry.ContactEntered, registry.ContactDeclined, registry.ContactWithdrawn, registry.ContactExpired} {
		add("contact.state.", string(x))
	}
	add("contact.state.", "asked", "later", "agreed", "closed")
	for _, x := range flows.Resources() {
		if x != "waste heat" {
			add("resource.", string(x))
		}
	}
	add("resource.", contact.Heat)
	for _, i := range metering.Indicators {
		for _, p := range []string{"indicator.", "unit.", "short."} {
			add(p, string(i))
		}
		if i != metering.EnergyAvoidedMWh {
			add("chain.", string(i))
		}
	}
	for _, s := range []metering.Status{metering.Identified, metering.Studied, metering.Developed, metering.Implemented, metering.Perennial, metering.Stopped} {
		add("status.", string(s))
	}
	for _, c := range classes {
		add("class.", string(c))
		add("class.title.", string(c))
	}
	for _, o := range []savings.Option{savings.OptionA, savings.OptionB, savings.OptionC, savings.OptionCalculated, savings.OptionDeclared} {
		add("option.", string(o))
	}
	for _, r := range savings.Roles {
		add("meter_role.", string(r))
	}
	for _, f := range indicators.Flows {
		add("flow.", string(f))
		add("unit.of.", f.FactorUnit(), f.PriceUnit())
	}
	add("chain.avoided.", "gas", "oil", "electricity", "heat_network", "wood", "energy")
	add("drift.", "hours", "flow", "delta_t")
	add("evidence.", registry.EvidenceKinds...)
	add("medium.", registry.Media...)
	add("grade.", "A", "B", "C", "D")
	for _, b := range bands {
		add("band.", b.key)
	}
	for _, q := range metering.Quantities {
		add("quantity.", string(q.Quantity))
	}
	for _, status := range []int{400, 401, 403, 404, 405, 413, 500} {
		for _, part := range []string{".title", ".what", ".do"} {
			add("problem.", strconv.Itoa(status)+part)
		}
	}
	return keys
}

// contrast of two colours by WCAG 2.2.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(hex string) float64 {
	if len(hex) != 7 {
		return math.NaN()
	}
	n, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		return math.NaN()
	}
	l := 0.0
	for i, w := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(n>>(8*i)&255) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += w * c
	}
	return l
}
