package savings

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// The next version of every example plan with one more adjustment: the same plan but
// for it, comments kept.
func TestNextVersionWithAdjustment(t *testing.T) {
	a := Adjustment{ID: "event-gas-2025-05-20", Energy: "gas", KWhPerDay: 4000.5, Half90: 900, Reason: metering.Text{FR: "Une ligne de plus : « B »", EN: "One more line: “B”"},
		AcceptedBy: "anne@port.example", AcceptedAt: date("2025-06-02").UTC()}
	require.NoError(t, a.From.UnmarshalText([]byte("2025-05-20")))
	for name, body := range examplePlans(t) {
		was, err := ParsePlan(body)
		require.NoError(t, err)
		next, err := WithAdjustment(append([]byte("# why this plan\n"), body...), a)
		require.NoError(t, err, name)
		assert.Contains(t, string(next), "# why this plan")
		got, err := ParsePlan(next)
		require.NoError(t, err, name)
		assert.Equal(t, was.Version+1, got.Version)
		assert.Equal(t, append(was.Adjustments, a), got.Adjustments)
		assert.Empty(t, got.ApprovedBy, "the next version needs its own approval")
		got.Version, got.Adjustments, got.hash = was.Version, was.Adjustments, was.hash
		got.ApprovedBy, got.ApprovedAt = was.ApprovedBy, was.ApprovedAt
		assert.Equal(t, was, got, name)
	}
	for name, body := range examplePlans(t) {
		bad := a
		bad.RefusedBy, bad.RefusedAt = a.AcceptedBy, a.AcceptedAt
		_, err := WithAdjustment(body, bad)
		require.ErrorContains(t, err, "accepted and refused", name)
		break
	}
	_, err := WithAdjustment([]byte("synergy: [x]"), a)
	require.Error(t, err)
}
