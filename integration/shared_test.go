//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/server"
)

// Four `thermie ingest` processes share a territory on one Mosquitto. While they
// are killed at random moments, whoever of them owns the ledger included, each
// batch ends in the one ledger once and each reading in the store once: what one
// process alone would have made.
func TestFourIngestProcesses(t *testing.T) {
	const share = 90_000
	gateways := []string{"gw-1", "gw-2"}
	const quiet = "gw-3" // sends when nobody is killed any more
	everybody := append(append([]string{}, gateways...), quiet)
	broker := startMosquitto(t, append([]string{"ingest"}, everybody...)...)
	dir, err := os.MkdirTemp("", "th-") // a short name: the socket lies in it
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	writeIngestKeys(t, data)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "programme.yaml"), gatewaysProgramme(everybody), 0o600))
	var four []*process
	for n := range 4 {
		name := fmt.Sprintf("ingest-%d", n+1)
		config := filepath.Join(dir, name+".yaml")
		require.NoError(t, os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "NAME", name, "CERTS", broker.certs, "URL", broker.url).Replace(`
programme: DIR/programme.yaml
data: DIR/data
broker: {url: "URL", client_id: NAME, shared: true, ca_file: CERTS/ca.crt, cert_file: CERTS/ingest.crt, key_file: CERTS/ingest.key}
`)), 0o600))
		p := newProcess(t, name, nil, nil, product(t, "thermie"), "ingest", "--config", config)
		p.launch()
		four = append(four, p)
	}
	gateway := func(name string) *process {
		w := newRole(t, role{Broker: broker.url, Certs: broker.certs, Name: name,
			Gateway: &gatewayRole{Dir: filepath.Join(dir, name), Readings: share, Pace: 20 * time.Millisecond}})
		w.launch()
		return w
	}
	var workers []*process
	for _, g := range gateways {
		workers = append(workers, gateway(g))
	}
	c := newChaos(t)
	began := time.Now()
	c.run(four, workers, 5*time.Minute)
	t.Logf("%d readings with receipts after %s; killed with SIGKILL: %v", share*len(gateways), time.Since(began).Round(time.Second), c.kills)
	for _, p := range four {
		require.Positivef(t, c.kills[p.name], "%s was never killed: %v", p.name, c.kills)
	}

	// Nobody is killed any more: each has its part of what comes.
	last := gateway(quiet)
	select {
	case <-last.exited():
		require.Zero(t, last.exitCode(), last.said())
	case <-time.After(2 * time.Minute):
		require.Fail(t, "the last gateway is not through", last.said())
	}
	owners := 0
	for _, p := range four {
		p.stop()
		require.Zerof(t, p.exitCode(), "%s: %s", p.name, p.said())
		said := regexp.MustCompile(`ingest: ended" acknowledged=(\d+)`).FindAllStringSubmatch(p.said(), -1)
		require.NotEmptyf(t, said, "%s: %s", p.name, p.said())
		t.Logf("%s acknowledged %s batches in its last life", p.name, said[len(said)-1][1])
		require.NotEqualf(t, "0", said[len(said)-1][1], "%s had no part", p.name)
		if strings.Contains(p.said(), "trying to take its place") {
			owners++
		}
	}
	require.Positive(t, owners, "no process ever took the place of a dead owner")

	requireLedger(t, &ingestRole{Dir: data}, everybody, share)
	// The store, brought to the end of the ledger, and one made anew by one process.
	l, err := openLedger(data, nil)
	require.NoError(t, err)
	store, err := embedded.Open(t.Context(), filepath.Join(data, "series"), embedded.Options{})
	require.NoError(t, err)
	require.NoError(t, ingest.Follow(t.Context(), l, store, ingest.FollowOptions{Until: l.Size()}))
	require.NoError(t, l.Close())
	requireStore(t, store, everybody, share)
	shared := allPoints(t, store)
	require.NoError(t, store.Close())
	conf, err := server.LoadConfig(filepath.Join(dir, "ingest-1.yaml"))
	require.NoError(t, err)
	_, err = server.Rebuild(t.Context(), server.RebuildOptions{Config: conf})
	require.NoError(t, err)
	store, err = embedded.Open(t.Context(), filepath.Join(data, "series"), embedded.Options{})
	require.NoError(t, err)
	defer store.Close()
	require.Equal(t, shared, allPoints(t, store))
}

// allPoints writes every point of a store, one a line.
func allPoints(t *testing.T, store series.Store) []string {
	t.Helper()
	scope := access.System("integration test")
	list, err := store.List(t.Context(), scope)
	require.NoError(t, err)
	var out []string
	for _, i := range list {
		for p, err := range store.Points(t.Context(), scope, i.ID, i.First, i.Last.Add(time.Millisecond)) {
			require.NoError(t, err)
			out = append(out, fmt.Sprint(i.ID, i.Unit, p))
		}
	}
	return out
}
