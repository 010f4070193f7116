package gateway_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/gateway"
)

// TestNoPermission: a data folder that belongs to somebody else is refused with
// its name. Run by root, the test looks at it as nobody.
func TestNoPermission(t *testing.T) {
	c, _ := configure(t, "tcp://127.0.0.1:1")
	for dir := filepath.Dir(c.Data); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.Mkdir(c.Data, 0o555))
	password := filepath.Join(filepath.Dir(c.Data), "password")
	require.NoError(t, os.Chmod(password, 0o644))
	defer os.Chmod(c.Data, 0o755)
	err := asNobody(t, func() error {
		_, err := gateway.New(c, gateway.Options{})
		return err
	})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, c.Data)
	entries, err := os.ReadDir(c.Data)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing half-started")
}

// asNobody runs f on a thread whose file accesses are those of nobody, when we
// are root. The thread is not used again.
func asNobody(t *testing.T, f func() error) error {
	result := make(chan error)
	go func() {
		if os.Getuid() == 0 {
			runtime.LockOSThread()
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		result <- f()
	}()
	return <-result
}
