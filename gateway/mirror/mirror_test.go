package mirror

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/thermie/thermie/broker"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func reading(id metering.SeriesID, at int64, number string, unit metering.Unit) metering.Reading {
	return metering.Reading{Series: id, At: at, Number: metering.MustDecimal(number), Unit: unit}
}

func TestSenML(t *testing.T) {
	odd := reading("m-1/flow_temperature", 1772366460250, "81.5", metering.Celsius)
	odd.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
	gone := reading("m-1/volume", 1772366460250, "0", metering.CubicM)
	gone.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
	got := senML("m-1", []metering.Reading{gone, reading("m-1/heat_energy", 1772366460000, "9007199254740993.01", metering.KWh), odd})
	require.Equal(t, `[{"bn":"m-1/","bt":1772366460,"n":"heat_energy","u":"kWh","v":9007199254740993.01},`+
		`{"n":"flow_temperature","u":"Cel","v":81.5,"t":0.25,"quality":"suspect:frozen"}]`, string(got))
	require.Nil(t, senML("m-1", []metering.Reading{gone}))
}

func testOptions() Options {
	series := []metering.SeriesID{"m-1/heat_energy", "m-1/flow_temperature"}
	return Options{Gateway: "gw.1", Topic: "site", Discovery: "homeassistant", Meters: []Meter{{ID: "m-1", Maker: "Maker", Model: "Model", Series: series,
		Units: map[metering.SeriesID]metering.Unit{series[0]: metering.KWh, series[1]: metering.Celsius}}}}
}

func TestDiscovery(t *testing.T) {
	list := New(testOptions()).discovery()
	require.Len(t, list, 2)
	require.Equal(t, "homeassistant/sensor/gw_1_m-1_heat_energy/config", list[0].topic)
	require.True(t, list[0].retained)
	var s map[string]any
	require.NoError(t, json.Unmarshal(list[0].payload, &s))
	require.Equal(t, []any{"energy", "total_increasing", "kWh", "site/m-1", "site/_gateway", "Énergie thermique"},
		[]any{s["device_class"], s["state_class"], s["unit_of_measurement"], s["state_topic"], s["availability_topic"], s["name"]})
	require.NoError(t, json.Unmarshal(list[1].payload, &s))
	require.Equal(t, []any{"temperature", "measurement", "°C"}, []any{s["device_class"], s["state_class"], s["unit_of_measurement"]})
	o := testOptions()
	o.Discovery = ""
	require.Empty(t, New(o).discovery())
}

// While the broker is away the oldest go, and nobody waits.
func TestNeverBlocks(t *testing.T) {
	m := New(testOptions())
	for i := range mostHeld + 10 {
		m.Emit([]metering.Reading{reading("m-1/heat_energy", int64(i), "1", metering.KWh)})
	}
	require.Len(t, m.wait, mostHeld)
	require.Contains(t, string((<-m.wait).payload), `"bt":0.01`)
}

// TestRun: discovery, liveliness and readings reach a broker that comes late.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	users := []broker.User{{Name: "u", Password: "p", Publish: []string{"#"}, Subscribe: []string{"#"}}}
	b, err := broker.Start(context.Background(), broker.Options{Dir: dir, Listen: "127.0.0.1:0", Users: users})
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	conn, err := mqtt.Dial(t.Context(), mqtt.Options{Broker: b.URL(), ClientID: "look", Username: "u", Password: "p", CleanSession: true})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	var mu sync.Mutex
	got := map[string]string{}
	require.NoError(t, conn.Subscribe(t.Context(), []string{"site/#", "homeassistant/#"}, func(x mqtt.Message) {
		x.Ack()
		mu.Lock()
		got[x.Topic] = string(x.Payload)
		mu.Unlock()
	}))
	has := func(topic, payload string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return got[topic] == payload
		}
	}
	o := testOptions()
	o.Broker = mqtt.Options{Broker: b.URL(), Username: "u", Password: "p"}
	m := New(o)
	m.Emit([]metering.Reading{reading("m-1/heat_energy", 0, "1", metering.KWh), reading("m-2/volume", 0, "2", metering.CubicM)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { m.Run(ctx); close(ended) }()
	require.Eventually(t, has("site/m-1", `[{"bn":"m-1/","bt":0,"n":"heat_energy","u":"kWh","v":1}]`), 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, has("site/m-2", `[{"bn":"m-2/","bt":0,"n":"volume","u":"m3","v":2}]`), 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, has("site/_gateway", "online"), 20*time.Second, 5*time.Millisecond)
	cancel()
	<-ended
	require.Eventually(t, has("site/_gateway", "offline"), 20*time.Second, 5*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, got, "homeassistant/sensor/gw_1_m-1_flow_temperature/config")
}
