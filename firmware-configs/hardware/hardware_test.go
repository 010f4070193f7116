package hardware

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
	"github.com/thermie/thermie/firmware-configs/schema"
)

func TestBuiltin(t *testing.T) {
	all, err := Builtin()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 6)
	for _, m := range all {
		text, err := firmwareconfigs.Files.ReadFile("gateways/" + m.ID + ".yaml")
		require.NoError(t, err)
		require.NoError(t, schema.Check(schema.Gateway, text), m.ID)
		got, err := Get(m.ID)
		require.NoError(t, err)
		require.Same(t, m, got)
		require.Positive(t, m.Data.WritesPerYear())
	}
	_, err = Get("toaster")
	require.ErrorContains(t, err, "raspberry-pi-4")
}

// what the reader refuses: each case is one change of a good file.
func TestParseRefuses(t *testing.T) {
	good, err := firmwareconfigs.Files.ReadFile("gateways/x86-generic.yaml")
	require.NoError(t, err)
	_, err = Parse("x86-generic.yaml", good)
	require.NoError(t, err)
	for _, c := range []struct{ name, old, new, want string }{
		{"another name", "id: x86-generic", "id: other", "file's name"},
		{"unknown key", "maker: Any", "maker: Any\nnonsense: 1", "nonsense"},
		{"platform", "linux/amd64", "plan9/386", "platform"},
		{"trust", "trust: document", "trust: hearsay", "trust"},
		{"device", "device: /dev/ttyS0", "device: COM1", "device"},
		{"direction", "direction: rts", "direction: sideways", "direction"},
		{"medium", "medium: ssd", "medium: punched cards", "medium"},
		{"interval", "batch_interval: 1m", "batch_interval: 7m", "divides a day"},
		{"watchdog", "device: /dev/watchdog,", "device: dog,", "dog"},
		{"two documents", "maker: Any", "---\nmaker: Any", "more than one"},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		require.NotEqual(t, string(good), text, c.name)
		_, err := Parse("x86-generic.yaml", []byte(text))
		require.ErrorContains(t, err, c.want, c.name)
	}
	_, err = Parse("x86-generic.yaml", make([]byte, maxFileBytes+1))
	require.ErrorContains(t, err, "at most")
}

func TestBusExample(t *testing.T) {
	no := false
	require.Equal(t, `buses:
  - id: rs485
    type: rtu
    device: /dev/ttyS0
    baud: 9600
    parity: none # the port has no parity
    stop_bits: 2
    rs485:
      rts_high_during_send: true
      rts_high_after_send: false
`, Port{Device: "/dev/ttyS0", Direction: RTS, RTSHigh: true, Parity: &no}.BusExample("rs485"))
}
