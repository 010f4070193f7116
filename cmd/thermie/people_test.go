package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/registry"
)

// Who may sign in decides who sees what: every change of it is in the audit trail.
func TestPeopleAreRecorded(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "server.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "programme: p.yaml\ndata: %s\nbroker: {url: \"tcp://127.0.0.1:1\"}\n", filepath.Join(dir, "data")), 0o600))
	people := func(args ...string) {
		c := rootCommand()
		c.SetArgs(append([]string{"people", "--config", config}, args...))
		c.SetIn(strings.NewReader("a long enough pass phrase\n"))
		c.SetOut(t.Output())
		require.NoError(t, c.ExecuteContext(t.Context()))
	}
	people("add", "--email", "anne@port.example", "--name", "Anne Klein", "--role", "animator")
	people("disable", "anne@port.example")
	people("enable", "Anne@port.example")
	people("password", "anne@port.example")

	r, err := registry.Open(t.Context(), filepath.Join(dir, "data", "registry.db"))
	require.NoError(t, err)
	defer r.Close()
	acts, err := r.AuditTrail(t.Context(), 10)
	require.NoError(t, err)
	var said []string
	for _, a := range acts {
		require.Contains(t, a.Who, "console")
		said = append(said, strings.TrimSpace(a.What+" "+a.Subject+" "+a.Detail))
	}
	require.Equal(t, []string{
		"account.password anne@port.example",
		"account.enable anne@port.example",
		"account.disable anne@port.example",
		"account.create anne@port.example role animator",
	}, said)
}
