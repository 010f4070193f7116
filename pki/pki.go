// Package pki makes the small certificate authority of one programme: one
// authority, one certificate for the broker, one for each gateway and for
// ingest (X.509, Ed25519, TLS 1.3). The name in a client certificate is the
// name that the broker's access rules go by.
//
// It is a convenience for a programme that has no authority of its own; any
// other that issues such certificates serves as well.
package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Lifetimes of what is issued.
const (
	AuthorityYears = 20
	LeafYears      = 3
)

// Init creates an authority in dir (ca.crt, ca.key), both new; it refuses to
// replace one that is there.
func Init(dir, organisation string, now time.Time) error {
	if _, err := os.Stat(filepath.Join(dir, "ca.key")); err == nil {
		return fmt.Errorf("certificate authority in %s: there is one already", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{organisation}, CommonName: organisation + " CA"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(AuthorityYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, pub, key)
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	return writePair(dir, "ca", der, key)
}

// Issue makes a certificate NAME.crt with its key NAME.key in dir, signed by
// the authority there. With hosts it is a server's certificate for those names
// and addresses, without it is a client's.
func Issue(dir, name string, hosts []string, now time.Time) error {
	ca, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if err != nil {
		return fmt.Errorf("certificate for %s: no authority in %s (create it first): %w", name, dir, err)
	}
	parent, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		return fmt.Errorf("certificate for %s: authority: %w", name, err)
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("certificate for %s: %w", name, err)
	}
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(LeafYears, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(hosts) > 0 {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, ca.PrivateKey)
	if err != nil {
		return fmt.Errorf("certificate for %s: %w", name, err)
	}
	return writePair(dir, name, der, key)
}

// Client is the TLS configuration of a client: the authority it trusts and,
// when certFile is not empty, its own certificate. TLS 1.3 only.
func Client(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if caFile != "" {
		b, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("trusted authority: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("trusted authority %s: no certificate in it", caFile)
		}
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Expiry returns when the certificate in a PEM file ends.
func Expiry(certFile string) (time.Time, error) {
	b, err := os.ReadFile(certFile)
	if err != nil {
		return time.Time{}, fmt.Errorf("certificate: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return time.Time{}, fmt.Errorf("certificate %s: not PEM", certFile)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, fmt.Errorf("certificate %s: %w", certFile, err)
	}
	return c.NotAfter, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func writePair(dir, name string, der []byte, key ed25519.PrivateKey) error {
	if filepath.Base(name) != name {
		return fmt.Errorf("certificate name %q: must not hold a path", name)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("key of %s: %w", name, err)
	}
	return errors.Join(
		writeNew(filepath.Join(dir, name+".key"), "PRIVATE KEY", pkcs8, 0o600),
		writeNew(filepath.Join(dir, name+".crt"), "CERTIFICATE", der, 0o644),
	)
}

func writeNew(path, kind string, der []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Close())
}
