package demo

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/simulator/port"
)

// TestContactsOfTheDemo: nothing before the assessment found somebody who could meet,
// then one contact that waits for the dairy, one introduced, one declined, and never twice.
func TestContactsOfTheDemo(t *testing.T) {
	ctx, now := context.Background(), time.Date(2026, 11, 24, 13, 5, 0, 0, time.UTC)
	p, err := port.New(port.Options{Seed: 1, Epoch: now})
	require.NoError(t, err)
	programme, err := p.Programme(now)
	require.NoError(t, err)
	r, err := registry.Open(ctx, filepath.Join(t.TempDir(), "registry.db"), registry.WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	require.NoError(t, r.Import(ctx, programme))
	done, err := contacts(ctx, r)
	require.NoError(t, err)
	require.False(t, done, "nothing is found yet")

	uses := func(takers ...string) (out []metering.Use) {
		for _, c := range takers {
			out = append(out, metering.Use{Company: c})
		}
		return out
	}
	require.NoError(t, r.PutOpportunities(ctx, []metering.Opportunity{
		{ID: "chimie-refroidissement", Company: "chimie", TypicalKW: 600, MWhPerYear: 3500, HighC: 38, Uses: uses("laiterie", "galvano")},
		{ID: "laiterie-condenseur", Company: "laiterie", TypicalKW: 500, MWhPerYear: 4100, HighC: 33, Uses: uses("galvano", "methaniseur")},
		{ID: "fonderie-fumees", Company: "fonderie", TypicalKW: 900, MWhPerYear: 5100, HighC: 300, Uses: uses("galvano")},
	}))
	require.NoError(t, r.PutHeatNeeds(ctx, []metering.HeatNeed{{ID: "laiterie-eau-chaude", Company: "laiterie", MaxKW: 900, MWhPerYear: 4400, TargetC: 65},
		{ID: "galvano-bains", Company: "galvano", MaxKW: 300, MWhPerYear: 1300, TargetC: 82}, {ID: "methaniseur-chaleur", Company: "methaniseur", MaxKW: 200, MWhPerYear: 900, TargetC: 68}}))
	for range 2 {
		done, err = contacts(ctx, r)
		require.NoError(t, err)
		require.True(t, done)
		all, err := r.Contacts(ctx, "")
		require.NoError(t, err)
		require.Len(t, all, 3)
		var states []registry.ContactState
		for _, c := range all {
			states = append(states, c.State)
			if i := c.Side(demoCompany); c.State == registry.ContactProposed {
				require.GreaterOrEqual(t, i, 0)
				assert.True(t, c.Sides[i].Due(now), "the dairy is asked")
			}
		}
		assert.ElementsMatch(t, []registry.ContactState{registry.ContactProposed, registry.ContactIntroduced, registry.ContactDeclined}, states)
	}
}
