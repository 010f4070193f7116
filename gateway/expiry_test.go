package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/pki"
)

// The status says until when the gateway's certificate is valid.
func TestCertificateInStatus(t *testing.T) {
	_, path := configure(t, "tcp://127.0.0.1:1")
	dir := filepath.Dir(path)
	now := time.Now()
	require.NoError(t, pki.Init(dir, "Port", now))
	require.NoError(t, pki.Issue(dir, site, nil, now))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "broker:") {
			j := i + 1
			for j < len(lines) && strings.HasPrefix(lines[j], " ") {
				j++
			}
			with := "broker: {url: \"tls://localhost:1\", ca_file: ca.crt, cert_file: " + site + ".crt, key_file: " + site + ".key}"
			lines = append(append(lines[:i:i], with), lines[j:]...)
			break
		}
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	c, err := gateway.LoadConfig(path)
	require.NoError(t, err)
	g, err := gateway.New(c, gateway.Options{})
	require.NoError(t, err)
	defer g.Close()
	want, err := pki.Expiry(filepath.Join(dir, site+".crt"))
	require.NoError(t, err)
	require.True(t, want.After(now))
	require.True(t, want.Equal(g.Status().CertExpiry))
}
