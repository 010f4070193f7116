package gateway

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/metering"
)

// Config is gateway.yaml; deploy/gateway.example.yaml explains every key.
// Relative paths in it are taken from the file's folder.
type Config struct {
	Gateway       string        `yaml:"gateway"`
	Territory     string        `yaml:"territory"`
	Origin        batch.Origin  `yaml:"origin"`
	Data          string        `yaml:"data"`
	BatchInterval time.Duration `yaml:"batch_interval"`
	Broker        Broker        `yaml:"broker"`
	IngestKey     string        `yaml:"ingest_key"` // base64 of the Ed25519 key that signs receipts
	Profiles      string        `yaml:"profiles"`   // folder of own meter profiles
	Buses         []Bus         `yaml:"buses"`
	Spool         Spool         `yaml:"spool"`
	Listen        string        `yaml:"listen"` // status page and metrics; beyond loopback only with a password; "" for none
	Page          Page          `yaml:"page"`
	Log           Log           `yaml:"log"`
	Remote        Remote        `yaml:"remote"`
	Mirror        *Mirror       `yaml:"mirror"`

	file  string
	hash  batch.Hash
	buses []poll.Bus
	means []metering.SeriesID // averaged over the batch interval
}

// Broker says where batches go.
type Broker struct {
	URL          string `yaml:"url"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	CAFile       string `yaml:"ca_file"`
	CertFile     string `yaml:"cert_file"`
	KeyFile      string `yaml:"key_file"`
}

// Bus is one way to meters.
type Bus struct {
	ID       string        `yaml:"id"`
	Type     string        `yaml:"type"` // tcp, rtu, rtu-over-tcp
	Address  string        `yaml:"address,omitempty"`
	Device   string        `yaml:"device,omitempty"`
	Baud     int           `yaml:"baud,omitempty"`
	Parity   string        `yaml:"parity,omitempty"`
	StopBits int           `yaml:"stop_bits,omitempty"`
	RS485    *RS485        `yaml:"rs485,omitempty"`
	Timeout  time.Duration `yaml:"timeout,omitempty"`
	Quiet    time.Duration `yaml:"quiet,omitempty"`
	InFlight int           `yaml:"in_flight,omitempty"` // questions at once, tcp only; 0: as the profiles say
	Meters   []Meter       `yaml:"meters"`
}

// RS485 has the serial driver steer the line's direction with RTS.
type RS485 struct {
	RTSHighDuringSend bool          `yaml:"rts_high_during_send"`
	RTSHighAfterSend  bool          `yaml:"rts_high_after_send"`
	ReceiveDuringSend bool          `yaml:"receive_during_send"`
	DelayBeforeSend   time.Duration `yaml:"delay_before_send"`
	DelayAfterSend    time.Duration `yaml:"delay_after_send"`
}

// Meter is one meter on a bus.
type Meter struct {
	ID       string        `yaml:"id"`
	Unit     int           `yaml:"unit"`
	Profile  string        `yaml:"profile"`
	Interval time.Duration `yaml:"interval,omitempty"`
	Channel  int           `yaml:"channel,omitempty"`
	Pulse    *Pulse        `yaml:"pulse,omitempty"`
	// Quantities are those treated otherwise than the rest of the meter.
	Quantities map[metering.Quantity]Quantity `yaml:"quantities,omitempty"`
}

// Quantity says how one quantity of a meter is read.
type Quantity struct {
	Interval time.Duration `yaml:"interval,omitempty"` // 0: the meter's
	// Average sends the mean, the least and the greatest of each batch interval in
	// place of every reading. Only for gauges: counters are sent as read.
	Average bool `yaml:"average,omitempty"`
	Skip    bool `yaml:"skip,omitempty"` // neither read nor sent
}

// Pulse says what one pulse of a module's input is worth.
type Pulse struct {
	Quantity string `yaml:"quantity"`
	Weight   string `yaml:"weight"`
	Unit     string `yaml:"unit"`
}

// Spool bounds what waits on disk.
type Spool struct {
	MaxBytes int64  `yaml:"max_bytes"`
	WhenFull string `yaml:"when_full"` // refuse, drop_oldest
}

// Log says how much is logged, and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Page says who may see the status page.
type Page struct {
	PasswordFile string `yaml:"password_file"` // its first line; "": no password
}

// Remote says whether the configuration may be changed from the server.
type Remote struct {
	Key string `yaml:"key"` // base64 of the Ed25519 key that signs desired configurations; "": nobody may
}

// Mirror shows the readings to others on the site; see gateway/mirror.
type Mirror struct {
	Broker        Broker `yaml:"broker"`
	Clear         bool   `yaml:"clear"`         // the broker may be reached without TLS
	Topic         string `yaml:"topic"`         // prefix; default "thermie"
	HomeAssistant string `yaml:"homeassistant"` // prefix of its discovery topics; "" for none
}

// Defaults of Config.
const (
	DefaultData          = "/var/lib/thermie-gateway"
	DefaultBatchInterval = time.Minute
	DefaultInterval      = 10 * time.Second
)

// maxConfig bounds the file.
const maxConfig = 4 << 20

// LoadConfig reads and checks a configuration file, and the meter profiles that
// it names. Unknown keys are errors. An error names the file, the line and the
// key; nothing is opened but files.
func LoadConfig(path string) (Config, error) { return load(path, false) }

func load(path string, draft bool) (Config, error) {
	text, err := readBounded(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return parse(path, text, draft)
}

// ParseConfig judges a text as LoadConfig would if it were the file at path.
func ParseConfig(path string, text []byte) (Config, error) {
	if len(text) > maxConfig {
		return Config{}, fmt.Errorf("configuration: more than %d bytes", maxConfig)
	}
	return parse(path, text, false)
}

func parse(path string, text []byte, draft bool) (Config, error) {
	c := Config{Origin: batch.Measured, Data: DefaultData, BatchInterval: DefaultBatchInterval,
		Spool: Spool{MaxBytes: outbox.DefaultMaxBytes, WhenFull: "refuse"}, Log: Log{Level: "info", Format: "text"}}
	c.file, c.hash = path, batch.HashOf(text)
	k := &checker{file: path, draft: draft}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := yaml.Unmarshal(text, &k.root); err != nil {
		return Config{}, k.syntax(err)
	}
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, k.syntax(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: more than one YAML document", path)
	}
	paths := []*string{&c.Data, &c.Profiles, &c.Broker.PasswordFile, &c.Broker.CAFile, &c.Broker.CertFile, &c.Broker.KeyFile, &c.Page.PasswordFile}
	if m := c.Mirror; m != nil {
		paths = append(paths, &m.Broker.PasswordFile, &m.Broker.CAFile, &m.Broker.CertFile, &m.Broker.KeyFile)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		}
	}
	if err := k.config(&c); err != nil {
		return Config{}, err
	}
	return c, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxConfig)
	}
	return b, nil
}

// Hash is the SHA-256 of the file, as batches and the status name it.
func (c *Config) Hash() batch.Hash { return c.hash }

// PollBuses are the buses with their profiles, ready for poll.New.
func (c *Config) PollBuses() []poll.Bus { return c.buses }

// Library returns the built-in profiles and, over them, those of the folder.
func (c *Config) Library() (*profile.Library, error) {
	l, err := profile.Builtin()
	if err != nil || c.Profiles == "" {
		return l, err
	}
	if _, err := os.ReadDir(c.Profiles); err != nil {
		return nil, err
	}
	own, err := profile.LoadDir(os.DirFS(c.Profiles))
	if err != nil {
		return nil, err
	}
	return l.Over(own), nil
}

// ingestKey decodes the key of ingest.
func (c *Config) ingestKey() (ed25519.PublicKey, error) { return publicKey(c.IngestKey) }

// RemoteKey is the key that signs desired configurations; nil when there is none.
func (c *Config) RemoteKey() (ed25519.PublicKey, error) {
	if c.Remote.Key == "" {
		return nil, nil
	}
	return publicKey(c.Remote.Key)
}

func publicKey(text string) (ed25519.PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is not an Ed25519 public key in base64 (44 characters, as `thermie` prints it)", text)
	}
	return b, nil
}

// Unlike says in what another configuration differs that only somebody at the
// device may change: who the gateway is, where its readings are kept and whom it
// obeys.
func (c *Config) Unlike(o Config) error {
	for _, f := range []struct{ key, here, there string }{
		{"gateway", c.Gateway, o.Gateway}, {"territory", c.Territory, o.Territory}, {"origin", string(c.Origin), string(o.Origin)},
		{"data", c.Data, o.Data}, {"remote.key", c.Remote.Key, o.Remote.Key}, {"listen", c.Listen, o.Listen},
	} {
		if f.here != f.there {
			return fmt.Errorf("%s %q cannot become %q from afar: only on the device", f.key, f.here, f.there)
		}
	}
	return nil
}
