package port

import (
	"fmt"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/batch"
)

// Broker says how a gateway reaches the broker, in the terms of gateway.yaml.
type Broker struct {
	URL          string `yaml:"url"`
	Username     string `yaml:"username,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`
	CAFile       string `yaml:"ca_file,omitempty"`
	CertFile     string `yaml:"cert_file,omitempty"`
	KeyFile      string `yaml:"key_file,omitempty"`
}

// GatewayOptions complete a gateway's configuration with what the port does not know.
type GatewayOptions struct {
	Territory     string
	Data          string // folder of the gateway
	BatchInterval time.Duration
	Broker        Broker
	IngestKey     string // base64, the Ed25519 public key that signs receipts
}

// The shape of gateway.yaml.
type (
	gatewayFile struct {
		Gateway       string        `yaml:"gateway"`
		Territory     string        `yaml:"territory"`
		Origin        batch.Origin  `yaml:"origin"`
		Data          string        `yaml:"data"`
		BatchInterval time.Duration `yaml:"batch_interval"`
		Broker        Broker        `yaml:"broker"`
		IngestKey     string        `yaml:"ingest_key"`
		Buses         []busFile     `yaml:"buses"`
	}
	busFile struct {
		ID       string        `yaml:"id"`
		Type     string        `yaml:"type"`
		Address  string        `yaml:"address,omitempty"`
		Device   string        `yaml:"device,omitempty"`
		Baud     int           `yaml:"baud,omitempty"`
		Parity   string        `yaml:"parity,omitempty"`
		StopBits int           `yaml:"stop_bits,omitempty"`
		Timeout  time.Duration `yaml:"timeout"`
		Meters   []meterFile   `yaml:"meters"`
	}
	meterFile struct {
		ID       string        `yaml:"id"`
		Unit     byte          `yaml:"unit"`
		Profile  string        `yaml:"profile"`
		Interval time.Duration `yaml:"interval"`
		Channel  int           `yaml:"channel,omitempty"`
		Pulse    *pulseFile    `yaml:"pulse,omitempty"`
	}
	pulseFile struct {
		Quantity string `yaml:"quantity"`
		Weight   string `yaml:"weight"`
		Unit     string `yaml:"unit"`
	}
)

// GatewayYAML is the gateway.yaml by which the gateway of a site reads the
// port's servers. Its origin is synthetic; a gateway with replayed meters has
// the origin replayed and these meters only.
func (p *Port) GatewayYAML(s *Servers, gateway string, o GatewayOptions) ([]byte, error) {
	f := gatewayFile{Gateway: gateway, Territory: o.Territory, Origin: batch.Synthetic, Data: o.Data,
		BatchInterval: o.BatchInterval, Broker: o.Broker, IngestKey: o.IngestKey}
	replayed, _, _, only := p.Replayed(gateway)
	if only {
		f.Origin = batch.Replayed
	}
	for _, b := range s.Buses {
		if Gateway(b.Company) != gateway {
			continue
		}
		bus := busFile{ID: b.ID, Type: b.Type, Address: b.Address, Device: b.Device, Timeout: time.Second}
		if b.Type == "rtu" {
			bus.Address, bus.Baud, bus.Parity, bus.StopBits = "", b.Baud, b.Parity, b.StopBits
		}
		for _, m := range b.Meters {
			if only && !slices.Contains(replayed, m.ID) {
				continue
			}
			bus.Meters = append(bus.Meters, m.file())
		}
		if len(bus.Meters) > 0 {
			f.Buses = append(f.Buses, bus)
		}
	}
	if len(f.Buses) == 0 {
		return nil, fmt.Errorf("port: no meters of gateway %q are served", gateway)
	}
	return yaml.Marshal(f)
}

func (m *Meter) file() meterFile {
	f := meterFile{ID: m.ID, Unit: m.Unit, Profile: m.Profile, Interval: m.Interval(), Channel: m.Channel}
	if m.Pulse != nil {
		f.Pulse = &pulseFile{Quantity: string(m.Pulse.Quantity), Weight: m.Pulse.Weight.String(), Unit: string(m.Pulse.Unit)}
	}
	return f
}
