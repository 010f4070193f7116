package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/mqtt"
)

// TestReconfigured: a running gateway takes a signed configuration, proves it by
// reaching the broker, refuses one that is not valid, and its file is left alone.
func TestReconfigured(t *testing.T) {
	b, err := broker.Start(context.Background(), broker.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0",
		Users: []broker.User{{Name: site, Password: "right", Publish: []string{"thermie/#"}, Subscribe: []string{"thermie/#"}}}})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	dir := t.TempDir()
	text, _ := siteYAML(t, b.URL())
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	original := string(text) + "listen: " + address + "\nremote: {key: " + base64.StdEncoding.EncodeToString(public) + "}\n"
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(path, []byte(original), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte("right"), 0o600))

	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- execute(ctx, io.Discard, "run", "--config", path) }()
	conn, err := mqtt.Dial(t.Context(), mqtt.Options{Broker: b.URL(), ClientID: "server", Username: site, Password: "right", CleanSession: true})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	reports := make(chan batch.ConfigReport, 16)
	require.NoError(t, conn.Subscribe(t.Context(), []string{batch.Topic("port-demo", site, batch.TopicReport)}, func(m mqtt.Message) {
		m.Ack()
		r, err := batch.ParseConfigReport(m.Payload)
		if err != nil {
			t.Error(err)
		}
		reports <- r
	}))
	await := func(number uint64, state string) batch.ConfigReport {
		t.Helper()
		for {
			select {
			case r := <-reports:
				if r.Number == number && r.State == state {
					return r
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("no report %s of %d", state, number)
			}
		}
	}
	send := func(number uint64, text string) {
		t.Helper()
		sealed, err := batch.SealDesired(batch.Desired{Gateway: site, Number: number, WithinSeconds: 60, Text: []byte(text)}, private)
		require.NoError(t, err)
		require.NoError(t, conn.Publish(t.Context(), batch.Topic("port-demo", site, batch.TopicConfig), true, sealed))
	}
	require.Equal(t, batch.HashOf([]byte(original)).String(), await(0, batch.ConfigLocal).Config)
	changed := strings.Replace(original, "interval: 10s", "interval: 20s", 1)
	require.NotEqual(t, original, changed)
	send(1, changed)
	require.Equal(t, batch.HashOf([]byte(changed)).String(), await(1, batch.ConfigRunning).Config)
	send(2, "gateway: x\n")
	r := await(2, batch.ConfigRefused)
	require.Contains(t, r.Detail, "territory")
	require.Equal(t, batch.HashOf([]byte(changed)).String(), r.Config, "what was proved goes on")
	page, err := http.Get("http://" + address + "/?lang=en")
	require.NoError(t, err)
	body, err := io.ReadAll(page.Body)
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	require.Contains(t, string(body), "the last one sent was refused (no. 2)")
	http.DefaultClient.CloseIdleConnections()
	cancel()
	require.NoError(t, <-result)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, original, string(kept))
}
