package embedded

import (
	"flag"
	"os"
	"testing"
)

// TestMain runs the model fewer times than rapid would, for speed; pass
// -rapid.checks for more.
func TestMain(m *testing.M) {
	if dir := os.Getenv(applierDir); dir != "" {
		runApplier(dir)
		return
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		flag.Set("rapid.checks", "15")
	}
	os.Exit(m.Run())
}
