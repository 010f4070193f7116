package server

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// An alarm about a store that did not answer ends after a restart too, when the
// store answers; alarms of others stay.
func TestAlarmsEndAfterRestart(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: Config{
		Programme: filepath.Join("..", "registry", "testdata", "programme.yaml"), Data: t.TempDir(),
		Broker: Broker{URL: "tcp://127.0.0.1:1"}, Store: Store{Kind: "embedded"}}})
	require.NoError(t, err)
	defer s.Close()
	since := time.Now().Add(-time.Hour)
	for _, a := range []metering.Alarm{
		{ID: "ingest/store/store", Kind: "store", Subject: "store", Since: since},
		{ID: "fonderie-heat.drift", Kind: "drift", Subject: "fonderie-heat", Since: since},
	} {
		require.NoError(t, s.registry.RaiseAlarm(ctx, "test", a))
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	require.Eventually(t, func() bool {
		open, err := s.registry.Alarms(ctx, registry.AlarmQuery{Open: true})
		return err == nil && len(open) == 1 && open[0].Kind == "drift"
	}, 20*time.Second, 5*time.Millisecond)
	stop()
	require.NoError(t, <-done)
}
