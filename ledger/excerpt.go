package ledger

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// excerptHeader begins an excerpt: some leaves of a log, in order, with one
// proof for all of them. After the header, with big-endian numbers, stand
//
//	uint16 n, n bytes                     the signed checkpoint
//	then, up to the checkpoint's size, either
//	  uint16 n > 0, n bytes               the next leaf, or
//	  uint16 0, uint8 level, 32 bytes     the hash of the next 2^level leaves, which are left out
//
// The hashes are those of the largest whole subtrees between the leaves, so
// that a reader that knows only the last few hashes arrives at the root: a leaf
// costs one hash to compute, neighbours share their path, and each leaf's place
// in the log is proved with it.
const excerptHeader = "thermie ledger excerpt 1\n"

// hashChunk is how many hashes are read from the tiles at once.
const hashChunk = 4096

// CheckpointSize verifies a checkpoint and returns how many leaves it covers.
func CheckpointSize(checkpoint []byte, origin string, key ed25519.PublicKey) (uint64, error) {
	v, err := verifier(origin, key)
	if err != nil {
		return 0, err
	}
	h, err := openCheckpoint(checkpoint, v)
	return h.size, err
}

// Excerpt writes the leaves with the given indexes, which ascend, with the proof
// that they are in the log that a checkpoint of this ledger signs. The root is
// computed on the way and compared: what was written verifies.
func (l *Ledger) Excerpt(ctx context.Context, w io.Writer, checkpoint []byte, leaves []uint64) error {
	h, err := openCheckpoint(checkpoint, l.signer)
	if err != nil {
		return fmt.Errorf("ledger excerpt: %w", err)
	}
	if s := l.state(); s.size < h.size {
		return fmt.Errorf("ledger excerpt: the checkpoint has %d leaves, the ledger %d: %w", h.size, s.size, ErrDamaged)
	}
	x := &excerptWriter{l: l, w: bufio.NewWriterSize(w, 64<<10), size: h.size}
	x.w.WriteString(excerptHeader) // errors of a bufio.Writer come back from Flush
	x.bytes(checkpoint)
	if err := x.leaves(ctx, leaves); err != nil {
		return fmt.Errorf("ledger excerpt: %w", err)
	}
	if err := x.w.Flush(); err != nil {
		return fmt.Errorf("ledger excerpt: %w", err)
	}
	if x.done.root() != h.root {
		return fmt.Errorf("ledger excerpt: leaves and tiles do not add up to the checkpoint of %d leaves: %w", h.size, ErrDamaged)
	}
	return nil
}

// excerptWriter writes in rounds: what stands between two hashes waits until
// enough hashes are known to be read at once.
type excerptWriter struct {
	l    *Ledger
	w    *bufio.Writer
	size uint64
	done compactRange
}

func (x *excerptWriter) bytes(b []byte) {
	var n [2]byte
	binary.BigEndian.PutUint16(n[:], uint16(len(b)))
	x.w.Write(n[:])
	x.w.Write(b)
}

func (x *excerptWriter) leaves(ctx context.Context, leaves []uint64) error {
	var subtrees []subtreeAt
	at := uint64(0) // covered up to here by subtrees and leaves of the round
	first := 0
	for i := 0; i <= len(leaves); i++ {
		next := x.size
		if i < len(leaves) {
			if next = leaves[i]; next < at || next >= x.size {
				return fmt.Errorf("leaf %d: want indexes that ascend and are below %d", next, x.size)
			}
		}
		subtrees = appendSubtrees(subtrees, at, next)
		at = next + 1
		if len(subtrees) < hashChunk && i < len(leaves) {
			continue
		}
		round := leaves[first:min(i+1, len(leaves))]
		if err := x.round(ctx, subtrees, round); err != nil {
			return err
		}
		subtrees, first = subtrees[:0], i+1
	}
	return nil
}

// subtreeAt is a whole subtree: leaves [n << level, (n+1) << level).
type subtreeAt struct {
	level int
	n     uint64
}

func (s subtreeAt) first() uint64 { return s.n << s.level }

// appendSubtrees cuts leaves [from, to) into the largest whole subtrees.
func appendSubtrees(s []subtreeAt, from, to uint64) []subtreeAt {
	for from < to {
		level := bits.Len64(to-from) - 1
		if from > 0 {
			level = min(level, bits.TrailingZeros64(from))
		}
		s = append(s, subtreeAt{level, from >> level})
		from += 1 << level
	}
	return s
}

func (x *excerptWriter) round(ctx context.Context, subtrees []subtreeAt, leaves []uint64) error {
	hashes, err := x.l.hashes(subtrees)
	if err != nil {
		return err
	}
	var bundle [][]byte
	var bundleAt uint64
	for len(subtrees) > 0 || len(leaves) > 0 {
		if len(leaves) == 0 || len(subtrees) > 0 && subtrees[0].first() < leaves[0] {
			x.w.Write([]byte{0, 0, byte(subtrees[0].level)})
			x.w.Write(hashes[0][:])
			x.done.add(subtrees[0].level, hashes[0])
			subtrees, hashes = subtrees[1:], hashes[1:]
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n := leaves[0]
		if n-bundleAt >= uint64(len(bundle)) {
			if bundle, err = x.l.chunk(n, x.size); err != nil {
				return err
			}
			bundleAt = n
		}
		leaf := bundle[n-bundleAt]
		x.bytes(leaf)
		x.done.add(0, tlog.RecordHash(leaf))
		leaves = leaves[1:]
	}
	return nil
}

// hashes reads subtrees' hashes, each checked against the signed tree.
func (l *Ledger) hashes(subtrees []subtreeAt) ([]tlog.Hash, error) {
	if len(subtrees) == 0 {
		return nil, nil
	}
	s := l.state()
	indexes := make([]int64, len(subtrees))
	for i, t := range subtrees {
		indexes[i] = tlog.StoredHashIndex(t.level, int64(t.n))
	}
	hashes, err := tlog.TileHashReader(tlog.Tree{N: int64(s.size), Hash: s.root}, &tileReader{l.dir, s.edge}).ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("tiles: %v: %w", err, ErrDamaged)
	}
	return hashes, nil
}

