package scan_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
)

// shyFolder has the profile of a device that makes no exceptions.
func shyFolder(t testing.TB) fs.FS {
	text, err := firmwareconfigs.Files.ReadFile("meters/schneider-iem3000.yaml")
	require.NoError(t, err)
	shy := strings.Replace(string(text), "id: schneider-iem3000", "id: shy", 1)
	shy = strings.Replace(shy, "\nquantities:", "\nbehaviour: {no_exceptions: true}\nquantities:", 1)
	require.NotEqual(t, string(text), shy)
	return fstest.MapFS{"shy.yaml": {Data: []byte(shy)}}
}
