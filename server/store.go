package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/series/influx"
)

// openStore opens the series store that the configuration names.
func openStore(ctx context.Context, c Config, log *slog.Logger) (series.Store, error) {
	if c.Store.Kind == "embedded" {
		return embedded.Open(ctx, filepath.Join(c.Data, "series"), embedded.Options{Log: log})
	}
	token, err := readSecret(c.Store.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("InfluxDB token: %w", err)
	}
	return influx.Open(ctx, influx.Options{URL: c.Store.URL, Token: token, Org: c.Store.Organisation, Bucket: c.Store.Bucket, Log: log})
}

// readSecret reads a secret from a file that only its owner may read. Secrets
// handed over by a container runtime live in /run and come with its own modes.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 && !strings.HasPrefix(path, "/run/") {
		return "", fmt.Errorf("%s: others may read it (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}
