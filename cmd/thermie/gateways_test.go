package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// A gateway is shown with what it said of itself, and what it was asked to run.
func TestShowGateway(t *testing.T) {
	ctx := context.Background()
	r, err := registry.Open(ctx, filepath.Join(t.TempDir(), "registry.db"))
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Import(ctx, registry.Programme{
		Territory: registry.Territory{ID: "port", Name: metering.Text{FR: "Port", EN: "Port"}, Currency: "EUR"},
		Gateways:  []registry.Gateway{{ID: "gw-1"}, {ID: "gw-2"}}}))
	said, err := runs(ctx, r, "gw-2")
	require.NoError(t, err)
	require.Equal(t, "-", said)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, r.PutStatus(ctx, batch.Status{Gateway: "gw-1", At: at, Online: true, Version: "1.0",
		Buses:  []batch.BusStatus{{Bus: "rtu", Requests: 10, BadFrames: 3, LoadRatio: 0.5}},
		Meters: []batch.MeterStatus{{Meter: "well"}, {Meter: "ill", Fault: "duplicate_unit", Detail: "two devices at unit 5"}}}))
	require.NoError(t, r.PutConfigReport(ctx, batch.ConfigReport{Gateway: "gw-1", At: at, Number: 7, State: batch.ConfigRunning, Config: "c0ffee"}))
	require.NoError(t, r.PutDesired(ctx, registry.Desired{Gateway: "gw-1", Number: 8, SentAt: at, SentBy: "anne", Body: "gateway: gw-1\n"}))
	said, err = runs(ctx, r, "gw-1")
	require.NoError(t, err)
	require.Equal(t, "running (7)", said)

	number, err := numberAfter(ctx, r, "gw-1", 0, time.Unix(5, 0))
	require.NoError(t, err)
	require.Equal(t, uint64(9), number, "two in one second are two numbers")
	number, err = numberAfter(ctx, r, "gw-1", 0, at)
	require.NoError(t, err)
	require.Equal(t, uint64(at.Unix()), number)
	_, err = numberAfter(ctx, r, "gw-1", 8, at)
	require.ErrorContains(t, err, "was sent number 8 already")
	_, err = numberAfter(ctx, r, "gw-3", 0, at)
	require.ErrorIs(t, err, registry.ErrNotFound)

	g, err := showGateway(ctx, r, "gw-1")
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, g.print(&out))
	for _, want := range []string{"online true", "bus rtu", "3 bad frames", "meter ill", "duplicate_unit: two devices at unit 5", "running (7)", "c0ffee", "number 8, sent 2026-03-01T12:00:00Z by anne"} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "meter well")
	b, err := json.Marshal(g)
	require.NoError(t, err)
	require.Contains(t, string(b), `"desired":{"number":8`)

	g, err = showGateway(ctx, r, "gw-2")
	require.NoError(t, err)
	out.Reset()
	require.NoError(t, g.print(&out))
	require.Contains(t, out.String(), "never heard of")
	_, err = showGateway(ctx, r, "gw-3")
	require.ErrorIs(t, err, registry.ErrNotFound)
}
