package ingest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What importers leave is treated as what comes over the broker, in the order of
// the numbers, and is gone when it is in the ledger or in quarantine.
func TestInbox(t *testing.T) {
	dir := t.TempDir()
	in := OpenInbox(filepath.Join(dir, "inbox"))
	n, _, err := in.Last("gw-a")
	require.NoError(t, err)
	require.Zero(t, n)
	g := newGateway(t, "gw-a")
	all := g.batches(12, 3)
	for i := len(all) - 1; i >= 0; i-- {
		require.NoError(t, in.Put("gw-a", uint64(i+1), all[i]))
	}
	require.NoError(t, in.Put("gw-b", 1, all[0]))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "inbox", "gw-a", "note.txt"), []byte("x"), 0o600))
	require.Error(t, in.Put("../gw", 1, all[0]))
	n, last, err := in.Last("gw-a")
	require.NoError(t, err)
	require.EqualValues(t, 12, n)
	require.Equal(t, all[11], last)

	b := newBench(t, dir, func(o *Options) { o.Inbox = in })
	for range 13 {
		b.receipt()
	}
	b.ticks()
	requireLeaves(t, b.o.Ledger, all...)
	for g, want := range map[string]int{"gw-a": 0, "gw-b": 0} {
		require.Eventually(t, func() bool { // it is taken out after its receipt
			waiting, err := in.Waiting(g)
			require.NoError(t, err)
			return waiting == want
		}, 20*time.Second, time.Millisecond, g)
	}
	held, err := b.o.Quarantine.List()
	require.NoError(t, err)
	require.Len(t, held, 1)
	require.Equal(t, "sender", held[0].Kind)
	require.Empty(t, b.alarms.get("ingest/gap/gw-a").ID)
}
