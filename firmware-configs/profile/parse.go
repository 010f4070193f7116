package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/metering"
)

// MaxFileBytes is the largest profile that is read: the largest real one is a
// twentieth of it.
const MaxFileBytes = 256 << 10

// The shape of a file. Field for field it is meter.schema.json.
type file struct {
	ID          string         `yaml:"id"`
	Maker       string         `yaml:"maker"`
	Models      []string       `yaml:"models"`
	Kind        string         `yaml:"kind"`
	Accuracy    []string       `yaml:"accuracy"`
	Trust       string         `yaml:"trust"`
	Sources     []fileSource   `yaml:"sources"`
	AddressBase int            `yaml:"address_base"`
	Serial      fileSerial     `yaml:"serial"`
	Limits      fileLimits     `yaml:"limits"`
	Timing      fileTiming     `yaml:"timing"`
	Behaviour   fileBehaviour  `yaml:"behaviour"`
	Defaults    fileDefaults   `yaml:"defaults"`
	Fingerprint []fileProbe    `yaml:"fingerprint"`
	Identity    []fileIdentity `yaml:"identity"`
	Quantities  []fileQuantity `yaml:"quantities"`
	Vectors     []fileVector   `yaml:"vectors"`
	Notes       []string       `yaml:"notes"`
}

type fileSource struct {
	Title   string `yaml:"title"`
	Kind    string `yaml:"kind"`
	ID      string `yaml:"id"`
	Version string `yaml:"version"`
	At      string `yaml:"at"`
	Read    string `yaml:"read"`
}

type fileSerial struct {
	Baud     int    `yaml:"baud"`
	Parity   string `yaml:"parity"`
	StopBits int    `yaml:"stop_bits"`
	Unit     int    `yaml:"unit"`
}

type fileLimits struct {
	MaxRegisters int         `yaml:"max_registers"`
	MaxGap       *int        `yaml:"max_gap"`
	NoBatch      bool        `yaml:"no_batch"`
	InFlight     *int        `yaml:"in_flight"`
	Holes        []fileRange `yaml:"holes"`
	Borders      []fileCell  `yaml:"borders"`
}

type fileCell struct {
	Register *int   `yaml:"register"`
	Table    string `yaml:"table"`
}

type fileRange struct {
	From  *int   `yaml:"from"`
	To    *int   `yaml:"to"`
	Table string `yaml:"table"`
}

type fileTiming struct {
	Turnaround string `yaml:"turnaround"`
	MinPoll    string `yaml:"min_poll"`
	Refresh    string `yaml:"refresh"`
}

type fileBehaviour struct {
	NoExceptions bool `yaml:"no_exceptions"`
	StaleFirst   bool `yaml:"stale_first"`
	Volatile     bool `yaml:"volatile_counters"`
}

type fileDefaults struct {
	Table string `yaml:"table"`
	Order string `yaml:"order"`
}

type fileRegister struct {
	Register *int   `yaml:"register"`
	Table    string `yaml:"table"`
	Type     string `yaml:"type"`
	Order    string `yaml:"order"`
	Words    int    `yaml:"words"`
	Bits     []int  `yaml:"bits"`
}

type fileProbe struct {
	fileRegister `yaml:",inline"`
	Equals       []uint64 `yaml:"equals"`
	Prefix       string   `yaml:"prefix"`
	Min          *number  `yaml:"min"`
	Max          *number  `yaml:"max"`
}

type fileIdentity struct {
	fileRegister `yaml:",inline"`
	What         string `yaml:"what"`
}

type fileQuantity struct {
	fileRegister `yaml:",inline"`
	Quantity     string          `yaml:"quantity"`
	Channel      int             `yaml:"channel"`
	Channels     *fileChannels   `yaml:"channels"`
	Scale        *number         `yaml:"scale"`
	Offset       *number         `yaml:"offset"`
	Unit         string          `yaml:"unit"`
	UnitCode     *fileCompanion  `yaml:"unit_code"`
	Exponent     *fileCompanion  `yaml:"exponent"`
	Factors      []fileCompanion `yaml:"factors"`
	Terms        []fileCompanion `yaml:"terms"`
	Range        *fileSpan       `yaml:"range"`
	Sentinels    []fileSentinel  `yaml:"sentinels"`
	Min          *number         `yaml:"min"`
	Max          *number         `yaml:"max"`
	Rollover     uint64          `yaml:"rollover"`
	Absolute     bool            `yaml:"absolute"`
}

type fileChannels struct {
	Count  int `yaml:"count"`
	Stride int `yaml:"stride"`
}

type fileCompanion struct {
	fileRegister `yaml:",inline"`
	Scale        *number          `yaml:"scale"`
	Factors      map[int64]number `yaml:"factors"`
	Units        map[int64]string `yaml:"units"`
	Default      int64            `yaml:"default"`
}

type fileSpan struct {
	Low  *int64  `yaml:"low"`
	High *int64  `yaml:"high"`
	From *number `yaml:"from"`
	To   *number `yaml:"to"`
}

