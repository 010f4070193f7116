package server

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/mqtt"
)

// A configuration that is sent is signed, retained, and its fate is told.
func TestConfigure(t *testing.T) {
	conf := testConfig(t)
	p, err := readProgramme(conf.Programme)
	require.NoError(t, err)
	topic := func(l batch.Leaf) string { return batch.Topic(p.Territory.ID, "gw-1", l) }
	b, err := broker.Start(context.Background(), broker.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Users: []broker.User{
		{Name: "ingest", Password: "i", Publish: []string{"thermie/#"}, Subscribe: []string{"thermie/#"}},
		{Name: "gw-1", Password: "g", Publish: []string{"thermie/#"}, Subscribe: []string{"thermie/#"}}}})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	secret := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(secret, []byte("i"), 0o600))
	conf.Broker = Broker{URL: b.URL(), Username: "ingest", PasswordFile: secret}
	keys, err := loadKeys(conf.Data)
	require.NoError(t, err)

	gateway, err := mqtt.Dial(t.Context(), mqtt.Options{Broker: b.URL(), ClientID: "gw-1", Username: "gw-1", Password: "g", CleanSession: true})
	require.NoError(t, err)
	t.Cleanup(func() { gateway.Close() })
	got := make(chan batch.Desired, 1)
	require.NoError(t, gateway.Subscribe(t.Context(), []string{topic(batch.TopicConfig)}, func(m mqtt.Message) {
		m.Ack()
		d, err := batch.OpenDesired(m.Payload, keys.Server.Public().(ed25519.PublicKey))
		if err != nil {
			t.Error(err)
		}
		got <- d
	}))
	go func() {
		d := <-got
		for _, r := range []batch.ConfigReport{{Number: d.Number - 1, State: batch.ConfigRunning}, {Number: d.Number, State: batch.ConfigTrying},
			{Number: d.Number, State: batch.ConfigRolledBack, Detail: string(d.Text)}} {
			r.Gateway = "gw-1"
			payload, err := json.Marshal(r)
			if err == nil {
				err = gateway.Publish(context.Background(), topic(batch.TopicReport), true, payload)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	var states []string
	r, err := Configure(t.Context(), conf, Configuration{Gateway: "gw-1", Number: 9, Within: time.Minute, Text: []byte("x: 1"), Now: time.Unix(1e9, 0)},
		func(r batch.ConfigReport) { states = append(states, r.State) })
	require.NoError(t, err)
	require.Equal(t, batch.ConfigRolledBack, r.State)
	require.Equal(t, "x: 1", r.Detail)
	require.Equal(t, []string{batch.ConfigTrying, batch.ConfigRolledBack}, states)

	_, err = Configure(t.Context(), conf, Configuration{Gateway: "GW"}, nil)
	require.ErrorContains(t, err, `identifier "GW"`)
	_, err = Configure(t.Context(), conf, Configuration{Gateway: "gw-1", Text: make([]byte, batch.MaxDesired)}, nil)
	require.ErrorIs(t, err, batch.ErrTooLarge)
}
