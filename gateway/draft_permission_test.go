package gateway_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/gateway"
)

// In a folder where it may make nothing, a service's user completes its own file.
func TestCompleteWhereNothingMayBeMade(t *testing.T) {
	c, _ := configure(t, "tcp://127.0.0.1:1")
	path := filepath.Join(filepath.Dir(c.Data), "gateway.yaml")
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o555))
	defer os.Chmod(filepath.Dir(path), 0o755)
	require.NoError(t, os.Chmod(path, 0o666))
	before, err := os.Stat(path)
	require.NoError(t, err)
	bus := gateway.Bus{ID: "later", Type: "tcp", Address: "127.0.0.1:5022"}
	require.NoError(t, asNobody(t, func() error { return gateway.Complete(path, []gateway.Bus{bus}) }))
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "the same file, written over")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "id: later")
	_, err = gateway.LoadDraft(path)
	require.NoError(t, err)
}
