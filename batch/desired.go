package batch

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/veraison/go-cose"
)

const desiredType = "application/vnd.thermie.desired+cbor"

// MaxDesired bounds a sealed desired configuration.
const MaxDesired = 192 << 10

// Desired is the configuration that a gateway is to run, as the server signs it
// and retains it on the gateway's config topic.
type Desired struct {
	Gateway string `cbor:"gw"`
	// Number orders the configurations of a gateway: one that is not above the last
	// that it saw is not taken, so that an old message cannot be played again.
	Number   uint64 `cbor:"num"`
	IssuedAt int64  `cbor:"at"` // Unix milliseconds
	// WithinSeconds is how soon the broker must be reached with it, else the gateway
	// goes back to what it ran.
	WithinSeconds uint32 `cbor:"in"`
	Text          []byte `cbor:"yaml"` // gateway.yaml
}

// SealDesired signs a desired configuration with the server's key.
func SealDesired(d Desired, key ed25519.PrivateKey) ([]byte, error) {
	payload, err := encMode.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("configuration %d of %s: %w", d.Number, d.Gateway, err)
	}
	sealed, err := sign(cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA, cose.HeaderLabelContentType: desiredType}, payload, key)
	if err != nil {
		return nil, fmt.Errorf("configuration %d of %s: %w", d.Number, d.Gateway, err)
	}
	if len(sealed) > MaxDesired {
		return nil, fmt.Errorf("configuration %d of %s: %d bytes: %w", d.Number, d.Gateway, len(sealed), ErrTooLarge)
	}
	return sealed, nil
}

// OpenDesired verifies and decodes a desired configuration.
func OpenDesired(sealed []byte, key ed25519.PublicKey) (Desired, error) {
	var d Desired
	if len(sealed) > MaxDesired {
		return d, fmt.Errorf("configuration of %d bytes: %w", len(sealed), ErrTooLarge)
	}
	var msg cose.Sign1Message
	if err := msg.UnmarshalCBOR(sealed); err != nil {
		return d, fmt.Errorf("%w: configuration: %v", ErrFormat, err)
	}
	if ct, _ := msg.Headers.Protected[cose.HeaderLabelContentType].(string); ct != desiredType {
		return d, fmt.Errorf("%w: configuration of content type %q", ErrFormat, ct)
	}
	if err := verify(&msg, key); err != nil {
		return d, fmt.Errorf("configuration: %w", err)
	}
	if err := decMode.Unmarshal(msg.Payload, &d); err != nil {
		return Desired{}, fmt.Errorf("%w: configuration: %v", ErrFormat, err)
	}
	return d, nil
}

// States of a ConfigReport.
const (
	ConfigLocal      = "local"       // the file on the device, nothing else was asked for
	ConfigTrying     = "trying"      // applied, the broker is not reached with it yet
	ConfigRunning    = "running"     // applied and proved
	ConfigRefused    = "refused"     // not applied: it is not valid here
	ConfigRolledBack = "rolled_back" // applied, and taken back
	ConfigSuperseded = "superseded"  // somebody changed the file on the device since
)

// ConfigReport is what a gateway says of its configuration, retained on its
// report topic as JSON.
type ConfigReport struct {
	Gateway string    `json:"gateway"`
	At      time.Time `json:"at"`
	Number  uint64    `json:"number,omitempty"` // of the desired configuration that it is about
	State   string    `json:"state"`
	Detail  string    `json:"detail,omitempty"` // in words, English
	Config  string    `json:"config"`           // hash of what runs, hexadecimal
}

// ParseConfigReport decodes a report of bounded size.
func ParseConfigReport(b []byte) (ConfigReport, error) {
	var r ConfigReport
	if len(b) > 16<<10 {
		return r, fmt.Errorf("configuration report of %d bytes: %w", len(b), ErrTooLarge)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%w: configuration report: %v", ErrFormat, err)
	}
	return r, nil
}
