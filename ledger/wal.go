package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// The write-ahead file holds the leaves that no checkpoint covers yet.
//
//	file    "thermwal" salt(16) first(8) crc(4)   first: index of its first leaf
//	group   "LEAF" count(4) index(8) bytes(4) crc(4), then count records of bytes in all
//	record  length(4) crc(4) leaf
//
// Integers are big-endian. Each checksum (CRC-32C) begins with the file's random
// salt, so that nothing inside a leaf can pass for a group. A group is
// what one fsync covered: at its end alone may a write be cut short.
const (
	walMagic       = "thermwal"
	walHeader      = 8 + 16 + 8 + 4
	groupMagic     = "LEAF"
	groupHeader    = 4 + 4 + 8 + 4 + 4
	recordHeader   = 4 + 4
	maxGroupLeaves = 1 << 20
	maxWAL         = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type salt [16]byte

func (s *salt) sum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, b)
}

func newWAL(first uint64) (head []byte, s salt) {
	rand.Read(s[:])
	head = append([]byte(walMagic), s[:]...)
	head = binary.BigEndian.AppendUint64(head, first)
	return binary.BigEndian.AppendUint32(head, s.sum(head)), s
}

// appendGroup encodes leaves as a group. The leaves returned alias the buffer.
func appendGroup(b []byte, s salt, index uint64, leaves [][]byte) ([]byte, [][]byte) {
	size := 0
	for _, l := range leaves {
		size += recordHeader + len(l)
	}
	if cap(b)-len(b) < groupHeader+size {
		b = append(make([]byte, 0, len(b)+groupHeader+size), b...)
	}
	head := len(b)
	b = append(b, groupMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(leaves)))
	b = binary.BigEndian.AppendUint64(b, index)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = binary.BigEndian.AppendUint32(b, s.sum(b[head:]))
	kept := make([][]byte, len(leaves))
	for i, l := range leaves {
		b = binary.BigEndian.AppendUint32(b, uint32(len(l)))
		b = binary.BigEndian.AppendUint32(b, s.sum(l))
		start := len(b)
		b = append(b, l...)
		kept[i] = b[start:len(b):len(b)]
	}
	return b, kept
}

// wal is a parsed write-ahead file.
type wal struct {
	salt   salt
	first  uint64
	leaves [][]byte // aliases of the file's bytes
	good   int      // bytes up to the end of the last whole group
	// damage is set when bytes before a later whole group cannot be read: no
	// crash does that.
	damage error
}

// parseWAL reads a write-ahead file. An error means that not even its header
// can be read.
func parseWAL(b []byte) (*wal, error) {
	if len(b) < walHeader || string(b[:8]) != walMagic {
		return nil, fmt.Errorf("write-ahead file: no header: %w", ErrDamaged)
	}
	w := &wal{first: binary.BigEndian.Uint64(b[24:])}
	copy(w.salt[:], b[8:])
	if w.salt.sum(b[:walHeader-4]) != binary.BigEndian.Uint32(b[walHeader-4:]) {
		return nil, fmt.Errorf("write-ahead file: header checksum: %w", ErrDamaged)
	}
	w.good = walHeader
	for w.good < len(b) {
		next := w.first + uint64(len(w.leaves))
		leaves, n, err := w.group(b[w.good:], next)
		if err != nil {
			if w.laterGroup(b[w.good:], next) {
				w.damage = fmt.Errorf("write-ahead file: %w", err)
			}
			return w, nil
		}
		w.leaves = append(w.leaves, leaves...)
		w.good += n
	}
	return w, nil
}

// group parses the group at the start of b.
func (w *wal) group(b []byte, index uint64) (leaves [][]byte, n int, err error) {
	count, at, size, ok := w.groupHead(b)
	if !ok || at != index {
		return nil, 0, fmt.Errorf("leaf %d: group header: %w", index, ErrDamaged)
	}
	if len(b) < groupHeader+size {
		return nil, 0, fmt.Errorf("leaf %d: group cut short: %w", index, ErrDamaged)
	}
	rest := b[groupHeader : groupHeader+size]
	leaves = make([][]byte, 0, min(count, size/recordHeader))
	for i := range count {
		if len(rest) < recordHeader {
			return nil, 0, fmt.Errorf("leaf %d: no record: %w", index+uint64(i), ErrDamaged)
		}
		length, sum := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
		rest = rest[recordHeader:]
		if length > MaxLeaf || int(length) > len(rest) || w.salt.sum(rest[:length]) != sum {
			return nil, 0, fmt.Errorf("leaf %d: record: %w", index+uint64(i), ErrDamaged)
		}
		leaves = append(leaves, rest[:length:length])
		rest = rest[length:]
	}
	if len(rest) != 0 {
		return nil, 0, fmt.Errorf("leaf %d: bytes left over in the group: %w", index, ErrDamaged)
	}
	return leaves, groupHeader + size, nil
}

func (w *wal) groupHead(b []byte) (count int, index uint64, size int, ok bool) {
	if len(b) < groupHeader || string(b[:4]) != groupMagic || w.salt.sum(b[:20]) != binary.BigEndian.Uint32(b[20:]) {
		return 0, 0, 0, false
	}
	c, z := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[16:])
	return int(c), binary.BigEndian.Uint64(b[8:]), int(z), c <= maxGroupLeaves && z <= maxWAL
}

// laterGroup says whether a group that begins beyond index follows.
func (w *wal) laterGroup(b []byte, index uint64) bool {
	for i := 1; i < len(b); i++ {
		j := bytes.Index(b[i:], []byte(groupMagic))
		if j < 0 {
			return false
		}
		i += j
		if _, at, _, ok := w.groupHead(b[i:]); ok && at > index {
			return true
		}
	}
	return false
}

// readWAL reads the write-ahead file of a folder; nil when there is none.
func readWAL(dir string) (*wal, []byte, error) {
	p := filepath.Join(dir, walFile)
	info, err := os.Stat(p)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxWAL {
		return nil, nil, fmt.Errorf("write-ahead file of %d bytes: %w", info.Size(), ErrDamaged)
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return nil, nil, err
	}
	w, err := parseWAL(b)
	return w, b, err
}
