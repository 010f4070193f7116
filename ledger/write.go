package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// A group is closed at so many bytes or leaves, so that no append waits long.
const (
	groupBytes  = 4 << 20
	groupLeaves = 4096
)

// writer is the state of the goroutine that alone writes the files.
type writer struct {
	file   *os.File // the write-ahead file
	salt   salt
	at     int64 // its length
	failed error // sticky
	// behind is why the last attempt to write tiles failed; appends go on
	// until the write-ahead file is twice its limit.
	behind error
}

func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// replay takes the leaves of the write-ahead file over into the tail.
func (l *Ledger) replay(haveCheckpoint bool) error {
	w, b, err := readWAL(l.dir)
	if err != nil {
		return err
	}
	if w == nil {
		if _, err := os.Stat(filepath.Join(l.dir, "tile")); err == nil && !haveCheckpoint {
			return fmt.Errorf("tiles without a checkpoint: %w", ErrDamaged)
		}
		if haveCheckpoint {
			l.log.Warn("ledger: no write-ahead file; leaves after the checkpoint, if there were any, are lost", "size", l.size)
		}
		return l.beginWAL(l.size)
	}
	if w.damage != nil {
		return w.damage
	}
	if w.first > l.size {
		return fmt.Errorf("write-ahead file begins at leaf %d, the checkpoint ends at %d: an older checkpoint was put back: %w", w.first, l.size, ErrDamaged)
	}
	for i, data := range w.leaves {
		index := w.first + uint64(i)
		if index < l.size {
			continue // tiles and checkpoint were written, the crash came before the file was begun anew
		}
		l.tail = append(l.tail, leaf{tlog.RecordHash(data), data})
		l.size++
	}
	if err := l.keepTorn(b[w.good:]); err != nil {
		return err
	}
	if w.first+uint64(len(w.leaves)) <= l.signed.size {
		return l.beginWAL(l.size)
	}
	return l.resumeWAL(w)
}

// keepTorn puts aside what a write cut short left at the end of the file: it
// was never acknowledged, but nothing is thrown away unseen.
func (l *Ledger) keepTorn(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	l.log.Warn("ledger: the last write was cut short and is put aside", "size", l.size, "bytes", len(b), "file", walFile+".torn")
	return writeFiles(l.dir, []file{{walFile + ".torn", b}})
}

