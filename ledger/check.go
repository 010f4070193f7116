package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// maxFaults bounds a report; a ledger with more is damaged through and through.
const maxFaults = 1000

// Report is what [Check] found.
type Report struct {
	Size     uint64    // leaves under the checkpoint
	Root     tlog.Hash // the checkpoint's root
	Unsigned uint64    // whole leaves in the write-ahead file beyond the checkpoint
	Faults   []Fault   // nil: all is proved
	More     bool      // there were more faults than a report holds
}

// Fault is one place of damage.
type Fault struct {
	File string // below the ledger's folder
	// From and To are the leaves [From, To) that the damage touches; both zero
	// when it touches none, as in the checkpoint's own text.
	From, To uint64
	// LeafIntact says that the leaves themselves are proved by other files and
	// that only this file, which can be made again from them, is damaged.
	LeafIntact bool
	What       string
}

func (f Fault) String() string {
	switch {
	case f.From == f.To:
		return fmt.Sprintf("%s: %s", f.File, f.What)
	case f.LeafIntact:
		return fmt.Sprintf("%s: %s (leaves %d to %d are intact)", f.File, f.What, f.From, f.To-1)
	case f.To == f.From+1:
		return fmt.Sprintf("leaf %d (%s): %s", f.From, f.File, f.What)
	}
	return fmt.Sprintf("leaves %d to %d (%s): %s", f.From, f.To-1, f.File, f.What)
}

// Check proves the ledger in dir, which may be open elsewhere for writing only
// if it is idle: it verifies the checkpoint's signature, computes every hash
// again from the leaves up to the root, and compares every tile on the way. When
// something is damaged, it says where and returns an error that is ErrDamaged.
// progress, when not nil, is told of leaves done.
func Check(ctx context.Context, dir string, origin string, key ed25519.PublicKey, progress func(done, total uint64)) (Report, error) {
	c := &checker{dir: dir, progress: progress, mine: &edge{}, theirs: &edge{}}
	if err := c.run(ctx, origin, key); err != nil {
		return c.report, fmt.Errorf("check ledger %s: %w", dir, err)
	}
	if n := len(c.report.Faults); n > 0 {
		return c.report, fmt.Errorf("check ledger %s: %d faults, the first: %s: %w", dir, n, c.report.Faults[0], ErrDamaged)
	}
	return c.report, nil
}

// checker computes the tree twice: "mine" from the leaves, "theirs" from the
// stored leaf hashes. Whichever arrives at the signed root was right.
type checker struct {
	dir      string
	progress func(done, total uint64)
	report   Report
	mine     *edge
	theirs   *edge
	suspects []suspect
	// Upper tiles that differ from those computed from the leaves, and from
	// those computed from the stored leaf hashes.
	upperMine, upperTheirs []Fault
}

// suspect is a stretch of leaves on which bundle and leaf tile disagree.
type suspect struct {
	Fault
	number uint64    // of the tile
	mine   tlog.Hash // the tile's subtree hash by the leaves; zero for a partial tile
}

func (c *checker) fault(f Fault) {
	if len(c.report.Faults) >= maxFaults {
		c.report.More = true
		return
	}
	c.report.Faults = append(c.report.Faults, f)
}

func (c *checker) run(ctx context.Context, origin string, key ed25519.PublicKey) error {
	v, err := verifier(origin, key)
	if err != nil {
		return err
	}
	msg, err := os.ReadFile(filepath.Join(c.dir, checkpointFile))
	if err != nil {
		return err
	}
	h, err := openCheckpoint(msg, v)
	if err != nil {
		c.fault(Fault{File: checkpointFile, What: err.Error()})
		return nil // without a signed root nothing can be proved
	}
	c.report.Size, c.report.Root = h.size, h.root
	for at := uint64(0); at < h.size; at += tileWidth {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.bundle(at, int(min(h.size-at, tileWidth)))
		if c.progress != nil {
			c.progress(min(at+tileWidth, h.size), h.size)
		}
	}
	c.partials(h.size)
	c.judge(h)
	c.wal(h.size)
	return c.index(h.size)
}

