//go:build integration

package integration

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/pki"
)

// dial connects to the broker with the certificate of a name.
func (m *mosquitto) dial(t testing.TB, name string) (*mqtt.Conn, error) {
	t.Helper()
	cert, key := "", ""
	if name != "" {
		cert, key = filepath.Join(m.certs, name+".crt"), filepath.Join(m.certs, name+".key")
	}
	conf, err := pki.Client(filepath.Join(m.certs, "ca.crt"), cert, key)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := mqtt.Dial(ctx, mqtt.Options{Broker: m.url, ClientID: "test-" + name, TLS: conf, CleanSession: true})
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// The broker's rules of deploy/ give a gateway its own branch and no other,
// and nobody anything without a certificate.
func TestBrokerAccessRules(t *testing.T) {
	m := startMosquitto(t, "gw-1", "gw-2", "ingest")
	_, err := m.dial(t, "")
	require.Error(t, err, "no certificate, no connection")

	ingest, err := m.dial(t, "ingest")
	require.NoError(t, err)
	gw1, err := m.dial(t, "gw-1")
	require.NoError(t, err)
	gw2, err := m.dial(t, "gw-2")
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	heard := make(chan string, 100)
	hear := func(who string) func(mqtt.Message) {
		return func(msg mqtt.Message) { heard <- who + " " + msg.Topic + " " + string(msg.Payload); msg.Ack() }
	}
	require.NoError(t, ingest.Subscribe(ctx, []string{batch.Topic("port", "+", batch.TopicBatch), batch.Topic("port", "+", batch.TopicStatus)}, hear("ingest")))
	require.NoError(t, gw1.Subscribe(ctx, []string{batch.Topic("port", "gw-1", batch.TopicReceipt)}, hear("gw-1")))
	// A gateway that asks for another's receipts or batches is told no, or hears nothing.
	gw2.Subscribe(ctx, []string{batch.Topic("port", "gw-1", batch.TopicReceipt)}, hear("gw-2"))

	publish := func(c *mqtt.Conn, gateway string, leaf batch.Leaf, what string) {
		require.NoError(t, c.Publish(ctx, batch.Topic("port", gateway, leaf), false, []byte(what)))
	}
	publish(gw2, "gw-1", batch.TopicBatch, "forged")      // another's branch: the broker drops it
	publish(gw1, "gw-1", batch.TopicReceipt, "forged")    // a gateway writes no receipts
	publish(gw1, "gw-1", batch.TopicConfig, "forged")     // nor configurations
	publish(ingest, "gw-1", batch.TopicBatch, "forged")   // ingest writes no batches
	publish(gw1, "gw-1", batch.TopicBatch, "mine")        // its own branch
	publish(ingest, "gw-1", batch.TopicReceipt, "thanks") // ingest answers
	publish(gw1, "gw-1", batch.TopicBatch, "last")

	var got []string
	for range 3 {
		select {
		case s := <-heard:
			got = append(got, s)
		case <-ctx.Done():
			t.Fatalf("heard only %q", got)
		}
	}
	require.ElementsMatch(t, []string{
		"ingest thermie/v1/port/gw-1/batch mine",
		"ingest thermie/v1/port/gw-1/batch last",
		"gw-1 thermie/v1/port/gw-1/receipt thanks",
	}, got)
	require.Empty(t, heard, "nothing forged passed")
}
