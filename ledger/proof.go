package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The proof's first line (c2sp.org/tlog-proof).
const proofHeader = "c2sp.org/tlog-proof@v1"

// maxProof bounds a proof with its checkpoint and co-signatures.
const maxProof = 96 << 10

// Prove returns the proof that a leaf is in the log, in the tlog-proof format:
// index, audit path and signed checkpoint. Every hash was checked against the
// checkpoint on the way.
func (l *Ledger) Prove(ctx context.Context, index uint64) ([]byte, error) {
	if size := l.Size(); index >= size {
		return nil, fmt.Errorf("prove leaf %d: the ledger has %d leaves", index, size)
	}
	if index >= l.state().size {
		if _, err := l.Checkpoint(ctx); err != nil {
			return nil, err
		}
	}
	s := l.state()
	tree := tlog.Tree{N: int64(s.size), Hash: s.root}
	path, err := tlog.ProveRecord(tree.N, int64(index), tlog.TileHashReader(tree, &tileReader{l.dir, s.edge}))
	if err != nil {
		return nil, fmt.Errorf("prove leaf %d: %v: %w", index, err, ErrDamaged)
	}
	return formatProof(index, path, s.note), nil
}

// ProveGrowth returns the proof that the tree of size now extends the tree of
// size before (RFC 6962, section 2.1.2), hash by hash, for witnesses.
func (l *Ledger) ProveGrowth(before, now uint64) ([]tlog.Hash, error) {
	s := l.state()
	if before < 1 || before > now || now > s.size {
		return nil, fmt.Errorf("prove growth from %d to %d leaves: %d are signed", before, now, s.size)
	}
	tree := tlog.Tree{N: int64(s.size), Hash: s.root}
	p, err := tlog.ProveTree(int64(now), int64(before), tlog.TileHashReader(tree, &tileReader{l.dir, s.edge}))
	if err != nil {
		return nil, fmt.Errorf("prove growth from %d to %d leaves: %v: %w", before, now, err, ErrDamaged)
	}
	return p, nil
}

// tileReader gives the tiles of a signed tree: full ones from disk, partial
// ones from memory.
type tileReader struct {
	dir  string
	edge *edge
}

func (r *tileReader) Height() int { return tileHeight }

func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		if t.W < tileWidth && uint64(t.N) == r.edge.n>>(tileHeight*(t.L+1)) {
			data[i] = packHashes(r.edge.levels[t.L][:t.W])
			continue
		}
		hashes, err := readHashes(r.dir, t.L, uint64(t.N), t.W)
		if err != nil {
			return nil, err
		}
		data[i] = packHashes(hashes)
	}
	return data, nil
}

func formatProof(index uint64, path []tlog.Hash, checkpoint []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", proofHeader, index)
	for _, h := range path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
	return b.Bytes()
}

// parseProof takes a proof apart. Extra data is allowed and ignored.
func parseProof(proof []byte) (index uint64, path []tlog.Hash, checkpoint []byte, err error) {
	bad := func(what string) error { return fmt.Errorf("proof: %s: %w", what, ErrDamaged) }
	if len(proof) > maxProof {
		return 0, nil, nil, bad("too long")
	}
	text, checkpoint, ok := bytes.Cut(proof, []byte("\n\n"))
	if !ok {
		return 0, nil, nil, bad("no checkpoint")
	}
	lines := strings.Split(string(text), "\n")
	if lines[0] != proofHeader {
		return 0, nil, nil, bad("first line is not " + proofHeader)
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		if _, err := base64.StdEncoding.DecodeString(lines[0][len("extra "):]); err != nil {
			return 0, nil, nil, bad("extra data")
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, nil, nil, bad("no index")
	}
	number := lines[0][len("index "):]
	index, err = strconv.ParseUint(number, 10, 63)
	if err != nil || strconv.FormatUint(index, 10) != number {
		return 0, nil, nil, bad("index")
	}
	if lines = lines[1:]; len(lines) > 63 {
		return 0, nil, nil, bad("path too long")
	}
	for _, line := range lines {
		h, err := tlog.ParseHash(line)
		if err != nil || h.String() != line {
			return 0, nil, nil, bad("hash " + strconv.Quote(line))
		}
		path = append(path, h)
	}
	return index, path, checkpoint, nil
}

// VerifyProof verifies that a leaf is in the log: the checkpoint is signed by
// the log's key under its origin, and the audit path leads from the leaf to the
// checkpoint's root. It returns the leaf's index.
func VerifyProof(proof, leaf []byte, origin string, key ed25519.PublicKey) (index uint64, err error) {
	index, path, msg, err := parseProof(proof)
	if err != nil {
		return 0, err
	}
	v, err := verifier(origin, key)
	if err != nil {
		return 0, err
	}
	h, err := openCheckpoint(msg, v)
	if err != nil {
		return 0, fmt.Errorf("proof: %w", err)
	}
	if index >= h.size {
		return 0, fmt.Errorf("proof: leaf %d of %d: %w", index, h.size, ErrDamaged)
	}
	if err := tlog.CheckRecord(path, int64(h.size), h.root, int64(index), tlog.RecordHash(leaf)); err != nil {
		return 0, fmt.Errorf("proof of leaf %d: %v: %w", index, err, ErrDamaged)
	}
	return index, nil
}
