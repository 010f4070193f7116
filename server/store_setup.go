package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thermie/thermie/series/influx"
)

// SetupOptions say how an InfluxDB is made ready for the configuration.
type SetupOptions struct {
	Config Config
	// AdminTokenFile holds the token of an administrator; for a new server it is
	// where that token is written to.
	AdminTokenFile     string
	User, PasswordFile string        // of the first administrator of a new server
	Retention          time.Duration // of the readings; 0: for ever
	Rollups            bool          // coarser buckets for other people's dashboards
}

// SetupStore makes organisation, bucket and tokens in the InfluxDB that the
// configuration names, and writes the tokens to files of mode 0600: the one that
// writes to store.token_file, the one that only reads beside it (".read"), that
// of the roll-ups too (".rollups"). It returns the files. Doing it again is safe.
func SetupStore(ctx context.Context, o SetupOptions) (files []string, err error) {
	c := o.Config.Store
	if c.Kind != "influx" {
		return nil, fmt.Errorf("store.kind is %q: only an InfluxDB is set up; the embedded store makes its folder by itself", c.Kind)
	}
	s := influx.SetupOptions{URL: c.URL, Org: c.Organisation, Bucket: c.Bucket, User: o.User, Retention: o.Retention, Rollups: o.Rollups}
	if o.User == "" {
		if s.AdminToken, err = readSecret(o.AdminTokenFile); err != nil {
			return nil, fmt.Errorf("administrator's token: %w", err)
		}
	} else if s.Password, err = readSecret(o.PasswordFile); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	if o.User != "" {
		if _, err := os.Stat(o.AdminTokenFile); !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already: the administrator's token of a new server would replace it", o.AdminTokenFile)
		}
	}
	t, err := influx.Setup(ctx, s)
	// The administrator's token first: the server gives it once.
	for _, x := range []struct{ file, secret string }{
		{o.AdminTokenFile, t.Admin}, {c.TokenFile, t.Write}, {c.TokenFile + ".read", t.Read}, {c.TokenFile + ".rollups", t.Rollups},
	} {
		if x.secret == "" {
			continue
		}
		if werr := writeSecret(x.file, x.secret); werr != nil {
			return files, errors.Join(err, werr)
		}
		files = append(files, x.file)
	}
	return files, err
}

// writeSecret writes a secret to a file that only its owner may read, whole or
// not at all. One that is there already and holds the same is left alone.
func writeSecret(path, secret string) error {
	if have, err := readSecret(path); err == nil && have == secret {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.TrimSpace(secret) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write secret %s: %w", path, err)
	}
	return nil
}
