//go:build !race

package modbus

import (
	"syscall"
	"unsafe"
)

// readNow and writeNow call the system on a descriptor that does not block. The
// scheduler is not told, as it would be of a call that may take long: telling it
// costs more than the read, and wakes the thread that looks after such calls.
func readNow(fd int, b []byte) (int, error) { return now(syscall.SYS_READ, fd, b) }

func writeNow(fd int, b []byte) (int, error) { return now(syscall.SYS_WRITE, fd, b) }

// now makes a call, again when a signal interrupted it. b is not empty.
func now(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, err := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch err {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
