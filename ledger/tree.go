package ledger

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles are eight levels high: 256 hashes of 32 bytes.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	tileBytes  = tileWidth * tlog.HashSize
)

// edge is the right edge of the tree: for each level the hashes of its partial
// tile. It is all that is needed to go on and to compute the root.
type edge struct {
	n      uint64        // leaves
	levels [][]tlog.Hash // levels[l]: less than 256 hashes
}

// add appends a leaf's hash. For every tile that it fills, the leaf's own
// first, it calls full (when not nil) with the tile's level, number and hashes,
// which are valid only during the call.
func (e *edge) add(h tlog.Hash, full func(level int, number uint64, tile []tlog.Hash)) {
	e.n++
	for level := 0; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, make([]tlog.Hash, 0, tileWidth))
		}
		e.levels[level] = append(e.levels[level], h)
		if len(e.levels[level]) < tileWidth {
			return
		}
		tile := e.levels[level]
		if full != nil {
			full(level, e.n>>(tileHeight*(level+1))-1, tile)
		}
		h = subtree(tile)
		e.levels[level] = tile[:0]
	}
}

// root is the Merkle tree hash over all leaves added (RFC 6962, section 2.1).
func (e *edge) root() tlog.Hash {
	if e.n == 0 {
		return sha256.Sum256(nil)
	}
	var sum tlog.Hash
	first := true
	for _, hashes := range e.levels {
		// The complete subtrees of a level, smallest and rightmost first.
		for end := len(hashes); end > 0; {
			width := 1 << bits.TrailingZeros(uint(end))
			h := subtree(hashes[end-width : end])
			if first {
				sum, first = h, false
			} else {
				sum = tlog.NodeHash(h, sum)
			}
			end -= width
		}
	}
	return sum
}

func (e *edge) clone() *edge {
	c := &edge{n: e.n, levels: make([][]tlog.Hash, len(e.levels))}
	for i, l := range e.levels {
		c.levels[i] = append(make([]tlog.Hash, 0, tileWidth), l...)
	}
	return c
}

// subtree hashes a power of two of sibling hashes up to their common node.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	var buf [tileWidth / 2]tlog.Hash
	row := buf[:len(hashes)/2]
	for i := range row {
		row[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
	}
	for len(row) > 1 {
		half := row[:len(row)/2]
		for i := range half {
			half[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
		row = half
	}
	return row[0]
}

func packHashes(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

func unpackHashes(b []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}

// partialWidth is the width of a level's partial tile in a tree of n leaves.
func partialWidth(n uint64, level int) int {
	if tileHeight*level >= 64 {
		return 0
	}
	return int(n >> (tileHeight * level) % tileWidth)
}
