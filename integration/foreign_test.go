//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/term"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

// tables are the registers of a unit, as the foreign slave takes them.
type tables struct {
	Holding map[string]uint16 `json:"holding"`
	Input   map[string]uint16 `json:"input"`
}

// imageOf is a device that shows plausible numbers, with every register between
// its quantities, so that a master may bridge them.
func imageOf(t *testing.T, id string, numbers map[metering.Quantity]string) (p *profile.Profile, m profile.Image, out tables) {
	library, err := profile.Builtin()
	require.NoError(t, err)
	p, err = library.Get(id)
	require.NoError(t, err)
	m = profile.Image{}
	for i := range p.Fields {
		n := numbers[p.Fields[i].Quantity]
		if n == "" {
			n = "0"
		}
		require.NoError(t, p.Fields[i].Encode(metering.MustDecimal(n), m))
	}
	for _, q := range p.Fingerprint {
		require.NoError(t, q.Put(m))
	}
	out = tables{map[string]uint16{}, map[string]uint16{}}
	for cell, w := range m {
		table := out.Holding
		if cell.Table == profile.Input {
			table = out.Input
		}
		table[strconv.Itoa(int(cell.Address))] = w
	}
	return p, m, out
}

// startForeign starts the slave that is not ours and waits until it serves.
func startForeign(t *testing.T, image map[string]tables, args ...string) {
	t.Helper()
	text, err := json.Marshal(image)
	require.NoError(t, err)
	cmd := exec.Command(program(t, "THERMIE_PYMODBUS"), append([]string{filepath.Join("foreign", "slave.py")}, args...)...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(text)), t.Output()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 6)
	_, err = io.ReadFull(out, line)
	require.NoError(t, err)
	require.Equal(t, "ready\n", string(line))
}

// nullModem is a cable between two serial ports, whose paths it returns.
func nullModem(t *testing.T) (a, b string) {
	t.Helper()
	var masters [2]*os.File
	var names [2]string
	for i := range masters {
		m, s, err := pty.Open()
		require.NoError(t, err)
		_, err = term.MakeRaw(int(s.Fd()))
		require.NoError(t, err)
		masters[i], names[i] = m, s.Name()
		t.Cleanup(func() { m.Close(); s.Close() })
	}
	for i := range masters {
		go func() { _, _ = io.Copy(masters[i], masters[1-i]) }()
	}
	return names[0], names[1]
}

var shows = map[metering.Quantity]string{metering.ActiveEnergyImport: "123456.7", metering.ActivePower: "12.5", metering.ActivePowerL1: "4", metering.ActivePowerL2: "4.5",
	metering.ActivePowerL3: "4", metering.VoltageL1: "231.5", metering.VoltageL2: "230", metering.VoltageL3: "229.5", metering.Frequency: "50", metering.PowerFactor: "0.75"}