// bundle compares one bundle with its leaf tile and feeds both trees.
func (c *checker) bundle(at uint64, width int) {
	number := at / tileWidth
	bundlePath, tile := tilePath(entriesLevel, number, width), tilePath(0, number, width)
	stored, terr := readHashes(c.dir, 0, number, width)
	if terr != nil {
		c.suspect(suspect{Fault: Fault{File: tile, From: at, To: at + uint64(width), What: terr.Error()}, number: number})
		stored = make([]tlog.Hash, width)
	}
	computed, whole := make([]tlog.Hash, 0, width), true
	b, berr := readTile(c.dir, entriesLevel, number, width)
	if berr == nil {
		var leaves [][]byte
		leaves, berr = splitBundle(b, width)
		for _, data := range leaves {
			computed = append(computed, tlog.RecordHash(data))
		}
		if berr == nil && c.exact(bundlePath) && bundleLength(leaves) != len(b) {
			berr = fmt.Errorf("%d bytes after the last leaf: %w", len(b)-bundleLength(leaves), ErrDamaged)
		}
	}
	if berr != nil {
		whole = false
	}
	first, last := width, -1
	for i := range width {
		if i >= len(computed) || computed[i] != stored[i] {
			first, last = min(first, i), i
		}
	}
	for len(computed) < width {
		computed = append(computed, tlog.Hash{})
	}
	s := suspect{number: number, mine: subtreeAny(computed)}
	switch {
	case !whole && last < 0: // trailing bytes
		c.fault(Fault{File: bundlePath, From: at, To: at + uint64(width), LeafIntact: true, What: berr.Error()})
	case last >= 0 && terr == nil:
		c.disagree(s, at, first, last, computed, stored, berr, bundlePath)
	case last >= 0 && berr != nil:
		s.Fault = Fault{File: bundlePath, From: at, To: at + uint64(width), What: berr.Error()}
		c.suspect(s)
	}
	for i := range width {
		c.mine.add(computed[i], func(level int, n uint64, hashes []tlog.Hash) { c.compare(&c.upperMine, level, n, hashes) })
		c.theirs.add(stored[i], func(level int, n uint64, hashes []tlog.Hash) { c.compare(&c.upperTheirs, level, n, hashes) })
	}
}

// disagree records the leaves of a bundle that differ from their hashes. When
// the bundle falls out of step at one leaf, the rest of it cannot be read, and
// the first leaf is where the damage is.
func (c *checker) disagree(s suspect, at uint64, first, last int, computed, stored []tlog.Hash, berr error, path string) {
	differ := 0
	for i := first; i <= last; i++ {
		if computed[i] != stored[i] {
			differ++
		}
	}
	if differ == last-first+1 && (berr != nil || differ > 1) {
		s.Fault = Fault{File: path, From: at + uint64(first), To: at + uint64(last) + 1, What: "does not have the recorded hash, nor what follows it in the bundle"}
		c.suspect(s)
		return
	}
	for i := first; i <= last; i++ {
		if computed[i] != stored[i] {
			s.Fault = Fault{File: path, From: at + uint64(i), To: at + uint64(i) + 1, What: "does not have the recorded hash"}
			c.suspect(s)
		}
	}
}

// exact says whether a file of just this width is there, not only a wider one.
func (c *checker) exact(name string) bool {
	_, err := os.Stat(filepath.Join(c.dir, name))
	return err == nil
}

func (c *checker) suspect(s suspect) {
	if len(c.suspects) >= maxFaults {
		c.report.More = true
		return
	}
	c.suspects = append(c.suspects, s)
}

func bundleLength(leaves [][]byte) int {
	n := 0
	for _, l := range leaves {
		n += 2 + len(l)
	}
	return n
}

// subtreeAny hashes a full tile's hashes; partial ones have no parent to be
// compared with.
func subtreeAny(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) < tileWidth {
		return tlog.Hash{}
	}
	return subtree(hashes)
}

