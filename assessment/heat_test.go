package assessment

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// checkProposals: the two meters of the port whose heat nobody declared are
// proposed, and nothing else is. One is accepted and becomes a card that is
// computed, one is refused and stays so.
func (w *world) checkProposals(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	all, err := w.registry.HeatProposals(ctx)
	require.NoError(t, err)
	var ids []string
	for _, p := range all {
		ids = append(ids, p.ID)
		require.Equal(t, registry.ToConfirm, p.Decision)
		require.NotEmpty(t, p.Why.FR)
		require.NotEmpty(t, p.Why.EN)
		require.NotEmpty(t, p.Meter.FR)
		for _, c := range w.port.Meters() { // no sign names another company's meter
			if c.Company != p.Company {
				require.NotContains(t, p.Why.FR, c.ID)
				for _, s := range p.Signs {
					require.NotContains(t, s.FR, c.ID)
				}
			}
		}
	}
	require.Equal(t, []string{"huilerie-aero", "laiterie-compresseurs"}, ids)
	loop, air := all[0], all[1]
	require.Equal(t, "huilerie", loop.Company)
	require.Equal(t, "A", loop.Grade)
	require.InDelta(t, 66, loop.HighC, 0.5)
	require.Zero(t, loop.InternalMWh)
	require.Equal(t, "C", air.Grade)
	require.Greater(t, air.InternalMWh, 0.5*air.MWhPerYear, "the dairy needs hot water itself")

	require.NoError(t, w.registry.DecideHeatProposal(ctx, "huilerie-aero", registry.Accepted, "direction@huilerie.example", ""))
	require.NoError(t, w.registry.DecideHeatProposal(ctx, "laiterie-compresseurs", registry.Refused, "laiterie@port-fictif.example", "récupération déjà commandée"))
	require.NoError(t, Run(ctx, w.inputs()))
	all, err = w.registry.HeatProposals(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)
	for _, p := range all {
		require.NotEqual(t, registry.ToConfirm, p.Decision, p.ID)
	}
	found, err := w.registry.Opportunities(ctx)
	require.NoError(t, err)
	i := slices.IndexFunc(found, func(o metering.Opportunity) bool { return o.ID == "huilerie-aero" })
	require.GreaterOrEqual(t, i, 0)
	require.InEpsilon(t, loop.MWhPerYear, found[i].MWhPerYear, 0.01)
	require.False(t, slices.ContainsFunc(found, func(o metering.Opportunity) bool { return o.ID == "laiterie-compresseurs" }))
	p := found[i].Profile
	require.NotNil(t, p)
	require.Len(t, p.LoadKW, 21)
	require.Len(t, p.MonthBandMWh, 12)
	sum := 0.0
	for _, month := range p.MonthBandMWh {
		for _, x := range month {
			sum += x
		}
	}
	require.InEpsilon(t, found[i].MWhPerYear, sum, 0.02)
	require.Equal(t, "unavoidable", p.Class)
	require.Positive(t, p.ExergyMWh)
}

// checkPlan: the joint plan stays below the bound of the site, is proved, holds
// own use first, and holds nobody who did not consent.
func (w *world) checkPlan(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	p, err := w.registry.HeatPlan(ctx)
	require.NoError(t, err)
	require.Len(t, p.Companies, 15)
	require.Positive(t, p.PlanMWh)
	require.LessOrEqual(t, p.PlanMWh, p.ProvedMWh)
	require.LessOrEqual(t, p.ProvedMWh, p.BoundMWh)
	require.Less(t, p.Gap, 1e-9)
	require.Positive(t, p.InternalMWh)
	require.Positive(t, p.ServedMWh)
	links, own := 0.0, 0.0
	for _, l := range p.Links {
		links += l.MWh
		require.LessOrEqual(t, l.MWh, l.AloneMWh*(1+1e-9)+1e-6, "%s > %s", l.Source, l.Need)
		if l.From == l.To && l.AloneMWh > 0 {
			own += l.MWh
			require.InEpsilon(t, l.AloneMWh, l.MWh, 0.01, "own use is served first: %s > %s", l.Source, l.Need)
		}
	}
	require.LessOrEqual(t, links, p.PlanMWh*(1+1e-9))
	require.Greater(t, links, 0.8*p.PlanMWh, "what needs no machine comes before what does")
	require.InEpsilon(t, p.InternalMWh, own, 0.02)
	pumps := 0.0
	for _, l := range p.Links {
		pumps += l.PumpMWh
	}
	require.InEpsilon(t, p.PumpMWh, pumps, 0.01)
	require.Positive(t, p.PumpElectricityMWh)
	require.Less(t, p.PumpElectricityMWh, p.PumpMWh/2)
	require.Greater(t, p.JointMWh, p.PlanMWh)
	require.LessOrEqual(t, p.JointMWh, p.NeedsMWh)
	require.Less(t, p.JointGap, 1e-6)
	all := p.Targets[len(p.Targets)-1]
	require.Empty(t, all.Company)
	require.InEpsilon(t, p.BoundMWh, all.RecoveryMWh, 1e-6)
	require.NotEmpty(t, all.Seasons[0].Grand)

	// What the uses of all opportunities hold of the plan never passes the bound,
	// although taken alone they add up to more.
	found, err := w.registry.Opportunities(ctx)
	require.NoError(t, err)
	direct, held, alone := 0.0, 0.0, 0.0
	for _, o := range found {
		for _, u := range o.Uses {
			if u.COP == 0 {
				direct += u.PlannedMWh
			}
			held += u.PlannedMWh
			alone += u.MWhPerYear
		}
	}
	require.LessOrEqual(t, direct, p.BoundMWh)
	require.LessOrEqual(t, held, p.JointMWh)
	require.Greater(t, alone, p.NeedsMWh, "taken alone they promise more than is needed")

	require.NoError(t, w.registry.Withdraw(ctx, "fonderie", access.Animator, access.OpportunitiesMatter))
	require.NoError(t, Run(ctx, w.inputs()))
	p, err = w.registry.HeatPlan(ctx)
	require.NoError(t, err)
	require.NotContains(t, p.Companies, "fonderie")
	for _, l := range p.Links {
		require.NotEqual(t, "fonderie", l.From)
	}
	for _, x := range p.Targets {
		require.NotEqual(t, "fonderie", x.Company)
	}
}
