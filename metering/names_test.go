package metering

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Everything that is measured, and every reason, has a name in both languages.
func TestNames(t *testing.T) {
	for _, q := range Quantities {
		name, known := quantityNames[q.Quantity]
		require.True(t, known, q.Quantity)
		require.NotEmpty(t, name.FR)
		require.NotEmpty(t, name.EN)
	}
	require.Equal(t, Text{FR: "Puissance active (min.)", EN: "Active power (min.)"}, ActivePower.Least().Name())
	require.Equal(t, "nonsense", Quantity("nonsense").Name().EN)
	require.Len(t, reasonNames, len(Reasons))
	for _, r := range []Reason{NoAnswer, BadFrame, Refused, NotAvailable, SensorBreak, OutOfBounds, Frozen, SensorsSwap, TransformersSwap, WordOrder,
		WrongUnit, DuplicateUnit, Exchanged, Reset, ScaleJump, ClockOff, Estimated} {
		require.Contains(t, Reasons, r)
		require.NotEmpty(t, r.Name().FR)
		require.NotEmpty(t, r.Advice().EN)
	}
	require.Equal(t, Text{FR: "x", EN: "x"}, Reason("x").Name())
	require.Empty(t, Reason("x").Advice())
}

// The least and greatest of a gauge are quantities like it; counters have none.
func TestExtremes(t *testing.T) {
	info, ok := ActivePower.Greatest().Info()
	require.True(t, ok)
	require.Equal(t, []Unit{KW}, info.Units)
	require.NoError(t, Series("m", FlowTemperature.Least()).Check())
	require.Error(t, Series("m", HeatEnergy.Least()).Check())
	require.Error(t, Series("m", ActivePower.Least().Least()).Check())
}
