package registry_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

func TestDaysOfMeters(t *testing.T) {
	r, _ := filled(t)
	meters, err := r.Installations(t.Context())
	require.NoError(t, err)
	id := meters[0].ID
	day := calendar.Day(time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC))
	gauge := registry.MeterDay{Meter: id, Day: day, Expected: 1380, Good: 1379, Suspect: 1}
	require.NoError(t, r.PutCompleteness(t.Context(), []registry.MeterDay{gauge}))
	got, err := r.Completeness(t.Context(), registry.CompletenessQuery{Meter: id, From: day, To: calendar.NextDay(day)})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.True(t, gauge.Equal(got[0]), "%+v", got[0])

	counted := gauge
	counted.Increase = &registry.Increase{Series: metering.Series(id, metering.HeatEnergy), Unit: metering.Joule, Amount: metering.MustDecimal("12300000"), Covered: 0.75}
	assert.False(t, counted.Equal(gauge))
	require.NoError(t, r.PutCompleteness(t.Context(), []registry.MeterDay{counted}), "replaces what was there")
	got, err = r.Completeness(t.Context(), registry.CompletenessQuery{Meter: id})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.True(t, counted.Equal(got[0]), "%+v", got[0])
	other := *counted.Increase
	other.Amount = metering.MustDecimal("12300001")
	counted.Increase = &other
	assert.False(t, counted.Equal(got[0]))
}
