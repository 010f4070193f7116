package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// proposalView is a proposed asset that waits to be confirmed.
type proposalView struct {
	ID, Name, Lead, Pattern, Grade, Why string
	Figures                             []compared
	Facts                               []pair
	May                                 bool
	Problem, Reason                     string
}

// decidedView is a proposal that was accepted or refused.
type decidedView struct {
	ID, Name, Text string
	May            bool
}

func (v *visit) proposal(id string) (registry.Proposal, bool, error) {
	all, err := v.s.o.Registry.HeatProposals(v.Request().Context())
	if err != nil {
		return registry.Proposal{}, false, err
	}
	return find(all, func(p registry.Proposal) bool { return p.ID == id })
}

// deciding fills in the proposals that the person may see, and says whether there
// is a place for any: somebody who may see those of a company.
func (v *visit) deciding(p *heatPage, names map[string]string, refused, reason, wrong string) (bool, error) {
	all, err := v.s.o.Registry.HeatProposals(v.Request().Context())
	if err != nil {
		return false, err
	}
	m, err := v.members()
	if err != nil {
		return false, err
	}
	some := slices.ContainsFunc(m.companies, func(c metering.Company) bool { return v.may(access.SeeHeatProposals, c.ID) })
	for _, x := range all {
		if !v.may(access.SeeHeatProposals, x.Company) {
			continue
		}
		may := v.may(access.DecideHeat, x.Company)
		if x.Decision != registry.ToConfirm {
			key := "propose.refused"
			if x.Decision == registry.Accepted {
				key = "propose.accepted"
			}
			text := v.t("propose.by", v.t(key), x.DecidedBy, v.lang.Date(x.DecidedAt))
			if x.Reason != "" {
				text += v.t("colon") + " " + x.Reason
			}
			p.Decided = append(p.Decided, decidedView{x.ID, v.lang.Of(x.Meter) + " (" + names[x.Company] + ")", text, may})
			continue
		}
		view := v.proposalView(x, names)
		view.May = may
		if x.ID == refused {
			view.Reason, view.Problem = reason, wrong
		}
		p.ToConfirm = append(p.ToConfirm, view)
	}
	return some, nil
}

func (v *visit) proposalView(x registry.Proposal, names map[string]string) proposalView {
	l := v.lang
	why := l.Of(x.Why)
	for _, s := range x.Signs {
		why += v.t("sep") + l.Of(s)
	}
	own := v.t("propose.own_none")
	if x.InternalMWh > 0 {
		own = v.t("propose.own_some")
	}
	heat := l.Figure(metering.Figure{Indicator: metering.HeatDeliveredMWh, Amount: x.MWhPerYear, Half90: x.Half90})
	var signals []string
	for _, s := range x.Signals {
		signals = append(signals, string(s))
	}
	return proposalView{
		ID: x.ID, Name: l.Of(x.Meter), Lead: v.t("opportunity.of", names[x.Company]), Pattern: v.t("pattern." + x.Pattern), Grade: v.t("grade.short", x.Grade), Why: upper(why) + ".",
		Figures: []compared{
			{v.t("propose.heat"), v.t("figure.coverage", l.Percent(x.Coverage, 0)), heat},
			{v.t("propose.typical"), v.t("opportunity.firm_name") + v.t("colon") + " " + l.Amount(rough(x.FirmKW)) + "\u00a0kW", plain(l.Amount(rough(x.TypicalKW)), "kW")},
			{v.t("propose.between"), l.Of(x.Kind), plain(l.Number(x.HighC, 0)+" – "+l.Number(x.LowC, 0), "°C")},
			{v.t("propose.internal"), own, v.mwh(x.InternalMWh)},
		},
		Facts: []pair{{v.t("propose.rule"), x.Rule}, {v.t("propose.signals"), strings.Join(signals, ", ")}},
	}
}

// longestReason is how much may be said of a decision, in characters.
const longestReason = 2000

// decideProposal takes the answer to a proposal.
func decideProposal(v *visit) error {
	id, reason := v.Param("proposal"), strings.TrimSpace(v.FormValue("reason"))
	decision := registry.Decision(v.FormValue("decision"))
	again := func(key string) error { return v.heat(http.StatusBadRequest, id, reason, v.t(key)) }
	switch {
	case decision != registry.Accepted && decision != registry.Refused && decision != registry.ToConfirm:
		return problem{http.StatusBadRequest, ""}
	case decision == registry.Refused && reason == "":
		return again("propose.no_reason")
	case utf8.RuneCountInString(reason) > longestReason:
		return again("propose.long")
	}
	err := v.s.o.Registry.DecideHeatProposal(v.Request().Context(), id, decision, v.person.Email, reason)
	if errors.Is(err, registry.ErrLocked) {
		return again("propose.taken")
	}
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, "/heat")
}
