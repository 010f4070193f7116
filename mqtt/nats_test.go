package mqtt

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

func startNATS(t *testing.T) string {
	t.Helper()
	o := &server.Options{ServerName: "test", DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	o.MQTT.Host, o.MQTT.Port, o.MQTT.AckWait = "127.0.0.1", -1, time.Second
	s, err := server.NewServer(o)
	require.NoError(t, err)
	go s.Start()
	require.True(t, s.ReadyForConnections(20*time.Second))
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return fmt.Sprintf("tcp://127.0.0.1:%d", o.MQTT.Port)
}

// A real broker keeps the session of one who went without acknowledging, and
// publishes the will of one who did not say goodbye.
func TestPersistentSession(t *testing.T) {
	url := startNATS(t)
	first, err := Dial(t.Context(), Options{Broker: url, ClientID: "ingest"})
	require.NoError(t, err)
	got := make(chan Message, 100)
	require.NoError(t, first.Subscribe(t.Context(), []string{"t/+/batch"}, func(m Message) { got <- m }))
	sender := dial(t, Options{Broker: url, ClientID: "gw", CleanSession: true})
	require.NoError(t, sender.Publish(t.Context(), "t/gw/batch", false, []byte("0")))
	require.NoError(t, sender.Publish(t.Context(), "t/gw/batch", false, []byte("1")))
	m := <-got
	require.Equal(t, "0", string(m.Payload))
	m.Ack()
	require.Equal(t, "1", string((<-got).Payload)) // never acknowledged
	require.NoError(t, first.Close())

	for i := 2; i < 10; i++ {
		require.NoError(t, sender.Publish(t.Context(), "t/gw/batch", false, fmt.Append(nil, i)))
	}
	second := dial(t, Options{Broker: url, ClientID: "ingest"})
	require.NoError(t, second.Subscribe(t.Context(), []string{"t/+/batch"}, func(m Message) { m.Ack(); got <- m }))
	seen := map[string]bool{}
	for len(seen) < 9 {
		seen[string((<-got).Payload)] = true
	}
	require.NotContains(t, seen, "0")
}
