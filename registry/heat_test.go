package registry_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// A proposal waits until somebody decides; accepted it becomes a card, refused
// it is not asked again, and each act stands in the audit trail.
func TestHeatProposals(t *testing.T) {
	r, clock := filled(t)
	cards, err := r.Cards(ctx)
	require.NoError(t, err)
	companies, err := r.Companies(ctx)
	require.NoError(t, err)
	of := companies[0].ID
	a := metering.HeatProposal{ID: "loop", Company: of, Meter: metering.Text{FR: "Boucle", EN: "Loop"}, Rule: "Q=Q_loop", THot: "60", TCold: "40", MWhPerYear: 300}
	b := a
	b.ID, b.MWhPerYear = "air", 900
	require.NoError(t, r.PutHeatProposals(ctx, []metering.HeatProposal{a, b}))
	all, err := r.HeatProposals(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"air", "loop"}, []string{all[0].ID, all[1].ID}, "the largest first")

	require.ErrorContains(t, r.DecideHeatProposal(ctx, "air", registry.Refused, "x@y.example", ""), "says why")
	require.ErrorContains(t, r.DecideHeatProposal(ctx, "air", registry.Accepted, "", "ok"), "nobody")
	require.ErrorIs(t, r.DecideHeatProposal(ctx, "none", registry.Accepted, "x@y.example", ""), registry.ErrNotFound)
	require.NoError(t, r.DecideHeatProposal(ctx, "air", registry.Refused, "x@y.example", "taken already"))
	require.NoError(t, r.DecideHeatProposal(ctx, "loop", registry.Accepted, "x@y.example", ""))
	more, err := r.Cards(ctx)
	require.NoError(t, err)
	require.Len(t, more, len(cards)+1)
	card := more[len(more)-1]
	require.Equal(t, registry.Card{ID: "loop", Company: of, Side: "source", Name: a.Meter, Rule: a.Rule, THot: "60", TCold: "40"}, card)

	// The next night finds only what was refused, with another figure: decisions stay.
	clock.add(24 * time.Hour)
	b.MWhPerYear = 950
	c := a
	c.ID = "new"
	require.NoError(t, r.PutHeatProposals(ctx, []metering.HeatProposal{b, c}))
	clock.add(24 * time.Hour)
	require.NoError(t, r.PutHeatProposals(ctx, []metering.HeatProposal{b}))
	all, err = r.HeatProposals(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2, "what is found no more and was never decided is dropped")
	require.Equal(t, "air", all[0].ID)
	require.Equal(t, 950.0, all[0].MWhPerYear)
	require.Equal(t, registry.Refused, all[0].Decision)
	require.Equal(t, "taken already", all[0].Reason)

	require.NoError(t, r.DecideHeatProposal(ctx, "loop", registry.ToConfirm, "z@y.example", "a mistake"))
	more, err = r.Cards(ctx)
	require.NoError(t, err)
	require.Equal(t, cards, more, "the card goes with the decision")
	acts, err := r.AuditTrail(ctx, 3)
	require.NoError(t, err)
	require.Equal(t, []string{"reopen_heat_asset", "accept_heat_asset", "refuse_heat_asset"}, []string{acts[0].What, acts[1].What, acts[2].What})
	require.Equal(t, "taken already", acts[2].Detail)

	// A proposal under the name of a card is not accepted over it.
	d := a
	d.ID = cards[0].ID
	require.NoError(t, r.PutHeatProposals(ctx, []metering.HeatProposal{d}))
	require.ErrorIs(t, r.DecideHeatProposal(ctx, d.ID, registry.Accepted, "x@y.example", ""), registry.ErrLocked)

	_, err = r.HeatPlan(ctx)
	require.ErrorIs(t, err, registry.ErrNotFound)
	require.NoError(t, r.PutHeatPlan(ctx, metering.HeatPlan{PlanMWh: 1}))
	require.NoError(t, r.PutHeatPlan(ctx, metering.HeatPlan{PlanMWh: 2}))
	p, err := r.HeatPlan(ctx)
	require.NoError(t, err)
	require.Equal(t, 2.0, p.PlanMWh)
}