// TestForeignSlave: the gateway as it is shipped reads, checks and recognises
// meters that a slave of other people shows, over all three media.
func TestForeignSlave(t *testing.T) {
	schneider, _, first := imageOf(t, "schneider-iem3000", shows)
	eastron, _, second := imageOf(t, "eastron-sdm630", shows)
	image := map[string]tables{"3": first, "7": second}
	near, far := nullModem(t)
	tcp, rtu := freePort(t), freePort(t)
	startForeign(t, image, "tcp", "127.0.0.1", strconv.Itoa(tcp))
	startForeign(t, image, "rtu-over-tcp", "127.0.0.1", strconv.Itoa(rtu))
	startForeign(t, image, "rtu", far, "19200")
	for _, port := range []int{tcp, rtu} {
		require.Eventually(t, func() bool {
			c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
			if err == nil {
				c.Close()
			}
			return err == nil
		}, 20*time.Second, 20*time.Millisecond)
	}
	config := filepath.Join(t.TempDir(), "gateway.yaml")
	meters := func(medium string) string {
		return fmt.Sprintf("meters: [{id: schneider-%[1]s, unit: 3, profile: schneider-iem3000}, {id: eastron-%[1]s, unit: 7, profile: eastron-sdm630}]", medium)
	}
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `gateway: gw-1
territory: port
data: data
broker: {url: "tcp://127.0.0.1:1883"}
ingest_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
buses:
  - {id: tcp-1, type: tcp, address: "127.0.0.1:%d", %s}
  - {id: conv-1, type: rtu-over-tcp, address: "127.0.0.1:%d", baud: 115200, %s}
  - {id: rtu-1, type: rtu, device: %s, baud: 19200, parity: even, %s}
`, tcp, meters("tcp"), rtu, meters("conv"), near, meters("rtu")), 0o600))

	out, errs, code := runProduct(t, "", "thermie-gateway", "check", "--config", config, "--json")
	var lines []struct {
		Meter, Reading, Judgement string
		Quantity                  metering.Quantity
		OK                        bool
	}
	require.NoError(t, json.Unmarshal([]byte(out), &lines), "%s%s", out, errs)
	got := map[string]int{}
	for _, l := range lines {
		require.True(t, l.OK, "%+v", l)
		want := shows[l.Quantity]
		if want == "" {
			want = "0"
		}
		require.InDelta(t, metering.MustDecimal(want).Float64(), metering.MustDecimal(l.Reading).Float64(), 0.005, "%+v", l)
		got[l.Meter]++
	}
	require.Zero(t, code, errs)
	for _, medium := range []string{"tcp", "conv", "rtu"} {
		require.Equal(t, len(schneider.Fields), got["schneider-"+medium])
		require.Equal(t, len(eastron.Fields), got["eastron-"+medium])
	}

	for _, bus := range []string{fmt.Sprintf("tcp:127.0.0.1:%d", tcp), "rtu-1"} {
		out, errs, code = runProduct(t, "", "thermie-gateway", "scan", bus, "--units", "1-10", "--config", config, "--json")
		require.Zero(t, code, errs)
		var found []struct {
			Unit       int
			Profile    string
			Candidates []string
		}
		require.NoError(t, json.Unmarshal([]byte(out), &found))
		require.Len(t, found, 2, out)
		require.Equal(t, 3, found[0].Unit)
		require.Contains(t, append(found[0].Candidates, found[0].Profile), "schneider-iem3000")
		require.Contains(t, append(found[1].Candidates, found[1].Profile), "eastron-sdm630")
	}
}

var polled = regexp.MustCompile(`\[(\d+)\]:\s+0x([0-9A-F]{4})`)

// TestForeignMaster: a master of other people (mbpoll) reads the registers that
// our simulator shows, over TCP and over a serial line.
func TestForeignMaster(t *testing.T) {
	answer := func(r slave.Request) ([]uint16, slave.Exception) {
		if r.Unit != 5 {
			return nil, slave.Silence
		}
		if int(r.Address)+int(r.Count) > 1000 {
			return nil, slave.IllegalAddress
		}
		words := make([]uint16, r.Count)
		for i := range words {
			words[i] = (r.Address + uint16(i)) * 61 * uint16(r.Function)
		}
		return words, 0
	}
	tcp, err := slave.ListenTCP("127.0.0.1:0", answer)
	require.NoError(t, err)
	t.Cleanup(func() { tcp.Close() })
	line, err := slave.OpenLine(slave.LineOptions{Baud: 19200, Parity: "even", StopBits: 1, Turnaround: 10 * time.Millisecond, Handler: answer})
	require.NoError(t, err)
	t.Cleanup(func() { line.Close() })
	_, port, err := net.SplitHostPort(tcp.Addr())
	require.NoError(t, err)
	for name, medium := range map[string][]string{"tcp": {"-m", "tcp", "-p", port}, "serial": {"-m", "rtu", "-b", "19200", "-P", "even"}} {
		target := map[string]string{"tcp": "127.0.0.1", "serial": line.Device}[name]
		t.Run(name, func(t *testing.T) {
			for function, table := range map[uint16]string{3: "4:hex", 4: "3:hex"} {
				args := append(append([]string{}, medium...), "-a", "5", "-t", table, "-0", "-r", "100", "-c", "100", "-1", target)
				out, err := exec.Command(program(t, "THERMIE_MBPOLL"), args...).CombinedOutput()
				require.NoError(t, err, string(out))
				found := polled.FindAllStringSubmatch(string(out), -1)
				require.Len(t, found, 100, string(out))
				for i, f := range found {
					require.Equal(t, strconv.Itoa(100+i), f[1])
					word, err := strconv.ParseUint(f[2], 16, 16)
					require.NoError(t, err)
					require.Equal(t, (100+uint16(i))*61*function, uint16(word))
				}
			}
			args := append(append([]string{}, medium...), "-a", "5", "-t", "4", "-0", "-r", "990", "-c", "20", "-1", target)
			out, err := exec.Command(program(t, "THERMIE_MBPOLL"), args...).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), "Illegal data address")
			args = append(append([]string{}, medium...), "-a", "6", "-t", "4", "-0", "-r", "1", "-o", "0.3", "-1", target)
			out, err = exec.Command(program(t, "THERMIE_MBPOLL"), args...).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), "timed out")
		})
	}
}
