package gateway

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

const goodConfig = `gateway: gw-1
territory: port
data: data
broker:
  url: tcp://127.0.0.1:1883
ingest_key: 5zTqbCtiV95yNV5HKqBaTEh+a0Y8Ap7TBt8vAbVja1g=
buses:
  - id: tcp-1
    type: tcp
    address: 127.0.0.1:5020
    meters:
      - id: m-1
        unit: 1
        profile: schneider-iem3000
      - id: m-2
        unit: 2
        profile: eastron-sdm630
        interval: 30s
  - id: rtu-1
    type: rtu
    device: /dev/ttyUSB0
    parity: none
    meters:
      - id: p-1
        unit: 7
        profile: saia-pcd7-h104d
        channel: 1
        pulse: {quantity: gas_volume, weight: 0.1, unit: m3}
`

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLoadConfig(t *testing.T) {
	path := write(t, goodConfig)
	c, err := LoadConfig(path)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(filepath.Dir(path), "data"), c.Data)
	require.Equal(t, batch.HashOf([]byte(goodConfig)), c.Hash())
	require.Equal(t, batch.Measured, c.Origin)
	require.Equal(t, DefaultBatchInterval, c.BatchInterval)
	buses := c.PollBuses()
	require.Len(t, buses, 2)
	require.Equal(t, "schneider-iem3000", buses[0].Meters[0].Profile.ID)
	require.Equal(t, DefaultInterval, buses[0].Meters[0].Interval)
	require.Equal(t, 30*time.Second, buses[0].Meters[1].Interval)
	require.Equal(t, time.Second, buses[0].Endpoint.Timeout)
	e := buses[1].Endpoint
	require.Equal(t, modbus.Endpoint{Type: "rtu", Device: "/dev/ttyUSB0", Baud: 19200, Parity: "none", StopBits: 1, DataBits: 8, Timeout: e.Timeout, Quiet: e.Quiet}, e)
	require.Equal(t, metering.MustDecimal("0.1"), buses[1].Meters[0].Pulse.Weight)
}

