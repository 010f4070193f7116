// Package hardware knows the machines that a gateway runs on: their serial
// ports and who steers the direction of an RS-485 line, their watchdog, clock
// and disk, and how often that disk may be written to. One YAML file per family
// in firmware-configs/gateways, described by gateway.schema.json.
//
// Nothing here is needed to run a gateway; it is what an installer would
// otherwise have to look up, each with its source.
package hardware

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
)

// Who turns the line round between sending and receiving.
const (
	// Automatic: the transceiver does it by itself.
	Automatic = "automatic"
	// Kernel: the serial driver does it from boot on (device tree).
	Kernel = "kernel"
	// RTS: the program must ask the driver for it (rs485 in gateway.yaml).
	RTS = "rts"
)

// Kinds of medium that hold the data folder.
var media = []string{"sd", "emmc", "ssd", "flash"}

// Machine is a family of gateways.
type Machine struct {
	ID       string   `yaml:"id" json:"id"`
	Maker    string   `yaml:"maker" json:"maker"`
	Models   []string `yaml:"models" json:"models"`
	Platform string   `yaml:"platform" json:"platform"` // linux/arm64, as Go names it
	Trust    string   `yaml:"trust" json:"trust"`       // repository, document, second_source, device
	Sources  []Source `yaml:"sources" json:"sources"`
	Serial   []Port   `yaml:"serial" json:"serial"`
	Watchdog Watchdog `yaml:"watchdog" json:"watchdog"`
	Clock    Clock    `yaml:"clock" json:"clock"`
	Data     Data     `yaml:"data" json:"data"`
	Notes    []string `yaml:"notes" json:"notes,omitempty"`
}

// Source is what was read to make the file.
type Source struct {
	Title   string `yaml:"title" json:"title"`
	Version string `yaml:"version" json:"version"`
	At      string `yaml:"at" json:"at"`
	Read    string `yaml:"read" json:"read"`
}

// Port is a serial port.
type Port struct {
	Name      string   `yaml:"name" json:"name"` // as on the housing
	Device    string   `yaml:"device" json:"device"`
	Direction string   `yaml:"direction" json:"direction"`               // Automatic, Kernel, RTS
	RTSHigh   bool     `yaml:"rts_high_during_send" json:"rts_high"`     // for RTS
	Parity    *bool    `yaml:"parity" json:"parity,omitempty"`           // whether the port can do parity; nil: yes
	Setup     []string `yaml:"setup" json:"setup,omitempty"`             // what must be done once, in order
	Remark    string   `yaml:"remark" json:"remark,omitempty"`           // what else to know
	Baud      []int    `yaml:"baud" json:"baud,omitempty"`               // lowest and highest rate, where stated
	Isolated  *bool    `yaml:"isolated" json:"isolated,omitempty"`       // galvanically; nil: not stated
	Terminate string   `yaml:"termination" json:"termination,omitempty"` // how the 120 ohms are switched
}

// Watchdog restarts a machine that hangs.
type Watchdog struct {
	Device string `yaml:"device" json:"device"` // "" where there is none
	Remark string `yaml:"remark" json:"remark,omitempty"`
}

// Clock says whether the time survives a power cut.
type Clock struct {
	Battery bool   `yaml:"battery" json:"battery"`
	Remark  string `yaml:"remark" json:"remark,omitempty"`
}

// Data is where the gateway keeps its key and what waits to be sent, and how
// gently.
type Data struct {
	Folder        string        `yaml:"folder" json:"folder"`
	Medium        string        `yaml:"medium" json:"medium"` // sd, emmc, ssd, flash
	MaxBytes      int64         `yaml:"max_bytes" json:"max_bytes"`
	BatchInterval time.Duration `yaml:"batch_interval" json:"batch_interval"` // each batch is one durable write
	Remark        string        `yaml:"remark" json:"remark,omitempty"`
}

// WritesPerYear is how many durable writes the batches alone cause.
func (d Data) WritesPerYear() int64 {
	if d.BatchInterval <= 0 {
		return 0
	}
	return int64(365 * 24 * time.Hour / d.BatchInterval)
}

// maxFileBytes bounds a file.
const maxFileBytes = 64 << 10

