package registry_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/registry"
)

func TestEventsAreReplacedEachNight(t *testing.T) {
	r, _ := filled(t)
	all, err := r.Synergies(t.Context())
	require.NoError(t, err)
	id := all[0].ID
	day := calendar.Day(time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC))
	e := registry.Event{Synergy: id, Energy: "gas", From: day, KWhPerDay: -12.5, Half90: 3, Share: -0.1}
	later := e
	later.From = calendar.NextDay(day)
	require.NoError(t, r.PutEvents(t.Context(), id, []registry.Event{later, e}))
	got, err := r.Events(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, []registry.Event{e, later}, got)
	require.NoError(t, r.PutEvents(t.Context(), id, []registry.Event{e}))
	got, err = r.Events(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, []registry.Event{e}, got)
	require.Error(t, r.PutEvents(t.Context(), "nobody", []registry.Event{e}))
}
