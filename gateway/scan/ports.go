package scan

import (
	"path/filepath"

	"github.com/thermie/thermie/gateway/modbus"
)

// Ports lists the serial ports of a folder of devices, /dev, at which a line may
// be: by the name that survives a reboot where there is one.
func Ports(dev string) (out []string) {
	seen := map[string]bool{}
	for _, pattern := range []string{"serial/by-id/*", "ttyUSB*", "ttyACM*", "ttyAMA*", "ttymxc*", "ttyRS485*"} {
		names, _ := filepath.Glob(filepath.Join(dev, pattern)) // the patterns are well formed
		for _, n := range names {
			real, err := filepath.EvalSymlinks(n)
			if err == nil && !seen[real] {
				seen[real] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// Bauds and Parities are what meters leave their factories with, the most usual first.
var (
	Bauds    = []int{19200, 9600, 38400, 115200}
	Parities = []string{"even", "none"}
)

// Settings are an endpoint with each of several baud rates and parities.
func Settings(e modbus.Endpoint, bauds []int, parities []string) (out []modbus.Endpoint, err error) {
	for _, e.Baud = range bauds {
		for _, e.Parity = range parities {
			line, err := modbus.New(e)
			if err != nil {
				return nil, err
			}
			out = append(out, line.Endpoint())
		}
	}
	return out, nil
}