// resumeWAL goes on with the write-ahead file of a crash.
func (l *Ledger) resumeWAL(w *wal) error {
	f, err := os.OpenFile(filepath.Join(l.dir, walFile), os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	l.w.file, l.w.salt, l.w.at = f, w.salt, int64(w.good)
	if err := f.Truncate(l.w.at); err != nil {
		return err
	}
	// The leaves were read, but a crash of the system may have come before
	// their fsync did.
	return f.Sync()
}

// beginWAL replaces the write-ahead file by an empty one.
func (l *Ledger) beginWAL(first uint64) error {
	head, s := newWAL(first)
	if err := writeFiles(l.dir, []file{{walFile, head}}); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(l.dir, walFile), os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	l.w.close()
	l.w.file, l.w.salt, l.w.at = f, s, int64(len(head))
	return nil
}

// write is the writer goroutine: it gathers what waits, commits it as one
// group, and writes tiles and a checkpoint when the write-ahead file is full.
func (l *Ledger) write() {
	defer close(l.stopped)
	for {
		select {
		case r := <-l.requests:
			l.serve(l.gather(r))
		case <-l.stop:
			if l.w.failed == nil {
				l.closeErr = l.publish()
			}
			return
		}
	}
}

// gather takes the requests that are waiting, up to the size of a group.
func (l *Ledger) gather(r *request) (group []*request) {
	bytes, leaves := 0, 0
	for {
		group = append(group, r)
		leaves += len(r.leaves)
		for _, data := range r.leaves {
			bytes += len(data)
		}
		if bytes >= groupBytes || leaves >= groupLeaves {
			return group
		}
		select {
		case r = <-l.requests:
		default:
			return group
		}
	}
}

func (l *Ledger) serve(group []*request) {
	err := l.w.failed
	if err == nil && l.w.behind != nil && l.w.at > 2*int64(l.limit) {
		if l.w.behind = l.publish(); l.w.behind != nil {
			err = fmt.Errorf("write tiles: %w", l.w.behind)
		}
	}
	if err == nil {
		err = l.commit(group)
	}
	checkpoint := false
	for _, r := range group {
		if r.err == nil {
			r.err = err
		}
		if r.checkpoint {
			checkpoint = true
		} else {
			close(r.done)
		}
	}
	var published error
	if err == nil && (checkpoint || l.w.at > int64(l.limit)) {
		if published = l.publish(); published != nil {
			l.log.Error("ledger: tiles and checkpoint not written, the write-ahead file goes on", "error", published)
		}
		l.w.behind = published
	}
	for _, r := range group {
		if r.checkpoint {
			r.err = errors.Join(r.err, published)
			close(r.done)
		}
	}
}

// commit finds the indexes of a group's leaves and makes the new ones durable.
func (l *Ledger) commit(group []*request) error {
	size := l.size // only this goroutine changes it
	fresh := make(map[tlog.Hash]uint64)
	var leaves [][]byte
	var hashes []tlog.Hash
	for _, r := range group {
		r.result = make([]Appended, len(r.leaves))
		for i, h := range r.hashes {
			at, dup := fresh[h]
			if !dup {
				var err error
				if at, dup, err = l.index.find(h); err != nil {
					return fmt.Errorf("look for duplicates: %w", err)
				}
			}
			if !dup {
				at = size + uint64(len(leaves))
				fresh[h] = at
				leaves, hashes = append(leaves, r.leaves[i]), append(hashes, h)
			}
			r.result[i] = Appended{at, dup}
		}
	}
	if len(leaves) == 0 {
		return nil
	}
	kept, err := l.persist(size, leaves)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, data := range kept {
		l.tail = append(l.tail, leaf{hashes[i], data})
		l.index.add(hashes[i], size+uint64(i))
	}
	l.size += uint64(len(kept))
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// persist writes a group to the write-ahead file and waits for the disk.
func (l *Ledger) persist(index uint64, leaves [][]byte) ([][]byte, error) {
	b, kept := appendGroup(nil, l.w.salt, index, leaves)
	if _, err := l.w.file.WriteAt(b, l.w.at); err != nil {
		// A full disk: take back what was written and go on when there is room.
		if terr := l.w.file.Truncate(l.w.at); terr != nil {
			l.w.failed = fmt.Errorf("write-ahead file: %w: %w", errors.Join(err, terr), ErrFailed)
			return nil, l.w.failed
		}
		return nil, fmt.Errorf("write-ahead file: %w", err)
	}
	if err := l.w.file.Sync(); err != nil {
		// After a failed fsync nobody knows what is on the disk.
		l.w.failed = fmt.Errorf("write-ahead file: %w: %w", err, ErrFailed)
		return nil, l.w.failed
	}
	l.w.at += int64(len(b))
	return kept, nil
}

// publish writes bundles, tiles and a signed checkpoint over all leaves, then
// begins the write-ahead file anew. When it fails, nothing has changed.
func (l *Ledger) publish() error {
	if l.w.failed != nil {
		return l.w.failed
	}
	old, size := l.signed, l.size
	if old.note != nil && old.size == size && l.w.at == walHeader {
		return nil
	}
	next, files := l.extend(old, size)
	if err := writeFiles(l.dir, files); err != nil {
		return err
	}
	if err := l.sign(old, next); err != nil {
		return err
	}
	for _, f := range files {
		removeSuperseded(l.dir, f.path)
	}
	l.mu.Lock()
	l.signed = next
	if cut := size/tileWidth*tileWidth - l.tailAt; cut > 0 {
		l.tail = append([]leaf(nil), l.tail[cut:]...)
		l.tailAt += cut
	}
	l.mu.Unlock()
	if err := l.index.flush(size); err != nil {
		l.log.Warn("ledger: index of duplicates not written, it will be made again", "error", err)
	}
	if err := l.beginWAL(size); err != nil {
		// The checkpoint stands, but which file the name means is not known.
		l.w.failed = fmt.Errorf("begin write-ahead file: %w: %w", err, ErrFailed)
		return l.w.failed
	}
	return nil
}

// extend computes the tree of size leaves and the files that it adds.
func (l *Ledger) extend(old *signed, size uint64) (*signed, []file) {
	var files []file
	e := old.edge.clone()
	bundle := func(number uint64, width int) {
		start := number*tileWidth - l.tailAt
		var b []byte
		for _, leaf := range l.tail[start : start+uint64(width)] {
			b = appendEntry(b, leaf.data)
		}
		files = append(files, file{tilePath(entriesLevel, number, width), b})
	}
	for i := old.size; i < size; i++ {
		e.add(l.tail[i-l.tailAt].hash, func(level int, number uint64, tile []tlog.Hash) {
			files = append(files, file{tilePath(level, number, tileWidth), packHashes(tile)})
			if level == 0 {
				bundle(number, tileWidth)
			}
		})
	}
	for level, hashes := range e.levels {
		// Only what has changed: an upper tile stays as it was for a long time.
		if w := len(hashes); w > 0 && size>>(tileHeight*level) != old.size>>(tileHeight*level) {
			files = append(files, file{tilePath(level, size>>(tileHeight*(level+1)), w), packHashes(hashes)})
		}
	}
	if w := int(size % tileWidth); w > 0 && size != old.size {
		bundle(size/tileWidth, w)
	}
	return &signed{head: head{size, e.root()}, edge: e}, files
}

// sign writes the next checkpoint, if the one on disk is still the one that
// this ledger signed last.
func (l *Ledger) sign(old, next *signed) error {
	onDisk, err := os.ReadFile(filepath.Join(l.dir, checkpointFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !bytes.Equal(onDisk, old.note) {
		l.w.failed = fmt.Errorf("the checkpoint on disk is not the one signed last: %w: %w", ErrDamaged, ErrFailed)
		return l.w.failed
	}
	if next.size < old.size || (next.size == old.size && old.note != nil && next.root != old.root) {
		l.w.failed = fmt.Errorf("refuse to sign %d leaves after %d: %w: %w", next.size, old.size, ErrDamaged, ErrFailed)
		return l.w.failed
	}
	if next.note, err = l.signer.sign(next.head); err != nil {
		return err
	}
	if next.size == old.size && old.note != nil {
		next.note = old.note
		return nil
	}
	return writeFiles(l.dir, []file{{checkpointFile, next.note}})
}
