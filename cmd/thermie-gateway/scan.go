package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/scan"
)

// scanFlags are those of the scan command.
type scanFlags struct {
	config, profiles, units, network string
	bauds                            []int
	parities                         []string
	stopBits                         int
	wait, patience                   time.Duration
	thorough, all, asJSON            bool
}

// scanLine is one device found, or a bus that could not be used.
type scanLine struct {
	Bus        string            `json:"bus"`
	Baud       int               `json:"baud,omitempty"`
	Parity     string            `json:"parity,omitempty"`
	StopBits   int               `json:"stop_bits,omitempty"`
	Unit       int               `json:"unit"`
	LatencyMS  float64           `json:"latency_ms,omitempty"`
	Duplicate  bool              `json:"duplicate_suspected,omitempty"`
	EveryUnit  bool              `json:"every_unit,omitempty"`
	Profile    string            `json:"profile,omitempty"`
	Sure       bool              `json:"sure"`
	Believed   int               `json:"believed,omitempty"` // plausible readings
	Readings   int               `json:"readings,omitempty"`
	Identity   map[string]string `json:"identity,omitempty"`
	Candidates []string          `json:"candidates,omitempty"` // profiles that fit as well, the better first
}

func scanCommand() *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "scan [BUS...]",
		Short: "Find the meters of buses and name them",
		Long: `Scan asks every unit id of a bus whether a device is there, and compares what
answers with the fingerprints of the known profiles. BUS is a serial port,
tcp:HOST:PORT, rtu-over-tcp:HOST:PORT, or the id of a bus of the configuration.
Without BUS, all serial ports of this machine are scanned; --network looks for
devices that speak Modbus TCP.

A serial line is tried at each --baud and --parity in turn until something
answers; --all goes on to the last. 247 unit ids take less than a minute at one
setting. A name with a question mark rests on plausible numbers only: compare
with the nameplate. The gateway must not run meanwhile. Exit code 1 when nothing
is found.`,
		Example: `  thermie-gateway scan
  thermie-gateway scan /dev/ttyUSB0 --baud 9600 --parity even,none --units 1-32
  thermie-gateway scan --network 192.0.2.0/24
  thermie-gateway scan rtu-1 --config gateway.yaml --json`,
	}
	c.Flags().StringVar(&f.config, "config", defaultConfig, "configuration `FILE`, for the id of a bus")
	c.Flags().StringVar(&f.profiles, "profiles", "", "`FOLDER` of own profiles, as in the configuration")
	c.Flags().StringVar(&f.units, "units", "1-247", "unit ids, like 1-32,100")
	c.Flags().StringVar(&f.network, "network", "", "`PREFIX` like 192.0.2.0/24 (or with a port: 192.0.2.0/24:1502) in which to look for Modbus TCP")
	c.Flags().IntSliceVar(&f.bauds, "baud", scan.Bauds, "of a serial port")
	c.Flags().StringSliceVar(&f.parities, "parity", scan.Parities, "none, even, odd")
	c.Flags().IntVar(&f.stopBits, "stop-bits", 1, "1 or 2")
	c.Flags().DurationVar(&f.wait, "wait", 0, "how long each unit id is waited for (default 150ms; over TCP as --patience)")
	c.Flags().DurationVar(&f.patience, "patience", scan.DefaultPatience, "how long a device that showed itself is waited for")
	c.Flags().BoolVar(&f.thorough, "thorough", false, "ask silent unit ids once more with patience, and for what shy devices answer")
	c.Flags().BoolVar(&f.all, "all", false, "try every setting although something answered")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error { return f.run(c, args) }
	return c
}

func (f *scanFlags) run(c *cobra.Command, args []string) error {
	units, err := parseUnits(f.units)
	if err != nil {
		return frame.Usage(err)
	}
	library, err := openLibrary(f.profiles)
	if err != nil {
		return frame.Usage(err)
	}
	endpoints, err := f.endpoints(c, args)
	if err != nil {
		return err
	}
	lines, failures := []scanLine{}, []error{}
	for _, settings := range endpoints {
		for _, e := range settings {
			bar := frame.NewBar(c.ErrOrStderr(), describe(e))
			found, err := scan.Line(c.Context(), scan.Options{Endpoint: e, Units: units, Wait: f.wait, Patience: f.patience,
				Thorough: f.thorough, Library: library, Progress: func(done, total int) { bar.Show(uint64(done), uint64(total)) }})
			bar.End()
			for _, d := range found {
				lines = append(lines, lineOf(e, d))
			}
			if err != nil {
				if c.Context().Err() != nil {
					return c.Context().Err()
				}
				failures = append(failures, fmt.Errorf("%s: %w", describe(e), err))
				break
			}
			if len(found) > 0 && !f.all {
				break
			}
		}
	}
	if f.asJSON {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		err = e.Encode(lines)
	} else if len(lines) > 0 {
		err = printScan(c.OutOrStdout(), lines)
	}
	for _, failure := range failures {
		fmt.Fprintln(c.ErrOrStderr(), "thermie-gateway:", failure)
	}
	if err == nil && len(lines) == 0 {
		err = errors.New("no device found: wiring, power, baud, parity? (--thorough waits longer)")
	}
	return err
}

