//go:build unix

package server

import "golang.org/x/sys/unix"

// writable says whether this process may make files in a folder.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