type fileSentinel struct {
	Raw   *uint64 `yaml:"raw"`
	Value *number `yaml:"value"`
	Means string  `yaml:"means"`
}

type fileVector struct {
	From      string         `yaml:"from"`
	Note      string         `yaml:"note"`
	Registers []fileWords    `yaml:"registers"`
	Gives     []fileExpected `yaml:"gives"`
	OneWay    bool           `yaml:"one_way"`
}

type fileWords struct {
	At    *int     `yaml:"at"`
	Table string   `yaml:"table"`
	Words []uint16 `yaml:"words"`
}

type fileExpected struct {
	Quantity string  `yaml:"quantity"`
	Channel  int     `yaml:"channel"`
	Number   *number `yaml:"number"`
	Unit     string  `yaml:"unit"`
	Quality  string  `yaml:"quality"`
}

// number is a decimal as written, quoted or not: it never becomes a float.
type number struct{ metering.Decimal }

func (n *number) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a decimal number", node.Line)
	}
	d, err := metering.ParseDecimal(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	n.Decimal = d
	return nil
}

// A fault is a mistake in a file, at a place that can be found again.
type fault struct {
	path string // quantities.3.unit
	err  error
}

func faultf(path, format string, args ...any) error {
	return &fault{path, fmt.Errorf(format, args...)}
}

func (f *fault) Error() string { return strings.ReplaceAll(f.path, ".", " ") + ": " + f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// Parse reads one profile. name is the file's, for errors and to hold the id
// against. Unknown keys are errors; so is all that a device could not mean.
func Parse(name string, text []byte) (*Profile, error) {
	root, f, err := decodeStrict(name, text)
	if err != nil {
		return nil, err
	}
	p, err := build(f)
	if err != nil {
		var at *fault
		if errors.As(err, &at) {
			return nil, fmt.Errorf("%s:%d: %w", name, lineOf(root, at.path), err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	base := name[strings.LastIndexByte(name, '/')+1:]
	if want := strings.TrimSuffix(base, ".yaml"); p.ID != want {
		return nil, fmt.Errorf("%s:%d: id is %q, the file's name says %q", name, lineOf(root, "id"), p.ID, want)
	}
	return p, nil
}

func decodeStrict(name string, text []byte) (*yaml.Node, *file, error) {
	if len(text) > MaxFileBytes {
		return nil, nil, fmt.Errorf("%s: %d bytes, a profile has at most %d", name, len(text), MaxFileBytes)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, nil, oneLine(name, err)
	}
	if err := plain(&root); err != nil {
		return nil, nil, fmt.Errorf("%s:%w", name, err)
	}
	f := new(file)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil {
		return nil, nil, oneLine(name, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%s: more than one document", name)
	}
	return &root, f, nil
}

var (
	yamlLine   = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)
)

// oneLine says the first thing that YAML complains of, with its line, in words
// that do not need Go.
func oneLine(name string, err error) error {
	what := err.Error()
	var t *yaml.TypeError
	if errors.As(err, &t) && len(t.Errors) > 0 {
		what = t.Errors[0]
	}
	what = unknownKey.ReplaceAllString(what, "key $1 is not known")
	if m := yamlLine.FindStringSubmatch(what); m != nil {
		return fmt.Errorf("%s:%s: %s", name, m[1], what[len(m[0]):])
	}
	return fmt.Errorf("%s: %s", name, strings.TrimPrefix(what, "yaml: "))
}

// plain refuses what makes a profile mean something else than it seems to:
// aliases, and integers with a leading zero, which YAML reads as octal.
func plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fmt.Errorf("%d: anchors and aliases have no place in a profile", n.Line)
	}
	if v := n.Value; n.Kind == yaml.ScalarNode && n.Tag == "!!int" && len(v) > 1 && v[0] == '0' && v[1] >= '0' && v[1] <= '9' {
		return fmt.Errorf("%d: %s begins with 0 and would be read as octal", n.Line, v)
	}
	for _, c := range n.Content {
		if err := plain(c); err != nil {
			return err
		}
	}
	return nil
}

// Line finds the line of a path like "vectors.0.gives.1" in a profile's file, or of
// as much of it as there is; 1 when the text is no YAML.
func Line(text []byte, path string) int {
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil {
		return 1
	}
	return lineOf(&root, path)
}

// lineOf finds the line of a path, or of as much of it as there is.
func lineOf(n *yaml.Node, path string) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for _, step := range strings.Split(path, ".") {
		next := (*yaml.Node)(nil)
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					line, next = n.Content[i].Line, n.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			var i int
			if _, err := fmt.Sscan(step, &i); err == nil && i < len(n.Content) {
				next = n.Content[i]
				line = next.Line
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return line
}

func duration(path, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > 24*time.Hour {
		return 0, faultf(path, "%q is not a duration between 0 and 24h", s)
	}
	return d, nil
}