// Parse reads one file; unknown keys are errors, and so is what no machine
// could mean. name is the file's, for errors and to hold the id against.
func Parse(name string, text []byte) (*Machine, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(text), maxFileBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	m := new(Machine)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", name)
	}
	if err := m.check(name); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (m *Machine) check(name string) error {
	base := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case m.ID == "" || base != m.ID+".yaml":
		return fmt.Errorf("id is %q, the file's name says otherwise", m.ID)
	case m.Maker == "" || len(m.Models) == 0:
		return errors.New("want maker and models")
	case !slices.Contains([]string{"linux/amd64", "linux/arm64", "linux/arm", "linux/mipsle"}, m.Platform):
		return fmt.Errorf("platform %q is none of linux/amd64, linux/arm64, linux/arm, linux/mipsle", m.Platform)
	case !slices.Contains([]string{"repository", "document", "second_source", "device"}, m.Trust):
		return fmt.Errorf("trust %q is not known", m.Trust)
	case len(m.Sources) == 0:
		return errors.New("want sources")
	case len(m.Serial) == 0:
		return errors.New("want serial ports")
	case !strings.HasPrefix(m.Data.Folder, "/") || !slices.Contains(media, m.Data.Medium):
		return fmt.Errorf("data: want a folder and a medium of %s", strings.Join(media, ", "))
	case m.Data.MaxBytes < 1<<20 || m.Data.BatchInterval < time.Second || 24*time.Hour%m.Data.BatchInterval != 0:
		return errors.New("data: want max_bytes of a mebibyte or more and a batch_interval that divides a day")
	case m.Watchdog.Device != "" && !strings.HasPrefix(m.Watchdog.Device, "/dev/"):
		return fmt.Errorf("watchdog: %q is no device", m.Watchdog.Device)
	}
	for i, s := range m.Sources {
		if s.Title == "" || s.Version == "" || s.At == "" || s.Read == "" {
			return fmt.Errorf("sources %d: want title, version, at and read", i)
		}
	}
	for i, p := range m.Serial {
		if p.Name == "" || !strings.HasPrefix(p.Device, "/dev/") {
			return fmt.Errorf("serial %d: want a name and a device", i)
		}
		if !slices.Contains([]string{Automatic, Kernel, RTS}, p.Direction) {
			return fmt.Errorf("serial %d: direction %q is none of automatic, kernel, rts", i, p.Direction)
		}
		if len(p.Baud) != 0 && (len(p.Baud) != 2 || p.Baud[0] < 50 || p.Baud[1] < p.Baud[0]) {
			return fmt.Errorf("serial %d: baud: want the lowest and the highest rate", i)
		}
	}
	return nil
}

// BusExample is a piece of gateway.yaml for a port.
func (p Port) BusExample(id string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "buses:\n  - id: %s\n    type: rtu\n    device: %s\n    baud: 9600\n", id, p.Device)
	if p.Parity == nil || *p.Parity {
		b.WriteString("    parity: even\n    stop_bits: 1\n")
	} else {
		b.WriteString("    parity: none # the port has no parity\n    stop_bits: 2\n")
	}
	if p.Direction == RTS {
		fmt.Fprintf(&b, "    rs485:\n      rts_high_during_send: %v\n      rts_high_after_send: %v\n", p.RTSHigh, !p.RTSHigh)
	}
	return b.String()
}

var builtin = sync.OnceValues(func() ([]*Machine, error) {
	names, err := fs.Glob(firmwareconfigs.Files, "gateways/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*Machine
	for _, name := range names {
		text, err := firmwareconfigs.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := Parse(name, text)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
})

// Builtin returns the embedded machines, by id. Callers must not change them.
func Builtin() ([]*Machine, error) {
	all, err := builtin()
	return slices.Clone(all), err
}

// Get returns one of the embedded machines; the error of an unknown one names
// those that there are.
func Get(id string) (*Machine, error) {
	all, err := builtin()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range all {
		if m.ID == id {
			return m, nil
		}
		ids = append(ids, m.ID)
	}
	return nil, fmt.Errorf("machine %q is not known: there are %s", id, strings.Join(ids, ", "))
}
