//go:build race

package modbus

import "syscall"

// The race detector takes what goes over a connection for a meeting of the two
// sides only where it sees the calls.

func readNow(fd int, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Read(fd, b); err != syscall.EINTR {
			return n, err
		}
	}
}

func writeNow(fd int, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Write(fd, b); err != syscall.EINTR {
			return n, err
		}
	}
}
