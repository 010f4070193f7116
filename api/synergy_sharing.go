package api

import (
	"slices"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
)

// sharing is how the synergies of a site share what the whole site has saved.
type sharing struct {
	Lead, Text string
	Table      *table
	Partners   *table
	Left       []string
}

// sharing shows the attribution of all common days of the site that a synergy has a
// part in. Figures of synergies that the person may not see are not shown, nor the sums
// that would tell them.
func (v *visit) sharing(s metering.Synergy, names map[string]string) (*sharing, error) {
	all, err := v.s.o.Registry.Attributions(v.Request().Context(), s.ID)
	if err != nil {
		return nil, err
	}
	k := slices.IndexFunc(all, func(a metering.Attribution) bool { return a.Kind == metering.PeriodToDate })
	if k < 0 {
		return nil, nil
	}
	a := all[k]
	m, err := v.members()
	if err != nil {
		return nil, err
	}
	whole := v.may(access.SeeSynergy, a.Site)
	for _, p := range a.Parts {
		whole = whole && v.may(access.SeeSynergy, p.Synergy)
	}
	name := func(id string) string {
		if x, ok, _ := find(m.synergies, func(x metering.Synergy) bool { return x.ID == id }); ok && v.may(access.SeeSynergy, id) {
			return v.synergyName(x)
		}
		return v.t("sharing.other")
	}
	out := &sharing{Lead: v.t("sharing.lead", names[a.Company], v.between(a.From, a.To)), Text: v.lang.Of(a.Text)}
	out.Table = newTable(v.t("sharing.caption"), v.head("synergy.one"), v.headN("sharing.claimed"), v.headN("sharing.attributed"), v.headN("figure.interval"), v.headN("sharing.share")).cards()
	mwh := func(x float64) cell { return right(v.lang.Number(x, 1)) }
	row := func(name string, claimed, attributed cell, half float64, share string) {
		_, interval := v.lang.PlusMinus(0, half)
		out.Table.add(txt(name), claimed, attributed, right(interval), right(share))
	}
	for _, p := range a.Parts {
		if whole || p.Synergy == s.ID {
			row(name(p.Synergy), mwh(p.Claimed), mwh(p.Attributed), p.Half90, v.lang.Percent(p.ShareOfClaims, 0))
		}
	}
	if whole {
		row(v.t("sharing.rest", name(a.Site)), txt(""), mwh(a.Unattributed), a.InteractionHalf90, "")
		row(v.t("sharing.whole"), txt(""), mwh(a.Whole), a.WholeHalf90, "")
		row(v.t("sharing.interaction"), txt(""), mwh(a.Interaction), a.InteractionHalf90, "")
		for _, l := range a.Left {
			out.Left = append(out.Left, name(l.Synergy)+v.t("sep")+v.lang.Of(l.Why))
		}
	}
	return out, v.sharedByPartners(out, a, s, names, whole)
}

// sharedByPartners parts what is attributed among the partners, as each plan says.
func (v *visit) sharedByPartners(out *sharing, a metering.Attribution, s metering.Synergy, names map[string]string, whole bool) error {
	t := newTable(v.t("sharing.partners"), v.head("company.one"), v.head("synergy.one"), v.headN("shares.share"), v.headN("sharing.attributed")).cards()
	m, err := v.members()
	if err != nil {
		return err
	}
	plans, err := v.plans(m.synergies)
	if err != nil {
		return err
	}
	add := func(plan *savings.Plan, id string, mwh float64) {
		x, ok, _ := find(m.synergies, func(x metering.Synergy) bool { return x.ID == id })
		if plan == nil || !ok || !whole && id != s.ID {
			return
		}
		for _, p := range plan.Shares {
			t.add(txt(names[p.Company]), txt(v.synergyName(x)), right(v.lang.Percent(p.Share, 0)), right(v.lang.Number(mwh*p.Share, 1)))
		}
	}
	for _, p := range a.Parts {
		add(plans[p.Synergy], p.Synergy, p.Attributed)
	}
	add(plans[a.Site], a.Site, a.Unattributed)
	if len(t.Rows) > 0 {
		out.Partners = t
	}
	return nil
}