// TestConfigRefuses: each refusal is one line with the file, the line, the key
// and what is wrong.
func TestConfigRefuses(t *testing.T) {
	replace := func(old, new string) string {
		require.Contains(t, goodConfig, old)
		return strings.Replace(goodConfig, old, new, 1)
	}
	for _, c := range []struct{ text, want string }{
		{"", "gateway.yaml: gateway: identifier"},
		{"gateway: [", "gateway.yaml:1: did not find"},
		{"- a\n", "gateway.yaml:1: \"\" is not a group of keys"},
		{goodConfig + "---\na: 1\n", "more than one YAML document"},
		{replace("gateway: gw-1", "gateway: GW 1"), `gateway.yaml:1: gateway: identifier "GW 1"`},
		{replace("territory: port", "territorry: port"), `gateway.yaml:2: unknown key "territorry"`},
		{replace("territory: port", "territory: port\nterritory: quay"), `gateway.yaml:3: key "territory" is there twice, also in line 2`},
		{replace("data: data", "origin: guessed"), `gateway.yaml:3: origin: "guessed" is none of`},
		{replace("data: data", `data: ""`), "gateway.yaml:3: data: names no folder"},
		{replace("data: data", "batch_interval: 60"), `gateway.yaml:3: batch_interval: "60" is not a duration like 10s`},
		{replace("data: data", "batch_interval: 100ms"), "gateway.yaml:3: batch_interval: 100ms is not between 1s and 1h"},
		{replace("data: data", "batch_interval: 7s"), "gateway.yaml:3: batch_interval: a day is no multiple of 7s"},
		{replace("tcp://127.0.0.1:1883", "mqtt.example.org"), "gateway.yaml:5: broker.url: \"mqtt.example.org\" is not the address of a broker"},
		{replace("tcp://127.0.0.1:1883", "tcp://10.0.0.1:1883"), "gateway.yaml:5: broker.url: tcp://10.0.0.1:1883 is not loopback"},
		{replace("tcp://127.0.0.1:1883", "tls://a:b@h:8883"), "gateway.yaml:5: broker.url: has a name or password in it"},
		{replace("tcp://127.0.0.1:1883", "tls://h:8883\n  cert_file: x"), "gateway.yaml:4: broker: cert_file and key_file go together"},
		{replace("tcp://127.0.0.1:1883", "tls://h:8883\n  ca_file: nowhere.crt"), "gateway.yaml:6: broker.ca_file: stat"},
		{replace("tcp://127.0.0.1:1883", "tls://h:8883\n  password_file: p"), "gateway.yaml:6: broker.password_file: a password without a username"},
		{replace("  url", "  user: x\n  url"), `gateway.yaml:5: unknown key "user" in broker`},
		{replace("ingest_key: 5z", "ingest_key: 5"), "gateway.yaml:6: ingest_key:"},
		{replace("ingest_key: ", "# "), "gateway.yaml: ingest_key: \"\" is not an Ed25519 public key"},
		{replace("data: data", "spool: {max_bytes: 1000}"), "gateway.yaml:3: spool.max_bytes: 1000 is less than"},
		{replace("data: data", "spool: {max_bytes: 1GB}"), `gateway.yaml:3: max_bytes: "1GB" is not a whole number`},
		{replace("data: data", "spool: {when_full: panic}"), `gateway.yaml:3: spool.when_full: "panic" is neither`},
		{replace("data: data", "listen: 0.0.0.0:80"), "gateway.yaml:3: listen: 0.0.0.0:80 is not loopback, so the page needs a password"},
		{replace("data: data", "page: {password_file: nowhere}"), "gateway.yaml:3: page.password_file: stat"},
		{replace("data: data", "mirror: {broker: {url: tcp://10.0.0.1:1883}}"), "gateway.yaml:3: mirror.broker.url: tcp://10.0.0.1:1883 is not loopback"},
		{replace("data: data", "mirror: {clear: true, broker: {url: tcp://10.0.0.1:1883}, topic: a/#}"), `gateway.yaml:3: mirror.topic: "a/#" is not the beginning`},
		{replace("data: data", "remote: {key: abc}"), "gateway.yaml:3: remote.key: \"abc\" is not an Ed25519"},
		{replace("data: data", "listen: nowhere"), `gateway.yaml:3: listen: "nowhere" is not host:port`},
		{replace("data: data", "log: {level: loud}"), `gateway.yaml:3: log.level: "loud"`},
		{replace("data: data", "log: {format: xml}"), `gateway.yaml:3: log.format: "xml"`},
		{replace("data: data", "profiles: nowhere"), "gateway.yaml:3: profiles: open"},
		{goodConfig[:strings.Index(goodConfig, "buses")], "gateway.yaml: buses: there are none"},
		{replace("id: tcp-1", "id: TCP"), "gateway.yaml:8: buses[1].id: identifier"},
		{replace("id: rtu-1", "id: tcp-1"), "gateway.yaml:19: buses[2].id: bus tcp-1 is there twice"},
		{replace("type: tcp", "type: udp"), `gateway.yaml:9: buses[1].type: bus tcp-1: "udp" is none of tcp, rtu, rtu-over-tcp`},
		{replace("127.0.0.1:5020", "127.0.0.1"), `gateway.yaml:10: buses[1].address: bus tcp-1: "127.0.0.1" is not host:port`},
		{replace("/dev/ttyUSB0", "ttyUSB0"), `gateway.yaml:21: buses[2].device: bus rtu-1: "ttyUSB0" is not the path of a serial port`},
		{replace("parity: none", "parity: mark"), `gateway.yaml:21: buses[2].device: bus rtu-1: modbus: parity "mark"`},
		{replace("parity: none", "address: a:1"), "gateway.yaml:22: buses[2].address: bus rtu-1: type rtu has a device, no address"},
		{replace("parity: none", "in_flight: 2"), "gateway.yaml:22: buses[2].in_flight: bus rtu-1: type rtu is asked one question at a time"},
		{replace("parity: none", "in_flight: 9"), "gateway.yaml:22: buses[2].in_flight: bus rtu-1: 9 is not between 1 and 8"},
		{replace("parity: none", "timeout: 2m"), "gateway.yaml:22: buses[2].timeout: bus rtu-1: 2m0s is not between"},
		{replace("type: rtu\n    device: /dev/ttyUSB0\n    parity: none", "type: tcp\n    address: 127.0.0.1:5020"), "gateway.yaml:21: buses[2].address: bus rtu-1: 127.0.0.1:5020 is bus tcp-1 already"},
		{replace("id: m-2", "id: m-1"), "gateway.yaml:15: buses[1].meters[2].id: meter m-1 is there twice"},
		{replace("id: p-1", "id: m-1"), "gateway.yaml:24: buses[2].meters[1].id: meter m-1 is there twice, also on bus tcp-1"},
		{replace("unit: 2", "unit: 1"), "gateway.yaml:16: buses[1].meters[2].unit: bus tcp-1: meter m-2: unit 1 has profile schneider-iem3000"},
		{replace("unit: 2", "unit: 300"), "gateway.yaml:16: buses[1].meters[2].unit: meter m-2: unit 300 is not between 0 and 255"},
		{replace("unit: 2", "unit: two"), `gateway.yaml:16: unit: "two" is not a whole number`},
		{replace("unit: 7", "unit: 0"), "gateway.yaml:25: buses[2].meters[1].unit: bus rtu-1: meter p-1: unit 0 is not between 1 and 247"},
		{replace("schneider-iem3000", "schneider-iem300"), "gateway.yaml:14: buses[1].meters[1].profile: meter m-1: profile \"schneider-iem300\" is not known; nearest: schneider-iem3000, "},
		{replace("interval: 30s", "interval: 1ms"), "gateway.yaml:18: buses[1].meters[2].interval: bus tcp-1: meter m-2: interval 1ms is below"},
		{replace("interval: 30s", "interval: 2h"), "gateway.yaml:18: buses[1].meters[2].interval: meter m-2: 2h0m0s is not between"},
		{replace("interval: 30s", "intervall: 30s"), `gateway.yaml:18: unknown key "intervall" in a meter`},
		{replace("channel: 1", "channel: 99"), "gateway.yaml:27: buses[2].meters[1].channel: bus rtu-1: meter p-1: channel 99: profile saia-pcd7-h104d has the channels"},
		{replace("weight: 0.1", "weight: x"), "gateway.yaml:28: buses[2].meters[1].pulse: meter p-1: weight: decimal"},
		{replace("unit: m3", "unit: l"), "gateway.yaml:28: buses[2].meters[1].pulse: bus rtu-1: meter p-1: pulse: gas_volume cannot be in \"l\""},
		{replace("interval: 30s", "quantities: {active_powr: {interval: 1s}}"), "gateway.yaml:18: buses[1].meters[2].quantities: bus tcp-1: meter m-2: quantities: profile eastron-sdm630 gives no active_powr"},
		{replace("interval: 30s", "quantities: {active_power: {interval: 1ms}}"), "gateway.yaml:18: buses[1].meters[2].quantities: bus tcp-1: meter m-2: quantities: active_power: interval 1ms is below"},
		{replace("interval: 30s", "quantities: {active_power: {interval: 2h}}"), "gateway.yaml:18: buses[1].meters[2].quantities: meter m-2: active_power: interval 2h0m0s is not between"},
		{replace("interval: 30s", "quantities: {active_energy_import: {average: true}}"), "gateway.yaml:18: buses[1].meters[2].quantities: meter m-2: active_energy_import is a counter"},
		{replace("interval: 30s", "quantities: {active_power: {average: true, skip: true}}"), "meter m-2: active_power is skipped"},
		{replace("interval: 30s", "quantities: {active_power: {avarage: true}}"), `gateway.yaml:18: unknown key "avarage" in a quantity`},
		{replace("gas_volume", "gas"), "gateway.yaml:28: buses[2].meters[1].pulse: bus rtu-1: meter p-1: pulse: quantity \"gas\" is not known"},
	} {
		_, err := LoadConfig(write(t, c.text))
		require.Error(t, err, c.want)
		require.Contains(t, err.Error(), c.want)
		require.NotContains(t, err.Error(), "\n")
	}
	_, err := LoadConfig(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorContains(t, err, "none.yaml")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, nil, 0o644))
	_, err = LoadConfig(write(t, replace("tcp://127.0.0.1:1883", "tls://h:8883\n  username: u\n  password_file: "+secret)))
	require.ErrorContains(t, err, "gateway.yaml:7: broker.password_file: everybody may read")
}

