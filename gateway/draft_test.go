package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestComplete(t *testing.T) {
	draft := goodConfig[:strings.Index(goodConfig, "buses:")] + "# the lines\nbuses:\n  - id: tcp-1 # by the door\n    type: tcp\n    address: 127.0.0.1:5020\n"
	path := write(t, draft)
	_, err := LoadConfig(path)
	require.ErrorContains(t, err, "bus tcp-1 has no meters")
	c, err := LoadDraft(path)
	require.NoError(t, err)
	require.Empty(t, c.PollBuses())
	m := Meter{ID: "m-1", Unit: 3, Profile: "schneider-iem3000"}
	require.NoError(t, Complete(path, []Bus{{ID: "tcp-1", Meters: []Meter{m}}, {ID: "tcp-2", Type: "tcp", Address: "127.0.0.1:5021",
		Meters: []Meter{{ID: "g-1", Unit: 7, Profile: "saia-pcd7-h104d", Channel: 2, Pulse: &Pulse{"gas_volume", "0.1", "m3"}}}}}))
	c, err = LoadConfig(path)
	require.NoError(t, err)
	require.Len(t, c.PollBuses(), 2)
	require.Equal(t, 2, c.PollBuses()[1].Meters[0].Channel)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "# the lines")
	require.Contains(t, string(text), "# by the door")
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left behind")

	// A link stays, and so do mode and owner of what it points to.
	link := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, os.Chmod(path, 0o640))
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(path, 1234, 1235))
	}
	require.NoError(t, Complete(link, []Bus{{ID: "tcp-3", Type: "tcp", Address: "127.0.0.1:5022"}}), "a draft: tcp-3 has no meters yet")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	info, err = os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	if os.Getuid() == 0 {
		owner := info.Sys().(*syscall.Stat_t)
		require.Equal(t, [2]uint32{1234, 1235}, [2]uint32{owner.Uid, owner.Gid}, "root does not take it away from the service's user")
	}
	require.NoError(t, Complete(path, []Bus{{ID: "tcp-3", Meters: []Meter{{ID: "m-3", Unit: 1, Profile: "schneider-iem3000"}}}}))
	text, err = os.ReadFile(path)
	require.NoError(t, err)

	// What does not make a good configuration is not written.
	require.ErrorContains(t, Complete(path, []Bus{{ID: "tcp-1", Meters: []Meter{m}}}), "meter m-1 is there twice")
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	for _, bad := range []string{"buses: 1\n", "- a\n", "a: [\n"} {
		require.Error(t, Complete(write(t, bad), []Bus{{ID: "x"}}))
	}
	none := goodConfig[:strings.Index(goodConfig, "buses:")]
	for _, empty := range []string{"", "buses:\n", "buses: []\n"} {
		path := write(t, none+empty)
		_, err := LoadDraft(path)
		require.NoError(t, err)
		require.NoError(t, Complete(path, []Bus{{ID: "b", Type: "tcp", Address: "127.0.0.1:1", Meters: []Meter{m}}}), empty)
	}
}

// What is written over in its place is never empty in between, and has nothing of
// the old text behind the new one.
func TestOverwrite(t *testing.T) {
	path := write(t, strings.Repeat("old ", 100))
	require.NoError(t, overwrite(path, []byte("new text\n")))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new text\n", string(text))
	require.ErrorContains(t, overwrite(filepath.Join(t.TempDir(), "absent"), nil), "configuration: ")
}
