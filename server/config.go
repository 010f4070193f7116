// Package server puts the roles of Thermie together: ingest (broker to ledger
// to series), assessment (series to results) and the dashboard; all in one
// process for `thermie server`, or each apart.
package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/ledger"
)

// Config is server.yaml; deploy/server.example.yaml explains every key.
type Config struct {
	Programme      string `yaml:"programme"`
	Data           string `yaml:"data"`
	Broker         Broker `yaml:"broker"`
	Store          Store  `yaml:"store"`
	Listen         string `yaml:"listen"`
	TLS            *TLS   `yaml:"tls"`
	BehindTLSProxy bool   `yaml:"behind_tls_proxy"`
	// MetricsTokenFile holds the bearer token that opens /metrics from elsewhere.
	MetricsTokenFile string `yaml:"metrics_token_file"`
	AssessAt         string `yaml:"assess_at"` // "hh:mm", Europe/Paris
	// SealAfterDays is how many days after a quarter's end its report is sealed; 0:
	// only when a person asks for it.
	SealAfterDays int `yaml:"seal_after_days"`
	// Witnesses are asked to co-sign the ledger's checkpoints.
	Witnesses []Witness `yaml:"witnesses"`
	Log       Log       `yaml:"log"`
}

// Broker says where batches arrive.
type Broker struct {
	URL          string `yaml:"url"`
	CAFile       string `yaml:"ca_file"`
	CertFile     string `yaml:"cert_file"`
	KeyFile      string `yaml:"key_file"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	ClientID     string `yaml:"client_id"`
	Shared       bool   `yaml:"shared"`
}

// Store says where time series go.
type Store struct {
	Kind         string `yaml:"kind"` // embedded, influx
	URL          string `yaml:"url"`
	Organisation string `yaml:"organisation"`
	Bucket       string `yaml:"bucket"`
	TokenFile    string `yaml:"token_file"`
}

// Witness is somebody who co-signs the ledger's checkpoints.
type Witness struct {
	URL string `yaml:"url"`
	Key string `yaml:"key"` // "<name>+<hash>+<base64>"
}

// TLS names the dashboard's certificate.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Log says how much is logged, and how.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// LoadConfig reads and checks a configuration file. Unknown keys are errors;
// every error names the file and the key.
func LoadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c := Config{
		Data:     "/var/lib/thermie",
		Store:    Store{Kind: "embedded"},
		Listen:   "127.0.0.1:8080",
		AssessAt: "03:15",
		Log:      Log{Level: "info", Format: "text"},
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("configuration %s: %s", path, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) check() error {
	if c.Programme == "" {
		return errors.New("programme: name the programme's YAML file")
	}
	if !filepath.IsAbs(c.Data) {
		return fmt.Errorf("data: %q is not an absolute path", c.Data)
	}
	if err := c.Broker.check(); err != nil {
		return err
	}
	switch c.Store.Kind {
	case "embedded":
	case "influx":
		if u, err := url.Parse(c.Store.URL); err != nil || u.Host == "" {
			return fmt.Errorf("store.url: %q is not the address of an InfluxDB (http://host:8086)", c.Store.URL)
		}
		for key, text := range map[string]string{"organisation": c.Store.Organisation, "bucket": c.Store.Bucket, "token_file": c.Store.TokenFile} {
			if text == "" {
				return fmt.Errorf("store.%s: missing, InfluxDB needs it", key)
			}
		}
	default:
		return fmt.Errorf("store.kind: %q is neither embedded nor influx", c.Store.Kind)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %q is not host:port", c.Listen)
	}
	if c.TLS != nil && (c.TLS.CertFile == "" || c.TLS.KeyFile == "") {
		return errors.New("tls: wants cert_file and key_file")
	}
	if !loopback(host) && c.TLS == nil && !c.BehindTLSProxy {
		return fmt.Errorf("listen: %s is not loopback and there is no TLS: name a certificate under tls, or say behind_tls_proxy: true", c.Listen)
	}
	if _, err := time.Parse("15:04", c.AssessAt); err != nil {
		return fmt.Errorf("assess_at: %q is not a time of day like 03:15", c.AssessAt)
	}
	if c.SealAfterDays < 0 || c.SealAfterDays > 365 {
		return fmt.Errorf("seal_after_days: %d is not between 0 (by hand) and 365", c.SealAfterDays)
	}
	if _, err := c.witnesses(); err != nil {
		return err
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("log.level: %q is not debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format: %q is neither text nor json", c.Log.Format)
	}
	return nil
}

// witnesses are those of the ledger's options.
func (c *Config) witnesses() (all []ledger.Witness, err error) {
	for i, x := range c.Witnesses {
		u, err := url.Parse(x.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
			return nil, fmt.Errorf("witnesses[%d].url: %q is not an address like https://witness.example/add-checkpoint", i, x.URL)
		}
		w, err := ledger.ParseWitness(x.Key)
		if err != nil {
			return nil, fmt.Errorf("witnesses[%d].key: %w", i, err)
		}
		w.URL = x.URL
		all = append(all, w)
	}
	return all, nil
}

func (b *Broker) check() error {
	u, err := url.Parse(b.URL)
	if err != nil || u.Host == "" || (u.Scheme != "tcp" && u.Scheme != "tls") {
		return fmt.Errorf("broker.url: %q is not the address of a broker (tls://host:8883, or tcp://127.0.0.1:1883 on loopback)", b.URL)
	}
	if u.Scheme == "tcp" && !loopback(u.Hostname()) {
		return fmt.Errorf("broker.url: %s is not loopback: use tls://", b.URL)
	}
	if (b.CertFile == "") != (b.KeyFile == "") {
		return errors.New("broker: cert_file and key_file go together")
	}
	if b.Shared && b.ClientID == "" {
		return errors.New("broker.client_id: with shared each process needs a name of its own, the same at each start")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
