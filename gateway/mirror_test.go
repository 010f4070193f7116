package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/mqtt"
)

// TestMirror: what is read is shown on the site's own broker, although the
// programme's is away.
func TestMirror(t *testing.T) {
	b, err := broker.Start(context.Background(), broker.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0",
		Users: []broker.User{{Name: site, Password: "g", Publish: []string{"#"}, Subscribe: []string{"#"}}}})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	_, path := configure(t, "tcp://127.0.0.1:1")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = fmt.Appendf(bytes.TrimSpace(text), "\nmirror: {broker: {url: %q, username: %s, password_file: password}, homeassistant: ha}\n", b.URL(), site)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	c, err := gateway.LoadConfig(path)
	require.NoError(t, err)
	conn, err := mqtt.Dial(t.Context(), mqtt.Options{Broker: b.URL(), ClientID: "look", Username: site, Password: "g", CleanSession: true})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	seen := make(chan mqtt.Message, 1000)
	require.NoError(t, conn.Subscribe(t.Context(), []string{"thermie/#", "ha/#"}, func(m mqtt.Message) {
		m.Ack()
		seen <- m
	}))
	_, stop := run(t, c)
	found, readings := false, false
	for m := range seen {
		found = found || strings.HasPrefix(m.Topic, "ha/sensor/gw-fonderie_fonderie-compresseurs_active_power")
		readings = readings || m.Topic == "thermie/fonderie-compresseurs" && bytes.Contains(m.Payload, []byte(`"n":"active_power"`))
		if found && readings {
			break
		}
	}
	stop()
}