// TestOwnProfiles: a site's folder of profiles stands over the built-in ones.
func TestOwnProfiles(t *testing.T) {
	text, err := os.ReadFile("../firmware-configs/meters/schneider-iem3000.yaml")
	require.NoError(t, err)
	path := write(t, strings.Replace(goodConfig, "data: data", "profiles: own", 1))
	own := filepath.Join(filepath.Dir(path), "own")
	require.NoError(t, os.Mkdir(own, 0o700))
	_, err = LoadConfig(path)
	require.NoError(t, err)
	changed := strings.Replace(string(text), "maker: Schneider Electric", "maker: Somebody", 1)
	require.NotEqual(t, string(text), changed)
	require.NoError(t, os.WriteFile(filepath.Join(own, "schneider-iem3000.yaml"), []byte(changed), 0o600))
	c, err := LoadConfig(path)
	require.NoError(t, err)
	require.Equal(t, "Somebody", c.PollBuses()[0].Meters[0].Profile.Maker)
	require.NoError(t, os.WriteFile(filepath.Join(own, "bad.yaml"), []byte("x: 1\n"), 0o600))
	_, err = LoadConfig(path)
	require.ErrorContains(t, err, "profiles:")
	require.ErrorContains(t, err, "bad.yaml")
}

// TestExample: the commented example is a good configuration, and every key
// that there is stands in it.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../deploy/gateway.example.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "certs"), 0o700))
	for _, name := range []string{"ca.crt", "gw-fonderie.crt", "gw-fonderie.key"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "certs", name), nil, 0o600))
	}
	path := filepath.Join(dir, "gateway.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	c, err := LoadConfig(path)
	require.NoError(t, err)
	require.Len(t, c.PollBuses(), 3)
	var walk func(reflect.Type)
	seen := 0
	walk = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice || ty.Kind() == reflect.Map {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct {
			return
		}
		for i := range ty.NumField() {
			key, _, _ := strings.Cut(ty.Field(i).Tag.Get("yaml"), ",")
			if key == "" {
				continue
			}
			seen++
			require.Regexp(t, regexp.MustCompile(`(?m)(^|[\s{#,-])`+key+`:`), string(text), "key %s of %s is not in the example", key, ty)
			walk(ty.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[Config]())
	require.Greater(t, seen, 45)
}

func TestNearest(t *testing.T) {
	require.Equal(t, []string{"eastron-sdm630", "eastron-sdm120"}, nearest("eastron-sdm63", []string{"abb-b23", "eastron-sdm120", "eastron-sdm630"}, 2))
	require.Equal(t, 3, edits("kitten", "sitting"))
	require.Equal(t, 4, edits("", "four"))
}

// FuzzConfig: whatever the file holds, there is a configuration or one line.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte("buses: [{meters: [{unit: 1e9}]}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("broker: 1\nbuses: x\n"))
	path := filepath.Join(f.TempDir(), "gateway.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		c, err := LoadConfig(path)
		if err == nil {
			require.NotEmpty(t, c.PollBuses())
			return
		}
		require.Contains(t, err.Error(), "gateway.yaml")
		require.NotContains(t, err.Error(), "\n")
	})
}
