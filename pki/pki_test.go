package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server and a client with issued certificates speak; a client without one,
// or from another authority, is refused.
func TestMutualTLS(t *testing.T) {
	now := time.Now()
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		require.NoError(t, Init(d, "Port", now))
		require.NoError(t, Issue(d, "gw-1", nil, now))
	}
	require.Error(t, Init(dir, "Port", now), "an authority is never replaced")
	require.NoError(t, Issue(dir, "broker", []string{"localhost", "127.0.0.1"}, now))
	require.Error(t, Issue(dir, "broker", nil, now), "a certificate is never replaced")
	require.Error(t, Issue(t.TempDir(), "x", nil, now), "no authority")
	info, err := os.Stat(filepath.Join(dir, "gw-1.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	ca := filepath.Join(dir, "ca.crt")
	server, err := Client(ca, filepath.Join(dir, "broker.crt"), filepath.Join(dir, "broker.key"))
	require.NoError(t, err)
	server.ClientCAs, server.ClientAuth = server.RootCAs, tls.RequireAndVerifyClientCert
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) { io.Copy(c, c); c.Close() }(c)
		}
	}()
	say := func(dir string, withCert bool) error {
		cert, key := "", ""
		if withCert {
			cert, key = filepath.Join(dir, "gw-1.crt"), filepath.Join(dir, "gw-1.key")
		}
		c, err := Client(ca, cert, key)
		require.NoError(t, err)
		conn, err := tls.Dial("tcp", l.Addr().String(), c)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("x")); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, make([]byte, 1))
		return err
	}
	require.NoError(t, say(dir, true))
	require.Error(t, say(dir, false))
	require.Error(t, say(other, true))

	end, err := Expiry(filepath.Join(dir, "gw-1.crt"))
	require.NoError(t, err)
	require.Equal(t, now.AddDate(LeafYears, 0, 0).Unix(), end.Unix())
	_, err = Expiry(filepath.Join(dir, "gw-1.key"))
	require.Error(t, err)
}

func TestSigningKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "server.key")
	key, err := SigningKey(path)
	require.NoError(t, err)
	again, err := SigningKey(path)
	require.NoError(t, err)
	require.True(t, key.Equal(again))
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = SigningKey(path)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	require.NoError(t, os.Chmod(path, 0o600))
	_, err = SigningKey(path)
	require.ErrorContains(t, err, "not PEM")
}

// Processes that start at once on a new folder agree on one key.
func TestSigningKeyMadeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "server.key")
	keys := make([]ed25519.PrivateKey, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			k, err := SigningKey(path)
			assert.NoError(t, err)
			keys[i] = k
		})
	}
	wg.Wait()
	for _, k := range keys {
		require.Equal(t, keys[0], k)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
}