// compactRange is the hashes of the whole subtrees over leaves [0, n), the
// largest first: all that is needed to go on and to know the root.
type compactRange struct {
	n        uint64
	subtrees []struct {
		level int
		hash  tlog.Hash
	}
}

// add appends a whole subtree; n must be a multiple of its size.
func (c *compactRange) add(level int, h tlog.Hash) {
	c.n += 1 << level
	for {
		last := len(c.subtrees) - 1
		if last < 0 || c.subtrees[last].level != level {
			break
		}
		h = tlog.NodeHash(c.subtrees[last].hash, h)
		c.subtrees = c.subtrees[:last]
		level++
	}
	c.subtrees = append(c.subtrees, struct {
		level int
		hash  tlog.Hash
	}{level, h})
}

// root is the hash over all leaves (RFC 6962, section 2.1).
func (c *compactRange) root() (h tlog.Hash) {
	if len(c.subtrees) == 0 {
		return (&edge{}).root()
	}
	last := len(c.subtrees) - 1
	h = c.subtrees[last].hash
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(c.subtrees[i].hash, h)
	}
	return h
}

// Excerpt is an excerpt of a log being read.
type Excerpt struct {
	// Size is how many leaves the signed checkpoint covers.
	Size uint64
	r    *bufio.Reader
	root tlog.Hash
}

// OpenExcerpt reads the beginning of an excerpt and verifies its checkpoint.
func OpenExcerpt(r io.Reader, origin string, key ed25519.PublicKey) (*Excerpt, error) {
	v, err := verifier(origin, key)
	if err != nil {
		return nil, err
	}
	e := &Excerpt{r: bufio.NewReaderSize(r, 64<<10)}
	header := make([]byte, len(excerptHeader))
	if _, err := io.ReadFull(e.r, header); err != nil || string(header) != excerptHeader {
		return nil, fmt.Errorf("excerpt: does not begin with %q: %w", excerptHeader, ErrDamaged)
	}
	n, err := e.length()
	if err != nil {
		return nil, err
	}
	note := make([]byte, n)
	if _, err := io.ReadFull(e.r, note); err != nil {
		return nil, e.cut(err)
	}
	h, err := openCheckpoint(note, v)
	if err != nil {
		return nil, fmt.Errorf("excerpt: %w", err)
	}
	e.Size, e.root = h.size, h.root
	return e, nil
}

// Leaves yields the leaves in order, once. Only when all of them came without an
// error are they proved: the last thing that is compared is the root.
func (e *Excerpt) Leaves() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var c compactRange
		for c.n < e.Size {
			leaf, err := e.next(&c)
			if err != nil {
				yield(Entry{Index: c.n}, fmt.Errorf("excerpt, leaf %d: %w", c.n, err))
				return
			}
			if leaf != nil && !yield(Entry{c.n - 1, leaf}, nil) {
				return
			}
		}
		if _, err := e.r.ReadByte(); !errors.Is(err, io.EOF) {
			yield(Entry{Index: c.n}, fmt.Errorf("excerpt: something follows the last leaf: %w", ErrDamaged))
			return
		}
		if c.root() != e.root {
			yield(Entry{Index: c.n}, fmt.Errorf("excerpt: leaves and hashes do not add up to the checkpoint of %d leaves: %w", e.Size, ErrDamaged))
		}
	}
}

// next takes in a leaf, or a subtree that was left out and then returns nil.
func (e *Excerpt) next(c *compactRange) ([]byte, error) {
	n, err := e.length()
	if err != nil {
		return nil, err
	}
	if n > 0 {
		leaf := make([]byte, n)
		if _, err := io.ReadFull(e.r, leaf); err != nil {
			return nil, e.cut(err)
		}
		c.add(0, tlog.RecordHash(leaf))
		return leaf, nil
	}
	var b [1 + tlog.HashSize]byte
	if _, err := io.ReadFull(e.r, b[:]); err != nil {
		return nil, e.cut(err)
	}
	level := int(b[0])
	if level > 62 || c.n&(1<<level-1) != 0 || 1<<level > e.Size-c.n {
		return nil, fmt.Errorf("no subtree of 2^%d leaves begins here: %w", level, ErrDamaged)
	}
	c.add(level, tlog.Hash(b[1:]))
	return nil, nil
}

func (e *Excerpt) length() (int, error) {
	var b [2]byte
	if _, err := io.ReadFull(e.r, b[:]); err != nil {
		return 0, e.cut(err)
	}
	return int(binary.BigEndian.Uint16(b[:])), nil
}

// cut says that the excerpt ends too early, or how reading it failed.
func (e *Excerpt) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("excerpt is cut short: %w", ErrDamaged)
	}
	return err
}
