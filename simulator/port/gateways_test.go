package port

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/metering"
)

// TestGatewayYAML: every meter stands in exactly one gateway's configuration,
// with the way to reach it.
func TestGatewayYAML(t *testing.T) {
	p := demo(t)
	s, err := p.Serve(ServeOptions{Now: func() time.Time { return testEpoch }})
	require.NoError(t, err)
	defer s.Close()
	o := GatewayOptions{Territory: "port-demo", Data: "data", BatchInterval: time.Minute, Broker: Broker{URL: "tcp://127.0.0.1:1883", Username: "x"}, IngestKey: "AAAA"}
	meters, rtu := map[string]bool{}, 0
	for _, g := range p.Gateways() {
		b, err := p.GatewayYAML(s, g, o)
		require.NoError(t, err)
		var f gatewayFile
		require.NoError(t, yaml.Unmarshal(b, &f))
		require.Equal(t, g, f.Gateway)
		require.NoError(t, metering.CheckID(f.Gateway))
		require.EqualValues(t, "synthetic", f.Origin)
		seen := map[string]bool{}
		for _, bus := range f.Buses {
			require.False(t, seen[bus.ID])
			seen[bus.ID] = true
			require.True(t, bus.Address != "" || bus.Device != "" && bus.Baud > 0)
			if bus.Type != "tcp" {
				rtu++
				require.GreaterOrEqual(t, len(bus.Meters), 2)
			}
			for _, m := range bus.Meters {
				require.False(t, meters[m.ID])
				meters[m.ID] = true
			}
		}
	}
	require.Len(t, meters, len(p.Meters()))
	require.GreaterOrEqual(t, len(meters), 48)
	require.Equal(t, 2, rtu)
	_, err = p.GatewayYAML(s, "gw-nobody", o)
	require.ErrorContains(t, err, "gw-nobody")
	t.Logf("%d meters", len(meters))

	replay, err := New(Options{Seed: 1, Epoch: testEpoch, Library: library(t), Replay: sample(t)})
	require.NoError(t, err)
	b, err := replay.GatewayYAML(s, "gw-laiterie", o)
	require.NoError(t, err)
	var f gatewayFile
	require.NoError(t, yaml.Unmarshal(b, &f))
	require.EqualValues(t, "replayed", f.Origin)
	require.Len(t, f.Buses, 1)
	require.Len(t, f.Buses[0].Meters, 2)
}

// TestFixedPorts: with a first port a second start has the same addresses.
func TestFixedPorts(t *testing.T) {
	p := demo(t)
	free, err := p.Serve(ServeOptions{})
	require.NoError(t, err)
	last := free.Buses[len(free.Buses)-1].Address
	require.NoError(t, free.Close())
	require.NotEmpty(t, last)
	const first = 23710
	a, err := p.Serve(ServeOptions{FirstPort: first})
	if err != nil {
		require.ErrorContains(t, err, "address already in use") // somebody else's port: the error names it
		return
	}
	addresses := a.Buses
	_, err = p.Serve(ServeOptions{FirstPort: first})
	require.ErrorContains(t, err, "23710")
	require.NoError(t, a.Close())
	b, err := p.Serve(ServeOptions{FirstPort: first})
	require.NoError(t, err)
	for i := range addresses {
		require.Equal(t, addresses[i].Address, b.Buses[i].Address)
	}
	require.NoError(t, b.Close())
}
