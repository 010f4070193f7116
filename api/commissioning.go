package api

import (
	"slices"

	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/registry"
)

// opened is a commissioning record with what the registry knows of it.
type opened struct {
	registry.Commissioning
	commissioning.Record
}

// commissionings are the records of a gateway, the latest first.
func (v *visit) commissionings(gateway string) (out []opened, err error) {
	all, err := v.s.o.Registry.Commissionings(v.Request().Context())
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Gateway != gateway {
			continue
		}
		r, err := commissioning.Open(c.Record)
		if err != nil {
			return nil, err
		}
		out = append(out, opened{c, r})
	}
	return out, nil
}

// meterCommissioned says what the latest record that knows a meter says of it. Not
// what its display showed: a register is history.
func (v *visit) meterCommissioned(m registry.Installation) ([]pair, error) {
	all, err := v.commissionings(m.Gateway)
	for _, c := range all {
		i := slices.IndexFunc(c.Meters, func(x commissioning.Meter) bool { return x.ID == m.ID })
		if i < 0 {
			continue
		}
		found := c.Meters[i]
		state := "commissioned.compared"
		switch {
		case !found.Accepted:
			state = "commissioned.refused"
		case found.Comparison == nil:
			state = "commissioned.uncompared"
		case !found.Comparison.Agrees:
			state = "commissioned.differs"
		}
		return []pair{{v.t("meter.fact.commissioned"), v.recordInWords(c) + v.t("sep") + v.t(state)}}, err
	}
	return nil, err
}

// gatewayCommissioned lists a gateway's records.
func (v *visit) gatewayCommissioned(gateway string) (facts []pair, err error) {
	all, err := v.commissionings(gateway)
	for _, c := range all {
		accepted := 0
		for _, m := range c.Meters {
			if m.Accepted {
				accepted++
			}
		}
		facts = append(facts, pair{v.t("meter.fact.commissioned"), v.recordInWords(c) + v.t("sep") + v.t("commissioned.meters", accepted, len(c.Meters))})
	}
	return facts, err
}

// recordInWords says when and by whom a record was signed, and where the ledger has it.
func (v *visit) recordInWords(c opened) string {
	who := c.Installer
	if c.Company != "" {
		who += " (" + c.Company + ")"
	}
	text := v.t("commissioned.by", v.lang.Moment(c.SignedAt), who)
	if !c.Entered {
		return text + v.t("sep") + v.t("commissioned.waits")
	}
	return text + v.t("sep") + v.t("commissioned.leaf", v.lang.Number(float64(c.Index), 0))
}