// endpoints lists, for each bus, the settings to try.
func (f *scanFlags) endpoints(c *cobra.Command, args []string) (out [][]modbus.Endpoint, err error) {
	if f.network != "" {
		hosts, err := scan.Hosts(c.Context(), f.network)
		if err != nil {
			return nil, frame.Usage(err)
		}
		for _, h := range hosts {
			out = append(out, []modbus.Endpoint{{Type: modbus.TCP, Address: h}})
		}
		if len(hosts) == 0 && len(args) == 0 {
			return nil, fmt.Errorf("nobody in %s accepts a connection for Modbus TCP", f.network)
		}
	}
	if len(args) == 0 && f.network == "" {
		if args = scan.Ports("/dev"); len(args) == 0 {
			return nil, errors.New("this machine has no serial port in /dev/serial/by-id, ttyUSB, ttyACM, ttyAMA or ttymxc; name a bus")
		}
	}
	for _, arg := range args {
		e, err := endpoint(arg, modbus.Endpoint{}, f.config)
		if err != nil {
			return nil, frame.Usage(err)
		}
		settings := []modbus.Endpoint{e}
		if e.Type == modbus.RTU && strings.HasPrefix(arg, "/") {
			e.StopBits = f.stopBits
			if settings, err = scan.Settings(e, f.bauds, f.parities); err != nil {
				return nil, frame.Usage(err)
			}
		}
		out = append(out, settings)
	}
	return out, nil
}

// parseUnits reads "1-32,100".
func parseUnits(text string) ([]byte, error) {
	wanted := [256]bool{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.ParseUint(from, 10, 8)
		b, err2 := strconv.ParseUint(to, 10, 8)
		if err1 != nil || err2 != nil || a > b || b > 247 {
			return nil, fmt.Errorf("--units %q: want ids from 0 to 247, like 1-32,100", text)
		}
		for u := a; u <= b; u++ {
			wanted[u] = true
		}
	}
	var units []byte
	for u, w := range wanted {
		if w {
			units = append(units, byte(u))
		}
	}
	return units, nil
}

// openLibrary is the built-in profiles with those of a folder over them.
func openLibrary(folder string) (*profile.Library, error) {
	c := gateway.Config{Profiles: folder}
	return c.Library()
}

func describe(e modbus.Endpoint) string {
	if e.Type == modbus.RTU {
		return fmt.Sprintf("%s %d 8%s%d", e.Device, e.Baud, strings.ToUpper(e.Parity[:1]), e.StopBits)
	}
	return e.Type + ":" + e.Address
}

func lineOf(e modbus.Endpoint, d scan.Device) scanLine {
	l := scanLine{Bus: e.String(), Unit: int(d.Unit), LatencyMS: float64(d.Latency.Microseconds()) / 1000, Duplicate: d.Duplicate, EveryUnit: d.EveryUnit}
	if e.Type == modbus.RTU {
		l.Baud, l.Parity, l.StopBits = e.Baud, e.Parity, e.StopBits
	}
	for i, c := range d.Candidates {
		if i > 0 {
			l.Candidates = append(l.Candidates, c.Profile.ID)
			continue
		}
		l.Profile, l.Sure, l.Believed, l.Readings, l.Identity = c.Profile.ID, c.Sure, c.Believed, len(c.Readings), c.Identity
	}
	return l
}

func printScan(out io.Writer, lines []scanLine) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BUS\tSETTING\tUNIT\tPROFILE\tPLAUSIBLE\tLATENCY\tREMARK")
	for _, l := range lines {
		setting, name, plausible := "-", dash(l.Profile), "-"
		if l.Baud > 0 {
			setting = fmt.Sprintf("%d 8%s%d", l.Baud, strings.ToUpper(l.Parity[:1]), l.StopBits)
		}
		if l.Profile != "" {
			plausible = fmt.Sprintf("%d of %d", l.Believed, l.Readings)
			if !l.Sure {
				name += " ?"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%.0f ms\t%s\n", l.Bus, setting, l.Unit, name, plausible, l.LatencyMS, l.remark())
	}
	return w.Flush()
}

func (l scanLine) remark() string {
	var words []string
	if l.Duplicate {
		words = append(words, "damaged or double answers: two devices at this unit id?")
	}
	if l.EveryUnit {
		words = append(words, "answers at every unit id")
	}
	for _, what := range slices.Sorted(maps.Keys(l.Identity)) {
		words = append(words, what+" "+l.Identity[what])
	}
	if len(l.Candidates) > 0 {
		words = append(words, "or "+strings.Join(l.Candidates, ", "))
	}
	if l.Profile == "" && !l.Duplicate {
		words = append(words, "no profile fits")
	}
	return strings.Join(words, "; ")
}
