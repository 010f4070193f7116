// Package commissioning is the record of how a gateway's meters were put into
// service, as the gateway signs it: YAML whose last line is an Ed25519 signature
// over all bytes before it, by the key that signs the gateway's batches.
package commissioning

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/metering"
)

// Format names the layout of a record.
const Format = "thermie-commissioning-1"

// MaxBytes bounds a record that is read.
const MaxBytes = 8 << 20

// Record is what was found and agreed on a site. Texts are in the language of
// the installer.
type Record struct {
	Format    string    `yaml:"format"`
	Gateway   string    `yaml:"gateway"`
	Territory string    `yaml:"territory"`
	Origin    string    `yaml:"origin"` // measured, synthetic, replayed
	Key       string    `yaml:"key"`    // public, base64; signs this record and the gateway's batches
	Config    string    `yaml:"config"` // SHA-256 of the configuration, hexadecimal
	Version   string    `yaml:"version"`
	Language  string    `yaml:"language"`
	Started   time.Time `yaml:"started"`
	Signed    time.Time `yaml:"signed"`
	Installer string    `yaml:"installer"`
	Company   string    `yaml:"company,omitempty"` // of the installer
	// ClockSynchronised says whether the times here can be trusted.
	ClockSynchronised bool    `yaml:"clock_synchronised"`
	Buses             []Bus   `yaml:"buses"`
	Meters            []Meter `yaml:"meters"`
	Remarks           string  `yaml:"remarks,omitempty"`
}

// Bus is a line or connection as configured.
type Bus struct {
	ID       string  `yaml:"id"`
	Endpoint string  `yaml:"endpoint"`
	Load     float64 `yaml:"load"` // forecast share of its time
}

// Meter is one meter as it was found.
type Meter struct {
	ID         string            `yaml:"id"`
	Bus        string            `yaml:"bus"`
	Unit       int               `yaml:"unit"`
	Channel    int               `yaml:"channel,omitempty"`
	Profile    string            `yaml:"profile"`
	Maker      string            `yaml:"maker"`
	Trust      string            `yaml:"trust"` // of the profile
	Identity   map[string]string `yaml:"identity,omitempty"`
	Latency    time.Duration     `yaml:"latency"`
	Error      string            `yaml:"error,omitempty"` // when it could not be read
	Readings   []Reading         `yaml:"readings,omitempty"`
	Comparison *Comparison       `yaml:"comparison,omitempty"`
	Remark     string            `yaml:"remark,omitempty"`
	Accepted   bool              `yaml:"accepted"`
}

// Reading is one reading and what to think of it.
type Reading struct {
	Quantity  metering.Quantity `yaml:"quantity"`
	Number    string            `yaml:"number,omitempty"`
	Unit      metering.Unit     `yaml:"unit,omitempty"`
	At        time.Time         `yaml:"at"`
	OK        bool              `yaml:"ok"`
	Judgement string            `yaml:"judgement,omitempty"`
}

// Comparison is what the display showed beside what was read.
type Comparison struct {
	Quantity metering.Quantity `yaml:"quantity"`
	Display  string            `yaml:"display"` // as typed
	Read     string            `yaml:"read"`
	Unit     metering.Unit     `yaml:"unit"` // of Read
	At       time.Time         `yaml:"at"`
	Agrees   bool              `yaml:"agrees"`
}

// signatureContext keeps a signature of a record from being one of anything else.
const signatureContext = "thermie commissioning record v1\n"

const signatureLine = "\nsignature: "

// Seal writes a record and signs it.
func Seal(r Record, key ed25519.PrivateKey) ([]byte, error) {
	r.Format = Format
	r.Key = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("commissioning record of %s: %w", r.Gateway, err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("commissioning record of %s: %w", r.Gateway, err)
	}
	body := bytes.TrimRight(b.Bytes(), "\n")
	signature := ed25519.Sign(key, append([]byte(signatureContext), body...))
	return append(body, signatureLine+base64.StdEncoding.EncodeToString(signature)+"\n"...), nil
}

// ErrSignature says that a record is not what the key in it has signed.
var ErrSignature = errors.New("the signature does not fit: the record was changed, or signed by another key")

// Open reads a record and verifies its signature with the key that it names.
// Whether that key is the gateway's is for the caller to know.
func Open(text []byte) (Record, error) {
	var r Record
	if len(text) > MaxBytes {
		return r, fmt.Errorf("commissioning record: %d bytes, at most %d are read", len(text), MaxBytes)
	}
	i := bytes.LastIndex(text, []byte(signatureLine))
	if i < 0 {
		return r, errors.New("commissioning record: no signature at its end")
	}
	d := yaml.NewDecoder(bytes.NewReader(text[:i]))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("commissioning record: %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if r.Format != Format {
		return Record{}, fmt.Errorf("commissioning record: format %q is not %s", r.Format, Format)
	}
	key, err := base64.StdEncoding.DecodeString(r.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return Record{}, fmt.Errorf("commissioning record: key %q is no Ed25519 public key", r.Key)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(string(text[i+len(signatureLine):]), "\n"))
	if err != nil || !ed25519.Verify(key, append([]byte(signatureContext), text[:i]...), signature) {
		return Record{}, fmt.Errorf("commissioning record of %s: %w", r.Gateway, ErrSignature)
	}
	return r, nil
}

// Digest is the SHA-256 of a sealed record, as its PDF, the registry and the ledger name it.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Signature is the signature of a sealed record in base64, as it stands at its end.
func Signature(sealed []byte) string {
	return strings.TrimSpace(string(sealed[bytes.LastIndex(sealed, []byte(signatureLine))+len(signatureLine):]))
}
