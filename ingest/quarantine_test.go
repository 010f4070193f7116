package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuarantine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "q")
	q := OpenQuarantine(dir)
	list, err := q.List()
	require.NoError(t, err)
	require.Empty(t, list, "no folder yet")
	h := Held{Topic: "thermie/v1/port/gw-a/batch", At: epoch, Kind: "format", Reason: "why", Gateway: "gw-a"}
	id, err := q.Put(h, []byte("one"))
	require.NoError(t, err)
	again, err := q.Put(Held{Topic: h.Topic, At: epoch.Add(1), Kind: "format", Reason: "why", Gateway: "gw-a"}, []byte("one"))
	require.NoError(t, err)
	require.Equal(t, id, again, "kept once")
	h.Gateway = "gw-b"
	large := bytes.Repeat([]byte("x"), maxHeldPayload+1)
	cutID, err := q.Put(h, large)
	require.NoError(t, err)

	list, err = q.List()
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, id, list[0].ID)
	require.Equal(t, 3, list[0].Size)
	require.Equal(t, "why", list[0].Reason)
	require.Equal(t, epoch, list[0].At)
	require.Equal(t, len(large), list[1].Size)

	require.ErrorContains(t, q.Replay(cutID), "only the first")
	require.NoError(t, q.Replay(id))
	waiting, err := q.waiting(10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	held, payload, err := q.Show(waiting[0])
	require.NoError(t, err)
	require.True(t, held.Replay)
	require.Equal(t, "one", string(payload))
	require.NoError(t, q.again(waiting[0], "chain", "still bad"))
	held, _, err = q.Show(id)
	require.NoError(t, err)
	require.Equal(t, "chain: still bad", held.Kind+": "+held.Reason)
	require.NoError(t, q.Remove(id))
	_, _, err = q.Show(id)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// An id comes from a command line: it names a file of the folder or nothing.
func TestQuarantineIDs(t *testing.T) {
	dir := t.TempDir()
	q := OpenQuarantine(filepath.Join(dir, "q"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.held"), []byte("{}\n"), 0o600))
	for _, id := range []string{"", "x", "../secret.held", "gw-a/../../secret.held", "gw-a/secret", "gw-a/..\\x.held", "/etc/passwd", "..", "gw-a/"} {
		_, _, err := q.Show(id)
		require.Error(t, err, id)
		require.NotErrorIs(t, err, os.ErrNotExist, id)
		require.Error(t, q.Remove(id), id)
		require.Error(t, q.Replay(id), id)
	}
	_, err := q.Put(Held{Gateway: "../x"}, nil)
	require.Error(t, err)
}

// A file that somebody damaged is listed as such and never replayed.
func TestQuarantineDamaged(t *testing.T) {
	dir := t.TempDir()
	q := OpenQuarantine(dir)
	id, err := q.Put(Held{Gateway: "gw-a", At: epoch}, []byte("payload"))
	require.NoError(t, err)
	path := filepath.Join(dir, filepath.FromSlash(id))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	list, err := q.List()
	require.NoError(t, err)
	require.Equal(t, "unreadable", list[0].Kind)
	require.Contains(t, list[0].Reason, "not those received")
	require.ErrorContains(t, q.Replay(id), "not those received")
	require.True(t, strings.HasSuffix(id, heldSuffix))
}
