//go:build integration

package integration

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// The servers that the other tests stand on do start, die and come back.
func TestServersStart(t *testing.T) {
	m := startMosquitto(t, "gw-1", "ingest")
	m.kill()
	m.start()
	f := startInflux(t)
	f.kill()
	f.start()
	out, err := exec.Command(program(t, "THERMIE_CHROMIUM"), "--version").CombinedOutput()
	require.NoError(t, err, string(out))
}