// compare compares a computed upper tile with the stored one. (Leaf tiles are
// compared with the leaves.)
func (c *checker) compare(into *[]Fault, level int, number uint64, hashes []tlog.Hash) {
	if level == 0 || len(*into) >= maxFaults {
		return
	}
	name := tilePath(level, number, len(hashes))
	span := uint64(1) << (tileHeight * level) // leaves under one hash
	from := number * tileWidth * span
	stored, err := readHashes(c.dir, level, number, len(hashes))
	if err != nil {
		*into = append(*into, Fault{File: name, From: from, To: from + uint64(len(hashes))*span, LeafIntact: true, What: err.Error()})
		return
	}
	for i := range hashes {
		if hashes[i] != stored[i] {
			at := from + uint64(i)*span
			*into = append(*into, Fault{File: name, From: at, To: at + span, LeafIntact: true, What: fmt.Sprintf("hash %d is not that of the tile below", i)})
		}
	}
}

// partials compares the partial tiles at the right edge.
func (c *checker) partials(size uint64) {
	for level := range c.mine.levels {
		if len(c.mine.levels[level]) > 0 {
			c.compare(&c.upperMine, level, size>>(tileHeight*(level+1)), c.mine.levels[level])
			c.compare(&c.upperTheirs, level, size>>(tileHeight*(level+1)), c.theirs.levels[level])
		}
	}
}

// judge says of each disagreement which side was wrong.
func (c *checker) judge(h head) {
	leavesProved, tilesProved := c.mine.root() == h.root, c.theirs.root() == h.root
	for _, s := range c.suspects {
		f := s.Fault
		if leavesProved || (!tilesProved && c.parentSays(s)) {
			f.File, f.LeafIntact, f.What = tilePath(0, s.number, tileWidth), true, "hashes are not those of the leaves"
		}
		c.fault(f)
	}
	switch {
	case leavesProved:
		c.faults(c.upperMine)
	case tilesProved:
		c.faults(c.upperTheirs)
	case len(c.suspects) == 0:
		c.fault(Fault{File: checkpointFile, To: h.size, What: "leaves and tiles agree on another root than the signed one"})
	}
}

func (c *checker) faults(list []Fault) {
	for _, f := range list {
		c.fault(f)
	}
}

// parentSays tells whether the tile above, where there is one, has the hash of
// the leaves rather than that of the leaf tile.
func (c *checker) parentSays(s suspect) bool {
	if s.mine == (tlog.Hash{}) {
		return false
	}
	up, err := readHashes(c.dir, 1, s.number/tileWidth, int(s.number%tileWidth)+1)
	return err == nil && up[s.number%tileWidth] == s.mine
}

// wal reads the leaves that no checkpoint covers yet.
func (c *checker) wal(size uint64) {
	w, b, err := readWAL(c.dir)
	switch {
	case err != nil:
		c.fault(Fault{File: walFile, What: err.Error()})
		return
	case w == nil:
		c.fault(Fault{File: walFile, What: "is missing; leaves after the checkpoint, if there were any, are lost"})
		return
	}
	end := w.first + uint64(len(w.leaves))
	if w.first > size {
		c.fault(Fault{File: walFile, From: size, To: w.first, What: "begins after the checkpoint's last leaf: an older checkpoint was put back"})
	}
	if end > size {
		c.report.Unsigned = end - size
	}
	if w.damage != nil {
		c.fault(Fault{File: walFile, From: end, To: end + 1, What: w.damage.Error()})
	} else if w.good < len(b) {
		c.fault(Fault{File: walFile, From: end, To: end + 1, What: fmt.Sprintf("its last %d bytes are a write cut short, or damaged", len(b)-w.good)})
	}
}

// index compares the runs with their checksums.
func (c *checker) index(size uint64) error {
	dir := filepath.Join(c.dir, indexDir)
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, n := range names {
		r, err := openRun(filepath.Join(dir, n.Name()))
		if err == nil {
			err = r.verify()
			r.file.Close()
		}
		if err != nil {
			c.fault(Fault{File: filepath.Join(indexDir, n.Name()), To: size, LeafIntact: true, What: err.Error() + "; remove it, it is made again"})
		}
	}
	return nil
}
