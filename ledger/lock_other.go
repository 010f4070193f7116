//go:build !unix

package ledger

import (
	"os"
	"path/filepath"
)

// lock only marks the folder: verifiers run on these systems, servers do not.
func lock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
}
