// Package journal keeps what was read since the last batch, so that a gateway that
// is killed takes nothing with it.
//
// It is a file in memory: what is written to it belongs to the system at once,
// without a call, and stays when the process goes. It is not made durable. What
// the power takes is the outbox's care, which syncs each batch, so a journal of
// another start of the machine is not read.
//
// The file has a head of one page and then records: a length and a SenML pack.
// The head has two states and a word that says which of them holds. A change writes
// the other one, then the word: a process may be killed between any two
// instructions.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// Bytes is the size of the file, some minutes of a large site.
const Bytes = 4 << 20

const (
	page = 4096
	mark = 0x314a474d52454854 // "THERMGJ1"
)

// head is the first page of the file.
type head struct {
	mark   uint64
	boot   [36]byte // the start of the machine that it belongs to
	_      [4]byte
	which  atomic.Uint64 // of the states, the one that holds
	states [2]state
}

// state says what of the file is not yet in a batch.
type state struct {
	from, to uint64 // the records, as offsets in the file
	// Those before sealing go into the batches after number last: they are there,
	// and no more to be kept here, when the outbox has a later one.
	last    uint64
	sealing uint64
}

// Journal is an open file. Its methods are called by one goroutine at a time; a nil
// one keeps nothing.
type Journal struct {
	file *os.File
	room []byte
	head *head
	pack []byte
	last func() uint64 // the outbox's last batch
	// marks that were given and whose batches are not there yet: until then nothing
	// moves.
	marks int
}

// Open opens or makes the journal of a gateway whose outbox has the batches up to
// what last says, now and later, and returns what it kept of a process that was
// killed. boot names the start of the machine. A journal beside an error is whole again, what it kept is not.
// Only one process may have it open.
func Open(path, boot string, last func() uint64) (_ *Journal, kept []metering.Reading, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	// Without its room on disk, writing to the memory would end the process.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, Bytes); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("journal %s: room for %d bytes: %w", path, Bytes, err), f.Close())
	}
	room, err := unix.Mmap(int(f.Fd()), 0, Bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), f.Close())
	}
	j := &Journal{file: f, room: room, head: (*head)(unsafe.Pointer(&room[0])), last: last}
	var now [36]byte
	copy(now[:], boot)
	s := j.now()
	if j.head.mark != mark || j.head.boot != now || s.from < page || s.to < s.from || s.to > Bytes {
		j.head.mark = 0
		j.set(state{from: page, to: page, last: last()})
		j.head.boot = now
		j.head.mark = mark
		return j, nil, nil
	}
	if last() > s.last && s.sealing > s.from {
		s.from = s.sealing
	}
	s.last, s.sealing = last(), 0
	if kept, err = j.read(s); err != nil {
		s.to = s.from // so that it is told once
		err = fmt.Errorf("journal %s: what follows the first %d readings: %w", path, len(kept), err)
	}
	j.set(s)
	return j, kept, err
}

// Boot names this start of the machine.
func Boot() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("journal: %w", err)
	}
	if len(b) < 36 {
		return "", fmt.Errorf("journal: boot id %q", b)
	}
	return string(b[:36]), nil
}

func (j *Journal) now() state { return j.head.states[j.head.which.Load()&1] }

func (j *Journal) set(s state) {
	other := (j.head.which.Load() + 1) & 1
	j.head.states[other] = s
	j.head.which.Store(other)
}

var errOutside = errors.New("a record ends outside")

func (j *Journal) read(s state) (out []metering.Reading, err error) {
	for at := s.from; at < s.to; {
		if s.to-at < 4 {
			return out, errOutside
		}
		n := uint64(binary.LittleEndian.Uint32(j.room[at:]))
		if at += 4; n > s.to-at {
			return out, errOutside
		}
		readings, err := batch.ReadPack(j.room[at : at+n])
		if err != nil {
			return out, err
		}
		out = append(out, readings...)
		at += n
	}
	return out, nil
}

// Add keeps readings; false when there is no room for them.
func (j *Journal) Add(readings []metering.Reading) bool {
	if !j.open() {
		return true
	}
	s := j.now()
	if !j.put(&s, readings) {
		return false
	}
	j.set(s)
	return true
}

func (j *Journal) open() bool { return j != nil && j.room != nil }

// put writes readings behind those of a state, which is then theirs as well.
func (j *Journal) put(s *state, readings []metering.Reading) bool {
	for len(readings) > 0 {
		n := min(len(readings), batch.MaxReadings)
		j.pack = batch.AppendPack(j.pack[:0], readings[:n])
		if uint64(len(j.pack))+4 > Bytes-s.to {
			return false
		}
		binary.LittleEndian.PutUint32(j.room[s.to:], uint32(len(j.pack)))
		copy(j.room[s.to+4:], j.pack)
		s.to += 4 + uint64(len(j.pack))
		readings = readings[n:]
	}
	return true
}

// Mark is where what comes next is kept.
func (j *Journal) Mark() uint64 {
	if !j.open() {
		return 0
	}
	j.marks = 1
	return j.now().to
}

// Sealing says that the outbox is given what is before a mark.
func (j *Journal) Sealing(mark uint64) {
	if !j.open() {
		return
	}
	s := j.now()
	s.last, s.sealing = j.last(), mark
	j.set(s)
}

// Sealed says that the outbox has it. What came meanwhile moves to the front when
// it finds room there.
func (j *Journal) Sealed() {
	if !j.open() {
		return
	}
	s := j.now()
	s.from, s.sealing = max(s.from, s.sealing), 0
	j.marks--
	if n := s.to - s.from; j.marks <= 0 && page+n <= s.from {
		copy(j.room[page:], j.room[s.from:s.to])
		s.from, s.to = page, page+n
	}
	j.set(s)
}

// Replace keeps other readings in place of all that it has, each group before a
// mark of its own; no marks when there is no room for them.
func (j *Journal) Replace(groups [][]metering.Reading) (marks []uint64) {
	if !j.open() {
		return nil
	}
	old := j.now()
	s := state{from: old.to, to: old.to, last: old.last}
	for _, g := range groups {
		if !j.put(&s, g) {
			j.set(state{from: page, to: page, last: old.last})
			return nil
		}
		marks = append(marks, s.to)
	}
	j.set(s)
	j.marks = len(marks)
	return marks
}

// Close gives the file back.
func (j *Journal) Close() error {
	if !j.open() {
		return nil
	}
	err := errors.Join(unix.Munmap(j.room), j.file.Close())
	j.room, j.head = nil, nil
	return err
}
