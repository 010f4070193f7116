package gateway

import (
	"os"
	"path/filepath"
	"strings"
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
